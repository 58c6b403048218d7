import { placeOrder } from '../routing/rulesPlace.ts'
import type { PlacementReasons } from '../routing/rulesPlan.ts'
import type { Allocation, Component, OrderDemand } from './rulesDemand.ts'

/** Who gets which units, and why from where, for the orders that routing rules speak of. */
export interface Decision {
  allocations: Allocation[]
  reasons: Map<string, PlacementReasons>
}

/** One row of "this listing takes so many of this item"; a kit comes as one row for each of its components. */
export interface ListingRow {
  item_id: number | null
  quantity: number | null
  component_item_id: number | null
  kit_quantity: number | null
}

/** What one unit of a listing takes from stock. An item that is listed directly and is also part of a listed kit is summed. */
export function explode(rows: readonly ListingRow[]): Component[] {
  const per_unit = new Map<number, number>()
  for (const { item_id, quantity, component_item_id, kit_quantity } of rows) {
    if (item_id === null || quantity === null) continue
    const item = component_item_id ?? item_id
    per_unit.set(item, (per_unit.get(item) ?? 0) + quantity * (kit_quantity ?? 1))
  }
  return [...per_unit]
    .map(([item, units]) => ({ item_id: item, per_unit: units }))
    .sort((a, b) => a.item_id - b.item_id)
}

/**
 * Decides for a whole batch who gets which units. Orders are served by (priority, ship by, placed at, id). Each is given whole from the first
 * location that can serve all of it; else its lines are split over the locations by rank. A unit of a kit is taken whole and from one
 * location. What is missing comes back without a location: all of the order under `all_or_nothing`, the rest under `partial`.
 * `available` maps `stockKey` to units; it is not changed.
 */
export function decideReservations(available: ReadonlyMap<string, number>, demands: readonly OrderDemand[]): Decision {
  const left = new Map(available)
  const decision: Decision = { allocations: [], reasons: new Map() }
  for (const order of demands.toSorted(byPriority)) {
    const placed = placeOrder(left, order)
    decision.allocations.push(...placed.allocations)
    if (placed.reasons !== null) decision.reasons.set(order.order_id, placed.reasons)
  }
  return decision
}

function byPriority(a: OrderDemand, b: OrderDemand): number {
  const bySoonest = (a.ship_by_ms ?? Number.MAX_SAFE_INTEGER) - (b.ship_by_ms ?? Number.MAX_SAFE_INTEGER)
  return a.priority - b.priority || bySoonest || a.placed_at_ms - b.placed_at_ms || (a.order_id < b.order_id ? -1 : 1)
}
