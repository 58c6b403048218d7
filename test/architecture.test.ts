import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = dirname(import.meta.dirname)
const LINES_MAX = 400

/**
 * Who may import whom. The first row whose `files` matches a path under src decides; a file may always import its own row's
 * files. `{v}` in `may` is the vendor captured by `files`. A trailing slash means the folder, `.ts` one file.
 */
const MODEL = ['core/model/', 'core/errors.ts']
const KIT = ['connectors/_kit/', 'mappings/define.ts', 'mappings/settlement.ts']
const HUB = ['core/', 'db/', 'queues/', 'connectors/index.ts', ...KIT, 'hub.ts', 'config.ts']
const LAYERS: { files: RegExp; may: string[]; node?: false }[] = [
  { files: /^core\/errors\.ts$/, may: [], node: false },
  { files: /^core\/model\//, may: MODEL, node: false },
  { files: /^core\/[^/]+\/rules[^/]*\.ts$/, may: MODEL, node: false },
  { files: /^core\//, may: ['core/', 'db/'] },
  { files: /^db\//, may: ['db/', 'core/errors.ts'] },
  { files: /^mappings\/(define|settlement|amounts)\.ts$/, may: MODEL },
  {
    files: /^mappings\/(?<v>[^/]+)\//,
    may: ['mappings/{v}/', 'mappings/define.ts', 'mappings/settlement.ts', 'mappings/amounts.ts', ...MODEL],
    node: false,
  },
  { files: /^connectors\/_kit\//, may: [...KIT, ...MODEL] },
  { files: /^connectors\/index\.ts$/, may: ['connectors/'] },
  { files: /^connectors\/(?<v>[^/]+)\//, may: ['connectors/{v}/', 'mappings/{v}/', ...KIT, ...MODEL] },
  { files: /^queues\//, may: HUB },
  { files: /^(http|console)\//, may: ['http/', 'console/', ...HUB] },
  { files: /^sandbox\//, may: ['sandbox/', 'connectors/_kit/signatures.ts', ...MODEL] },
  { files: /^cli\//, may: ['cli/', 'main.ts', 'main/', 'http/', 'console/', 'sandbox/', 'connectors/', ...HUB] },
  { files: /^config(\.ts$|\/)/, may: ['connectors/', 'core/'] },
  { files: /^hub\.ts$/, may: ['config.ts', 'core/', 'db/', 'connectors/_kit/', 'queues/'] },
  { files: /^main(\.ts$|\/)/, may: ['main/', 'http/', 'console/', 'sandbox/', 'connectors/', ...HUB] },
]

/** A package or a global that one place owns, so that replacing it is a change of that place alone. */
const OWNERS: { what: RegExp; owner: RegExp; kind: 'package' | 'text' }[] = [
  { kind: 'package', what: /^(bullmq|ioredis)$/, owner: /^queues\/bull\.ts$/ },
  { kind: 'package', what: /^(@?fastify|@bull-board)(\/|$)/, owner: /^http\// },
  { kind: 'package', what: /^(pg|knex)$/, owner: /^db\// },
  { kind: 'package', what: /^axios$/, owner: /^connectors\/_kit\/wire\.ts$/ },
  { kind: 'package', what: /^p-retry$/, owner: /^connectors\/_kit\/http\.ts$/ },
  { kind: 'package', what: /^@(aws-sdk|smithy)\//, owner: /^connectors\/_kit\/messages\.ts$/ },
  { kind: 'text', what: /\bprocess\.env\b/, owner: /^config\.ts$/ },
]

/** Split, so that this table does not find itself. */
const DEBT = new RegExp(['TO', 'DO|FIX', 'ME'].join(''))
/** Where amounts are read, compared and booked. `core/model/money.ts` and `mappings/amounts.ts` own the way from text to minor units. */
const MONEY =
  /^src\/(core\/(settlement|matching|breaks|fees|books|bank)\/|mappings\/[^/]+\/(settlement|statement|bank|camt|mt940)[^/]*\.ts)/
/** Words that an amount goes by; lines about quantities and rows may count. A safe integer check makes a bigint a number exactly. */
const AMOUNT =
  'minor|amount|gross|\\bnet|fees?\\b|total|price|sum\\b|balance|debit|credit|money|decimal|text|value|cell'
const BANNED: { where: RegExp; what: RegExp; why: string }[] = [
  { where: /^src\/(core|mappings)\//, what: /\bDate\.now\(/, why: 'time comes in as an argument' },
  { where: /^src\/(core|mappings)\//, what: /\bnew Date\(\s*\)/, why: 'time comes in as an argument' },
  { where: /^src\/(core|mappings)\//, what: /\bMath\.random\b/, why: 'chance comes in as an argument' },
  { where: /^src\//, what: /\bparseFloat\b|\.toFixed\(/, why: 'money and quantities never pass through a float' },
  {
    where: MONEY,
    what: new RegExp(
      `^(?!.*(?:quantity|qty|year|month|day)).*\\bNumber\\([^()\\n]*(?:${AMOUNT})(?![^]{0,80}isSafeInteger)`,
      'im',
    ),
    why: 'amounts are read by core/model/money.ts or mappings/amounts.ts',
  },
  { where: MONEY, what: /(?:[=(,:?]|=>|return)\s*\+\s*[a-z_$(]/i, why: 'a plus sign makes a float of an amount' },
  { where: MONEY, what: /\bMath\.(round|ceil|trunc|fround)\(/, why: 'amounts are rounded in integers, by rule' },
  { where: /^(src|scripts|bench)\//, what: /@ts-(ignore|nocheck|expect-error)/, why: 'types are told the truth' },
  { where: /^src\//, what: /^export \* from/m, why: 'no barrel files' },
]

/** Connector ids that are words of the trade and not a vendor's name. */
const TRADE_WORDS = new Set(['3pl', 'bank', 'csv', 'edi', 'files', 'sftp'])

interface Source {
  /** From the root of the repository, with forward slashes. */
  path: string
  text: string
}

function readSources(): Source[] {
  return ['src', 'test', 'bench', 'scripts', 'bin']
    .flatMap((folder) => listFiles(folder))
    .filter((path) => /\.(ts|js)$/.test(path) && !path.includes('/fixtures/'))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

function listFiles(folder: string): string[] {
  try {
    return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) =>
      posix.join(folder, name.replaceAll('\\', '/')),
    )
  } catch {
    return []
  }
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

function importsOf(text: string): string[] {
  const found = withoutComments(text).matchAll(/(?:\bfrom\s*|\bimport\s*\(?\s*)(['"])([^'"\n]+)\1/g)
  return [...found].map((match) => match[2] ?? '')
}

/** Every broken import rule of one file, as sentences. Pure, so that the rules themselves can be put to the test. */
function importFaults({ path, text }: Source): string[] {
  const file = path.replace(/^src\//, '')
  const layer = LAYERS.find(({ files }) => files.test(file))
  if (layer === undefined) return [`${path} belongs to no row of the import table`]
  const vendor = layer.files.exec(file)?.groups?.['v'] ?? ''
  const may = layer.may.map((entry) => entry.replace('{v}', vendor))
  return importsOf(text).flatMap((specifier) => {
    if (specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(file), specifier)
      const allowed = may.some((entry) => (entry.endsWith('/') ? target.startsWith(entry) : target === entry))
      const sibling = !target.includes('..') && LAYERS.find(({ files }) => files.test(target)) === layer
      return allowed || (sibling && vendor === '') ? [] : [`${path} may not import ${target}`]
    }
    if (specifier.startsWith('node:')) return layer.node === false ? [`${path} may not import ${specifier}`] : []
    const owned = OWNERS.find(({ kind, what }) => kind === 'package' && what.test(specifier))
    return owned === undefined || owned.owner.test(file)
      ? []
      : [`${path} may not import ${specifier}: it has one owner`]
  })
}

function textFaults({ path, text }: Source): string[] {
  const code = withoutComments(text)
  const file = path.replace(/^src\//, '')
  const owned = OWNERS.filter((rule) => rule.kind === 'text' && path.startsWith('src/') && !rule.owner.test(file))
  return [
    ...owned.filter(({ what }) => what.test(code)).map(({ what }) => `${path} uses ${what.source}: it has one owner`),
    ...BANNED.filter(({ where, what }) => where.test(path) && what.test(code)).map(({ why }) => `${path}: ${why}`),
    ...(DEBT.test(text) ? [`${path} leaves work undone`] : []),
    ...(/(^|\/)utils?\.ts$/.test(path) ? [`${path}: a name that says nothing`] : []),
    ...(text.split('\n').length - 1 > LINES_MAX ? [`${path} has more than ${LINES_MAX} lines`] : []),
  ]
}

/** Short names are looked for as words ("ups" is inside "groups"), long ones anywhere ("orderFromShopify"). */
function vendorFaults({ path, text }: Source, vendors: readonly string[]): string[] {
  if (!/^src\/(core|queues)\//.test(path)) return []
  const named = vendors.filter((v) => new RegExp(v.length < 5 ? `(?<![a-z])${v}(?![a-z])` : v, 'i').test(text))
  return named.map((vendor) => `${path} names the vendor ${vendor}`)
}

function readVendors(): string[] {
  return readdirSync(join(ROOT, 'src', 'connectors'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && !entry.name.startsWith('_') && !TRADE_WORDS.has(entry.name))
    .map((entry) => entry.name)
}

describe('architecture', () => {
  const sources = readSources()
  const production = sources.filter(({ path }) => /^src\/.*\.ts$/.test(path))

  it('has read the sources and their imports', () => {
    expect(production.length).toBeGreaterThan(20)
    expect(production.flatMap(({ text }) => importsOf(text)).length).toBeGreaterThan(50)
    for (const folder of ['core', 'db', 'connectors', 'mappings', 'queues']) {
      expect(production.some(({ path }) => path.startsWith(`src/${folder}/`), `nothing read under src/${folder}`)).toBe(
        true,
      )
    }
    expect(readVendors().length).toBeGreaterThan(0)
  })

  it('imports only what the import table allows', () => {
    expect(production.flatMap(importFaults)).toEqual([])
  })

  it('names no vendor in core or queues', () => {
    const vendors = readVendors()
    expect(production.flatMap((source) => vendorFaults(source, vendors))).toEqual([])
  })

  it('keeps files short and free of banned patterns', () => {
    expect(sources.flatMap(textFaults)).toEqual([])
  })

  it.each([
    ['src/core/orders/rules.ts', "import { readFileSync } from 'node:fs'"],
    ['src/core/orders/rules.ts', "import { sql } from './sql.ts'"],
    ['src/core/orders/accept.ts', "import type { Http } from '../../connectors/_kit/define.ts'"],
    ['src/core/orders/accept.ts', "import pg from 'pg'"],
    ['src/db/pool.ts', "import { Order } from '../core/model/order.ts'"],
    ['src/mappings/acme/order.ts', "import { orders } from '../other/order.ts'"],
    ['src/connectors/acme/index.ts', "import { other } from '../other/index.ts'"],
    ['src/connectors/acme/operations.ts', "import axios from 'axios'"],
    ['src/connectors/acme/notifications.ts', "import { SQSClient } from '@aws-sdk/client-sqs'"],
    ['src/queues/drain.ts', "const { Queue } = await import('bullmq')"],
    ['src/http/webhooks.ts', "import { start } from '../main.ts'"],
    ['src/console/pages.ts', "import fastify from 'fastify'"],
    ['src/console/pages.ts', "import cookie from '@fastify/cookie'"],
    ['src/sandbox/acme.ts', "import { decide } from '../core/inventory/rules.ts'"],
    ['src/helpers/misc.ts', ''],
  ])('would refuse in %s: %s', (path, text) => {
    expect(importFaults({ path, text })).toHaveLength(1)
  })

  it.each([
    ['src/core/orders/accept.ts', 'const now = new Date()'],
    ['src/mappings/acme/order.ts', 'const price = parseFloat(text)'],
    ['src/core/fees/rulesFees.ts', 'const fee_minor = Math.round(amount_minor * 0.029)'],
    ['src/core/matching/rules.ts', 'const amount_minor = Number(text) * 100'],
    ['src/core/books/post.ts', 'const total = Number(row.gross_minor)'],
    ['src/mappings/acme/settlement.ts', 'return { net_minor: +cells[3] }'],
    ['src/http/server.ts', 'const port = process.env.PORT'],
    ['src/db/pool.ts', '\n'.repeat(LINES_MAX + 1)],
  ])('would refuse what is written in %s', (path, text) => {
    expect(textFaults({ path, text })).toHaveLength(1)
  })

  it.each([
    ['src/mappings/acme/settlement.ts', "quantity: Number(cell('quantity'))"],
    ['src/core/matching/rules.ts', 'const total_minor = sum + fee_minor'],
    [
      'src/core/fees/rulesAmounts.ts',
      'const number = Number(value)\nif (!Number.isSafeInteger(number)) throw tooLarge()',
    ],
    ['src/http/pages.ts', 'const share = Math.round(total / count)'],
  ])('would not mistake what is written in %s', (path, text) => {
    expect(textFaults({ path, text })).toEqual([])
  })

  it('would refuse a vendor name, and would not mistake a word for one', () => {
    const path = 'src/core/orders/accept.ts'
    expect(vendorFaults({ path, text: 'const orderFromShopify = 1' }, ['shopify', 'ups'])).toHaveLength(1)
    expect(vendorFaults({ path, text: 'const groups = 1' }, ['shopify', 'ups'])).toEqual([])
  })
})
