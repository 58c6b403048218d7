import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { refreshAxes } from '../orders/axes.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { moveStock, stockKey, tryLockStock, type StockMove } from './ledger.ts'

interface LostRow {
  id: number
  order_id: string
  line_id: number
  item_id: number
  location_id: string
  work_id: string
  per_unit: number
  quantity: number
}

interface Restored extends LostRow {
  units: number
}

const ROWS_MAX = 500

/**
 * SQL condition on a reservation `r`: units that work which is still at the 3PL lost to a count. They wait for that work alone:
 * promised anew elsewhere they would be packed twice when the 3PL finds them after all.
 */
export const LOST_FROM_LIVE_WORK = `r.lost_from is not null and exists (
  select 1 from fulfillment_orders f where f.id = r.lost_from and f.state not in ('CLOSED', 'CANCELLED'))`

/**
 * Units that came back to a shelf go first to the work that lost them there: it has been sent, so nothing has to be told to anybody.
 * The caller has locked the stock rows that the units came to; orders and rows that others hold are passed over.
 */
export async function reattachLost(tx: Tx, ctx: CoreContext, item_ids: readonly number[]): Promise<void> {
  const seen = await loadLost(tx, item_ids, null)
  if (seen.length === 0) return
  const stock = await tryLockStock(tx, seen)
  const locked = await tx.query<{ id: string }>(
    'select id from orders where id = any($1::uuid[]) order by id for no key update skip locked',
    [[...new Set(seen.map((row) => row.order_id))]],
  )
  const rows = await loadLost(tx, item_ids, locked.map((order) => order.id)) // prettier-ignore
  const restored = rows.flatMap((row): Restored[] => {
    const shelf = stock.get(stockKey(row.item_id, row.location_id))
    const units = Math.floor(Math.min(row.quantity, shelf?.available ?? 0) / row.per_unit) * row.per_unit
    if (shelf === undefined || units === 0) return []
    shelf.available -= units
    return [{ ...row, units }]
  })
  if (restored.length > 0) await restore(tx, ctx, restored)
}

/** `order_ids` null: whichever order, not locked yet. */
async function loadLost(tx: Tx, item_ids: readonly number[], order_ids: readonly string[] | null): Promise<LostRow[]> {
  return tx.query<LostRow>(
    `select r.id, r.order_id, r.order_line_id as line_id, r.item_id, w.location_id, w.id as work_id, r.per_unit, r.quantity
     from reservations r join fulfillment_orders w on w.id = r.lost_from
     where r.state = 'shortfall' and r.item_id = any($1::bigint[]) and w.state not in ('CLOSED', 'CANCELLED')
       and ($2::uuid[] is null or r.order_id = any($2::uuid[]))
     order by r.priority, coalesce(r.ship_by, 'infinity'), r.id limit ${ROWS_MAX}`,
    [item_ids, order_ids],
  )
}

async function restore(tx: Tx, ctx: CoreContext, restored: readonly Restored[]): Promise<void> {
  const keys = columns(restored, ['id', 'units'])
  // A row that gets only a part keeps the rest, and its place in the queue.
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, location_id, fulfillment_order_id, per_unit, quantity, state, priority,
       ship_by, listing_id, created_at, changed_at)
     select r.order_id, r.order_line_id, r.item_id, w.location_id, w.id, r.per_unit, b.units, 'committed', r.priority, r.ship_by, r.listing_id,
       r.created_at, $3
     from unnest($1::bigint[], $2::int[]) as b(id, units)
     join reservations r on r.id = b.id join fulfillment_orders w on w.id = r.lost_from`,
    [...keys, ctx.now],
  )
  await tx.query(
    `delete from reservations r using unnest($1::bigint[], $2::int[]) as b(id, units) where r.id = b.id and r.quantity = b.units`,
    keys,
  )
  await tx.query(
    `update reservations r set quantity = r.quantity - b.units, changed_at = $3
     from unnest($1::bigint[], $2::int[]) as b(id, units) where r.id = b.id`,
    [...keys, ctx.now],
  )
  const moves = restored.map(({ order_id, item_id, location_id, units }): StockMove => {
    const move = { item_id, location_id, reason: 'allocated', source: `order:${order_id}`, occurred_at: ctx.now }
    return { ...move, from: 'available', to: 'committed', quantity: units }
  })
  await moveStock(tx, moves, ctx.now)
  await recordTimeline(
    tx,
    restored.map(({ order_id, line_id, item_id, location_id, work_id, units }) => ({
      order_id,
      kind: 'reservation.restored',
      at: ctx.now,
      source: `order:${order_id}`,
      data: { units, item_id, location_id, order_line_id: line_id, fulfillment_order_id: work_id },
    })),
    ctx.now,
  )
  await refreshAxes(tx, [...new Set(restored.map((row) => row.order_id))], ctx.now)
}
