import { decimalFromMinor } from '../../core/model/money.ts'
import {
  financialStatus, linesTotal, secondOf, taxIn, unitsOf, type ShopEvent, type ShopFulfillment, type ShopLine, type ShopOrder, type ShopRefund, type ShopTransaction,
} from './shop.ts' // prettier-ignore

/** Webhook bodies in the REST shape. Like Shopify's, they name no gateway ids: those travel in order_transactions/create. */

export interface Message {
  topic: string
  body: unknown
}

/** What the shop is to the outside, as far as payloads need it. */
export interface Face {
  shop: string
  currency: string
}

const number = (id: string): number => Number(id)

function money<F extends string>(face: Face, field: F, amount_minor: number): Record<string, unknown> {
  const amount = decimalFromMinor(amount_minor, face.currency)
  const both = { amount, currency_code: face.currency }
  return { [field]: amount, [`${field}_set`]: { shop_money: both, presentment_money: both } }
}

function nameParts(name: string): { first_name: string; last_name: string } {
  const [first_name = '', ...rest] = name.split(' ')
  return { first_name, last_name: rest.join(' ') }
}

/** A number for the buyer that stays the same over orders. */
export function customerNumber(email: string): string {
  const hash = Buffer.from(email).reduce((sum, byte) => (sum * 31 + byte) % 900_000_007, 7)
  return String(6_000_000_000 + hash)
}

function address(order: ShopOrder): Record<string, unknown> {
  return {
    ...nameParts(order.buyer.name),
    name: order.buyer.name,
    company: null,
    address1: 'Sandbox Street 1',
    address2: null,
    city: 'Berlin',
    province: null,
    province_code: null,
    zip: '10115',
    country_code: order.buyer.country,
    phone: null,
  }
}

function lineItem(order: ShopOrder, line: ShopLine, face: Face): Record<string, unknown> {
  const units = unitsOf(order, line)
  const status = units.shipped === 0 ? null : units.toShip > 0 ? 'partial' : 'fulfilled'
  return {
    id: number(line.id),
    admin_graphql_api_id: `gid://shopify/LineItem/${line.id}`,
    sku: line.sku,
    title: line.title,
    name: line.title,
    quantity: line.ordered,
    current_quantity: units.current,
    fulfillable_quantity: units.toShip,
    fulfillment_status: status,
    ...money(face, 'price', line.price_minor),
    requires_shipping: true,
    discount_allocations: [],
    tax_lines: [{ title: 'VAT', rate: 0.2, ...money(face, 'price', taxIn(line.ordered * line.price_minor)) }],
  }
}

function transactionPayload(order: ShopOrder, transaction: ShopTransaction, face: Face): Record<string, unknown> {
  return {
    id: number(transaction.id),
    order_id: number(order.id),
    kind: transaction.kind,
    gateway: 'sandbox',
    status: 'success',
    amount: decimalFromMinor(transaction.amount_minor, face.currency),
    currency: face.currency,
    payment_id: transaction.payment_id,
    authorization: transaction.payment_id,
    created_at: secondOf(transaction.at),
    processed_at: secondOf(transaction.at),
    test: false,
  }
}

function refundPayload(order: ShopOrder, refund: ShopRefund, face: Face): Record<string, unknown> {
  return {
    id: number(refund.id),
    order_id: number(order.id),
    created_at: secondOf(refund.at),
    processed_at: secondOf(refund.at),
    note: null,
    refund_line_items: refund.lines.flatMap(({ line_id, quantity, restock }, index) => {
      const line = order.lines.find((candidate) => candidate.id === line_id)
      if (line === undefined) return []
      const gross = quantity * line.price_minor
      return [
        {
          id: number(refund.id) + index + 1,
          line_item_id: number(line_id),
          quantity,
          restock_type: restock,
          ...money(face, 'subtotal', gross),
          ...money(face, 'total_tax', taxIn(gross)),
          line_item: lineItem(order, line, face),
        },
      ]
    }),
    transactions: refund.transactions.map((transaction) => transactionPayload(order, transaction, face)),
    order_adjustments: [],
  }
}

function fulfillmentPayload(order: ShopOrder, fulfillment: ShopFulfillment): Record<string, unknown> {
  return {
    id: number(fulfillment.id),
    order_id: number(order.id),
    status: 'success',
    created_at: secondOf(fulfillment.at),
    tracking_company: fulfillment.tracking_company,
    tracking_number: fulfillment.tracking_numbers[0] ?? null,
    tracking_numbers: fulfillment.tracking_numbers,
    line_items: fulfillment.lines.map(({ line_id, quantity }) => ({
      id: number(line_id),
      sku: order.lines.find((line) => line.id === line_id)?.sku,
      quantity,
    })),
  }
}

function orderPayload(order: ShopOrder, face: Face): Record<string, unknown> {
  const gross = linesTotal(order, (line) => line.ordered)
  const left = linesTotal(order, (line) => unitsOf(order, line).current)
  return {
    id: number(order.id),
    admin_graphql_api_id: `gid://shopify/Order/${order.id}`,
    name: order.name,
    order_number: number(order.name.slice(1)),
    created_at: order.created_at,
    processed_at: order.created_at,
    updated_at: order.updated_at,
    cancelled_at: order.cancelled_at,
    cancel_reason: order.cancelled_at === null ? null : 'customer',
    closed_at: null,
    currency: face.currency,
    financial_status: financialStatus(order),
    taxes_included: true,
    test: false,
    email: order.buyer.email,
    contact_email: order.buyer.email,
    phone: null,
    customer: {
      id: number(customerNumber(order.buyer.email)),
      email: order.buyer.email,
      ...nameParts(order.buyer.name),
    },
    billing_address: address(order),
    shipping_address: address(order),
    shipping_lines: [
      { title: 'Standard', ...money(face, 'price', order.shipping_minor), discount_allocations: [], is_removed: false },
    ],
    line_items: order.lines.map((line) => lineItem(order, line, face)),
    ...money(face, 'subtotal_price', gross),
    ...money(face, 'total_discounts', 0),
    ...money(
      face,
      'total_tax',
      order.lines.reduce((total, line) => total + taxIn(line.ordered * line.price_minor), 0),
    ),
    ...money(face, 'total_price', gross + order.shipping_minor),
    ...money(face, 'current_subtotal_price', left),
    payment_gateway_names: order.transactions.length > 0 ? ['sandbox'] : [],
    fulfillments: order.fulfillments.map((fulfillment) => fulfillmentPayload(order, fulfillment)),
    refunds: order.refunds.map((refund) => refundPayload(order, refund, face)),
  }
}

/** The webhooks that one event sets off, built from the shop as it stands after the event. */
export function messagesOf(event: ShopEvent, order: ShopOrder | undefined, face: Face): Message[] {
  if (order === undefined) return []
  const whole = (topic: string): Message => ({ topic, body: orderPayload(order, face) })
  const paid = (transaction: ShopTransaction): Message => ({
    topic: 'order_transactions/create',
    body: transactionPayload(order, transaction, face),
  })
  switch (event.type) {
    case 'sold':
      return [
        whole('orders/create'),
        ...event.order.transactions.map(paid),
        ...(event.order.transactions.length > 0 ? [whole('orders/paid')] : []),
      ]
    case 'paid':
      return [paid(event.transaction), whole('orders/paid'), whole('orders/updated')]
    case 'edited':
      return [
        { topic: 'orders/edited', body: { order_edit: { id: 1, order_id: number(order.id) } } },
        whole('orders/updated'),
      ]
    case 'refunded': {
      const told = { topic: 'refunds/create', body: refundPayload(order, event.refund, face) }
      return [told, ...(event.cancels_order ? [whole('orders/cancelled')] : []), whole('orders/updated')]
    }
    case 'fulfilled': {
      const open = order.lines.some((line) => unitsOf(order, line).toShip > 0)
      return [whole(open ? 'orders/partially_fulfilled' : 'orders/fulfilled'), whole('orders/updated')]
    }
    case 'stocked':
    case 'stock_written':
    case 'booked':
    case 'paid_out':
    case 'payout_moved':
      return []
  }
}
