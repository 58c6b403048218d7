import { stockKey, type Allocation, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'

/** Units by `stockKey` that are still to be had. */
export type Left = Map<string, number>

/** What is still wanted of one line. */
export interface Need {
  line: LineDemand
  units: number
}

/** Units of a line that one place gives. */
export interface Share {
  line: LineDemand
  location_id: string
  units: number
}

/** Whole units of a line that a place has: a kit's components leave together. */
export function canGive(left: ReadonlyMap<string, number>, line: LineDemand, location_id: string): number {
  let units = Number.MAX_SAFE_INTEGER
  for (const { item_id, per_unit } of line.components)
    units = Math.min(units, Math.floor((left.get(stockKey(item_id, location_id)) ?? 0) / per_unit))
  return line.components.length === 0 ? 0 : Math.max(0, units)
}

/** Lowers what is left by what is taken; a negative number of units gives back. */
export function take(left: Left, line: LineDemand, location_id: string, units: number): void {
  for (const { item_id, per_unit } of line.components) {
    const key = stockKey(item_id, location_id)
    left.set(key, (left.get(key) ?? 0) - per_unit * units)
  }
}

/** Lines that share an item are summed: each by itself might fit where both do not. */
function fits(left: ReadonlyMap<string, number>, needs: readonly Need[], location_id: string): boolean {
  const needed = new Map<string, number>()
  for (const { line, units } of needs) {
    for (const { item_id, per_unit } of line.components) {
      const key = stockKey(item_id, location_id)
      const sum = (needed.get(key) ?? 0) + per_unit * units
      if (sum > (left.get(key) ?? 0)) return false
      needed.set(key, sum)
    }
  }
  return true
}

/** Whole from the first place that can, else each line from the places in their order. Lowers `left`. */
export function giveInOrder(left: Left, needs: readonly Need[], places: readonly string[]): Share[] {
  const single = places.find((place) => fits(left, needs, place))
  if (single === undefined) return needs.flatMap((need) => splitNeed(left, need, places))
  for (const { line, units } of needs) take(left, line, single, units)
  return needs.map(({ line, units }) => ({ line, location_id: single, units }))
}

function splitNeed(left: Left, { line, units: wanted }: Need, places: readonly string[]): Share[] {
  const shares: Share[] = []
  let missing = wanted
  for (const location_id of places) {
    if (missing === 0) break
    const units = Math.min(missing, canGive(left, line, location_id))
    if (units === 0) continue
    take(left, line, location_id, units)
    missing -= units
    shares.push({ line, location_id, units })
  }
  return shares
}

export const needsOf = (lines: readonly LineDemand[]): Need[] => lines.map((line) => ({ line, units: line.units }))

/** What the shares leave open of the needs. A line stands for itself even where another has the same id. */
export function openNeeds(needs: readonly Need[], shares: readonly Share[]): Need[] {
  const given = new Map<LineDemand, number>()
  for (const { line, units } of shares) given.set(line, (given.get(line) ?? 0) + units)
  return needs.flatMap(({ line, units }) => {
    const open = units - (given.get(line) ?? 0)
    return open > 0 ? [{ line, units: open }] : []
  })
}

export const unitsOf = (rows: readonly { units: number }[]): number => rows.reduce((sum, row) => sum + row.units, 0)

/** The order's lines one after another: what each gets from where, and what it misses. */
export function toAllocations({ order_id, lines }: OrderDemand, shares: readonly Share[]): Allocation[] {
  // Nearly every order: each line whole from one place, in the order of the lines.
  if (
    shares.length === lines.length &&
    shares.every(({ line, units }, at) => line === lines[at] && units === line.units)
  )
    return shares.map(({ line, location_id, units }) => ({ order_id, line, location_id, units }))
  const byLine = Map.groupBy(shares, (share) => share.line)
  return lines.flatMap((line): Allocation[] => {
    const own = byLine.get(line) ?? []
    const missing = line.units - unitsOf(own)
    const given = own.map(({ location_id, units }) => ({ order_id, line, location_id, units }))
    return missing > 0 ? [...given, { order_id, line, location_id: null, units: missing }] : given
  })
}

/** Places of last resort apart from the others, each in their order. */
export function tiersOf<P>(
  places: readonly P[],
  { last_resort }: Pick<OrderDemand, 'last_resort'>,
  idOf: (place: P) => string,
): { first: P[]; last: P[] } {
  if (last_resort.length === 0) return { first: [...places], last: [] }
  const isLast = (place: P): boolean => last_resort.includes(idOf(place))
  return { first: places.filter((place) => !isLast(place)), last: places.filter(isLast) }
}
