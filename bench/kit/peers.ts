import type { Db, Tx } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { SKUS, STOCK_OF_EACH } from './shop.ts'

export type ReserveOne = (db: Db, order_id: number, item_id: number, quantity: number) => Promise<boolean>

export const PEER_TABLES = `
  create table peer_stock (item_id int primary key, available int not null check (available >= 0), committed int not null) with (fillfactor = 70);
  create table peer_reservations (order_id bigint primary key, item_id int not null, quantity int not null);
  insert into peer_stock select item_id, ${STOCK_OF_EACH}, 0 from generate_series(0, ${SKUS - 1}) as item_id`

/** The strongest way to reserve one order at a time: one statement, one round trip, no lock held between two messages. */
export const oneStatement: ReserveOne = async (db, order_id, item_id, quantity) => {
  const rows = await db.query(
    `with taken as (
       update peer_stock set available = available - $3, committed = committed + $3 where item_id = $2 and available >= $3 returning item_id
     ) insert into peer_reservations (order_id, item_id, quantity) select $1, item_id, $3 from taken returning 1`,
    [order_id, item_id, quantity],
  )
  return rows.length === 1
}

/** The usual way: look under a lock, decide, write. */
export const forUpdate: ReserveOne = (db, order_id, item_id, quantity) =>
  inTransaction(db, async (tx: Tx) => {
    const [row] = await tx.query<{ available: number }>(
      'select available from peer_stock where item_id = $1 for update',
      [item_id],
    )
    if (row === undefined || row.available < quantity) return false
    await tx.query('update peer_stock set available = available - $2, committed = committed + $2 where item_id = $1', [
      item_id,
      quantity,
    ])
    await tx.query('insert into peer_reservations (order_id, item_id, quantity) values ($1, $2, $3)', [
      order_id,
      item_id,
      quantity,
    ])
    return true
  })

export async function auditPeer(db: Db, units: number): Promise<void> {
  const [row] = await db.query<{ committed: number; promised: number }>(
    `select (select sum(committed) from peer_stock)::bigint as committed, (select sum(quantity) from peer_reservations)::bigint as promised`,
  )
  if (row?.committed !== units || row.promised !== units) throw new Error('a peer lost count of its units')
}
