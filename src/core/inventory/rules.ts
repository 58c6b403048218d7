/** Items that one unit of an order line takes, and how many of each. */
export interface Component {
  item_id: number
  per_unit: number
}

/** `units` of one order line that still need stock. */
export interface LineDemand {
  line_id: number
  units: number
  components: readonly Component[]
}

export interface OrderDemand {
  order_id: string
  /** Lower is served first. */
  priority: number
  placed_at_ms: number
  /** Locations that may serve the order, best first. */
  serves_from: readonly string[]
  shortfall: 'partial' | 'all_or_nothing'
  lines: readonly LineDemand[]
}

/** Units of a line that a location gives; without a location they are missing. */
export interface Allocation {
  order_id: string
  line: LineDemand
  location_id: string | null
  units: number
}

export const stockKey = (item_id: number, location_id: string): string => `${item_id}@${location_id}`

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
 * Decides for a whole batch who gets which units. Orders are served by (priority, placed at, id). Each is given whole from the first
 * location that can serve all of it; else its lines are split over the locations by rank. A unit of a kit is taken whole and from one
 * location. What is missing comes back without a location: all of the order under `all_or_nothing`, the rest under `partial`.
 * `available` maps `stockKey` to units; it is not changed.
 */
export function decideReservations(
  available: ReadonlyMap<string, number>,
  demands: readonly OrderDemand[],
): Allocation[] {
  const left = new Map(available)
  return demands.toSorted(byPriority).flatMap((order) => decideOrder(left, order))
}

function byPriority(a: OrderDemand, b: OrderDemand): number {
  return a.priority - b.priority || a.placed_at_ms - b.placed_at_ms || (a.order_id < b.order_id ? -1 : 1)
}

function decideOrder(left: Map<string, number>, order: OrderDemand): Allocation[] {
  const single = order.serves_from.find((location) => fits(left, order.lines, location))
  if (single !== undefined) {
    for (const line of order.lines) take(left, line, single, line.units)
    return order.lines.map((line) => ({ order_id: order.order_id, line, location_id: single, units: line.units }))
  }
  const split = order.lines.flatMap((line) => splitLine(left, order, line))
  if (order.shortfall === 'partial' || split.every((allocation) => allocation.location_id !== null)) return split
  for (const { line, location_id, units } of split) if (location_id !== null) take(left, line, location_id, -units)
  return order.lines.map((line) => ({ order_id: order.order_id, line, location_id: null, units: line.units }))
}

/** Lines that share an item are summed: each by itself might fit where both do not. */
function fits(left: ReadonlyMap<string, number>, lines: readonly LineDemand[], location: string): boolean {
  const needed = new Map<string, number>()
  for (const line of lines) {
    for (const { item_id, per_unit } of line.components) {
      const key = stockKey(item_id, location)
      const sum = (needed.get(key) ?? 0) + per_unit * line.units
      if (sum > (left.get(key) ?? 0)) return false
      needed.set(key, sum)
    }
  }
  return true
}

function splitLine(left: Map<string, number>, order: OrderDemand, line: LineDemand): Allocation[] {
  const allocations: Allocation[] = []
  let missing = line.units
  for (const location of order.serves_from) {
    if (missing === 0) break
    const whole = line.components.map(({ item_id, per_unit }) =>
      Math.floor((left.get(stockKey(item_id, location)) ?? 0) / per_unit),
    )
    const units = Math.min(missing, ...whole)
    if (units <= 0) continue
    take(left, line, location, units)
    missing -= units
    allocations.push({ order_id: order.order_id, line, location_id: location, units })
  }
  if (missing > 0) allocations.push({ order_id: order.order_id, line, location_id: null, units: missing })
  return allocations
}

function take(left: Map<string, number>, line: LineDemand, location: string, units: number): void {
  for (const { item_id, per_unit } of line.components) {
    const key = stockKey(item_id, location)
    left.set(key, (left.get(key) ?? 0) - per_unit * units)
  }
}
