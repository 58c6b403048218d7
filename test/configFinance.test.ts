import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { configFaults, loadConfig, type Config } from '../src/config.ts'
import { tariffsOf } from '../src/main/catalog.ts'
import { connectors, GOOD } from './kit/sampleConfig.ts'

const folder = mkdtempSync(join(tmpdir(), 'crossdock-finance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(text: string): Config {
  const file = join(folder, 'hub.yaml')
  writeFileSync(file, `${GOOD}\n${text}\n`)
  return loadConfig(file, { connectors, variables: {} })
}

function faultsOf(text: string): string[] {
  try {
    load(text)
    return []
  } catch (thrown) {
    return configFaults(thrown).map(({ path, message }) => `${path}: ${message}`)
  }
}

const connection = load('').connections[0]?.id ?? ''
const tariffs = (...entries: string[]): string =>
  `tariffs:\n${entries.map((entry) => `  - { connection: ${connection}, name: n, ${entry} }`).join('\n')}`
const clauses = (...given: string[]): string =>
  `valid_from: 2026-01-01, document: { currency: EUR, clauses: [${given.map((one) => `{ ${one} }`).join(', ')}] }`

test('finance has defaults, and tariffs become the core’s', () => {
  const { finance } = load('')
  expect(finance).toMatchObject({
    write_off_limit_minor: 500,
    tolerances_minor: {},
    settlement_days: 14,
    settlement_days_of: {},
    bank_days: 3,
    dispute_days: 7,
    reserve_days: 180,
    deferred_days: 30,
    cost_method: 'fifo',
    bank_rules: [],
  })
  const rule = `finance: { bank_rules: [{ contains: ['ADYEN N.V.'], connection: ${connection} }] }`
  expect(load(rule).finance.bank_rules).toEqual([{ contains: ['ADYEN N.V.'], connection }])
  expect(load('finance: { tolerances_minor: { EUR: 2 }, settlement_days_of: { x: 30 } }').finance).toMatchObject({
    tolerances_minor: { EUR: 2 },
    settlement_days_of: { x: 30 },
  })
  expect(tariffsOf(load(tariffs(clauses('id: a, percent_bp: 290'))))).toEqual([
    {
      connection_id: connection,
      name: 'n',
      valid_from: '2026-01-01',
      valid_to: null,
      document: { currency: 'EUR', clauses: [{ id: 'a', percent_bp: 290 }] },
    },
  ])
})

test.each([
  ['a clause without a price', tariffs(clauses('id: a')), /^tariffs\[0\]\.document\.clauses\[0\]: needs percent_bp/],
  [
    'a minimum above the maximum',
    tariffs(clauses('id: a, percent_bp: 1, min_minor: 2, max_minor: 1')),
    /clauses\[0\]\.min_minor: is above/,
  ],
  [
    'a clause twice',
    tariffs(clauses('id: a, percent_bp: 1', 'id: a, percent_bp: 2')),
    /clauses\[1\]\.id: the clause "a"/,
  ],
  [
    'a rate that is no whole number of basis points',
    tariffs(clauses('id: a, percent_bp: 2.5')),
    /percent_bp: must be a whole number/,
  ],
  [
    'an end before the beginning',
    tariffs(`valid_to: 2025-12-31, ${clauses('id: a, percent_bp: 1')}`),
    /valid_to: is before/,
  ],
  [
    'the same tariff twice',
    tariffs(clauses('id: a, percent_bp: 1'), clauses('id: a, percent_bp: 1')),
    /valid_from: .*already given/,
  ],
  [
    'a bank rule about nobody',
    `finance: { bank_rules: [{ contains: [Some Bank], connection: nobody }] }`,
    /^finance\.bank_rules\[0\]\.connection: there is no connection "nobody"/,
  ],
  [
    'a bank rule with a word that says nothing',
    `finance: { bank_rules: [{ contains: [Some Bank, '-A-'], connection: ${connection} }] }`,
    /^finance\.bank_rules\[0\]\.contains\[1\]: "-A-" is too short/,
  ],
  [
    'the same word in two bank rules',
    `finance: { bank_rules: [{ contains: [Some Bank], connection: ${connection} }, { contains: [SOMEBANK], connection: ${connection} }] }`,
    /bank_rules\[1\]\.contains\[0\]: "SOMEBANK" is already given in line \d+/,
  ],
  ['an unknown currency word', 'finance: { tolerances_minor: { euro: 2 } }', /tolerances_minor/],
  [
    'an unknown connection',
    tariffs(clauses('id: a, percent_bp: 1')).replace(connection, 'nowhere'),
    /tariffs\[0\]\.connection: there is no/,
  ],
])('%s is a fault with its path', (_, text, expected) => {
  expect(faultsOf(text)).toEqual([expect.stringMatching(expected)])
})

test('a fault of a bank rule names its line', () => {
  const text = 'finance:\n  bank_rules:\n    - contains:\n        - Some Bank\n      connection: nobody'
  try {
    load(text)
    expect.unreachable()
  } catch (thrown) {
    const offset = GOOD.split('\n').length
    expect(configFaults(thrown)).toMatchObject([{ line: offset + 5, message: expect.stringContaining('nobody') }])
  }
})
