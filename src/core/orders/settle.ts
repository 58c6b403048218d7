import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { tellErp } from '../erp/tell.ts'
import type { HandOver } from '../holds/handOver.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { settleStock, type OrderForStock, type Settled } from '../inventory/reserve.ts'
import type { Component } from '../inventory/rulesDemand.ts'
import { refreshAxes, refreshPaymentStates } from './axes.ts'
import { loadComponents } from './resolve.ts'
import { reservationStateOf, soldUnits, type ReservationState } from './rules.ts'
import { loadLines, type StoredLine, type StoredOrder } from './sql.ts'
import type { TimelineFact } from './timeline.ts'

/** An order that changed, and what its channel had sold of it before: units by listing. */
export interface ChangedOrder {
  order: StoredOrder
  source: string
  sold_before: ReadonlyMap<number, number>
  /** An order that this transaction wrote: its lines are at hand, and its row has the state it would have if all units were found. */
  fresh: { lines: readonly StoredLine[]; reservation_state: ReservationState } | null
  /** Whether payments may have changed what its picture says about money. */
  paid: boolean
  /** `anew`: work that has not left is planned again from today's stock. Left out: it is kept. */
  work?: 'kept' | 'anew'
}

/** What the caller of `settleOrders` has at hand. */
export interface AtHand {
  /** What one unit of each listing takes, as far as that has been loaded already. */
  components?: ReadonlyMap<number, readonly Component[]>
  /** Cart holds whose units the orders take over. */
  hand_over?: HandOver | null
}

/** What a channel has taken off its own numbers for an order. */
export function soldByListing(
  order: Pick<StoredOrder, 'lifecycle'>,
  lines: readonly StoredLine[],
): Map<number, number> {
  const sold = new Map<number, number>()
  for (const line of lines) {
    if (line.listing_id !== null) sold.set(line.listing_id, (sold.get(line.listing_id) ?? 0) + soldUnits(order, line))
  }
  return sold
}

function addSold(to: Map<number, number>, units: ReadonlyMap<number, number>, sign: 1 | -1): void {
  for (const [listing_id, count] of units) {
    const sum = (to.get(listing_id) ?? 0) + sign * count
    if (sum === 0) to.delete(listing_id)
    else to.set(listing_id, sum)
  }
}

/**
 * Brings everything that hangs on orders in line after they changed: payment axis, reservations and work, the channel's own sales,
 * the other axes; and offers what became free to whoever waits for it. The orders are locked by the caller.
 */
export async function settleOrders(
  tx: Tx,
  ctx: CoreContext,
  changed: readonly ChangedOrder[],
  timeline: readonly TimelineFact[],
  { components = new Map(), hand_over = null }: AtHand = {},
): Promise<Settled> {
  const known = changed.flatMap(({ order, fresh }) => (fresh === null ? [order.id] : []))
  const paid = changed.flatMap((one) => (one.paid ? [one.order.id] : []))
  const payments = await refreshPaymentStates(tx, paid, ctx.now)
  const lines = [...changed.flatMap(({ fresh }) => fresh?.lines ?? []), ...(await loadLines(tx, known))]
  const missing = new Set(
    lines.flatMap((line) => (line.listing_id === null || components.has(line.listing_id) ? [] : line.listing_id)),
  )
  const settled = await settleStock(
    tx,
    ctx,
    {
      orders: changed.map((one) => forStock(one, payments.get(one.order.id) ?? one.order.payment_state)),
      lines,
      components:
        missing.size === 0 ? components : new Map([...components, ...(await loadComponents(tx, [...missing]))]),
      sold: soldSince(changed, lines),
      hand_over,
    },
    timeline,
  )
  await correctFresh(tx, ctx, changed, settled)
  await refreshAxes(tx, known, ctx.now)
  await allocateShortfalls(tx, ctx, settled.freed)
  await tellErp(
    tx,
    ctx,
    changed.map(({ order }) => order),
  )
  return settled
}

function soldSince(changed: readonly ChangedOrder[], lines: readonly StoredLine[]): Map<number, number> {
  const linesOf = Map.groupBy(lines, (line) => line.order_id)
  const sold = new Map<number, number>()
  for (const { order, sold_before } of changed) {
    addSold(sold, soldByListing(order, linesOf.get(order.id) ?? []), 1)
    addSold(sold, sold_before, -1)
  }
  return sold
}

/** New orders are written as if everything were found; only those for which that was wrong are written twice. */
async function correctFresh(
  tx: Tx,
  ctx: CoreContext,
  changed: readonly ChangedOrder[],
  settled: Settled,
): Promise<void> {
  const wrong = changed.flatMap(({ order, fresh }) => {
    if (fresh === null) return []
    const promised = settled.promised.get(order.id) ?? 0
    const held = settled.promises.get(order.id) === 'held'
    const units = { held: held ? promised : 0, committed: held ? 0 : promised, consumed: 0, expired: 0 }
    const state = reservationStateOf({ ...units, shortfall: settled.missing.get(order.id) ?? 0 }, order.lifecycle)
    return state === fresh.reservation_state ? [] : [{ id: order.id, state }]
  })
  if (wrong.length === 0) return
  await tx.query(
    `update orders o set reservation_state = n.state, changed_at = $3 from unnest($1::uuid[], $2::text[]) as n(id, state) where o.id = n.id`,
    [...columns(wrong, ['id', 'state']), ctx.now],
  )
}

function forStock(
  { order, source, fresh, work = 'kept' }: ChangedOrder,
  payment_state: OrderForStock['payment_state'],
): OrderForStock {
  const { id, connection_id, lifecycle, is_test, ship_by } = order
  const placed_at = order.placed_at ?? order.received_at
  return {
    id,
    connection_id,
    lifecycle,
    payment_state,
    is_test,
    placed_at,
    ship_by,
    fresh: fresh !== null,
    source,
    work,
  }
}

/** `order 1001: 3 units committed, 1 short` */
export function summary(label: string, order_id: string, settled: Settled): string {
  const promised = settled.promised.get(order_id) ?? 0
  const missing = settled.missing.get(order_id) ?? 0
  const parts = [
    ...(promised > 0 ? [`${promised} units ${settled.promises.get(order_id) ?? 'committed'}`] : []),
    ...(missing > 0 ? [`${missing} short`] : []),
  ]
  return parts.length === 0 ? `order ${label}` : `order ${label}: ${parts.join(', ')}`
}
