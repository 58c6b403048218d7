import { expect } from 'vitest'
import type { ErpOrder, ErpRequest } from '../../../src/core/model/effects.ts'
import { goodsLines, look, refOfOrder, seenInvoices, seenOrder, seenTransfers, type KillWorld } from './killSeen.ts'
import { call, find, send } from './liveServer.ts'
import { NOW, onHand, orderOf } from './liveDocuments.ts'

/**
 * Every kind of document that an ERP is told, each with what it needs before it, and with what the ERP has to show of it afterwards: all
 * lines, amounts and states, so that a second one of anything, or half of something, is seen.
 */
export interface Prepared {
  request: ErpRequest
  /** Of the connection, where the document needs its own. */
  settings?: Readonly<Record<string, unknown>>
  seen: () => Promise<unknown>
  wanted: unknown
}

export interface DocumentKind {
  name: string
  /** The call at which the short run kills. */
  sampled: string
  /** `number` is a new one for each document. */
  prepare: (world: KillWorld, number: string) => Promise<Prepared>
}

const DAY = NOW.toISOString().slice(0, 10)
const SHIP_AT = NOW.toISOString()

async function tell({ settings }: KillWorld, ...requests: ErpRequest[]): Promise<void> {
  for (const request of requests) {
    const [result] = await send(settings, request)
    expect(result, JSON.stringify(result)).toMatchObject({ outcome: 'done' })
  }
}

/**
 * 3 mugs at 12.00 less 2.00, 2 kits at 15.00, 1 tea at 10.00, shipping 5.00; 15 % on all but the kits. Every line's tax is whole cents, so
 * that it is the same by line and by document.
 */
function orderRequest({ sku }: KillWorld, number: string, change: Partial<ErpOrder> = {}): ErpRequest {
  const { lines, ...order } = orderOf(sku, number, { total_minor: 8_635, ...change })
  const [mugs, ...others] = lines
  if (mugs === undefined) throw new Error('an order without lines')
  const ours = [{ ...mugs, unit_price_minor: 1_200, discount_minor: 200, tax_minor: 510 }, ...others]
  return { outbox_id: 1, key: `order:${number}`, kind: 'order', order: { ...order, lines: change.lines ?? ours } }
}

/** Two mugs instead of three, and no more discount, kits, tea or shipping. */
function fewerOf(world: KillWorld, number: string): ErpRequest {
  const request = orderRequest(world, number)
  const mugs = request.kind === 'order' ? request.order.lines.slice(0, 1) : []
  return orderRequest(world, number, {
    lines: mugs.map((line) => ({ ...line, quantity: 2, discount_minor: 0, tax_minor: 360 })),
    shipping_minor: 0,
    shipping_tax_minor: 0,
    total_minor: 2_760,
  })
}

const cancellation = (number: string): ErpRequest => ({ outbox_id: 1, key: `cancel:${number}`, kind: 'cancellation', order_external_key: `order:${number}` }) // prettier-ignore

/** Two mugs, one kit and the tea in a new lot; a mug and a kit stay behind. */
const delivery = ({ sku }: KillWorld, number: string): ErpRequest => ({
  outbox_id: 1, key: `delivery:${number}`, kind: 'delivery', order_external_key: `order:${number}`, shipment_id: number, carrier: 'UPS',
  tracking_number: `1Z-${number}`, shipped_at: SHIP_AT, warehouse_code: 'WH', units_remaining: 2,
  lines: [
    { sku: sku('MUG'), line_external_id: 'l1', quantity: 2, lot: null },
    { sku: sku('MUG'), line_external_id: 'l2', quantity: 2, lot: null },
    { sku: sku('TRAY'), line_external_id: 'l2', quantity: 1, lot: null },
    { sku: sku('LOT'), line_external_id: 'l3', quantity: 1, lot: `L-${number}` },
  ],
}) // prettier-ignore

const invoice = (number: string): ErpRequest => ({ outbox_id: 1, key: `invoice:${number}`, kind: 'invoice', order_external_key: `order:${number}`, at: SHIP_AT }) // prettier-ignore

const PLACED_AT = '2026-11-20 10:15:30'
const SOLD_LINES = [['MUG', 3, 12, 41.4], ['Discount', 1, -2, -2.3], ['KIT', 2, 15, 30], ['LOT', 1, 10, 11.5], ['Shipping', 1, 5, 5.75]] // prettier-ignore
const SOLD = {
  orders: [['sale', 86.35, 7.35, PLACED_AT]],
  lines: SOLD_LINES,
  people: [['Ada Example']],
  addresses: [['delivery', '1 Main Street', 'Springfield']],
  goods: [['MUG', 3], ['MUG', 4], ['TRAY', 2], ['LOT', 1]],
} // prettier-ignore
const ROUNDED = { ...SOLD, orders: [['sale', 86.36, 7.35, PLACED_AT]], lines: [...SOLD_LINES, ['Discount', 1, 0.01, 0.01]] } // prettier-ignore
const CANCELLED = { ...SOLD, orders: [['cancel', 86.35, 7.35, PLACED_AT]], goods: [] }
const FEWER = {
  ...SOLD,
  orders: [['sale', 27.6, 3.6, PLACED_AT]],
  lines: [['MUG', 2, 12, 27.6], ['Discount', 0, 0, 0], ['KIT', 0, 0, 0], ['LOT', 0, 0, 0], ['Shipping', 0, 0, 0]],
  goods: [['MUG', 2]],
} // prettier-ignore
const DELIVERED_UNITS = [['MUG', 2], ['Discount', 0], ['KIT', 1], ['LOT', 1], ['Shipping', 0]] // prettier-ignore
const deliveredOf = (number: string) => ({
  transfers: [
    {
      transfer: ['outgoing', 'done', `1Z-${number}`],
      moved: [['MUG', 2, false, 'done'], ['MUG', 2, false, 'done'], ['TRAY', 1, false, 'done'], ['LOT', 1, `L-${number}`, 'done']],
      planned: [['MUG', 2], ['MUG', 2], ['TRAY', 1], ['LOT', 1]],
    },
    { transfer: ['outgoing', 'open', false], planned: [['MUG', 1], ['MUG', 2], ['TRAY', 1]] },
  ],
  left: 4,
  delivered: DELIVERED_UNITS,
  lots: [['LOT']],
}) // prettier-ignore
const returnedOf = (number: string) => ({
  transfers: [
    {
      transfer: ['incoming', 'done', false],
      moved: [['MUG', 1, false, 'done'], ['TRAY', 1, false, 'done'], ['LOT', 1, `L-${number}`, 'done']],
      planned: [['MUG', 1], ['TRAY', 1], ['LOT', 1]],
    },
  ],
  back: 1,
  delivered: DELIVERED_UNITS,
}) // prettier-ignore
const INVOICED = [
  {
    head: ['posted', 'out_invoice', 86.35, DAY, false],
    lines: [['MUG', 3, 12], ['Discount', 1, -2], ['KIT', 2, 15], ['LOT', 1, 10], ['Shipping', 1, 5]],
  },
] // prettier-ignore
const CREDITED = [{ head: ['posted', 'out_refund', 11.54, DAY, true], lines: [['MUG', 1, 10.03], ['Discount', 1, 0.01]] }] // prettier-ignore
const BOOKED = { entries: [['posted', 37.5, DAY]], lines: [['payout', 36.11, 0], ['fees', 1.39, 0], ['sales', 0, 37.5]] } // prettier-ignore
const BANKED = { statements: [[100, 136.11, true]], lines: [['sales', 37.5, 'posted'], ['fees', -1.39, 'posted']] } // prettier-ignore

const KINDS_OF_ORDERS: readonly DocumentKind[] = [
  {
    name: 'order',
    sampled: 'sale.order.load',
    // In a world of its own, so that the products for shipping and discounts are made as well.
    prepare: (world, number) =>
      Promise.resolve({
        request: orderRequest(world, number),
        settings: { external_id_module: `k${number.replace(/[^a-z0-9]/g, '_')}`.slice(0, 41) },
        seen: () => seenOrder(world, number),
        wanted: SOLD,
      }),
  },
  {
    name: 'order with a line for rounding',
    sampled: 'sale.order.load',
    prepare: (world, number) =>
      Promise.resolve({
        request: orderRequest(world, number, { total_minor: 8_636 }),
        settings: { rounding_minor_max: 1 },
        seen: () => seenOrder(world, number),
        wanted: ROUNDED,
      }),
  },
  {
    name: 'changed order',
    sampled: 'sale.order.load',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number))
      return { request: fewerOf(world, number), seen: () => seenOrder(world, number), wanted: FEWER }
    },
  },
  {
    name: 'cancellation',
    sampled: 'sale.order.action_cancel',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number))
      return { request: cancellation(number), seen: () => seenOrder(world, number), wanted: CANCELLED }
    },
  },
  {
    name: 'order that comes back',
    sampled: 'sale.order.action_confirm',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number), cancellation(number))
      return { request: orderRequest(world, number), seen: () => seenOrder(world, number), wanted: SOLD }
    },
  },
]

const KINDS_OF_GOODS: readonly DocumentKind[] = [
  {
    name: 'delivery',
    sampled: 'stock.picking.button_validate',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number))
      const before = await onHand(world.server, world.sku('MUG'))
      return {
        request: delivery(world, number),
        seen: async () => ({
          transfers: await seenTransfers(world, [['sale_id.client_order_ref', '=', refOfOrder(number)]]),
          left: before - (await onHand(world.server, world.sku('MUG'))),
          delivered: await goodsLines(world, number, ['product_id', 'qty_delivered']),
          lots: await look(world, 'stock.lot', [['name', '=', `L-${number}`]], ['product_id']),
        }),
        wanted: deliveredOf(number),
      }
    },
  },
  {
    name: 'return',
    sampled: 'stock.picking.load',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number), delivery(world, number))
      const before = await onHand(world.server, world.sku('MUG'))
      const { sku } = world
      return {
        request: {
          outbox_id: 1, key: `return:${number}`, kind: 'return', order_external_key: `order:${number}`, return_id: number, received_at: SHIP_AT,
          warehouse_code: 'WH',
          lines: [
            { sku: sku('MUG'), quantity: 1, disposition: 'restock' },
            { sku: sku('TRAY'), quantity: 1, disposition: 'damaged' },
            { sku: sku('LOT'), quantity: 1, disposition: 'restock' },
          ],
        }, // prettier-ignore
        seen: async () => ({
          transfers: await seenTransfers(world, [['return_id.sale_id.client_order_ref', '=', refOfOrder(number)]]),
          back: (await onHand(world.server, world.sku('MUG'))) - before,
          delivered: await goodsLines(world, number, ['product_id', 'qty_delivered']),
        }),
        wanted: returnedOf(number),
      }
    },
  },
  {
    name: 'stock',
    sampled: 'stock.quant.create',
    prepare: async (world, number) => {
      // One product that was never counted and one that was.
      const skus = ['NEW', 'OLD'].map((name) => world.sku(`${number}-${name}`))
      await call(world.server, 'product.product/create', {
        vals_list: skus.map((default_code) => ({ name: 'Counted', default_code, type: 'consu', is_storable: true })),
      })
      const count = (lines: { sku: string; on_hand: number }[]): ErpRequest => ({ outbox_id: 1, key: `stock:${number}`, kind: 'stock', as_of: SHIP_AT, warehouse_code: 'WH', lines }) // prettier-ignore
      await tell(world, count([{ sku: skus[1] ?? '', on_hand: 7 }]))
      const ours = ['product_id.default_code', 'in', skus]
      return {
        request: count(skus.map((sku, index) => ({ sku, on_hand: 20 + index }))),
        // An empty record counts nothing: Odoo may make one when it repeats a call, and clears it away by itself.
        seen: () => look(world, 'stock.quant', [ours, ['location_id.usage', '=', 'internal'], ['quantity', '!=', 0]], ['product_id', 'quantity']), // prettier-ignore
        wanted: [
          ['OLD', 21],
          ['NEW', 20],
        ],
      }
    },
  },
]

const KINDS_OF_MONEY: readonly DocumentKind[] = [
  {
    name: 'invoice',
    sampled: 'sale.advance.payment.inv.create_invoices',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number))
      return {
        request: invoice(number),
        seen: async () => {
          const [order] = await find(world.server, 'sale.order', [['client_order_ref', '=', refOfOrder(number)]], ['name']) // prettier-ignore
          return await seenInvoices(world, [['invoice_origin', '=', order?.['name']]])
        },
        wanted: INVOICED,
      }
    },
  },
  {
    name: 'credit note',
    sampled: 'account.move.load',
    prepare: async (world, number) => {
      await tell(world, orderRequest(world, number), invoice(number))
      return {
        // No price before tax comes to this with 15 %, so that there is a line for rounding.
        request: {
          outbox_id: 1, key: `credit:${number}`, kind: 'credit', order_external_key: `order:${number}`, refund_id: number, at: SHIP_AT, currency: 'USD',
          amount_minor: 1_154,
          lines: [{ sku: world.sku('MUG'), quantity: 1, amount_minor: 1_154 }],
        }, // prettier-ignore
        seen: () => seenInvoices(world, [['ref', '=', `Refund ${number}`]]),
        wanted: CREDITED,
      }
    },
  },
  {
    name: 'journal',
    sampled: 'account.move.load',
    prepare: (world, number) =>
      Promise.resolve({
        request: {
          outbox_id: 1, key: `journal:${number}`, kind: 'journal', reference: `po-${number}`, at: DAY, currency: 'USD',
          lines: [
            { account: 'bank', debit_minor: 3_611, credit_minor: 0, text: 'payout' },
            { account: 'fees:payment', debit_minor: 139, credit_minor: 0, text: 'fees' },
            { account: 'clearing:shop', debit_minor: 0, credit_minor: 3_750, text: 'sales' },
          ],
        }, // prettier-ignore
        seen: async () => ({
          entries: await look(world, 'account.move', [['ref', '=', `po-${number}`]], ['state', 'amount_total', 'date']),
          lines: await look(world, 'account.move.line', [['move_id.ref', '=', `po-${number}`]], ['name', 'debit', 'credit']), // prettier-ignore
        }),
        wanted: BOOKED,
      }),
  },
  {
    name: 'bank statement',
    sampled: 'account.bank.statement.load',
    prepare: (world, number) =>
      Promise.resolve({
        request: {
          outbox_id: 1, key: `statement:${number}`, kind: 'bank_statement', reference: `st-${number}`, at: DAY, currency: 'USD', begin_minor: 10_000,
          end_minor: 13_611,
          lines: [
            { external_id: `${number}-1`, at: DAY, text: 'sales', amount_minor: 3_750 },
            { external_id: `${number}-2`, at: DAY, text: 'fees', amount_minor: -139 },
          ],
        }, // prettier-ignore
        seen: async () => ({
          statements: await look(world, 'account.bank.statement', [['name', '=', `st-${number}`]], ['balance_start', 'balance_end_real', 'is_complete']), // prettier-ignore
          lines: await look(world, 'account.bank.statement.line', [['statement_id.name', '=', `st-${number}`]], ['payment_ref', 'amount', 'state']), // prettier-ignore
        }),
        wanted: BANKED,
      }),
  },
]

/** An order of nobody's kind: it makes the products for shipping and discounts that all others share. */
export const tellFirst = (world: KillWorld, number: string): Promise<void> => tell(world, orderRequest(world, number))

export const DOCUMENT_KINDS: readonly DocumentKind[] = [...KINDS_OF_ORDERS, ...KINDS_OF_GOODS, ...KINDS_OF_MONEY]
