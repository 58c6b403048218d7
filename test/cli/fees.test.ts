import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { claimsCsv } from '../../src/cli/claimsCsv.ts'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
let folder: string
beforeAll(async () => {
  merchant = await openMerchant()
  folder = mkdtempSync(join(tmpdir(), 'crossdock-fees-'))
}, 60_000)
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true })
  await merchant.close()
})

it('people see to breaks, fees and costs', { timeout: 120_000 }, async () => {
  const csv = join(folder, 'costs.csv')
  const claims = join(folder, 'claims.csv')
  writeFileSync(
    csv,
    'reference,received_at,currency,sku,quantity,unit_cost,freight\r\nPO1,2026-01-05,EUR,MUG,4,2.50,1.00\r\n',
  )
  const json = join(folder, 'costs.json')
  writeFileSync(json, '[{"reference":"PO2"}]')
  const ran = await merchant.runEach(
    ['costs', 'import', csv, '--json'],
    ['costs', 'import', csv, '--json'],
    ['costs', 'import', json, '--json'],
    ['fees', 'audit', '--from', '2026-01-01', '--to', '2026-01-31', '--claims', claims, '--json'],
    ['fees', 'audit', '--from', '2026-02-30', '--json'],
    ['fees', 'contribution', '--by', 'sku', '--from', '2026-01-01', '--to', '2026-01-31', '--json'],
    ['breaks', 'list', '--type', 'missing_in_ledger', '--state', 'open', '--age', '60+', '--json'],
    ['breaks', 'show', '7', '--json'],
    ['breaks', 'assign', '7', 'ann', '--json'],
    ['breaks', 'write-off', '7', '--reason', 'moon', '--text', 'x', '--json'],
    ['breaks', 'list'],
  )
  const documents = ran.slice(0, -1).map(({ code, stdout }) => ({ ...(JSON.parse(stdout) as object), code }))
  expect(documents).toMatchObject([
    { code: 0, added: 1, known: 0 },
    { code: 0, added: 0, known: 1 },
    { code: 2, error: { code: 'payload_invalid' } },
    { code: 0, rows: [], claims: 0 },
    { code: 2, error: { code: 'bad_request' } },
    { code: 0, by: 'sku', rows: [], orders: 0 },
    { code: 0, rows: [], next_cursor: null },
    { code: 2, error: { code: 'not_found' } },
    { code: 2, error: { code: 'not_found' } },
    { code: 2, error: { code: 'bad_request' } },
  ])
  expect(ran.at(-1)?.stdout).toContain('break')
  expect(readFileSync(claims, 'utf8')).toMatch(
    /^connection,payout,line,date,order,sku,.*,variance,reason,tariff,clause\r\n$/,
  )
})

it('a claim list cannot run in a spreadsheet, and shows amounts as numbers', () => {
  const csv = claimsCsv([
    {
      settlement_line_id: 1, connection_id: 'mall', settlement: '+S', line: '@l', on: '2026-01-01', order: '=HYPERLINK("x")', sku: '-1+1', kind: 'refund',
      fee_type: null, currency: 'KWD', basis_minor: -10_000, expected_minor: -1_200, charged_minor: 0, variance_minor: 1_200, reason: 'not_returned',
      tariff: 'referral', clause: 'c,1',
    },
  ]).toString() // prettier-ignore
  expect(csv.split('\r\n')[1]).toBe(
    `mall,'+S,'@l,2026-01-01,"'=HYPERLINK(""x"")",'-1+1,refund,,KWD,-10.000,-1.200,0.000,1.200,not_returned,referral,"c,1"`,
  )
})
