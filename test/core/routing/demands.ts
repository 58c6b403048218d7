import {
  stockKey,
  type Allocation,
  type LineDemand,
  type OrderDemand,
} from '../../../src/core/inventory/rulesDemand.ts'
import type { PlannedPlace, RoutingPlan, RoutingStep } from '../../../src/core/routing/rulesPlan.ts'

/** Four places, three items, and what the tests of placement ask of them. */
export const LOCATIONS = ['east', 'north', 'south', 'west']
export const ITEMS = [1, 2, 3]

export const place = (location_id: string, change: Partial<PlannedPlace> = {}): PlannedPlace => ({
  location_id,
  rank: LOCATIONS.indexOf(location_id),
  priority: 100,
  distance_km: null,
  parcel_minor: null,
  unit_minor: null,
  capacity_left: null,
  ships_at_ms: null,
  refuses_items: new Set(),
  ...change,
})

export const step = (places: readonly PlannedPlace[], change: Partial<RoutingStep> = {}): RoutingStep => ({
  rule: 'only',
  places,
  left_out: [],
  sort: ['rank'],
  strategy: 'single_location_first',
  split: { locations_max: 10 },
  otherwise: 'wait',
  ...change,
})

export const plan = (steps: readonly RoutingStep[], line_minor = new Map<number, number>()): RoutingPlan => ({
  version: 1,
  steps,
  line_minor,
})

export const order = (lines: readonly LineDemand[], change: Partial<OrderDemand> = {}): OrderDemand => ({
  order_id: 'o',
  priority: 1,
  placed_at_ms: 0,
  serves_from: LOCATIONS,
  last_resort: [],
  shortfall: 'partial',
  ship_by_ms: null,
  plan: null,
  lines,
  ...change,
})

export const wants = (
  line_id: number,
  item_id: number,
  units: number,
  change: Partial<LineDemand> = {},
): LineDemand => ({
  line_id,
  units,
  components: [{ item_id, per_unit: 1 }],
  ...change,
})

export const stock = (units: Record<string, number>): Map<string, number> => new Map(Object.entries(units))
export const told = (allocations: readonly Allocation[]): string[] =>
  allocations.map(({ line, location_id, units }) => `${line.line_id}:${units}@${location_id ?? '-'}`)

export function taken(allocations: readonly Allocation[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const { line, location_id, units } of allocations) {
    for (const { item_id, per_unit } of location_id === null ? [] : line.components) {
      const key = stockKey(item_id, location_id ?? '')
      sum.set(key, (sum.get(key) ?? 0) + units * per_unit)
    }
  }
  return sum
}
