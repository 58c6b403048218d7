import type { Queryable } from '../../db/pool.ts'
import type { LocationServices } from '../model/location.ts'
import { nextDeparture } from './rulesCalendar.ts'
import { dayKey } from './rulesMatch.ts'

/** A location as far as its days are concerned. */
export interface WorkingPlace {
  timezone: string | null
  services: LocationServices
}

/** The day that new work counts for, at a location that can do only so much a day; null: nobody counts. */
export function capacityDay({ timezone, services }: WorkingPlace, now: Date): string | null {
  if (services.orders_per_day === undefined) return null
  return nextDeparture(now.getTime(), services.calendar, timezone)?.day ?? null
}

/** Fulfillment orders that these locations have been given for these days, by `dayKey`. Work that was cancelled does not count. */
export async function loadGiven(
  q: Queryable,
  days: readonly { location_id: string; day: string }[],
): Promise<ReadonlyMap<string, number>> {
  if (days.length === 0) return new Map()
  const rows = await q.query<{ location_id: string; day: string; orders: number }>(
    `select f.location_id, f.capacity_day as day, count(*)::int as orders
     from unnest($1::text[], $2::date[]) as d(location_id, day)
     join fulfillment_orders f on f.location_id = d.location_id and f.capacity_day = d.day and f.state <> 'CANCELLED'
     group by 1, 2`,
    [days.map((one) => one.location_id), days.map((one) => one.day)],
  )
  return new Map(rows.map((row) => [dayKey(row.location_id, row.day), row.orders]))
}
