import { decimalFromMinor } from '../core/model/money.ts'
import type { VendorAnswer, VendorRequest } from './vendorServer.ts'
import { orderTotal, type Shop, type ShopOrder, type ShopProduct } from './woocommerceShop.ts'

export interface Hook {
  id: number
  name: string
  topic: string
  status: 'active' | 'disabled'
  failures: number
}

export interface RestOptions {
  shop: Shop
  consumer_key: string
  consumer_secret: string
  hooks: () => readonly (Hook & { delivery_url: string })[]
  reviveHook: (id: number) => void
  now: () => Date
}

const ROOT = '/wp-json/wc/v3'
const PER_PAGE_DEFAULT = 10
const PER_PAGE_MAX = 100
const BATCH_MAX = 100

const json = (status: number, value: unknown, headers: Record<string, string> = {}): VendorAnswer => ({
  status,
  headers,
  body: JSON.stringify(value),
})
const refused = (status: number, code: string, message: string): VendorAnswer =>
  json(status, { code, message, data: { status } })

type Handler = (request: VendorRequest, options: RestOptions, ...ids: number[]) => VendorAnswer

const ROUTES: readonly { method: string; path: RegExp; handle: Handler }[] = [
  { method: 'GET', path: /^\/orders$/, handle: listOrders },
  { method: 'GET', path: /^\/orders\/(\d+)$/, handle: getOrder },
  { method: 'PUT', path: /^\/orders\/(\d+)$/, handle: putOrder },
  { method: 'GET', path: /^\/orders\/(\d+)\/refunds$/, handle: listRefunds },
  { method: 'GET', path: /^\/products$/, handle: listProducts },
  { method: 'POST', path: /^\/products\/batch$/, handle: batch },
  { method: 'GET', path: /^\/products\/(\d+)\/variations$/, handle: listVariations },
  { method: 'POST', path: /^\/products\/(\d+)\/variations\/batch$/, handle: batch },
  { method: 'GET', path: /^\/webhooks$/, handle: listHooks },
  { method: 'PUT', path: /^\/webhooks\/(\d+)$/, handle: putHook },
]

/** The part of WooCommerce's REST API v3 that a hub speaks. */
export function answerRest(request: VendorRequest, options: RestOptions): VendorAnswer {
  const expected = `Basic ${Buffer.from(`${options.consumer_key}:${options.consumer_secret}`).toString('base64')}`
  if (request.headers['authorization'] !== expected) {
    return refused(401, 'woocommerce_rest_cannot_view', 'Sorry, you cannot list resources.')
  }
  const path = request.path.startsWith(`${ROOT}/`) ? request.path.slice(ROOT.length) : ''
  for (const route of ROUTES) {
    const match = request.method === route.method ? route.path.exec(path) : null
    if (match !== null) return route.handle(request, options, ...match.slice(1).map(Number))
  }
  return refused(404, 'rest_no_route', 'No route was found matching the URL and request method.')
}

/** Page numbers count from 1; a page past the end is an empty list. */
function paged(request: VendorRequest, rows: readonly unknown[]): VendorAnswer {
  const per_page = Number(request.query.get('per_page') ?? PER_PAGE_DEFAULT)
  const page = Number(request.query.get('page') ?? 1)
  if (!(per_page >= 1 && per_page <= PER_PAGE_MAX))
    return refused(400, 'rest_invalid_param', 'Invalid parameter(s): per_page')
  const totals = { 'x-wp-total': String(rows.length), 'x-wp-totalpages': String(Math.ceil(rows.length / per_page)) }
  return json(200, rows.slice((page - 1) * per_page, page * per_page), totals)
}

const second = (ms: number): number => Math.floor(ms / 1_000)
const gmt = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString().slice(0, 19))

function listOrders(request: VendorRequest, { shop }: RestOptions): VendorAnswer {
  const { query } = request
  const status = query.get('status') ?? 'any'
  const after = query.get('modified_after')
  const after_s = after === null ? -1 : second(Date.parse(`${after}Z`))
  const by = query.get('orderby') === 'modified' ? ('modified_ms' as const) : ('created_ms' as const)
  const sign = query.get('order') === 'asc' ? 1 : -1
  const rows = shop
    .orders()
    .filter(
      (order) =>
        (status === 'any' ? order.status !== 'trash' : order.status === status) && second(order.modified_ms) > after_s,
    )
    .toSorted((a, b) => sign * (second(a[by]) - second(b[by]) || a.id - b.id))
  return paged(request, rows.map((order) => orderJson(order, shop))) // prettier-ignore
}

const noOrder = (): VendorAnswer => refused(404, 'woocommerce_rest_shop_order_invalid_id', 'Invalid ID.')

function getOrder(_request: VendorRequest, { shop }: RestOptions, id = 0): VendorAnswer {
  const order = shop.order(id)
  return order === undefined ? noOrder() : json(200, orderJson(order, shop))
}

/** Meta data under a known key replaces the entry, under a new key adds one. */
function putOrder(request: VendorRequest, { shop, now }: RestOptions, id = 0): VendorAnswer {
  const order = shop.order(id)
  if (order === undefined) return noOrder()
  const change = JSON.parse(request.body) as {
    status?: ShopOrder['status']
    meta_data?: { key: string; value: unknown }[]
  }
  const meta = [...order.meta]
  for (const { key, value } of change.meta_data ?? []) {
    const known = meta.findIndex((entry) => entry.key === key)
    if (known >= 0) meta[known] = { id: meta[known]?.id ?? 0, key, value }
    else meta.push({ id: shop.nextId(), key, value })
  }
  const completed_ms = change.status === 'completed' ? (order.completed_ms ?? now().getTime()) : order.completed_ms
  shop.save({ ...order, meta, status: change.status ?? order.status, completed_ms }, 'order.updated')
  return getOrder(request, { shop } as RestOptions, id)
}

function listRefunds(request: VendorRequest, { shop }: RestOptions, id = 0): VendorAnswer {
  const order = shop.order(id)
  if (order === undefined) return noOrder()
  const money = (minor: number): string => decimalFromMinor(minor, shop.currency)
  const rows = order.refunds.toReversed().map((refund) => ({
    id: refund.id,
    date_created_gmt: gmt(refund.at_ms),
    amount: money(refund.lines.reduce((total, line) => total + line.amount_minor, 0)),
    reason: '',
    refunded_payment: false,
    line_items: refund.lines.map((line) => ({
      id: refund.id * 10 + 1,
      quantity: line.quantity === 0 ? 0 : -line.quantity,
      total: money(-line.amount_minor),
      total_tax: money(0),
      meta_data: [{ id: refund.id * 10 + 2, key: '_refunded_item_id', value: String(line.line_id) }],
    })),
    _links: { up: [{ href: `${ROOT}/orders/${id}` }] },
  }))
  return paged(request, rows)
}

/** The order as the API and the webhooks show it. */
export function orderJson(order: ShopOrder, shop: Shop): unknown {
  const money = (minor: number): string => decimalFromMinor(minor, shop.currency)
  const [first_name = '', ...rest] = order.buyer.name.split(' ')
  const { email, country } = order.buyer
  const address = { first_name, last_name: rest.join(' '), company: '', address_1: `Street ${order.id}`, address_2: '', city: 'Hamburg', state: '', postcode: '20095', country, phone: '' } // prettier-ignore
  const times = {
    date_created: order.created_ms,
    date_modified: order.modified_ms,
    date_paid: order.paid_ms,
    date_completed: order.completed_ms,
  }
  return {
    id: order.id,
    parent_id: 0,
    number: String(order.id),
    status: order.status,
    currency: shop.currency,
    ...Object.fromEntries(Object.entries(times).map(([name, ms]) => [`${name}_gmt`, gmt(ms)])),
    prices_include_tax: false,
    customer_id: 0,
    discount_total: money(0),
    discount_tax: money(0),
    shipping_total: money(0),
    shipping_tax: money(0),
    total: money(orderTotal(order)),
    total_tax: money(0),
    billing: { ...address, email },
    shipping: address,
    payment_method: 'stripe',
    transaction_id: order.payment_id,
    line_items: order.lines.filter((line) => line.quantity > 0).map((line) => lineJson(line, shop)),
    tax_lines: [],
    shipping_lines: [
      { id: order.id * 10, method_title: 'Standard', method_id: 'flat_rate', total: money(0), total_tax: money(0) },
    ],
    fee_lines: [],
    coupon_lines: [],
    refunds: order.refunds.map((refund) => ({
      id: refund.id,
      reason: '',
      total: money(-refund.lines.reduce((total, line) => total + line.amount_minor, 0)),
    })),
    meta_data: order.meta,
  }
}

function lineJson(line: ShopOrder['lines'][number], shop: Shop): unknown {
  const product = shop.catalogue.find((candidate) => candidate.sku === line.sku)
  const sum = decimalFromMinor(line.price_minor * line.quantity, shop.currency)
  const none = decimalFromMinor(0, shop.currency)
  const { product_id = 0, variation_id = 0 } = product ?? {}
  const price = line.price_minor / 100
  return { id: line.id, name: line.title, product_id, variation_id, quantity: line.quantity, subtotal: sum, subtotal_tax: none, total: sum, total_tax: none, sku: line.sku, price, meta_data: [] } // prettier-ignore
}

// ── products ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const idOf = (product: ShopProduct): number => (product.variation_id === 0 ? product.product_id : product.variation_id)

function productJson(product: ShopProduct, shop: Shop): Record<string, unknown> {
  const variation = product.variation_id !== 0
  return {
    id: idOf(product),
    parent_id: variation ? product.product_id : 0,
    name: product.title,
    type: variation ? 'variation' : 'simple',
    status: 'publish',
    sku: product.sku,
    manage_stock: true,
    stock_quantity: shop.shownOf(product.sku),
  }
}

/** Variations appear in the product list only when they are asked for by SKU. */
function listProducts(request: VendorRequest, { shop }: RestOptions): VendorAnswer {
  const skus = request.query.get('sku')?.split(',')
  const include = request.query.get('include')?.split(',').map(Number)
  if (skus !== undefined) return paged(request, shop.catalogue.filter(({ sku }) => skus.includes(sku)).map((each) => productJson(each, shop))) // prettier-ignore
  const simple = shop.catalogue
    .filter((product) => product.variation_id === 0)
    .map((product) => productJson(product, shop))
  const parents = new Set(
    shop.catalogue.filter((product) => product.variation_id !== 0).map((product) => product.product_id),
  )
  const rows = [...simple, ...[...parents].map((id) => ({ id, parent_id: 0, name: `Parent ${id}`, type: 'variable', sku: '', manage_stock: false, stock_quantity: null }))] // prettier-ignore
  return paged(request, rows.filter((row) => include === undefined || include.includes(Number(row['id'])))) // prettier-ignore
}

function listVariations(request: VendorRequest, { shop }: RestOptions, parent = 0): VendorAnswer {
  const include = request.query.get('include')?.split(',').map(Number)
  const rows = shop.catalogue.filter((product) => product.variation_id !== 0 && product.product_id === parent)
  const asked = rows.filter((product) => include === undefined || include.includes(product.variation_id))
  return paged(request, asked.map((product) => productJson(product, shop))) // prettier-ignore
}

/** Each object by itself: what cannot be written has its own `error` inside the 200. */
function batch(request: VendorRequest, { shop }: RestOptions, parent = 0): VendorAnswer {
  const { update = [] } = JSON.parse(request.body) as { update?: { id: number; stock_quantity?: unknown }[] }
  if (update.length > BATCH_MAX) return refused(413, 'woocommerce_rest_request_entity_too_large', 'Unable to accept more than 100 items for this request.') // prettier-ignore
  const rows = update.map(({ id, stock_quantity }) => {
    const product = shop.catalogue.find((each) => (parent === 0 ? each.product_id === id && each.variation_id === 0 : each.variation_id === id && each.product_id === parent)) // prettier-ignore
    const word = parent === 0 ? 'woocommerce_rest_product_invalid_id' : 'woocommerce_rest_product_variation_invalid_id'
    if (product === undefined) return { id, error: { code: word, message: 'Invalid ID.', data: { status: 400 } } }
    if (!Number.isInteger(stock_quantity)) return { id, error: { code: 'rest_invalid_param', message: 'stock_quantity is not of type integer.', data: { status: 400 } } } // prettier-ignore
    shop.writeStock(product.sku, Number(stock_quantity))
    return productJson(product, shop)
  })
  return json(200, { update: rows })
}

// ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function listHooks(request: VendorRequest, { hooks }: RestOptions): VendorAnswer {
  const status = request.query.get('status') ?? 'all'
  const rows = hooks().filter((hook) => status === 'all' || hook.status === status)
  return paged(request, rows.map(({ failures: _failures, ...hook }) => hook)) // prettier-ignore
}

function putHook(request: VendorRequest, { hooks, reviveHook }: RestOptions, id = 0): VendorAnswer {
  if (!hooks().some((hook) => hook.id === id))
    return refused(404, 'woocommerce_rest_shop_webhook_invalid_id', 'Invalid ID.')
  const { status } = JSON.parse(request.body) as { status?: string }
  if (status === 'active') reviveHook(id)
  const hook = hooks().find((each) => each.id === id)
  return json(200, hook)
}
