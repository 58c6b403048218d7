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

/** What facts may look for in vain while another transaction is just writing it. */
export type Sought = 'orders' | 'parcels'

/**
 * Whoever looks for something that may not be there yet (a payment for its order, a scan for its parcel) and whoever brings it must not
 * pass each other unseen in two open transactions: seekers have the company's orders or parcels to themselves, those who bring some
 * share them. Taken right after the turn, in the order of the names. Nobody else waits for it.
 */
export async function takeSearch(
  tx: Tx,
  company_ids: Iterable<string>,
  { sought, manner }: { sought: Sought; manner: 'seek' | 'bring' },
): Promise<void> {
  const lock = manner === 'seek' ? 'pg_advisory_xact_lock' : 'pg_advisory_xact_lock_shared'
  for (const company of [...new Set(company_ids)].sort())
    await tx.query(`select ${lock}(hashtextextended($1, 0))`, [`seek-${sought}:${company}`])
}

/**
 * What to throw when a lock is needed out of its turn: the transaction is undone and run again from its beginning. The code is
 * PostgreSQL's own word for that, which `inTransaction` heeds.
 */
export function startAnew(why: string): Error {
  return Object.assign(new Error(why), { code: '40001' })
}
