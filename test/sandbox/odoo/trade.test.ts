import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { OdooSimulator } from '../../../src/sandbox/odoo/index.ts'
import { caller, must, openSimulator } from './server.ts'

let simulator: OdooSimulator
let ask: ReturnType<typeof must>
let stock = 0
const product: Record<string, number> = {}

beforeAll(async () => {
  simulator = await openSimulator()
  ask = must(caller(simulator))
  const rows = await ask<{ id: number; default_code: string }[]>('product.product', 'search_read', {
    domain: [],
    fields: ['default_code'],
  })
  for (const { id, default_code } of rows) product[default_code] = id
  const [warehouse] = await ask<{ lot_stock_id: [number, string] }[]>('stock.warehouse', 'search_read', { domain: [['code', '=', 'ONE']], fields: ['lot_stock_id'] }) // prettier-ignore
  stock = warehouse?.lot_stock_id[0] ?? 0
})
beforeEach(async () => {
  for (const sku of ['CUP', 'LID']) await setStock(sku, 100)
})
afterAll(() => simulator.stop())

async function setStock(sku: string, units: number): Promise<void> {
  const domain = [
    ['product_id', '=', product[sku]],
    ['location_id', '=', stock],
  ]
  const [quant] = await ask<number[]>('stock.quant', 'search', { domain })
  const context = { inventory_mode: true }
  if (quant === undefined)
    await ask('stock.quant', 'create', { vals_list: [{ product_id: product[sku], location_id: stock, inventory_quantity_auto_apply: units }], context }) // prettier-ignore
  else await ask('stock.quant', 'write', { ids: [quant], vals: { inventory_quantity_auto_apply: units }, context })
}

const quants = async (sku: string) =>
  (
    await ask<{ quantity: number; reserved_quantity: number; available_quantity: number }[]>(
      'stock.quant',
      'search_read',
      {
        domain: [
          ['product_id', '=', product[sku]],
          ['location_id', '=', stock],
        ],
        fields: ['quantity', 'reserved_quantity', 'available_quantity'],
      },
    )
  )[0]

async function order(lines: Record<string, number>): Promise<number> {
  const [partner_id] = await ask<number[]>('res.partner', 'create', { vals_list: [{ name: 'Mia' }] })
  const order_line = Object.entries(lines).map(([sku, product_uom_qty]) => [0, 0, { product_id: product[sku], product_uom_qty, price_unit: 10, tax_ids: [[6, 0, []]] }]) // prettier-ignore
  const [id = 0] = await ask<number[]>('sale.order', 'create', { vals_list: [{ partner_id, order_line }] })
  return id
}

const movesOf = (id: number) =>
  ask<{ id: number; product_id: [number, string]; product_uom_qty: number; quantity: number; state: string; bom_line_id: unknown; picking_id: [number, string] }[]>(
    'stock.move',
    'search_read',
    { domain: [['picking_id.sale_id', '=', id]], fields: ['product_id', 'product_uom_qty', 'quantity', 'state', 'bom_line_id', 'picking_id'], order: 'id' },
  ) // prettier-ignore
const read = async (id: number, ...fields: string[]) =>
  (await ask<Record<string, unknown>[]>('sale.order', 'read', { ids: [id], fields }))[0] ?? {}

describe('an order', () => {
  it('reserves when it is confirmed, kits by their parts', async () => {
    const id = await order({ CUP: 3, SET: 2 })
    expect(await ask('sale.order', 'action_confirm', { ids: [id] })).toBe(true)
    const moves = await movesOf(id)
    expect(
      moves.map((move) => [move.product_id[0], move.product_uom_qty, move.state, move.bom_line_id !== false]),
    ).toEqual([
      [product['CUP'], 3, 'assigned', false],
      [product['CUP'], 2, 'assigned', true],
      [product['LID'], 4, 'assigned', true],
    ])
    expect(await quants('CUP')).toEqual({
      id: expect.any(Number) as unknown,
      quantity: 100,
      reserved_quantity: 5,
      available_quantity: 95,
    })
    const [kit] = await ask<{ free_qty: number; is_kits: boolean }[]>('product.product', 'read', { ids: [product['SET']], fields: ['free_qty', 'is_kits'], context: { warehouse_id: 1 } }) // prettier-ignore
    expect(kit).toMatchObject({ free_qty: 48, is_kits: true })
    const twice = await caller(simulator)('sale.order', 'action_confirm', { ids: [id] })
    expect(twice).toMatchObject({
      status: 422,
      body: { message: 'Some orders are not in a state requiring confirmation.' },
    })
  })

  it('leaves in parts: what was picked goes, the rest waits on another transfer', async () => {
    const id = await order({ CUP: 3, LID: 4 })
    await ask('sale.order', 'action_confirm', { ids: [id] })
    const [cup, lid] = await movesOf(id)
    const picking = cup?.picking_id[0]
    await ask('stock.move', 'write', { ids: [cup?.id], vals: { quantity: 3, picked: true } })
    await ask('stock.move', 'write', { ids: [lid?.id], vals: { quantity: 0, picked: false } })
    await ask('stock.picking', 'write', { ids: [picking], vals: { carrier_tracking_ref: 'T-1' } })
    const question = await ask<{ res_model: string; context: object }>('stock.picking', 'button_validate', {
      ids: [picking],
    })
    expect(question).toMatchObject({ res_model: 'stock.backorder.confirmation', type: 'ir.actions.act_window', target: 'new', context: { button_validate_picking_ids: [picking], default_pick_ids: [[4, picking]] } }) // prettier-ignore
    expect(await read(id, 'delivery_status')).toMatchObject({ delivery_status: 'pending' })
    expect(await ask('stock.picking', 'button_validate', { ids: [picking], context: { skip_backorder: true } })).toBe(
      true,
    )
    expect(await read(id, 'delivery_status', 'picking_ids')).toMatchObject({ delivery_status: 'partial', picking_ids: [expect.any(Number), picking] }) // prettier-ignore
    const [rest] = await ask<object[]>('stock.picking', 'search_read', {
      domain: [['backorder_id', '=', picking]],
      fields: ['state', 'carrier_tracking_ref'],
    })
    expect(rest).toMatchObject({ state: 'assigned', carrier_tracking_ref: false })
    expect(await quants('CUP')).toMatchObject({ quantity: 97 })
    expect(simulator.ledger().deliveries.at(-1)).toMatchObject({
      tracking: 'T-1',
      lines: [{ sku: 'CUP', quantity: 3 }],
    })
    // The same again changes nothing: there is nothing left on it.
    expect(await ask('stock.picking', 'button_validate', { ids: [picking] })).toBe(true)
    expect(await quants('CUP')).toMatchObject({ quantity: 97 })
  })

  it('follows edits, but not below what has left', async () => {
    const id = await order({ CUP: 5 })
    await ask('sale.order', 'action_confirm', { ids: [id] })
    const { order_line } = (await read(id, 'order_line')) as { order_line: number[] }
    const edit = (product_uom_qty: number) =>
      caller(simulator)('sale.order.line', 'write', { ids: order_line, vals: { product_uom_qty } })
    for (const units of [8, 3]) {
      await edit(units)
      expect(await movesOf(id)).toMatchObject([{ product_uom_qty: units, quantity: units, state: 'assigned' }])
    }
    const [move] = await movesOf(id)
    await ask('stock.picking', 'button_validate', { ids: [move?.picking_id[0]] })
    expect((await edit(2)).body).toMatchObject({ name: 'odoo.exceptions.UserError', message: expect.stringContaining('below the amount already delivered') as unknown }) // prettier-ignore
    await edit(4)
    expect((await movesOf(id)).map(({ product_uom_qty, state }) => [product_uom_qty, state])).toEqual([
      [3, 'done'],
      [1, 'assigned'],
    ])
    await ask('sale.order', 'action_cancel', { ids: [id] })
    expect((await movesOf(id)).map(({ state }) => state)).toEqual(['done', 'cancel'])
    expect(await read(id, 'state', 'delivery_status')).toMatchObject({ state: 'cancel', delivery_status: 'full' })
  })

  it('is short where nothing lies: confirmed, not assigned, and a transfer with nothing on it is refused', async () => {
    await setStock('LID', 0)
    const id = await order({ LID: 2 })
    await ask('sale.order', 'action_confirm', { ids: [id] })
    const [move] = await movesOf(id)
    expect(move).toMatchObject({ state: 'confirmed', quantity: 0 })
    const refused = await caller(simulator)('stock.picking', 'button_validate', { ids: [move?.picking_id[0]] })
    expect(refused).toMatchObject({ status: 422, body: { name: 'odoo.exceptions.UserError' } })
  })
})

describe('what was counted', () => {
  it('is applied by a second call, and by a third one set to nothing', async () => {
    const [id] = await ask<number[]>('stock.quant', 'search', {
      domain: [
        ['product_id', '=', product['CUP']],
        ['location_id', '=', stock],
      ],
    })
    await ask('stock.quant', 'write', {
      ids: [id],
      vals: { inventory_quantity: 42 },
      context: { inventory_mode: true },
    })
    const fields = ['quantity', 'inventory_quantity', 'inventory_quantity_set', 'inventory_diff_quantity']
    const quant = async () => (await ask<object[]>('stock.quant', 'read', { ids: [id], fields }))[0]
    expect(await quant()).toEqual({
      id,
      quantity: 100,
      inventory_quantity: 42,
      inventory_quantity_set: true,
      inventory_diff_quantity: -58,
    })
    expect(await ask('stock.quant', 'action_apply_inventory', { ids: [id] })).toBeNull()
    expect(await quant()).toMatchObject({ quantity: 42, inventory_quantity_set: false })
    await ask('stock.quant', 'action_apply_inventory', { ids: [id] })
    expect(await quant()).toMatchObject({ quantity: 0 })
  })
})

describe('books', () => {
  it('invoice what was ordered once; a credit note pays the invoice it takes back', async () => {
    const id = await order({ CUP: 2, LID: 1 })
    await ask('sale.order', 'action_confirm', { ids: [id] })
    const context = { active_model: 'sale.order', active_ids: [id] }
    const invoice = async () => {
      const [wizard] = await ask<number[]>('sale.advance.payment.inv', 'create', { vals_list: [{ advance_payment_method: 'delivered', sale_order_ids: [[6, 0, [id]]] }], context }) // prettier-ignore
      return caller(simulator)('sale.advance.payment.inv', 'create_invoices', { ids: [wizard], context })
    }
    const made = (await invoice()).body as { res_id: number }
    expect((await invoice()).body).toMatchObject({ name: 'odoo.exceptions.UserError' })
    const fields = ['state', 'amount_total', 'amount_residual', 'payment_state', 'name']
    const bill = async (move: number) => (await ask<object[]>('account.move', 'read', { ids: [move], fields }))[0]
    expect(await bill(made.res_id)).toMatchObject({
      state: 'draft',
      name: false,
      amount_total: 30,
      payment_state: 'not_paid',
    })
    expect(await ask('account.move', 'action_post', { ids: [made.res_id] })).toBe(false)
    expect((await caller(simulator)('account.move', 'action_post', { ids: [made.res_id] })).status).toBe(422)
    expect(await read(id, 'invoice_status')).toMatchObject({ invoice_status: 'invoiced' })
    const line = { name: 'back', quantity: 1, price_unit: 10, tax_ids: [] }
    const [credit = 0] = await ask<number[]>('account.move', 'create', { vals_list: [{ move_type: 'out_refund', partner_id: 1, reversed_entry_id: made.res_id, invoice_line_ids: [[0, 0, line]] }] }) // prettier-ignore
    await ask('account.move', 'action_post', { ids: [credit] })
    expect(await bill(credit)).toMatchObject({
      payment_state: 'paid',
      amount_residual: 0,
      name: expect.stringMatching(/^RINV\/2026\//) as unknown,
    })
    expect(await bill(made.res_id)).toMatchObject({ payment_state: 'partial', amount_residual: 20 })
    const [wizard] = await ask<number[]>('account.move.reversal', 'create', {
      vals_list: [{ move_ids: [[6, 0, [made.res_id]]], reason: 'wrong' }],
    })
    expect(await ask('account.move.reversal', 'reverse_moves', { ids: [wizard] })).toMatchObject({ name: 'Reverse Moves', res_model: 'account.move', context: { default_move_type: 'out_refund' } }) // prettier-ignore
  })

  it('reckon tax line by line, inside of prices or on top', async () => {
    const [partner_id] = await ask<number[]>('res.partner', 'create', { vals_list: [{ name: 'Ben' }] })
    const taxes = await ask<{ id: number; amount: number }[]>('account.tax', 'search_read', {
      domain: [],
      fields: ['amount', 'price_include'],
    })
    const line = (amount: number, price_unit: number) => [0, 0, { product_id: product['CUP'], product_uom_qty: 3, price_unit, tax_ids: [[6, 0, taxes.filter((tax) => tax.amount === amount).map(({ id }) => id)]] }] // prettier-ignore
    const [id = 0] = await ask<number[]>('sale.order', 'create', {
      vals_list: [{ partner_id, order_line: [line(19, 3.33), line(7, 5.55)] }],
    })
    expect(await read(id, 'amount_untaxed', 'amount_tax', 'amount_total')).toMatchObject({
      amount_untaxed: 25.55,
      amount_tax: 2.99,
      amount_total: 28.54,
    })
  })

  it('match items of one account, in part where they differ', async () => {
    const [account] = await ask<number[]>('account.account', 'search', { domain: [['code', '=', '101500']] })
    const [other] = await ask<number[]>('account.account', 'search', { domain: [['code', '=', '600000']] })
    const items = [[0, 0, { account_id: account, credit: 37.5 }], [0, 0, { account_id: other, debit: 1.39 }], [0, 0, { account_id: account, debit: 36.11 }]] // prettier-ignore
    const [move] = await ask<number[]>('account.move', 'create', { vals_list: [{ move_type: 'entry', date: '2026-11-22', ref: 'po_1', line_ids: items }] }) // prettier-ignore
    await ask('account.move', 'action_post', { ids: [move] })
    const ids = await ask<number[]>('account.move.line', 'search', {
      domain: [
        ['move_id', '=', move],
        ['account_id', '=', account],
      ],
    })
    expect(await ask('account.move.line', 'reconcile', { ids })).toBeNull()
    const rows = await ask<{ matching_number: string }[]>('account.move.line', 'read', { ids, fields: ['amount_residual', 'reconciled', 'full_reconcile_id', 'matching_number'] }) // prettier-ignore
    expect(rows).toMatchObject([
      { amount_residual: -1.39, reconciled: false, full_reconcile_id: false },
      { amount_residual: 0, reconciled: true },
    ])
    expect(rows.every(({ matching_number }) => /^P\d+$/.test(matching_number))).toBe(true)
  })

  it('post statement lines against suspense as they come', async () => {
    const [journal] = await ask<number[]>('account.journal', 'search', { domain: [['type', '=', 'bank']] })
    const lines = [[0, 0, { journal_id: journal, date: '2026-11-20', payment_ref: 'po_1', amount: 36.11 }]]
    const [statement] = await ask<number[]>('account.bank.statement', 'create', { vals_list: [{ name: 'po_1', balance_end_real: 36.11, line_ids: lines }] }) // prettier-ignore
    const [row] = await ask<object[]>('account.bank.statement', 'read', {
      ids: [statement],
      fields: ['balance_end', 'is_complete', 'date'],
    })
    expect(row).toMatchObject({ balance_end: 36.11, is_complete: true, date: '2026-11-20' })
    const [line] = await ask<object[]>('account.bank.statement.line', 'search_read', { domain: [['statement_id', '=', statement]], fields: ['is_reconciled', 'amount_residual', 'state'] }) // prettier-ignore
    expect(line).toMatchObject({ is_reconciled: false, amount_residual: -36.11, state: 'posted' })
    const suspense = await ask<number[]>('account.move.line', 'search', { domain: [['statement_line_id.statement_id', '=', statement], ['account_id.name', 'ilike', 'suspense']] }) // prettier-ignore
    expect(suspense).toHaveLength(1)
    expect(simulator.ledger().entries.every(({ off_minor }) => off_minor === 0)).toBe(true)
  })
})
