import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
  writeFileSync(join(merchant.folder, 'rules.yaml'), 'rules:\n  - name: all\n    sort: [priority]\n')
  writeFileSync(join(merchant.folder, 'bad.json'), '[{"name": "x", "filters": {"locations": ["moon"]}}]')
  writeFileSync(join(merchant.folder, 'broken.yaml'), 'rules: [\n')
})
afterAll(() => merchant.close())

const file = (name: string): string => join(merchant.folder, name)

it('proposes rules from a file, lets them hold, and explains an order by them', async () => {
  const lines = [
    ['routing', 'show'],
    ['routing', 'propose', '--rules', file('rules.yaml')],
    ['routing', 'activate', '1'],
    ['routing', 'list'],
    ['routing', 'show'],
    ['routing', 'explain', '#A'],
    ['routing', 'explain', '#A', '--rules-version', '2'],
    ['routing', 'propose', '--rules', file('bad.json')],
    ['routing', 'propose', '--rules', file('broken.yaml')],
    ['routing', 'activate', 'first'],
  ].map((line) => [...line, '--json'])
  const ran = await merchant.runEach(...lines)
  const documents = ran.map((one) => one.json())
  expect(documents).toMatchObject([
    { ok: false, error: { code: 'not_found' } },
    { ok: true, version: 1, state: 'draft', rules_count: 1, created_by: expect.stringMatching(/^cli/) },
    { ok: true, version: 1, state: 'active' },
    { ok: true, rows: [{ version: 1, state: 'active', source: 'user' }], next_cursor: null },
    { ok: true, version: 1, rules: [{ name: 'all', sort: ['priority'], otherwise: 'wait' }] },
    {
      ok: true,
      version: 1,
      rule: 'all',
      outcome: 'whole from one place',
      chosen: ['north'],
      considered: [{ location_id: 'north', verdict: 'gives all of it; first by priority (priority 100)' }],
      lines: [{ channel_sku: 'TEA', location_id: 'north', units: 2 }],
    },
    { ok: false, error: { code: 'not_found' } },
    { ok: false, error: { code: 'bad_request', path: '$[0].filters.locations[0]' } },
    { ok: false, error: { code: 'bad_request', path: expect.stringMatching(/^line /) } },
    { ok: false, error: { code: 'bad_request' } },
  ])
})

it('speaks to people without --json', async () => {
  const [shown, explained] = await merchant.runEach(['routing', 'show'], ['routing', 'explain', '#A'])
  expect(shown?.stdout).toMatch(/acme, version 1: active since .* by cli/)
  expect(explained?.stdout).toContain('version 1, all: whole from one place')
  expect(explained?.stdout).toContain('gives all of it; first by priority (priority 100)')
})
