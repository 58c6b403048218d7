import type { PlannedPlace } from './rulesPlan.ts'

/** What a run counts as it goes. Its size depends on places, days and kilometres, never on the number of orders. */
export interface ReplayTally {
  orders: number
  orders_served: number
  orders_split: number
  orders_late: number
  orders_short: number
  units_short: number
  parcels: number
  capacity_refusals: number
  /** Minor units by currency; null: the place names none. */
  cost: Map<string | null, number>
  parcels_without_cost: number
  /** Parcels by whole kilometres. */
  distances: Map<number, number>
  parcels_without_distance: number
  /** Parcels by place, then by day of its calendar. */
  days: Map<string, Map<string, number>>
}

export function newTally(): ReplayTally {
  return {
    orders: 0,
    orders_served: 0,
    orders_split: 0,
    orders_late: 0,
    orders_short: 0,
    units_short: 0,
    parcels: 0,
    capacity_refusals: 0,
    cost: new Map(),
    parcels_without_cost: 0,
    distances: new Map(),
    parcels_without_distance: 0,
    days: new Map(),
  }
}

export interface Parcel {
  location_id: string
  day: string
  /** Units of order lines in it. */
  units: number
  /** What is known of the place for this order. */
  planned: PlannedPlace | null
  currency: string | null
}

export function countParcel(tally: ReplayTally, { location_id, day, units, planned, currency }: Parcel): void {
  tally.parcels += 1
  const days = tally.days.get(location_id) ?? new Map<string, number>()
  tally.days.set(location_id, days.set(day, (days.get(day) ?? 0) + 1))
  if (planned === null || planned.parcel_minor === null) tally.parcels_without_cost += 1
  else {
    const minor = planned.parcel_minor + (planned.unit_minor ?? 0) * (units - 1)
    tally.cost.set(currency, (tally.cost.get(currency) ?? 0) + minor)
  }
  const km = planned?.distance_km ?? null
  if (km === null) tally.parcels_without_distance += 1
  else tally.distances.set(km, (tally.distances.get(km) ?? 0) + 1)
}

/** The figures of one run, as they are shown. Rates are shares of 1 with four decimals. */
export interface SimulationFigures {
  orders: number
  orders_served: number
  orders_split: number
  split_rate: number
  parcels: number
  cost: { currency: string | null; minor: number }[]
  parcels_without_cost: number
  distance_km_mean: number | null
  distance_km_median: number | null
  parcels_without_distance: number
  orders_late: number
  orders_short: number
  /** Units that were not there when their orders came, and those that still were not when the window ended. */
  units_short: number
  units_waiting: number
  capacity_refusals: number
  places: { location_id: string; parcels: number; peak_day: string; peak_parcels: number; days: DayFigures[] }[]
}

interface DayFigures {
  day: string
  parcels: number
}

export function figuresOf(tally: ReplayTally, units_waiting: number): SimulationFigures {
  const { cost, distances, days, ...counts } = tally
  return {
    ...counts,
    units_waiting,
    split_rate: rounded(counts.orders_served === 0 ? 0 : counts.orders_split / counts.orders_served, 4),
    cost: [...cost]
      .map(([currency, minor]) => ({ currency, minor }))
      .sort((a, b) => (a.currency ?? '').localeCompare(b.currency ?? '')),
    distance_km_mean: meanOf(distances),
    distance_km_median: medianOf(distances),
    places: [...days].map(([location_id, own]) => placeFigures(location_id, own)).sort(byLocation),
  }
}

const byLocation = (a: { location_id: string }, b: { location_id: string }): number =>
  a.location_id < b.location_id ? -1 : 1

function placeFigures(location_id: string, own: ReadonlyMap<string, number>): SimulationFigures['places'][number] {
  const days = [...own].map(([day, parcels]) => ({ day, parcels })).sort((a, b) => (a.day < b.day ? -1 : 1))
  const parcels = days.reduce((sum, day) => sum + day.parcels, 0)
  const peak = days.reduce<DayFigures>((best, day) => (day.parcels > best.parcels ? day : best), {
    day: '',
    parcels: 0,
  })
  return { location_id, parcels, peak_day: peak.day, peak_parcels: peak.parcels, days }
}

function meanOf(distances: ReadonlyMap<number, number>): number | null {
  let [parcels, sum] = [0, 0]
  for (const [km, count] of distances) {
    parcels += count
    sum += km * count
  }
  return parcels === 0 ? null : rounded(sum / parcels, 1)
}

/** The middle one; of an even number the mean of the middle two. */
function medianOf(distances: ReadonlyMap<number, number>): number | null {
  const sorted = [...distances].sort(([a], [b]) => a - b)
  const parcels = sorted.reduce((sum, [, count]) => sum + count, 0)
  if (parcels === 0) return null
  const at = (position: number): number => {
    let before = 0
    for (const [km, count] of sorted) {
      before += count
      if (position < before) return km
    }
    return sorted.at(-1)?.[0] ?? 0
  }
  return (at(Math.floor((parcels - 1) / 2)) + at(Math.floor(parcels / 2))) / 2
}

function rounded(value: number, decimals: number): number {
  const factor = 10 ** decimals
  return Math.round(value * factor) / factor
}
