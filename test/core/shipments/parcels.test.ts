import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadShipmentNotices } from '../../../src/core/fulfillment/requests.ts'
import { openWork } from '../../../src/core/fulfillment/work.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, orderOf, shipmentFact, timelineOf, workOf, type World } from '../world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.apply(
    'wms',
    countFact(world, 'N1', -1, { TEA: 50, MUG: 50, SPOON: 10 }),
    countFact(world, 'S1', -1, { SPOON: 0 }),
  )
})
afterAll(() => world.drop())

const noticesOf = async (order: string) => {
  const rows = await world.db.query<{ id: number; kind: string; reference: Record<string, string> }>(
    `select x.id, x.kind, x.reference from outbox x join orders o on o.id = x.order_id
     where o.external_id = $1 and x.kind = 'shipment.send' order by x.id`,
    [order],
  )
  const loaded = await loadShipmentNotices(world.db, world.ctx, rows)
  return { ...loaded, silent: loaded.silent.map((id) => rows.findIndex((row) => row.id === id)) }
}
const answer = (fulfillment_order: string, verdict: 'accepted' | 'rejected'): Fact => ({
  kind: 'acknowledgement',
  document: { fulfillment_order, verdict, reason: null, at: world.ctx.now.toISOString() },
})
const sent = (id: string) => world.db.query(`update fulfillment_orders set state = 'SCHEDULED' where id = $1`, [id])

test('a parcel that completes no unit is silent, and its number leaves with the parcel that completes it', async () => {
  await world.apply('shop', orderFact(world, 'K', [{ sku: 'GIFT', quantity: 2 }, { sku: 'MUG', quantity: 1 }])) // prettier-ignore
  const [work] = await workOf(world, 'K')
  const ship = (id: string, units: Record<string, number>, line: string) =>
    world.apply(
      'wms',
      shipmentFact(world, id, work!.number, {}, {
        lines: Object.entries(units).map(([sku, quantity]) => ({ sku, quantity, line_reference: line, lot: null })),
      }), // prettier-ignore
    )
  await ship('K-1', { TEA: 3 }, 'L1')
  await ship('K-2', { TEA: 1 }, 'L1')
  await ship('K-3', { MUG: 1 }, 'L2')
  await ship('K-4', { MUG: 1 }, 'L1')
  await ship('K-5', { MUG: 1 }, 'L1')
  const { notices, silent } = await noticesOf('K')
  expect(silent).toEqual([0, 1])
  expect(notices.map((notice) => [notice.tracking_number, notice.more_tracking_numbers, notice.lines])).toEqual([
    ['T-K-3', [], [{ line_external_id: 'L2', channel_sku: 'MUG', quantity: 1 }]],
    ['T-K-4', ['T-K-1', 'T-K-2'], [{ line_external_id: 'L1', channel_sku: 'GIFT', quantity: 1 }]],
    ['T-K-5', [], [{ line_external_id: 'L1', channel_sku: 'GIFT', quantity: 1 }]],
  ])
})

test('a place that has refused an order is not asked again, neither by freed stock nor by an edit', async () => {
  await world.apply('shop', orderFact(world, 'P', [{ sku: 'SPOON', quantity: 3 }]))
  const [first] = await workOf(world, 'P')
  expect(first?.location_id).toBe('north')
  await world.apply('wms', answer(first!.number, 'rejected'))
  expect(await orderOf(world, 'P')).toMatchObject({ reservation_state: 'shortfall' })
  world.moveTo(10)
  await world.apply('wms', countFact(world, 'N1', 9, { SPOON: 20 }))
  expect(await orderOf(world, 'P')).toMatchObject({ reservation_state: 'shortfall' })
  await world.apply('shop', orderFact(world, 'P', [{ sku: 'SPOON', quantity: 2 }]))
  expect(await orderOf(world, 'P')).toMatchObject({ reservation_state: 'shortfall' })
  await world.apply('wms', countFact(world, 'S1', 9, { SPOON: 20 }))
  expect(await orderOf(world, 'P')).toMatchObject({ reservation_state: 'committed' })
  expect((await workOf(world, 'P')).map((work) => [work.location_id, work.state])).toEqual([
    ['north', 'CANCELLED'],
    ['south', 'OPEN'],
  ])
})

test('a word about work that nobody knows wakes when the work appears', async () => {
  await world.db.query(
    `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, state, next_attempt_at, wake_key)
     values ('wms', 'api', 'shipment', 'early', '\\x00', now(), now(), 'parked', now(), 'fulfillment_order:FO-000000000001')`,
  )
  const { id: order_id } = await orderOf(world, 'P')
  const ctx = { ...world.ctx, newId: () => '00000000-0000-7000-8000-000000000001' }
  await inTransaction(world.db, (tx) =>
    openWork(tx, ctx, [{ order_id, location_id: 'north', connection_id: 'shop' }], new Map(), () => 'test:1'),
  )
  const [row] = await world.db.query<{ state: string }>(`select state from inbox where dedupe_key = 'early'`)
  expect(row?.state).toBe('pending')
  await world.db.query(`delete from outbox where key = 'fulfillment.new:FO-000000000001'`)
  await world.db.query(`delete from fulfillment_orders where number = 'FO-000000000001'`)
  await world.db.query(`delete from inbox where dedupe_key = 'early'`)
})

test('units that a count found missing are applied when they were shipped all the same', async () => {
  world.moveTo(20)
  await world.apply('shop', orderFact(world, 'G', [{ sku: 'TEA', quantity: 4 }]))
  const [work] = await workOf(world, 'G')
  await sent(work!.id)
  world.moveTo(30)
  await world.apply('wms', countFact(world, 'N1', 29, { TEA: 2 }))
  expect(await orderOf(world, 'G')).toMatchObject({ reservation_state: 'partial' })
  world.moveTo(31)
  const [tooMany] = await world.apply('wms', shipmentFact(world, 'G-0', work!.number, { TEA: 5 }))
  expect(tooMany).toMatchObject({ kind: 'parked', error: { code: 'over_shipped' } })
  const [outcome] = await world.apply('wms', shipmentFact(world, 'G-1', work!.number, { TEA: 4 }))
  expect(outcome).toMatchObject({ kind: 'applied', summary: `shipped 4 units of ${work!.number}` })
  expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 0, available: 0, committed: 0 })
  expect(await orderOf(world, 'G')).toMatchObject({ reservation_state: 'consumed', fulfillment_state: 'fulfilled' })
  expect(await workOf(world, 'G')).toMatchObject([{ state: 'CLOSED' }])
  expect(await timelineOf(world, 'G')).toContain('shipment.of_shortfall')
  const [again] = await world.apply('wms', shipmentFact(world, 'G-2', work!.number, { TEA: 1 }))
  expect(again).toMatchObject({ kind: 'parked', error: { code: 'over_shipped' } })
})

test('when units come back to the shelf first, the work that lost them has them again and no second work is made', async () => {
  world.moveTo(40)
  await world.apply('wms', countFact(world, 'N1', 39, { TEA: 4 }))
  await world.apply('shop', orderFact(world, 'H', [{ sku: 'TEA', quantity: 4 }]))
  const [first] = await workOf(world, 'H')
  await sent(first!.id)
  world.moveTo(50)
  await world.apply('wms', countFact(world, 'N1', 45, { TEA: 0 }))
  expect(await orderOf(world, 'H')).toMatchObject({ reservation_state: 'shortfall' })
  await world.apply('wms', countFact(world, 'N1', 46, { TEA: 5 }))
  expect(await world.stock('TEA', 'north')).toMatchObject({ available: 1, committed: 4 })
  expect(await timelineOf(world, 'H')).toContain('reservation.restored')
  await world.apply('wms', shipmentFact(world, 'H-1', first!.number, { TEA: 4 }))
  expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 1, available: 1, committed: 0 })
  expect(await orderOf(world, 'H')).toMatchObject({ reservation_state: 'consumed', fulfillment_state: 'fulfilled' })
  expect((await workOf(world, 'H')).map((work) => work.state)).toEqual(['CLOSED'])
})

test('a count taken after they had left has none of them, so nothing is taken off', async () => {
  world.moveTo(60)
  await world.apply('wms', countFact(world, 'N1', 59, { TEA: 3 }))
  await world.apply('mall', orderFact(world, 'I', [{ sku: 'TEA', quantity: 3 }]))
  const [work] = await workOf(world, 'I')
  await sent(work!.id)
  const shipped_at = world.at(60.5).toISOString()
  world.moveTo(70)
  await world.apply('wms', countFact(world, 'N1', 65, { TEA: 0 }))
  await world.apply('wms', shipmentFact(world, 'I-1', work!.number, { TEA: 3 }, { shipped_at }))
  expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 0, available: 0, committed: 0 })
  expect(await orderOf(world, 'I')).toMatchObject({ fulfillment_state: 'fulfilled' })
})

test('units that were counted out are shipped although their order was cancelled before the word of it came', async () => {
  world.moveTo(80)
  await world.apply('wms', countFact(world, 'N1', 79, { TEA: 8 }))
  const lines = [
    { sku: 'TEA-4PACK', quantity: 2 },
    { sku: 'MUG', quantity: 1 },
  ]
  await world.apply('shop', orderFact(world, 'LATE', lines))
  const [work] = await workOf(world, 'LATE')
  await sent(work!.id)
  await world.db.query(`update outbox set attempts = 1 where key = $1`, [`fulfillment.new:${work!.number}`])
  world.moveTo(81)
  await world.apply('wms', countFact(world, 'N1', 80.5, { TEA: 0 }))
  world.moveTo(82)
  await world.apply('shop', orderFact(world, 'LATE', lines, { lifecycle: 'cancelled' }))
  // With the order went what was missing of it; only the mug is still held for the work that was sent.
  const held = await world.db.query(`select r.state, r.quantity from reservations r join orders o on o.id = r.order_id where o.external_id = 'LATE'`) // prettier-ignore
  expect(held).toEqual([{ state: 'committed', quantity: 1 }])
  const shipped_at = world.at(80.2).toISOString()
  const [outcome] = await world.apply(
    'wms',
    shipmentFact(world, 'LATE-1', work!.number, { TEA: 8, MUG: 1 }, { shipped_at }),
  )
  expect(outcome).toMatchObject({ kind: 'applied', summary: `shipped 9 units of ${work!.number}` })
  const consumed = await world.db.query(`select i.sku, r.per_unit, r.consumed_quantity from reservations r join items i on i.id = r.item_id
    join orders o on o.id = r.order_id where o.external_id = 'LATE' and r.state = 'consumed' order by 1`) // prettier-ignore
  expect(consumed).toEqual([
    { sku: 'MUG', per_unit: 1, consumed_quantity: 1 },
    { sku: 'TEA', per_unit: 4, consumed_quantity: 8 },
  ])
  expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 0, available: 0, committed: 0 })
})

test('units that were counted out and shipped all the same are not what the rest of their line waits for', async () => {
  world.moveTo(90)
  await world.apply('wms', countFact(world, 'N1', 89, { TEA: 3 }))
  await world.apply('shop', orderFact(world, 'REST', [{ sku: 'TEA', quantity: 10 }]))
  const [work] = await workOf(world, 'REST')
  await sent(work!.id)
  world.moveTo(91)
  await world.apply('wms', countFact(world, 'N1', 90.5, { TEA: 0 }))
  const missing = () =>
    world.db.query(`select r.quantity, r.lost_from is not null as lost from reservations r join orders o on o.id = r.order_id
      where o.external_id = 'REST' and r.state = 'shortfall' order by r.quantity`) // prettier-ignore
  expect(await missing()).toEqual([
    { quantity: 3, lost: true },
    { quantity: 7, lost: false },
  ])
  const parcel = (name: string, TEA: number) => shipmentFact(world, name, work!.number, { TEA }, { shipped_at: world.at(90.2).toISOString() }) // prettier-ignore
  await world.apply('wms', parcel('REST-1', 2))
  expect(await missing()).toEqual([
    { quantity: 1, lost: true },
    { quantity: 7, lost: false },
  ])
  await world.apply('wms', parcel('REST-2', 1))
  expect(await missing()).toEqual([{ quantity: 7, lost: false }])
})

test('and every invariant is whole', async () => {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
})
