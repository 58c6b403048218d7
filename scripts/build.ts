import { spawnSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/**
 * Compiles src into dist and puts beside it what the compiler leaves behind: migrations, pages, style sheets. Starts from an
 * empty dist, so that a file deleted from src does not live on in a release.
 */
const root = dirname(import.meta.dirname)
const source = join(root, 'src')
const target = join(root, 'dist')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

rmSync(target, { recursive: true, force: true })
const compiled = spawnSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.build.json')], { stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)
cpSync(source, target, { recursive: true, filter: (path) => !/\.(ts|md)$/.test(path) })
