import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  axesOf, cancelRefund, capture, createWorld, expectBooksToBalance, inbound, instant, kinds, line, order, orderFact, stockOf, workOf,
  type World,
} from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 24 })
})
afterEach(() => world.database.drop())

test('one batch is worked off in the order in which its facts need each other', async () => {
  const facts: Fact[] = [
    { kind: 'signal', document: { stream: 'orders', reference: null } },
    { kind: 'refund', document: cancelRefund('r', '1', { '1': 1 }, 3) },
    capture('c', 3000, { order_external_id: '1' }),
    orderFact(order('1', [line('1', 'A', 3)], 1, { payment_state: 'pending' })),
    {
      kind: 'cancellation',
      document: { external_id: '2', version: { updated_at: instant(9), observed_at: instant(9) }, reason: null },
    },
    orderFact(order('2', [line('1', 'A', 3)], 1)),
    { kind: 'listing', document: { channel_sku: 'A', title: 'A', external: {}, quantity: null } },
  ]
  await world.addItem('A', { north: 10 })
  const result = await world.apply(facts)
  expect(kinds(result)).toEqual([
    'pull orders',
    'refund, order #1',
    'capture succeeded',
    'order #1: 3 units committed',
    'order #2: cancelled',
    'order #2: 3 units committed',
    'listing',
  ])
  expect(result.signals).toEqual([{ connection_id: 'shop', signal: { stream: 'orders', reference: null } }])
  expect(await stockOf(world.db, world.items.get('A')!)).toMatchObject({
    north: { available: 8, reserved: 0, committed: 2 },
  })
  expect(await axesOf(world.db, '2')).toMatchObject({ lifecycle: 'cancelled', reservation: 'released' })
})

test('a connection that is not configured parks its orders', async () => {
  expect(kinds(await world.apply([orderFact(order('1', []))], 'stranger'))).toEqual(['parked config_invalid '])
})

test('parked facts wake when what they wait for comes, and only those', async () => {
  const park = async (key: string, wake: string): Promise<void> => {
    await world.db.query(
      `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, wake_key)
       values ('shop', 'webhook', 't', $1, 'x', now(), now(), now(), 'parked', $2)`,
      [key, wake],
    )
  }
  await park('mine', 'order:shop:1')
  await park('other', 'order:shop:2')
  await world.addItem('A', { north: 1 })
  await world.apply([orderFact(order('1', [line('1', 'A', 1)]))])
  const states = await world.db.query<{ text: string }>(
    `select dedupe_key || ' ' || state as text from inbox order by 1`,
  )
  expect(states.map((row) => row.text)).toEqual(['mine pending', 'other parked'])
})

test('a whole life, from order to parcel, closes with every axis at its end', async () => {
  await world.addItem('A', { south: 5 })
  await world.addKit('KIT', { A: 2 })
  await world.apply([orderFact(order('1', [line('1', 'A', 1), line('2', 'KIT', 2)]))])
  await world.db.query(`update outbox set state = 'done', attempts = 1`)
  const [work] = await world.db.query<{ number: string }>('select number from fulfillment_orders')
  const fulfillment_order = work!.number
  const shipment = {
    external_id: 's1',
    fulfillment_order,
    shipped_at: instant(50),
    carrier: null,
    tracking_number: null,
    tracking_url: null,
  }
  await world.apply(
    [
      { kind: 'acknowledgement', document: { fulfillment_order, verdict: 'accepted', reason: null, at: instant(40) } },
      {
        kind: 'shipment',
        document: { ...shipment, lines: [{ sku: 'A', quantity: 5, line_reference: null, lot: null }] },
      },
    ],
    'depot',
  )
  expect(await axesOf(world.db, '1')).toEqual({
    lifecycle: 'open',
    payment: 'paid',
    fulfillment: 'fulfilled',
    reservation: 'consumed',
  })
  expect(await workOf(world.db, '1')).toEqual(['south CLOSED 0 new:done'])
  expect(await stockOf(world.db, world.items.get('A')!)).toMatchObject({
    south: { available: 0, reserved: 0, committed: 0 },
  })
  const [edit] = kinds(await world.apply([orderFact(order('1', [line('1', 'A', 1), line('2', 'KIT', 3)], 60))]))
  expect(edit).toBe('order #1: 2 short')
  expect(await axesOf(world.db, '1')).toMatchObject({ fulfillment: 'partial', reservation: 'partial' })
})

test('payments and the orders they pay for may arrive at the same moment, in any number of transactions', async () => {
  await world.addItem('A', { north: 100 })
  const ids = Array.from({ length: 24 }, (_, index) => `o${index}`)
  const pending = { payment_state: 'pending' as const }
  await Promise.all(
    ids.flatMap((id) => [
      world.apply([orderFact(order(id, [line('1', 'A', 1)], 1, { ...pending, payment_ids: [`pi-${id}`] }))]),
      world.apply([capture(`ch-${id}`, 1000, { payment_ids: [`pi-${id}`] })], 'bank'),
    ]),
  )
  for (const id of ids) expect(await axesOf(world.db, id)).toMatchObject({ payment: 'paid', reservation: 'committed' })
  await expectBooksToBalance(world.db)
})

test('a fault undoes the whole batch', async () => {
  await world.addItem('A', { north: 5 })
  const work = inTransaction(world.db, async (tx) => {
    await applyFacts(tx, world.ctx, inbound([orderFact(order('1', [line('1', 'A', 1)]))]))
    throw new Error('planted')
  })
  await expect(work).rejects.toThrow('planted')
  expect(await world.db.query('select 1 from orders')).toEqual([])
  expect(await stockOf(world.db, world.items.get('A')!)).toEqual({ north: { available: 5, reserved: 0, committed: 0 } })
})
