import type { Queryable } from './pool.ts'

const ATTEMPTS_KEPT_DAYS = 30
const PUBLICATIONS_KEPT_DAYS = 30
const CASES_KEPT_DAYS = 90
const ROWS_MAX = 50_000

/**
 * Removes what nobody needs any more: attempts and publications older than thirty days, cases that were resolved long ago, and sessions
 * that are over. Inbox, ledger, timeline and audit log
 * stay: they are the record. In portions, so that a first run on an old database does not hold locks for minutes. Returns the counts.
 */
export async function prune(
  db: Queryable,
  now: Date,
): Promise<{ attempts: number; sessions: number; publications: number; cases: number }> {
  const attempts = await db.query(
    `delete from attempts where id in (
       select id from attempts where at < $1::timestamptz - $2 * interval '1 day' order by id limit ${ROWS_MAX}) returning 1`,
    [now, ATTEMPTS_KEPT_DAYS],
  )
  const publications = await db.query(
    `delete from publications where id in (
       select id from publications where at < $1::timestamptz - $2 * interval '1 day' order by at limit ${ROWS_MAX}) returning 1`,
    [now, PUBLICATIONS_KEPT_DAYS],
  )
  const cases = await db.query(
    `delete from cases where id in (
       select id from cases where state = 'resolved' and resolved_at < $1::timestamptz - $2 * interval '1 day'
       order by id limit ${ROWS_MAX}) returning 1`,
    [now, CASES_KEPT_DAYS],
  )
  const sessions = await db.query('delete from sessions where expires_at <= $1 returning 1', [now])
  return {
    attempts: attempts.length,
    sessions: sessions.length,
    publications: publications.length,
    cases: cases.length,
  }
}
