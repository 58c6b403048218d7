import { stockKey, type Allocation, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'
import { keepForWaiting } from '../inventory/rules.ts'
import { placeOrder } from '../routing/rulesPlace.ts'

/** Bounds of how much may be held at once. `units_max` and `units_per_item_max` are a channel's, `hold_units_max` is an API key's. */
export type LimitName = 'units_max' | 'units_per_item_max' | 'hold_units_max'

/** One bound that a hold counts against, and how many units of items the hold asks for. */
export interface HoldLimit {
  name: LimitName
  scope: string
  /** 0: whatever the item. */
  item_id: number
  /** `countKey` of the two. */
  key: string
  max: number
  units: number
}

/** One wish. The line ids of `order` are the positions of its lines. */
export interface HoldDemand {
  order: OrderDemand
  limits: readonly HoldLimit[]
}

export type HoldDecision =
  | { kind: 'held'; allocations: readonly Allocation[] }
  /** Whole units of each line that are missing, by position. */
  | { kind: 'insufficient'; short_by: readonly number[] }
  | { kind: 'limit'; limit: HoldLimit; left: number }

export const countKey = (scope: string, item_id: number): string => `${scope}#${item_id}`

/** The bounds that a wish counts against: its channel's in all and for each item, and its key's. */
export function limitsOf(
  lines: readonly LineDemand[],
  channel: { connection_id: string; units_max: number; units_per_item_max: number },
  api_key: { id: string; units_max: number | null } | null,
): HoldLimit[] {
  const byItem = new Map<number, number>()
  let units = 0
  for (const line of lines) {
    for (const { item_id, per_unit } of line.components) {
      byItem.set(item_id, (byItem.get(item_id) ?? 0) + per_unit * line.units)
      units += per_unit * line.units
    }
  }
  const scope = channelScope(channel.connection_id)
  const limits = [limit('units_max', scope, 0, channel.units_max, units)]
  for (const [item_id, own] of byItem)
    limits.push(limit('units_per_item_max', scope, item_id, channel.units_per_item_max, own))
  if (api_key !== null && api_key.units_max !== null)
    limits.push(limit('hold_units_max', keyScope(api_key.id), 0, api_key.units_max, units))
  return limits
}

const limit = (name: LimitName, scope: string, item_id: number, max: number, units: number): HoldLimit => {
  return { name, scope, item_id, key: countKey(scope, item_id), max, units }
}

export const channelScope = (connection_id: string): string => `channel:${connection_id}`
export const keyScope = (api_key_id: string): string => `key:${api_key_id}`

/**
 * Decides a whole batch of wishes, the more urgent channel first, then in the order in which they stand. Bounds are about what is asked
 * for: a wish that could break one takes nothing, whatever there is. Under `all_or_nothing` a wish that is not served whole takes
 * nothing either. What orders that wait and are more urgent could use stays on the shelf for them. `available` (by `stockKey`) and
 * `counts` (by `countKey`) are not changed; the answer is by the demand's id.
 */
export function decideHolds(
  available: ReadonlyMap<string, number>,
  counts: ReadonlyMap<string, number>,
  demands: readonly HoldDemand[],
  waiting: readonly OrderDemand[] = [],
): Map<string, HoldDecision> {
  const left = new Map(available)
  const held = new Map(counts)
  const decisions = new Map<string, HoldDecision>()
  const classes = Map.groupBy(
    demands.toSorted((a, b) => a.order.priority - b.order.priority),
    ({ order }) => order.priority,
  )
  let ghosts = waiting
  for (const [priority, own] of classes) {
    keepForWaiting(left, ghosts, priority)
    ghosts = ghosts.filter((order) => order.priority >= priority)
    for (const demand of own) decisions.set(demand.order.order_id, decideOne(left, held, demand))
  }
  return decisions
}

function decideOne(left: Map<string, number>, held: Map<string, number>, { order, limits }: HoldDemand): HoldDecision {
  for (const limit of limits) {
    const room = limit.max - (held.get(limit.key) ?? 0)
    if (limit.units > room) return { kind: 'limit', limit, left: Math.max(0, room) }
  }
  const whole = wholeFromOnePlace(left, order)
  if (whole !== null) {
    for (const { key, units } of limits) held.set(key, (held.get(key) ?? 0) + units)
    return { kind: 'held', allocations: [whole] }
  }
  // Asked for as a partial wish in either case, because a refusal has to say how many are missing.
  const { allocations } = placeOrder(left, order.shortfall === 'partial' ? order : { ...order, shortfall: 'partial' })
  const taken = allocations.filter((allocation) => allocation.location_id !== null)
  if (taken.length === 0 || (order.shortfall !== 'partial' && taken.length < allocations.length)) {
    for (const allocation of taken) move(left, allocation, 1)
    const short_by = order.lines.map(() => 0)
    for (const { line, location_id, units } of allocations)
      if (location_id === null) short_by[line.line_id] = (short_by[line.line_id] ?? 0) + units
    return { kind: 'insufficient', short_by }
  }
  countUnits(held, limits, taken)
  return { kind: 'held', allocations: taken }
}

/**
 * What `placeOrder` says to nearly every wish, without its bookkeeping: one line of one item, whole from the first place that has it.
 * Null where the wish is another one, or no place has it whole.
 */
function wholeFromOnePlace(left: Map<string, number>, order: OrderDemand): Allocation | null {
  const { order_id, lines, serves_from, last_resort, plan } = order
  const [line] = lines
  const [component] = line?.components ?? []
  if (line === undefined || component === undefined || lines.length > 1 || line.components.length > 1) return null
  if (plan !== null || last_resort.length > 0) return null
  const { units } = line
  const needed = units * component.per_unit
  for (const location_id of serves_from) {
    const key = stockKey(component.item_id, location_id)
    const there = left.get(key) ?? 0
    if (there < needed) continue
    left.set(key, there - needed)
    return { order_id, line, location_id, units }
  }
  return null
}

function move(left: Map<string, number>, { line, location_id, units }: Allocation, sign: 1 | -1): void {
  for (const { item_id, per_unit } of line.components) {
    const key = stockKey(item_id, location_id ?? '')
    left.set(key, (left.get(key) ?? 0) + sign * per_unit * units)
  }
}

function countUnits(held: Map<string, number>, limits: readonly HoldLimit[], taken: readonly Allocation[]): void {
  const byItem = new Map<number, number>()
  for (const { line, units } of taken) {
    for (const { item_id, per_unit } of line.components) {
      byItem.set(item_id, (byItem.get(item_id) ?? 0) + per_unit * units)
      byItem.set(0, (byItem.get(0) ?? 0) + per_unit * units)
    }
  }
  for (const { key, item_id } of limits) {
    held.set(key, (held.get(key) ?? 0) + (byItem.get(item_id) ?? 0))
  }
}

/** Units of one item at one place that a hold keeps for one of its lines. */
export interface HeldUnits {
  line: number
  item_id: number
  location_id: string
  per_unit: number
  units: number
}

/** Whole units of a line that are kept: the component that there is least of decides. */
export function heldOfLine(taken: readonly HeldUnits[], line: number): number {
  const [only] = taken
  // Most holds are one line from one place.
  if (taken.length === 1 && only !== undefined) return only.line === line ? Math.floor(only.units / only.per_unit) : 0
  const own = Map.groupBy(
    taken.filter((row) => row.line === line),
    (row) => row.item_id,
  )
  const whole = [...own.values()].map((rows) =>
    Math.floor(rows.reduce((sum, row) => sum + row.units, 0) / (rows[0]?.per_unit ?? 1)),
  )
  return whole.length === 0 ? 0 : Math.min(...whole)
}

/** What a hold loses at one of its places (`index` in its units). */
export interface HoldLoss<S> {
  hold_id: string
  index: number
  units: number
  shortage: S
}

/**
 * Which holds give way when goods turn out to be missing: the youngest first, whole units of a line, because half a kit serves nobody.
 * So up to `per_unit - 1` units more than the shortage may become free. Ids sort by time.
 */
export function chooseHoldsToShorten<S extends { item_id: number; location_id: string; units: number }>(
  holds: readonly { id: string; taken: readonly HeldUnits[] }[],
  shortages: readonly S[],
): HoldLoss<S>[] {
  const youngest = holds.toSorted((a, b) => (a.id < b.id ? 1 : -1))
  return shortages.flatMap((shortage) => {
    const losses: HoldLoss<S>[] = []
    let missing = shortage.units
    for (const { id, taken } of youngest) {
      for (const [index, row] of taken.entries()) {
        if (missing <= 0) return losses
        if (row.item_id !== shortage.item_id || row.location_id !== shortage.location_id || row.units === 0) continue
        const units = Math.min(row.units, Math.ceil(missing / row.per_unit) * row.per_unit)
        missing -= units
        losses.push({ hold_id: id, index, units, shortage })
      }
    }
    return losses
  })
}
