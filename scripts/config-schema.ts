/** Writes config/schema.json, which editors use to complete and check configuration files. A test fails when it is not up to date. */
import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../src/config.ts'
import { connectors } from '../src/connectors/index.ts'

const file = new URL('../config/schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(configJsonSchema({ ...connectors }), null, 2)}\n`)
