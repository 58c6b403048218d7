import type { ErrorCode, HubError } from '../core/errors.ts'
import { EFFECTS, type EffectKind } from '../db/outbox.ts'
import type { Queryable, Tx } from '../db/pool.ts'
import { fullJitterMs } from './backoff.ts'
import { openDeadLetters } from './deadLetters.ts'

const BACKOFF_BASE_MS = 2_000
const BACKOFF_MAX_MS = 60 * 60_000
/** Waiting for a throttle, a breaker or a new password is no attempt, but it ends: older than this, a person is asked. */
const WAIT_MAX_MS = 24 * 60 * 60_000
const PAUSED_RETRY_MS = 60_000

/** Faults after which nothing can have arrived at the vendor; after any other the outcome has to be found out first. */
const NOT_ARRIVED = new Set<ErrorCode>([
  'vendor_throttled',
  'circuit_open',
  'address_refused',
  'vendor_auth',
  'vendor_rejected',
  'vendor_not_found',
  'vendor_conflict',
  'bad_request',
  'unsupported',
  'config_invalid',
  'unknown_order',
  'unknown_fulfillment_order',
  'vault_sealed',
  'not_yet',
])
/** No fault of the effect: these do not use up its attempts. */
const WAITS = new Set<ErrorCode>(['vendor_throttled', 'circuit_open', 'vendor_auth'])

export interface ClaimedEffect {
  id: number
  connection_id: string
  kind: EffectKind
  key: string
  batch_key: string
  reference: Record<string, string | number>
  attempts: number
  fence: number
  unknown_outcome: boolean
  created_at: Date
}

/** What a row became. `late`: a newer claim owns the row, nothing was written. */
export type EffectEnd =
  | { id: number; end: 'done' | 'cancelled' | 'late' }
  | { id: number; end: 'again'; at: Date; code: ErrorCode }
  | { id: number; end: 'dead'; code: ErrorCode; dead_letter_id: number | undefined }

/**
 * Takes a group for one attempt, which is committed before the vendor is called, so that a process that dies of it has still used it
 * up. Every claim raises the fence: whatever an older claim writes later finds nothing to write to.
 *
 * All of the group or nothing: its key is the name under which the vendor knows the whole (a file, say). A member that is left behind,
 * because an order's change holds it at this moment, would find that name taken when its turn comes, and never be told.
 */
export function claimGroup(
  db: Queryable,
  group: { connection_id: string; batch_key: string },
  now: Date,
  leaseMs: number,
): Promise<ClaimedEffect[]> {
  return db.query<ClaimedEffect>(
    `with free as materialized (
       select id from outbox
       where connection_id = $1 and batch_key = $2 and (state = 'queued' or (state = 'pending' and next_attempt_at <= $3))
       order by id for update skip locked)
     update outbox set state = 'sending', fence = fence + 1, attempts = attempts + 1, lease_until = $4
     where id in (select id from free)
       and (select count(*) from free) = (
         select count(*) from outbox where connection_id = $1 and batch_key = $2 and state in ('queued', 'pending'))
     returning id, connection_id, kind, key, batch_key, reference, attempts, fence, unknown_outcome, created_at`,
    [group.connection_id, group.batch_key, now, new Date(now.getTime() + leaseMs)],
  )
}

/** Puts a group back that may not leave now (its connection is paused). No attempt is used. */
export async function unqueueGroup(db: Queryable, group: { connection_id: string; batch_key: string }): Promise<void> {
  await db.query(
    // A row that an order's change holds at this moment is left to its lease: waiting for it with others in hand could deadlock.
    `update outbox set state = 'pending', lease_until = null
     where id in (select id from outbox where connection_id = $1 and batch_key = $2 and state = 'queued' order by id for update skip locked)`,
    [group.connection_id, group.batch_key],
  )
}

/** Only the claim that still owns the row may end it. `result` is kept with the row and shown to operators. */
export async function finishDone(
  tx: Tx,
  row: ClaimedEffect,
  result: Readonly<Record<string, string | boolean | null>>,
  now: Date,
): Promise<EffectEnd> {
  const rows = await tx.query(
    `update outbox set state = 'done', done_at = $3, lease_until = null, unknown_outcome = false, error_code = null, error_detail = null,
            result = $4::jsonb
     where id = $1 and fence = $2 and state = 'sending' returning id`,
    [row.id, row.fence, now, JSON.stringify(result)],
  )
  return { id: row.id, end: rows.length === 0 ? 'late' : 'done' }
}

/** What the effect was about is gone (a fulfillment order taken back before it left): there is nothing to tell. */
export async function finishCancelled(tx: Tx, row: ClaimedEffect, reason: string): Promise<EffectEnd> {
  const rows = await tx.query(
    `update outbox set state = 'cancelled', lease_until = null, result = $3::jsonb where id = $1 and fence = $2 and state = 'sending' returning id`,
    [row.id, row.fence, JSON.stringify({ cancelled: reason })],
  )
  return { id: row.id, end: rows.length === 0 ? 'late' : 'cancelled' }
}

/**
 * Again later, or dead: by the fault's code and the row's own count, never by the queue's. `answered`: the vendor spoke about this
 * very row, so its outcome is known and it may leave in another group next time. `chance` is one draw for the whole group, which
 * otherwise would fall apart over different waits.
 */
export async function finishFault(
  tx: Tx,
  row: ClaimedEffect,
  error: HubError,
  how: { answered: boolean; now: Date; chance: number },
): Promise<EffectEnd> {
  const verdict = decideFault(row, error, how)
  const unknown = leavesDoubt(row, error, how)
  const rows = await tx.query(
    `update outbox set state = $3, attempts = $4, next_attempt_at = $5, lease_until = null, unknown_outcome = $6,
            error_code = $7, error_detail = $8, batch_key = case when $9 then null else batch_key end
     where id = $1 and fence = $2 and state = 'sending' returning id`,
    [
      row.id,
      row.fence,
      verdict.dead ? 'dead' : 'pending',
      verdict.attempts,
      verdict.at,
      unknown,
      error.code,
      error.message.slice(0, 500),
      how.answered,
    ],
  )
  if (rows.length === 0) return { id: row.id, end: 'late' }
  if (!verdict.dead) return { id: row.id, end: 'again', at: verdict.at, code: error.code }
  const letter = {
    connection_id: row.connection_id,
    source: 'outbox',
    source_id: row.id,
    kind: row.kind,
    code: error.code,
  } as const
  const [opened] = await openDeadLetters(tx, [{ ...letter, detail: error.message.slice(0, 500) }], how.now)
  return { id: row.id, end: 'dead', code: error.code, dead_letter_id: opened?.id }
}

/** Pure. Whether the effect may have reached the vendor, or an earlier attempt at it may have, although this one failed. */
export const leavesDoubt = (
  row: Pick<ClaimedEffect, 'unknown_outcome'>,
  error: HubError,
  { answered }: { answered: boolean },
): boolean => !answered && (row.unknown_outcome || !NOT_ARRIVED.has(error.code))

/** Pure. A wait gives its attempt back but is bounded in time; everything else is bounded by the effect's attempts. */
export function decideFault(
  row: Pick<ClaimedEffect, 'attempts' | 'kind' | 'created_at'>,
  error: HubError,
  moment: { now: Date; chance: number },
): { dead: boolean; attempts: number; at: Date } {
  const waits = WAITS.has(error.code)
  const jitter = fullJitterMs(moment.chance, row.attempts, { base_ms: BACKOFF_BASE_MS, max_ms: BACKOFF_MAX_MS })
  // Retry-After is a floor: what the vendor asked for, and the jitter on top, so that not all come back in the same instant.
  const wait = error.next === 'pause' ? PAUSED_RETRY_MS : (error.retry_after_ms ?? 0) + jitter
  const at = new Date(moment.now.getTime() + wait)
  if (waits)
    return {
      dead: moment.now.getTime() - row.created_at.getTime() > WAIT_MAX_MS && error.next !== 'pause',
      attempts: row.attempts - 1,
      at,
    }
  const retries = error.next === 'retry' && row.attempts < EFFECTS[row.kind].attempts_max
  return { dead: !retries, attempts: row.attempts, at }
}

/** The connection stops as a whole: every further call would fail in the same way, and lock the account on the way. */
export async function failConnection(db: Queryable, connectionId: string, error: HubError, now: Date): Promise<void> {
  await db.query(
    `update connections set state = 'failing', state_reason = $2, state_at = $3 where id = $1 and state = 'active'`,
    [connectionId, `${error.code}: ${error.message}`.slice(0, 500), now],
  )
}

/** `active`, `paused` or `failing`; undefined for one that the database does not know. */
export async function connectionState(db: Queryable, connectionId: string): Promise<string | undefined> {
  const [row] = await db.query<{ state: string }>('select state from connections where id = $1', [connectionId])
  return row?.state
}
