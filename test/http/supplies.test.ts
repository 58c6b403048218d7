import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { verify } from '../../src/core/verify.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub

beforeAll(async () => {
  kit = await openHttpHub()
  await kit.hub.db.query(`
    insert into locations (id, company_id, name, kind, country) values ('bonn', 'acme', 'Bonn', 'warehouse', 'DE');
    insert into items (company_id, sku) values ('acme', 'BOOK'), ('acme', 'PEN');`)
})
afterAll(() => kit.close())

interface Answer {
  status: number
  body: Record<string, unknown> & { supply: { id: string }; rows: Record<string, unknown>[] }
}

async function call(method: 'GET' | 'POST' | 'PUT', path: string, body?: object, key?: string): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key ?? kit.keys.operator}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, body: answer.json() }
}

const purchase = (reference: string, lines: Record<string, number>, change: object = {}) => ({
  reference,
  location: 'berlin',
  expected_at: '2030-01-01T00:00:00Z',
  lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })),
  ...change,
})

describe('purchases', () => {
  it('are made, changed, received in parts and cancelled', async () => {
    const made = await call('PUT', '/supplies', purchase('PO-1', { BOOK: 10 }))
    expect(made).toMatchObject({
      status: 200,
      body: { outcome: 'created', supply: { state: 'open', lines: [{ to_come: 10 }] } },
    })
    expect((await call('PUT', '/supplies', purchase('PO-1', { BOOK: 10 }))).body).toMatchObject({ outcome: 'same' })
    const changed = await call('PUT', '/supplies', purchase('PO-1', { BOOK: 8, PEN: 1 }))
    expect(changed.body).toMatchObject({ outcome: 'changed', supply: { lines: [{ quantity: 8 }, { quantity: 1 }] } })
    const { id } = made.body.supply
    const delivery = { key: 'lorry-1', lines: [{ sku: 'BOOK', quantity: 3 }] }
    const first = await call('POST', `/supplies/${id}/receive`, delivery)
    expect(first.body).toMatchObject({
      outcome: 'received',
      booked: [{ sku: 'BOOK', quantity: 3, expected: 3, counted_already: false }],
      supply: {
        lines: [{ received_quantity: 3, to_come: 5 }, { to_come: 1 }],
        receipts: [{ key: 'lorry-1', units: 3 }],
      },
    })
    const again = await call('POST', `/supplies/${id}/receive`, delivery)
    expect(again.body).toMatchObject({ outcome: 'repeated', booked: first.body['booked'] })
    const other = await call('POST', `/supplies/${id}/receive`, { ...delivery, lines: [{ sku: 'BOOK', quantity: 4 }] })
    expect(other).toMatchObject({ status: 409, body: { code: 'conflict', path: '$.key' } })
    expect((await call('GET', `/supplies/${id}`)).body).toMatchObject({
      reference: 'PO-1',
      lines: [{ received_quantity: 3 }, {}],
    })
    expect((await call('POST', `/transfers/${id}/cancel`)).body).toMatchObject({ code: 'bad_request' })
    expect((await call('POST', `/supplies/${id}/cancel`)).body).toMatchObject({ supply: { state: 'cancelled' } })
    const audit = await kit.hub.db.query(`select actor, action from audit_log where subject = $1 order by id`, [
      `supply:${id}`,
    ])
    expect(audit.map((row) => `${String(row['actor'])} ${String(row['action'])}`)).toEqual(
      ['create', 'change', 'receive', 'cancel'].map((action) => `key:operator key supply.${action}`),
    )
  })

  it.each([
    ['an unknown place', purchase('PO-X', { BOOK: 1 }, { location: 'mars' }), 422, 'unknown_location', '$.location'],
    ['an unknown SKU', purchase('PO-X', { NONE: 1 }), 422, 'unknown_sku', '$.lines[0].sku'],
    ['a negative quantity', purchase('PO-X', { BOOK: -1 }), 400, 'bad_request', expect.stringContaining('quantity')],
    ['a fraction', purchase('PO-X', { BOOK: 1.5 }), 400, 'bad_request', expect.stringContaining('quantity')],
    [
      'more than can be',
      purchase('PO-X', { BOOK: 3_000_000_000 }),
      400,
      'bad_request',
      expect.stringContaining('quantity'),
    ],
    ['a word too many', purchase('PO-X', { BOOK: 1 }, { colour: 'red' }), 400, 'bad_request', expect.anything()],
  ])('of %s are refused', async (_name, body, status, code, path) => {
    expect(await call('PUT', '/supplies', body)).toMatchObject({ status, body: { code, path } })
    expect((await call('GET', '/supplies?reference=PO-X')).body.rows).toEqual([])
  })

  it('are for operators to write and for viewers to read', async () => {
    expect((await call('PUT', '/supplies', purchase('PO-V', { BOOK: 1 }), kit.keys.viewer)).status).toBe(403)
    expect((await call('GET', '/supplies', undefined, kit.keys.viewer)).status).toBe(200)
  })
})

describe('transfers', () => {
  it('are made once, listed, cancelled, and received like purchases', async () => {
    const wish = { reference: 'TR-1', from: 'berlin', to: 'bonn', lines: [{ sku: 'BOOK', quantity: 2 }] }
    const made = await call('POST', '/transfers', wish)
    expect(made.body).toMatchObject({
      outcome: 'created',
      supply: { kind: 'transfer', from_location_id: 'berlin', state: 'open' },
    })
    expect((await call('POST', '/transfers', wish)).body).toMatchObject({ outcome: 'same' })
    expect(await call('POST', '/transfers', { ...wish, to: 'berlin' })).toMatchObject({
      status: 400,
      body: { path: '$.to' },
    })
    expect(await call('POST', '/transfers', { ...wish, lines: [{ sku: 'PEN', quantity: 2 }] })).toMatchObject({
      status: 409,
    })
    expect((await call('GET', '/transfers')).body.rows).toMatchObject([{ reference: 'TR-1' }])
    expect((await call('GET', '/orders')).body.rows).toEqual([])
    const { id } = made.body.supply
    const came = await call('POST', `/transfers/${id}/receive`, { key: 'k', lines: [{ sku: 'BOOK', quantity: 1 }] })
    expect(came.body).toMatchObject({ supply: { state: 'open', lines: [{ received_quantity: 1, to_come: 0 }] } })
    expect((await call('POST', `/transfers/${id}/cancel`)).body).toMatchObject({ supply: { state: 'received' } })
  })
})

it('leaves the books balanced', async () => {
  const { checks } = await verify(kit.hub.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
})
