import { afterEach, beforeEach, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import { loadFulfillmentRequests } from '../../../src/core/fulfillment/requests.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { listOrders } from '../../../src/core/orders/read.ts'
import { backfillByTransfer } from '../../../src/core/supply/backfill.ts'
import { showSupply } from '../../../src/core/supply/read.ts'
import { receiveSupply, type Receipt } from '../../../src/core/supply/receive.ts'
import { cancelTransfer, createTransfer } from '../../../src/core/supply/transfers.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  createWorld,
  instant,
  kinds,
  line,
  order,
  orderFact,
  policy,
  reservationsOf,
  workOf,
  type World,
} from '../../kit/orders.ts'

const INTERNAL = internalConnectionId('acme')
let world: World
beforeEach(async () => {
  world = await createWorld()
  world.policies.set(INTERNAL, internalPolicy('acme'))
  await world.db.query(`update locations set postcode = '53111' where id = 'north'`)
})
afterEach(async () => {
  await expectSound()
  await world.database.drop()
})

async function expectSound(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
}

/** From the 3PL's place to our own. */
const create = (lines: Record<string, number>, change: { reference?: string; from?: string; to?: string } = {}) =>
  inTransaction(world.db, (tx) =>
    createTransfer(
      tx,
      world.ctx,
      {
        reference: change.reference ?? 'TR-1',
        from_location_id: change.from ?? 'south',
        to_location_id: change.to ?? 'north',
        expected_at: new Date(instant(86_400)),
        lines: Object.entries(lines).map(([sku, quantity]) => ({ sku, quantity })),
      },
      'user:ada',
    ),
  )
const TR_1 = { company_id: 'acme', kind: 'transfer', reference: 'TR-1' } as const
const cancel = () => inTransaction(world.db, (tx) => cancelTransfer(tx, world.ctx, TR_1, 'user:ada'))

let deliveries = 0
const receive = (units: Record<string, number>, change: Partial<Receipt> = {}) =>
  inTransaction(world.db, (tx) =>
    receiveSupply(
      tx,
      world.ctx,
      TR_1,
      {
        key: `delivery-${(deliveries += 1)}`,
        location_id: null,
        at: world.clock.now,
        rest: 'expected',
        lines: Object.entries(units).map(([sku, quantity]) => ({ sku, quantity, to: 'available' as const })),
        ...change,
      },
      'user:ada',
    ),
  )

let parcels = 0
async function ship(units: Record<string, number>, at = 60): Promise<string[]> {
  const [work] = await world.db.query<{ number: string }>(
    `select f.number from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = 'TR-1' order by f.created_at desc`,
  )
  const document = {
    external_id: `parcel-${(parcels += 1)}`,
    fulfillment_order: work?.number ?? '',
    carrier: null,
    tracking_number: null,
    tracking_url: null,
    shipped_at: instant(at),
    lines: Object.entries(units).map(([sku, quantity]) => ({ sku, quantity, line_reference: null, lot: null })),
  }
  return kinds(await world.apply([{ kind: 'shipment', document }], 'depot'))
}

async function answer(verdict: 'accepted' | 'rejected' | 'cancelled'): Promise<void> {
  const [work] = await world.db.query<{ number: string }>(
    `select f.number from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = 'TR-1' order by f.created_at desc`,
  )
  const document = {
    external_id: `answer-${(parcels += 1)}`,
    fulfillment_order: work?.number ?? '',
    verdict,
    at: instant(30),
    reason: null,
    lines: [],
  }
  await world.apply([{ kind: 'acknowledgement', document } as unknown as Fact], 'depot')
}

/** As the sender of effects does. */
const send = () =>
  world.db.query(`update outbox set state = 'done', attempts = 1, done_at = $1 where kind = 'fulfillment.new'`, [
    world.clock.now,
  ])

/** `available committed incoming` by place. */
async function stock(sku = 'A'): Promise<Record<string, string>> {
  const rows = await world.db.query<{ location_id: string; text: string }>(
    `select location_id, available || ' ' || committed || ' ' || incoming as text from stock where item_id = $1 order by 1`,
    [world.items.get(sku)],
  )
  return Object.fromEntries(rows.map((row) => [row.location_id, row.text]))
}

const shown = async () => {
  const { state, lines } = await showSupply(world.db, 'TR-1')
  return { state, to_come: lines.map((one) => one.to_come) }
}

test('a transfer is set aside, worked on by the 3PL, shipped, in transit and received, and the books balance at each step', async () => {
  await world.addItem('A', { south: 10 })
  await world.apply([orderFact(order('1', [line('1', 'A', 1)]))])
  expect(await create({ A: 6 })).toMatchObject({ outcome: 'created' })
  expect(await stock()).toMatchObject({ south: '3 7 0' })
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['committed south A 6'])
  expect(await workOf(world.db, 'TR-1')).toEqual(['south OPEN 6 new:pending'])
  await expectSound()

  const effects = await world.db.query<{ id: number; kind: string; reference: Record<string, string> }>(
    `select x.id, x.kind, x.reference from outbox x join orders o on o.id = x.order_id where o.kind = 'transfer'`,
  )
  expect(await loadFulfillmentRequests(world.db, world.ctx, effects)).toMatchObject([
    {
      action: 'new',
      order_number: 'TR-1',
      location_code: 'S1',
      ship_to: { name: null, company: 'North', postcode: '53111', country: 'DE' },
      lines: [{ sku: 'A', quantity: 6 }],
    },
  ])

  await send()
  expect(await ship({ A: 4 })).toEqual([expect.stringMatching(/^shipped 4 units/)])
  expect(await stock()).toEqual({ north: '0 0 4', south: '3 3 0' })
  await expectSound()
  // A process that dies here loses nothing: what is in transit is in the books.
  expect(await shown()).toEqual({ state: 'open', to_come: [4] })

  expect(await receive({ A: 3 })).toMatchObject({ state: 'open' })
  expect(await stock()).toEqual({ north: '3 0 1', south: '3 3 0' })
  await expectSound()
  await ship({ A: 2 })
  expect(await stock()).toEqual({ north: '3 0 3', south: '3 1 0' })
  expect(await receive({ A: 3 })).toMatchObject({ state: 'received' })
  expect(await stock()).toEqual({ north: '6 0 0', south: '3 1 0' })
  expect(await world.db.query(`select 1 from outbox where kind = 'shipment.send'`)).toEqual([])
  expect((await listOrders(world.db, {})).rows.map((row) => row.external_id)).toEqual(['1'])
  expect((await listOrders(world.db, { kind: 'transfer' })).rows.map((row) => row.external_id)).toEqual(['TR-1'])
})

test('the same transfer twice is one, another one under its reference is refused', async () => {
  await world.addItem('A', { south: 10 })
  const both = await Promise.all([create({ A: 2 }), create({ A: 2 })])
  expect(both.map((one) => one.outcome).toSorted()).toEqual(['created', 'same'])
  await expect(create({ A: 3 })).rejects.toMatchObject({ code: 'conflict', path: '$.reference' })
  expect(await stock()).toEqual({ south: '8 2 0' })
})

test('units that are not there are waited for, and set aside when they come', async () => {
  await world.addItem('A', { south: 2 })
  await create({ A: 5 })
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['committed south A 2', 'shortfall - A 3'])
  await world.apply(
    [
      {
        kind: 'stock_change',
        document: {
          external_id: 'in',
          location_code: 'S1',
          sku: 'A',
          delta: 4,
          reason: 'received',
          at: instant(9),
          reference: null,
        },
      },
    ],
    'depot',
  )
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['committed south A 5'])
  expect(await stock()).toEqual({ south: '1 5 0' })
})

test('units that stand elsewhere are never taken for it', async () => {
  await world.addItem('A', { north: 9 })
  await create({ A: 5 })
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['shortfall - A 5'])
  expect(await stock()).toMatchObject({ north: '9 0 0' })
})

test('goods that came are given to those who wait for them', async () => {
  world.policies.set('shop', policy('shop', { serves_from: ['north'] }))
  await world.addItem('A', { south: 5 })
  await world.apply([orderFact(order('1', [line('1', 'A', 2)]))])
  await create({ A: 5 })
  await ship({ A: 5 })
  expect(await reservationsOf(world.db, '1')).toEqual(['shortfall - A 2'])
  await receive({ A: 5 })
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2'])
})

test('goods may be received before anybody said that they left', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await receive({ A: 5 })
  await expectSound()
  expect(await stock()).toEqual({ north: '5 0 0', south: '0 5 0' })
  await ship({ A: 5 })
  expect(await stock()).toEqual({ north: '5 0 0', south: '0 0 0' })
})

test('cancelled before its work was sent, nothing is left of it', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  expect(await cancel()).toMatchObject({ outcome: 'changed' })
  expect(await cancel()).toMatchObject({ outcome: 'same' })
  expect(await stock()).toEqual({ south: '5 0 0' })
  expect(await workOf(world.db, 'TR-1')).toEqual(['south CANCELLED 0 new:cancelled'])
  expect(await shown()).toEqual({ state: 'cancelled', to_come: [0] })
})

test('cancelled at the 3PL, its work is asked back and ends with the answer', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await send()
  await cancel()
  expect(await stock()).toEqual({ south: '0 5 0' })
  expect(await workOf(world.db, 'TR-1')).toEqual(['south OPEN 5 new:done cancel:pending'])
  await expectSound()
  await answer('cancelled')
  expect(await stock()).toMatchObject({ south: '5 0 0' })
})

test('cancelled too late, what left all the same is under way and is received', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await send()
  await cancel()
  expect(await shown()).toEqual({ state: 'cancelled', to_come: [0] })
  await ship({ A: 5 })
  expect(await shown()).toEqual({ state: 'open', to_come: [5] })
  await expectSound()
  expect(await receive({ A: 5 })).toMatchObject({ state: 'received' })
  expect(await stock()).toEqual({ north: '5 0 0', south: '0 0 0' })
})

test('cancelled when a part has left, that part is received and the rest stays', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await send()
  await ship({ A: 2 })
  await cancel()
  expect(await shown()).toEqual({ state: 'open', to_come: [2] })
  await answer('cancelled')
  expect(await stock()).toEqual({ north: '0 0 2', south: '3 0 0' })
  expect(await receive({ A: 2 })).toMatchObject({ state: 'received' })
  expect(await stock()).toEqual({ north: '2 0 0', south: '3 0 0' })
})

test('one that has left whole cannot be cancelled', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await ship({ A: 5 })
  await expect(cancel()).rejects.toMatchObject({ code: 'conflict' })
  expect(await stock()).toEqual({ north: '0 0 5', south: '0 0 0' })
})

test('a difference between what left and what came is a case, and a parcel that turns up later opens it again', async () => {
  await world.addItem('A', { south: 6 })
  await create({ A: 6 })
  await send()
  await ship({ A: 4 })
  expect(await receive({ A: 3 }, { rest: 'close' })).toMatchObject({ state: 'received' })
  expect(await stock()).toEqual({ north: '3 0 0', south: '0 2 0' })
  expect(await world.db.query(`select kind, state, data -> 'lines' as lines from cases`)).toEqual([
    { kind: 'transfer_difference', state: 'open', lines: [{ sku: 'A', shipped: 4, received: 3 }] },
  ])
  await expectSound()
  await expect(receive({ A: 1 })).rejects.toMatchObject({ code: 'conflict' })
  // The rest was asked back, but had left already.
  await ship({ A: 2 })
  expect(await shown()).toEqual({ state: 'open', to_come: [2] })
  await receive({ A: 2 })
  expect(await stock()).toEqual({ north: '5 0 0', south: '0 0 0' })
})

test('a refusal leaves it without a place to take from', async () => {
  await world.addItem('A', { south: 5, north: 1 })
  await create({ A: 5 })
  await send()
  await answer('rejected')
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['shortfall - A 5'])
  expect(await stock()).toEqual({ north: '1 0 0', south: '5 0 0' })
  await cancel()
  expect(await reservationsOf(world.db, 'TR-1')).toEqual([])
})

test('units that a count finds missing are missing to the transfer; shipped all the same, they are under way', async () => {
  await world.addItem('A', { south: 5 })
  await create({ A: 5 })
  await send()
  world.clock.now = new Date(instant(100))
  const lines = [{ sku: 'A', on_hand: 2, damaged: 0, quality_control: 0 }]
  const count = { external_id: 'c', location_code: 'S1', as_of: instant(80), lines }
  await world.apply([{ kind: 'stock_count', document: count }], 'depot')
  expect(await reservationsOf(world.db, 'TR-1')).toEqual(['committed south A 2', 'shortfall - A 3'])
  await expectSound()
  await ship({ A: 5 }, 90)
  await expectSound()
  expect((await stock())['north']).toBe('0 0 5')
  expect(await receive({ A: 5 })).toMatchObject({ state: 'received' })
})

test.each([
  ['from a place to itself', { from: 'south', to: 'south' }, { A: 1 }, 'bad_request', '$.to'],
  ['from nowhere', { from: 'west' }, { A: 1 }, 'unknown_location', '$.from'],
  ['to nowhere', { to: 'west' }, { A: 1 }, 'unknown_location', '$.to'],
  ['of nothing', {}, {}, 'bad_request', '$.lines'],
  ['of no units', {}, { A: 0 }, 'bad_request', '$.lines[0].quantity'],
  ['of a part of a unit', {}, { A: 0.5 }, 'bad_request', '$.lines[0].quantity'],
  ['of an unknown SKU', {}, { NONE: 1 }, 'unknown_sku', '$.lines[0].sku'],
])('a transfer %s is refused and leaves nothing', async (_name, change, lines, code, path) => {
  await world.addItem('A', { south: 5 })
  await expect(create(lines, change)).rejects.toMatchObject({ code, path })
  expect(await world.db.query('select 1 from orders')).toEqual([])
  expect(await world.db.query('select 1 from supplies')).toEqual([])
})

async function ruleOf(sku: string, backorder: string): Promise<void> {
  await world.db.query(
    `insert into stock_rules (company_id, connection_id, item_id, backorder, source, changed_by, changed_at)
     values ('acme', 'shop', $1, $2, 'user', 'test', now())`,
    [world.items.get(sku), backorder],
  )
}
const backfill = () => inTransaction(world.db, (tx) => backfillByTransfer(tx, world.ctx, 10))

test('orders that may be served by transfer get one from the place that has most, once', async () => {
  await world.db.query(
    `insert into locations (id, company_id, name, kind, country) values ('east', 'acme', 'East', 'warehouse', 'DE'), ('west', 'acme', 'West', 'warehouse', 'DE')`,
  )
  world.policies.set('shop', policy('shop', { serves_from: ['north'], shortfall: 'backorder' }))
  await world.addItem('A', { east: 3, west: 5 })
  await world.addItem('B', { east: 9 })
  await ruleOf('A', 'transfer')
  await world.apply([orderFact(order('1', [line('1', 'A', 4), line('2', 'B', 1)]))])
  await world.apply([orderFact(order('2', [line('1', 'A', 3)]))])
  expect(await Promise.all([backfill(), backfill()])).toEqual(expect.arrayContaining([2, 0]))
  expect(await backfill()).toBe(0)
  await expectSound()
  const made = await world.db.query(
    `select s.reference, l.quantity from supplies s join supply_lines l on l.supply_id = s.id order by 1`,
  )
  expect(made).toEqual([
    { reference: 'backfill-east-north-1', quantity: 2 },
    { reference: 'backfill-west-north-1', quantity: 5 },
  ])
  expect(await stock()).toMatchObject({ east: '1 2 0', west: '0 5 0' })
  await world.apply([orderFact(order('3', [line('1', 'A', 9)], 5))])
  expect(await backfill()).toBe(1)
  expect(await stock()).toMatchObject({ east: '0 3 0', west: '0 5 0' })
})
