import { writeAudit } from '../db/audit.ts'
import { whereClause, type Filter } from '../db/page.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { forceAll, wakeDrain } from './wake.ts'

/** Which parked messages; every given condition must hold. */
export interface InboxReplayFilter {
  ids?: readonly number[]
  connection?: string
  topic?: string
  cause_code?: string
  /** Received at or after it. */
  since?: Date
}

/** One decision takes this many; a larger pile is replayed in several steps. */
const REPLAY_MAX = 10_000

const filtersOf = (filter: InboxReplayFilter): Filter[] => [
  [`state = 'parked'`],
  ['id = any(?::bigint[])', filter.ids],
  ['connection_id = ?', filter.connection],
  ['topic = ?', filter.topic],
  ['cause_code = ?', filter.cause_code],
  ['received_at >= ?::timestamptz', filter.since],
]

/**
 * Sends parked messages round again, with all their attempts before them. Only parked ones: what was applied is never applied twice.
 * Dead letters about them are closed. With `dry_run` they are counted and left alone.
 */
export async function replayInbox(
  hub: Hub,
  filter: InboxReplayFilter,
  actor: string,
  options: { dry_run?: boolean } = {},
): Promise<{ matched: number; replayed: number }> {
  const { sql, params } = whereClause(filtersOf(filter))
  if (options.dry_run === true) {
    const [row] = await hub.db.query<{ matched: number }>(`select count(*)::int as matched from inbox${sql}`, params)
    return { matched: row?.matched ?? 0, replayed: 0 }
  }
  const now = hub.clock.now()
  const { rows, letters } = await inTransaction(hub.db, async (tx) => {
    const locked = await tx.query<{ id: number; connection_id: string }>(
      `select id, connection_id from inbox${sql} order by id limit ${REPLAY_MAX} for update`,
      params,
    )
    const ids = locked.map((row) => row.id)
    await tx.query(
      `update inbox set state = 'pending', attempts = 0, deaths = 0, next_attempt_at = $2, processed_at = null,
              cause_code = null, cause_path = null, cause_detail = null, wake_key = null
       where id = any($1::bigint[])`,
      [ids, now],
    )
    const closed = await tx.query<{ id: number }>(
      `update dead_letters set state = 'replayed', decided_at = $2, decided_by = $3
       where source = 'inbox' and source_id = any($1::bigint[]) and state = 'open' returning id`,
      [ids, now, actor],
    )
    const data = { filter, count: ids.length, ids: ids.slice(0, 1_000) }
    await writeAudit(tx, { at: now, actor, action: 'inbox.replay', subject: 'inbox', data })
    return { rows: locked, letters: closed.map((row) => row.id) }
  })
  if (letters.length > 0) {
    await hub.queues
      .remove(
        'dead-letter',
        letters.map((id) => `dead-${id}`),
      )
      .catch((thrown: unknown) => {
        hub.log.warn({ reason: String(thrown) }, 'decided dead letters still show on the board')
      })
  }
  await forceAll(hub, [...new Set(rows.map((row) => row.connection_id))].map(wakeDrain))
  return { matched: rows.length, replayed: rows.length }
}
