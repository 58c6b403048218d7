import { afterEach, beforeEach, expect, test } from 'vitest'
import type { Fact } from '../../../src/core/model/fact.ts'
import { expireHolds } from '../../../src/core/orders/expireHolds.ts'
import { placeOnHold, releaseFromHold, type HoldReason } from '../../../src/core/orders/hold.ts'
import { showOrder } from '../../../src/core/orders/read.ts'
import { CHECKS } from '../../../src/core/checks.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  axesOf, capture, createWorld, expectBooksToBalance, instant, line, order, orderFact, receive, reservationsOf, workOf, type World,
} from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld()
})
afterEach(async () => {
  for (const { name, broken } of CHECKS.filter((check) => check.broken.includes('reservation')))
    if ((await world.db.query(broken)).length > 0) throw new Error(`${name} is broken`)
  await world.database.drop()
})

const hold = (key: string, reason: HoldReason = 'HIGH_RISK_OF_FRAUD') =>
  inTransaction(world.db, (tx) => placeOnHold(tx, world.ctx, key, reason, 'user:anna'))
const release = (key: string) => inTransaction(world.db, (tx) => releaseFromHold(tx, world.ctx, key, 'user:anna'))
const expire = () => inTransaction(world.db, (tx) => expireHolds(tx, world.ctx, 100))
const later = (minutes: number): void => {
  world.clock.now = new Date(world.clock.now.getTime() + minutes * 60_000)
}
const cancellation = (external_id: string, at: number): Fact => ({
  kind: 'cancellation',
  document: { external_id, version: { updated_at: instant(at), observed_at: instant(at) }, reason: null },
})

test('unsent work of an order on hold stays here, and leaves as new work once it is released', async () => {
  await world.addItem('A', { south: 10 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  expect(await hold('#1')).toMatchObject({ number: '#1', hold_reason: 'HIGH_RISK_OF_FRAUD', changed: true })
  expect(await workOf(world.db, '1')).toEqual(['south ON_HOLD 3 new:cancelled'])
  expect(await hold('#1')).toMatchObject({ changed: false })
  expect(await hold('#1', 'INCORRECT_ADDRESS')).toMatchObject({ hold_reason: 'INCORRECT_ADDRESS', changed: true })
  expect(await showOrder(world.db, world.ctx, '#1')).toMatchObject({
    hold_reason: 'INCORRECT_ADDRESS',
    held_at: instant(0),
  })
  expect(await release('#1')).toMatchObject({ hold_reason: null, changed: true })
  expect(await workOf(world.db, '1')).toEqual(['south CANCELLED 0 new:cancelled', 'south OPEN 3 new:pending'])
  expect(await release('#1')).toMatchObject({ changed: false })
  expect(await axesOf(world.db, '1')).toMatchObject({ reservation: 'committed' })
  await expectBooksToBalance(world.db)
  const { timeline } = await showOrder(world.db, world.ctx, '#1')
  expect(timeline.filter(({ source }) => source === 'user:anna').map(({ kind }) => kind)).toEqual([
    'order.held',
    'order.held',
    'order.released',
    'reservation.released',
    'reservation.committed',
    'fulfillment_order.created',
  ])
  const audit = await world.db.query<{ action: string; actor: string }>(
    'select action, actor from audit_log order by id',
  )
  expect(audit.map(({ action, actor }) => `${actor} ${action}`)).toEqual([
    'user:anna order.hold',
    'user:anna order.hold',
    'user:anna order.release',
  ])
})

test("a released order is planned from today's stock, and its own units are its own first", async () => {
  await world.addItem('A', { south: 3 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1))])
  await hold('#1')
  await world.apply([orderFact(order('2', [line('1', 'A', 2)], 2))])
  expect(await reservationsOf(world.db, '2')).toEqual(['shortfall - A 2'])
  await release('#1')
  expect(await reservationsOf(world.db, '1')).toEqual(['committed south A 3'])
  expect(await reservationsOf(world.db, '2')).toEqual(['shortfall - A 2'])
  await hold('#1')
  await receive(world.db, world.ctx, world.items.get('A')!, { north: 3 })
  await release('#1')
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 3'])
  // What it left at the other place went to who waited.
  expect(await reservationsOf(world.db, '2')).toEqual(['committed south A 2'])
  await expectBooksToBalance(world.db)
})

test('held units do not expire while the order is on hold, and have their whole time again afterwards', async () => {
  await world.addItem('A', { south: 3 })
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 1, { payment_state: 'pending' }))])
  await hold('#1', 'AWAITING_PAYMENT')
  later(61)
  expect(await expire()).toBe(0)
  await release('#1')
  expect(await reservationsOf(world.db, '1')).toEqual(['held south A 3'])
  later(59)
  expect(await expire()).toBe(0)
  later(2)
  expect(await expire()).toBe(1)
  expect(await axesOf(world.db, '1')).toMatchObject({ reservation: 'released' })
})

test('what becomes reserved during the hold waits as well', async () => {
  await world.addItem('A', { north: 2, south: 2 })
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1, { payment_state: 'pending' }))])
  await hold('#1')
  await world.apply([capture('ch_1', 2000, { order_external_id: '1' })], 'bank')
  await world.apply([orderFact(order('1', [line('1', 'A', 4)], 2, { payment_state: 'pending' }))])
  expect(await workOf(world.db, '1')).toEqual(['north ON_HOLD 2', 'south ON_HOLD 2'])
  await release('#1')
  expect(await workOf(world.db, '1')).toEqual([
    'north CANCELLED 0',
    'south CANCELLED 0',
    'north OPEN 2',
    'south OPEN 2 new:pending',
  ])
})

test('work that has left is not called back by a hold, and stays as it is when the order is released', async () => {
  await world.addItem('A', { south: 5 })
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1))])
  await world.db.query(`update outbox set state = 'done', attempts = 1, done_at = now() where kind = 'fulfillment.new'`)
  await world.apply([orderFact(order('1', [line('1', 'A', 3)], 2))])
  await hold('#1')
  expect(await workOf(world.db, '1')).toEqual(['south OPEN 2 new:done', 'south ON_HOLD 1 new:cancelled'])
  await release('#1')
  expect(await workOf(world.db, '1')).toEqual([
    'south OPEN 2 new:done',
    'south CANCELLED 0 new:cancelled',
    'south OPEN 1 new:pending',
  ])
})

test('an order that is cancelled on hold gives everything back; one that is over cannot be put on hold', async () => {
  await world.addItem('A', { south: 5 })
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 1))])
  await hold('#1')
  await world.apply([cancellation('1', 5)])
  expect(await workOf(world.db, '1')).toEqual(['south CANCELLED 0 new:cancelled'])
  expect(await reservationsOf(world.db, '1')).toEqual([])
  await release('#1')
  expect(await axesOf(world.db, '1')).toMatchObject({ lifecycle: 'cancelled', reservation: 'released' })
  await expect(hold('#1')).rejects.toMatchObject({ code: 'conflict' })
  await expect(hold('nobody')).rejects.toMatchObject({ code: 'not_found' })
})

test('a hold and an edit of the same order at once end in one state, with nothing sent', async () => {
  await world.addItem('A', { south: 50 })
  for (let round = 0; round < 5; round += 1) {
    await world.apply([orderFact(order(`r${round}`, [line('1', 'A', 2)], 1))])
    await Promise.all([hold(`#r${round}`), world.apply([orderFact(order(`r${round}`, [line('1', 'A', 3)], 2))])])
    expect(await workOf(world.db, `r${round}`)).toEqual(['south ON_HOLD 3 new:cancelled'])
  }
})
