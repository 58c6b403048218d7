import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { applyFacts } from '../../src/core/apply.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { coreContext } from '../../src/queues/context.ts'
import { verified } from '../core/fulfillment/places.ts'
import { line, order, receive } from '../kit/orders.ts'
import { openHttpHub, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
beforeAll(async () => {
  kit = await openHttpHub()
  const { db } = kit.database
  const rows = await db.query<{ id: number }>(
    `insert into items (company_id, sku) values ('acme', 'TEA'), ('acme', 'MUG') returning id`,
  )
  for (const { id } of rows) await receive(db, coreContext(kit.hub), id, { berlin: 50 })
})
afterAll(async () => {
  await verified(kit.database.db)
  await kit.close()
})

interface Answer {
  status: number
  body: Record<string, unknown> & { rows?: Record<string, unknown>[] }
}

async function call(method: 'GET' | 'POST', path: string, body?: object, key = kit.keys.operator): Promise<Answer> {
  const answer = await kit.app.inject({
    method,
    url: `/api/v1${path}`,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { payload: body }),
  })
  return { status: answer.statusCode, body: answer.json() }
}
const say = (number: string, word: string, body?: object, key?: string): Promise<Answer> =>
  call('POST', `/fulfillment-orders/${number}/${word}`, body, key)

/** A paid order of tea and mugs; the answer is its work's number. */
async function placed(id: string, tea: number, mugs = 0): Promise<string> {
  const lines = [line('1', 'TEA', tea), ...(mugs === 0 ? [] : [line('2', 'MUG', mugs)])]
  const fact = { kind: 'order' as const, document: order(id, lines) }
  await inTransaction(kit.database.db, (tx) =>
    applyFacts(tx, coreContext(kit.hub), [{ connection_id: 'corner-eu', source: 'test:1', fact }]),
  )
  const { body } = await call('GET', `/fulfillment-orders?order=${id}`)
  return String(body.rows?.[0]?.['number'])
}

const stock = async (sku: string): Promise<object | undefined> =>
  (
    await kit.database.db.query<object>(
      `select on_hand, available, committed from stock s join items i on i.id = s.item_id where i.sku = $1`,
      [sku],
    )
  )[0]

describe('work by hand', () => {
  it('is accepted and shipped in parts; each word said twice counts once', async () => {
    const number = await placed('A', 5, 1)
    expect(await say(number, 'accept')).toMatchObject({
      status: 200,
      body: {
        outcome: 'applied',
        fulfillment_order: { number, state: 'IN_PROGRESS', units_to_pack: 6, ship_to: null },
      },
    })
    expect((await say(number, 'accept')).body).toMatchObject({ outcome: 'unchanged' })
    const part = {
      key: 'parcel-1',
      carrier: 'post',
      tracking_number: 'T1',
      tracking_url: 'https://post.test/T1',
      shipped_at: new Date(kit.hub.clock.now().getTime() - 1_000).toISOString(),
      lines: [{ sku: 'TEA', quantity: 3 }],
    }
    const before = await stock('TEA')
    expect((await say(number, 'ship', part)).body).toMatchObject({
      outcome: 'applied',
      fulfillment_order: {
        state: 'IN_PROGRESS',
        shipments: [{ external_id: 'parcel-1', tracking_number: 'T1', lines: [{ sku: 'TEA', quantity: 3 }] }],
      },
    })
    expect(before).toMatchObject({ on_hand: 50 })
    expect((await say(number, 'ship', part)).body).toMatchObject({ outcome: 'unchanged' })
    expect(await say(number, 'ship', { ...part, lines: [{ sku: 'TEA', quantity: 2 }] })).toMatchObject({
      status: 409,
      body: { code: 'conflict', path: 'key' },
    })
    expect(await stock('TEA')).toMatchObject({ on_hand: 47, committed: 2 })
    expect((await say(number, 'ship', { key: 'parcel-2' })).body).toMatchObject({
      outcome: 'applied',
      fulfillment_order: { state: 'CLOSED', units_to_pack: 0 },
    })
    expect((await say(number, 'ship', { key: 'parcel-2' })).body).toMatchObject({ outcome: 'unchanged' })
    expect(await say(number, 'reject', { reason: 'too late' })).toMatchObject({
      status: 409,
      body: { code: 'conflict' },
    })
    const audit = await kit.database.db.query(`select actor, action from audit_log where subject = $1 order by id`, [
      `fulfillment_order:${number}`,
    ])
    const actor = expect.stringMatching(/^key:/)
    expect(audit).toEqual(['accept', 'ship', 'ship'].map((word) => ({ actor, action: `fulfillment.${word}` })))
    const facts = await kit.database.db.query(
      `select distinct source from order_facts where kind = 'shipment.recorded'`,
    )
    expect(facts).toEqual([{ source: actor }])
  })

  it('refuses more than the work holds, goods it never had, and what has not left yet', async () => {
    const number = await placed('B', 1)
    expect(await say(number, 'ship', { key: 'b', lines: [{ sku: 'TEA', quantity: 2 }] })).toMatchObject({
      status: 422,
      body: { code: 'over_shipped', path: '$.lines[0].quantity' },
    })
    expect(await say(number, 'ship', { key: 'b', lines: [{ sku: 'MUG', quantity: 1 }] })).toMatchObject({
      status: 422,
      body: { code: 'unknown_order_line' },
    })
    expect(await say(number, 'ship', { key: 'b', shipped_at: '2999-01-01T00:00:00Z' })).toMatchObject({ status: 400 })
    expect(await say(number, 'short', { reason: 'none', lines: [{ sku: 'MUG', quantity: 1 }] })).toMatchObject({
      status: 422,
    })
    expect(await say('FO-NONE', 'accept')).toMatchObject({ status: 404, body: { code: 'not_found' } })
    expect(await say(number, 'ship', { key: '', lines: [] })).toMatchObject({ status: 400 })
  })

  it('takes what is short off the shelf, once for each key', async () => {
    const number = await placed('C', 4)
    const before = (await stock('TEA')) as { on_hand: number; available: number }
    const short = { key: 'pick-7', reason: 'bin 4 is empty', lines: [{ sku: 'TEA', quantity: 2 }] }
    const { body } = await say(number, 'short', short)
    // Berlin believes that it has more, so the two are planned there again; what is gone is gone.
    expect(body).toMatchObject({
      outcome: 'applied',
      fulfillment_order: { state: 'IN_PROGRESS', units_to_pack: 2, reasons: [{ text: 'bin 4 is empty' }] },
    })
    expect((await say(number, 'short', short)).body).toMatchObject({ outcome: 'unchanged' })
    expect(await say(number, 'short', { ...short, lines: [{ sku: 'TEA', quantity: 1 }] })).toMatchObject({
      status: 409,
    })
    expect(await stock('TEA')).toMatchObject({ on_hand: before.on_hand - 2, available: before.available - 2 })
  })

  it('gives work back, and keeps the order visible as short where nobody else can serve it', async () => {
    const number = await placed('D', 2)
    expect((await say(number, 'reject', { reason: 'no staff' })).body).toMatchObject({
      outcome: 'applied',
      fulfillment_order: { state: 'CANCELLED', reasons: [{ kind: 'fulfillment_order.rejected', text: 'no staff' }] },
    })
    expect((await say(number, 'reject', { reason: 'no staff' })).body).toMatchObject({ outcome: 'unchanged' })
    expect((await call('GET', '/orders?number=%23D')).body.rows).toMatchObject([{ reservation_state: 'shortfall' }])
  })
})

describe('who may see and say what', () => {
  it('shows the address to operators only, and writes it down', async () => {
    const number = await placed('E', 1)
    const seen = await call('GET', `/fulfillment-orders/${number}`)
    expect(seen.body).toMatchObject({
      ship_to: { name: 'Buyer E', postcode: '53111' },
      lines: [{ sku: 'TEA', quantity: 1, shipped_quantity: 0, line_reference: '1' }],
    })
    const viewer = await call('GET', `/fulfillment-orders/${number}`, undefined, kit.keys.viewer)
    expect(viewer).toMatchObject({ status: 200, body: { number, ship_to: null } })
    const looks = await kit.database.db.query(
      `select data ->> 'number' as number from audit_log where action = 'person.read' and data ->> 'number' = $1`,
      [number],
    )
    expect(looks).toEqual([{ number }])
  })

  it('lets viewers say nothing', async () => {
    const number = await placed('F', 1)
    const key = kit.keys.viewer
    const answers = await Promise.all([
      say(number, 'accept', {}, key),
      say(number, 'reject', { reason: 'x' }, key),
      say(number, 'short', { reason: 'x', lines: [{ sku: 'TEA', quantity: 1 }] }, key),
      say(number, 'ship', { key: 'x' }, key),
    ])
    expect(answers.map(({ status }) => status)).toEqual([403, 403, 403, 403])
  })

  it('lists work by place, state and order, page by page', async () => {
    const all = await call('GET', '/fulfillment-orders?limit=200&location=berlin')
    expect(all).toMatchObject({ status: 200 })
    const rows = all.body.rows ?? []
    expect(rows.length).toBeGreaterThanOrEqual(6)
    expect(rows[0]).toMatchObject({ order_number: '#F', state: 'OPEN', connection_id: null })
    const first = await call('GET', '/fulfillment-orders?limit=2&location=berlin')
    const second = await call(
      'GET',
      `/fulfillment-orders?limit=2&location=berlin&cursor=${String(first.body['next_cursor'])}`,
    )
    expect([...(first.body.rows ?? []), ...(second.body.rows ?? [])]).toEqual(rows.slice(0, 4))
    expect((await call('GET', '/fulfillment-orders?state=CANCELLED')).body.rows).toMatchObject([{ order_number: '#D' }])
    expect((await call('GET', '/fulfillment-orders?location=nowhere')).body.rows).toEqual([])
    expect(await call('GET', '/fulfillment-orders?staet=OPEN')).toMatchObject({ status: 400 })
    const id = String(rows[0]?.['order_id'])
    expect((await call('GET', `/fulfillment-orders?order=${id}`)).body.rows).toMatchObject([{ order_number: '#F' }])
  })

  it('of two who report the same parcel at once ships it once', async () => {
    const number = await placed('G', 3)
    const parcel = { key: 'g-1', lines: [{ sku: 'TEA', quantity: 2 }] }
    const answers = await Promise.all(Array.from({ length: 6 }, () => say(number, 'ship', parcel)))
    expect(answers.map(({ status }) => status)).toEqual(Array(6).fill(200))
    expect(answers.filter(({ body }) => body['outcome'] === 'applied')).toHaveLength(1)
  })
})
