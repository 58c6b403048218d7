import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockEffectOrders, markFulfillmentSent } from '../../../src/core/fulfillment/requests.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import type { OrderLine } from '../../../src/core/model/order.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { cancelRefund, createWorld, instant, line, order, orderFact, policy, type World } from '../../kit/orders.ts'
import { deadlocksOf, hastenDeadlocks } from '../../kit/locks.ts'

/** Every transaction takes its locks in one order, so none of these may ever wait in a circle: not even one that is retried. */
const POOL_MAX = 24
let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: POOL_MAX })
  await hastenDeadlocks(world.database)
})
afterEach(() => world.database.drop())

const SKUS = ['A', 'B', 'C', 'D']

const count = (place: string, at: number, units: Record<string, number>): Fact => ({
  kind: 'stock_count',
  document: {
    external_id: `count-${place}-${at}`,
    location_code: place,
    as_of: instant(at),
    lines: Object.entries(units).map(([sku, on_hand]) => ({ sku, on_hand, damaged: 0, quality_control: 0 })),
  },
})

const lost = (sku: string, place: string, at: number): Fact => ({
  kind: 'stock_change',
  document: {
    external_id: `lost-${sku}-${place}-${at}`,
    location_code: place,
    sku,
    delta: 2,
    reason: 'lost',
    at: instant(at),
    reference: null,
  },
})

/** Runs these in the given number of lanes, each lane one after the other. */
async function inLanes(lanes: number, tasks: readonly (() => Promise<unknown>)[]): Promise<void> {
  const queue = [...tasks]
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      for (let task = queue.shift(); task !== undefined; task = queue.shift()) await task()
    }),
  )
}

async function expectSound(): Promise<void> {
  const { checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
  expect(await deadlocksOf(world.database, POOL_MAX)).toBe(0)
}

test('counts that find too little run beside orders, edits and cancellations of the same items', async () => {
  world.policies.set('shop', policy('shop', { release_after_seconds: 0 }))
  for (const sku of SKUS) await world.addItem(sku, { north: 60, south: 60 })
  const lines = (index: number, quantity: number) =>
    [0, 1, 2].map((place) => line(String(place), SKUS[(index * 3 + place * (1 + (index % 3))) % 4]!, quantity))
  const batch = (from: number, at: number, quantity: number): Fact[] =>
    Array.from({ length: 5 }, (_, place) => orderFact(order(`o${from + place}`, lines(from + place, quantity), at)))
  await world.apply(batch(0, 1, 2))
  const tasks = Array.from({ length: 40 }, (_, round) => {
    const wobble = (round * 7) % 40
    return [
      () => world.apply(batch((round % 12) * 5, 2 + round, 1 + (round % 3))),
      () => world.apply([count('north', 100 + round, { D: wobble, B: 40 - wobble, A: wobble, C: 20 })], 'depot'),
      () => world.apply([count('S1', 100 + round, { C: 40 - wobble, A: 10, D: wobble })], 'depot'),
      () => world.apply([lost(SKUS[round % 4]!, 'north', 500 + round)], 'depot'),
      () =>
        world.apply([
          orderFact(order(`o${(round * 11) % 60}`, lines(round, 1), 300 + round, { lifecycle: 'cancelled' })),
        ]),
    ]
  }).flat()
  await inLanes(12, tasks)
  await expectSound()
}, 60_000)

test('batches that bring the same new orders at the same moment, in any order', async () => {
  for (const sku of SKUS) await world.addItem(sku, { north: 300, south: 300 })
  const batch = (round: number, seed: number): Fact[] =>
    Array.from({ length: 12 }, (_, place) => `n${round}-${(place * seed) % 13}`).map((id, place) =>
      orderFact(order(id, [line('0', SKUS[place % 4]!, 1), line('1', SKUS[(place + seed) % 4]!, 1)], seed)),
    )
  await inLanes(
    8,
    Array.from({ length: 48 }, (_, index) => () => world.apply(batch(Math.floor(index / 4), 2 + (index % 4)))),
  )
  await expectSound()
}, 60_000)

test('the end of effects is written beside answers, edits, refunds and cancellations of the same work', async () => {
  world.policies.set('shop', policy('shop', { serves_from: ['south'], release_after_seconds: 0 }))
  for (const sku of SKUS) await world.addItem(sku, { south: 4000 })
  const lines = (quantity: number) => SKUS.map((sku, place) => line(String(place), sku, quantity))
  for (let round = 0; round < 8; round += 1) await oneRound(round, lines)
  await expectSound()
}, 60_000)

async function oneRound(round: number, lines: (quantity: number) => OrderLine[]): Promise<void> {
  const ids = Array.from({ length: 24 }, (_, index) => `e${round}-${index}`)
  await world.apply(ids.map((id) => orderFact(order(id, lines(2), 1))))
  const effects = await world.db.query<{ id: number; number: string; reference: Record<string, string> }>(
    `update outbox set state = 'sending', attempts = 1 where state = 'pending' and kind = 'fulfillment.new'
     returning id, reference, substr(key, 17) as number`,
  )
  const shuffled = (seed: number) => effects.toSorted((a, b) => ((a.id * seed) % 23) - ((b.id * seed) % 23))
  const answers = (seed: number): Fact[] =>
    shuffled(seed).map(({ number, id }) => ({
      kind: 'acknowledgement',
      document: { fulfillment_order: number, verdict: id % 4 === 0 ? 'rejected' : 'accepted', reason: null, at: instant(9) },
    })) // prettier-ignore
  await inLanes(8, [
    () => finish(shuffled(5).slice(0, 12)),
    () => world.apply(ids.map((id) => orderFact(order(id, lines(3), 10)))),
    () => world.apply(answers(7).slice(0, 12), 'depot'),
    () => finish(shuffled(5).slice(12)),
    () => world.apply(answers(11).slice(0, 1), 'depot'),
    () => world.apply(ids.slice(6).map((id) => orderFact(order(id, lines(1), 20)))),
    () => world.apply(answers(13).slice(6), 'depot'),
    () => world.apply([{ kind: 'refund', document: cancelRefund(`r${round}`, ids[9]!, { '1': 1 }, 20) }]),
    () => world.apply([orderFact(order(ids[3]!, lines(1), 30, { lifecycle: 'cancelled' }))]),
  ])
}

async function finish(rows: readonly { id: number; reference: Record<string, string> }[]): Promise<void> {
  await inTransaction(world.db, async (tx) => {
    await lockEffectOrders(tx, 'acme', rows.map((row) => row.id)) // prettier-ignore
    for (const { id } of rows)
      await tx.query(`update outbox set state = 'done', done_at = $2 where id = $1 and state = 'sending'`, [
        id,
        world.ctx.now,
      ])
    await markFulfillmentSent(
      tx,
      world.ctx,
      rows.map((row) => ({ ...row, kind: 'fulfillment.new' })),
    )
  })
}
