import { afterAll, beforeAll, expect, it } from 'vitest'
import { seedDocuments } from '../kit/httpDocuments.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub

beforeAll(async () => {
  kit = await openHttpHub()
  await seedDocuments(kit.hub)
})
afterAll(() => kit.close())

async function call(method: 'GET' | 'POST', path: string, options: { key?: string; body?: object } = {}) {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${options.key ?? kit.keys.operator}` },
    ...(options.body === undefined ? {} : { payload: options.body }),
  })
  return { status: answer.statusCode, body: answer.json<Record<string, unknown>>() }
}
const reason = 'HIGH_RISK_OF_FRAUD'

it('puts an order on hold and lets it go on, each once however often it is said', async () => {
  const first = await call('POST', '/orders/A-1/hold', { body: { reason } })
  expect(first).toMatchObject({ status: 200, body: { number: 'A-1', hold_reason: reason, changed: true } })
  const again = await call('POST', '/orders/A-1/hold', { body: { reason } })
  expect(again).toMatchObject({ status: 200, body: { changed: false } })
  const shown = await call('GET', '/orders/A-1')
  expect(shown.body).toMatchObject({ hold_reason: reason, ship_by: null, service_level: null, kind: 'order' })
  expect(shown.body['reservations']).toMatchObject([{ backordered: false }])
  const released = await call('POST', '/orders/A-1/release')
  expect(released).toMatchObject({ status: 200, body: { hold_reason: null, changed: true } })
  expect(await call('POST', '/orders/A-1/release')).toMatchObject({ status: 200, body: { changed: false } })
  const audit = await kit.hub.db.query<{ action: string; data: object }>(
    `select action, data from audit_log where action like 'order.%' order by id`,
  )
  expect(audit).toEqual([
    { action: 'order.hold', data: { reason } },
    { action: 'order.release', data: { reason } },
  ])
})

it('refuses whom it should, and what it does not know', async () => {
  for (const key of [kit.keys.viewer, kit.keys.finance]) {
    expect((await call('POST', '/orders/A-2/hold', { key, body: { reason } })).status).toBe(403)
    expect((await call('POST', '/orders/A-2/release', { key })).status).toBe(403)
  }
  expect((await call('POST', '/orders/A-2/hold', { body: { reason: 'because' } })).status).toBe(400)
  expect((await call('POST', '/orders/A-2/hold', { body: {} })).status).toBe(400)
  expect((await call('POST', '/orders/nothing/hold', { body: { reason } })).status).toBe(404)
  expect((await call('GET', '/orders?kind=transfer')).body).toMatchObject({ rows: [] })
})
