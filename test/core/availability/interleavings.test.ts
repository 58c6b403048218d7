import fc from 'fast-check'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { claimDue, recordResults, releaseClaims, type ClaimedLine } from '../../../src/core/availability/push.ts'
import { HubError } from '../../../src/core/errors.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import type { AvailabilityResult } from '../../../src/core/model/effects.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, type World } from '../world.ts'

/**
 * The model test of rules.test.ts again, but with the real statements, real orders and real counts: a channel that sells by itself and
 * compares before it takes a number, orders that arrive late and in any order, calls whose answers come late or never.
 */
const STOCK_AT_START = 40
const STEPS = 400
const SEEDS = [1, 2, 3, 4]

type Step = { kind: 'sell' | 'deliver' | 'claim' | 'call' | 'answer' | 'lose' | 'recount'; pick: number }
const STEP: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom(
    'sell',
    'sell',
    'deliver',
    'deliver',
    'claim',
    'claim',
    'call',
    'call',
    'answer',
    'answer',
    'lose',
    'recount',
  ),
  pick: fc.integer({ min: 0, max: 9 }),
})

let world: World
beforeEach(async () => {
  world = await createWorld()
  const listing: Fact = { kind: 'listing', document: { channel_sku: 'TEA', title: null, external: {}, quantity: null } }
  await world.apply('mall', listing)
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: STOCK_AT_START }))
})
afterEach(() => world.drop())

it.each(SEEDS)('never offers a sold unit again and ends with what is left (seed %i)', async (seed) => {
  const channel = { shows: 0, sold: 0, orders: 0 }
  const onTheWay: { id: string; units: number }[] = []
  let claimed: ClaimedLine[] = []
  let results: AvailabilityResult[] | undefined
  let minutes = 1
  let stock = STOCK_AT_START

  const compareAndSet = (line: ClaimedLine): AvailabilityResult => {
    if (line.expected !== null && line.expected !== channel.shows) {
      return { listing_id: line.listing_id, outcome: 'stale', actual: channel.shows }
    }
    channel.shows = line.quantity
    return { listing_id: line.listing_id, outcome: 'set' }
  }
  const actions: Record<Step['kind'], (pick: number) => Promise<void> | void> = {
    sell: (pick) => {
      const units = Math.min(1 + (pick % 3), channel.shows)
      if (units === 0 || claimed.some((line) => line.expected === null)) return
      channel.shows -= units
      channel.sold += units
      onTheWay.push({ id: `O${(channel.orders += 1)}`, units })
    },
    deliver: async (pick) => {
      const [order] = onTheWay.splice(pick % Math.max(1, onTheWay.length), 1)
      if (order !== undefined)
        await world.apply('mall', orderFact(world, order.id, [{ sku: 'TEA', quantity: order.units }]))
    },
    claim: async () => {
      if (claimed.length > 0) return
      claimed = await claimDue(world.db, world.ctx, { connection_id: 'mall', limit: 10, lease_ms: 60_000 })
    },
    call: () => {
      if (claimed.length > 0) results ??= claimed.map(compareAndSet)
    },
    answer: async () => {
      if (results === undefined) return
      const [lines, answers] = [claimed, results]
      ;[claimed, results] = [[], undefined]
      await inTransaction(world.db, (tx) => recordResults(tx, world.ctx, lines, answers))
    },
    lose: async (pick) => {
      if (claimed.length === 0) return
      const lines = claimed
      ;[claimed, results] = [[], undefined]
      // Half of the lost answers are noticed; the others belong to a worker that died, whose lease runs out.
      if (pick % 2 === 0) {
        await inTransaction(world.db, (tx) =>
          releaseClaims(tx, world.ctx, lines, new HubError('outcome_unknown', 'no answer')),
        )
      }
      world.moveTo((minutes += 3))
    },
    recount: async (pick) => {
      stock += pick % 4
      await world.apply('wms', countFact(world, 'N1', (minutes += 0.01), { TEA: stock }))
    },
  }

  // The first number is taken without a comparison, before anything is sold.
  for (const kind of ['claim', 'call', 'answer'] as const) await actions[kind](0)
  expect(channel.shows).toBe(stock)
  for (const { kind, pick } of fc.sample(STEP, { seed, numRuns: STEPS })) {
    await actions[kind](pick)
    expect({ kind, over: Math.max(0, channel.shows + channel.sold - stock) }).toEqual({ kind, over: 0 })
  }
  expect(channel.orders).toBeGreaterThan(5)

  while (onTheWay.length > 0) await actions.deliver(0)
  for (const kind of ['call', 'answer'] as const) await actions[kind](0)
  world.moveTo((minutes += 10))
  await world.db.query(
    `insert into cursors (connection_id, stream, updated_at, pulled_at) values ('mall', 'orders', $1, $1)
     on conflict (connection_id, stream) do update set pulled_at = excluded.pulled_at`,
    [world.ctx.now],
  )
  for (let round = 0; round < 6; round += 1) {
    for (const kind of ['claim', 'call', 'answer'] as const) await actions[kind](0)
    await world.db.query(`update cursors set pulled_at = $1`, [world.at((minutes += 1))])
    world.moveTo(minutes)
  }
  expect(channel.shows).toBe(stock - channel.sold)
  expect((await verify(world.db)).checks.filter((check) => check.violations > 0)).toEqual([])
})
