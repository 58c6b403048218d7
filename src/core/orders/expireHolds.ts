import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, touchOnce, type StockMove } from '../inventory/ledger.ts'
import { loadLive, updateReservations } from '../inventory/sql.ts'
import { takeTurn } from '../turn.ts'
import { refreshAxes } from './axes.ts'
import { lockOrdersById } from './sql.ts'
import { recordTimeline } from './timeline.ts'

/**
 * Gives back units that were held for money which did not come in time, of at most `orders_max` orders. A payment that comes later
 * reserves anew. An order that an operator has put on hold keeps its units. Returns how many orders lost their hold.
 */
export async function expireHolds(tx: Tx, ctx: CoreContext, orders_max: number): Promise<number> {
  await takeTurn(
    tx,
    [...ctx.policies.values()].map((policy) => policy.company_id),
    'side_by_side',
  )
  return touchOnce(tx, ctx.now, () => expireOverdue(tx, ctx, orders_max))
}

/** Orders with a hold that has run out; `among` null: whichever. */
async function loadOverdue(tx: Tx, now: Date, among: readonly string[] | null, orders_max: number): Promise<string[]> {
  const rows = await tx.query<{ order_id: string }>(
    `select distinct r.order_id from reservations r join orders o on o.id = r.order_id
     where r.state = 'held' and r.expires_at <= $1 and o.hold_reason is null and ($2::uuid[] is null or r.order_id = any($2)) limit $3`,
    [now, among, orders_max],
  )
  return rows.map((row) => row.order_id)
}

async function expireOverdue(tx: Tx, ctx: CoreContext, orders_max: number): Promise<number> {
  const seen = await loadOverdue(tx, ctx.now, null, orders_max)
  await lockOrdersById(tx, seen)
  // Asked again under the lock: an order may have been paid, put on hold or given more time meanwhile.
  const ids = seen.length === 0 ? [] : await loadOverdue(tx, ctx.now, seen, orders_max)
  if (ids.length === 0) return 0
  const rows = (await loadLive(tx, ids)).filter((row) => row.state === 'held' && row.quantity > 0)
  if (rows.length === 0) return 0
  const moves = rows.map((row): StockMove => ({
    item_id: row.item_id,
    location_id: row.location_id ?? '',
    from: 'reserved',
    to: 'available',
    quantity: row.quantity,
    reason: 'expired',
    source: `order:${row.order_id}`,
    occurred_at: ctx.now,
  }))
  await lockStock(tx, moves, ctx.now)
  await updateReservations(
    tx,
    rows.map(({ id, quantity }) => ({ id, quantity, state: 'expired' as const, fulfillment_order_id: null })),
    ctx.now,
  )
  await moveStock(tx, moves, ctx.now)
  const expired = [...Map.groupBy(rows, (row) => row.order_id)]
  await recordTimeline(
    tx,
    expired.map(([order_id, own]) => {
      const units = own.reduce((sum, row) => sum + row.quantity, 0)
      return { order_id, kind: 'reservation.expired', at: ctx.now, source: `order:${order_id}`, data: { units } }
    }),
    ctx.now,
  )
  await refreshAxes(tx, ids, ctx.now)
  await allocateShortfalls(tx, ctx, [...new Set(rows.map((row) => row.item_id))])
  return expired.length
}
