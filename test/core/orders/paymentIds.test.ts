import { afterEach, beforeEach, expect, test } from 'vitest'
import { axesOf, capture, createWorld, kinds, line, order, orderFact, type World } from '../../kit/orders.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.addItem('A', { north: 10 })
})
afterEach(() => world.database.drop())

const lines = [line('1', 'A', 1)]
const unpaid = { payment_state: 'pending' } as const
const idsOf = async (): Promise<string[]> => {
  const [row] = await world.db.query<{ payment_ids: string[] }>('select payment_ids from orders')
  return row!.payment_ids.toSorted()
}
const updates = async (): Promise<number> =>
  (await world.db.query(`select 1 from order_facts where kind = 'order.updated'`)).length

test('a later message that names no payments keeps those that are known, and is no change', async () => {
  await world.apply([orderFact(order('1', lines, 1, { payment_ids: ['pay-1'] }))])
  expect(kinds(await world.apply([orderFact(order('1', lines, 2))]))).toEqual(['ignored same'])
  expect(await idsOf()).toEqual(['pay-1'])
  await world.apply([orderFact(order('1', [line('1', 'A', 2)], 3))])
  expect(await idsOf()).toEqual(['pay-1'])
  for (const at of [4, 5, 6, 7])
    await world.apply([
      orderFact(order('1', [line('1', 'A', 2)], at, { payment_ids: at % 2 === 0 ? ['pay-1', 'pay-2'] : [] })),
    ])
  expect(await idsOf()).toEqual(['pay-1', 'pay-2'])
  expect(await updates()).toBe(1)
})

test('a message that is no news otherwise joins the payments that it names', async () => {
  await world.apply([orderFact(order('1', lines, 2, unpaid))])
  expect(await axesOf(world.db, '1')).toMatchObject({ payment: 'pending', reservation: 'held' })
  await world.apply([capture('pay-7', 1000, {})], 'bank')
  expect(kinds(await world.apply([orderFact(order('1', lines, 1, { ...unpaid, payment_ids: ['pay-7'] }))]))).toEqual([
    'ignored same',
  ])
  expect(await axesOf(world.db, '1')).toMatchObject({ payment: 'paid', reservation: 'committed' })
})

test('pictures of one batch give their payment ids to the one that counts', async () => {
  await world.apply([
    orderFact(order('1', lines, 1, { payment_ids: ['pay-1'] })),
    orderFact(order('1', lines, 3, { payment_ids: ['pay-3'] })),
    orderFact(order('1', lines, 2, { payment_ids: ['pay-2'] })),
  ])
  expect(await idsOf()).toEqual(['pay-1', 'pay-2', 'pay-3'])
})
