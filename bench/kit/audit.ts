import { verify } from '../../src/core/verify.ts'
import type { Db } from '../../src/db/pool.ts'
import { unitsOf, type BenchOrder } from './orders.ts'
import { SKUS, STOCK_OF_EACH } from './shop.ts'

/**
 * Recomputes every invariant from the data and compares it with what was sent: each order is there once and has its units, and no unit
 * was promised that does not exist. Throws otherwise: a figure of a run that sold something twice is no figure.
 */
export async function audit(db: Db, orders: readonly BenchOrder[]): Promise<void> {
  const { ok, checks } = await verify(db)
  if (!ok)
    throw new Error(
      `the audit found ${checks
        .filter(({ violations }) => violations > 0)
        .map(({ name }) => name)
        .join(', ')}`,
    )
  const [found] = await db.query<{ orders: number; committed: number; promised: number; available: number }>(
    `select (select count(*) from orders) as orders,
       (select count(*) from orders where reservation_state = 'committed') as committed,
       (select coalesce(sum(quantity), 0)::bigint from reservations where state = 'committed') as promised,
       (select sum(available)::bigint from stock) as available`,
  )
  const units = unitsOf(orders)
  const wanted = {
    orders: orders.length,
    committed: orders.length,
    promised: units,
    available: SKUS * STOCK_OF_EACH - units,
  }
  if (JSON.stringify(found) !== JSON.stringify(wanted)) {
    throw new Error(`the audit found ${JSON.stringify(found)} where ${JSON.stringify(wanted)} was sold`)
  }
}

/** True once every message is applied. Throws when one could not be, or when it takes longer than `ms_max`. */
export async function waitUntilReserved(db: Db, ms_max: number): Promise<void> {
  const end = performance.now() + ms_max
  while (performance.now() < end) {
    const open = await db.query(`select 1 from inbox where state = 'pending' limit 1`)
    if (open.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`not everything was reserved within ${ms_max} ms`)
}
