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
 * reserves anew. Returns how many orders lost their hold.
 */
export async function expireHolds(tx: Tx, ctx: CoreContext, orders_max: number): Promise<number> {
  await takeTurn(
    tx,
    [...ctx.policies.values()].map((policy) => policy.company_id),
    'side_by_side',
  )
  return touchOnce(tx, ctx.now, () => expireOverdue(tx, ctx, orders_max))
}

async function expireOverdue(tx: Tx, ctx: CoreContext, orders_max: number): Promise<number> {
  const overdue = await tx.query<{ order_id: string }>(
    `select distinct order_id from reservations where state = 'held' and expires_at <= $1 limit $2`,
    [ctx.now, orders_max],
  )
  const orders = await lockOrdersById(
    tx,
    overdue.map((row) => row.order_id),
  )
  const ids = orders.map((order) => order.id)
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
