import type { Queryable, Tx } from '../../db/pool.ts'
import { internalConnectionId, type CoreContext } from '../context.ts'
import { markDirty, moveStock, type StockKey } from '../inventory/ledger.ts'
import type { Component } from '../inventory/rulesDemand.ts'
import { incomingMoves, settledState } from './rulesSupply.ts'
import { lockSupply, saveSupply, type StoredSupply } from './sql.ts'

/** An order as far as it may be one of our own transfers. */
interface OrderOfConnection {
  id: string
  connection_id: string
}

/** What a transfer's order does not take from its channel, because it has none. */
export interface OwnNeeds {
  /** The one place that each may be served from, by order id. */
  sources: ReadonlyMap<string, readonly string[]>
  /** What one unit of each line takes, by line id: the item of its SKU. */
  components: ReadonlyMap<number, readonly Component[]>
}

const NO_NEEDS: OwnNeeds = { sources: new Map(), components: new Map() }

const isInternal = (connection_id: string): boolean => connection_id.startsWith(internalConnectionId(''))

/** Where the transfers among these orders take their units from. Asks nothing where there are none. */
export async function loadSources(
  q: Queryable,
  orders: readonly OrderOfConnection[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const own = [...new Set(orders.flatMap((order) => (isInternal(order.connection_id) ? order.id : [])))]
  if (own.length === 0) return NO_NEEDS.sources
  const rows = await q.query<{ order_id: string; from_location_id: string }>(
    'select order_id, from_location_id from supplies where order_id = any($1::uuid[]) and from_location_id is not null',
    [own],
  )
  return new Map(rows.map((row) => [row.order_id, [row.from_location_id]]))
}

/** The same, with what their lines take. */
export async function loadOwnNeeds(q: Queryable, orders: readonly OrderOfConnection[]): Promise<OwnNeeds> {
  const sources = await loadSources(q, orders)
  if (sources.size === 0) return NO_NEEDS
  const lines = await q.query<{ line_id: number; item_id: number }>(
    `select l.id as line_id, i.id as item_id
     from order_lines l join orders o on o.id = l.order_id join items i on i.company_id = o.company_id and i.sku = l.channel_sku
     where l.order_id = any($1::uuid[])`,
    [[...sources.keys()]],
  )
  return { sources, components: new Map(lines.map((line) => [line.line_id, [{ item_id: line.item_id, per_unit: 1 }]])) }
}

/** Both ends of a transfer, for those who lock all stock that an order may touch; nothing for any other order. */
export async function placesOfTransfer(q: Queryable, order: OrderOfConnection): Promise<string[]> {
  if (!isInternal(order.connection_id)) return []
  const rows = await q.query<{ location_id: string; from_location_id: string }>(
    'select location_id, from_location_id from supplies where order_id = $1 and from_location_id is not null',
    [order.id],
  )
  return rows.flatMap((row) => [row.from_location_id, row.location_id])
}

/** The transfer that an order is, locked; null for every other order. Its order is locked, and no stock yet. */
export async function lockTransferOf(tx: Tx, order: OrderOfConnection): Promise<StoredSupply | null> {
  if (!isInternal(order.connection_id)) return null
  const [row] = await tx.query<{ id: string }>('select id from supplies where order_id = $1', [order.id])
  return row === undefined ? null : lockSupply(tx, row.id)
}

/** Stock rows at the other end that a shipment of these items will raise: to be locked together with those it leaves. */
export const arrivalKeys = (transfer: StoredSupply | null, item_ids: Iterable<number>): StockKey[] =>
  transfer === null ? [] : [...new Set(item_ids)].map((item_id) => ({ item_id, location_id: transfer.location_id }))

interface SentOff {
  item_id: number
  quantity: number
}

/**
 * Goods of a transfer have left: what of them has not come yet is on its way, whatever was thought of the transfer before (one that was
 * cancelled or closed is open again while goods are under way). The caller has locked the order, the transfer and `arrivalKeys`.
 */
export async function sendOff(
  tx: Tx,
  ctx: CoreContext,
  transfer: StoredSupply,
  shipped: { units: readonly SentOff[]; lifecycle: string; source: string; shipped_at: Date },
): Promise<void> {
  const units = new Map<number, number>()
  for (const { item_id, quantity } of shipped.units) units.set(item_id, (units.get(item_id) ?? 0) + quantity)
  const lines = transfer.lines.map((line) => ({
    ...line,
    shipped_quantity: line.shipped_quantity + (units.get(line.item_id) ?? 0),
  }))
  const sent = { ...transfer, lines }
  const after = { ...sent, state: settledState(sent, shipped.lifecycle === 'open' ? 'may_leave' : 'leaves_no_more') }
  const { source, shipped_at: occurred_at } = shipped
  const moves = incomingMoves(transfer, after).map((move) => ({ ...move, reason: 'transfer', source, occurred_at }))
  await moveStock(tx, moves, ctx.now)
  await markDirty(tx, [...new Set(moves.map((move) => move.item_id))], ctx.now)
  await saveSupply(tx, after, ctx.now)
}
