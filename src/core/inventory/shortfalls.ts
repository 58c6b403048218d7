import type { BookedOrder, Booking } from './book.ts'
import type { ChangedReservation, NewReservation, Standing } from './sql.ts'

/** What its order gives to a row: how urgent it is. */
export const standingOf = (order: BookedOrder): { priority: number; ship_by: string | null } => {
  return { priority: order.priority, ship_by: order.ship_by?.toISOString() ?? null }
}

/** A line that has become another listing misses other units than before, even where they are of the same item. */
const missingKey = (line_id: number, item_id: number, listing_id: number | null): string =>
  `${line_id}@${item_id}@${listing_id ?? '-'}`

/** What a decision makes of the rows of missing units. */
export interface SettledShortfalls {
  changed: ChangedReservation[]
  standings: Standing[]
  gone: number[]
  added: NewReservation[]
  missing: { order_id: string; quantity: number }[]
  /** Items that somebody waited for and does not any more: what was kept for him is offered to the others. */
  given_up: number[]
}

/** A row of something that is still missing keeps its id, and with it its place in the queue; its standing follows its order's. */
export function settleShortfalls(booking: Booking): SettledShortfalls {
  const open = missingRows(booking)
  const served = servedUnits(booking)
  const missing = [...open.values()]
  const settled: SettledShortfalls = { changed: [], standings: [], gone: [], added: [], missing, given_up: [] }
  for (const row of booking.shortfalls) {
    const { id, line_id, item_id, listing_id = null } = row
    const key = missingKey(line_id, item_id, listing_id)
    const rest = open.get(key)
    open.delete(key)
    if (row.quantity > (rest?.quantity ?? 0) + (served.get(key) ?? 0)) settled.given_up.push(item_id)
    if (rest === undefined) {
      settled.gone.push(id)
      continue
    }
    if (rest.quantity !== row.quantity)
      settled.changed.push({ id, quantity: rest.quantity, state: 'shortfall', fulfillment_order_id: null })
    const { priority, ship_by, backordered } = rest
    const same = priority === row.priority && ship_by === (row.ship_by?.toISOString() ?? null)
    if (!same || backordered !== row.backordered) settled.standings.push({ id, priority, ship_by, backordered })
  }
  settled.added = [...open.values()]
  return settled
}

/** Units that this decision has found, by `missingKey`. */
function servedUnits(booking: Booking): Map<string, number> {
  const served = new Map<string, number>()
  if (booking.shortfalls.length === 0) return served
  for (const { line, location_id, units } of booking.allocations) {
    if (location_id === null) continue
    for (const { item_id, per_unit } of line.components) {
      const key = missingKey(line.line_id, item_id, line.listing_id ?? null)
      served.set(key, (served.get(key) ?? 0) + units * per_unit)
    }
  }
  return served
}

/** One row for each item that a line misses, by `missingKey`. */
function missingRows(booking: Booking): Map<string, NewReservation> {
  const open = new Map<string, NewReservation>()
  for (const { order_id, line, location_id, units } of booking.allocations) {
    const order = booking.orders.get(order_id)
    if (location_id !== null || order === undefined) continue
    const { line_id, listing_id = null } = line
    for (const { item_id, per_unit } of line.components) {
      const key = missingKey(line_id, item_id, listing_id)
      const before = open.get(key)
      const quantity = (before?.quantity ?? 0) + units * per_unit
      open.set(key, {
        order_id,
        line_id,
        item_id,
        per_unit: Math.max(per_unit, before?.per_unit ?? 0),
        quantity,
        listing_id,
        location_id: null,
        fulfillment_order_id: null,
        expires_at: null,
        state: 'shortfall',
        ...standingOf(order),
        backordered: booking.modeOf(order_id, item_id) !== 'deny',
      })
    }
  }
  return open
}
