import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { lockStock, moveStock } from '../../src/core/inventory/ledger.ts'
import { verify } from '../../src/core/verify.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createApiKey } from '../../src/http/auth.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
let sku = ''
let made = 0

beforeAll(async () => {
  kit = await openHttpHub()
})
afterAll(() => kit.close())
beforeEach(async () => {
  sku = `SKU-${(made += 1)}`
  await stock(sku, 5)
})

async function stock(name: string, quantity: number): Promise<void> {
  const { db, clock } = kit.hub
  const now = clock.now()
  const [row] = await db.query<{ id: number }>(`insert into items (company_id, sku) values ('acme', $1) returning id`, [
    name,
  ])
  const key = { item_id: row?.id ?? 0, location_id: 'berlin' }
  await inTransaction(db, async (tx) => {
    await lockStock(tx, [key], now)
    const move = {
      ...key,
      from: 'outside',
      to: 'available',
      quantity,
      reason: 'received',
      source: 'test:1',
      occurred_at: now,
    } as const
    await moveStock(tx, [move], now)
  })
}

interface Answer {
  status: number
  type: string
  body: Record<string, unknown>
}

async function call(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
  key = kit.keys.operator,
): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, type: String(answer.headers['content-type']), body: answer.json() }
}

const wish = (quantity: number, change: object = {}) => {
  return { connection: 'corner-eu', key: `cart-${(made += 1)}`, lines: [{ channel_sku: sku, quantity }], ...change }
}
const post = (body: object, key?: string): Promise<Answer> => call('POST', '/holds', body, key)

describe('a hold over the API', () => {
  it('is made once for each key, shown, listed, extended and given back', async () => {
    const body = wish(2)
    const first = await post(body)
    expect(first).toMatchObject({
      status: 201,
      body: { state: 'held', lines: [{ channel_sku: sku, quantity: 2, held: 2, short_by: 0 }] },
    })
    const { id } = first.body
    expect(await post(body)).toEqual({ ...first, status: 200 })
    expect(await call('GET', `/holds/${String(id)}`)).toEqual({ ...first, status: 200 })
    const list = await call('GET', `/holds?key=${body.key}`)
    expect(list.body).toEqual({ rows: [first.body], next_cursor: null })
    const longer = await call('POST', `/holds/${String(id)}/extend`, { minutes: 20 })
    expect(Date.parse(String(longer.body['expires_at']))).toBeGreaterThan(Date.parse(String(first.body['expires_at'])))
    expect(await call('DELETE', `/holds/${String(id)}`)).toMatchObject({ status: 200, body: { state: 'released' } })
    expect(await call('DELETE', `/holds/${String(id)}`)).toMatchObject({ status: 200, body: { state: 'released' } })
    expect(await call('POST', `/holds/${String(id)}/extend`, { minutes: 5 })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    })
  })

  it('waits for its order', async () => {
    const { body } = await post(wish(1))
    const bind = (order_external_id: string) =>
      call('POST', `/holds/${String(body['id'])}/order`, { order_external_id })
    expect(await bind('1001')).toMatchObject({ status: 200, body: { state: 'held', order_external_id: '1001' } })
    expect(await bind('1001')).toMatchObject({ status: 200 })
    expect(await bind('1002')).toMatchObject({ status: 409, body: { code: 'conflict' } })
  })

  it('is refused with what is missing', async () => {
    const answer = await post(wish(7))
    expect(answer).toMatchObject({
      status: 409,
      type: 'application/problem+json; charset=utf-8',
      body: { code: 'insufficient_stock', lines: [{ channel_sku: sku, quantity: 7, held: 0, short_by: 2 }] },
    })
    expect(await post(wish(7, { shortfall: 'partial' }))).toMatchObject({
      status: 201,
      body: { lines: [{ held: 5, short_by: 2 }] },
    })
  })

  it('is refused where a bound would be broken', async () => {
    expect(await post(wish(1, { minutes: 1_440 }))).toMatchObject({
      status: 422,
      body: { code: 'limit_exceeded', limit: 'minutes_max' },
    })
    const now = kit.hub.clock.now()
    const { secret } = await createApiKey(kit.hub.db, {
      name: 'cart',
      role: 'operator',
      created_by: 'test',
      hold_units_max: 3,
      now,
    })
    expect(await post(wish(2), secret)).toMatchObject({ status: 201 })
    expect(await post(wish(2), secret)).toMatchObject({
      status: 422,
      body: { limit: 'hold_units_max', max: 3, left: 1 },
    })
    const { body } = await post(wish(1))
    expect(await call('POST', `/holds/${String(body['id'])}/extend`, { minutes: 1_440 })).toMatchObject({
      status: 422,
      body: { code: 'limit_exceeded', path: 'body.minutes' },
    })
  })

  it.each([
    {
      change: { lines: [{ channel_sku: 'nobody knows', quantity: 1 }] },
      status: 422,
      path: 'body.lines[0].channel_sku',
    },
    { change: { connection: 'nowhere' }, status: 404, path: 'body.connection' },
    { change: { lines: [{ channel_sku: 'A', quantity: 0 }] }, status: 400, path: 'body.lines.0.quantity' },
    { change: { lines: [{ channel_sku: 'A', quantity: 1.5 }] }, status: 400, path: 'body.lines.0.quantity' },
    { change: { lines: [] }, status: 400, path: 'body.lines' },
    { change: { minutes: 0 }, status: 400, path: 'body.minutes' },
    { change: { buyer: 'Robin' }, status: 400, path: 'body.buyer' },
  ])('names the fault at $path', async ({ change, status, path }) => {
    expect(await post(wish(1, change))).toMatchObject({ status, body: { path } })
  })

  it('is a conflict under a key that was used for another wish', async () => {
    const body = wish(1)
    await post(body)
    expect(await post({ ...body, minutes: 3 })).toMatchObject({
      status: 409,
      body: { code: 'conflict', path: 'body.key' },
    })
  })

  it('takes the role operator', async () => {
    expect(await post(wish(1), kit.keys.viewer)).toMatchObject({ status: 403 })
    expect(await call('GET', '/holds', undefined, kit.keys.viewer)).toMatchObject({ status: 403 })
  })

  it('is not there under an id that nobody knows', async () => {
    const id = '019c0000-0000-7000-8000-000000000000'
    for (const answer of [
      await call('GET', `/holds/${id}`),
      await call('POST', `/holds/${id}/extend`, { minutes: 1 }),
      await call('POST', `/holds/${id}/order`, { order_external_id: '1' }),
      await call('DELETE', `/holds/${id}`),
    ])
      expect(answer).toMatchObject({ status: 404, body: { code: 'not_found' } })
  })

  it('goes to exactly as many carts as there are units when hundreds ask at once, in few batches', async () => {
    const answers = await Promise.all(Array.from({ length: 200 }, () => post(wish(1))))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(5)
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(195)
    expect((await verify(kit.hub.db)).checks.filter(({ violations }) => violations > 0)).toEqual([])
  })
})
