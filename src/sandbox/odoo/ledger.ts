import { deliveredUnits } from './sales.ts'
import { isInvoice, itemsOf } from './invoices.ts'
import { linesOf, type Env } from './orm.ts'
import { movesOf, pickingState, quantityOf } from './stock.ts'
import { numberOf, refOf, textOf, type Row } from './values.ts'

/** What the ERP was told, in the words of the judge. Amounts in minor units of two decimals. */
export interface ErpLedger {
  orders: {
    name: string
    reference: string
    origin: string
    state: string
    total_minor: number
    lines: { sku: string; quantity: number; delivered: number }[]
  }[]
  /** Transfers that are done. `tracking` says which parcel it is. */
  deliveries: { name: string; order: string; tracking: string; lines: { sku: string; quantity: number }[] }[]
  returns: { name: string; order: string; lines: { sku: string; quantity: number }[] }[]
  invoices: { name: string; kind: 'invoice' | 'credit'; order: string; state: string; total_minor: number }[]
  entries: { name: string; reference: string; state: string; journal: string; off_minor: number }[]
  statements: { name: string; begin_minor: number; end_minor: number; declared_minor: number }[]
  /** On hand by warehouse and SKU. */
  stock: Record<string, Record<string, number>>
}

const minor = (amount: number): number => Math.round(amount * 100)

export function ledgerOf(env: Env): ErpLedger {
  const pickings = env.store.all('stock.picking').filter((picking) => pickingState(env, picking) === 'done')
  const isBack = (picking: Row): boolean =>
    refOf(picking, 'return_id') !== 0 || env.valueOf('stock.picking', picking, 'picking_type_code') !== 'outgoing'
  const moves = env.store.all('account.move')
  return {
    orders: env.store.all('sale.order').map((order) => orderShown(env, order)),
    deliveries: pickings.filter((picking) => !isBack(picking)).map((picking) => pickingShown(env, picking)),
    returns: pickings.filter(isBack).map((picking) => pickingShown(env, picking)),
    invoices: moves.filter(isInvoice).map((move) => invoiceShown(env, move)),
    entries: moves.filter((move) => !isInvoice(move)).map((move) => entryShown(env, move)),
    statements: env.store.all('account.bank.statement').map((statement) => ({
      name: textOf(statement, 'name'),
      begin_minor: minor(numberOf(statement, 'balance_start')),
      end_minor: minor(Number(env.valueOf('account.bank.statement', statement, 'balance_end'))),
      declared_minor: minor(numberOf(statement, 'balance_end_real')),
    })),
    stock: stockShown(env),
  }
}

const skuOf = (env: Env, product: number): string =>
  textOf(env.row('product.product', product) ?? { id: 0 }, 'default_code')

function orderShown(env: Env, order: Row): ErpLedger['orders'][number] {
  const lines = linesOf(env, 'sale.order.line', 'order_id', order.id)
  return {
    name: textOf(order, 'name'),
    reference: textOf(order, 'client_order_ref'),
    origin: textOf(order, 'origin'),
    state: textOf(order, 'state'),
    total_minor: minor(Number(env.valueOf('sale.order', order, 'amount_total'))),
    lines: lines
      .filter((line) => skuOf(env, refOf(line, 'product_id')) !== '')
      .map((line) => ({
        sku: skuOf(env, refOf(line, 'product_id')),
        quantity: numberOf(line, 'product_uom_qty'),
        delivered: deliveredUnits(env, line),
      })),
  }
}

function pickingShown(env: Env, picking: Row): ErpLedger['deliveries'][number] {
  const done = movesOf(env, picking.id).filter((move) => textOf(move, 'state') === 'done')
  return {
    name: textOf(picking, 'name'),
    order: env.nameOf('sale.order', refOf(picking, 'sale_id')),
    tracking: textOf(picking, 'carrier_tracking_ref'),
    lines: done.map((move) => ({ sku: skuOf(env, refOf(move, 'product_id')), quantity: quantityOf(env, move) })),
  }
}

const invoiceShown = (env: Env, move: Row): ErpLedger['invoices'][number] => ({
  name: textOf(move, 'name'),
  kind: textOf(move, 'move_type') === 'out_invoice' ? 'invoice' : 'credit',
  order: textOf(move, 'invoice_origin') || textOf(move, 'ref'),
  state: textOf(move, 'state'),
  total_minor: minor(Number(env.valueOf('account.move', move, 'amount_total'))),
})

const entryShown = (env: Env, move: Row): ErpLedger['entries'][number] => ({
  name: textOf(move, 'name'),
  reference: textOf(move, 'ref'),
  state: textOf(move, 'state'),
  journal: textOf(env.row('account.journal', refOf(move, 'journal_id')) ?? { id: 0 }, 'code'),
  off_minor: itemsOf(env, move.id).reduce((sum, item) => sum + minor(numberOf(item, 'balance')), 0),
})

function stockShown(env: Env): ErpLedger['stock'] {
  const stock: ErpLedger['stock'] = {}
  for (const quant of env.store.all('stock.quant')) {
    const location = env.need('stock.location', refOf(quant, 'location_id'))
    const warehouse = env.row('stock.warehouse', refOf(location, 'warehouse_id'))
    if (textOf(location, 'usage') !== 'internal' || warehouse === undefined) continue
    const own = (stock[textOf(warehouse, 'code')] ??= {})
    const sku = skuOf(env, refOf(quant, 'product_id'))
    own[sku] = (own[sku] ?? 0) + numberOf(quant, 'quantity')
  }
  return stock
}
