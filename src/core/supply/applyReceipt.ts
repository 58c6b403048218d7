import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, stockKey, type StockMove } from '../inventory/ledger.ts'
import { resolveNames, unknownLocation, unknownSku } from '../inventory/places.ts'
import type { Receipt } from '../model/supply.ts'
import { takeIn } from './receive.ts'
import { lockSupply, saveSupply, wishHash, type StoredSupply } from './sql.ts'

type Goods = Receipt['lines'][number] & { item_id: number }

/**
 * Applies goods that a warehouse has taken in. Where its reference names an open supply of the place, what belongs to the supply is what
 * was on its way; everything else comes from outside. The same receipt again is a duplicate. Goods that a later count has counted
 * already are not added again. Unknown names park the fact.
 */
export async function applyReceipt(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, source, fact } = inbound
  if (fact.kind !== 'receipt') return { kind: 'ignored', reason: 'not_ours' }
  const receipt = fact.document
  const { location_code, lines, reference } = receipt
  const names = await resolveNames(tx, [{ connection_id, location_code, skus: lines.map(({ sku }) => sku) }])
  const location_id = names.location(connection_id, location_code)
  if (location_id === undefined) return { kind: 'parked', error: unknownLocation(connection_id, location_code) }
  const goods: Goods[] = []
  for (const [index, line] of lines.entries()) {
    const item_id = names.item(connection_id, line.sku)
    if (item_id === undefined)
      return {
        kind: 'parked',
        error: unknownSku(names.company(connection_id) ?? '', line.sku, `$.lines[${index}].sku`),
      }
    goods.push({ ...line, item_id })
  }
  const supply = reference === null ? null : await lockSupplyNamed(tx, { location_id, reference, goods })
  const isNew = await insertReceipt(tx, ctx, { connection_id, location_id, supply_id: supply?.id ?? null, receipt })
  if (!isNew) return { kind: 'ignored', reason: 'duplicate' }
  // All of it in one turn: what belongs to the supply and what does not may be the same rows of stock.
  await lockStock(
    tx,
    goods.map(({ item_id }) => ({ item_id, location_id })),
    ctx.now,
  )
  const expected = new Set(supply?.lines.map((line) => line.item_id) ?? [])
  const at = new Date(receipt.received_at)
  if (supply !== null)
    await receiveFor(tx, ctx, {
      supply,
      goods: goods.filter((line) => expected.has(line.item_id)),
      at,
      source,
      receipt,
      connection_id,
    })
  await bringIn(tx, ctx, { location_id, goods: goods.filter((line) => !expected.has(line.item_id)), at, source })
  const units = goods.reduce((sum, line) => sum + line.quantity, 0)
  return { kind: 'applied', summary: `received ${units} units${supply === null ? '' : ` of ${supply.reference}`}` }
}

/** The open supply of that name for the place that has any of the goods. A purchase before a transfer of the same name. */
async function lockSupplyNamed(
  tx: Tx,
  { location_id, reference, goods }: { location_id: string; reference: string; goods: readonly Goods[] },
): Promise<StoredSupply | null> {
  const rows = await tx.query<{ id: string }>(
    `select s.id from supplies s join locations p on p.id = $1 and p.company_id = s.company_id
     where s.location_id = $1 and s.reference = $2 and s.state = 'open'
       and exists (select 1 from supply_lines l where l.supply_id = s.id and l.item_id = any($3::bigint[]))
     order by s.kind, s.id`,
    [location_id, reference, goods.map(({ item_id }) => item_id)],
  )
  for (const { id } of rows) {
    const supply = await lockSupply(tx, id)
    if (supply.state === 'open') return supply
  }
  return null
}

async function insertReceipt(
  tx: Tx,
  ctx: CoreContext,
  one: { connection_id: string; location_id: string; supply_id: string | null; receipt: Receipt },
): Promise<boolean> {
  const { external_id, reference, received_at, lines } = one.receipt
  const rows = await tx.query(
    `insert into goods_receipts (connection_id, external_id, location_id, supply_id, reference, received_at, recorded_at, lines)
     values ($1, $2, $3, $4, $5, $6, $7, $8::jsonb) on conflict (connection_id, external_id) do nothing returning 1`,
    [
      one.connection_id,
      external_id,
      one.location_id,
      one.supply_id,
      reference,
      received_at,
      ctx.now,
      JSON.stringify(lines),
    ],
  )
  return rows.length > 0
}

interface ForSupply {
  supply: StoredSupply
  goods: readonly Goods[]
  at: Date
  source: string
  receipt: Receipt
  connection_id: string
}

async function receiveFor(
  tx: Tx,
  ctx: CoreContext,
  { supply, goods, at, source, receipt, connection_id }: ForSupply,
): Promise<void> {
  if (goods.length === 0) return
  const { after, booked } = await takeIn(tx, ctx, supply, { lines: goods, at, source })
  await saveSupply(tx, after, ctx.now)
  await tx.query(
    `insert into supply_receipts (supply_id, key, request_sha256, lines, received_at, recorded_at, recorded_by)
     values ($1, $2, $3, $4::jsonb, $5, $6, $7)`,
    [
      supply.id,
      `${connection_id}:${receipt.external_id}`,
      wishHash(receipt),
      JSON.stringify(booked),
      at,
      ctx.now,
      connection_id,
    ],
  )
}

/** Goods that nobody announced, as far as no later count has counted them. */
async function bringIn(
  tx: Tx,
  ctx: CoreContext,
  { location_id, goods, at, source }: { location_id: string; goods: readonly Goods[]; at: Date; source: string },
): Promise<void> {
  if (goods.length === 0) return
  const stock = await lockStock(
    tx,
    goods.map(({ item_id }) => ({ item_id, location_id })),
    ctx.now,
  )
  const moves = goods.flatMap(({ item_id, quantity, to, lot, expires_on }): StockMove[] => {
    const counted = stock.get(stockKey(item_id, location_id))?.counted_as_of ?? null
    if (counted !== null && at <= counted) return []
    const named = lot === null ? {} : { lot, expires_on }
    return [
      { item_id, location_id, from: 'outside', to, quantity, reason: 'received', source, occurred_at: at, ...named },
    ]
  })
  await moveStock(tx, moves, ctx.now)
  const free = moves.filter((move) => move.to === 'available').map((move) => move.item_id)
  await allocateShortfalls(tx, ctx, [...new Set(free)])
}
