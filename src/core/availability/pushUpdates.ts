import type { Tx } from '../../db/pool.ts'
import type { AvailabilityResult } from '../model/effects.ts'
import { beliefAfter, PUSH_ATTEMPTS_MAX, pushBackoffMs, UNSEEN_HOLD_MS, type ChannelBelief } from './rulesBelief.ts'

/** The part of a claim that its answer is about. */
export interface ClaimedNumber {
  listing_id: number
  dirty_seq: number
  quantity: number
  expected: number | null
  sold_at_claim: number
  /** When the quantity was computed: a number that moved during the call has been due since then, not before. */
  claimed_at: Date
}

export interface LockedRow extends ChannelBelief {
  listing_id: number
  attempts: number
  dirty_at: Date
}

export interface RowUpdate extends ChannelBelief {
  listing_id: number
  outcome: string
  sent_seq: number
  proven: boolean
  claimed_at: Date
  keeps_inflight: boolean
  state: 'unknown' | 'ok' | 'error' | null
  error_code: string | null
  error_detail: string | null
  attempts: number
  next_attempt_at: Date | null
}

/** The update that changes nothing but the lease; `sent_seq` 0 leaves the row due, `state` null leaves the state. */
export function unchanged(line: ClaimedNumber, belief: LockedRow): RowUpdate {
  const { proven_quantity, sold_since_proof, unseen, attempts } = belief
  return {
    listing_id: line.listing_id,
    outcome: 'unchanged',
    proven_quantity,
    sold_since_proof,
    unseen,
    attempts,
    sent_seq: 0,
    proven: false,
    claimed_at: line.claimed_at,
    keeps_inflight: false,
    state: null,
    error_code: null,
    error_detail: null,
    next_attempt_at: null,
  }
}

export function updateFor(line: ClaimedNumber, belief: LockedRow, answer: AvailabilityResult, now: Date): RowUpdate {
  const same = unchanged(line, belief)
  const attempts = belief.attempts + 1
  switch (answer.outcome) {
    case 'set':
      return {
        ...same,
        ...beliefAfter(belief, line, answer),
        outcome: 'set',
        sent_seq: line.dirty_seq,
        proven: true,
        state: 'ok',
        attempts: 0,
      }
    case 'stale':
      // A busy listing may lose the compare many times with nothing wrong, so a read answer is tried again at once.
      return answer.actual === null
        ? {
            ...same,
            outcome: 'stale',
            state: 'unknown',
            attempts,
            next_attempt_at: later(now, pushBackoffMs(attempts)),
          }
        : {
            ...same,
            ...beliefAfter(belief, line, {
              outcome: 'stale',
              actual: answer.actual,
            }),
            outcome: 'stale',
            proven: true,
            state: 'unknown',
            next_attempt_at: now,
          }
    case 'refused':
      return {
        ...same,
        outcome: 'refused',
        state: 'error',
        error_code: answer.code,
        error_detail: answer.detail,
        attempts,
        sent_seq: attempts >= PUSH_ATTEMPTS_MAX ? line.dirty_seq : 0,
        next_attempt_at: later(now, pushBackoffMs(attempts)),
      }
  }
}

export async function writeUpdates(tx: Tx, updates: readonly RowUpdate[], now: Date): Promise<void> {
  if (updates.length === 0) return
  await tx.query(
    `update availability a
     set proven_quantity = u.proven_quantity,
         proven_at = case when u.proven then $2 else a.proven_at end,
         sold_since_proof = u.sold_since_proof,
         unseen = u.unseen,
         unseen_until = case when u.unseen = 0 then null when u.unseen > a.unseen then $3 else a.unseen_until end,
         inflight_excess = case when u.keeps_inflight then a.inflight_excess end,
         sent_seq = greatest(a.sent_seq, u.sent_seq),
         dirty_at = case when u.sent_seq > 0 and a.dirty_seq > u.sent_seq then greatest(a.dirty_at, u.claimed_at) else a.dirty_at end,
         low_since = case when u.proven then null else a.low_since end,
         claimed_until = null,
         state = coalesce(u.state, a.state),
         error_code = u.error_code,
         error_detail = u.error_detail,
         attempts = u.attempts,
         next_attempt_at = coalesce(u.next_attempt_at, a.next_attempt_at)
     from jsonb_to_recordset($1::jsonb) as u(listing_id bigint, proven_quantity int, proven boolean, claimed_at timestamptz, sold_since_proof int,
       unseen int, keeps_inflight boolean, sent_seq bigint, state text, error_code text, error_detail text, attempts int,
       next_attempt_at timestamptz)
     where a.listing_id = u.listing_id`,
    [JSON.stringify(updates), now, later(now, UNSEEN_HOLD_MS)],
  )
}

export const later = (now: Date, ms: number): Date => new Date(now.getTime() + ms)
