import { afterEach, beforeEach, expect, test } from 'vitest'
import { allocateWaiting } from '../../../src/core/inventory/allocate.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  createWorld, expectBooksToBalance, instant, kinds, line, order, orderFact, policy, reservationsOf, stockOf, type World,
} from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 64 })
})
afterEach(() => world.database.drop())

test('two lines of one SKU in one order are promised no more than there is', async () => {
  await world.addItem('A', { north: 3 })
  const result = await world.apply([orderFact(order('1', [line('1', 'A', 2), line('2', 'A', 2)]))])
  expect(kinds(result)).toEqual(['order #1: 3 units committed, 1 short'])
  await expectBooksToBalance(world.db)
})

test('kit lines that share a component are promised in whole kits', async () => {
  await world.addItem('cup', { north: 5 })
  await world.addItem('box', { north: 9 })
  await world.addItem('bow', { north: 9 })
  await world.addKit('pair', { cup: 2, box: 1 })
  await world.addKit('gift', { cup: 2, bow: 1 })
  await world.apply([orderFact(order('1', [line('1', 'pair', 2), line('2', 'gift', 2)]))])
  expect(await reservationsOf(world.db, '1')).toEqual([
    'committed north box 2',
    'committed north cup 4',
    'shortfall - bow 2',
    'shortfall - cup 4',
  ])
  expect((await stockOf(world.db, world.items.get('cup')!))['north']).toEqual({
    available: 1,
    reserved: 0,
    committed: 4,
  })
})

test('the loser of an all-or-nothing race keeps its order and takes nothing', async () => {
  world.policies.set('shop', policy('shop', { shortfall: 'all_or_nothing' }))
  await world.addItem('A', { north: 3 })
  await world.addItem('B', { north: 9 })
  const [one, two] = ['1', '2'].map((id) => orderFact(order(id, [line('1', 'A', 2), line('2', 'B', 1)])))
  await Promise.all([world.apply([one!]), world.apply([two!])])
  expect((await stockOf(world.db, world.items.get('A')!))['north']).toEqual({ available: 1, reserved: 0, committed: 2 })
  expect((await stockOf(world.db, world.items.get('B')!))['north']).toEqual({ available: 8, reserved: 0, committed: 1 })
  const work = await world.db.query('select 1 from fulfillment_orders')
  expect(work).toHaveLength(1)
})

test('64 transactions race for a few units: accepted is the smaller of stock and demand, and nobody hears of a deadlock', async () => {
  const skus = ['A', 'B', 'C', 'D']
  const units: Record<string, number> = { A: 1, B: 5, C: 40, D: 500 }
  for (const sku of skus)
    await world.addItem(sku, { north: Math.ceil(units[sku]! / 2), south: Math.floor(units[sku]! / 2) })
  const demand: Record<string, number> = { A: 0, B: 0, C: 0, D: 0 }
  const facts = Array.from({ length: 256 }, (_, index): Fact => {
    const wanted = skus.filter((_, place) => (index >> place) % 2 === 0).sort(() => (index % 3) - 1)
    const lines = wanted.map((sku, place) => {
      demand[sku]! += 1 + (index % 2)
      return line(String(place), sku, 1 + (index % 2))
    })
    return orderFact(order(`r${index}`, lines))
  })
  await Promise.all(Array.from({ length: 64 }, (_, place) => world.apply(facts.slice(place * 4, place * 4 + 4))))
  for (const sku of skus) {
    const places = Object.values(await stockOf(world.db, world.items.get(sku)!))
    const accepted = places.reduce((sum, place) => sum + place.committed, 0)
    expect([sku, accepted]).toEqual([sku, Math.min(units[sku]!, demand[sku]!)])
  }
})

test('orders, edits and cancellations of the same few items at once end balanced, with nobody short while units are free', async () => {
  for (const sku of ['A', 'B', 'C']) await world.addItem(sku, { north: 6, south: 6 })
  const skus = ['A', 'B', 'C']
  const life = (index: number): Fact[][] => {
    const [first, second] = [skus[index % 3]!, skus[(index + 1) % 3]!]
    return [
      [orderFact(order(`m${index}`, [line('1', first, 2), line('2', second, 1)], 1))],
      [orderFact(order(`m${index}`, [line('1', first, 1), line('2', second, 2)], 2))],
      index % 4 === 0
        ? [orderFact(order(`m${index}`, [line('1', first, 3)], 3))]
        : [
            {
              kind: 'cancellation',
              document: {
                external_id: `m${index}`,
                version: { updated_at: instant(3), observed_at: instant(3) },
                reason: null,
              },
            },
          ],
    ]
  }
  await Promise.all(
    Array.from({ length: 32 }, async (_, index) => {
      for (const facts of life(index)) await world.apply(facts)
    }),
  )
  await expectBooksToBalance(world.db)
  const stuck = await world.db.query(
    `select r.item_id from reservations r join stock s on s.item_id = r.item_id and s.available > 0 where r.state = 'shortfall'`,
  )
  expect(stuck).toEqual([])
})

test('two classes race for few units: nobody waits for a unit that no more urgent order needs, and none is promised twice', async () => {
  await world.db.query(`insert into connections (id, connector, company_id) values ('contract', 'shop', 'acme')`)
  world.policies.set('contract', policy('contract', { priority: 10, shortfall: 'all_or_nothing' }))
  const skus = ['A', 'B', 'C']
  for (const sku of skus) await world.addItem(sku, { north: 9, south: 6 })
  await Promise.all(
    Array.from({ length: 36 }, async (_, index) => {
      const [first, second] = [skus[index % 3]!, skus[(index + 1) % 3]!]
      const channel = index % 4 === 0 ? 'contract' : 'shop'
      const at = (seconds: number, units: number) =>
        orderFact(order(`c${index}`, [line('1', first, units), line('2', second, 1)], seconds))
      await world.apply([at(1, 1 + (index % 3))], channel)
      await world.apply([at(2, 1)], channel)
    }),
  )
  for (let round = 0; round < 3; round += 1) await inTransaction(world.db, (tx) => allocateWaiting(tx, world.ctx, 100))
  await expectBooksToBalance(world.db)
  const waiting = await world.db.query<{ sku: string; free: number; urgent: number; later: number }>(
    `select i.sku, (select sum(available) from stock s where s.item_id = i.id)::int as free,
       coalesce(sum(r.quantity) filter (where r.priority = 10), 0)::int as urgent,
       coalesce(sum(r.quantity) filter (where r.priority = 100), 0)::int as later
     from items i left join reservations r on r.item_id = i.id and r.state = 'shortfall' group by i.id, i.sku`,
  )
  expect(waiting.map((row) => row.sku).sort()).toEqual(skus)
  for (const { free, urgent, later } of waiting) expect(later === 0 || free <= urgent).toBe(true)
})

test('the same orders handed in by many at once are stored once', async () => {
  await world.addItem('A', { north: 100 })
  const facts = Array.from({ length: 10 }, (_, index) => orderFact(order(`s${index}`, [line('1', 'A', 1)])))
  const results = await Promise.all(
    Array.from({ length: 16 }, (_, place) => world.apply(place % 2 === 0 ? facts : facts.toReversed())),
  )
  const applied = results.flatMap(kinds).filter((text) => text.includes('committed'))
  expect(applied).toHaveLength(10)
  expect((await stockOf(world.db, world.items.get('A')!))['north']).toEqual({
    available: 90,
    reserved: 0,
    committed: 10,
  })
  const people = await world.db.query<{ people: number; orders: number }>(
    'select (select count(*) from people)::int as people, (select count(*) from orders)::int as orders',
  )
  expect(people).toEqual([{ people: 10, orders: 10 }])
})
