import type { SortKey } from '../model/routing.ts'
import { stockKey } from '../inventory/rulesDemand.ts'
import type { PlannedPlace } from './rulesPlan.ts'
import { canGive, giveInOrder, unitsOf, type Need } from './rulesTake.ts'

/** What a place is worth by one sort key, lowest first, and the number behind it for people. */
interface Mark {
  value: number
  words: string
}

type Measure = (place: PlannedPlace, left: ReadonlyMap<string, number>, needs: readonly Need[]) => Mark

/** Unknown goes last. */
const LAST = Number.MAX_SAFE_INTEGER
const known = (value: number | null, words: (value: number) => string): Mark =>
  value === null ? { value: LAST, words: 'unknown' } : { value, words: words(value) }

const MEASURES: Record<SortKey, Measure> = {
  rank: ({ rank }) => ({ value: rank, words: `rank ${rank + 1}` }),
  priority: ({ priority }) => ({ value: priority, words: `priority ${priority}` }),
  distance: ({ distance_km }) => known(distance_km, (km) => `${km} km`),
  cost: (place, left, needs) => known(sendingCost(place, left, needs), (minor) => `${minor} minor units`),
  stock_balance: ({ location_id }, left, needs) => {
    const units = unitsLeft(location_id, left, needs)
    return { value: -units, words: `${units} units of the wanted items left` }
  },
  capacity: ({ capacity_left }) =>
    capacity_left === null
      ? { value: -LAST, words: 'no bound' }
      : { value: -capacity_left, words: `${capacity_left} orders more a day` },
  ships_first: ({ ships_at_ms }) => known(ships_at_ms, (ms) => `leaves ${new Date(ms).toISOString()}`),
}

/** What it would cost to send from there whatever it has of the order; unknown without a price, and where it has nothing. */
function sendingCost(place: PlannedPlace, left: ReadonlyMap<string, number>, needs: readonly Need[]): number | null {
  const units = unitsOf(giveInOrder(new Map(left), needs, [place.location_id]))
  return place.parcel_minor === null || units === 0 ? null : place.parcel_minor + (place.unit_minor ?? 0) * (units - 1)
}

/** Of each wanted item once, however many lines want it. */
function unitsLeft(location_id: string, left: ReadonlyMap<string, number>, needs: readonly Need[]): number {
  const items = new Set(needs.flatMap(({ line }) => line.components.map(({ item_id }) => item_id)))
  return [...items].reduce((sum, item_id) => sum + (left.get(stockKey(item_id, location_id)) ?? 0), 0)
}

/** A place with what it is worth by each key of the sort. */
export interface SortedPlace {
  place: PlannedPlace
  marks: readonly Mark[]
}

/** Places by these keys, the first key first; what is equal by all of them by rank. */
export function sortPlaces(
  places: readonly PlannedPlace[],
  sort: readonly SortKey[],
  left: ReadonlyMap<string, number>,
  needs: readonly Need[],
): SortedPlace[] {
  return places
    .map((place) => ({ place, marks: sort.map((key) => MEASURES[key](place, left, needs)) }))
    .toSorted((a, b) => compareMarks(a.marks, b.marks) || a.place.rank - b.place.rank)
}

function compareMarks(a: readonly Mark[], b: readonly Mark[]): number {
  for (const [index, mark] of a.entries()) {
    const difference = mark.value - (b[index]?.value ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}

const ORDINALS = ['first', 'second', 'third', 'fourth', 'fifth', 'sixth', 'seventh', 'eighth', 'ninth', 'tenth']
const ordinal = (index: number): string => ORDINALS[index] ?? `number ${index + 1}`

/** `second by distance (812 km)` */
export function positionWords({ marks }: SortedPlace, index: number, sort: readonly SortKey[]): string {
  return `${ordinal(index)} by ${(sort[0] ?? 'rank').replaceAll('_', ' ')} (${marks[0]?.words ?? 'unknown'})`
}

/** What a place has of what is wanted, in words. */
export function offerWords(place: PlannedPlace, left: ReadonlyMap<string, number>, needs: readonly Need[]): string {
  const refused = needs.filter(({ line }) => line.components.some(({ item_id }) => place.refuses_items.has(item_id)))
  if (refused.length === needs.length) return 'refuses items'
  const wanted = unitsOf(needs)
  const units = unitsOf(giveInOrder(new Map(left), needs, [place.location_id]))
  if (units === wanted) return 'has all of it'
  const some = units === 0 ? 'has none of it' : `has ${units} of ${wanted} units`
  return refused.length > 0 ? `${some}, refuses items` : some
}

/** Whether a place has anything of what is wanted. */
export const hasAny = (location_id: string, left: ReadonlyMap<string, number>, needs: readonly Need[]): boolean =>
  needs.some(({ line }) => canGive(left, line, location_id) > 0)
