import type { Product, SoldOrder } from '../simulator.ts'
import { applyToBalance, newBalance, type Balance, type BalanceEvent } from './balance.ts'

/** The shop's memory and how each event changes it. Pure: the journal's events, folded again, give the same shop. */

export interface ShopLine {
  id: string
  sku: string
  title: string
  price_minor: number
  /** Every unit ever asked for, the removed ones too: Shopify's `quantity`. */
  ordered: number
  removed: number
}

export interface ShopTransaction {
  id: string
  kind: 'sale' | 'refund'
  amount_minor: number
  payment_id: string | null
  at: string
}

export interface ShopRefund {
  id: string
  at: string
  lines: { line_id: string; quantity: number; restock: 'cancel' | 'no_restock'; shipped: boolean }[]
  transactions: ShopTransaction[]
}

export interface ShopFulfillment {
  id: string
  at: string
  tracking_numbers: string[]
  tracking_company: string | null
  lines: { line_id: string; quantity: number }[]
}

export interface ShopOrder {
  id: string
  name: string
  created_at: string
  updated_at: string
  cancelled_at: string | null
  buyer: { name: string; email: string; country: string }
  lines: ShopLine[]
  shipping_minor: number
  transactions: ShopTransaction[]
  refunds: ShopRefund[]
  fulfillments: ShopFulfillment[]
}

export interface ShelfItem {
  sku: string
  title: string
  price_minor: number
  /** Number that the variant and the inventory item are called by. */
  number: string
  available: number
  updated_at: string
}

export type StockRow = { sku: string; quantity: number }

export type ShopEvent = { at: string } & (
  | { type: 'stocked'; products: Product[] }
  | { type: 'sold'; order: ShopOrder }
  | { type: 'paid'; order_id: string; transaction: ShopTransaction }
  | { type: 'edited'; order_id: string; line_id: string; ordered: number; removed: number }
  | { type: 'refunded'; order_id: string; refund: ShopRefund; cancels_order: boolean }
  | { type: 'fulfilled'; order_id: string; fulfillment: ShopFulfillment }
  /** `answer`: what was said under this key, word for word, because a replay must hear the same. */
  | { type: 'stock_written'; key: string; parameters: string; rows: StockRow[]; answer: unknown }
  | BalanceEvent
)

export interface Shop {
  shelf: Map<string, ShelfItem>
  orders: Map<string, ShopOrder>
  keys: Map<string, { parameters: string; answer: unknown }>
  /** What Shopify Payments took, gave back and paid out. */
  balance: Balance
  events: number
}

export const newShop = (): Shop => ({
  shelf: new Map(),
  orders: new Map(),
  keys: new Map(),
  balance: newBalance(),
  events: 0,
})

/** Shopify's update times have whole seconds. */
export const secondOf = (at: string): string => `${at.slice(0, 19)}Z`

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

export function applyEvent(shop: Shop, event: ShopEvent): void {
  shop.events += 1
  switch (event.type) {
    case 'stocked':
      return event.products.forEach((product) => stock(shop, product, event.at))
    case 'sold':
      shop.orders.set(event.order.id, structuredClone(event.order))
      return event.order.lines.forEach((line) => move(shop, line.sku, -line.ordered, event.at))
    case 'stock_written':
      shop.keys.set(event.key, { parameters: event.parameters, answer: event.answer })
      return event.rows.forEach(({ sku, quantity }) =>
        move(shop, sku, quantity - (shop.shelf.get(sku)?.available ?? 0), event.at),
      )
    case 'paid':
      return void touch(shop, event).transactions.push(event.transaction)
    case 'fulfilled':
      return void touch(shop, event).fulfillments.push(event.fulfillment)
    case 'edited':
      return edit(shop, event)
    case 'refunded':
      return refund(shop, event)
    case 'booked':
    case 'paid_out':
    case 'payout_moved':
      return applyToBalance(shop.balance, event)
  }
}

function stock(shop: Shop, product: Product, at: string): void {
  const known = shop.shelf.get(product.sku)
  const number = known?.number ?? String(7_000_001 + shop.shelf.size)
  const { sku, title, price_minor } = product
  shop.shelf.set(sku, {
    sku,
    title,
    price_minor,
    number,
    available: known?.available ?? product.quantity,
    updated_at: at,
  })
}

function move(shop: Shop, sku: string, units: number, at: string): void {
  const item = shop.shelf.get(sku)
  if (item === undefined) return
  item.available += units
  item.updated_at = at
}

function touch(shop: Shop, event: { order_id: string; at: string }): ShopOrder {
  const order = shop.orders.get(event.order_id)
  if (order === undefined) throw new Error(`the journal names an unknown order ${event.order_id}`)
  order.updated_at = secondOf(event.at)
  return order
}

function edit(shop: Shop, event: Extract<ShopEvent, { type: 'edited' }>): void {
  const line = touch(shop, event).lines.find((candidate) => candidate.id === event.line_id)
  if (line === undefined) return
  const before = line.ordered - line.removed
  line.ordered = event.ordered
  line.removed = event.removed
  move(shop, line.sku, before - (line.ordered - line.removed), event.at)
}

function refund(shop: Shop, event: Extract<ShopEvent, { type: 'refunded' }>): void {
  const order = touch(shop, event)
  order.refunds.push(event.refund)
  if (event.cancels_order) order.cancelled_at = secondOf(event.at)
  for (const { line_id, quantity, restock } of event.refund.lines) {
    const line = order.lines.find((candidate) => candidate.id === line_id)
    if (line !== undefined && restock === 'cancel') move(shop, line.sku, quantity, event.at)
  }
}

// ── what follows from the memory ──────────────────────────────────────────────────────────────────────────────────────────

/** Units of one line: after edits, given back, shipped, and still to be shipped. */
export function unitsOf(order: ShopOrder, line: ShopLine) {
  const items = order.refunds.flatMap((given) => given.lines).filter((item) => item.line_id === line.id)
  const shipped = sum(
    order.fulfillments.flatMap((f) => f.lines.filter((l) => l.line_id === line.id).map((l) => l.quantity)),
  )
  const refunded = sum(items.map((item) => item.quantity))
  const takenOff = sum(items.filter((item) => !item.shipped).map((item) => item.quantity))
  const quantity = line.ordered - line.removed
  return { quantity, refunded, takenOff, shipped, current: quantity - refunded, toShip: quantity - takenOff - shipped }
}

export const collected = (order: ShopOrder): number =>
  sum(order.transactions.map((t) => t.amount_minor)) -
  sum(order.refunds.flatMap((r) => r.transactions).map((t) => t.amount_minor))

export const linesTotal = (order: ShopOrder, units: (line: ShopLine) => number): number =>
  sum(order.lines.map((line) => units(line) * line.price_minor))

/** Prices include 20 % tax; rounded half up in integers. */
export const taxIn = (gross_minor: number): number => Math.floor((gross_minor * 2 + 6) / 12)

export function financialStatus(order: ShopOrder): 'pending' | 'paid' | 'partially_refunded' | 'refunded' | 'voided' {
  if (order.transactions.length === 0) return order.cancelled_at === null ? 'pending' : 'voided'
  if (!order.refunds.some((given) => given.transactions.length > 0)) return 'paid'
  return collected(order) > 0 ? 'partially_refunded' : 'refunded'
}

/** The order in the words of the judge. */
export function soldOrder(order: ShopOrder, currency: string): SoldOrder {
  const skuOf = new Map(order.lines.map((line) => [line.id, line.sku]))
  return {
    external_id: order.id,
    number: order.name,
    placed_ms: Date.parse(order.created_at),
    cancelled: order.cancelled_at !== null,
    paid: order.transactions.length > 0,
    lines: order.lines.map((line) => {
      const units = unitsOf(order, line)
      return {
        line_id: line.id,
        sku: line.sku,
        quantity: units.quantity,
        most_quantity: line.ordered,
        cancelled: units.takenOff,
        shipped: units.shipped,
      }
    }),
    notices: order.fulfillments.flatMap(({ tracking_numbers: [first = '', ...more], lines }) => [
      {
        tracking_number: first,
        lines: lines.map(({ line_id, quantity }) => ({ sku: skuOf.get(line_id) ?? '', quantity })),
      },
      ...more.map((tracking_number) => ({ tracking_number, lines: [] })),
    ]),
    total_minor: linesTotal(order, (line) => line.ordered - line.removed) + order.shipping_minor,
    currency,
    payment_id: order.transactions[0]?.payment_id ?? null,
  }
}
