import { userError } from './faults.ts'
import { action, f, type Models } from './model.ts'
import { follow, linesOf, type Env } from './orm.ts'
import {
  cancelMove,
  confirmPicking,
  isOpen,
  movesOf,
  moveUnits,
  pickingState,
  quantityOf,
  reserve,
  reserveLine,
  setDemand,
  settleMove,
  unreserve,
  validatePicking,
} from './stock.ts'
import { isTrue, numberOf, refOf, textOf, type Row, type Value } from './values.ts'

/** Warehouses, transfers and what lies where. */

const inventoryLoss = (env: Env): number =>
  env.store.all('stock.location').find((location) => textOf(location, 'usage') === 'inventory')?.id ?? 0

/** Brings a place to what was counted there, as a movement from or to nowhere. */
function count(env: Env, quant: Row, counted: number): void {
  const off = counted - numberOf(quant, 'quantity')
  const [here, nowhere] = [refOf(quant, 'location_id'), inventoryLoss(env)]
  const lot = refOf(quant, 'lot_id')
  if (off > 0) moveUnits(env, refOf(quant, 'product_id'), { from: nowhere, to: here, lot }, off)
  if (off < 0) moveUnits(env, refOf(quant, 'product_id'), { from: here, to: nowhere, lot }, -off)
}

const each = (work: (env: Env, id: number) => void, answer: Value) =>
  action((env, ids) => {
    for (const id of ids) work(env, id)
    return answer
  })

const pickings = (work: (env: Env, move: Row) => void, answer: Value) =>
  each((env, id) => {
    for (const move of movesOf(env, id).filter(isOpen)) work(env, move)
  }, answer)

export const STOCK: Models = {
  'stock.location': {
    fields: {
      name: f.char(),
      complete_name: f.char({ compute: (env, row) => completeName(env, row) }),
      usage: f.choice({ default: 'internal' }),
      location_id: f.one('stock.location'),
      warehouse_id: f.one('stock.warehouse'),
      active: f.flag({ default: true }),
    },
    display: (env, row) => completeName(env, row),
  },
  'stock.picking.type': {
    fields: {
      name: f.char(),
      code: f.choice(),
      sequence_code: f.char(),
      warehouse_id: f.one('stock.warehouse'),
      return_picking_type_id: f.one('stock.picking.type'),
    },
    display: (env, row) => {
      const warehouse = follow(env, row, 'warehouse_id', 'stock.warehouse')
      return `${warehouse === undefined ? '' : `${textOf(warehouse, 'name')}: `}${textOf(row, 'name')}`
    },
  },
  'stock.warehouse': {
    fields: {
      name: f.char(),
      code: f.char(),
      company_id: f.one('res.company', { default: 1 }),
      lot_stock_id: f.one('stock.location'),
      view_location_id: f.one('stock.location'),
      in_type_id: f.one('stock.picking.type'),
      out_type_id: f.one('stock.picking.type'),
      int_type_id: f.one('stock.picking.type'),
      delivery_steps: f.choice({ default: 'ship_only' }),
      reception_steps: f.choice({ default: 'one_step' }),
    },
    created: fitOut,
  },
  'stock.lot': {
    fields: {
      name: f.char({ required: true }),
      product_id: f.one('product.product', { required: true }),
      company_id: f.one('res.company'),
    },
  },
  'stock.quant': {
    fields: {
      product_id: f.one('product.product'),
      location_id: f.one('stock.location'),
      lot_id: f.one('stock.lot'),
      package_id: f.one('stock.location'),
      owner_id: f.one('res.partner'),
      quantity: f.float(),
      reserved_quantity: f.float(),
      inventory_quantity: f.float(),
      inventory_quantity_set: f.flag(),
      available_quantity: f.float({
        compute: (_, row) => numberOf(row, 'quantity') - numberOf(row, 'reserved_quantity'),
      }),
      inventory_diff_quantity: f.float({
        compute: (_, row) =>
          isTrue(row, 'inventory_quantity_set') ? numberOf(row, 'inventory_quantity') - numberOf(row, 'quantity') : 0,
      }),
      inventory_quantity_auto_apply: f.float({
        compute: (_, row) => numberOf(row, 'quantity'),
        assign: (env, row, value) => count(env, env.need('stock.quant', row.id), Number(value)),
      }),
    },
    // To say what was counted is not yet to apply it.
    written: (env, row, before, values) => {
      if ('inventory_quantity' in values) env.store.put('stock.quant', { ...row, inventory_quantity_set: true })
      if ('inventory_quantity' in values === false && before['quantity'] === row['quantity']) return
    },
    created: (env, row) => {
      if (numberOf(row, 'inventory_quantity') !== 0)
        env.store.put('stock.quant', { ...row, inventory_quantity_set: true })
    },
    methods: {
      // A second call sets stock to nothing, because nothing is what was counted since.
      action_apply_inventory: each((env, id) => {
        count(env, env.need('stock.quant', id), numberOf(env.need('stock.quant', id), 'inventory_quantity'))
        env.store.put('stock.quant', {
          ...env.need('stock.quant', id),
          inventory_quantity: 0,
          inventory_quantity_set: false,
        })
      }, null),
    },
    display: (env, row) => env.nameOf('product.product', refOf(row, 'product_id')),
  },
  'stock.picking': {
    fields: {
      name: f.char(),
      state: f.choice({ compute: (env, row) => pickingState(env, row) }),
      picking_type_code: f.choice({ compute: (env, row) => codeOf(env, row) }),
      picking_type_id: f.one('stock.picking.type', { required: true }),
      partner_id: f.one('res.partner'),
      origin: f.char(),
      sale_id: f.one('sale.order', { default: (env, values) => saleOfReturn(env, values['return_id'] ?? false) }),
      location_id: f.one('stock.location'),
      location_dest_id: f.one('stock.location'),
      move_ids: f.lines('stock.move', 'picking_id'),
      move_line_ids: f.lines('stock.move.line', 'picking_id'),
      carrier_id: f.one('delivery.carrier'),
      carrier_tracking_ref: f.char(),
      backorder_id: f.one('stock.picking'),
      return_id: f.one('stock.picking'),
      scheduled_date: f.datetime({ default: (env) => env.now().toISOString().slice(0, 19).replace('T', ' ') }),
      date_done: f.datetime(),
    },
    created: (env, row) => {
      const type = env.need('stock.picking.type', refOf(row, 'picking_type_id'))
      const warehouse = follow(env, type, 'warehouse_id', 'stock.warehouse')
      const prefix = `${textOf(warehouse ?? { id: 0 }, 'code') || 'WH'}/${textOf(type, 'sequence_code')}/`
      env.store.put('stock.picking', { ...env.need('stock.picking', row.id), name: env.sequence(prefix, 5) })
    },
    methods: {
      action_confirm: each(confirmPicking, true),
      action_assign: pickings((env, move) => reserve(env, move.id), true),
      do_unreserve: pickings((env, move) => unreserve(env, move.id), null),
      action_cancel: pickings((env, move) => cancelMove(env, move.id), true),
      button_validate: action(
        (env, ids) => ids.map((id) => validatePicking(env, id)).find((answer) => answer !== true) ?? true,
      ),
    },
    order: 'id desc',
  },
  'stock.move': {
    fields: {
      product_id: f.one('product.product', { required: true }),
      product_uom: f.one('uom.uom', { default: 1 }),
      product_uom_qty: f.float({ default: 1 }),
      quantity: f.float({ compute: (env, row) => quantityOf(env, row), assign: setQuantity }),
      picked: f.flag({
        compute: (env, row) =>
          linesOf(env, 'stock.move.line', 'move_id', row.id).some((line) => isTrue(line, 'picked')),
        assign: (env, row, value) => {
          for (const line of linesOf(env, 'stock.move.line', 'move_id', row.id))
            env.store.put('stock.move.line', { ...line, picked: value === true })
        },
      }),
      state: f.choice({ default: 'draft' }),
      sale_line_id: f.one('sale.order.line', { default: (env, values) => refOf(follow(env, values as Row, 'origin_returned_move_id', 'stock.move') ?? { id: 0 }, 'sale_line_id') || false }), // prettier-ignore
      bom_line_id: f.one('mrp.bom.line'),
      picking_id: f.one('stock.picking'),
      location_id: f.one('stock.location', { required: true }),
      location_dest_id: f.one('stock.location', { required: true }),
      move_line_ids: f.lines('stock.move.line', 'move_id'),
      origin_returned_move_id: f.one('stock.move'),
      to_refund: f.flag({ default: true }),
      reference: f.char({ compute: (env, row) => env.nameOf('stock.picking', refOf(row, 'picking_id')) }),
    },
    written: (env, row, before, values) => {
      if ('product_uom_qty' in values && isOpen(row)) setDemand(env, row.id, numberOf(row, 'product_uom_qty'))
      if ('state' in values && before['state'] === 'done') throw userError('A stock move that is done stays done.')
    },
    display: (env, row) =>
      `${env.nameOf('stock.picking', refOf(row, 'picking_id'))}/${env.nameOf('product.product', refOf(row, 'product_id'))}`,
  },
  'stock.move.line': {
    fields: {
      move_id: f.one('stock.move'),
      picking_id: f.one('stock.picking'),
      product_id: f.one('product.product', { required: true }),
      product_uom_id: f.one('uom.uom', { default: 1 }),
      location_id: f.one('stock.location', { required: true }),
      location_dest_id: f.one('stock.location', { required: true }),
      lot_id: f.one('stock.lot'),
      quantity: f.float(),
      picked: f.flag(),
      state: f.choice({
        compute: (env, row) => textOf(follow(env, row, 'move_id', 'stock.move') ?? { id: 0 }, 'state'),
      }),
      // Of its quantity, what it holds of the place's stock: nothing a client would see.
      reserved: f.float(),
    },
    created: (env, row) => {
      if (numberOf(row, 'reserved') === 0) reserveLine(env, row)
      settleMove(env, refOf(row, 'move_id'))
    },
    written: (env, row) => settleMove(env, refOf(row, 'move_id')),
    display: (env, row) => env.nameOf('product.product', refOf(row, 'product_id')),
  },
}

const completeName = (env: Env, row: Row): string => {
  const parent = follow(env, row, 'location_id', 'stock.location')
  return parent === undefined || textOf(parent, 'usage') === 'view' && textOf(parent, 'name') === '' ? textOf(row, 'name') : `${completeName(env, parent)}/${textOf(row, 'name')}` // prettier-ignore
}

const codeOf = (env: Env, picking: Row): string =>
  textOf(follow(env, picking, 'picking_type_id', 'stock.picking.type') ?? { id: 0 }, 'code')

const saleOfReturn = (env: Env, return_id: Value): Value => {
  const origin = typeof return_id === 'number' ? env.row('stock.picking', return_id) : undefined
  return origin === undefined ? false : refOf(origin, 'sale_id') || false
}

/** A quantity written on the move itself is put on one line of it. */
function setQuantity(env: Env, move: Row, value: Value): void {
  const lines = linesOf(env, 'stock.move.line', 'move_id', move.id)
  const [first, ...rest] = lines
  for (const line of rest) env.unlink('stock.move.line', [line.id])
  if (first !== undefined) env.store.put('stock.move.line', { ...first, quantity: Number(value) })
  else if (Number(value) !== 0) {
    const { product_id, picking_id, location_id, location_dest_id } = move
    env.create('stock.move.line', { move_id: move.id, product_id: product_id ?? false, picking_id: picking_id ?? false, location_id: location_id ?? false, location_dest_id: location_dest_id ?? false, quantity: Number(value) }) // prettier-ignore
  }
  settleMove(env, move.id)
}

/** A new warehouse gets its locations and kinds of transfer by itself. */
function fitOut(env: Env, row: Row): void {
  const view = env.create('stock.location', { name: textOf(row, 'code'), usage: 'view', warehouse_id: row.id })
  const stock = env.create('stock.location', {
    name: 'Stock',
    usage: 'internal',
    location_id: view,
    warehouse_id: row.id,
  })
  const type = (name: string, code: string, sequence_code: string): number =>
    env.create('stock.picking.type', { name, code, sequence_code, warehouse_id: row.id })
  const [receipts, deliveries, transfers] = [
    type('Receipts', 'incoming', 'IN'),
    type('Delivery Orders', 'outgoing', 'OUT'),
    type('Internal Transfers', 'internal', 'INT'),
  ]
  env.write('stock.picking.type', [deliveries], { return_picking_type_id: receipts })
  env.store.put('stock.warehouse', {
    ...env.need('stock.warehouse', row.id),
    lot_stock_id: stock,
    view_location_id: view,
    in_type_id: receipts,
    out_type_id: deliveries,
    int_type_id: transfers,
  })
}
