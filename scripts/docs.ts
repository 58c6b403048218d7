/** Writes the documents that are made from the code: docs/cli.md, docs/configuration.md, docs/connectors. Run by `npm run docs`. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { documents } from './documents.ts'

const root = dirname(import.meta.dirname)
for (const [path, text] of documents()) {
  mkdirSync(dirname(join(root, path)), { recursive: true })
  writeFileSync(join(root, path), text)
}
