import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { Odoo } from './client.ts'
import {
  externalId,
  findAllOurs,
  findOurs,
  load,
  loadAll,
  readByIds,
  readOne,
  rows,
  search,
  type Cells,
  type Domain,
} from './records.ts'
import type { Move, Share } from './rulesGoods.ts'
import type { Step } from './steps.ts'
import { idOf, Maybe, Ref, Text, unitsOf } from './values.ts'

export const PICKING = rows('stock.picking', {
  name: Type.String(),
  state: Type.String(),
  picking_type_id: Ref,
  partner_id: Ref,
  location_id: Ref,
  location_dest_id: Ref,
  carrier_tracking_ref: Maybe,
})
const MOVE = rows('stock.move', {
  product_id: Ref,
  product_uom: Ref,
  product_uom_qty: Type.Number(),
  quantity: Type.Number(),
  state: Type.String(),
  sale_line_id: Ref,
  bom_line_id: Maybe,
  location_id: Ref,
  location_dest_id: Ref,
  picking_id: Ref,
})
const MOVE_LINE = rows('stock.move.line', { picking_id: Ref, move_id: Ref, lot_id: Ref, quantity: Type.Number() })
const BOM_LINE = rows('mrp.bom.line', { product_qty: Type.Number(), bom_id: Ref })
const BOM = rows('mrp.bom', { product_qty: Type.Number() })

/** Moves with how much each can take: what is planned of open ones, what was moved of done ones. */
export async function readMoves(odoo: Odoo, domain: Domain): Promise<Move[]> {
  const read = await search(odoo, MOVE, domain, { order: 'id' })
  const perKit = await kitShares(odoo, read)
  return read.map((row) => ({
    id: row.id,
    picking: idOf(row.picking_id) ?? 0,
    product: idOf(row.product_id) ?? 0,
    unit: idOf(row.product_uom) ?? 0,
    sale_line: idOf(row.sale_line_id),
    per_kit: perKit.get(bomLineOf(row.bom_line_id) ?? 0) ?? null,
    from: idOf(row.location_id) ?? 0,
    to: idOf(row.location_dest_id) ?? 0,
    open: unitsOf(row.state === 'done' ? row.quantity : row.product_uom_qty, 'a move'),
  }))
}

const bomLineOf = (value: unknown): number | null =>
  Array.isArray(value) && typeof value[0] === 'number' ? value[0] : null

async function kitShares(
  odoo: Odoo,
  moves: readonly { bom_line_id?: unknown }[],
): Promise<Map<number, { units: number; of: number }>> {
  const ids = [...new Set(moves.flatMap(({ bom_line_id }) => bomLineOf(bom_line_id) ?? []))]
  const lines = await readByIds(odoo, BOM_LINE, ids)
  const boms = await readByIds(odoo, BOM, [...new Set(lines.flatMap(({ bom_id }) => idOf(bom_id) ?? []))])
  const of = new Map(boms.map(({ id, product_qty }) => [id, unitsOf(product_qty, 'a kit')]))
  return new Map(
    lines.map(({ id, product_qty, bom_id }) => [
      id,
      { units: unitsOf(product_qty, "a kit's part"), of: of.get(idOf(bom_id) ?? 0) ?? 1 },
    ]),
  )
}

/** Transfers that these goods were put on, by the goods' keys. Null: they are on none. All are written at once, so one stands for all. */
export async function pickingOfGoods(odoo: Odoo, keys: readonly string[]): Promise<number | null> {
  const found = await findAllOurs(odoo, 'stock.move.line', keys)
  const [line] = await readByIds(odoo, MOVE_LINE, [...found.values()].slice(0, 1))
  return line === undefined ? null : idOf(line.picking_id)
}

export interface Goods extends Share {
  from: number
  to: number
}

/**
 * Puts goods on a transfer, as lines with external ids: they are the content of a shipment, they exist once, and by them it is found
 * again. What the transfer had reserved by itself is let go before, because what left may be other lots from another place.
 */
export async function putGoods(odoo: Odoo, picking: number, goods: readonly Goods[]): Promise<void> {
  await odoo.tell('stock.picking', 'do_unreserve', { ids: [picking] })
  const names = await odoo.names('stock.move.line', ['quantity', 'picked'])
  const lots = await ensureLots(odoo, goods)
  const records = goods.map(({ key, move, quantity, lot, from, to }): Cells => ({
    id: externalId(odoo, key),
    'move_id/.id': String(move.id),
    'picking_id/.id': String(picking),
    'product_id/.id': String(move.product),
    'product_uom_id/.id': String(move.unit),
    'location_id/.id': String(from),
    'location_dest_id/.id': String(to),
    'lot_id/.id': lot === null ? '' : String(lots.get(lotKey(move.product, lot)) ?? ''),
    [names['quantity'] ?? 'quantity']: String(quantity),
    ...(names['picked'] === null || names['picked'] === undefined ? {} : { [names['picked']]: '1' }),
  }))
  await loadAll(odoo, 'stock.move.line', records)
}

const LOT = rows('stock.lot', { name: Type.String() })
const lotKey = (product: number, lot: string): string => `${product}:${lot}`

/** Lots by their number, made where Odoo has not heard of them. */
async function ensureLots(odoo: Odoo, goods: readonly Goods[]): Promise<Map<string, number>> {
  const lots = new Map<string, number>()
  for (const { move, lot } of goods) {
    if (lot === null || lots.has(lotKey(move.product, lot))) continue
    const key = `lot:${lotKey(move.product, lot)}`
    const domain = [['name', '=', lot], ['product_id', '=', move.product]] // prettier-ignore
    const [known] = await search(odoo, LOT, domain, { limit: 1, order: 'id' })
    if (known === undefined) {
      const company = await odoo.company()
      await load(odoo, odoo.version < 16 ? 'stock.production.lot' : 'stock.lot', {
        id: externalId(odoo, key),
        name: lot,
        'product_id/.id': String(move.product),
        'company_id/.id': String(company.id),
      })
    }
    lots.set(lotKey(move.product, lot), known?.id ?? (await findOurs(odoo, 'stock.lot', key)) ?? 0)
  }
  return lots
}

/** The lots that a done move has moved, with how much of each. */
export async function lotsOf(
  odoo: Odoo,
  moves: readonly number[],
): Promise<Map<number, { lot: string; quantity: number }[]>> {
  const lines = moves.length === 0 ? [] : await search(odoo, MOVE_LINE, [['move_id', 'in', moves]], { order: 'id' })
  const lots = new Map<number, { lot: string; quantity: number }[]>()
  for (const { move_id, lot_id, quantity } of lines) {
    const move = idOf(move_id)
    if (move === null || lot_id === false) continue
    lots.set(move, [...(lots.get(move) ?? []), { lot: lot_id[1], quantity: unitsOf(quantity, 'a lot') }])
  }
  return lots
}

/** Answers to every question that a server may ask: what is left stays open, nobody is sent a message, old goods may leave. */
const VALIDATE_CONTEXT = { skip_backorder: true, skip_immediate: true, skip_sms: true, skip_expired: true }

export const validated = (odoo: Odoo, picking: () => number): Step => ({
  name: 'transfer',
  done: async () => (await readOne(odoo, PICKING, picking())).state === 'done',
  act: () => odoo.tell('stock.picking', 'button_validate', { ids: [picking()], context: VALIDATE_CONTEXT }),
})

// ── places ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const WAREHOUSE = rows('stock.warehouse', {
  code: Type.String(),
  lot_stock_id: Ref,
  view_location_id: Ref,
  in_type_id: Ref,
  delivery_steps: Type.String(),
})
const LOCATION = rows('stock.location', { complete_name: Text })

export interface Warehouse {
  id: number
  code: string
  stock: number
  root: number
  receipts: number | null
  steps: string
}

export async function warehouseOf(odoo: Odoo, code: string): Promise<Warehouse> {
  const found = (await warehouses(odoo)).find((warehouse) => warehouse.code === code)
  if (found === undefined) throw new HubError('unknown_location', `Odoo has no warehouse ${code}`)
  return found
}

export const warehouses = (odoo: Odoo): Promise<Warehouse[]> => odoo.keep('warehouses', () => readWarehouses(odoo))

async function readWarehouses(odoo: Odoo): Promise<Warehouse[]> {
  const company = await odoo.company()
  const read = await search(odoo, WAREHOUSE, [['company_id', '=', company.id]], { order: 'id' })
  return read.map(({ id, code, lot_stock_id, view_location_id, in_type_id, delivery_steps }) => ({
    id,
    code,
    stock: idOf(lot_stock_id) ?? 0,
    root: idOf(view_location_id) ?? 0,
    receipts: idOf(in_type_id),
    steps: delivery_steps,
  }))
}

export async function locationOf(odoo: Odoo, complete_name: string): Promise<number> {
  const [found] = await search(odoo, LOCATION, [['complete_name', '=', complete_name]], { limit: 1 })
  if (found === undefined) throw new HubError('config_invalid', `Odoo has no location "${complete_name}"`)
  return found.id
}
