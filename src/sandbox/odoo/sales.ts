import { userError } from './faults.ts'
import { linesOf, momentOf, type Env } from './orm.ts'
import {
  cancelMove,
  explode,
  isOpen,
  movesOf,
  pickingState,
  quantityOf,
  reserve,
  setDemand,
  warehouseOf,
} from './stock.ts'
import { taxed } from './taxes.ts'
import { cents, idsOf, isTrue, numberOf, refOf, textOf, type Row, type Values } from './values.ts'

/** Orders, and the goods and invoices that follow from them. */

const linesOfOrder = (env: Env, order: number): Row[] => linesOf(env, 'sale.order.line', 'order_id', order)
const pickingsOfOrder = (env: Env, order: number): Row[] => linesOf(env, 'stock.picking', 'sale_id', order)

export function lineAmounts(env: Env, line: Row): { net: number; tax: number } {
  const price =
    numberOf(line, 'price_unit') * numberOf(line, 'product_uom_qty') * (1 - numberOf(line, 'discount') / 100)
  return taxed(env, idsOf(line, 'tax_ids'), price)
}

export function orderAmounts(env: Env, order: number): { net: number; tax: number } {
  const amounts = linesOfOrder(env, order).map((line) => lineAmounts(env, line))
  return {
    net: cents(amounts.reduce((sum, { net }) => sum + net, 0)),
    tax: cents(amounts.reduce((sum, { tax }) => sum + tax, 0)),
  }
}

const movesOfLine = (env: Env, line: number): Row[] => linesOf(env, 'stock.move', 'sale_line_id', line)
const isOutgoing = (env: Env, move: Row): boolean =>
  textOf(env.need('stock.location', refOf(move, 'location_dest_id')), 'usage') === 'customer'

/** Units of what the line sells that have left: of a kit, the whole ones. */
export function deliveredUnits(env: Env, line: Row): number {
  const done = movesOfLine(env, line.id).filter((move) => textOf(move, 'state') === 'done')
  const units = (product: number): number =>
    done
      .filter((move) => refOf(move, 'product_id') === product)
      .reduce((sum, move) => {
        if (isOutgoing(env, move)) return sum + quantityOf(env, move)
        return isTrue(move, 'to_refund') ? sum - quantityOf(env, move) : sum
      }, 0)
  const product = refOf(line, 'product_id')
  if (product === 0) return 0
  const parts = explode(env, product, 1)
  if (parts.length === 1 && parts[0]?.product === product) return units(product)
  return Math.floor(Math.min(...parts.map((part) => units(part.product) / part.units)))
}

const INVOICED = { out_invoice: 1, out_refund: -1 } as const

export function invoicedUnits(env: Env, line: Row): number {
  return linesOf(env, 'account.move.line', 'sale_line_id', line.id).reduce((sum, item) => {
    const move = env.need('account.move', refOf(item, 'move_id'))
    const sign = INVOICED[textOf(move, 'move_type') as keyof typeof INVOICED] ?? 0
    return textOf(move, 'state') === 'cancel' ? sum : sum + sign * numberOf(item, 'quantity')
  }, 0)
}

export function unitsToInvoice(env: Env, line: Row): number {
  const order = env.need('sale.order', refOf(line, 'order_id'))
  if (textOf(order, 'state') !== 'sale') return 0
  const product = env.row('product.product', refOf(line, 'product_id'))
  const ordered = product === undefined || env.valueOf('product.product', product, 'invoice_policy') === 'order'
  const due = ordered ? numberOf(line, 'product_uom_qty') : deliveredUnits(env, line)
  return due - invoicedUnits(env, line)
}

export function invoiceStatus(env: Env, order: Row): string {
  if (textOf(order, 'state') !== 'sale') return 'no'
  const lines = linesOfOrder(env, order.id)
  if (lines.some((line) => unitsToInvoice(env, line) > 0)) return 'to invoice'
  return lines.some((line) => invoicedUnits(env, line) > 0) ? 'invoiced' : 'no'
}

export function deliveryStatus(env: Env, order: Row): string | false {
  const pickings = pickingsOfOrder(env, order.id)
  const states = pickings.map((picking) => pickingState(env, picking)).filter((state) => state !== 'cancel')
  if (states.length === 0) return false
  if (states.every((state) => state === 'done')) return 'full'
  return states.includes('done') ? 'partial' : 'pending'
}

// ── what happens to an order ──────────────────────────────────────────────────────────────────────────────────────────────

export function confirmOrders(env: Env, ids: readonly number[]): true {
  const orders = ids.map((id) => env.need('sale.order', id))
  if (orders.some((order) => !['draft', 'sent'].includes(textOf(order, 'state'))))
    throw userError('Some orders are not in a state requiring confirmation.')
  for (const order of orders) {
    env.store.put('sale.order', {
      ...order,
      state: 'sale',
      date_order: momentOf(env.now()),
      write_date: momentOf(env.now()),
    })
    for (const line of linesOfOrder(env, order.id)) planLine(env, line)
  }
  return true
}

export function cancelOrders(env: Env, ids: readonly number[]): true {
  for (const id of ids) {
    const order = env.need('sale.order', id)
    if (isTrue(order, 'locked')) throw userError('You cannot cancel a locked order. Please unlock it first.')
    for (const picking of pickingsOfOrder(env, id))
      for (const move of movesOf(env, picking.id)) if (isOpen(move)) cancelMove(env, move.id)
    env.store.put('sale.order', { ...order, state: 'cancel', write_date: momentOf(env.now()) })
  }
  return true
}

export function draftOrders(env: Env, ids: readonly number[]): true {
  for (const id of ids) {
    const order = env.need('sale.order', id)
    if (['cancel', 'sent'].includes(textOf(order, 'state')))
      env.store.put('sale.order', { ...order, state: 'draft', write_date: momentOf(env.now()) })
  }
  return true
}

/** Brings the moves of a confirmed line to what it orders, part by part of a kit. */
export function planLine(env: Env, line: Row): void {
  const product = refOf(line, 'product_id')
  const order = env.need('sale.order', refOf(line, 'order_id'))
  if (product === 0 || textOf(order, 'state') !== 'sale') return
  if (env.valueOf('product.product', env.need('product.product', product), 'type') !== 'consu') return
  for (const part of explode(env, product, numberOf(line, 'product_uom_qty'))) {
    const own = movesOfLine(env, line.id).filter(
      (move) => refOf(move, 'product_id') === part.product && isOutgoing(env, move),
    )
    const planned = own
      .filter((move) => textOf(move, 'state') !== 'cancel')
      .reduce(
        (sum, move) =>
          sum + (textOf(move, 'state') === 'done' ? quantityOf(env, move) : numberOf(move, 'product_uom_qty')),
        0,
      )
    if (part.units > planned) addUnits(env, order, line, { ...part, units: part.units - planned })
    else takeUnits(env, own.filter(isOpen).toReversed(), planned - part.units)
  }
}

function addUnits(env: Env, order: Row, line: Row, part: { product: number; units: number; bom_line: number }): void {
  const open = movesOfLine(env, line.id).find(
    (move) => refOf(move, 'product_id') === part.product && isOpen(move) && isOutgoing(env, move),
  )
  if (open !== undefined) return setDemand(env, open.id, numberOf(open, 'product_uom_qty') + part.units)
  const warehouse = warehouseOf(env, order)
  const picking = pickingsOfOrder(env, order.id).find((one) => isOpenDelivery(env, one))
  const picking_id = picking?.id ?? newPicking(env, order, warehouse)
  const move = env.create('stock.move', {
    picking_id,
    product_id: part.product,
    product_uom_qty: part.units,
    location_id: refOf(warehouse, 'lot_stock_id'),
    location_dest_id: customers(env),
    sale_line_id: line.id,
    bom_line_id: part.bom_line === 0 ? false : part.bom_line,
    state: 'confirmed',
  })
  reserve(env, move)
}

const isOpenDelivery = (env: Env, picking: Row): boolean =>
  ['draft', 'confirmed', 'assigned'].includes(pickingState(env, picking)) &&
  env.valueOf('stock.picking', picking, 'picking_type_code') === 'outgoing'

/** The location that customers' goods go to. */
const customers = (env: Env): number =>
  env.store.all('stock.location').find((location) => textOf(location, 'usage') === 'customer')?.id ?? 0

const newPicking = (env: Env, order: Row, warehouse: Row): number =>
  env.create('stock.picking', {
    partner_id: refOf(order, 'partner_shipping_id') || refOf(order, 'partner_id'),
    picking_type_id: refOf(warehouse, 'out_type_id'),
    location_id: refOf(warehouse, 'lot_stock_id'),
    location_dest_id: customers(env),
    origin: textOf(order, 'name'),
    sale_id: order.id,
  })

function takeUnits(env: Env, open: readonly Row[], units: number): void {
  let left = units
  for (const move of open) {
    if (left <= 0) return
    const take = Math.min(left, numberOf(move, 'product_uom_qty'))
    setDemand(env, move.id, numberOf(move, 'product_uom_qty') - take)
    left -= take
  }
}

/** A line of a confirmed order was written: its goods follow, and what has left cannot be unsold. */
export function lineChanged(env: Env, line: Row, values: Values): void {
  if (!('product_uom_qty' in values)) return
  if (numberOf(line, 'product_uom_qty') < deliveredUnits(env, line))
    throw userError(
      'The ordered quantity of a sale order line cannot be decreased below the amount already delivered. Instead, create a return in your inventory.',
    )
  planLine(env, line)
}
