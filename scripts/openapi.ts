import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openApiDocument } from '../src/http/openapi.ts'

/** Writes docs/openapi.json; a test fails when it and the routes say different things. */
writeFileSync(
  join(import.meta.dirname, '..', 'docs', 'openapi.json'),
  `${JSON.stringify(await openApiDocument(), null, 2)}\n`,
)
