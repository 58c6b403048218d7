import { HubError } from '../../core/errors.ts'
import type { ErpRequest } from '../../core/model/effects.ts'
import type { Odoo } from './client.ts'
import { confirmedOrder } from './orders.ts'
import { productsBySku } from './products.ts'
import { findAllOurs, readOne, search } from './records.ts'
import { shareOut, type Move, type Want } from './rulesGoods.ts'
import { lineKey } from './rulesLines.ts'
import { converge, type Step } from './steps.ts'
import { PICKING, pickingOfGoods, putGoods, readMoves, validated, warehouseOf } from './transfers.ts'

type Delivery = Extract<ErpRequest, { kind: 'delivery' }>

/**
 * A parcel that has left: its goods on an open transfer of the order, its tracking number, the transfer validated. What did not leave
 * stays open as a backorder, always: a later parcel that is told first must not take the rest with it.
 */
export async function sendDelivery(odoo: Odoo, request: Delivery): Promise<string> {
  const keys = [...wantKeys(request).keys()]
  let picking = 0
  await converge([
    {
      name: 'goods',
      done: async () => (picking = (await pickingOfGoods(odoo, keys)) ?? 0) !== 0,
      act: () => putOnTransfer(odoo, request),
    },
    ...trackingStep(odoo, request, () => picking),
    validated(odoo, () => picking),
  ])
  return (await readOne(odoo, PICKING, picking)).name
}

/** The same goods of the same line and lot are one. */
function wantKeys({ key, lines }: Delivery): Map<string, Delivery['lines'][number]> {
  const wants = new Map<string, Delivery['lines'][number]>()
  for (const line of lines) {
    const name = [key, 'goods', line.line_external_id, line.sku, line.lot ?? ''].join(':')
    const known = wants.get(name)
    wants.set(name, { ...line, quantity: line.quantity + (known?.quantity ?? 0) })
  }
  return wants
}

async function putOnTransfer(odoo: Odoo, request: Delivery): Promise<void> {
  const order = await confirmedOrder(odoo, request.order_external_key)
  const wants = await wantsOf(odoo, request)
  const place = request.warehouse_code === null ? null : await warehouseOf(odoo, request.warehouse_code)
  if (place !== null && place.steps !== 'ship_only')
    throw new HubError('vendor_rejected', `warehouse ${place.code} picks and ships in several steps in Odoo`, {
      hint: 'set its outgoing shipments to one step: the steps happen outside of Odoo',
    })
  const open = [['sale_id', '=', order.id], ['picking_type_code', '=', 'outgoing'], ['state', 'not in', ['done', 'cancel']]] // prettier-ignore
  const pickings = await search(odoo, PICKING, open, { order: 'id' })
  const moves = await readMoves(odoo, [
    ['picking_id', 'in', pickings.map(({ id }) => id)],
    ['state', 'not in', ['done', 'cancel']],
  ])
  const byPicking = Map.groupBy(moves, (move) => move.picking)
  const picking = pickings.find(({ id }) => holds(byPicking.get(id) ?? [], wants))
  if (picking === undefined) {
    const [want] = wants
    throw new HubError(
      'vendor_rejected',
      `order ${order.name} has no open transfer in Odoo for all of this (${want?.sku ?? ''})`,
      {
        hint: 'it may have been delivered by hand',
      },
    )
  }
  const shares = shareOut(wants, byPicking.get(picking.id) ?? [], 'allowed')
  const goods = shares.map((share) => ({ ...share, from: place?.stock ?? share.move.from, to: share.move.to }))
  await putGoods(odoo, picking.id, goods)
}

async function wantsOf(odoo: Odoo, request: Delivery): Promise<Want[]> {
  const lines = [...wantKeys(request)]
  const products = await productsBySku(odoo, request.lines.map(({ sku }) => sku)) // prettier-ignore
  const saleLines = await findAllOurs(odoo, 'sale.order.line', [
    ...new Set(request.lines.map(({ line_external_id }) => lineKey(request.order_external_key, line_external_id))),
  ])
  return lines.map(([key, { sku, quantity, lot, line_external_id }]) => ({
    key,
    sku,
    product: products.get(sku)?.id ?? 0,
    sale_line: saleLines.get(lineKey(request.order_external_key, line_external_id)) ?? null,
    quantity,
    lot,
  }))
}

/** Whether every want finds a move of its product, or of its kit's parts, on this transfer. */
const holds = (moves: readonly Move[], wants: readonly Want[]): boolean =>
  wants.every(({ product, sale_line }) =>
    moves.some(
      (move) =>
        move.product === product || (move.per_kit !== null && sale_line !== null && move.sale_line === sale_line),
    ),
  )

/** Where the shipping app is not installed there is no place for a number. */
function trackingStep(odoo: Odoo, { tracking_number }: Delivery, picking: () => number): Step[] {
  if (tracking_number === null) return []
  return [
    {
      name: 'tracking number',
      done: async () => {
        const { carrier_tracking_ref } = await readOne(odoo, PICKING, picking())
        return carrier_tracking_ref === undefined || carrier_tracking_ref === tracking_number
      },
      act: () =>
        odoo.tell('stock.picking', 'write', {
          ids: [picking()],
          args: { vals: { carrier_tracking_ref: tracking_number } },
        }),
    },
  ]
}
