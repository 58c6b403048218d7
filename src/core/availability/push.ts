import { HubError } from '../errors.ts'
import type { CoreContext } from '../context.ts'
import type { AvailabilityLine, AvailabilityResult } from '../model/effects.ts'
import type { Db, Queryable, Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import { computeAvailability, policyOf, type ListingAvailability } from './load.ts'
import { recordLags } from './lag.ts'
import { publish } from './publications.ts'
import { later, unchanged, updateFor, writeUpdates, type ClaimedNumber, type LockedRow } from './pushUpdates.ts'
import type { AvailabilityTerm } from './rules.ts'
import { pushBackoffMs, REASSERT_AFTER_MS, UNSEEN_HOLD_MS, UNSEEN_LAG_MS, type ChannelBelief } from './rulesBelief.ts'

/**
 * Telling a channel what it may sell, while it sells.
 *
 * Between our reading of the stock and the channel's taking of our number the channel may sell a unit of which we learn later. A
 * blind write would put that unit back on sale. So a push carries `expected`, the number the channel must be showing if it has sold
 * nothing that we have not seen, and the channel takes our number only if it shows exactly that.
 *
 * Let T be the units the channel has sold, N those of them whose orders have reached us, T0 the value of T at the last proof, S the
 * stock without any sale. Kept per listing: P (proven_quantity), s (sold_since_proof), u (unseen). The rule that every step keeps is
 *   u - s + (T - T0) >= T - N      what we hold back covers what we have not seen.
 * - An order of n units (`sold` of `moveStock`, see `beliefAfterSale`) lowers u - s by n and T - N by n, whether it explains unseen units or counts as a new sale.
 * - A lost compare shows A = P - (T - T0). New P is A, T0 becomes T, and u grows by expected - A: the left side does not move.
 * - A won compare shows that T - T0 = s as of the claim; s loses that value and T0 becomes T: the left side does not move.
 * The number sent is at most S - N - u. At a won compare u >= T - N, so the channel shows at most S - T: units that exist.
 *
 * S is whatever may be promised on this channel besides its own sales, and may move at any time: other channels' orders, receipts,
 * units ordered ahead (`backorder` less what waits), and cart holds. A hold of n units lowers S by n. When the channel's order takes
 * it over, S rises by n in the same transaction in which N does, and `sold` counts n as for any order, although nothing left
 * `available` then: S - N - u does not move, u - s and T - N fall by n together, and the rule holds. A channel that has been told
 * S - n meanwhile takes the n units off once more when it sells them; until the next push it shows too little, never too much.
 *
 * An answer that got lost (`inflight_excess`): the call may have lifted the number by up to quantity - expected without our knowing,
 * which hides as many sales. The next claim adds that excess to u, so the rule holds whether or not the call took place.
 *
 * The channel's number may also drop without a sale (somebody edited it, or an answer was lost that had not lifted it), and then no
 * order ever comes. So u is given up once a pull of the channel's orders that began `UNSEEN_LAG_MS` after the observation has ended and
 * everything in the inbox is applied, at the latest after `UNSEEN_HOLD_MS`. Until then the hub shows too little, never too much.
 *
 * A channel that cannot compare takes `quantity` alone; nothing of the above protects it, and `expected` is only informative.
 */
export interface ClaimedLine extends AvailabilityLine, ClaimedNumber {
  /** The dirty_seq that the quantity covers: whatever is dirtied later stays due. */
  dirty_seq: number
  fence: number
  connection_id: string
  /** The sum behind the quantity, kept with what is published. */
  terms: readonly AvailabilityTerm[]
  /** Its last push was refused. It is sent apart from the others, so that it cannot take them with it again. */
  is_suspect: boolean
}

interface DueRow extends ChannelBelief {
  listing_id: number
  channel_sku: string
  external: Record<string, string>
  dirty_seq: number
  fence: number
  state: string
  proven_at: Date | null
}

export interface ClaimRequest {
  connection_id: string
  limit: number
  lease_ms: number
}

/**
 * Takes up to `limit` due listings of a connection for `lease_ms` and computes their numbers now, so that the newest value wins
 * however long a row has waited. A number that is proven already, with nothing sold since, is settled here without a call.
 */
export async function claimDue(
  db: Db,
  ctx: Pick<CoreContext, 'now' | 'policies'>,
  request: ClaimRequest,
): Promise<ClaimedLine[]> {
  if (!policyOf(ctx, request.connection_id).availability.push) return []
  return inTransaction(db, async (tx) => {
    await giveUpUnseen(tx, request.connection_id, ctx.now)
    const due = await lockDue(tx, request, ctx.now)
    if (due.length === 0) return []
    const computed = await computeAvailability(tx, ctx, { listing_ids: due.map((row) => row.listing_id) })
    const byListing = new Map(computed.map((row) => [row.listing_id, row]))
    const quantities = new Map(computed.map((row) => [row.listing_id, row.quantity]))
    const lines = due.flatMap((row) => claimLine(row, byListing.get(row.listing_id), ctx.now))
    const settled = due.filter((row) => isProven(row, quantities.get(row.listing_id), ctx.now))
    const settledIds = new Set(settled.map((row) => row.listing_id))
    const claimed = lines.filter((line) => !settledIds.has(line.listing_id))
    await writeClaims(tx, claimed, settled, new Date(ctx.now.getTime() + request.lease_ms))
    return claimed
  })
}

/** Unseen units whose orders have all had their chance to arrive. `$2` is now, `$3` how long before `unseen_until` the pull must begin. */
const UNSEEN_IS_OVER = `a.unseen > 0 and (a.unseen_until <= $2 or (
    exists (select 1 from cursors c where c.connection_id = a.connection_id and c.stream = 'orders'
      and c.pulled_at >= a.unseen_until - $3 * interval '1 millisecond')
    and not exists (select 1 from inbox i where i.connection_id = a.connection_id and i.state = 'pending')))`
const UNSEEN_PULL_MS = UNSEEN_HOLD_MS - UNSEEN_LAG_MS

/** A listing that is off sale or has nothing behind it is told nothing, whatever its row says. */
const IS_SOLD =
  'exists (select 1 from listings l join listing_items li on li.listing_id = l.id where l.id = a.listing_id and l.active)'

/** Of these connections, those with something to push now. */
export async function dueConnections(q: Queryable, connection_ids: readonly string[], now: Date): Promise<string[]> {
  const rows = await q.query<{ id: string }>(
    `select c.id from unnest($1::text[]) as c(id)
     where exists (
       select 1 from availability a
       where a.connection_id = c.id and a.due and a.next_attempt_at <= $2
         and (a.claimed_until is null or a.claimed_until <= $2) and ${IS_SOLD})
     or exists (select 1 from availability a where a.connection_id = c.id and ${UNSEEN_IS_OVER})`,
    [connection_ids, now, UNSEEN_PULL_MS],
  )
  return rows.map((row) => row.id)
}

/**
 * Writes down what the channel answered, in the caller's transaction. An answer to a claim that has been taken over by a later one
 * changes nothing. Rows that were dirtied during the call stay due.
 */
export async function recordResults(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  claimed: readonly ClaimedLine[],
  results: readonly AvailabilityResult[],
): Promise<{ set: number; stale: number; refused: number; missing: number }> {
  const answers = new Map(results.map((result) => [result.listing_id, result]))
  const answered = claimed.filter((line) => answers.has(line.listing_id))
  const beliefs = await lockClaimed(tx, answered)
  const updates = answered.flatMap((line) => {
    const belief = beliefs.get(line.listing_id)
    const answer = answers.get(line.listing_id)
    return belief === undefined || answer === undefined ? [] : [updateFor(line, belief, answer, ctx.now)]
  })
  await writeUpdates(tx, updates, ctx.now)
  const missing = claimed.filter((line) => !answers.has(line.listing_id))
  if (missing.length > 0) {
    await releaseClaims(
      tx,
      ctx,
      missing,
      new HubError('vendor_response_invalid', 'the channel did not answer for this listing'),
    )
  }
  // Rows of lags are locked after all rows of availability.
  const taken = new Set(updates.filter((update) => update.outcome === 'set').map((update) => update.listing_id))
  const set = answered.filter((line) => taken.has(line.listing_id))
  await publish(tx, set, ctx.now)
  await recordLags(tx, set, beliefs, ctx.now)
  const count = (outcome: string): number => updates.filter((update) => update.outcome === outcome).length
  return { set: count('set'), stale: count('stale'), refused: count('refused'), missing: missing.length }
}

/** Faults after which the channel has certainly not taken the numbers. */
const NOT_SENT = new Set(['circuit_open', 'address_refused', 'vendor_throttled', 'vendor_auth'])

/**
 * Gives claims back after a call that failed as a whole. Unless the fault proves that nothing was sent, the numbers may have been
 * taken, and the next claim reckons with it.
 */
export async function releaseClaims(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  claimed: readonly ClaimedLine[],
  error: HubError,
): Promise<void> {
  await release(tx, ctx, claimed, { error, keeps_inflight: !NOT_SENT.has(error.code) })
}

/** The same for claims that the channel was never told of, or turned away: it cannot have taken any of these numbers. */
export async function releaseUnsent(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  claimed: readonly ClaimedLine[],
  error: HubError,
): Promise<void> {
  await release(tx, ctx, claimed, { error, keeps_inflight: false })
}

async function release(
  tx: Tx,
  { now }: Pick<CoreContext, 'now'>,
  claimed: readonly ClaimedLine[],
  { error, keeps_inflight }: { error: HubError; keeps_inflight: boolean },
): Promise<void> {
  const beliefs = await lockClaimed(tx, claimed)
  const detail = { outcome: 'released', error_code: error.code, error_detail: error.message, keeps_inflight }
  const updates = claimed.flatMap((line) => {
    const belief = beliefs.get(line.listing_id)
    if (belief === undefined) return []
    const attempts = belief.attempts + 1
    const wait = Math.max(pushBackoffMs(attempts), error.retry_after_ms ?? 0)
    return [{ ...unchanged(line, belief), ...detail, attempts, next_attempt_at: later(now, wait) }]
  })
  await writeUpdates(tx, updates, now)
}

async function giveUpUnseen(tx: Tx, connection_id: string, now: Date): Promise<void> {
  await tx.query(
    `update availability a set unseen = 0, unseen_until = null, dirty_seq = dirty_seq + 1, next_attempt_at = least(next_attempt_at, $2),
       dirty_at = case when dirty_seq > sent_seq then dirty_at else $2 end
     where a.listing_id in (
       select a.listing_id from availability a where a.connection_id = $1 and ${UNSEEN_IS_OVER} order by a.listing_id for no key update)`,
    [connection_id, now, UNSEEN_PULL_MS],
  )
}

/** Locks due rows that nobody holds. An earlier call whose answer never came is folded into `unseen` at once. */
async function lockDue(tx: Tx, request: ClaimRequest, now: Date): Promise<DueRow[]> {
  return tx.query<DueRow>(
    `with due as (
       select a.listing_id from availability a
       where a.connection_id = $1 and a.due and a.next_attempt_at <= $2
         and (a.claimed_until is null or a.claimed_until <= $2)
         and ${IS_SOLD}
       order by a.next_attempt_at, a.listing_id
       limit $3 for update skip locked)
     update availability a
     set fence = a.fence + 1,
         unseen = a.unseen + coalesce(a.inflight_excess, 0),
         unseen_until = case when a.inflight_excess > 0 then $4 else a.unseen_until end,
         state = case when a.inflight_excess is null then a.state else 'unknown' end,
         inflight_excess = null
     from due, listings l
     where a.listing_id = due.listing_id and l.id = a.listing_id
     returning a.listing_id, l.channel_sku, l.external, a.dirty_seq, a.fence, a.proven_quantity, a.sold_since_proof, a.unseen,
               a.state, a.proven_at`,
    [request.connection_id, now, request.limit, later(now, UNSEEN_HOLD_MS)],
  )
}

function claimLine(row: DueRow, computed: ListingAvailability | undefined, claimed_at: Date): ClaimedLine[] {
  if (computed === undefined) return []
  const { listing_id, channel_sku, external, dirty_seq, fence, sold_since_proof } = row
  const { connection_id, quantity, terms } = computed
  const expected = row.proven_quantity === null ? null : row.proven_quantity - sold_since_proof
  return [
    {
      listing_id, connection_id, channel_sku, external, dirty_seq, fence, quantity, expected, terms, claimed_at,
      sold_at_claim: sold_since_proof, is_suspect: row.state === 'error',
    },
  ] // prettier-ignore
}

function isProven(row: DueRow, quantity: number | undefined, now: Date): boolean {
  const fresh = row.proven_at !== null && now.getTime() - row.proven_at.getTime() < REASSERT_AFTER_MS
  return (
    fresh && row.state === 'ok' && row.sold_since_proof === 0 && row.unseen === 0 && row.proven_quantity === quantity
  )
}

async function writeClaims(
  tx: Tx,
  claimed: readonly ClaimedLine[],
  settled: readonly DueRow[],
  until: Date,
): Promise<void> {
  await tx.query(
    `update availability a set claimed_until = $3, inflight_excess = c.excess
     from unnest($1::bigint[], $2::int[]) as c(listing_id, excess) where a.listing_id = c.listing_id`,
    [
      claimed.map((line) => line.listing_id),
      claimed.map((line) => (line.expected === null ? 0 : Math.max(0, line.quantity - line.expected))),
      until,
    ],
  )
  await tx.query(
    `update availability a set sent_seq = c.seq
     from unnest($1::bigint[], $2::bigint[]) as c(listing_id, seq) where a.listing_id = c.listing_id`,
    [settled.map((row) => row.listing_id), settled.map((row) => row.dirty_seq)],
  )
}

async function lockClaimed(tx: Tx, claimed: readonly ClaimedLine[]): Promise<Map<number, LockedRow>> {
  const rows = await tx.query<LockedRow>(
    `select a.listing_id, a.proven_quantity, a.sold_since_proof, a.unseen, a.attempts, a.dirty_at
     from availability a
     join unnest($1::bigint[], $2::int[]) as c(listing_id, fence) on c.listing_id = a.listing_id and c.fence = a.fence
     where a.claimed_until is not null
     order by a.listing_id for update of a`,
    [claimed.map((line) => line.listing_id), claimed.map((line) => line.fence)],
  )
  return new Map(rows.map((row) => [row.listing_id, row]))
}
