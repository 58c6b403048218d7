import { addEffects, cancelEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { tellErp } from '../erp/tell.ts'
import { HubError } from '../errors.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { countedWithout } from '../inventory/countBasis.ts'
import { lockStock, moveStock, stockKey, type StockMove } from '../inventory/ledger.ts'
import type { Shipment } from '../model/shipment.ts'
import { refreshAxes } from '../orders/axes.ts'
import { dropUnboughtLabels, unusedLabel } from '../labels/parcels.ts'
import { recordTimeline, type TimelineFact } from '../orders/timeline.ts'
import { arrivalKeys, lockTransferOf, sendOff } from '../supply/transferOrders.ts'
import type { StoredSupply } from '../supply/sql.ts'
import { loadCountedOut, takeCountedOut } from './countedOut.ts'
import { LINE_PARTS } from './lineParts.ts'
import { lockStockOfOrder, replanOrder } from './plan.ts'
import { isByHand, keepFromLeaving } from './recall.ts'
import {
  matchShipment,
  packedGoods,
  packedLines,
  type Consumption,
  type PackedLine,
  type PackedRow,
  type ShipmentMatch,
} from './rulesShipment.ts'
import { refreshTracking } from './tracking.ts'
import { fulfillmentOrderWakeKey } from './work.ts'

export interface FulfillmentOrderRow {
  id: string
  number: string
  order_id: string
  location_id: string
  state: string
  cancel_requested_at: Date | null
  /** The connection whose system does the work; null: it is done by hand. */
  carrier_id: string | null
  /** The connection of the order, and the order's lifecycle. */
  order_connection_id: string
  lifecycle: string
}

/**
 * Finds a fulfillment order by the number the 3PL knows it by and locks its order, then itself. A connection can only speak about work
 * of its own company; anything else is `unknown_fulfillment_order` and wakes when the work appears.
 */
export async function lockFulfillmentOrder(
  tx: Tx,
  connection_id: string,
  number: string,
): Promise<FulfillmentOrderRow | HubError> {
  const found = await tx.query<{ order_id: string }>(
    `select f.order_id from fulfillment_orders f
     join orders o on o.id = f.order_id
     join connections c on c.id = $2 and c.company_id = o.company_id
     where f.number = $1`,
    [number, connection_id],
  )
  const orderId = found[0]?.order_id
  if (orderId === undefined) {
    return new HubError('unknown_fulfillment_order', `there is no fulfillment order ${number}`, {
      path: '$.fulfillment_order',
      wake_key: fulfillmentOrderWakeKey(number),
    })
  }
  await tx.query('select 1 from orders where id = $1 for no key update', [orderId])
  const [row] = await tx.query<FulfillmentOrderRow>(
    `select f.id, f.number, f.order_id, f.location_id, f.state, f.cancel_requested_at, f.connection_id as carrier_id,
       o.connection_id as order_connection_id, o.lifecycle
     from fulfillment_orders f join orders o on o.id = f.order_id
     where f.number = $1 for no key update of f`,
    [number],
  )
  return row ?? new HubError('unknown_fulfillment_order', `there is no fulfillment order ${number}`)
}

/**
 * Applies goods that left: units go from committed to the outside, reservations to consumed, the order's lines rise by the whole units
 * that are complete, and the channel is told. A part of the work leaves the rest as it is. The same shipment again is a duplicate;
 * more units than the work holds is `over_shipped`, unless a count had found them missing. A shipment of work that was called back is
 * applied as well, for the goods are gone.
 *
 * A count that was taken after the goods left, but arrived before this message, has already left them out. Taking them off again
 * would lose them twice, so the same units come back as `available`.
 */
export async function applyShipment(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'shipment') return { kind: 'ignored', reason: 'not_ours' }
  const said = fact.document
  const work = await lockFulfillmentOrder(tx, connection_id, said.fulfillment_order)
  if (work instanceof HubError) return { kind: 'parked', error: work }
  const known = await tx.query('select 1 from shipments where connection_id = $1 and external_id = $2', [
    connection_id,
    said.external_id,
  ])
  if (known.length > 0) return { kind: 'ignored', reason: 'duplicate' }
  const shipment = await withLabel(tx, work, said)
  const matched = await matchWork(tx, work, shipment)
  if (matched.kind !== 'matched') return { kind: 'parked', error: mismatch(work.number, matched) }

  const { consumed } = matched
  if (isByHand(inbound, work)) await keepFromLeaving(tx, work)
  const shipmentId = ctx.newId()
  const shipped_at = new Date(shipment.shipped_at)
  const transfer = await lockTransferOf(tx, { id: work.order_id, connection_id: work.order_connection_id })
  const [lost, held] = [consumed.filter(({ row }) => row.counted_out), consumed.filter(({ row }) => !row.counted_out)]
  const crossed = work.cancel_requested_at !== null
  if (lost.length > 0 || crossed)
    await lockStockOfOrder(tx, ctx, { id: work.order_id, connection_id: work.order_connection_id })
  await takeFromStock(tx, ctx, { work, consumed: held, inbound, shipped_at, transfer })
  await consumeReservations(tx, held, ctx.now)
  if (lost.length > 0)
    await takeCountedOut(tx, ctx, { work, consumed: lost, shipment_id: shipmentId, shipped_at, inbound })
  const packed = packedLines(consumed)
  if (transfer !== null)
    await sendOff(tx, ctx, transfer, { units: packed, lifecycle: work.lifecycle, source: inbound.source, shipped_at })
  await insertShipment(tx, ctx, { id: shipmentId, connection_id, work, shipment, packed })
  await dropUnboughtLabels(tx, ctx, work.id)
  await raiseShippedQuantities(
    tx,
    packed.map((line) => line.order_line_id),
  )
  const closed = await advanceWork(tx, work, ctx.now)
  await recordTimeline(tx, timelineOf(inbound, work, shipmentId, shipment, packed), ctx.now)
  await refreshAxes(tx, [work.order_id], ctx.now)
  await refreshTracking(tx, [work.order_id])
  // Goods that were to come back have served their lines after all: what was planned in their place is too much.
  if (crossed && lost.length === 0) await replanOrder(tx, ctx, work.order_id, inbound.source)
  if (closed && work.cancel_requested_at !== null) await cancelEffects(tx, [`fulfillment.cancel:${work.number}`])
  await tellChannel(tx, ctx, work, shipmentId)
  await tellErp(tx, ctx, [{ id: work.order_id, connection_id: work.order_connection_id }])
  const units = packed.reduce((sum, line) => sum + line.quantity, 0)
  return { kind: 'applied', summary: `shipped ${units} units of ${work.number}` }
}

/** Whoever ships with our label need not tell us its number. */
async function withLabel(tx: Tx, work: FulfillmentOrderRow, said: Shipment): Promise<Shipment> {
  if (said.tracking_number !== null) return said
  const label = await unusedLabel(tx, work.id)
  return label === undefined ? said : { ...said, ...label }
}

/** What the work holds comes first; only where that is not enough, what it held before a count found it missing. */
async function matchWork(tx: Tx, work: FulfillmentOrderRow, shipment: Shipment): Promise<ShipmentMatch> {
  const lines = mergeable(shipment)
  const packed = await loadPacked(tx, work.id)
  const matched = matchShipment(lines, packed)
  if (matched.kind === 'matched') return matched
  const lost = await loadCountedOut(tx, work)
  return lost.length === 0 ? matched : matchShipment(lines, [...packed, ...lost])
}

/** Lines of zero units say nothing; a shipment that consists of them is still recorded. */
const mergeable = (shipment: Shipment) => shipment.lines.filter((line) => line.quantity > 0)

async function loadPacked(tx: Tx, fulfillment_order_id: string): Promise<PackedRow[]> {
  return tx.query<PackedRow>(
    `select r.id, r.order_line_id, l.external_id as line_external_id, r.item_id, i.sku,
       case when r.state = 'committed' then r.quantity else 0 end as quantity, false as counted_out
     from reservations r
     join order_lines l on l.id = r.order_line_id
     join items i on i.id = r.item_id
     where r.fulfillment_order_id = $1 order by r.id for no key update of r`,
    [fulfillment_order_id],
  )
}

function mismatch(number: string, match: Exclude<ShipmentMatch, { kind: 'matched' }>): HubError {
  return match.kind === 'unknown_line'
    ? new HubError('unknown_order_line', `${number} has no ${match.sku} to be shipped`, { path: `${match.path}.sku` })
    : new HubError('over_shipped', `${match.over_by} more units of ${match.sku} were shipped than ${number} holds`, {
        path: `${match.path}.quantity`,
        hint: 'compare with the fulfillment order; correct the shipment at the 3PL or adjust the stock, then replay',
      })
}

interface Taking {
  work: FulfillmentOrderRow
  consumed: readonly Consumption[]
  inbound: InboundFact
  shipped_at: Date
  /** Where the goods go, if to another place of our own: its rows are locked in the same turn. */
  transfer: StoredSupply | null
}

async function takeFromStock(tx: Tx, ctx: CoreContext, taking: Taking): Promise<void> {
  const { work, consumed, inbound, shipped_at, transfer } = taking
  const { location_id } = work
  const goods = packedGoods(consumed)
  const item_ids = [...new Set(goods.map(({ item_id }) => item_id))]
  const stock = await lockStock(
    tx,
    [...item_ids.map((item_id) => ({ item_id, location_id })), ...arrivalKeys(transfer, item_ids)],
    ctx.now,
  )
  const counted = item_ids.filter((item_id) => {
    const as_of = stock.get(stockKey(item_id, location_id))?.counted_as_of ?? null
    return as_of !== null && shipped_at <= as_of
  })
  const recounted = counted.length === 0 ? new Set<number>() : await countedWithout(tx, work, counted, shipped_at)
  const moves = goods.flatMap((units): StockMove[] => {
    const move = { ...units, location_id, source: inbound.source, occurred_at: shipped_at }
    const gone: StockMove = { ...move, from: 'committed', to: 'outside', reason: 'shipped' }
    if (!recounted.has(units.item_id)) return [gone]
    return [gone, { ...move, from: 'outside', to: 'available', reason: 'counted_already' }]
  })
  await moveStock(tx, moves, ctx.now)
  if (recounted.size > 0) await allocateShortfalls(tx, ctx, [...recounted])
}

async function consumeReservations(tx: Tx, consumed: readonly Consumption[], now: Date): Promise<void> {
  await tx.query(
    `update reservations r set quantity = r.quantity - c.quantity, consumed_quantity = r.consumed_quantity + c.quantity,
       state = case when r.quantity = c.quantity then 'consumed' else r.state end, changed_at = $3
     from (select id, sum(quantity)::int as quantity from unnest($1::bigint[], $2::int[]) as t(id, quantity) group by id) c
     where r.id = c.id`,
    [consumed.map(({ row }) => row.id), consumed.map(({ quantity }) => quantity), now],
  )
}

interface NewShipment {
  id: string
  connection_id: string
  work: FulfillmentOrderRow
  shipment: Shipment
  packed: readonly PackedLine[]
}

async function insertShipment(
  tx: Tx,
  ctx: CoreContext,
  { id, connection_id, work, shipment, packed }: NewShipment,
): Promise<void> {
  const { external_id, carrier, tracking_number, tracking_url, shipped_at } = shipment
  await tx.query(
    `insert into shipments (id, connection_id, external_id, fulfillment_order_id, order_id, carrier, tracking_number, tracking_url,
       shipped_at, recorded_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
    [
      id,
      connection_id,
      external_id,
      work.id,
      work.order_id,
      carrier,
      tracking_number,
      tracking_url,
      shipped_at,
      ctx.now,
    ],
  )
  await tx.query(
    `insert into shipment_lines (shipment_id, order_line_id, item_id, quantity, lot)
     select $1, t.* from unnest($2::bigint[], $3::bigint[], $4::int[], $5::text[]) as t`,
    [id, ...columns(packed, ['order_line_id', 'item_id', 'quantity', 'lot'])],
  )
}

/**
 * A unit of a line is shipped when all its components are: the scarcest component tells how many. A line that became another listing
 * counts what was shipped as either.
 */
async function raiseShippedQuantities(tx: Tx, order_line_ids: readonly number[]): Promise<void> {
  await tx.query(
    `update order_lines l set shipped_quantity = s.units
     from (select order_line_id, sum(units)::int as units
           from (select order_line_id, listing_id, min(units) as units
                 from (select order_line_id, listing_id, item_id, sum(consumed_quantity) / max(per_unit) as units
                       from (${LINE_PARTS}) parts where order_line_id = any($1::bigint[])
                       group by 1, 2, 3) per_item
                 group by 1, 2) per_listing
           group by 1) s
     where l.id = s.order_line_id and l.shipped_quantity <> s.units`,
    [order_line_ids],
  )
}

/** Work without units left is closed. Returns whether it is. */
async function advanceWork(tx: Tx, work: FulfillmentOrderRow, now: Date): Promise<boolean> {
  const [row] = await tx.query<{ state: string }>(
    `update fulfillment_orders f set changed_at = $2,
       state = case when exists (select 1 from reservations r where r.fulfillment_order_id = f.id and r.state = 'committed' and r.quantity > 0)
               then 'IN_PROGRESS' else 'CLOSED' end
     where f.id = $1 returning f.state`,
    [work.id, now],
  )
  return row?.state === 'CLOSED'
}

function timelineOf(
  inbound: InboundFact,
  work: FulfillmentOrderRow,
  shipment_id: string,
  shipment: Shipment,
  packed: readonly PackedLine[],
): TimelineFact[] {
  const at = new Date(shipment.shipped_at)
  const units = packed.reduce((sum, line) => sum + line.quantity, 0)
  const fact = (kind: string): TimelineFact => ({
    order_id: work.order_id,
    kind,
    at,
    source: inbound.source,
    data: {
      shipment_id,
      number: work.number,
      units,
      carrier: shipment.carrier,
      tracking_number: shipment.tracking_number,
    },
  })
  const wasCalledBack = work.cancel_requested_at !== null || work.lifecycle === 'cancelled'
  return [fact('shipment.recorded'), ...(wasCalledBack ? [fact('shipment.after_cancel')] : [])]
}

/** A channel that has cancelled the order takes no shipment for it; the timeline says what happened. */
async function tellChannel(tx: Tx, ctx: CoreContext, work: FulfillmentOrderRow, shipment_id: string): Promise<void> {
  const connection_id = work.order_connection_id
  if (work.lifecycle === 'cancelled' || ctx.policies.get(connection_id)?.takes_shipment_notices !== true) return
  const key = `shipment.send:${shipment_id}`
  const reference = { shipment_id }
  await addEffects(
    tx,
    [{ connection_id, kind: 'shipment.send', key, reference, order_id: work.order_id, not_before: ctx.now }],
    ctx.now,
  )
}
