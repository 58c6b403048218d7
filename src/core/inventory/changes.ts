import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import type { StockChange, StockState } from '../model/stock.ts'
import { allocateShortfalls } from './allocate.ts'
import { lockStock, moveStock, peekStock, stockKey } from './ledger.ts'
import { resolveNames, unknownLocation, unknownSku } from './places.ts'
import { lockNamedSupply, takeIn, type Arrivals } from '../supply/receive.ts'
import { saveSupply, type StoredSupply } from '../supply/sql.ts'
import type { Shortage } from './rulesShorten.ts'
import { shortenPromises, withOrdersAtRisk } from './shorten.ts'

type End = 'outside' | StockState

/**
 * Between which places the units of each kind of change move. `signed`: a negative delta is the way back. The others say themselves
 * which way they go, whatever sign their reporter gives them.
 */
const MOVEMENTS: Readonly<Record<StockChange['reason'], { from: End; to: End; signed: boolean }>> = {
  received: { from: 'outside', to: 'available', signed: true },
  adjusted: { from: 'outside', to: 'available', signed: true },
  returned: { from: 'outside', to: 'available', signed: true },
  found: { from: 'outside', to: 'available', signed: false },
  lost: { from: 'available', to: 'outside', signed: false },
  damaged: { from: 'available', to: 'damaged', signed: false },
}

/**
 * Applies one movement that somebody else made. A change that happened at or before the last count of its item and place is in that
 * count already (`superseded`). Where more is taken than is available, promises are broken as after a count; no counter goes below
 * zero. Goods that name an open supply of the place are what was on its way. The same message is applied once because the inbox holds it
 * once.
 */
export async function applyStockChange(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, source, fact } = inbound
  if (fact.kind !== 'stock_change') return { kind: 'ignored', reason: 'not_ours' }
  const { location_code, sku, delta, reason, at, reference } = fact.document
  const names = await resolveNames(tx, [{ connection_id, location_code, skus: [sku] }])
  const location_id = names.location(connection_id, location_code)
  if (location_id === undefined) return { kind: 'parked', error: unknownLocation(connection_id, location_code) }
  const item_id = names.item(connection_id, sku)
  if (item_id === undefined)
    return { kind: 'parked', error: unknownSku(names.company(connection_id) ?? '', sku, '$.sku') }
  if (delta === 0) return { kind: 'ignored', reason: 'same' }
  if (reason === 'received' && delta > 0 && reference !== null) {
    const supply = await lockNamedSupply(tx, { location_id, item_id, reference })
    const goods = { sku, item_id, quantity: delta, to: 'available' as const }
    if (supply !== null) return receive(tx, ctx, supply, { lines: [goods], at: new Date(at), source })
  }

  const movement = { ...direction(reason, delta), item_id, location_id, quantity: Math.abs(delta), reason, source }
  return withOrdersAtRisk(tx, await foresee(tx, movement), () => move(tx, ctx, movement, new Date(at)))
}

async function receive(tx: Tx, ctx: CoreContext, supply: StoredSupply, arrivals: Arrivals): Promise<FactOutcome> {
  const { after, booked } = await takeIn(tx, ctx, supply, arrivals)
  await saveSupply(tx, after, ctx.now)
  const units = booked.reduce((sum, line) => sum + line.quantity, 0)
  return { kind: 'applied', summary: `received ${units} of ${supply.reference}` }
}

interface Movement {
  item_id: number
  location_id: string
  from: End
  to: End
  quantity: number
  reason: StockChange['reason']
  source: string
}

/** What taking so many units will probably find missing, judged before anything is locked. */
async function foresee(tx: Tx, { item_id, location_id, from, quantity }: Movement): Promise<Shortage[]> {
  if (from !== 'available') return []
  const seen = await peekStock(tx, [{ item_id, location_id }])
  return [{ item_id, location_id, units: quantity - (seen.get(stockKey(item_id, location_id))?.available ?? 0) }]
}

async function move(tx: Tx, ctx: CoreContext, movement: Movement, occurred_at: Date): Promise<FactOutcome> {
  const { item_id, location_id, from, to, reason, source, quantity: wanted } = movement
  const stock = await lockStock(tx, [{ item_id, location_id }], ctx.now)
  const row = stock.get(stockKey(item_id, location_id))
  if (row === undefined || (row.counted_as_of !== null && occurred_at <= row.counted_as_of))
    return { kind: 'ignored', reason: 'superseded' }
  if (from === 'available') {
    const units = wanted - row.available
    await shortenPromises(tx, ctx, [{ item_id, location_id, units, source, occurred_at }], stock)
  }
  const quantity = from === 'outside' ? wanted : Math.min(wanted, row[from])
  if (quantity > 0) {
    await moveStock(tx, [{ item_id, location_id, from, to, quantity, reason, source, occurred_at }], ctx.now)
    await allocateShortfalls(tx, ctx, [item_id])
  }
  const missing = quantity < wanted ? `, ${wanted - quantity} more were reported than are here` : ''
  return { kind: 'applied', summary: `${reason} ${quantity}${missing}` }
}

function direction(reason: StockChange['reason'], delta: number): { from: End; to: End } {
  const { from, to, signed } = MOVEMENTS[reason]
  return signed && delta < 0 ? { from: to, to: from } : { from, to }
}
