import { afterEach, beforeEach, expect, test } from 'vitest'
import { eraseDelivered } from '../../../src/core/people/eraseDelivered.ts'
import { readPerson } from '../../../src/core/people/people.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, line, order, orderFact, policy, type World } from '../../kit/orders.ts'

/** The channel `shop` may keep people for thirty days; `depot`, as any other, for as long as the order. */
let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.addItem('A', { north: 100 })
  world.policies.set('shop', policy('shop', { personal_data_days: 30 }))
})
afterEach(() => world.database.drop())

const DAY_MS = 86_400_000
const ada: Order['buyer'] = { external_id: null, email: 'ada@example.test', name: 'Ada', phone: null }
const place = (id: string, change: Partial<Order> = {}, at = 0, channel = 'shop') =>
  world.apply([orderFact(order(id, [line('1', 'A', 1)], at, change))], channel)
const read = async (id: string) => {
  const [row] = await world.db.query<{ person_id: string }>('select person_id from orders where external_id = $1', [id])
  return readPerson(world.db, world.ctx.vault, row!.person_id)
}
const isErased = async (id: string): Promise<boolean> => (await read(id)) === 'erased'
const forget = (days: number) =>
  inTransaction(world.db, (tx) =>
    eraseDelivered(tx, { ...world.ctx, now: new Date(world.clock.now.getTime() + days * DAY_MS) }, 100),
  )
const delivered = (id: string, days_ago: number) =>
  world.db.query(
    `update orders set fulfillment_state = 'fulfilled', delivered_at = $2::timestamptz - $3 * interval '1 day' where external_id = $1`,
    [id, world.clock.now, days_ago],
  )

test('an order is forgotten thirty days after its delivery, not a day before, and once', async () => {
  await place('1')
  await delivered('1', 0)
  expect(await forget(29)).toEqual({ orders: 0, people: 0, subjects: 0, bodies: 0 })
  expect(await isErased('1')).toBe(false)
  expect(await forget(30)).toMatchObject({ orders: 1, people: 1, subjects: 1 })
  expect(await isErased('1')).toBe(true)
  expect(await forget(31)).toEqual({ orders: 0, people: 0, subjects: 0, bodies: 0 })
  expect(await world.db.query(`select action, data from audit_log where action = 'privacy.time_is_over'`)).toEqual([
    { action: 'privacy.time_is_over', data: { orders: 1, people: 1, subjects: 1, bodies: 0 } },
  ])
})

test('one that is still to be served is kept however old it is, and so are those of other channels', async () => {
  await place('open')
  await place('elsewhere', { lifecycle: 'closed' }, 0, 'depot')
  expect(await forget(400)).toMatchObject({ orders: 0 })
  expect([await isErased('open'), await isErased('elsewhere')]).toEqual([false, false])
})

test('a cancelled order counts from its cancellation, a closed one that we did not ship from its end', async () => {
  await place('cancelled', {
    lifecycle: 'cancelled',
    cancelled_at: new Date(world.clock.now.getTime() - 31 * DAY_MS).toISOString(),
  })
  await place('closed', { lifecycle: 'closed' })
  expect(await forget(0)).toMatchObject({ orders: 1 })
  expect([await isErased('cancelled'), await isErased('closed')]).toEqual([true, false])
  expect(await forget(31)).toMatchObject({ orders: 1 })
})

test('a buyer’s key lives as long as one of their orders does', async () => {
  await place('1', { buyer: ada })
  await place('2', { buyer: ada })
  await delivered('1', 31)
  expect(await forget(0)).toMatchObject({ orders: 1, people: 1, subjects: 0 })
  expect(await isErased('1')).toBe(true)
  expect(await read('2')).toMatchObject({ buyer: { name: 'Ada' } })
  await delivered('2', 31)
  expect(await forget(0)).toMatchObject({ orders: 1, people: 1, subjects: 1 })
  expect(
    await world.db.query('select 1 from people_keys where wrapped_key is not null or email_lookup is not null'),
  ).toEqual([])
})

test('raw messages go too, those that come late as well; a late picture brings nobody back', async () => {
  const message = async (key: string, state = 'done'): Promise<string> => {
    const [row] = await world.db.query<{ id: number }>(
      `insert into inbox (connection_id, source, topic, dedupe_key, body, body_sha256, observed_at, received_at, state, next_attempt_at)
       values ('shop', 'poll', 'order', $1, 'sealed', 'hash', now(), now(), $2, now()) returning id`,
      [key, state],
    )
    return `inbox:${row!.id}`
  }
  const bodies = async () =>
    (
      await world.db.query<{ dedupe_key: string }>('select dedupe_key from inbox where body is not null order by id')
    ).map(({ dedupe_key }) => dedupe_key)
  await place('1')
  await place('2')
  const [{ id }] = (await world.db.query<{ id: string }>(`select id from orders where external_id = '1'`)) as [
    { id: string },
  ]
  const remember = (source: string) =>
    world.db.query('insert into order_repeats (order_id, source) values ($1, $2)', [id, source])
  await remember(await message('first'))
  await message('somebody else')
  await delivered('1', 31)
  expect(await forget(0)).toMatchObject({ orders: 1, bodies: 1 })
  expect(await bodies()).toEqual(['somebody else'])
  await place('1', { shipping_method: 'late', lifecycle: 'closed' }, 9)
  expect(await isErased('1')).toBe(true)
  await remember(await message('late'))
  expect(await forget(0)).toMatchObject({ orders: 0, bodies: 1 })
  expect(await bodies()).toEqual(['somebody else'])
})
