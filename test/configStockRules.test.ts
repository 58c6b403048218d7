import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { configFaults, loadConfig, type Config } from '../src/config.ts'
import { catalogOf } from '../src/main/catalog.ts'
import { connectors, GOOD } from './kit/sampleConfig.ts'

const folder = mkdtempSync(join(tmpdir(), 'crossdock-rules-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function load(...rules: string[]): Config {
  const file = join(folder, 'hub.yaml')
  writeFileSync(file, `${GOOD}\nstock_rules:\n${rules.map((rule) => `  - { ${rule} }`).join('\n')}\n`)
  return loadConfig(file, { connectors, variables: {} })
}

function faultOf(...rules: string[]): string[] {
  try {
    load(...rules)
    return []
  } catch (thrown) {
    return configFaults(thrown).map(({ path, message }) => `${path}: ${message}`)
  }
}

test('stock rules of the file become the catalog’s, with nothing set that was not said', () => {
  const { stock_rules } = catalogOf(load('company: acme, cap: 5', 'company: acme, location: berlin, safety_units: 2'))
  expect(stock_rules).toEqual([
    expect.objectContaining({ company_id: 'acme', connection_id: null, sku: null, location_id: null, cap: 5, buffer_units: null }),
    expect.objectContaining({ company_id: 'acme', location_id: 'berlin', safety_units: 2, cap: null, backorder: null }),
  ]) // prettier-ignore
})

test.each([
  ['a rule that sets nothing', ['company: acme'], /stock_rules\[0\]: the rule sets nothing/],
  ['a cap for one place', ['company: acme, location: berlin, cap: 3'], /stock_rules\[0\]: cap is about all places/],
  [
    'the same scope twice',
    ['company: acme, cap: 3', 'company: acme, zero_below: 2'],
    /stock_rules\[1\]: a rule for the same/,
  ],
  ['an unknown place', ['company: acme, location: nowhere, safety_units: 3'], /stock_rules\[0\]\.location: /],
  ['an unknown SKU', ['company: acme, sku: NOPE, cap: 3'], /stock_rules\[0\]\.sku: /],
])('%s is a fault with its path', (_, rules, expected) => {
  expect(faultOf(...rules)).toEqual([expect.stringMatching(expected)])
})
