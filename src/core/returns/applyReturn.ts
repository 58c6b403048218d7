import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { erpOfConnection } from '../erp/policy.ts'
import { tellErp } from '../erp/tell.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, stockKey, type StockMove } from '../inventory/ledger.ts'
import { resolveNames, unknownLocation, unknownSku } from '../inventory/places.ts'
import type { Return } from '../model/return.ts'
import type { StockState } from '../model/stock.ts'
import { recordTimeline } from '../orders/timeline.ts'

/** Which counter takes goods that came back; goods that are thrown away never enter. */
const PLACE: Readonly<Record<Return['lines'][number]['disposition'], StockState | null>> = {
  restock: 'available',
  quality_control: 'quality_control',
  damaged: 'damaged',
  discard: null,
}

/**
 * Applies goods that came back. Money is a refund's matter. The return is kept even where no order is found, because the goods are here;
 * a count taken after they came in has them already, so they are not added again. Unknown names park the fact.
 */
export async function applyReturn(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, source, fact } = inbound
  if (fact.kind !== 'return') return { kind: 'ignored', reason: 'not_ours' }
  const { external_id, location_code, lines, received_at } = fact.document
  const names = await resolveNames(tx, [{ connection_id, location_code, skus: lines.map((line) => line.sku) }])
  const location_id = names.location(connection_id, location_code)
  if (location_id === undefined) return { kind: 'parked', error: unknownLocation(connection_id, location_code) }
  const unknown = lines.findIndex((line) => names.item(connection_id, line.sku) === undefined)
  if (unknown >= 0) {
    const error = unknownSku(names.company(connection_id) ?? '', lines[unknown]?.sku ?? '', `$.lines[${unknown}].sku`)
    return { kind: 'parked', error }
  }
  const goods = lines.flatMap((line) => {
    const item_id = names.item(connection_id, line.sku)
    return item_id === undefined ? [] : [{ ...line, item_id, location_id }]
  })
  const order_id = await findOrder(tx, inbound, fact.document)
  const isTold = order_id !== null && erpOfConnection(ctx, connection_id) !== undefined
  // Before the stock, as everybody does: what the ERP has of the order must not change while we look at it.
  if (isTold) await tx.query('select 1 from orders where id = $1 for no key update', [order_id])
  const inserted = await tx.query(
    `insert into returns (id, connection_id, external_id, order_id, location_id, received_at, recorded_at, lines)
     values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (connection_id, external_id) do nothing returning id`,
    [ctx.newId(), connection_id, external_id, order_id, location_id, received_at, ctx.now, JSON.stringify(lines)],
  )
  if (inserted.length === 0) return { kind: 'ignored', reason: 'duplicate' }

  const occurred_at = new Date(received_at)
  const stock = await lockStock(tx, goods, ctx.now)
  const moves = goods.flatMap(({ item_id, quantity, disposition }): StockMove[] => {
    const to = PLACE[disposition]
    const counted = stock.get(stockKey(item_id, location_id))?.counted_as_of ?? null
    if (to === null || quantity === 0 || (counted !== null && occurred_at <= counted)) return []
    return [{ item_id, location_id, from: 'outside', to, quantity, reason: 'returned', source, occurred_at }]
  })
  await moveStock(tx, moves, ctx.now)
  const units = goods.reduce((sum, line) => sum + line.quantity, 0)
  if (order_id !== null) {
    const data = { external_id, location_id, units }
    await recordTimeline(tx, [{ order_id, kind: 'return.received', at: occurred_at, source, data }], ctx.now)
  }
  const restocked = moves.filter((move) => move.to === 'available').map((move) => move.item_id)
  await allocateShortfalls(tx, ctx, [...new Set(restocked)])
  if (isTold) await tellErp(tx, ctx, [{ id: order_id, connection_id }])
  return { kind: 'applied', summary: `${units} units came back${order_id === null ? ' for no order we know' : ''}` }
}

/** By the work it was shipped with, else by the channel's order id among the company's connections, if that is unambiguous. */
async function findOrder(tx: Tx, { connection_id }: InboundFact, document: Return): Promise<string | null> {
  const rows =
    document.fulfillment_order === null
      ? await tx.query<{ id: string }>(
          `select o.id from connections c
           join connections sibling on sibling.company_id = c.company_id
           join orders o on o.connection_id = sibling.id and o.external_id = $2
           where c.id = $1 limit 2`,
          [connection_id, document.order_external_id],
        )
      : await tx.query<{ id: string }>(
          `select o.id from fulfillment_orders f
           join orders o on o.id = f.order_id
           join connections c on c.id = $1 and c.company_id = o.company_id
           where f.number = $2`,
          [connection_id, document.fulfillment_order],
        )
  return rows.length === 1 ? (rows[0]?.id ?? null) : null
}
