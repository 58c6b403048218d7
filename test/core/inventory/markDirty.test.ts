import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { claimDue, recordResults, type ClaimedLine } from '../../../src/core/availability/push.ts'
import { reserveHolds } from '../../../src/core/holds/reserve.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { wish } from '../../kit/holds.ts'
import { createWorld, policy, type World } from '../../kit/orders.ts'

const LEASE_MS = 60_000

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 4 })
  const shop = policy('shop')
  const availability = { ...shop.availability, push: true, adaptive: null }
  world.ctx.policies = new Map(world.ctx.policies).set('shop', { ...shop, availability })
  await world.db.query(`insert into connection_locations values ('shop', 'north', 0)`)
  await world.addItem('A', { north: 9 })
  await world.db.query('update availability set sent_seq = dirty_seq')
})
afterEach(() => world.database.drop())

const hold = async (): Promise<void> => {
  const [verdict] = await inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, [wish({ A: 1 })]))
  expect(verdict?.kind).toBe('held')
}
const claim = (): Promise<ClaimedLine[]> =>
  claimDue(world.db, world.ctx, { connection_id: 'shop', limit: 10, lease_ms: LEASE_MS })
const answer = (claimed: readonly ClaimedLine[]) =>
  inTransaction(world.db, (tx) =>
    recordResults(
      tx,
      world.ctx,
      claimed,
      claimed.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const })),
    ),
  )
const quantities = (claimed: readonly ClaimedLine[]): number[] => claimed.map(({ quantity }) => quantity)
const row = async () => {
  const [found] = await world.db.query<{ due: boolean; dirty_seq: number; next_attempt_at: Date }>(
    'select due, dirty_seq, next_attempt_at from availability',
  )
  if (found === undefined) throw new Error('there is no listing')
  return found
}
const later = (ms: number): Date => new Date(world.clock.now.getTime() + ms)

describe('a number that moves', () => {
  it('is written once however often it moves before a push, which then takes the newest', async () => {
    await hold()
    const { due, dirty_seq } = await row()
    expect(due).toBe(true)
    await hold()
    expect((await row()).dirty_seq).toBe(dirty_seq)
    expect(quantities(await claim())).toEqual([7])
  })

  it('during a push stays due after its answer', async () => {
    await hold()
    const first = await claim()
    await hold()
    await answer(first)
    expect((await row()).due).toBe(true)
    expect(quantities(await claim())).toEqual([7])
  })

  it('before and during a push stays due after its answer', async () => {
    await hold()
    await hold()
    const first = await claim()
    await hold()
    await hold()
    await answer(first)
    expect((await row()).due).toBe(true)
    const second = await claim()
    expect(quantities(second)).toEqual([5])
    await answer(second)
    expect((await row()).due).toBe(false)
  })

  it('after the time of a push is over stays due, although the answer comes late', async () => {
    await hold()
    const first = await claim()
    world.clock.now = later(2 * LEASE_MS)
    await hold()
    await answer(first)
    expect((await row()).due).toBe(true)
    expect(quantities(await claim())).toEqual([7])
  })

  it('cannot be claimed until it has come to rest', async () => {
    await hold()
    await inTransaction(world.db, async (tx) => {
      await reserveHolds(tx, world.ctx, [wish({ A: 1 })])
      expect(await claim()).toEqual([])
    })
    expect(quantities(await claim())).toEqual([7])
  })

  it.each([
    ['claims it', 'claimed_until = $1'],
    ['settles it', 'sent_seq = dirty_seq, low_since = $1'],
  ])('waits for a push that %s at the same time, and is due beyond it', async (_, change) => {
    await hold()
    const { dirty_seq } = await row()
    const locked = Promise.withResolvers<void>()
    const moved = Promise.withResolvers<void>()
    const push = inTransaction(world.db, async (tx) => {
      await tx.query(`update availability set ${change}`, [later(LEASE_MS)])
      locked.resolve()
      await moved.promise
    })
    await locked.promise
    const waiting = hold()
    await waitsForLock()
    moved.resolve()
    await Promise.all([push, waiting])
    expect(await row()).toMatchObject({ due: true, dirty_seq: dirty_seq + 1 })
  })

  it('is not put off by the pause after a refusal', async () => {
    await hold()
    await world.db.query('update availability set next_attempt_at = $1', [later(LEASE_MS)])
    await hold()
    expect((await row()).next_attempt_at).toEqual(world.clock.now)
  })
})

/** Resolves as soon as a statement of this database waits for somebody's lock. */
async function waitsForLock(): Promise<void> {
  for (;;) {
    const rows = await world.db.query(
      `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    )
    if (rows.length > 0) return
  }
}
