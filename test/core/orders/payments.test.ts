import { afterEach, beforeEach, expect, test } from 'vitest'
import { axesOf, capture, createWorld, expectBooksToBalance, kinds, line, order, orderFact, type World } from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.addItem('A', { south: 100 })
})
afterEach(() => world.database.drop())

const unpaid = (external_id: string) =>
  orderFact(
    order(external_id, [line('1', 'A', 1)], 1, { payment_state: 'pending', payment_ids: [`pi_${external_id}`] }),
  )
const paid = (external_id: string) => capture(`ch_${external_id}`, 1000, { payment_ids: [`pi_${external_id}`] })

test('a batch of payments finds its orders in one go, and keeps what belongs to nobody yet', async () => {
  await world.apply([unpaid('1'), unpaid('2'), unpaid('3')])
  const batch = [paid('1'), paid('2'), paid('9'), paid('2')]
  expect(kinds(await world.apply(batch, 'bank'))).toEqual([
    'capture succeeded',
    'ignored superseded',
    'capture succeeded, no order yet',
    'capture succeeded',
  ])
  for (const external_id of ['1', '2'])
    expect(await axesOf(world.db, external_id)).toMatchObject({ payment: 'paid', reservation: 'committed' })
  expect(await axesOf(world.db, '3')).toMatchObject({ payment: 'pending' })
  const timeline = await world.db.query(`select 1 from order_facts where kind = 'payment.recorded'`)
  expect(timeline).toHaveLength(2)
  expect((await world.apply(batch, 'bank')).outcomes.map(({ kind }) => kind)).toEqual(Array(4).fill('ignored'))
  await world.apply([unpaid('9')])
  expect(await axesOf(world.db, '9')).toMatchObject({ payment: 'paid', reservation: 'committed' })
  await expectBooksToBalance(world.db)
})

test('payments and their orders that come at the same moment do not pass each other unseen', async () => {
  const ids = Array.from({ length: 40 }, (_, index) => `${index + 1}`)
  await Promise.all(ids.flatMap((id) => [world.apply([paid(id)], 'bank'), world.apply([unpaid(id)])]))
  const states = await world.db.query('select payment_state, count(*)::int as orders from orders group by 1')
  expect(states).toEqual([{ payment_state: 'paid', orders: 40 }])
})
