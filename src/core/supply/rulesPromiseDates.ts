/** Units of an item that will come to a place. `expected_at_ms` null: nobody has said when, so it comes after all that is dated. */
export interface Arrival {
  supply_id: string
  item_id: number
  location_id: string
  units: number
  expected_at_ms: number | null
}

/** Missing units of an item that somebody waits for. */
export interface Waiting {
  /** The reservation's id: the older, the smaller. */
  id: number
  item_id: number
  units: number
  /** Lower is served first. */
  priority: number
  ship_by_ms: number | null
  /** Places that may serve it. */
  places: readonly string[]
}

/** `units` of a waiting reservation and the arrival that will cover them; null: nothing on its way covers them. */
export interface PromisedArrival {
  id: number
  units: number
  arrival: Arrival | null
}

const LAST_MS = Number.MAX_SAFE_INTEGER

/**
 * Gives each waiting unit the arrival that will cover it. Arrivals are given out as they come (by date, then by supply), each to those
 * who may be served from its place, by (priority, ship by, age): the order in which the hub itself gives out what arrives. Units are
 * counted item by item, so an order that only goes out whole may wait longer than its earliest date.
 */
export function promiseArrivals(arrivals: readonly Arrival[], waiting: readonly Waiting[]): PromisedArrival[] {
  const waitingOf = Map.groupBy(waiting.toSorted(byTurn), (one) => one.item_id)
  const arrivalsOf = Map.groupBy(arrivals.toSorted(byDate), (one) => one.item_id)
  return [...waitingOf].flatMap(([item_id, queue]) => promiseItem(arrivalsOf.get(item_id) ?? [], queue))
}

function promiseItem(arrivals: readonly Arrival[], queue: readonly Waiting[]): PromisedArrival[] {
  const promised: PromisedArrival[] = []
  let open = queue.map((one) => ({ one, places: new Set(one.places), missing: one.units }))
  for (const arrival of arrivals) {
    let left = arrival.units
    for (const entry of open) {
      if (left <= 0) break
      if (!entry.places.has(arrival.location_id)) continue
      const units = Math.min(left, entry.missing)
      if (units <= 0) continue
      left -= units
      entry.missing -= units
      promised.push({ id: entry.one.id, units, arrival })
    }
    open = open.filter((entry) => entry.missing > 0)
  }
  return [...promised, ...open.flatMap(({ one, missing }) => ({ id: one.id, units: missing, arrival: null }))]
}

function byTurn(a: Waiting, b: Waiting): number {
  return a.priority - b.priority || (a.ship_by_ms ?? LAST_MS) - (b.ship_by_ms ?? LAST_MS) || a.id - b.id
}

function byDate(a: Arrival, b: Arrival): number {
  const bySoonest = (a.expected_at_ms ?? LAST_MS) - (b.expected_at_ms ?? LAST_MS)
  return bySoonest || (a.supply_id < b.supply_id ? -1 : a.supply_id > b.supply_id ? 1 : 0)
}
