import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openMerchant, type Merchant } from './merchant.ts'

let merchant: Merchant
beforeAll(async () => {
  merchant = await openMerchant()
  await merchant.world.db.query(`
    insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor,
      difference_minor, created_at, recorded_at, changed_at, proof)
    values ('01930000-0000-7000-8000-000000000001', 'shop', 'po_1', 'paid', 'EUR', 9700, 10000, 300, 9700, 0, '2026-11-15T12:00:00Z', now(), now(), 'proven'),
           ('01930000-0000-7000-8000-000000000002', 'shop', 'po_2', 'paid', 'EUR', 90, 100, 0, 100, -10, '2026-11-16T12:00:00Z', now(), now(), 'held');
    insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state)
    values ('01930000-0000-7000-8000-000000000001', '1', 'sale', 'charge', now(), 'EUR', 10000, 300, 9700, 'unmatched'),
           ('01930000-0000-7000-8000-000000000002', '1', 'sale', 'charge', now(), 'EUR', 100, 0, 100, 'unmatched')`)
}, 60_000)
afterAll(() => merchant.close())

it('finance proves, locks and exports a month', { timeout: 120_000 }, async () => {
  const out = (name: string): string => join(merchant.folder, name)
  const period = ['--period', '2026-11']
  const ran = await merchant.runEach(
    ['close', 'check', ...period, '--json'],
    ['journal', 'post', '--json'],
    ['close', 'check', ...period, '--json'],
    ['close', 'check', ...period],
    ['close', 'check', '--period', 'November', '--json'],
    ['settlement', 'accept-proof', 'po_2', '--reason', 'agreed by mail', '--json'],
    ['journal', 'post', '--json'],
    ['period', 'lock', '2026-11', '--json'],
    ['period', 'lock', '2026-11', '--json'],
    ['journal', 'export', ...period, '--out', out('a.csv'), '--json'],
    ['journal', 'export', ...period, '--out', out('b.csv'), '--json'],
    ['journal', 'export', ...period, '--format', 'json'],
    ['period', 'list', '--json'],
    ['period', 'unlock', '2026-11', '--json'],
    ['settlement', 'bridge', 'po_1', '--out', out('bridge.svg'), '--json'],
    ['settlement', 'bridge', 'po_9', '--json'],
    ['journal', 'list', '--json'],
    ['journal', 'show', 'nonsense', '--json'],
    ['settlement', 'show', 'po_1', '--json'],
  )
  const texts = new Set([3, 11])
  const documents = ran.map(({ code, stdout }, index) => ({
    code,
    ...(texts.has(index) ? {} : (JSON.parse(stdout) as object)),
  }))
  expect(documents).toMatchObject([
    { code: 1, ok: false, unposted: [{ external_id: 'po_1', reason: 'not_posted_yet' }, { external_id: 'po_2', reason: 'held' }] },
    { code: 0, settlements: 1, bank_lines: 0, reversed: 0 },
    { code: 0, ok: true, clearing: [{ connection_id: 'shop', balance_minor: 9_700, unsettled_minor: 9_700, difference_minor: 0 }] },
    { code: 0 },
    { code: 2, error: { code: 'bad_request', path: 'period' } },
    { code: 0, accepted_now: true, difference_minor: -10 },
    { code: 0, settlements: 1 },
    { code: 0, changed: true },
    { code: 0, changed: false },
    { code: 0, file: out('a.csv') },
    { code: 0 },
    { code: 0 },
    { rows: [{ company_id: 'acme', period: '2026-11' }] },
    { code: 0, changed: true },
    { code: 0, steps: [{ id: 'sales' }, { id: 'payment_fees' }, { id: 'payout', amount_minor: 9_700 }] },
    { code: 2, error: { code: 'not_found' } },
    { rows: [{ settlement_external_id: 'po_2' }, { settlement_external_id: 'po_1' }] },
    { code: 2, error: { code: 'bad_request' } },
    { ok: true, status: 'paid', currency: 'EUR', gross_minor: 10_000, fees_minor: 300, net_minor: 9_700, payout_minor: 9_700, difference_minor: 0, lines: 1, matched: 0, breaks: [] },
  ]) // prettier-ignore
  expect(ran[3]?.stdout).toMatch(
    /2026-11: proven, open, 1 journals[\s\S]*po_1 +paid +97\.00 +0\.00 +0\.00 +97\.00[\s\S]*held/,
  )
  expect(readFileSync(out('a.csv'))).toEqual(readFileSync(out('b.csv')))
  expect(JSON.parse(ran[11]?.stdout ?? '')).toMatchObject({
    period: '2026-11',
    journals: [{ journal: {} }, { journal: {} }],
  })
  expect(readFileSync(out('bridge.svg'), 'utf8')).toContain('<title id="bridge-title">Payout po_1: 97.00 EUR</title>')
  expect(statSync(out('a.csv')).size).toBeGreaterThan(200)
})
