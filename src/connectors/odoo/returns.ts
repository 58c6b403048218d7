import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import type { Odoo } from './client.ts'
import { confirmedOrder } from './orders.ts'
import { productsBySku } from './products.ts'
import { externalId, findOurs, load, readOne, rows, search, type Cells } from './records.ts'
import { shareOut, type Share, type Want } from './rulesGoods.ts'
import { converge } from './steps.ts'
import {
  locationOf,
  lotsOf,
  PICKING,
  pickingOfGoods,
  putGoods,
  readMoves,
  validated,
  warehouseOf,
  type Goods,
} from './transfers.ts'
import { idOf, Ref, unitsOf } from './values.ts'

type Return = Extract<ErpRequest, { kind: 'return' }>

const RETURNED = rows('stock.move', { origin_returned_move_id: Ref, product_uom_qty: Type.Number() })
const SOLD = rows('sale.order.line', { product_id: Ref })
const TYPE = rows('stock.picking.type', { return_picking_type_id: Ref })

/**
 * Goods that came back, as a return of the transfer that they left with. Odoo's own wizard for this cannot carry a name into what it
 * makes, and two of them would make two returns; the same record is therefore loaded under an external id. Quantities delivered and to
 * be invoiced stay as they are: what the customer is owed is a credit note's matter.
 */
export async function sendReturn(odoo: Odoo, request: Return): Promise<string> {
  let picking = 0
  await converge([
    {
      name: 'return',
      done: async () => (picking = (await findOurs(odoo, 'stock.picking', request.key)) ?? 0) !== 0,
      act: () => create(odoo, request),
    },
    {
      name: 'planned return',
      done: async () => (await readOne(odoo, PICKING, picking)).state !== 'draft',
      act: () => odoo.tell('stock.picking', 'action_confirm', { ids: [picking] }),
    },
    {
      name: 'returned goods',
      done: async () => (await pickingOfGoods(odoo, [goodsKey(request, 0)])) !== null,
      act: async () => putGoods(odoo, picking, await goodsOf(odoo, request, picking)),
    },
    validated(odoo, () => picking),
  ])
  return (await readOne(odoo, PICKING, picking)).name
}

interface ReturnWant {
  key: string
  sku: string
  disposition: string
  quantity: number
}

function wantsOf({ key, lines }: Return): ReturnWant[] {
  const wants = new Map<string, ReturnWant>()
  for (const { sku, disposition, quantity } of lines) {
    const name = `${key}:move:${sku}:${disposition}`
    wants.set(name, { key: name, sku, disposition, quantity: quantity + (wants.get(name)?.quantity ?? 0) })
  }
  return [...wants.values()]
}

async function create(odoo: Odoo, request: Return): Promise<void> {
  const order = await confirmedOrder(odoo, request.order_external_key)
  const shares = await sharesOf(odoo, request, order.id)
  const [first] = shares
  if (first === undefined) throw new HubError('vendor_rejected', 'a return without goods')
  const origin = await readOne(odoo, PICKING, first.move.picking)
  const places = await placesOf(odoo, request)
  const home = places.get('restock') ?? [...places.values()][0] ?? 0
  const names = await odoo.names('stock.picking', ['move_ids', 'return_id'])
  const moveNames = await odoo.names('stock.move', ['name'])
  const field = names['move_ids'] ?? 'move_ids'
  const dispositions = new Map(wantsOf(request).map((want) => [want.key, want.disposition]))
  const lines = shares.map((share): Cells => ({
    [`${field}/id`]: externalId(odoo, share.key),
    [`${field}/product_id/.id`]: String(share.move.product),
    [`${field}/product_uom_qty`]: String(share.quantity),
    [`${field}/product_uom/.id`]: String(share.move.unit),
    [`${field}/location_id/.id`]: String(share.move.to),
    [`${field}/location_dest_id/.id`]: String(places.get(dispositions.get(wantKeyOf(share)) ?? '') ?? home),
    [`${field}/origin_returned_move_id/.id`]: String(share.move.id),
    [`${field}/to_refund`]: '0',
    ...(moveNames['name'] === null ? {} : { [`${field}/name`]: share.sku }),
  }))
  const head: Cells = {
    id: externalId(odoo, request.key),
    'picking_type_id/.id': String(await returnType(odoo, idOf(origin.picking_type_id), request)),
    'location_id/.id': String(first.move.to),
    'location_dest_id/.id': String(home),
    'partner_id/.id': String(idOf(origin.partner_id) ?? ''),
    origin: `Return of ${origin.name}`,
    ...(names['return_id'] === null ? {} : { 'return_id/.id': String(origin.id) }),
  }
  await load(odoo, 'stock.picking', head, lines)
}

/** A share's key begins with its want's. */
const wantKeyOf = ({ key }: Share): string => key.replace(/:\d+:\d+$/, '')

/** What was delivered of the order and has not come back by another return. Less than that was delivered: `not_yet`. */
async function sharesOf(odoo: Odoo, request: Return, order: number): Promise<Share[]> {
  const done = await readMoves(odoo, [
    ['picking_id.sale_id', '=', order],
    ['picking_id.picking_type_code', '=', 'outgoing'],
    ['state', '=', 'done'],
  ])
  const back = await search(odoo, RETURNED, [
    ['origin_returned_move_id', 'in', done.map(({ id }) => id)],
    ['state', '!=', 'cancel'],
  ])
  const returned = new Map<number, number>()
  for (const { origin_returned_move_id, product_uom_qty } of back) {
    const id = idOf(origin_returned_move_id) ?? 0
    returned.set(id, (returned.get(id) ?? 0) + unitsOf(product_uom_qty, 'a return'))
  }
  const products = await productsBySku(odoo, request.lines.map(({ sku }) => sku)) // prettier-ignore
  const sold = await search(odoo, SOLD, [['order_id', '=', order]], { order: 'id' })
  const wants = wantsOf(request).map(({ key, sku, quantity }): Want => {
    const product = products.get(sku)?.id ?? 0
    const sale_line = sold.find(({ product_id }) => idOf(product_id) === product)?.id ?? null
    return { key, sku, quantity, product, sale_line, lot: null }
  })
  const moves = done.map((move) => ({ ...move, open: move.open - (returned.get(move.id) ?? 0) }))
  return shareOut(wants, moves, 'refused')
}

async function placesOf(odoo: Odoo, { lines, warehouse_code }: Return): Promise<Map<string, number>> {
  const places = new Map<string, number>()
  for (const disposition of new Set(lines.map((line) => line.disposition))) {
    const named = odoo.settings.return_locations?.[disposition]
    if (named !== undefined) places.set(disposition, await locationOf(odoo, named))
    else if (disposition !== 'restock')
      throw new HubError('config_invalid', `nothing says where ${disposition} goods go in Odoo`, {
        hint: `name a location in the settings under return_locations.${disposition}`,
      })
    else places.set(disposition, await stockOf(odoo, warehouse_code))
  }
  return places
}

async function stockOf(odoo: Odoo, code: string | null): Promise<number> {
  if (code === null) throw new HubError('unknown_location', 'the return names no warehouse that Odoo knows')
  return (await warehouseOf(odoo, code)).stock
}

async function returnType(odoo: Odoo, outgoing: number | null, { warehouse_code }: Return): Promise<number> {
  const known = await odoo.names('stock.picking.type', ['return_picking_type_id'])
  const own =
    outgoing === null || known['return_picking_type_id'] === null
      ? null
      : idOf((await readOne(odoo, TYPE, outgoing)).return_picking_type_id)
  const receipts = warehouse_code === null ? null : (await warehouseOf(odoo, warehouse_code)).receipts
  const type = receipts ?? own
  if (type === null) throw new HubError('config_invalid', 'Odoo has no kind of transfer for what comes back')
  return type
}

/** The moves of the return with what they bring; what is counted by lots comes back in the lots that it left in. */
async function goodsOf(odoo: Odoo, request: Return, picking: number): Promise<Goods[]> {
  const moves = await readMoves(odoo, [['picking_id', '=', picking]])
  const read = await search(odoo, RETURNED, [['picking_id', '=', picking]])
  const origins = new Map(read.map(({ id, origin_returned_move_id }) => [id, idOf(origin_returned_move_id) ?? 0]))
  const left = await lotsOf(odoo, [...origins.values()])
  const parts = moves.flatMap((move) =>
    lotParts(left.get(origins.get(move.id) ?? 0) ?? [], move.open).map((part) => ({ move, ...part })),
  )
  return parts.map(({ move, quantity, lot }, index) => ({
    key: goodsKey(request, index),
    sku: '',
    move,
    quantity,
    lot,
    from: move.from,
    to: move.to,
  }))
}

const goodsKey = ({ key }: Return, index: number): string => `${key}:goods:${index}`

function lotParts(
  lots: readonly { lot: string; quantity: number }[],
  quantity: number,
): { lot: string | null; quantity: number }[] {
  if (lots.length === 0) return [{ lot: null, quantity }]
  let left = quantity
  return lots.flatMap(({ lot, quantity: had }) => {
    const share = Math.min(left, had)
    left -= share
    return share > 0 ? [{ lot, quantity: share }] : []
  })
}
