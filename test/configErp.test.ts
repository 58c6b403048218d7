import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { configFaults, loadConfig, type Config } from '../src/config.ts'
import { erpPolicies } from '../src/core/erp/policy.ts'
import { connectors } from './kit/sampleConfig.ts'

const folder = mkdtempSync(join(tmpdir(), 'crossdock-erp-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Two companies, each with an ERP connection and a place. */
function text(erp: string, place = 'erp_code: WH1'): string {
  return `companies:
  - { id: acme, name: Acme, erp: { ${erp} } }
  - { id: zeta, name: Zeta }
locations:
  - { id: north, company: acme, name: North, kind: warehouse, country: DE, ${place} }
  - { id: south, company: acme, name: South, kind: warehouse, country: DE }
connections:
  - { id: books, connector: depot, company: acme, settings: { base_url: https://erp.example } }
  - { id: ledger, connector: depot, company: zeta, settings: { base_url: https://erp.example } }
`
}

function load(document: string): Config {
  const file = join(folder, 'hub.yaml')
  writeFileSync(file, document)
  return loadConfig(file, { connectors, variables: {} })
}

function faultsOf(document: string): string[] {
  try {
    load(document)
    return []
  } catch (thrown) {
    return configFaults(thrown).map(({ path, line, message }) => `${path} (${line}): ${message}`)
  }
}

test('an ERP has defaults, and its places', () => {
  const policy = erpPolicies(load(text('connection: books'))).get('acme')
  expect(policy).toMatchObject({
    connection_id: 'books',
    company_id: 'acme',
    orders: 'paid',
    since: null,
    deliveries: true,
    returns: true,
    invoices: 'none',
    credits: false,
    journals: false,
    bank_statements: false,
    products_in: false,
    stock_every_seconds: 300,
  })
  expect([...(policy?.places ?? [])]).toEqual([
    ['north', { authority: 'hub', is_stated: false, code: 'WH1' }],
    ['south', { authority: 'hub', is_stated: false, code: null }],
  ])
  expect(erpPolicies(load(text('connection: books'))).has('zeta')).toBe(false)
})

test.each([
  ['a connection of another company', text('connection: ledger'), 'companies[0].erp.connection (2): the company has no connection "ledger"'],
  ['credits without invoices', text('connection: books, credits: true'), 'companies[0].erp.credits (2): needs invoices: it hangs on it'],
  ['invoices without orders', text('connection: books, orders: none, invoices: per_delivery'), 'companies[0].erp.invoices (2): needs orders: it hangs on it'],
  ['a word that is none', text('connection: books, orders: some'), 'companies[0].erp.orders (2): is not one of the allowed values'],
  ['authority without a code', text('connection: books', 'stock_authority: erp'), 'locations[0].stock_authority (5): needs erp_code: the name under which the ERP counts the place'],
])('%s is told with its line', (_, document, fault) => {
  expect(faultsOf(document)).toEqual([fault])
}) // prettier-ignore

test('one code for two places, and a code where there is no ERP', () => {
  const twice = text('connection: books').replace('name: South, kind: warehouse, country: DE', '$&, erp_code: WH1')
  expect(faultsOf(twice)).toEqual(['locations[1].erp_code (6): "WH1" is the code of another place already'])
  const none = text('connection: books').replace(', erp: { connection: books }', '')
  expect(faultsOf(none)).toEqual(['locations[0].erp_code (5): the company "acme" has no erp'])
})
