import { stockKey, type Allocation, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'
import type { Placement } from './rulesPlan.ts'

/**
 * Gives one order its units: whole from the first location that can serve all of it, else split by rank. `left` maps `stockKey` to units
 * and is lowered by what the order takes.
 */
export function placeOrder(left: Map<string, number>, order: OrderDemand): Placement {
  return { allocations: placeByRank(left, order), reasons: null }
}

function placeByRank(left: Map<string, number>, order: OrderDemand): Allocation[] {
  const single = order.serves_from.find((location) => fits(left, order.lines, location))
  if (single !== undefined) {
    for (const line of order.lines) take(left, line, single, line.units)
    return order.lines.map((line) => ({ order_id: order.order_id, line, location_id: single, units: line.units }))
  }
  const split = order.lines.flatMap((line) => splitLine(left, order, line))
  if (order.shortfall !== 'all_or_nothing' || split.every((allocation) => allocation.location_id !== null)) return split
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
