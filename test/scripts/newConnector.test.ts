import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KIND_TEMPLATES } from '../../scripts/connectorTemplates.ts'

const ROOT = dirname(dirname(import.meta.dirname))
/** All that the scaffold, what it writes, and the contract of connectors read. */
const NEEDED = ['src', 'scripts', 'test/kit', 'package.json', 'tsconfig.json', 'vitest.config.ts', '.oxfmtrc.json']
const KINDS = Object.keys(KIND_TEMPLATES)
const vendorOf = (kind: string): string => `made${kind}`

let copy: string

interface Ran {
  status: number | null
  said: string
}

/** A program of the packages, in the copy. Nothing of this test run's own environment goes along but the path. */
function run(program: string, words: readonly string[], env: Readonly<Record<string, string>> = {}): Ran {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(copy, program), ...words], {
    cwd: copy,
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], NO_COLOR: '1', ...env },
  })
  return { status, said: `${stdout}\n${stderr}` }
}

const scaffold = (...words: readonly string[]): Ran => run('scripts/new-connector.ts', [...words, '--root', copy, '--files-only']) // prettier-ignore

beforeAll(() => {
  copy = mkdtempSync(join(tmpdir(), 'crossdock-scaffold-'))
  for (const path of NEEDED) cpSync(join(ROOT, path), join(copy, path), { recursive: true })
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'))
})
afterAll(() => rmSync(copy, { recursive: true, force: true }))

describe('npm run new-connector', () => {
  it('says what it wants of a name, a kind and a label, and overwrites nothing', () => {
    expect(scaffold('Kestrel', '--kind', 'marketplace')).toMatchObject({ status: 2 })
    expect(scaffold('kestrel', '--kind', 'bazaar').said).toMatch(/the kind is one of storefront, marketplace/)
    expect(scaffold('kestrel', '--kind', 'marketplace', '--label', "Kestrel's").said).toMatch(/the label has/)
    expect(scaffold('stripe', '--kind', 'gateway').said).toMatch(/there is a connector stripe already/)
  })

  // The time it takes on a machine that has much else to do.
  it('makes a connector of every kind that passes the contract, type-checks and is registered', () => {
    for (const kind of KINDS) expect(scaffold(vendorOf(kind), '--kind', kind), kind).toMatchObject({ status: 0 })
    const registry = readFileSync(join(copy, 'src/connectors/index.ts'), 'utf8')
    const names = [...registry.matchAll(/^ {2}(\w+),$/gm)].map(([, name = '']) => name)
    expect(names).toEqual(expect.arrayContaining(KINDS.map(vendorOf)))
    expect(names).toEqual(names.toSorted())

    const include = KINDS.map((kind) => `test/connectors/${vendorOf(kind)}`)
    writeFileSync(join(copy, 'tsconfig.made.json'), JSON.stringify({ extends: './tsconfig.json', include }))
    expect(run('node_modules/typescript/bin/tsc', ['--noEmit', '-p', 'tsconfig.made.json'])).toEqual({ status: 0, said: '\n' }) // prettier-ignore

    const tests = ['run', '--project', 'unit', '--reporter', 'json', '--outputFile', 'made.json', ...KINDS.map((kind) => `test/connectors/${vendorOf(kind)}/`)] // prettier-ignore
    const { status, said } = run('node_modules/vitest/vitest.mjs', tests, { CROSSDOCK_GOLDEN: 'write' })
    expect(status, said.slice(0, 4_000)).toBe(0)
    const report = JSON.parse(readFileSync(join(copy, 'made.json'), 'utf8')) as {
      numPassedTests: number
      numFailedTests: number
      testResults: unknown[]
    }
    expect(report.testResults).toHaveLength(KINDS.length)
    expect(report.numFailedTests).toBe(0)
    // The contract has some thirty checks of each; fewer would mean that it looked at nothing.
    expect(report.numPassedTests).toBeGreaterThan(25 * KINDS.length)

    for (const kind of KINDS) {
      const { topic } = KIND_TEMPLATES[kind as keyof typeof KIND_TEMPLATES]
      const golden = readFileSync(join(copy, 'test/connectors', vendorOf(kind), 'golden', `${topic}.json`), 'utf8')
      expect(JSON.parse(golden), kind).toMatchObject({ facts: [{ document: {} }], warnings: [] })
    }
  }, 240_000)
})
