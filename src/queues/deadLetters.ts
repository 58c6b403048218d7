import type { Queryable, Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { forceAll, wakeDrain } from './wake.ts'

export interface NewDeadLetter {
  connection_id: string
  source: 'inbox' | 'outbox'
  source_id: number
  /** The topic of the message or the kind of the effect. */
  kind: string
  code: string
  /** Ids and field names only, like every error text. */
  detail: string
}

/** Every given condition must hold; an empty filter means all that are open. */
export interface DeadLetterFilter {
  ids?: readonly number[]
  connection?: string
  code?: string
  kind?: string
  since?: Date
}

export interface ReplayResult {
  matched: number
  replayed: number
}

/** One decision takes this many; a larger pile is decided in several steps, each of them written into the audit log. */
const DECIDE_MAX = 10_000
const ANNOUNCE_MAX = 1_000

const jobIdOf = (id: number): string => `dead-${id}`

/** Written in the transaction that gave something up. A row that has an open one already gets no second. */
export async function openDeadLetters(
  tx: Tx,
  letters: readonly NewDeadLetter[],
  now: Date,
): Promise<{ id: number; code: string }[]> {
  if (letters.length === 0) return []
  return tx.query<{ id: number; code: string }>(
    `insert into dead_letters (connection_id, source, source_id, kind, code, detail, created_at)
     select l.connection_id, l.source, l.source_id, l.kind, l.code, l.detail, $2
     from jsonb_to_recordset($1::jsonb) as l (connection_id text, source text, source_id bigint, kind text, code text, detail text)
     order by l.source, l.source_id
     on conflict (source, source_id) where state = 'open' do nothing
     returning id, code`,
    [JSON.stringify(letters), now],
  )
}

/** Puts dead letters where the operator looks: one job each, ids only, in a queue that nobody works on. */
export async function announceDeadLetters(hub: Hub, letters: readonly { id: number; code: string }[]): Promise<void> {
  if (letters.length === 0) return
  try {
    await hub.queues.addMany(
      'dead-letter',
      letters.map(({ id, code }) => ({ name: code, data: { dead_letter_id: id }, options: { job_id: jobIdOf(id) } })),
    )
  } catch (thrown) {
    hub.log.warn({ reason: String(thrown) }, 'dead letters are not on the board yet; the sweeper puts them there')
  }
}

/** Makes the board's queue show the newest open dead letters again after the queue was wiped. Adding one twice changes nothing. */
export async function reconcileDeadLetters(hub: Hub): Promise<number> {
  const open = await hub.db.query<{ id: number; code: string }>(
    `select id, code from dead_letters where state = 'open' order by id desc limit $1`,
    [ANNOUNCE_MAX],
  )
  if (open.length === 0) return 0
  const counts = await hub.queues.counts()
  const shown = counts['dead-letter']['waiting'] ?? 0
  if (shown >= open.length) return 0
  await announceDeadLetters(hub, open.toReversed())
  return open.length - shown
}

/**
 * Sends dead letters round again: their rows become due with all their attempts before them. Two at once replay each letter once,
 * because only the one that finds it open may. `dry_run` counts and changes nothing.
 */
export async function replayDeadLetters(
  hub: Hub,
  filter: DeadLetterFilter,
  actor: string,
  options: { dry_run?: boolean } = {},
): Promise<ReplayResult> {
  if (options.dry_run === true) return { matched: await countOpen(hub.db, filter), replayed: 0 }
  const now = hub.clock.now()
  const decided = await inTransaction(hub.db, async (tx) => {
    const letters = await decide(tx, filter, { state: 'replayed', actor, now })
    await resetRows(tx, letters, now)
    await audit(tx, { actor, action: 'dead_letters.replay', filter, ids: letters.map((letter) => letter.id), now })
    return letters
  })
  await takeOffBoard(
    hub,
    decided.map((letter) => letter.id),
  )
  const inbox = new Set(decided.filter((letter) => letter.source === 'inbox').map((letter) => letter.connection_id))
  await forceAll(hub, [...inbox].map(wakeDrain))
  return { matched: decided.length, replayed: decided.length }
}

/** Gives dead letters up for good: their rows stay, as dropped or cancelled, and are never tried again. */
export async function dropDeadLetters(
  hub: Hub,
  filter: DeadLetterFilter,
  actor: string,
  options: { dry_run?: boolean } = {},
): Promise<{ matched: number; dropped: number }> {
  if (options.dry_run === true) return { matched: await countOpen(hub.db, filter), dropped: 0 }
  const now = hub.clock.now()
  const ids = await inTransaction(hub.db, async (tx) => {
    const letters = await decide(tx, filter, { state: 'dropped', actor, now })
    await tx.query(
      `update inbox set state = 'dropped', wake_key = null where id = any($1::bigint[]) and state = 'parked'`,
      [idsOf(letters, 'inbox')],
    )
    await tx.query(`update outbox set state = 'cancelled' where id = any($1::bigint[]) and state = 'dead'`, [
      idsOf(letters, 'outbox'),
    ])
    await audit(tx, { actor, action: 'dead_letters.drop', filter, ids: letters.map((letter) => letter.id), now })
    return letters.map((letter) => letter.id)
  })
  await takeOffBoard(hub, ids)
  return { matched: ids.length, dropped: ids.length }
}

interface DecidedLetter {
  id: number
  connection_id: string
  source: 'inbox' | 'outbox'
  source_id: number
}

const WHERE = `state = 'open' and ($1::bigint[] is null or id = any($1)) and ($2::text is null or connection_id = $2)
  and ($3::text is null or code = $3) and ($4::text is null or kind = $4) and ($5::timestamptz is null or created_at >= $5)`

const whereParams = (filter: DeadLetterFilter): unknown[] => [
  filter.ids ?? null,
  filter.connection ?? null,
  filter.code ?? null,
  filter.kind ?? null,
  filter.since ?? null,
]

async function countOpen(db: Queryable, filter: DeadLetterFilter): Promise<number> {
  const [row] = await db.query<{ open: number }>(
    `select count(*)::int as open from dead_letters where ${WHERE}`,
    whereParams(filter),
  )
  return row?.open ?? 0
}

/** Locks in id order; a second decision waits here, then finds the letters no longer open. */
function decide(
  tx: Tx,
  filter: DeadLetterFilter,
  decision: { state: 'replayed' | 'dropped'; actor: string; now: Date },
): Promise<DecidedLetter[]> {
  return tx.query<DecidedLetter>(
    `with chosen as (select id from dead_letters where ${WHERE} order by id limit ${DECIDE_MAX} for update)
     update dead_letters d set state = $6, decided_at = $7, decided_by = $8 from chosen
     where d.id = chosen.id and d.state = 'open'
     returning d.id, d.connection_id, d.source, d.source_id`,
    [...whereParams(filter), decision.state, decision.now, decision.actor],
  )
}

async function resetRows(tx: Tx, letters: readonly DecidedLetter[], now: Date): Promise<void> {
  await tx.query(
    `update inbox set state = 'pending', attempts = 0, deaths = 0, next_attempt_at = $2, processed_at = null,
            cause_code = null, cause_path = null, cause_detail = null, wake_key = null
     where id = any($1::bigint[]) and state = 'parked'`,
    [idsOf(letters, 'inbox'), now],
  )
  // The batch key and the unknown outcome stay: the same call goes out under the same name, after a look whether it arrived before.
  await tx.query(
    `update outbox set state = 'pending', attempts = 0, next_attempt_at = $2, created_at = $2, error_code = null, error_detail = null
     where id = any($1::bigint[]) and state = 'dead'`,
    [idsOf(letters, 'outbox'), now],
  )
}

const idsOf = (letters: readonly DecidedLetter[], source: 'inbox' | 'outbox'): number[] =>
  letters.filter((letter) => letter.source === source).map((letter) => letter.source_id)

async function audit(
  tx: Tx,
  entry: { actor: string; action: string; filter: DeadLetterFilter; ids: readonly number[]; now: Date },
): Promise<void> {
  await tx.query(
    `insert into audit_log (at, actor, action, subject, data) values ($1, $2, $3, 'dead_letters', $4::jsonb)`,
    [
      entry.now,
      entry.actor,
      entry.action,
      JSON.stringify({ filter: entry.filter, count: entry.ids.length, ids: entry.ids.slice(0, 1_000) }),
    ],
  )
}

async function takeOffBoard(hub: Hub, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await hub.queues.remove('dead-letter', ids.map(jobIdOf)).catch((thrown: unknown) => {
    hub.log.warn({ reason: String(thrown) }, 'decided dead letters still show on the board')
  })
}
