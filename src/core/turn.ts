import type { Tx } from '../db/pool.ts'

/**
 * The first lock of every transaction that writes orders or stock, held until it ends: one per company, in the order of their ids.
 * `side_by_side` is for work that takes each of its further locks once and in the one order (ARCHITECTURE.md, invariant 8); `alone` is
 * for work that goes through that order more than once, and waits until nobody else of the company is at it.
 */
export async function takeTurn(tx: Tx, company_ids: Iterable<string>, manner: 'side_by_side' | 'alone'): Promise<void> {
  const lock = manner === 'alone' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared'
  for (const company of [...new Set(company_ids)].sort())
    await tx.query(`select ${lock}(hashtextextended($1, 0))`, [`apply:${company}`])
}

/** More names than this, and the whole company's are taken: each is an entry in the server's table of locks. */
const NAMES_MAX = 100

/**
 * Whoever looks for something that may not be there yet (a payment for its order, a scan for its parcel) and whoever brings it must not
 * pass each other unseen in two open transactions: both take the names by which it is looked for. Taken right after the turn, in the
 * order of their numbers; nobody waits for names that are not his.
 */
export async function takeNames(tx: Tx, company_ids: Iterable<string>, names: readonly string[]): Promise<void> {
  if (names.length === 0) return
  const isMany = names.length > NAMES_MAX
  const lock = isMany ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared'
  for (const company of [...new Set(company_ids)].sort()) {
    await tx.query(`select ${lock}(hashtextextended($1, 0))`, [`names:${company}`])
    if (isMany) continue
    await tx.query(
      `select pg_advisory_xact_lock(n.number)
       from (select distinct hashtextextended($1 || name, 0) as number from unnest($2::text[]) as name order by 1) n`,
      [`name:${company}:`, names],
    )
  }
}

/**
 * What to throw when a lock is needed out of its turn: the transaction is undone and run again from its beginning. The code is
 * PostgreSQL's own word for that, which `inTransaction` heeds.
 */
export function startAnew(why: string): Error {
  return Object.assign(new Error(why), { code: '40001' })
}
