import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { moveStock, type StockMove } from './ledger.ts'
import { onShelf, wasAdded, type CountBasis, type Counted, type PromisedThere } from './rulesCount.ts'
import { stockKey } from './rulesDemand.ts'

/** Those of these places whose snapshots leave out what their own system has promised. */
export async function placesThatCountAvailable(
  q: Queryable,
  location_ids: readonly (string | undefined)[],
): Promise<Set<string>> {
  const rows = await q.query<{ id: string }>(
    `select id from locations where id = any($1::text[]) and count_basis = 'available'`,
    [location_ids.filter((id) => id !== undefined)],
  )
  return new Set(rows.map((row) => row.id))
}

interface Line extends Counted {
  item_id: number
  location_id: string
  basis: CountBasis
  as_of: Date
}

type Promised = PromisedThere & { item_id: number; location_id: string }

/** Turns reports of unpromised units into counts of the shelf; lines on the other basis are left as they are. */
export async function ontoShelf<L extends Line>(tx: Tx, lines: readonly L[]): Promise<L[]> {
  const own = lines.filter((line) => line.basis === 'available')
  if (own.length === 0) return [...lines]
  const promised = await loadPromised(tx, own)
  return lines.map((line) => {
    const there = promised.get(`${stockKey(line.item_id, line.location_id)}@${line.as_of.getTime()}`)
    return line.basis === 'available' && there !== undefined ? { ...line, ...onShelf(line, there) } : line
  })
}

/**
 * What the places had promised to our work when they were counted. Work had reached its place when its sending had ended; what happened
 * to it is taken by the place's own clock.
 */
async function loadPromised(tx: Tx, lines: readonly Line[]): Promise<Map<string, PromisedThere>> {
  const rows = await tx.query<Promised & { as_of: Date }>(
    `with counted as (
       select * from unnest($1::bigint[], $2::text[], $3::timestamptz[]) as c(item_id, location_id, as_of)
     ), work as materialized (
       select f.id, f.location_id, f.given_back_at, x.done_at as sent_at from fulfillment_orders f
       join outbox x on x.key = 'fulfillment.new:' || f.number and x.done_at is not null
       where f.location_id = any($2::text[]) and (
         f.state not in ('CLOSED', 'CANCELLED')
         or f.id in (select fulfillment_order_id from shipments where shipped_at > (select min(as_of) from counted))
         or f.given_back_at > (select min(as_of) from counted))
     ), of_work as materialized (
       select w.location_id, w.sent_at, r.item_id, 'unshipped' as why, r.quantity as units, null::timestamptz as gone_at
       from work w join reservations r on r.fulfillment_order_id = w.id and r.state = 'committed'
       union all
       select w.location_id, w.sent_at, r.item_id, 'counted_out', r.quantity, null
       from work w join reservations r on r.lost_from = w.id and r.state = 'shortfall'
       union all
       select w.location_id, w.sent_at, l.item_id, 'shipped_since', l.quantity, s.shipped_at
       from work w
       join shipments s on s.fulfillment_order_id = w.id and s.shipped_at > (select min(as_of) from counted)
       join shipment_lines l on l.shipment_id = s.id
       union all
       select w.location_id, w.sent_at, r.item_id, 'given_back_since', r.quantity, w.given_back_at
       from work w join reservations r on r.fulfillment_order_id = w.id and r.state = 'released'
       where w.given_back_at is not null
     ), there as (
       select c.item_id, c.location_id, c.as_of, u.why, u.units
       from counted c join of_work u on u.item_id = c.item_id and u.location_id = c.location_id and u.sent_at <= c.as_of
         and (u.gone_at is null or u.gone_at > c.as_of)
     )
     select item_id, location_id, as_of,
       coalesce(sum(units) filter (where why = 'unshipped'), 0)::int as unshipped,
       coalesce(sum(units) filter (where why = 'shipped_since'), 0)::int as shipped_since,
       coalesce(sum(units) filter (where why = 'given_back_since'), 0)::int as given_back_since,
       coalesce(sum(units) filter (where why = 'counted_out'), 0)::int as counted_out
     from there group by 1, 2, 3`,
    [
      lines.map((line) => line.item_id),
      lines.map((line) => line.location_id),
      lines.map((line) => line.as_of.toISOString()),
    ],
  )
  return new Map(rows.map((row) => [`${stockKey(row.item_id, row.location_id)}@${row.as_of.getTime()}`, row]))
}

/**
 * Which of these items the last count of a place had without the units of this work that left it (or were given back) at `at`: told of
 * only now, they are in the count already. The stock rows are locked by the caller.
 */
export async function countedWithout(
  tx: Tx,
  work: { number: string; location_id: string },
  item_ids: readonly number[],
  at: Date,
): Promise<Set<number>> {
  const rows = await countsSince(tx, work, item_ids, at)
  return new Set(rows.filter((row) => !isAdded(row)).map((row) => row.item_id))
}

interface CountSince {
  item_id: number
  available: number
  as_of: Date
  basis: CountBasis
  sent_at: Date | null
}

const isAdded = ({ basis, as_of, sent_at }: CountSince): boolean =>
  wasAdded({ basis, as_of_ms: as_of.getTime() }, sent_at?.getTime() ?? null)

/** The last counts of these items that were taken at `at` or later, and when the work had reached its place. */
async function countsSince(
  tx: Tx,
  work: { number: string; location_id: string },
  item_ids: readonly number[],
  at: Date,
): Promise<CountSince[]> {
  return tx.query<CountSince>(
    `select s.item_id, s.available, s.counted_as_of as as_of, coalesce(s.counted_basis, 'on_hand') as basis,
       (select x.done_at from outbox x where x.key = 'fulfillment.new:' || $3) as sent_at
     from stock s where s.item_id = any($1::bigint[]) and s.location_id = $2 and s.counted_as_of >= $4`,
    [item_ids, work.location_id, work.number, at],
  )
}

/** Units that work still holds, by item, before it gives them back. */
export async function unitsHeld(tx: Tx, fulfillment_order_id: string): Promise<Map<number, number>> {
  const rows = await tx.query<{ item_id: number; units: number }>(
    `select item_id, sum(quantity)::int as units from reservations
     where fulfillment_order_id = $1 and state = 'committed' and quantity > 0 group by item_id`,
    [fulfillment_order_id],
  )
  return new Map(rows.map((row) => [row.item_id, row.units]))
}

/**
 * Work gave its units back at `at`, by the clock of its place. A report of unpromised units that was taken since had them already, and
 * the same units were put on top of it because nobody had told us: they leave again. The caller has released the units, and so
 * locked their stock rows.
 */
export async function takeOffAdded(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  work: { id: string; number: string; location_id: string },
  given: { units: ReadonlyMap<number, number>; at: Date; source: string },
): Promise<void> {
  const { units, at, source } = given
  await tx.query('update fulfillment_orders set given_back_at = $2 where id = $1', [work.id, at])
  const item_ids = [...units.keys()]
  if (item_ids.length === 0) return
  const rows = await countsSince(tx, work, item_ids, at)
  const moves = rows.filter(isAdded).map(({ item_id, available }): StockMove => ({
    item_id,
    location_id: work.location_id,
    from: 'available',
    to: 'outside',
    quantity: Math.min(available, units.get(item_id) ?? 0),
    reason: 'counted_already',
    source,
    occurred_at: at,
  }))
  await moveStock(
    tx,
    moves.filter((move) => move.quantity > 0),
    ctx.now,
  )
}
