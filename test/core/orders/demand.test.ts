import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import { CHECKS } from '../../../src/core/checks.ts'
import type { ConnectionPolicy } from '../../../src/core/context.ts'
import { allocateShortfalls, allocateWaiting } from '../../../src/core/inventory/allocate.ts'
import { lockStock } from '../../../src/core/inventory/ledger.ts'
import type { OrderLine } from '../../../src/core/model/order.ts'
import { showOrder } from '../../../src/core/orders/read.ts'
import type { Tx } from '../../../src/db/pool.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import {
  axesOf, createWorld, expectBooksToBalance, inbound, instant, kinds, line, order, orderFact, policy, receive, reservationsOf, stockOf,
  workOf, type World,
} from '../../kit/orders.ts' // prettier-ignore

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 8 })
  await world.db.query(`insert into connections (id, connector, company_id) values ('contract', 'shop', 'acme')`)
})
afterEach(async () => {
  await expectBooksToBalance(world.db)
  for (const { name, broken } of CHECKS.filter((check) => check.broken.includes('reservation')))
    if ((await world.db.query(broken)).length > 0) throw new Error(`${name} is broken`)
  await world.database.drop()
})

const choose = (id: string, change: Partial<ConnectionPolicy>): unknown => world.policies.set(id, policy(id, change))
const wish = (id: string, lines: OrderLine[], change: Parameters<typeof order>[3] = {}) =>
  orderFact(order(id, lines, 1, change))
/** Units come in, and are given to who waits. */
async function arrive(sku: string, units: Record<string, number>): Promise<void> {
  const item_id = world.items.get(sku)!
  await receive(world.db, world.ctx, item_id, units)
  await inTransaction(world.db, async (tx) => {
    await lockStock(
      tx,
      Object.keys(units).map((location_id) => ({ item_id, location_id })),
      world.ctx.now,
    )
    await allocateShortfalls(tx, world.ctx, [item_id])
  })
}
const ids = (external_id: string) =>
  world.db.query<{ id: number; state: string; quantity: number }>(
    `select r.id, r.state, r.quantity from reservations r join orders o on o.id = r.order_id
     where o.external_id = $1 and r.state in ('held', 'committed', 'shortfall') order by r.id`,
    [external_id],
  )
const waitingRows = () =>
  world.db.query<{ text: string }>(
    `select o.external_id || ' ' || r.priority || case when r.backordered then ' backordered' else '' end as text
     from reservations r join orders o on o.id = r.order_id where r.state = 'shortfall' order by r.id`,
  )

test('an order larger than the stock takes what is there and says what is missing', async () => {
  await world.addItem('A', { north: 2, south: 1 })
  expect(kinds(await world.apply([wish('1', [line('1', 'A', 5)])]))).toEqual(['order #1: 3 units committed, 2 short'])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2', 'committed south A 1', 'shortfall - A 2'])
})

test('the loser of an all-or-nothing batch leaves nothing behind: no units, no work, and the others are served', async () => {
  choose('shop', { shortfall: 'all_or_nothing' })
  await world.addItem('A', { north: 4 })
  await world.addItem('B', { north: 1 })
  await world.apply([
    wish('1', [line('1', 'A', 3), line('2', 'B', 2)], { placed_at: instant(-2) }),
    wish('2', [line('1', 'A', 4)], { placed_at: instant(-1) }),
  ])
  expect(await reservationsOf(world.db, '1')).toEqual(['shortfall - A 3', 'shortfall - B 2'])
  expect(await workOf(world.db, '1')).toEqual([])
  expect(await reservationsOf(world.db, '2')).toEqual(['committed north A 4'])
})

test('a change of quantity is a delta: what does not change keeps its rows', async () => {
  await world.addItem('A', { north: 9 })
  await world.addItem('B', { north: 9 })
  await world.apply([wish('1', [line('1', 'A', 2), line('2', 'B', 2)])])
  const [a, b] = await ids('1')
  await world.apply([orderFact(order('1', [line('1', 'A', 5), line('2', 'B', 2)], 2))])
  const after = await ids('1')
  expect(after.slice(0, 2)).toEqual([a, b])
  expect(after[2]).toMatchObject({ quantity: 3 })
  await world.apply([orderFact(order('1', [line('1', 'A', 4), line('2', 'B', 2)], 3))])
  expect((await ids('1')).map((row) => [row.id, row.quantity])).toEqual([
    [a!.id, 2],
    [b!.id, 2],
    [after[2]!.id, 2],
  ])
  expect((await stockOf(world.db, world.items.get('A')!))['north']).toMatchObject({ available: 5, committed: 4 })
})

test('in one batch the contract comes before the webstore, then the ship date, then age', async () => {
  choose('contract', { priority: 10 })
  await world.addItem('A', { north: 3 })
  await inTransaction(world.db, (tx) =>
    applyFacts(tx, world.ctx, [
      ...inbound([wish('old', [line('1', 'A', 1)], { placed_at: instant(-500) })]),
      ...inbound([wish('dated', [line('1', 'A', 1)], { ship_by: instant(9_000) })]),
      ...inbound([wish('sooner', [line('1', 'A', 1)], { ship_by: instant(8_000) })]),
      ...inbound([wish('b2b', [line('1', 'A', 1)])], 'contract'),
    ]),
  )
  const served = await world.db.query<{ external_id: string }>(
    `select o.external_id from orders o join reservations r on r.order_id = o.id where r.state = 'committed' order by 1`,
  )
  expect(served.map((row) => row.external_id)).toEqual(['b2b', 'dated', 'sooner'])
})

test('what arrives goes to the contract, then by ship date, then by age, and nobody presses a button', async () => {
  choose('contract', { priority: 10 })
  await world.addItem('A', { north: 0 })
  await world.apply([wish('old', [line('1', 'A', 1)])])
  await world.apply([wish('dated', [line('1', 'A', 1)], { ship_by: instant(9_000) })])
  await world.apply([wish('sooner', [line('1', 'A', 1)], { ship_by: instant(8_000) })])
  await world.apply([wish('b2b', [line('1', 'A', 1)])], 'contract')
  expect(await waitingRows()).toEqual(['old 100', 'dated 100', 'sooner 100', 'b2b 10'].map((text) => ({ text })))
  const turns: string[] = []
  for (let unit = 0; unit < 4; unit += 1) {
    await arrive('A', { north: 1 })
    for (const id of ['old', 'dated', 'sooner', 'b2b'])
      if (!turns.includes(id) && (await axesOf(world.db, id))['reservation'] === 'committed') turns.push(id)
  }
  expect(turns).toEqual(['b2b', 'sooner', 'dated', 'old'])
})

test('a waiting order follows its ship date when that changes', async () => {
  await world.addItem('A', { north: 0 })
  await world.apply([wish('1', [line('1', 'A', 1)])])
  await world.apply([wish('2', [line('1', 'A', 1)])])
  const [before] = await ids('2')
  await world.apply([orderFact(order('2', [line('1', 'A', 1)], 2, { ship_by: instant(5_000) }))])
  expect((await ids('2'))[0]).toEqual(before)
  await arrive('A', { north: 1 })
  expect(await reservationsOf(world.db, '2')).toEqual(['committed north A 1'])
})

test('units that a waiting contract order needs are not given to the webstore, in a new order or when others arrive', async () => {
  choose('contract', { priority: 10, shortfall: 'all_or_nothing' })
  await world.addItem('A', { north: 2 })
  await world.addItem('B', { north: 0 })
  await world.apply([wish('b2b', [line('1', 'A', 2), line('2', 'B', 1)])], 'contract')
  await world.apply([wish('web', [line('1', 'A', 1)])])
  expect(await reservationsOf(world.db, 'web')).toEqual(['shortfall - A 1'])
  await arrive('A', { north: 1 })
  expect(await reservationsOf(world.db, 'web')).toEqual(['committed north A 1'])
  await arrive('B', { north: 1 })
  expect(await reservationsOf(world.db, 'b2b')).toEqual(['committed north A 2', 'committed north B 1'])
})

test('an order that waits for all of its lines holds nothing back from others of its own class', async () => {
  choose('shop', { shortfall: 'all_or_nothing' })
  await world.addItem('A', { north: 2 })
  await world.addItem('B', { north: 0 })
  await world.apply([wish('1', [line('1', 'A', 2), line('2', 'B', 1)])])
  await world.apply([wish('2', [line('1', 'A', 1)])])
  expect(await reservationsOf(world.db, '2')).toEqual(['committed north A 1'])
})

test('a place that has refused a contract order withholds nothing for it', async () => {
  choose('contract', { priority: 10, serves_from: ['south'] })
  await world.addItem('A', { south: 1 })
  await world.apply([wish('b2b', [line('1', 'A', 1)])], 'contract')
  const [work] = await world.db.query<{ number: string }>('select number from fulfillment_orders')
  await world.db.query(`update outbox set state = 'done', attempts = 1, done_at = now()`)
  await world.apply(
    [
      {
        kind: 'acknowledgement',
        document: { fulfillment_order: work!.number, verdict: 'rejected', reason: null, at: instant(9) },
      },
    ],
    'depot',
  )
  expect(await reservationsOf(world.db, 'b2b')).toEqual(['shortfall - A 1'])
  await world.apply([wish('web', [line('1', 'A', 1)])])
  expect(await reservationsOf(world.db, 'web')).toEqual(['committed south A 1'])
})

test('an edit that swaps lines of one SKU does not lose its units to who waits', async () => {
  choose('contract', { priority: 10 })
  await world.addItem('A', { north: 2 })
  await world.apply([wish('1', [line('1', 'A', 2)])])
  await world.apply([wish('2', [line('1', 'A', 2)], { placed_at: instant(-900) })])
  await world.apply([wish('b2b', [line('1', 'A', 2)])], 'contract')
  await world.apply([orderFact(order('1', [line('9', 'A', 2)], 2))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2'])
  expect(await reservationsOf(world.db, 'b2b')).toEqual(['shortfall - A 2'])
  // With one unit less the other goes to the most urgent of those who wait.
  await world.apply([orderFact(order('1', [line('10', 'A', 1)], 3))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 1'])
  expect(await reservationsOf(world.db, 'b2b')).toEqual(['committed north A 1', 'shortfall - A 1'])
})

test('a line that becomes another SKU under its own id gives back the old units and takes the new', async () => {
  await world.addItem('A', { north: 5 })
  await world.addItem('B', { north: 5 })
  await world.addItem('C', { north: 5 })
  await world.addKit('KIT', { A: 1, C: 2 })
  await world.apply([wish('1', [line('1', 'A', 3)])])
  await world.apply([orderFact(order('1', [line('1', 'B', 2)], 2))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north B 2'])
  expect((await stockOf(world.db, world.items.get('A')!))['north']).toMatchObject({ available: 5, committed: 0 })
  await world.apply([orderFact(order('1', [line('1', 'KIT', 2)], 3))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2', 'committed north C 4'])
  await world.apply([orderFact(order('1', [line('1', 'A', 9)], 4))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 5', 'shortfall - A 4'])
  await world.apply([orderFact(order('1', [line('1', 'KIT', 6)], 5))])
  expect(await reservationsOf(world.db, '1')).toEqual([
    'committed north A 2',
    'committed north C 4',
    'shortfall - A 4',
    'shortfall - C 8',
  ])
})

test('what was shipped of a line before it became another SKU has served it', async () => {
  await world.addItem('A', { south: 5 })
  await world.addItem('B', { south: 5 })
  const ship = async (external_id: string, sku: string, quantity: number): Promise<void> => {
    const [work] = await world.db.query<{ number: string }>(
      `select number from fulfillment_orders where state not in ('CLOSED', 'CANCELLED') order by created_at desc, id desc limit 1`,
    )
    const result = await world.apply(
      [
        {
          kind: 'shipment',
          document: {
            external_id,
            fulfillment_order: work!.number,
            carrier: null,
            tracking_number: null,
            tracking_url: null,
            shipped_at: instant(50),
            lines: [{ sku, quantity, line_reference: null, lot: null }],
          },
        },
      ],
      'depot',
    )
    expect(kinds(result)[0]).toMatch(/^shipped/)
  }
  await world.apply([wish('1', [line('1', 'A', 2)])])
  await ship('s1', 'A', 2)
  await world.apply([orderFact(order('1', [line('1', 'B', 3)], 60))])
  expect(await reservationsOf(world.db, '1')).toEqual(['committed south B 1'])
  expect(await axesOf(world.db, '1')).toMatchObject({ fulfillment: 'partial' })
  await ship('s2', 'B', 1)
  expect(await axesOf(world.db, '1')).toMatchObject({ fulfillment: 'fulfilled', reservation: 'consumed' })
})

test('what may wait for supply is said by the stock rules, and else by the order policy', async () => {
  const [a, b] = [await world.addItem('A', { north: 1 }), await world.addItem('B', { north: 0 })]
  await world.addItem('C', { north: 0 })
  const rule = (item_id: number, backorder: string) =>
    world.db.query(
      `insert into stock_rules (company_id, item_id, backorder, source, changed_by, changed_at) values ('acme', $1, $2, 'user', 'test', now())`,
      [item_id, backorder],
    )
  await rule(a, 'backorder')
  await world.apply([wish('1', [line('1', 'A', 3), line('2', 'C', 1)])])
  choose('shop', { shortfall: 'backorder' })
  await rule(b, 'deny')
  await world.apply([wish('2', [line('1', 'B', 1), line('2', 'C', 1)])])
  const missing = async (id: string) =>
    (await showOrder(world.db, world.ctx, id)).reservations.flatMap((row) =>
      row.state === 'shortfall' ? [`${row.sku} ${row.quantity} ${row.backordered ? 'backordered' : 'short'}`] : [],
    )
  expect(await missing('#1')).toEqual(['A 2 backordered', 'C 1 short'])
  expect(await missing('#2')).toEqual(['B 1 short', 'C 1 backordered'])
  // A rule that has changed since is heeded when the row is written again; a part that is served leaves the rest as it was.
  await arrive('A', { north: 1 })
  expect(await missing('#1')).toEqual(['A 1 backordered', 'C 1 backordered'])
})

test('a place of last resort serves only what may be drop-shipped, and is asked last', async () => {
  choose('shop', { serves_from: ['south', 'north'], last_resort: ['south'] })
  const a = await world.addItem('A', { north: 1, south: 9 })
  await world.addItem('B', { north: 1, south: 9 })
  await world.db.query(
    `insert into stock_rules (company_id, connection_id, item_id, backorder, source, changed_by, changed_at)
     values ('acme', 'shop', $1, 'drop_ship', 'user', 'test', now())`,
    [a],
  )
  await world.apply([wish('1', [line('1', 'A', 3), line('2', 'B', 3)])])
  expect(await reservationsOf(world.db, '1')).toEqual([
    'committed north A 1',
    'committed north B 1',
    'committed south A 2',
    'shortfall - B 2',
  ])
})

test('an order that waits for everything is tried again when any of its items arrives', async () => {
  choose('shop', { shortfall: 'all_or_nothing' })
  await world.addItem('A', { north: 0 })
  await world.addItem('B', { north: 0 })
  await world.apply([wish('1', [line('1', 'A', 2), line('2', 'B', 1)])])
  await arrive('A', { north: 2 })
  expect(await reservationsOf(world.db, '1')).toEqual(['shortfall - A 2', 'shortfall - B 1'])
  await arrive('B', { north: 1 })
  expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2', 'committed north B 1'])
})

test('the sweep serves orders that were passed over, in their order, and looks only at those that it may serve', async () => {
  choose('contract', { priority: 10, shortfall: 'all_or_nothing' })
  const sweep = (orders_max = 100) => inTransaction(world.db, (tx) => allocateWaiting(tx, world.ctx, orders_max))
  await world.addItem('A', { north: 0 })
  await world.addItem('B', { north: 0 })
  await world.db.query('update availability set sent_seq = dirty_seq')
  await world.apply([wish('web', [line('1', 'A', 1)])])
  await world.apply([wish('both', [line('1', 'A', 1), line('2', 'B', 1)])], 'contract')
  await world.apply([wish('two', [line('1', 'A', 2)])], 'contract')
  expect(await sweep()).toBe(0)
  // Units that came in without anybody being offered them.
  await receive(world.db, world.ctx, world.items.get('A')!, { north: 3 })
  expect(await sweep(1)).toBe(1)
  expect(await reservationsOf(world.db, 'two')).toEqual(['committed north A 2'])
  // The last unit is kept for the contract order that waits for B as well.
  expect(await sweep()).toBe(0)
  await receive(world.db, world.ctx, world.items.get('B')!, { north: 1 })
  expect(await sweep()).toBe(1)
  expect(await reservationsOf(world.db, 'both')).toEqual(['committed north A 1', 'committed north B 1'])
  expect(await reservationsOf(world.db, 'web')).toEqual(['shortfall - A 1'])
  const [listing] = await world.db.query<{ dirty: boolean }>('select bool_and(due) as dirty from availability')
  expect(listing?.dirty).toBe(true)
})

test('a batch with nothing special asks the database no more than it did, whatever its size', async () => {
  for (const sku of ['A', 'B']) await world.addItem(sku, { north: 500 })
  const counted = async (from: number, size: number): Promise<number> => {
    let queries = 0
    await inTransaction(world.db, (tx) => {
      const counting: Tx = {
        inTransaction: true,
        query: (sql, params) => {
          queries += 1
          return tx.query(sql, params)
        },
      }
      const facts = Array.from({ length: size }, (_, index) =>
        wish(`q${from + index}`, [line('1', 'A', 1), line('2', 'B', 1)]),
      )
      return applyFacts(counting, world.ctx, inbound(facts))
    })
    return queries
  }
  await counted(0, 1)
  const one = await counted(1, 1)
  expect(await counted(2, 50)).toBe(one)
  // Another channel may be more urgent: one look at who waits, however many orders there are.
  choose('contract', { priority: 10 })
  expect(await counted(52, 50)).toBe(one + 1)
})

test('what was kept for a more urgent order is offered to the others as soon as it does not want it any more', async () => {
  choose('contract', { priority: 10, shortfall: 'all_or_nothing' })
  await world.addItem('A', { north: 1 })
  await world.addItem('B', {})
  await world.apply([wish('big', [line('1', 'A', 1), line('2', 'B', 1)])], 'contract')
  await world.apply([wish('web', [line('1', 'A', 1)])])
  expect(await reservationsOf(world.db, 'web')).toEqual(['shortfall - A 1'])
  await world.apply([orderFact(order('big', [line('2', 'B', 1)], 5))], 'contract')
  expect(await reservationsOf(world.db, 'web')).toEqual(['committed north A 1'])
})
