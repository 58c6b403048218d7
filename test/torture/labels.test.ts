import { afterAll, beforeAll, expect, test } from 'vitest'
import type { GroupRef } from '../../src/queues/effects.ts'
import { relayDue } from '../../src/queues/relay.ts'
import { newSweep, sweepOnce } from '../../src/queues/sweep.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { LABELS, labelOrder, openLabelWorld, type LabelWorld } from '../kit/labelWorld.ts'

const ORDERS = 40
const WORKERS = 4
const CANCELLED_SHARE = 0.3
const ROUNDS_MAX = 80

let world: LabelWorld
beforeAll(async () => {
  world = await openLabelWorld(LABELS, seededRandom(5))
})
afterAll(() => world.stop())

/** Every group is run by several workers at once, as after a wiped queue or a lost lease. */
async function round(): Promise<number> {
  await sweepOnce(world.hub, newSweep())
  await relayDue(world.hub)
  const groups = world.queues.added.splice(0).flatMap(({ data }) => ('batch_key' in data ? (data as GroupRef) : []))
  const workers = Array.from({ length: WORKERS }, async (_, worker) => {
    const own = worker % 2 === 0 ? groups : groups.toReversed()
    for (const group of own) await world.run(group)
  })
  await Promise.all(workers)
  return groups.length
}

test(`${WORKERS} workers at every purchase, a carrier that cuts and fails, buyers who change their minds: each label is paid once`, async () => {
  const random = seededRandom(11)
  const unkind = { ...KIND, cut_share: 0.25, fail_share: 0.15, throttle_share: 0.1 }
  world.carrier.setFaults(unkind)
  const names = Array.from({ length: ORDERS }, (_, index) => `T-${index}`)
  for (const external_id of names) await world.apply('shop', labelOrder({ TEA: 1 }, { external_id }))
  const gone = new Set<string>()
  let idle = 0
  for (let count = 0; count < ROUNDS_MAX && idle < 3; count += 1) {
    if (count === 25) world.carrier.setFaults(KIND)
    for (const external_id of names) {
      if (count >= 8 || gone.has(external_id) || random() >= CANCELLED_SHARE / 8) continue
      gone.add(external_id)
      const over = { external_id, lifecycle: 'cancelled', cancelled_at: '2026-11-20T10:00:00Z' } as const
      await world.apply('shop', labelOrder({ TEA: 1 }, over))
    }
    idle = (await round()) === 0 && count > 25 ? idle + 1 : 0
    world.clock.forward(120_000)
  }
  await answerRecalls()
  for (let count = 0; count < 6; count += 1) {
    await round()
    world.clock.forward(120_000)
  }

  const outcomes = await world.database.db.query<{ outcome: string }>(
    `select distinct outcome from attempts where operation like '%label.buy'`,
  )
  // The carrier has been as unkind as it was meant to be.
  expect(outcomes.map(({ outcome }) => outcome)).toEqual(expect.arrayContaining(['done', 'unknown', 'failed']))
  const sold = world.carrier.ledger()
  const paid = sold.filter(({ refunded }) => !refunded)
  const parcels = await world.parcels()
  const bought = parcels.filter(({ state }) => state === 'bought')
  expect(gone.size).toBeGreaterThan(0)
  expect(world.carrier.bought_again()).toBe(0)
  expect(new Set(sold.map(({ reference }) => reference)).size).toBe(sold.length)
  expect(paid.map(({ tracking_code }) => tracking_code).toSorted()).toEqual(
    bought.map(({ tracking_number }) => tracking_number ?? '').toSorted(),
  )
  expect(bought).toHaveLength(ORDERS - gone.size)
  expect(parcels.filter(({ state }) => !['bought', 'voided', 'dropped'].includes(state))).toEqual([])
  // Each piece of work was told to the warehouse with the label that is on it, or not at all.
  for (const { label, fulfillment_order, action } of world.told)
    if (action === 'new')
      expect(sold.map(({ tracking_code, reference }) => [tracking_code, reference])).toContainEqual([
        label?.tracking_number,
        `${fulfillment_order}-1`,
      ])
  await world.verified()
}, 120_000)

/** The warehouse lets go of whatever it was asked to. */
async function answerRecalls(): Promise<void> {
  const recalled = await world.database.db.query<{ number: string }>(
    `select number from fulfillment_orders where cancel_requested_at is not null and state not in ('CANCELLED', 'CLOSED')`,
  )
  for (const { number } of recalled) {
    const at = world.clock.now().toISOString()
    await world.apply('depot', {
      kind: 'acknowledgement',
      document: { fulfillment_order: number, verdict: 'cancelled', reason: null, at },
    })
  }
}
