import { odoo } from '../../../src/connectors/odoo/index.ts'
import type { ErpOrder } from '../../../src/core/model/effects.ts'
import type { Item } from '../../../src/core/model/item.ts'
import { expect } from 'vitest'
import { call, find, type LiveServer, type Row } from './liveServer.ts'

export const NOW = new Date()
/** Tells the records of one run from those of all others. */
export const RUN = NOW.getTime().toString(36)

const ADDRESS = {
  name: 'Ada Example', company: null, line1: '1 Main Street', line2: null, city: 'Springfield', region: 'IL', postcode: '62701',
  country: 'US', phone: null,
} // prettier-ignore

/** The id of a reference. */
export const refOf = (value: unknown): number => (value as [number, string])[0]

export function itemOf(payload: unknown): Item | undefined {
  try {
    const [fact] = odoo.inbound['item']!.map(payload, { observed_at: NOW.toISOString(), settings: {} }).facts
    return fact?.kind === 'item' ? fact.document : undefined
  } catch {
    return undefined
  }
}

export async function makeCatalogue(live: LiveServer, sku: (name: string) => string): Promise<void> {
  const products = [
    { name: 'Mug', sku: 'MUG', weight: 0.4, tracking: 'none' },
    { name: 'Tray', sku: 'TRAY', weight: 0.8, tracking: 'none' },
    { name: 'Side', sku: 'SIDE', weight: 0, tracking: 'none' },
    { name: 'Lotted tea', sku: 'LOT', weight: 0.1, tracking: 'lot' },
    { name: 'Gift kit', sku: 'KIT', weight: 0, tracking: 'none' },
  ]
  const ids = await call<number[]>(live, 'product.product/create', {
    vals_list: products.map((product) => ({
      name: product.name,
      default_code: sku(product.sku),
      type: 'consu',
      is_storable: product.sku !== 'KIT',
      weight: product.weight,
      tracking: product.tracking,
      list_price: 10,
    })),
  })
  const [mug = 0, tray = 0, , , kit = 0] = ids
  const [row] = await find(live, 'product.product', [['id', '=', kit]], ['product_tmpl_id'])
  const template = refOf(row?.['product_tmpl_id'])
  await call(live, 'mrp.bom/create', {
    vals_list: [
      {
        product_tmpl_id: template,
        type: 'phantom',
        product_qty: 1,
        bom_line_ids: [[0, 0, { product_id: mug, product_qty: 2 }], [0, 0, { product_id: tray, product_qty: 1 }]], // prettier-ignore
      },
    ],
  })
  const [warehouse] = await find(live, 'stock.warehouse', [['code', '=', 'WH']], ['lot_stock_id'])
  const name = `Damaged ${RUN}`
  const known = await find(live, 'stock.location', [['name', '=', name]], [])
  if (known.length === 0) {
    const location_id = refOf(warehouse?.['lot_stock_id'])
    await call(live, 'stock.location/create', { vals_list: [{ name, location_id, usage: 'internal' }] })
  }
}

/** 3 mugs at 12.50 less 1.50, 2 kits at 15.00, 1 tea at 10.00, shipping 5.00; 15 % on all but the kits. */
export function orderOf(sku: (name: string) => string, number: string, change: Partial<ErpOrder>): ErpOrder {
  return {
    order_id: number,
    channel: 'shop',
    order_external_id: `gid-${number}`,
    order_number: `SO-${number}`,
    placed_at: '2026-11-20T10:15:30.000Z',
    currency: 'USD',
    lines: [
      { line_external_id: 'l1', sku: sku('MUG'), title: 'Mug, blue', quantity: 3, unit_price_minor: 1_250, discount_minor: 150, tax_minor: 540 },
      { line_external_id: 'l2', sku: sku('KIT'), title: 'Gift kit', quantity: 2, unit_price_minor: 1_500, discount_minor: 0, tax_minor: 0 },
      { line_external_id: 'l3', sku: sku('LOT'), title: null, quantity: 1, unit_price_minor: 1_000, discount_minor: 0, tax_minor: 150 },
    ], // prettier-ignore
    shipping_minor: 500,
    shipping_tax_minor: 75,
    total_minor: 8_865,
    prices_include_tax: false,
    customer: {
      external_id: `person:${number}`,
      name: 'Ada Example',
      email: `ada-${number}@example.test`,
      ship_to: ADDRESS,
      bill_to: null,
    },
    warehouse_code: 'WH',
    ...change,
  }
}

export async function expectOrder(
  live: LiveServer,
  name: string | null,
  wanted: { state: string; amount_total: number; lines: number },
): Promise<void> {
  const orders = await find(
    live,
    'sale.order',
    [['name', '=', name]],
    ['state', 'amount_total', 'order_line', 'date_order'],
  )
  expect(orders).toHaveLength(1)
  const [found] = orders as [Row]
  expect({
    state: found['state'],
    amount_total: found['amount_total'],
    lines: (found['order_line'] as number[]).length,
  }).toEqual(wanted)
  if (wanted.state === 'sale') expect(found['date_order']).toBe('2026-11-20 10:15:30')
}

export async function onHand(live: LiveServer, sku: string, code = 'WH'): Promise<number> {
  const [warehouse] = await find(live, 'stock.warehouse', [['code', '=', code]], ['view_location_id'])
  const root = refOf(warehouse?.['view_location_id'])
  const domain = [['product_id.default_code', '=', sku], ['location_id', 'child_of', root], ['location_id.usage', '=', 'internal']] // prettier-ignore
  const quants = await find(live, 'stock.quant', domain, ['quantity'])
  return quants.reduce((sum, { quantity }) => sum + Number(quantity), 0)
}

export async function secondWarehouse(live: LiveServer): Promise<string> {
  const code = 'FAR'
  const known = await find(live, 'stock.warehouse', [['code', '=', code]], [])
  if (known.length === 0) await call(live, 'stock.warehouse/create', { vals_list: [{ name: 'Far away', code }] })
  return code
}

/** Sales of its own documents, a user of the stock, no books. A password serves as a key over JSON-RPC. */
export async function weakUser(live: LiveServer): Promise<{ login: string; password: string }> {
  const login = `weak-${RUN}@example.test`
  const password = `pw-${RUN}-pw`
  const known = await find(live, 'res.users', [['login', '=', login]], [])
  if (known.length > 0) return { login, password }
  const names = [
    'sales_team.group_sale_salesman',
    'stock.group_stock_user',
    'base.group_user',
    'base.group_partner_manager',
    'account.group_account_invoice',
  ]
  const groups = await find(live, 'ir.model.data', [['model', '=', 'res.groups']], ['module', 'name', 'res_id'])
  const ids = groups
    .filter(({ module, name }) => names.includes(`${String(module)}.${String(name)}`))
    .map(({ res_id }) => res_id)
  await call(live, 'res.users/create', { vals_list: [{ name: 'Weak', login, password, group_ids: [[6, 0, ids]] }] })
  return { login, password }
}
