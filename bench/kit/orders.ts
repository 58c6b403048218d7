import { signHmac } from '../../src/connectors/_kit/signatures.ts'
import type { ReceivedRow } from '../../src/db/inbox.ts'
import { decimalFromMinor } from '../../src/core/model/money.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { BODY_BYTES, CURRENCY, SHOP, SKUS, skuOf, STORE, WEBHOOK_SECRET } from './shop.ts'

/** One order as a storefront's webhook brings it. */
export interface BenchOrder {
  id: number
  webhook_id: string
  lines: { sku: string; quantity: number }[]
  body: Buffer
}

export interface OrdersWanted {
  count: number
  /** The first order's number: two sets with other first numbers share no order. */
  first: number
  seed: number
  /** Which SKU (by rank) a line asks for. */
  rank: (random: () => number) => number
  lines_max: number
  /** Shorter bodies are filled up to this. */
  body_bytes?: number
}

/** Ranks by Zipf's law with exponent 1: the best seller is asked for twice as often as the second. */
export function zipf(count: number): (random: () => number) => number {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank += 1) sums[rank] = sum += 1 / (rank + 1)
  return (random) => {
    const wanted = random() * sum
    let low = 0
    let high = count - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((sums[middle] ?? 0) < wanted) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** Distinct orders of distinct buyers with 1 to `lines_max` lines of 1 to 3 units. */
export function makeOrders({
  count,
  first,
  seed,
  rank,
  lines_max,
  body_bytes = BODY_BYTES,
}: OrdersWanted): BenchOrder[] {
  const random = seededRandom(seed)
  return Array.from({ length: count }, (_, index) => {
    const skus = new Set<string>()
    const wanted = 1 + Math.floor(random() * lines_max)
    for (let draw = 0; draw < wanted; draw += 1) skus.add(skuOf(rank(random)))
    const lines = [...skus].map((sku) => ({ sku, quantity: 1 + Math.floor(random() * 3) }))
    const id = 6_000_000_000 + first + index
    return { id, webhook_id: `hook-${id}`, lines, body: Buffer.from(payload(id, lines, body_bytes)) }
  })
}

export const zipfOrders = (count: number, first: number): BenchOrder[] =>
  makeOrders({ count, first, seed: 1 + first, rank: zipf(SKUS), lines_max: 3 })

export const unitsOf = (orders: readonly BenchOrder[]): number =>
  orders.reduce((sum, order) => sum + order.lines.reduce((units, line) => units + line.quantity, 0), 0)

/** What the sender puts on the wire: a signature made from the body, as the vendor makes it. */
export function headersOf(order: BenchOrder, at: string): Record<string, string> {
  return {
    'content-type': 'application/json',
    'x-shopify-topic': 'orders/create',
    'x-shopify-shop-domain': SHOP,
    'x-shopify-webhook-id': order.webhook_id,
    'x-shopify-triggered-at': at,
    'x-shopify-hmac-sha256': signHmac(order.body, WEBHOOK_SECRET, 'base64'),
  }
}

/** The row that the webhook route would have stored for this order. */
export const receivedRow = (order: BenchOrder, at: Date): ReceivedRow => ({
  connection_id: STORE,
  source: 'webhook',
  topic: 'order',
  dedupe_key: order.webhook_id,
  body: order.body,
  observed_at: at,
  received_at: at,
})

const PRICE_MINOR = 1_990
const SHIPPING_MINOR = 490

/** REST shape of a Shopify order, with fields that nobody reads, as there are many in a real one. */
function payload(id: number, lines: readonly { sku: string; quantity: number }[], body_bytes: number): string {
  const gross = lines.reduce((sum, line) => sum + line.quantity * PRICE_MINOR, 0)
  const at = '2026-03-01T12:00:00+01:00'
  const order = {
    id,
    admin_graphql_api_id: `gid://shopify/Order/${id}`,
    app_id: 580111,
    browser_ip: '192.0.2.7',
    confirmed: true,
    name: `#${id}`,
    order_number: id,
    created_at: at,
    processed_at: at,
    updated_at: at,
    cancelled_at: null,
    closed_at: null,
    currency: CURRENCY,
    financial_status: 'paid',
    fulfillment_status: null,
    taxes_included: true,
    test: false,
    tags: '',
    email: `buyer-${id}@example.com`,
    contact_email: `buyer-${id}@example.com`,
    phone: null,
    customer: {
      id: id + 1,
      email: `buyer-${id}@example.com`,
      first_name: 'Robin',
      last_name: `Buyer ${id}`,
      state: 'disabled',
    },
    shipping_address: address(id),
    billing_address: address(id),
    shipping_lines: [
      { id: id + 2, title: 'Standard', code: 'standard', ...money('price', SHIPPING_MINOR), discount_allocations: [] },
    ],
    line_items: lines.map((line, index) => lineItem(id * 10 + index, line)),
    ...money('subtotal_price', gross),
    ...money('total_discounts', 0),
    ...money('total_tax', taxIn(gross)),
    ...money('total_price', gross + SHIPPING_MINOR),
    payment_gateway_names: ['card'],
    fulfillments: [],
    refunds: [],
    landing_site: '',
  }
  const short = body_bytes - JSON.stringify(order).length
  return JSON.stringify(short > 0 ? { ...order, landing_site: `/?utm_content=${'x'.repeat(short)}` } : order)
}

function lineItem(id: number, { sku, quantity }: { sku: string; quantity: number }): object {
  return {
    id,
    sku,
    title: `Item ${sku}`,
    name: `Item ${sku}`,
    vendor: 'Bench',
    grams: 250,
    quantity,
    current_quantity: quantity,
    fulfillable_quantity: quantity,
    fulfillment_status: null,
    ...money('price', PRICE_MINOR),
    requires_shipping: true,
    discount_allocations: [],
    tax_lines: [{ title: 'VAT', rate: 0.19, price: decimalFromMinor(taxIn(quantity * PRICE_MINOR), CURRENCY) }],
  }
}

const taxIn = (gross_minor: number): number => Math.round((gross_minor * 19) / 119)

function money<F extends string>(field: F, minor: number): Record<string, unknown> {
  const amount = decimalFromMinor(minor, CURRENCY)
  return { [field]: amount, [`${field}_set`]: { shop_money: { amount, currency_code: CURRENCY } } }
}

const address = (id: number): object => ({
  name: `Robin Buyer ${id}`,
  first_name: 'Robin',
  last_name: `Buyer ${id}`,
  company: null,
  address1: 'Example Street 1',
  address2: null,
  city: 'Berlin',
  zip: '10115',
  province: null,
  country: 'Germany',
  country_code: 'DE',
  phone: null,
})
