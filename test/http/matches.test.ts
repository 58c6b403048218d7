import { afterAll, beforeAll, expect, it } from 'vitest'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
const PAYOUT = (n: number) => `00000000-0000-7000-8000-00000000000${n}`

beforeAll(async () => {
  kit = await openHttpHub()
  const finance = { tolerances_minor: {}, settlement_days: 14, settlement_days_of: {}, bank_days: 3, dispute_days: 7, reserve_days: 180, deferred_days: 30, timezone: 'UTC', bank_rules: [] } // prettier-ignore
  Object.assign(kit.hub.config, { finance, companies: [{ id: 'acme', name: 'Acme' }] })
  const { db } = kit.hub
  for (const [n, amount] of [
    [1, 300],
    [2, 500],
  ] as const) {
    await db.query(
      `insert into settlements (id, connection_id, external_id, status, currency, payout_minor, gross_minor, fee_minor, net_minor, difference_minor,
         created_at, arrival_at, recorded_at, changed_at)
       values ($1, 'corner-eu', $2, 'paid', 'EUR', $3, $3, 0, $3, 0, '2026-11-20', $4, now(), now())`,
      [PAYOUT(n), `po_${n}`, amount, `2026-11-2${n}`],
    )
    await db.query(
      `insert into settlement_lines (settlement_id, external_id, kind, vendor_type, at, currency, gross_minor, fee_minor, net_minor, match_state, sku, file_row)
       values ($1, 'l', 'fee', 'x', '2026-11-20', 'EUR', $2, 0, $2, 'not_needed', 'TEA', 7)`,
      [PAYOUT(n), amount],
    )
  }
  await db.query(
    `insert into bank_statements (id, connection_id, external_id, account, currency, recorded_at) values ($1, 'corner-eu', 's', 'x', 'EUR', now())`,
    [PAYOUT(9)],
  )
  await db.query(
    `insert into bank_lines (statement_id, connection_id, external_id, booked_on, currency, amount_minor)
     values ($1, 'corner-eu', 'b', '2026-11-23', 'EUR', 800)`,
    [PAYOUT(9)],
  )
})
afterAll(() => kit.close())

async function call(method: 'GET' | 'POST', path: string, key = kit.keys.finance, payload: object = {}) {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(method === 'GET' ? {} : { payload }),
  })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

it('a run goes from matching to the journal, and a suggestion waits for a person', async () => {
  expect(await call('POST', '/settlements/run', kit.keys.operator)).toMatchObject({ status: 403 })
  expect(await call('POST', '/settlements/run', kit.keys.finance, { connection: 'nobody' })).toMatchObject({
    status: 404,
  })
  const run = await call('POST', '/settlements/run')
  expect(run).toMatchObject({
    status: 200,
    body: {
      bank: { matched: 0, suggested: 1 },
      journals: { settlements: 2, bank_lines: 0 },
      breaks: { opened: expect.any(Number) },
    },
  })
  expect((await call('POST', '/settlements/run')).body).toMatchObject({ bank: { suggested: 0 }, journals: { settlements: 0, reversed: 0 }, breaks: { opened: 0 } }) // prettier-ignore
  const list = await call('GET', '/matches/suggestions', kit.keys.viewer)
  expect(list.body).toMatchObject({ rows: [{ rule: 'subset_sum', settlement_ids: [PAYOUT(1), PAYOUT(2)] }] })
  const id = (list.body['rows'] as { id: number }[])[0]?.id
  expect(await call('POST', `/matches/${id}/accept`, kit.keys.viewer)).toMatchObject({ status: 403 })
  for (const _ of ['once', 'again']) {
    expect(await call('POST', `/matches/${id}/accept`)).toMatchObject({
      status: 200,
      body: {
        state: 'matched',
        payouts: [{ external_id: 'po_1' }, { external_id: 'po_2' }],
        bank_lines: [{ amount_minor: 800 }],
      },
    })
  }
  expect((await call('POST', '/settlements/run')).body).toMatchObject({ journals: { settlements: 0, bank_lines: 2 } })
  expect((await call('GET', '/settlements/po_1/summary', kit.keys.viewer)).body).toMatchObject({
    id: PAYOUT(1), net_minor: 300, fees_minor: 0, lines: 1, matched: 0, by_kind: { fee: 300 }, bank_lines: [{ booked_on: '2026-11-23', amount_minor: 800 }],
  }) // prettier-ignore
  expect((await call('GET', '/settlements/po_1', kit.keys.viewer)).body).toMatchObject({ lines: { rows: [{ sku: 'TEA', file_row: 7, match_id: null }] } }) // prettier-ignore
  expect((await call('GET', `/bank-statements/${PAYOUT(9)}/lines`)).body).toMatchObject({ rows: [{ match_id: id, settlement_id: null }] }) // prettier-ignore
  expect((await call('POST', `/matches/${id}/reject`)).body).toMatchObject({ state: 'rejected' })
  expect((await call('POST', '/settlements/run')).body).toMatchObject({
    bank: { matched: 0, suggested: 0 },
    journals: { reversed: 2 },
  })
  expect(await call('GET', '/matches/999999')).toMatchObject({ status: 404 })
  const audit = await kit.hub.db.query(`select action from audit_log where subject = $1 order by id`, [`match:${id}`])
  expect(audit).toEqual([{ action: 'match.accept' }, { action: 'match.reject' }])
})
