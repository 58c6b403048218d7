import type { Strategy } from '../model/routing.ts'
import { stockKey, type OrderDemand } from '../inventory/rulesDemand.ts'
import type { PlannedPlace, Placement, PlacementReasons, RoutingPlan, RoutingStep } from './rulesPlan.ts'
import { cheapestPlaces, fewestPlaces, type Allowed, type Search } from './rulesSearch.ts'
import { hasAny, offerWords, positionWords, sortPlaces, type SortedPlace } from './rulesSort.ts'
import {
  giveInOrder,
  needsOf,
  openNeeds,
  take,
  tiersOf,
  toAllocations,
  unitsOf,
  type Left,
  type Need,
  type Share,
} from './rulesTake.ts'

/** Named as the rule that decided, where every rule passed the order on. */
const OWN_RANKING = 'own ranking'

/**
 * Gives one order its units. Without a plan: whole from the first location that can serve all of it, else split by rank. With a plan the
 * steps are asked one after another. Places of last resort come after all others, and only for lines that allow them. `left` maps
 * `stockKey` to units and is lowered by what the order takes; `capacityKey` of a place counts the orders that it was given meanwhile.
 */
export function placeOrder(left: Map<string, number>, order: OrderDemand): Placement {
  if (order.plan !== null) return placeByPlan(left, order, order.plan)
  const shares = shareByRank(left, order)
  if (order.shortfall !== 'all_or_nothing' || unitsOf(shares) === unitsOf(order.lines))
    return { allocations: toAllocations(order, shares), reasons: null }
  for (const { line, location_id, units } of shares) take(left, line, location_id, -units)
  return { allocations: toAllocations(order, []), reasons: null }
}

/** Orders of this batch that a place was given, beside the stock in the same map: nobody has an item of this name. */
export const capacityKey = (location_id: string): string => `orders@${location_id}`

/** Lowers `left`. */
function shareByRank(left: Left, order: OrderDemand): Share[] {
  const { first, last } = tiersOf(order.serves_from, order, (location_id) => location_id)
  const shares = giveInOrder(left, needsOf(order.lines), first)
  return last.length === 0 ? shares : [...shares, ...giveInOrder(left, lastResortNeeds(order, shares), last)]
}

/** Of an order that wants all or nothing, all or nothing. */
function keptShares(order: OrderDemand, shares: Share[]): Share[] {
  return order.shortfall === 'all_or_nothing' && unitsOf(shares) < unitsOf(order.lines) ? [] : shares
}

const lastResortNeeds = (order: OrderDemand, shares: readonly Share[]): Need[] =>
  openNeeds(needsOf(order.lines), shares).filter(({ line }) => line.last_resort === true)

/** The part of the stock that one order may look at, to try things out on. */
function localStock(left: ReadonlyMap<string, number>, order: OrderDemand, locations: readonly string[]): Left {
  const own: Left = new Map()
  for (const { components } of order.lines) {
    for (const { item_id } of components) {
      for (const location_id of locations) {
        const key = stockKey(item_id, location_id)
        own.set(key, left.get(key) ?? 0)
      }
    }
  }
  return own
}

type Verdict = PlacementReasons['considered'][number]

/** What one step could do for an order. */
interface Attempt {
  rule: string
  shares: Share[]
  outcome: string
  considered: Verdict[]
}

function placeByPlan(left: Map<string, number>, order: OrderDemand, plan: RoutingPlan): Placement {
  const attempts: Attempt[] = []
  for (const step of plan.steps) {
    const attempt = attemptStep(left, order, step, plan)
    attempts.push(attempt)
    if (isWhole(order, attempt) || step.otherwise === 'wait') break
  }
  const last = attempts.at(-1)
  const passedAll = last === undefined || (!isWhole(order, last) && plan.steps.at(-1)?.otherwise === 'next_rule')
  if (passedAll && attempts.length === plan.steps.length) attempts.push(attemptRanking(left, order))
  const chosen = attempts.find((attempt) => isWhole(order, attempt)) ?? bestPart(attempts)
  for (const { line, location_id, units } of chosen.shares) take(left, line, location_id, units)
  const locations = placesOf(chosen.shares)
  for (const location_id of locations) {
    const key = capacityKey(location_id)
    left.set(key, (left.get(key) ?? 0) + 1)
  }
  const { rule, outcome, considered } = chosen
  const passed_over = attempts
    .filter((attempt) => attempt !== chosen)
    .map((attempt) => ({ rule: attempt.rule, outcome: attempt.outcome }))
  const reasons = { version: plan.version, rule, outcome, chosen: locations, considered, passed_over }
  return { allocations: toAllocations(order, chosen.shares), reasons }
}

const isWhole = (order: OrderDemand, { shares }: Attempt): boolean => unitsOf(shares) === unitsOf(order.lines)
const placesOf = (shares: readonly Share[]): string[] => [...new Set(shares.map((share) => share.location_id))]

/** Where no rule can serve the order whole: the first of those that serve most of it. */
function bestPart(attempts: readonly Attempt[]): Attempt {
  const most = Math.max(...attempts.map(({ shares }) => unitsOf(shares)))
  const best = most === 0 ? attempts.findLast(() => true) : attempts.find((attempt) => unitsOf(attempt.shares) === most)
  return best ?? { rule: OWN_RANKING, shares: [], outcome: 'waits: there is no rule', considered: [] }
}

function attemptRanking(left: ReadonlyMap<string, number>, order: OrderDemand): Attempt {
  const shares = keptShares(order, shareByRank(localStock(left, order, order.serves_from), order))
  const considered = order.serves_from.map((location_id) => {
    const units = unitsOf(shares.filter((share) => share.location_id === location_id))
    return { location_id, verdict: units > 0 ? givesWords(units, order) : 'not asked, or has none of it' }
  })
  return { rule: OWN_RANKING, shares, outcome: outcomeWords(order, shares, 'no place has it'), considered }
}

type Choose = (search: Search) => Share[] | null

/** A split in the rule's own order that the guard forbids is tried again with as few places as can be. */
function wholeFirst(search: Search): Share[] | null {
  const ids = search.places.map((place) => place.location_id)
  const shares = giveInOrder(new Map(search.left), search.needs, ids)
  return search.allowed(shares) ? shares : fewestPlaces(search)
}

const STRATEGIES: Record<Strategy, Choose> = {
  single_location_first: wholeFirst,
  minimize_splits: fewestPlaces,
  cheapest: cheapestPlaces,
}

/** One step's question: what is there for this order. */
interface Asking {
  order: OrderDemand
  step: RoutingStep
  plan: RoutingPlan
  /** Of places that are not full; what a place refuses is not there. */
  stock: ReadonlyMap<string, number>
  needs: readonly Need[]
  sorted: readonly SortedPlace[]
}

function attemptStep(
  left: ReadonlyMap<string, number>,
  order: OrderDemand,
  step: RoutingStep,
  plan: RoutingPlan,
): Attempt {
  const places = step.places.filter((place) => !isFull(left, place)).map((place) => withCapacity(left, place))
  const stock = stockOf(left, order, places)
  const needs = needsOf(order.lines)
  const asking: Asking = { order, step, plan, stock, needs, sorted: sortPlaces(places, step.sort, stock, needs) }
  const found = choose(asking)
  const shares = keptShares(order, found ?? [])
  return {
    rule: step.rule,
    shares,
    outcome: outcomeWords(order, shares, found === null ? 'the split guard forbids it' : missingWords(asking)),
    considered: [...consider(asking, shares), ...fullPlaces(left, step), ...leftOut(step)],
  }
}

function stockOf(left: ReadonlyMap<string, number>, order: OrderDemand, places: readonly PlannedPlace[]): Left {
  const stock = localStock(
    left,
    order,
    places.map((place) => place.location_id),
  )
  for (const { location_id, refuses_items } of places) {
    for (const item_id of refuses_items) {
      const key = stockKey(item_id, location_id)
      if (stock.has(key)) stock.set(key, 0)
    }
  }
  return stock
}

const isFull = (left: ReadonlyMap<string, number>, place: PlannedPlace): boolean =>
  place.capacity_left !== null && place.capacity_left - (left.get(capacityKey(place.location_id)) ?? 0) <= 0

/** What the orders of this batch have taken already counts. */
function withCapacity(left: ReadonlyMap<string, number>, place: PlannedPlace): PlannedPlace {
  if (place.capacity_left === null) return place
  return { ...place, capacity_left: place.capacity_left - (left.get(capacityKey(place.location_id)) ?? 0) }
}

/** Null: the guard forbids whatever could be done. */
function choose({ order, step, plan, stock, needs, sorted }: Asking): Share[] | null {
  const allowed = guardOf(step, plan, needs)
  const { first, last } = tiersOf(
    sorted.map(({ place }) => place),
    order,
    (place) => place.location_id,
  )
  const { locations_max } = step.split
  const strategy = STRATEGIES[step.strategy]
  const own = strategy({ left: stock, needs, places: first, locations_max, allowed })
  if (last.length === 0 || (own !== null && unitsOf(own) === unitsOf(needs))) return own
  const anything: Allowed = () => true
  const before = strategy({ left: stock, needs, places: first, locations_max, allowed: anything }) ?? []
  const rest = lastResortNeeds(order, before)
  const after = strategy({ left: stock, needs: rest, places: last, locations_max, allowed: anything }) ?? []
  const both = [...before, ...after]
  return after.length > 0 && allowed(both) ? both : own
}

/** Whether every part of a split is worth its parcel: those that leave now, and what is left over. One part is no split. */
function guardOf({ split }: RoutingStep, { line_minor }: RoutingPlan, needs: readonly Need[]): Allowed {
  const { locations_max, part_minor_min } = split
  const worth = (rows: readonly Need[]): number =>
    rows.reduce((sum, { line, units }) => sum + units * (line_minor.get(line.line_id) ?? 0), 0)
  return (shares) => {
    const parts = [...Map.groupBy(shares, (share) => share.location_id).values()]
    if (parts.length > locations_max) return false
    const open = openNeeds(needs, shares)
    const all = open.length === 0 ? parts : [...parts, open]
    return parts.length === 0 || all.length < 2 || all.every((part) => worth(part) >= (part_minor_min ?? 0))
  }
}

function consider({ order, step, stock, needs, sorted }: Asking, shares: readonly Share[]): Verdict[] {
  return sorted.map((one, index) => {
    const { location_id } = one.place
    const units = unitsOf(shares.filter((share) => share.location_id === location_id))
    const offer = units > 0 ? givesWords(units, order) : offerWords(one.place, stock, needs)
    return { location_id, verdict: `${offer}; ${positionWords(one, index, step.sort)}` }
  })
}

const fullPlaces = (left: ReadonlyMap<string, number>, { places }: RoutingStep): Verdict[] =>
  places.filter((place) => isFull(left, place)).map(({ location_id }) => ({ location_id, verdict: 'no capacity left' }))

const leftOut = ({ left_out }: RoutingStep): Verdict[] =>
  left_out.map(({ location_id, verdict }) => ({ location_id, verdict }))

function givesWords(units: number, order: OrderDemand): string {
  const wanted = unitsOf(order.lines)
  return units === wanted ? 'gives all of it' : `gives ${units} of ${wanted} units`
}

function missingWords({ step, sorted, stock, needs }: Asking): string {
  if (step.places.length === 0) return 'no place fits the filters'
  if (sorted.length === 0) return 'no capacity left'
  const hasStock = sorted.some(({ place }) => hasAny(place.location_id, stock, needs))
  return hasStock ? 'no place has all of it' : 'no place has any of it'
}

function outcomeWords(order: OrderDemand, shares: readonly Share[], why: string): string {
  const places = placesOf(shares).length
  const units = unitsOf(shares)
  if (units === 0) return `waits: ${why}`
  const from = places === 1 ? 'from one place' : `split over ${places} places`
  return units === unitsOf(order.lines)
    ? `whole ${from}`
    : `${units} of ${unitsOf(order.lines)} units ${from}, the rest waits`
}
