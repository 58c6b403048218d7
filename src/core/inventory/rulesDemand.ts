import type { RoutingPlan } from '../routing/rulesPlan.ts'

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
  /** Whether the places of last resort (drop-ship) may serve it. */
  last_resort?: boolean
  /** The listing that the line is, where that is known. */
  listing_id?: number | null
}

export interface OrderDemand {
  order_id: string
  /** Lower is served first. */
  priority: number
  placed_at_ms: number
  /** Locations that may serve the order, best first. */
  serves_from: readonly string[]
  /** Those of them that are asked only where no other place can serve, and only for lines that allow it. */
  last_resort: readonly string[]
  shortfall: 'partial' | 'all_or_nothing' | 'backorder'
  /** When the goods have to leave; null: no promise, which goes last. */
  ship_by_ms: number | null
  /** What the routing rules say of it; null: its own ranking decides, one location first. */
  plan: RoutingPlan | null
  lines: readonly LineDemand[]
  /** Units by `stockKey` that the order itself gives back in this decision: nobody else is asked before it about them. */
  own?: ReadonlyMap<string, number>
}

/** Units of a line that a location gives; without a location they are missing. */
export interface Allocation {
  order_id: string
  line: LineDemand
  location_id: string | null
  units: number
}

export const stockKey = (item_id: number, location_id: string): string => `${item_id}@${location_id}`
