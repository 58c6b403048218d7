import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { LOST_FROM_LIVE_WORK } from '../inventory/reattach.ts'
import { promiseArrivals, type Arrival, type Waiting } from './rulesPromiseDates.ts'
import { loadSources } from './transferOrders.ts'

/** `units` of an order line that are missing now, and what will bring them. */
export interface PromisedDate {
  reservation_id: number
  order_id: string
  order_line_id: number
  item_id: number
  sku: string
  units: number
  /** When they are expected; null: nothing on its way covers them, or nobody has said when it comes. */
  expected_at: string | null
  /** The supply that will bring them; null: nothing on its way covers them. */
  supply: { id: string; kind: 'purchase' | 'transfer'; reference: string; location_id: string } | null
}

export interface PromiseSelection {
  order_ids?: readonly string[]
  item_ids?: readonly number[]
}

/** Missing units as people are told of them; no reference: nothing on its way covers them. */
export interface ExpectedUnits {
  units: number
  expected_at: string | null
  reference: string | null
}

/** The dates of missing units by the reservation that they are missing of. */
export async function expectedUnits(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  selection: PromiseSelection,
): Promise<Map<number, ExpectedUnits[]>> {
  const dates = await readPromiseDates(q, ctx, selection)
  return new Map(
    [...Map.groupBy(dates, (row) => row.reservation_id)].map(([id, own]) => [
      id,
      own.map(({ units, expected_at, supply }) => ({ units, expected_at, reference: supply?.reference ?? null })),
    ]),
  )
}

interface WaitingRow {
  id: number
  order_id: string
  order_line_id: number
  connection_id: string
  item_id: number
  sku: string
  units: number
  priority: number
  ship_by: Date | null
  refused: string[]
}

interface ArrivalRow extends Omit<Arrival, 'expected_at_ms'> {
  kind: 'purchase' | 'transfer'
  reference: string
  expected_at: Date | null
}

/**
 * The dates of missing units of these orders, or of everybody who waits for these items. Dates are worked out anew each time, over all
 * who wait, because whoever comes in between changes them. Nothing is returned for units that are promised already.
 */
export async function readPromiseDates(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  selection: PromiseSelection,
): Promise<PromisedDate[]> {
  const item_ids = selection.item_ids ?? (await itemsWaitedFor(q, selection.order_ids ?? []))
  if (item_ids.length === 0) return []
  const rows = await loadWaiting(q, item_ids)
  if (rows.length === 0) return []
  const arrivals = await loadArrivals(q, item_ids)
  const sources = await loadSources(
    q,
    rows.map((row) => ({ id: row.order_id, connection_id: row.connection_id })),
  )
  const waiting = rows.map((row) => toWaiting(row, sources.get(row.order_id) ?? placesOf(ctx, row)))
  const byId = new Map(rows.map((row) => [row.id, row]))
  const bySupply = new Map(arrivals.map((row) => [row.supply_id, row]))
  const wanted = selection.order_ids === undefined ? null : new Set(selection.order_ids)
  const dates = promiseArrivals(arrivals.map(toArrival), waiting).flatMap(({ id, units, arrival }): PromisedDate[] => {
    const row = byId.get(id)
    if (row === undefined || (wanted !== null && !wanted.has(row.order_id))) return []
    const { order_id, order_line_id, item_id, sku } = row
    const supply = arrival === null ? undefined : bySupply.get(arrival.supply_id)
    const own = { reservation_id: id, order_id, order_line_id, item_id, sku, units }
    if (supply === undefined) return [{ ...own, expected_at: null, supply: null }]
    const { supply_id, kind, reference, location_id, expected_at } = supply
    return [
      {
        ...own,
        expected_at: expected_at?.toISOString() ?? null,
        supply: { id: supply_id, kind, reference, location_id },
      },
    ]
  })
  return dates.toSorted((a, b) => a.reservation_id - b.reservation_id)
}

async function itemsWaitedFor(q: Queryable, order_ids: readonly string[]): Promise<number[]> {
  const rows = await q.query<{ item_id: number }>(
    `select distinct item_id from reservations where order_id = any($1::uuid[]) and state = 'shortfall'`,
    [order_ids],
  )
  return rows.map((row) => row.item_id)
}

async function loadWaiting(q: Queryable, item_ids: readonly number[]): Promise<WaitingRow[]> {
  return q.query<WaitingRow>(
    `select r.id, r.order_id, r.order_line_id, o.connection_id, r.item_id, i.sku, r.quantity as units, r.priority, r.ship_by,
       array(select f.location_id from fulfillment_orders f
             join order_facts t on t.order_id = f.order_id and t.kind = 'fulfillment_order.rejected' and t.data ->> 'number' = f.number
             where f.order_id = o.id and f.state = 'CANCELLED') as refused
     from reservations r join orders o on o.id = r.order_id join items i on i.id = r.item_id
     where r.state = 'shortfall' and r.quantity > 0 and r.item_id = any($1::bigint[]) and not (${LOST_FROM_LIVE_WORK})
     order by r.id`,
    [item_ids],
  )
}

/**
 * What is on its way, or will be without anybody doing more: the rest of purchases, the units of transfers that have left, and those that
 * are set aside to leave. A transfer that itself waits for units brings nothing that could be promised.
 */
async function loadArrivals(q: Queryable, item_ids: readonly number[]): Promise<ArrivalRow[]> {
  return q.query<ArrivalRow>(
    `select * from (
       select s.id as supply_id, s.kind, s.reference, s.expected_at, s.location_id, l.item_id,
         case s.kind when 'purchase' then l.quantity - l.received_quantity
           else l.shipped_quantity - l.received_quantity - l.missing_quantity + coalesce((
             select sum(r.quantity)::int from reservations r join orders o on o.id = r.order_id and o.lifecycle = 'open'
             where r.order_id = s.order_id and r.item_id = l.item_id and r.state in ('held', 'committed')), 0) end as units
       from supplies s join supply_lines l on l.supply_id = s.id
       where s.state = 'open' and l.item_id = any($1::bigint[])
     ) a where units > 0`,
    [item_ids],
  )
}

const toArrival = ({ supply_id, item_id, location_id, units, expected_at }: ArrivalRow): Arrival => ({
  supply_id,
  item_id,
  location_id,
  units,
  expected_at_ms: expected_at?.getTime() ?? null,
})

function toWaiting({ id, item_id, units, priority, ship_by }: WaitingRow, places: readonly string[]): Waiting {
  return { id, item_id, units, priority, ship_by_ms: ship_by?.getTime() ?? null, places }
}

function placesOf({ policies }: Pick<CoreContext, 'policies'>, { connection_id, refused }: WaitingRow): string[] {
  return (policies.get(connection_id)?.serves_from ?? []).filter((place) => !refused.includes(place))
}
