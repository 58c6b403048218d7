import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApiKey } from '../../src/http/auth.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
let ann: string
let ben: string
beforeAll(async () => {
  kit = await openHttpHub()
  const finance = { write_off_limit_minor: 500, cost_method: 'fifo', timezone: 'Europe/Berlin' }
  Object.assign(kit.hub.config, { finance, companies: [{ id: 'acme', name: 'Acme' }] })
  const key = async (name: string, created_by: string): Promise<string> =>
    (await createApiKey(kit.hub.db, { name, role: 'finance', created_by, now: kit.hub.clock.now() })).secret
  ann = await key('ledger', 'user:ann')
  ben = await key('audit', 'user:ben')
  const plant = (fingerprint: string, amount: number) =>
    kit.hub.db.query(
      `insert into breaks (company_id, connection_id, type, fingerprint, state, currency, amount_minor, aged_from, opened_at, seen_at, changed_at)
       values ('acme', 'corner-eu', 'missing_in_ledger', $1, 'open', 'EUR', $2, '2026-01-01', $3, $3, $3)`,
      [fingerprint, amount, kit.hub.clock.now()],
    )
  await plant('small', -400)
  await plant('large', -90_000)
  await kit.hub.db.query(`insert into items (company_id, sku) values ('acme', 'PEN')`)
})
afterAll(() => kit.close())

async function call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object, key = ann) {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}

it('breaks are seen by everybody and decided by finance, with two people above the limit', async () => {
  const list = await call('GET', '/breaks?state=unfinished', undefined, kit.keys.viewer)
  expect(list).toMatchObject({
    status: 200,
    body: { rows: [{ amount_minor: -90_000, age: '60+' }, { amount_minor: -400 }] },
  })
  const rows = list.body['rows'] as { id: number }[]
  const [large, small] = rows.map(({ id }) => id)
  const reason = { reason: 'processor_error', text: 'they lost it' }
  for (const key of [kit.keys.viewer, kit.keys.operator])
    expect(await call('POST', `/breaks/${small}/write-off`, reason, key)).toMatchObject({ status: 403 })
  expect(await call('POST', `/breaks/${small}/assign`, { owner: 'ann' })).toMatchObject({
    body: { state: 'assigned', owner: 'ann' },
  })
  expect(await call('POST', `/breaks/${small}/explain`, { reason: 'moon', text: 'x' })).toMatchObject({ status: 400 })
  expect(await call('POST', `/breaks/${small}/explain`, reason)).toMatchObject({
    body: { state: 'explained', reason_code: 'processor_error' },
  })
  expect(await call('POST', `/breaks/${small}/write-off`, reason)).toMatchObject({
    status: 200,
    body: { state: 'written_off' },
  })
  expect(await call('POST', `/breaks/${large}/write-off`, reason)).toMatchObject({
    body: { state: 'open', write_off_requested_by: 'key:ledger' },
  })
  expect(await call('POST', `/breaks/${large}/approve`)).toMatchObject({ status: 403 })
  expect(await call('POST', `/breaks/${large}/approve`, undefined, ben)).toMatchObject({
    body: { state: 'written_off', approved_by: 'key:audit' },
  })
  expect(await call('POST', `/breaks/${large}/comment`, { text: 'noted' })).toMatchObject({ status: 200 })
  const shown = await call('GET', `/breaks/${large}`)
  expect((shown.body['comments'] as { kind: string }[]).map(({ kind }) => kind)).toEqual([
    'write_off_request',
    'approve',
    'comment',
  ])
  expect(await call('POST', `/breaks/${large}/reopen`, { text: 'found' })).toMatchObject({
    body: { state: 'open', approved_by: null },
  })
  expect(await call('POST', `/breaks/${large}/resolve`, { text: 'done' })).toMatchObject({
    body: { state: 'resolved' },
  })
  expect(await call('GET', '/breaks/totals')).toMatchObject({ status: 200, body: { rows: [] } })
  expect(await call('GET', '/breaks/999')).toMatchObject({ status: 404 })
  expect(await call('GET', '/breaks?type=nonsense')).toMatchObject({ status: 400 })
})

it('tariffs, audits, costs and contribution are there for finance', async () => {
  const tariff = {
    connection: 'corner-eu',
    name: 'cards',
    valid_from: '2026-01-01',
    document: { currency: 'EUR', clauses: [{ id: 'c', percent_bp: 290 }] },
  }
  expect(await call('PUT', '/fees/tariffs', tariff)).toMatchObject({
    status: 200,
    body: { name: 'cards', valid_to: null, source: 'api' },
  })
  expect(await call('PUT', '/fees/tariffs', tariff, kit.keys.operator)).toMatchObject({ status: 403 })
  const empty = { ...tariff, document: { currency: 'EUR', clauses: [{ id: 'c' }] } }
  expect(await call('PUT', '/fees/tariffs', empty)).toMatchObject({ status: 400, body: { path: 'document.clauses.0' } })
  expect(await call('GET', '/fees/tariffs?connection=corner-eu')).toMatchObject({
    body: { rows: [{ document: tariff.document }] },
  })
  expect(await call('GET', '/fees/audit?from=2026-01-01&to=2026-01-31')).toMatchObject({
    status: 200,
    body: { rows: [] },
  })
  expect(await call('GET', '/fees/audit/totals')).toMatchObject({ status: 200, body: { rows: [] } })
  const receipts = [
    {
      reference: 'R',
      received_at: '2026-01-01T00:00:00Z',
      currency: 'EUR',
      lines: [{ sku: 'PEN', quantity: 2, unit_minor: 50 }],
    },
  ]
  expect(await call('POST', '/fees/costs', { receipts })).toMatchObject({ status: 200, body: { added: 1, known: 0 } })
  expect(await call('GET', '/fees/contribution?by=sku&from=2026-01-01&to=2026-01-31')).toMatchObject({
    status: 200,
    body: { rows: [], orders: 0 },
  })
  expect(await call('GET', '/fees/contribution?by=moon&from=2026-01-01&to=2026-01-31')).toMatchObject({ status: 400 })
})
