import type { RoutingRule, SortKey, SplitGuard, Strategy } from '../model/routing.ts'
import type { Allocation } from '../inventory/rulesDemand.ts'

/** A location that may serve an order, with everything about it that does not depend on stock. */
export interface PlannedPlace {
  location_id: string
  /** Position in the connection's own ranking, 0 first. */
  rank: number
  priority: number
  distance_km: number | null
  /** Minor units: for the parcel, and for each unit after the first. */
  parcel_minor: number | null
  unit_minor: number | null
  /** Fulfillment orders that it can still take on the day on which this one would leave; null: no bound. */
  capacity_left: number | null
  ships_at_ms: number | null
  /** Items that never leave from here. */
  refuses_items: ReadonlySet<number>
}

/** A place that a rule did not ask: the filter it failed, and the same in words with its numbers. */
export interface LeftOut {
  location_id: string
  filter: string
  verdict: string
}

/** One rule as it applies to one order: what the filters left, and how to choose among it. */
export interface RoutingStep {
  rule: string
  places: readonly PlannedPlace[]
  left_out: readonly LeftOut[]
  sort: readonly SortKey[]
  strategy: Strategy
  split: SplitGuard
  otherwise: RoutingRule['otherwise']
}

/** The rules whose condition holds for an order, in their order. */
export interface RoutingPlan {
  version: number
  steps: readonly RoutingStep[]
  /** Price of one unit of each line, for the guard against small splits. */
  line_minor: ReadonlyMap<number, number>
}

/** Why an order is served from where it is: stored with the order, shown to people. */
export interface PlacementReasons {
  version: number
  /** The rule that decided. */
  rule: string
  /** What came of it in words: `whole from one place`, `waits: no place has it`. */
  outcome: string
  chosen: string[]
  considered: { location_id: string; verdict: string }[]
  /** Rules that were asked before and let it go on to the next, with the reason. */
  passed_over: { rule: string; outcome: string }[]
}

export interface Placement {
  allocations: Allocation[]
  /** Null when no rule had a say. */
  reasons: PlacementReasons | null
}
