import { placeOrder } from '../routing/rulesPlace.ts'
import type { PlacementReasons } from '../routing/rulesPlan.ts'
import { stockKey, type Allocation, type Component, type LineDemand, type OrderDemand } from './rulesDemand.ts'

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
 * Decides for a whole batch who gets which units. Orders are served by (priority, ship by, placed at, id), each as `placeOrder` places it. A
 * unit of a kit is taken whole and from one location. What is missing comes back without a location: all of the order under
 * `all_or_nothing`, else the rest. `available` maps `stockKey` to units; it is not changed.
 *
 * `waiting` are orders that wait for units and are not decided on. Before a less urgent order is asked, they and what the batch itself
 * leaves missing of more urgent orders take virtually what they could use: it stays on the shelf for them. Orders of one priority hold
 * nothing back from each other, or else one missing item could freeze the stock of all others.
 */
export function decideReservations(
  available: ReadonlyMap<string, number>,
  demands: readonly OrderDemand[],
  waiting: readonly OrderDemand[] = [],
): Decision {
  const left = new Map(available)
  const decision: Decision = { allocations: [], reasons: new Map() }
  const decided = new Set(demands.map((order) => order.order_id))
  let ghosts = waiting.filter((order) => !decided.has(order.order_id))
  for (const [priority, orders] of classesOf(demands)) {
    keepForWaiting(left, ghosts, priority)
    ghosts = ghosts.filter((one) => one.priority >= priority)
    for (const order of orders) ghosts.push(...place(left, order, decision))
  }
  return decision
}

/** Takes off the shelf what orders that wait and are more urgent than this could use. `left` maps `stockKey` to units and is lowered. */
export function keepForWaiting(left: Map<string, number>, waiting: readonly OrderDemand[], priority: number): void {
  for (const ghost of waiting.filter((one) => one.priority < priority).sort(byPriority)) keepFor(left, ghost)
}

/** Demands by priority, the most urgent first, each class in its order. */
function classesOf(demands: readonly OrderDemand[]): Map<number, OrderDemand[]> {
  return Map.groupBy(demands.toSorted(byPriority), (order) => order.priority)
}

/** Returns what is missing of the order, as a demand that goes on waiting. */
function place(left: Map<string, number>, order: OrderDemand, decision: Decision): OrderDemand[] {
  const { own, ...demand } = order
  const before = new Map([...(own?.keys() ?? [])].map((key) => [key, left.get(key) ?? 0]))
  for (const [key, units] of own ?? []) left.set(key, (left.get(key) ?? 0) + units)
  const placed = placeOrder(left, demand)
  // What it does not take of its own is offered afterwards to all who wait, by their turn; not to whoever happens to be in this batch.
  for (const [key, units] of before) left.set(key, Math.min(units, left.get(key) ?? 0))
  decision.allocations.push(...placed.allocations)
  if (placed.reasons !== null) decision.reasons.set(order.order_id, placed.reasons)
  const missing = placed.allocations.flatMap(({ line, location_id, units }) =>
    location_id === null ? { ...line, units } : [],
  )
  return missing.length === 0 ? [] : [{ ...demand, lines: missing }]
}

/**
 * Takes off the shelf what a waiting order could use: whole units of its lines where they are, and of lines that cannot be served whole
 * every component by itself, because the unit that is missing may come tomorrow.
 */
function keepFor(left: Map<string, number>, ghost: OrderDemand): void {
  const { allocations } = placeOrder(left, { ...ghost, shortfall: 'partial', plan: null })
  for (const { line, location_id, units } of allocations) {
    if (location_id !== null) continue
    const places = placesOf(ghost, line)
    for (const { item_id, per_unit } of line.components) {
      let wanted = units * per_unit
      for (const location of places) {
        const key = stockKey(item_id, location)
        const kept = Math.min(wanted, left.get(key) ?? 0)
        if (kept <= 0) continue
        wanted -= kept
        left.set(key, (left.get(key) ?? 0) - kept)
      }
    }
  }
}

const placesOf = (order: OrderDemand, line: LineDemand): readonly string[] =>
  line.last_resort === true
    ? order.serves_from
    : order.serves_from.filter((location) => !order.last_resort.includes(location))

function byPriority(a: OrderDemand, b: OrderDemand): number {
  const bySoonest = (a.ship_by_ms ?? Number.MAX_SAFE_INTEGER) - (b.ship_by_ms ?? Number.MAX_SAFE_INTEGER)
  return a.priority - b.priority || bySoonest || a.placed_at_ms - b.placed_at_ms || (a.order_id < b.order_id ? -1 : 1)
}
