import { afterEach, beforeEach, expect, test } from 'vitest'
import { markFulfillmentSent } from '../../../src/core/fulfillment/requests.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { cancelRefund, createWorld, instant, line, order, orderFact, policy, type World } from '../../kit/orders.ts'
import { deadlocksOf, hastenDeadlocks } from '../../kit/locks.ts'

/** Every transaction takes its locks in one order, so none of these may ever wait in a circle: not even one that is retried. */
let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 24 })
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
  expect(await deadlocksOf(world.database)).toBe(0)
}

test('counts that find too little run beside orders, edits and cancellations of the same items', async () => {
  world.policies.set('shop', policy('shop', { release_after_seconds: 0 }))
  for (const sku of SKUS) await world.addItem(sku, { north: 60, south: 60 })
  const lines = (index: number, quantity: number) =>
    [0, 1, 2].map((place) => line(String(place), SKUS[(index * 3 + place * (1 + (index % 3))) % 4]!, quantity))
  const batch = (from: number, at: number, quantity: number): Fact[] =>
    Array.from({ length: 5 }, (_, place) => orderFact(order(`o${from + place}`, lines(from + place, quantity), at)))
  await world.apply(batch(0, 1, 2))
  const tasks = Array.from({ length: 60 }, (_, round) => {
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

test('the end of effects is written beside answers, shipments, edits and refunds of the same work', async () => {
  world.policies.set('shop', policy('shop', { serves_from: ['south'], release_after_seconds: 0 }))
  for (const sku of SKUS) await world.addItem(sku, { south: 4000 })
  const ids = Array.from({ length: 60 }, (_, index) => `e${index}`)
  const lines = (quantity: number) => SKUS.map((sku, place) => line(String(place), sku, quantity))
  await world.apply(ids.map((id) => orderFact(order(id, lines(2), 1))))
  const works = await world.db.query<{ id: string; number: string; outbox_id: number }>(
    `select f.id, f.number, x.id as outbox_id from fulfillment_orders f join outbox x on x.key = 'fulfillment.new:' || f.number
     order by f.number`,
  )
  await world.db.query(`update outbox set state = 'sending', attempts = 1`)
  const effects = works.map(({ id, outbox_id }) => ({
    id: outbox_id,
    kind: 'fulfillment.new',
    reference: { fulfillment_order_id: id },
  }))
  const finish = (rows: typeof effects) =>
    inTransaction(world.db, async (tx) => {
      
      for (const { id } of rows)
        await tx.query(`update outbox set state = 'done', done_at = now() where id = $1 and state = 'sending'`, [id])
      await markFulfillmentSent(tx, world.ctx, rows)
    })
  const answer = (number: string, verdict: 'accepted' | 'rejected'): Fact => ({
    kind: 'acknowledgement',
    document: { fulfillment_order: number, verdict, reason: null, at: instant(9) },
  })
  const tasks = Array.from({ length: 30 }, (_, round) => {
    const shuffled = works.toSorted((a, b) => ((a.outbox_id * 17 + round) % 61) - ((b.outbox_id * 13 + round) % 61))
    const few = shuffled.slice(0, 20)
    return [
      () => finish(effects.toSorted((a, b) => ((a.id * 31 + round) % 59) - ((b.id * 29 + round) % 59)).slice(0, 30)),
      () => world.apply(few.map((work, place) => answer(work.number, place % 4 === 0 ? 'rejected' : 'accepted')), 'depot'), // prettier-ignore
      () => world.apply([answer(few[0]!.number, 'rejected')], 'depot'),
      () => world.apply(ids.slice(round, round + 20).map((id) => orderFact(order(id, lines(1 + (round % 3)), 10 + round)))), // prettier-ignore
      () => world.apply([{ kind: 'refund', document: cancelRefund(`r${round}`, ids[round]!, { '1': 1 }, 20) }]),
      () =>
        world.apply([{ kind: 'cancellation', document: { external_id: ids[59 - round]!, version: { updated_at: instant(900), observed_at: instant(900) } } }]), // prettier-ignore
    ]
  }).flat()
  await inLanes(12, tasks)
  await expectSound()
}, 60_000)
