import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, type StockRow } from '../inventory/ledger.ts'
import type { LiveReservation } from '../inventory/rulesChange.ts'
import { loadLive, updateReservations } from '../inventory/sql.ts'
import { settleOrders, soldByListing } from '../orders/settle.ts'
import { loadLines, lockOrdersById } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { placesOfTransfer } from '../supply/transferOrders.ts'

/**
 * Gives back every unit that a fulfillment order still holds, because its work ended without them: called back, refused, or done in
 * part. The order's row has to be locked, and `replanOrder` should follow. Returns the items of which units became available.
 */
export async function releaseFulfillmentOrder(
  tx: Tx,
  ctx: CoreContext,
  fulfillment_order_id: string,
  source: string,
): Promise<number[]> {
  const [work] = await tx.query<{ order_id: string; number: string }>(
    'select order_id, number from fulfillment_orders where id = $1',
    [fulfillment_order_id],
  )
  if (work === undefined) throw new HubError('unknown_fulfillment_order', 'there is no such fulfillment order')
  const [order] = await lockOrdersById(tx, [work.order_id])
  if (order === undefined) throw new HubError('invariant_broken', 'a fulfillment order has no order')
  const live = await loadLive(tx, [order.id])
  const rows = live.filter(
    (row) => row.fulfillment_order_id === fulfillment_order_id && row.state === 'committed' && row.quantity > 0,
  )
  if (rows.length === 0) return []
  await lockStockOfOrder(tx, ctx, order)
  await updateReservations(
    tx,
    rows.map((row) =>
      row.consumed_quantity > 0
        ? { id: row.id, quantity: 0, state: 'consumed' as const, fulfillment_order_id }
        : { id: row.id, quantity: row.quantity, state: 'released' as const, fulfillment_order_id },
    ),
    ctx.now,
  )
  await moveStock(
    tx,
    rows.map((row) => ({
      item_id: row.item_id,
      location_id: locationOf(row),
      from: 'committed' as const,
      to: 'available' as const,
      quantity: row.quantity,
      reason: 'released',
      source: `order:${order.id}`,
      occurred_at: ctx.now,
    })),
    ctx.now,
  )
  const units = rows.reduce((sum, row) => sum + row.quantity, 0)
  const data = { units, number: work.number }
  await recordTimeline(tx, [{ order_id: order.id, kind: 'reservation.released', at: ctx.now, source, data }], ctx.now)
  return [...new Set(rows.map((row) => row.item_id))]
}

/**
 * Locks all stock that this order holds and all that a new plan of it may look at, at once: locking some of it now and the rest with the
 * plan would be out of order. The order's row has to be locked.
 */
export async function lockStockOfOrder(
  tx: Tx,
  ctx: CoreContext,
  order: { id: string; connection_id: string },
): Promise<Map<string, StockRow>> {
  const rows = await tx.query<{ item_id: number; location_id: string | null }>(
    'select distinct item_id, location_id from reservations where order_id = $1',
    [order.id],
  )
  const serves_from = [
    ...(ctx.policies.get(order.connection_id)?.serves_from ?? []),
    ...(await placesOfTransfer(tx, order)),
  ]
  const keys = rows.flatMap(({ item_id, location_id }) =>
    [...serves_from, ...(location_id === null ? [] : [location_id])].map((place) => ({ item_id, location_id: place })),
  )
  return lockStock(tx, keys, ctx.now)
}

/**
 * Plans an order anew: what its lines want, less what was shipped and what is still reserved, is reserved or given back. Units of work
 * that is being called back count as reserved until the answer. What this order leaves of its items is offered to others that wait.
 */
export async function replanOrder(tx: Tx, ctx: CoreContext, order_id: string, source: string): Promise<void> {
  const orders = await lockOrdersById(tx, [order_id])
  const lines = await loadLines(tx, [order_id])
  const changed = orders.map((order) => ({
    order,
    source,
    sold_before: soldByListing(order, lines),
    fresh: null,
    paid: true,
  }))
  await settleOrders(tx, ctx, changed, [])
  const items = await tx.query<{ item_id: number }>('select distinct item_id from reservations where order_id = $1', [
    order_id,
  ])
  await allocateShortfalls(
    tx,
    ctx,
    items.map((row) => row.item_id),
  )
}

function locationOf(row: LiveReservation): string {
  if (row.location_id === null) throw new HubError('invariant_broken', 'reserved units have no location')
  return row.location_id
}
