import { afterEach, beforeEach, expect, test } from 'vitest'
import { expireHolds } from '../../../src/core/orders/expireHolds.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  axesOf, cancelRefund, capture, createWorld, expectBooksToBalance, instant, kinds, line, order, orderFact, policy, receive, reservationsOf,
  stockOf, workOf, type World,
} from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(() => world.database.drop())

const stock = async (sku: string): Promise<string> =>
  Object.entries(await stockOf(world.db, world.items.get(sku)!))
    .map(([place, view]) => `${place} ${view.available}/${view.reserved}/${view.committed}`)
    .join(', ')
const soldSinceProof = async (): Promise<Record<string, number>> => {
  const rows = await world.db.query<{ channel_sku: string; sold_since_proof: number }>(
    'select l.channel_sku, a.sold_since_proof from availability a join listings l on l.id = a.listing_id order by 1',
  )
  return Object.fromEntries(rows.map((row) => [row.channel_sku, row.sold_since_proof]))
}
/** The 3PL's side has taken the work: nothing can be changed in silence any more. */
const send = (): Promise<unknown> =>
  world.db.query(`update outbox set state = 'done', attempts = 1 where kind = 'fulfillment.new'`)
const cancellation = (external_id: string, at: number): Fact => ({
  kind: 'cancellation',
  document: { external_id, version: { updated_at: instant(at), observed_at: instant(at) }, reason: null },
})
const refundFact = (...args: Parameters<typeof cancelRefund>): Fact => ({
  kind: 'refund',
  document: cancelRefund(...args),
})
const numberOf = async (): Promise<string> =>
  (await world.db.query<{ number: string }>('select number from fulfillment_orders'))[0]!.number

test('a paid order commits units, makes work for the 3PL after the grace, and tells the channel count', async () => {
  await world.addItem('A', { south: 10 })
  const result = await world.apply([orderFact(order('1', [line('1', 'A', 3)]))])
  expect(kinds(result)).toEqual(['order #1: 3 units committed'])
  expect(await stock('A')).toBe('north 0/0/0, south 7/0/3')
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 3 new:pending'])
  expect(await axesOf(world.db, '1')).toEqual({
    lifecycle: 'open',
    payment: 'paid',
    fulfillment: 'unfulfilled',
    reservation: 'committed',
  })
  expect(await soldSinceProof()).toEqual({ A: 3 })
  const [effect] = await world.db.query<{ next_attempt_at: Date; connection_id: string }>('select * from outbox')
  expect(effect).toMatchObject({
    connection_id: 'depot',
    next_attempt_at: new Date(world.clock.now.getTime() + 60_000),
  })
  expect(await numberOf()).toMatch(/^FO-[0-9A-HJKMNP-TV-Z]{12}$/)
  const facts = await world.db.query<{ kind: string }>('select kind from order_facts order by id')
  expect(facts.map((fact) => fact.kind)).toEqual([
    'order.received',
    'reservation.committed',
    'fulfillment_order.created',
  ])
})

test('an order takes one location if that can serve it whole, else splits, else is short', async () => {
  await world.addItem('A', { north: 5, south: 5 })
  await world.addItem('B', { south: 5 })
  const result = await world.apply([
    orderFact(order('whole', [line('1', 'A', 2), line('2', 'B', 1)])),
    orderFact(order('split', [line('1', 'A', 7)])),
    orderFact(order('short', [line('1', 'A', 4), line('2', 'B', 1)])),
  ])
  expect(kinds(result)).toEqual([
    'order #whole: 3 units committed',
    'order #split: 7 units committed',
    'order #short: 2 units committed, 3 short',
  ])
  expect(await reservationsOf(world.db, 'whole')).toEqual(['committed south A 2', 'committed south B 1'])
  expect(await reservationsOf(world.db, 'split')).toEqual(['committed north A 5', 'committed south A 2'])
  expect(await reservationsOf(world.db, 'short')).toEqual([
    'committed south A 1',
    'committed south B 1',
    'shortfall - A 3',
  ])
})

test('an unknown SKU parks the order, which leaves no trace, while the rest of the batch goes on', async () => {
  await world.addItem('A', { north: 5 })
  const before = await world.db.query('select (select count(*) from listings) as l, (select count(*) from people) as p')
  const parked = await world.apply([orderFact(order('1', [line('1', 'A', 1), line('2', 'NOPE', 1)]))])
  expect(kinds(parked)).toEqual(['parked unknown_sku listing:shop:NOPE'])
  expect(
    await world.db.query('select (select count(*) from listings) as l, (select count(*) from people) as p'),
  ).toEqual(before)
  const mixed = await world.apply([
    orderFact(order('1', [line('1', 'NOPE', 1)])),
    orderFact(order('2', [line('1', 'A', 1)])),
  ])
  expect(kinds(mixed)).toEqual(['parked unknown_sku listing:shop:NOPE', 'order #2: 1 units committed'])
  const free = await world.apply([orderFact(order('3', [line('1', 'GIFT', 1, { requires_shipping: false })]))])
  expect(kinds(free)).toEqual(['order #3'])
  expect(await axesOf(world.db, '3')).toMatchObject({ fulfillment: 'not_needed', reservation: 'none' })
})

test('an older picture never wins, the same one changes nothing, and a picture in between loses to a confirmed one', async () => {
  await world.addItem('A', { north: 50 })
  const at = (seconds: number, quantity: number) => orderFact(order('1', [line('1', 'A', quantity)], seconds))
  await world.apply([at(10, 4)])
  expect(kinds(await world.apply([at(5, 9)]))).toEqual(['ignored older'])
  expect(kinds(await world.apply([at(10, 4)]))).toEqual(['ignored same'])
  expect(kinds(await world.apply([at(20, 4)]))).toEqual(['ignored same'])
  expect(kinds(await world.apply([at(15, 7)]))).toEqual(['ignored older'])
  expect(kinds(await world.apply([at(30, 2), at(40, 3), at(35, 8)]))).toEqual([
    'ignored superseded',
    'order #1',
    'ignored superseded',
  ])
  expect(await stock('A')).toBe('north 47/0/3, south 0/0/0')
  expect(await soldSinceProof()).toEqual({ A: 3 })
})

test('edits before the work left change it in silence; an emptied work is dropped', async () => {
  await world.addItem('A', { south: 10 })
  await world.addItem('B', { south: 10 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  await world.apply([orderFact(order('1', [line('1', 'A', 5), line('2', 'B', 1)], 2))])
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 6 new:pending'])
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 3))])
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 2 new:pending'])
  expect(await stock('A')).toBe('north 0/0/0, south 8/0/2')
  expect(await stock('B')).toBe('north 0/0/0, south 10/0/0')
  await world.apply([orderFact(order('1', [line('1', 'A', 0)], 4))])
  expect(await workOf(world.db, '1')).toEqual(['south CANCELLED 0 new:cancelled'])
  await world.apply([orderFact(order('1', [line('1', 'A', 1)], 5))])
  expect(await workOf(world.db, '1')).toEqual(['south CANCELLED 0 new:cancelled', 'south OPEN 1 new:pending'])
  expect(await soldSinceProof()).toEqual({ A: 1, B: 0 })
})

test('after the work left, more units are new work and fewer ask it back; the order is planned anew when the answer comes', async () => {
  await world.addItem('A', { south: 10 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  const first = await numberOf()
  await send()
  await world.apply([orderFact(order('1', [line('1', 'A', 4)], 2))])
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 3 new:done', 'south OPEN 1 new:pending'])
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 3))])
  expect(await workOf(world.db, '1')).toEqual([
    'south OPEN 3 new:done cancel:pending',
    'south CANCELLED 0 new:cancelled',
  ])
  expect(await stock('A')).toBe('north 0/0/0, south 7/0/3')
  const verdict = {
    kind: 'acknowledgement',
    document: { fulfillment_order: first, verdict: 'cancelled', reason: null, at: instant(9) },
  } as const
  await world.apply([verdict], 'depot')
  expect(await workOf(world.db, '1')).toEqual([
    'south CANCELLED 0 new:done cancel:cancelled',
    'south CANCELLED 0 new:cancelled',
    'south OPEN 2 new:pending',
  ])
  expect(await stock('A')).toBe('north 0/0/0, south 8/0/2')
})

test('a cancellation before the work left frees everything; after it left, only the 3PL can', async () => {
  await world.addItem('A', { south: 10 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1)), orderFact(order('2', [line('1', 'A', 2)], 1))])
  expect(kinds(await world.apply([cancellation('1', 2)]))).toEqual(['order #1: cancelled'])
  expect(await workOf(world.db, '1')).toEqual(['south CANCELLED 0 new:cancelled'])
  expect(await axesOf(world.db, '1')).toMatchObject({ lifecycle: 'cancelled', reservation: 'released' })
  expect(await stock('A')).toBe('north 0/0/0, south 8/0/2')
  await send()
  await world.apply([
    orderFact(order('2', [line('1', 'A', 2)], 3, { lifecycle: 'cancelled', cancelled_at: instant(3) })),
  ])
  expect(await workOf(world.db, '2')).toEqual(['south OPEN 2 new:done cancel:pending'])
  expect(await stock('A')).toBe('north 0/0/0, south 8/0/2')
  expect(await soldSinceProof()).toEqual({ A: 0 })
})

test('a cancellation may come first: an older order is kept and reserves nothing, a newer picture brings it back', async () => {
  await world.addItem('A', { north: 10 })
  await world.apply([cancellation('1', 10)])
  expect(await axesOf(world.db, '1')).toMatchObject({ lifecycle: 'cancelled' })
  expect(kinds(await world.apply([orderFact(order('1', [line('1', 'A', 3)], 5))]))).toEqual(['order #1'])
  expect(await axesOf(world.db, '1')).toEqual({
    lifecycle: 'cancelled',
    payment: 'paid',
    fulfillment: 'unfulfilled',
    reservation: 'released',
  })
  expect(kinds(await world.apply([cancellation('1', 10), cancellation('1', 9)]))).toEqual([
    'ignored same',
    'ignored older',
  ])
  expect(await stock('A')).toBe('north 10/0/0')
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 20))])
  expect(await axesOf(world.db, '1')).toMatchObject({ lifecycle: 'open', reservation: 'committed' })
  expect(await soldSinceProof()).toEqual({ A: 3 })
})

test('a cancel refund takes units once, whether it comes inside the order, by itself, or both', async () => {
  await world.addItem('A', { north: 10 })
  const refunds = [cancelRefund('r1', '1', { '1': 2 }, 3)]
  expect(kinds(await world.apply([refundFact('r1', '1', { '1': 2 }, 3)]))).toEqual([
    'parked unknown_order order:shop:1',
  ])
  await world.apply([orderFact(order('1', [line('1', 'A', 5)], 1))])
  await world.apply([refundFact('r1', '1', { '1': 2 }, 3)])
  expect(await stock('A')).toBe('north 7/0/3, south 0/0/0')
  expect(kinds(await world.apply([refundFact('r1', '1', { '1': 2 }, 3)]))).toEqual(['ignored same'])
  await world.apply([orderFact(order('1', [line('1', 'A', 5)], 4, { refunds }))])
  expect(await stock('A')).toBe('north 7/0/3, south 0/0/0')
  expect(await axesOf(world.db, '1')).toMatchObject({ payment: 'partially_refunded' })
  await world.apply([
    orderFact(order('2', [line('1', 'A', 5)], 4, { refunds: [cancelRefund('r2', '2', { '1': 4 }, 3)] })),
  ])
  expect(await stock('A')).toBe('north 6/0/4, south 0/0/0')
  expect(await soldSinceProof()).toEqual({ A: 4 })
})

test('an unpaid order is held until its payment comes, by whichever name it knows the order', async () => {
  await world.addItem('A', { south: 10 })
  const unpaid = { payment_state: 'pending' as const, payment_ids: ['pi_1'] }
  expect(kinds(await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1, unpaid))]))).toEqual([
    'order #1: 2 units held',
  ])
  expect(await stock('A')).toBe('north 0/0/0, south 8/2/0')
  expect(await workOf(world.db, '1')).toEqual([])
  await world.apply([capture('ch_1', 2000, { payment_ids: ['pi_1'] })], 'bank')
  expect(await stock('A')).toBe('north 0/0/0, south 8/0/2')
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 2 new:pending'])
  expect(await axesOf(world.db, '1')).toMatchObject({ payment: 'paid', reservation: 'committed' })
  expect(kinds(await world.apply([capture('ch_2', 2000, { payment_ids: ['pi_2'] })], 'bank'))).toEqual([
    'capture succeeded, no order yet',
  ])
  await world.apply([orderFact(order('2', [line('1', 'A', 2)], 1, { ...unpaid, payment_ids: ['pi_2'] }))])
  expect(await axesOf(world.db, '2')).toMatchObject({ payment: 'paid', reservation: 'committed' })
})

test('a hold that nobody pays expires, its units go to who waits, and a late payment reserves anew', async () => {
  await world.addItem('A', { north: 2 })
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1, { payment_state: 'pending' }))])
  await world.apply([orderFact(order('2', [line('1', 'A', 1)], 2))])
  expect(await reservationsOf(world.db, '2')).toEqual(['shortfall - A 1'])
  const expire = () => inTransaction(world.db, (tx) => expireHolds(tx, world.ctx, 100))
  expect(await expire()).toBe(0)
  world.clock.now = new Date(world.clock.now.getTime() + 3_600_001)
  expect(await expire()).toBe(1)
  expect(await axesOf(world.db, '1')).toMatchObject({ reservation: 'released' })
  expect(await reservationsOf(world.db, '2')).toEqual(['committed north A 1'])
  await world.apply([capture('ch_1', 2000, { order_external_id: '1' })], 'bank')
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 1', 'shortfall - A 1'])
  await expectBooksToBalance(world.db)
})

test('freed units go to the longest waiting order that they suffice for', async () => {
  world.policies.set('shop', policy('shop', { shortfall: 'all_or_nothing' }))
  await world.addItem('A', { north: 3 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  await world.apply([orderFact(order('big', [line('1', 'A', 5)], 2))])
  await world.apply([orderFact(order('small', [line('1', 'A', 2)], 3))])
  expect(await axesOf(world.db, 'big')).toMatchObject({ reservation: 'shortfall' })
  await world.apply([cancellation('1', 4)])
  expect(await reservationsOf(world.db, 'big')).toEqual(['shortfall - A 5'])
  expect(await reservationsOf(world.db, 'small')).toEqual(['committed north A 2'])
  await receive(world.db, world.ctx, world.items.get('A')!, { north: 4 })
  await world.apply([orderFact(order('big', [line('1', 'A', 5)], 5, { shipping_method: 'express' }))])
  expect(await reservationsOf(world.db, 'big')).toEqual(['committed north A 5'])
})

test('a picture the database would refuse parks alone', async () => {
  await world.addItem('A', { north: 3 })
  const twice = order('1', [line('1', 'A', 1), line('1', 'A', 1)])
  const many = order('2', [line('1', 'A', 900_000_000), line('2', 'A', 900_000_000)])
  const result = await world.apply([orderFact(twice), orderFact(many), orderFact(order('3', [line('1', 'A', 1)]))])
  expect(kinds(result)).toEqual(['parked payload_invalid ', 'parked payload_invalid ', 'order #3: 1 units committed'])
})

test('test orders and lines that are not shipped take no stock', async () => {
  await world.addItem('A', { north: 3 })
  await world.apply([orderFact(order('1', [line('1', 'A', 1)], 1, { test: true }))])
  await world.apply([orderFact(order('2', [line('1', 'A', 1, { requires_shipping: false })], 1))])
  expect(await stock('A')).toBe('north 3/0/0')
})
