import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext, InboundFact } from '../context.ts'
import { countedWithout } from '../inventory/countBasis.ts'
import { moveStock, stockKey, type StockMove } from '../inventory/ledger.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { lockStockOfOrder, replanOrder } from './plan.ts'
import type { Consumption, PackedRow } from './rulesShipment.ts'
import type { FulfillmentOrderRow } from './shipments.ts'

/** Ids of what a work order lost are made up, and larger than any real one: what it still holds is taken first. */
const LOST_IDS_FROM = 2 ** 52

/**
 * Units that this work held until a count (or a loss) found them missing, less those that were shipped all the same. Whoever packs may
 * have had them in hand when the shelf was counted. The timeline remembers them: the reservation itself has become the shortfall.
 */
export async function loadCountedOut(tx: Tx, work: FulfillmentOrderRow): Promise<PackedRow[]> {
  const rows = await tx.query<Omit<PackedRow, 'id' | 'counted_out'>>(
    `select l.id as order_line_id, l.external_id as line_external_id, i.id as item_id, i.sku, c.units::int as quantity
     from (
       select (data ->> 'order_line_id')::bigint as line_id, (data ->> 'item_id')::bigint as item_id,
         sum(case kind when 'reservation.shortfall' then 1 else -1 end * (data ->> 'units')::int) as units
       from order_facts
       where order_id = $1 and kind in ('reservation.shortfall', 'reservation.restored', 'shipment.of_shortfall') and data ->> 'fulfillment_order_id' = $2
       group by 1, 2
     ) c
     join order_lines l on l.id = c.line_id
     join items i on i.id = c.item_id
     where c.units > 0 order by l.id, i.id`,
    [work.order_id, work.id],
  )
  return rows.map((row, index) => ({ ...row, id: LOST_IDS_FROM + index, counted_out: true }))
}

export interface ShippedCountedOut {
  work: FulfillmentOrderRow
  consumed: readonly Consumption[]
  shipment_id: string
  shipped_at: Date
  inbound: InboundFact
}

/**
 * Books units that were shipped although a count had found them missing: they serve their lines, so nothing of them is missing any
 * more, and what was promised elsewhere in their place is given back or called back. On the shelf they leave `available` as far as
 * there is any; the rest was counted out when its promise was broken. The caller has locked the order and nothing of its stock.
 */
export async function takeCountedOut(tx: Tx, ctx: CoreContext, shipped: ShippedCountedOut): Promise<void> {
  const { work, shipment_id, inbound } = shipped
  const units = [...Map.groupBy(shipped.consumed, ({ row }) => `${row.order_line_id}@${row.item_id}`).values()].flatMap(
    (own) => {
      const [first] = own
      if (first === undefined) return []
      const { order_line_id, item_id } = first.row
      return [{ order_line_id, item_id, quantity: own.reduce((sum, { quantity }) => sum + quantity, 0) }]
    },
  )
  await insertConsumed(tx, work, units, ctx.now)
  await dropLost(tx, work, units, ctx.now)
  const before = await takeAvailable(tx, ctx, shipped, unitsByItem(units))
  const data = { shipment_id, number: work.number, fulfillment_order_id: work.id }
  await recordTimeline(
    tx,
    units.map(({ order_line_id, item_id, quantity }) => ({
      order_id: work.order_id,
      kind: 'shipment.of_shortfall',
      at: shipped.shipped_at,
      source: inbound.source,
      data: { ...data, order_line_id, item_id, units: quantity },
    })),
    ctx.now,
  )
  await replanOrder(tx, ctx, work.order_id, inbound.source)
  // The new plan may have given back the very units that were promised in their place.
  await takeAvailable(tx, ctx, shipped, before)
}

function unitsByItem(units: readonly { item_id: number; quantity: number }[]): Map<number, number> {
  const sums = new Map<number, number>()
  for (const { item_id, quantity } of units) sums.set(item_id, (sums.get(item_id) ?? 0) + quantity)
  return sums
}

/** Returns the units of which nothing was on the shelf. A count that was taken after they left has none of them. */
async function takeAvailable(
  tx: Tx,
  ctx: CoreContext,
  { work, shipped_at, inbound }: ShippedCountedOut,
  wanted: ReadonlyMap<number, number>,
): Promise<Map<number, number>> {
  if (wanted.size === 0) return new Map()
  const { location_id } = work
  const stock = await lockStockOfOrder(tx, ctx, { id: work.order_id, connection_id: work.order_connection_id })
  const without = await countedWithout(tx, work, [...wanted.keys()], shipped_at)
  const missing = new Map<number, number>()
  const moves: StockMove[] = []
  for (const [item_id, quantity] of wanted) {
    const row = stock.get(stockKey(item_id, location_id))
    if (without.has(item_id)) continue
    const there = Math.min(quantity, row?.available ?? 0)
    const move = { item_id, location_id, reason: 'shipped', source: inbound.source, occurred_at: shipped_at }
    if (there > 0) moves.push({ ...move, from: 'available', to: 'outside', quantity: there })
    if (there < quantity) missing.set(item_id, quantity - there)
  }
  await moveStock(tx, moves, ctx.now)
  return missing
}

/**
 * What this work lost and has shipped all the same it waits for no longer. Left to the new plan those rows would stay, because the work is
 * still there, and something else that is missing of the line would go in their place.
 */
async function dropLost(
  tx: Tx,
  work: FulfillmentOrderRow,
  units: readonly { order_line_id: number; item_id: number; quantity: number }[],
  now: Date,
): Promise<void> {
  await tx.query(
    `with found as (
       select r.id, r.quantity, n.units - coalesce(sum(r.quantity) over (
         partition by r.order_line_id, r.item_id order by r.id rows between unbounded preceding and 1 preceding), 0) as left_over
       from unnest($1::bigint[], $2::bigint[], $3::int[]) as n(line_id, item_id, units)
       join reservations r on r.order_line_id = n.line_id and r.item_id = n.item_id and r.lost_from = $4 and r.state = 'shortfall'),
     gone as (delete from reservations r using found f where r.id = f.id and f.left_over >= f.quantity)
     update reservations r set quantity = r.quantity - f.left_over, changed_at = $5
     from found f where r.id = f.id and f.left_over > 0 and f.left_over < f.quantity`,
    [...columns(units, ['order_line_id', 'item_id', 'quantity']), work.id, now],
  )
}

/** Their shortfall says what one unit of the line takes of the item; where it was given up with its order, the line or its listing does. */
async function insertConsumed(
  tx: Tx,
  work: FulfillmentOrderRow,
  units: readonly { order_line_id: number; item_id: number; quantity: number }[],
  now: Date,
): Promise<void> {
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, location_id, fulfillment_order_id, per_unit, quantity, consumed_quantity,
       state, listing_id, created_at, changed_at)
     select $4, n.line_id, n.item_id, $5, $6, coalesce(r.per_unit, t.per_unit, c.per_unit, 1), 0, n.units, 'consumed', coalesce(r.listing_id, l.listing_id), $7, $7
     from unnest($1::bigint[], $2::bigint[], $3::int[]) as n(line_id, item_id, units)
     join order_lines l on l.id = n.line_id
     left join lateral (
       select takes.per_unit from unnest(l.takes_items, l.takes_units) as takes(item_id, per_unit)
       where takes.item_id = n.item_id order by takes.per_unit desc limit 1
     ) t on true
     cross join lateral (
       select sum(li.quantity * coalesce(k.quantity, 1))::int as per_unit
       from listing_items li left join kit_components k on k.kit_item_id = li.item_id
       where li.listing_id = l.listing_id and coalesce(k.component_item_id, li.item_id) = n.item_id
     ) c
     left join lateral (
       select per_unit, listing_id from reservations where order_line_id = n.line_id and item_id = n.item_id
       order by fulfillment_order_id = $6 desc nulls last, per_unit desc limit 1
     ) r on true`,
    [...columns(units, ['order_line_id', 'item_id', 'quantity']), work.order_id, work.location_id, work.id, now],
  )
}
