/** Writes config/schema.json, which editors use to complete and check configuration files. Run by `node scripts/config-schema.ts`. */
import { writeFileSync } from 'node:fs'
import { configJsonSchema } from '../src/config.ts'

const file = new URL('../config/schema.json', import.meta.url)
writeFileSync(file, `${JSON.stringify(configJsonSchema(), null, 2)}\n`)
console.log(`wrote ${file.pathname}`)
