import { stockKey } from '../inventory/rulesDemand.ts'
import type { PlannedPlace } from './rulesPlan.ts'
import { canGive, giveInOrder, openNeeds, take, unitsOf, type Left, type Need, type Share } from './rulesTake.ts'

/** Above so many places that have anything of an order, the search for the best set is a greedy one. */
const SEARCH_PLACES_MAX = 12
/** Steps that one order's search may take where lines compete for the same items; past them the best found so far counts. */
const SEARCH_STEPS_MAX = 5_000

type PricedPlace = Pick<PlannedPlace, 'location_id' | 'parcel_minor' | 'unit_minor'>

/** Whether a split may be made: asked about all of its parts. */
export type Allowed = (shares: readonly Share[]) => boolean

/** One order's question to a strategy. `left` is not changed. */
export interface Search {
  left: ReadonlyMap<string, number>
  needs: readonly Need[]
  /** In the order in which the rule sorts them. */
  places: readonly PricedPlace[]
  locations_max: number
  allowed: Allowed
}

/**
 * Serves as many units as there are from as few places as can be: exactly up to `SEARCH_PLACES_MAX` places, else by always taking the place
 * that has most of what is still open. Of equal sets the first by the rule's own sort. Null: every set is forbidden.
 */
export function fewestPlaces(search: Search): Share[] | null {
  const { needs, places, budget } = reachable(search)
  if (needs.length === 0) return []
  if (places.length > SEARCH_PLACES_MAX) return permitted(search, greedyFewest(search.left, needs, places))
  const most = Math.min(places.length, search.locations_max, unitsOf(needs))
  for (let size = 1; size <= most; size += 1) {
    for (const set of subsets(places, size)) {
      const shares = assign(search.left, needs, set, budget, () => 0)
      if (shares !== null && search.allowed(shares)) return shares
    }
  }
  return permitted(search, greedyFewest(search.left, needs, places))
}

/**
 * Serves as many units as there are at the least cost of parcels and units: exactly up to `SEARCH_PLACES_MAX` places, where no parcel is
 * cheaper than a further unit in it. Above, the cheapest single place, else the cheapest per unit one after another. A place without a
 * price is taken only where no priced one has the units. Null: every set is forbidden.
 */
export function cheapestPlaces(search: Search): Share[] | null {
  const { needs, places, budget } = reachable(search)
  if (needs.length === 0) return []
  const prices = new Map(places.map((place) => [place.location_id, place]))
  if (places.length > SEARCH_PLACES_MAX) return permitted(search, greedyCheapest(search.left, needs, places))
  const units = unitsOf(needs)
  const most = Math.min(places.length, search.locations_max, units)
  const floor = Math.min(...places.map((place) => (place.parcel_minor === null ? 0 : (place.unit_minor ?? 0))))
  let best: { shares: Share[]; cost: Cost } | null = null
  const isWorth = (set: readonly PricedPlace[]): boolean =>
    best === null || compareCosts(leastCost(set, units, floor), best.cost) < 0
  for (let size = 1; size <= most; size += 1) {
    for (const set of subsets(places, size, isWorth)) {
      const byUnit = set.toSorted((a, b) => unitPrice(a) - unitPrice(b))
      const shares = assign(search.left, needs, byUnit, budget, (id) => unitPrice(prices.get(id)))
      if (shares === null || !search.allowed(shares)) continue
      const cost = costOf(shares, prices)
      if (best === null || compareCosts(cost, best.cost) < 0) best = { shares, cost }
    }
  }
  return best === null
    ? permitted(search, greedyCheapest(search.left, needs, places))
    : (best as { shares: Share[] }).shares
}

/** Parcels without a known price first: a sum that leaves them out would look cheap. */
export interface Cost {
  unpriced: number
  minor: number
}

const compareCosts = (a: Cost, b: Cost): number => a.unpriced - b.unpriced || a.minor - b.minor

/** What these shares cost: one parcel per place, and every unit after its first. */
function costOf(shares: readonly Share[], prices: ReadonlyMap<string, PricedPlace>): Cost {
  const cost: Cost = { unpriced: 0, minor: 0 }
  for (const [location_id, own] of Map.groupBy(shares, (share) => share.location_id)) {
    const price = prices.get(location_id)
    if (price === undefined || price.parcel_minor === null) cost.unpriced += 1
    else cost.minor += price.parcel_minor + (price.unit_minor ?? 0) * (unitsOf(own) - 1)
  }
  return cost
}

/** No way to serve so many units from all of this set, or from more than it, can cost less. `floor_minor`: the cheapest further unit anywhere. */
function leastCost(set: readonly PricedPlace[], units: number, floor_minor: number): Cost {
  const cost: Cost = { unpriced: 0, minor: floor_minor * Math.max(0, units - set.length) }
  for (const { parcel_minor } of set) {
    if (parcel_minor === null) cost.unpriced += 1
    else cost.minor += parcel_minor
  }
  return cost
}

/** Dearer than any price of a unit, and small enough to be summed exactly: units from a place without a price come last. */
const UNPRICED_MINOR = 1_000_000_000

const unitPrice = (place: PricedPlace | undefined): number =>
  place === undefined || place.parcel_minor === null ? UNPRICED_MINOR : (place.unit_minor ?? 0)

/** Whether two lines take the same item: then what one is given decides what the other can be given. */
function compete(needs: readonly Need[]): boolean {
  const seen = new Set<number>()
  return needs.some(({ line }) => {
    const shared = line.components.some(({ item_id }) => seen.has(item_id))
    for (const { item_id } of line.components) seen.add(item_id)
    return shared
  })
}

interface Reachable {
  /** What all places together can serve. */
  needs: Need[]
  /** Those that have anything of it. */
  places: PricedPlace[]
  budget: { steps: number; competing: boolean }
}

function reachable({ left, needs, places }: Search): Reachable {
  const useful = places.filter(({ location_id }) => needs.some(({ line }) => canGive(left, line, location_id) > 0))
  const budget = { steps: SEARCH_STEPS_MAX, competing: compete(needs) }
  const whole = assign(left, needs, useful, budget, () => 0)
  if (whole !== null) return { needs: [...needs], places: useful, budget }
  const most = giveInOrder(
    new Map(left),
    needs,
    useful.map((place) => place.location_id),
  )
  const open = new Map(openNeeds(needs, most).map(({ line, units }) => [line, units]))
  const served = needs.flatMap(({ line, units }) => {
    const rest = units - (open.get(line) ?? 0)
    return rest > 0 ? [{ line, units: rest }] : []
  })
  return { needs: served, places: useful, budget }
}

const permitted = ({ allowed }: Search, shares: Share[]): Share[] | null => (allowed(shares) ? shares : null)

/** Everything needed from this set, or null. Places are used in the order given; where lines compete, the cheapest way is searched for. */
function assign(
  left: ReadonlyMap<string, number>,
  needs: readonly Need[],
  set: readonly PricedPlace[],
  budget: Reachable['budget'],
  priceOf: (location_id: string) => number,
): Share[] | null {
  const ids = set.map((place) => place.location_id)
  if (!mayServe(left, needs, ids, budget.competing)) return null
  const own = new Map(left)
  if (!budget.competing || budget.steps <= 0) return giveEach(own, needs, ids)
  return searchShares(own, needs, ids, budget, priceOf)
}

/** What this set must have at the least: each line's units, and of an item that lines share what they want of it together. */
function mayServe(
  left: ReadonlyMap<string, number>,
  needs: readonly Need[],
  ids: readonly string[],
  competing: boolean,
): boolean {
  const sum = (of: (location_id: string) => number): number => ids.reduce((units, id) => units + of(id), 0)
  if (!needs.every(({ line, units }) => sum((id) => canGive(left, line, id)) >= units)) return false
  if (!competing) return true
  const wanted = new Map<number, number>()
  for (const { line, units } of needs)
    for (const { item_id, per_unit } of line.components)
      wanted.set(item_id, (wanted.get(item_id) ?? 0) + units * per_unit)
  return [...wanted].every(([item_id, units]) => sum((id) => left.get(stockKey(item_id, id)) ?? 0) >= units)
}

function giveEach(left: Left, needs: readonly Need[], ids: readonly string[]): Share[] | null {
  const shares: Share[] = []
  for (const { line, units } of needs) {
    let missing = units
    for (const location_id of ids) {
      const given = Math.min(missing, canGive(left, line, location_id))
      if (given === 0) continue
      take(left, line, location_id, given)
      missing -= given
      shares.push({ line, location_id, units: given })
    }
    if (missing > 0) return null
  }
  return shares
}

/** Depth first over (line, place), most units first, bounded by the best found and by the budget. */
function searchShares(
  left: Left,
  needs: readonly Need[],
  ids: readonly string[],
  budget: Reachable['budget'],
  priceOf: (location_id: string) => number,
): Share[] | null {
  const path: Share[] = []
  let best: { shares: Share[]; minor: number } | null = null
  const visit = (index: number, place: number, missing: number, minor: number): void => {
    if (budget.steps <= 0 || (best !== null && minor >= best.minor)) return
    budget.steps -= 1
    const need = needs[index]
    if (need === undefined) {
      best = { shares: [...path], minor }
      return
    }
    if (missing === 0) return visit(index + 1, 0, needs[index + 1]?.units ?? 0, minor)
    const location_id = ids[place]
    if (location_id === undefined) return
    for (let units = Math.min(missing, canGive(left, need.line, location_id)); units >= 0; units -= 1) {
      if (units > 0) path.push({ line: need.line, location_id, units })
      take(left, need.line, location_id, units)
      visit(index, place + 1, missing - units, minor + units * priceOf(location_id))
      take(left, need.line, location_id, -units)
      if (units > 0) path.pop()
    }
  }
  visit(0, 0, needs[0]?.units ?? 0, 0)
  return (best as { shares: Share[] } | null)?.shares ?? null
}

function greedyFewest(left: ReadonlyMap<string, number>, needs: readonly Need[], places: readonly PricedPlace[]) {
  return greedy(left, needs, places, (_place, units) => -units)
}

function greedyCheapest(left: ReadonlyMap<string, number>, needs: readonly Need[], places: readonly PricedPlace[]) {
  const wanted = unitsOf(needs)
  const priceOf = (place: PricedPlace, units: number): number =>
    place.parcel_minor === null ? Infinity : place.parcel_minor + (place.unit_minor ?? 0) * (units - 1)
  const whole = places
    .filter((place) => unitsOf(giveInOrder(new Map(left), needs, [place.location_id])) === wanted)
    .toSorted((a, b) => orZero(priceOf(a, wanted) - priceOf(b, wanted)))[0]
  return greedy(left, needs, whole === undefined ? places : [whole], (place, units) => priceOf(place, units) / units)
}

/** Infinity less infinity is no number. */
const orZero = (difference: number): number => (Number.isNaN(difference) ? 0 : difference)

/** Place after place, each time the one with the lowest mark for what it can give of the rest. */
function greedy(
  left: ReadonlyMap<string, number>,
  needs: readonly Need[],
  places: readonly PricedPlace[],
  markOf: (place: PricedPlace, units: number) => number,
): Share[] {
  const own = new Map(left)
  const shares: Share[] = []
  for (let rest = [...needs]; rest.length > 0; rest = openNeeds(needs, shares)) {
    const offers = places.flatMap((place) => {
      const units = unitsOf(giveInOrder(new Map(own), rest, [place.location_id]))
      return units === 0 ? [] : [{ place, mark: markOf(place, units) }]
    })
    const next = offers.toSorted((a, b) => orZero(a.mark - b.mark))[0]
    if (next === undefined) break
    shares.push(...giveInOrder(own, rest, [next.place.location_id]))
  }
  return shares
}

/** Sets of this size, those of the first places first. A beginning that is not worth it is not gone on with. */
function* subsets<T>(
  all: readonly T[],
  size: number,
  isWorth: (begun: readonly T[]) => boolean = () => true,
  begun: readonly T[] = [],
  from = 0,
): Generator<readonly T[]> {
  if (!isWorth(begun)) return
  if (begun.length === size) {
    yield begun
    return
  }
  const last = all.length - (size - begun.length)
  for (let index = from; index <= last; index += 1)
    yield* subsets(all, size, isWorth, [...begun, all[index] as T], index + 1)
}
