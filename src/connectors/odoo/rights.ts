/** What the bot has to be able to do, by what it is there for; modules are Odoo's apps. */
export const RIGHTS: readonly {
  what: string
  module: string
  model: string
  operations: readonly ('read' | 'write' | 'create')[]
}[] = [
  { what: 'customers', module: 'base', model: 'res.partner', operations: ['read', 'create', 'write'] },
  { what: 'products', module: 'product', model: 'product.product', operations: ['read'] },
  { what: 'orders', module: 'sale', model: 'sale.order', operations: ['read', 'create', 'write'] },
  { what: 'order lines', module: 'sale', model: 'sale.order.line', operations: ['read', 'create', 'write'] },
  { what: 'deliveries', module: 'stock', model: 'stock.picking', operations: ['read', 'create', 'write'] },
  { what: 'goods on deliveries', module: 'stock', model: 'stock.move.line', operations: ['read', 'create', 'write'] },
  { what: 'stock', module: 'stock', model: 'stock.quant', operations: ['read', 'create', 'write'] },
  { what: 'invoices and journals', module: 'account', model: 'account.move', operations: ['read', 'create', 'write'] },
  {
    what: 'bank statements',
    module: 'account',
    model: 'account.bank.statement',
    operations: ['read', 'create', 'write'],
  },
]

export const MODULES: readonly { name: string; model: string; needed: boolean; why: string }[] = [
  { name: 'sale', model: 'sale.order', needed: true, why: 'orders' },
  { name: 'stock', model: 'stock.picking', needed: true, why: 'deliveries and stock' },
  { name: 'sale_stock', model: 'stock.picking', needed: true, why: 'deliveries of orders' },
  { name: 'account', model: 'account.move', needed: true, why: 'invoices, credits and journals' },
  { name: 'mrp', model: 'mrp.bom', needed: false, why: 'kits' },
]

/** Every field that is read or written, by the names of version 19; what a server lacks is told when the connection is tested. */
export const FIELDS_USED: Readonly<Record<string, readonly string[]>> = {
  'res.partner': [
    'name',
    'email',
    'phone',
    'street',
    'street2',
    'city',
    'zip',
    'state_id',
    'country_id',
    'parent_id',
    'type',
  ],
  'sale.order': [
    'name', 'state', 'client_order_ref', 'origin', 'date_order', 'partner_id', 'partner_shipping_id', 'partner_invoice_id', 'currency_id',
    'amount_total', 'amount_tax', 'order_line', 'warehouse_id', 'pricelist_id', 'company_id', 'invoice_ids',
  ], // prettier-ignore
  'sale.order.line': [
    'product_id', 'product_uom_qty', 'price_unit', 'discount', 'tax_ids', 'name', 'qty_to_invoice', 'price_subtotal', 'price_total',
  ], // prettier-ignore
  'stock.picking': [
    'name',
    'state',
    'picking_type_id',
    'picking_type_code',
    'sale_id',
    'location_id',
    'location_dest_id',
    'move_ids',
  ],
  'stock.move': [
    'product_id', 'product_uom', 'product_uom_qty', 'quantity', 'state', 'sale_line_id', 'location_id', 'location_dest_id', 'picking_id',
    'origin_returned_move_id', 'to_refund',
  ], // prettier-ignore
  'stock.move.line': [
    'picking_id',
    'move_id',
    'lot_id',
    'quantity',
    'product_uom_id',
    'location_id',
    'location_dest_id',
  ],
  'stock.quant': ['product_id', 'location_id', 'lot_id', 'package_id', 'owner_id', 'quantity'],
  'account.move': [
    'name', 'state', 'move_type', 'ref', 'line_ids', 'invoice_line_ids', 'invoice_date', 'date', 'journal_id', 'amount_total', 'currency_id',
    'reversed_entry_id', 'partner_id',
  ], // prettier-ignore
  'account.bank.statement': ['name', 'reference', 'balance_start', 'balance_end', 'balance_end_real', 'line_ids'],
  'account.bank.statement.line': ['journal_id', 'date', 'payment_ref', 'ref', 'amount'],
}
