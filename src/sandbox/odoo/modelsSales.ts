import { userError } from './faults.ts'
import { createInvoices } from './invoices.ts'
import { action, f, type Models } from './model.ts'
import { linesOf, type Env } from './orm.ts'
import {
  cancelOrders,
  confirmOrders,
  deliveredUnits,
  deliveryStatus,
  draftOrders,
  invoicedUnits,
  invoiceStatus,
  lineAmounts,
  lineChanged,
  orderAmounts,
  planLine,
  unitsToInvoice,
} from './sales.ts'
import { cents, idsOf, refOf, textOf, type Value } from './values.ts'

/** Orders with their lines, and the wizard that invoices them. */

const ordered = (env: Env, order: number): number[] => {
  const items = linesOf(env, 'sale.order.line', 'order_id', order).flatMap((line) =>
    linesOf(env, 'account.move.line', 'sale_line_id', line.id),
  )
  return [...new Set(items.map((item) => refOf(item, 'move_id')))].sort((a, b) => a - b)
}

export const SALES: Models = {
  'sale.order': {
    fields: {
      name: f.char(),
      state: f.choice({ default: 'draft' }),
      locked: f.flag(),
      partner_id: f.one('res.partner', { required: true }),
      partner_invoice_id: f.one('res.partner', { default: (_, values) => values['partner_id'] ?? false }),
      partner_shipping_id: f.one('res.partner', { default: (_, values) => values['partner_id'] ?? false }),
      client_order_ref: f.char(),
      origin: f.char(),
      note: f.text(),
      date_order: f.datetime({ default: (env) => env.now().toISOString().slice(0, 19).replace('T', ' ') }),
      pricelist_id: f.one('product.pricelist'),
      currency_id: f.one('res.currency', { compute: (env, row) => currencyOf(env, refOf(row, 'pricelist_id')) }),
      warehouse_id: f.one('stock.warehouse', { default: 1 }),
      company_id: f.one('res.company', { default: 1 }),
      user_id: f.one('res.users', { default: 2 }),
      order_line: f.lines('sale.order.line', 'order_id'),
      picking_ids: f.lines('stock.picking', 'sale_id'),
      invoice_ids: f.many('account.move', { compute: (env, row) => ordered(env, row.id) }),
      amount_untaxed: f.money({ compute: (env, row) => orderAmounts(env, row.id).net }),
      amount_tax: f.money({ compute: (env, row) => orderAmounts(env, row.id).tax }),
      amount_total: f.money({
        compute: (env, row) => cents(orderAmounts(env, row.id).net + orderAmounts(env, row.id).tax),
      }),
      invoice_status: f.choice({ compute: (env, row) => invoiceStatus(env, row) }),
      delivery_status: f.choice({ compute: (env, row) => deliveryStatus(env, row) }),
    },
    created: (env, row) =>
      env.store.put('sale.order', { ...env.need('sale.order', row.id), name: env.sequence('S', 5) }),
    written: (env, row, before, values) => {
      const removed = Array.isArray(values['order_line']) && (values['order_line'] as Value[]).some((command) => Array.isArray(command) && command[0] === 2) // prettier-ignore
      if (removed && textOf(before, 'state') === 'sale')
        throw userError(
          "Once a sales order is confirmed, you can't remove one of its lines (we need to track if something gets invoiced or delivered).\n                Set the quantity to 0 instead.",
        )
    },
    methods: {
      action_confirm: action(confirmOrders),
      action_cancel: action(cancelOrders),
      action_draft: action(draftOrders),
      action_lock: action((env, ids) => {
        for (const id of ids) env.store.put('sale.order', { ...env.need('sale.order', id), locked: true })
        return true
      }),
      action_unlock: action((env, ids) => {
        for (const id of ids) env.store.put('sale.order', { ...env.need('sale.order', id), locked: false })
        return true
      }),
    },
    order: 'id desc',
  },
  'sale.order.line': {
    fields: {
      order_id: f.one('sale.order', { required: true }),
      product_id: f.one('product.product'),
      name: f.text({ default: (env, values) => env.nameOf('product.product', refOf(values, 'product_id')) }),
      product_uom_qty: f.float({ default: 1 }),
      product_uom_id: f.one('uom.uom', { default: 1 }),
      price_unit: f.float(),
      discount: f.float(),
      tax_ids: f.many('account.tax', {
        default: (env, values) => {
          const product = env.row('product.product', refOf(values, 'product_id'))
          return product === undefined ? [] : env.valueOf('product.product', product, 'taxes_id')
        },
      }),
      price_subtotal: f.money({ compute: (env, row) => lineAmounts(env, row).net }),
      price_tax: f.money({ compute: (env, row) => lineAmounts(env, row).tax }),
      price_total: f.money({ compute: (env, row) => cents(lineAmounts(env, row).net + lineAmounts(env, row).tax) }),
      qty_delivered: f.float({ compute: (env, row) => deliveredUnits(env, row) }),
      qty_invoiced: f.float({ compute: (env, row) => invoicedUnits(env, row) }),
      qty_to_invoice: f.float({ compute: (env, row) => unitsToInvoice(env, row) }),
      move_ids: f.lines('stock.move', 'sale_line_id'),
    },
    created: (env, row) => planLine(env, row),
    written: (env, row, _, values) => lineChanged(env, row, values),
    display: (env, row) => `${env.nameOf('sale.order', refOf(row, 'order_id'))} - ${textOf(row, 'name')}`,
  },
  'sale.advance.payment.inv': {
    fields: { advance_payment_method: f.choice({ default: 'delivered' }), sale_order_ids: f.many('sale.order') },
    methods: {
      create_invoices: action((env, ids) => {
        const [id = 0] = ids
        const named = idsOf(env.need('sale.advance.payment.inv', id), 'sale_order_ids')
        return createInvoices(env, named.length > 0 ? named : idsOf(env.context, 'active_ids'))
      }),
    },
  },
}

/** The pricelist's currency, else the company's. */
const currencyOf = (env: Env, pricelist: number): number =>
  refOf(env.row('product.pricelist', pricelist) ?? env.need('res.company', 1), 'currency_id')
