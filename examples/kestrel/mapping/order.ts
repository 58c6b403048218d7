import Type from 'typebox'
import type { Order, OrderLine } from '../../../src/core/model/order.ts'
import { minorFromDecimal } from '../../../src/core/model/money.ts'
import { defineMapping, fromTable, instantOf, type MappingContext } from '../../../src/mappings/define.ts'

const Maybe = Type.Union([Type.String(), Type.Null()])
const Units = Type.Integer({ minimum: 0 })

/** Only what is read: a vendor that adds fields breaks nothing. */
const KestrelOrder = Type.Object({
  id: Type.String(),
  number: Type.String(),
  status: Type.String(),
  placed_at: Type.String(),
  changed_at: Type.String(),
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  buyer: Type.Object({ name: Type.String(), email: Type.String() }),
  shipping_address: Type.Object({
    name: Type.String(),
    company: Maybe,
    street: Type.String(),
    street_extra: Maybe,
    postcode: Type.String(),
    city: Type.String(),
    region: Maybe,
    country: Type.String(),
    phone: Maybe,
  }),
  lines: Type.Array(
    Type.Object({
      id: Type.String(),
      sku: Type.String(),
      title: Type.String(),
      quantity: Units,
      cancelled_quantity: Units,
      unit_price: Type.String(),
      discount: Type.String(),
      vat: Type.String(),
      total: Type.String(),
    }),
  ),
  shipping_price: Type.String(),
  shipping_vat: Type.String(),
  total: Type.String(),
})
type KestrelOrder = Type.Static<typeof KestrelOrder>

type Standing = Pick<Order, 'lifecycle' | 'payment_state'>

/** Kestrel's one status on our two axes. It ships nothing before it is paid, so whatever has left was. */
const STATUSES: Readonly<Record<string, Standing>> = {
  awaiting_payment: { lifecycle: 'open', payment_state: 'pending' },
  paid: { lifecycle: 'open', payment_state: 'paid' },
  part_shipped: { lifecycle: 'open', payment_state: 'paid' },
  shipped: { lifecycle: 'closed', payment_state: 'paid' },
  cancelled: { lifecycle: 'cancelled', payment_state: 'voided' },
}
const UNKNOWN: Standing = { lifecycle: 'open', payment_state: 'pending' }

/** One order as the lists and `GET /v1/orders/{id}` bring it. */
export const kestrelOrder = defineMapping({
  from: KestrelOrder,
  map: (order, context) => [{ kind: 'order', document: orderOf(order, context, '$') }],
})

/** What a webhook brings: the order as it was when the event happened. */
export const kestrelOrderEvent = defineMapping({
  from: Type.Object({ order: KestrelOrder }),
  map: ({ order }, context) => [{ kind: 'order', document: orderOf(order, context, '$.order') }],
})

function orderOf(order: KestrelOrder, context: MappingContext, path: string): Order {
  const { lifecycle, payment_state } = fromTable(STATUSES, order.status, UNKNOWN, context, 'order status')
  const updated_at = instantOf(order.changed_at, `${path}.changed_at`)
  return {
    external_id: order.id,
    number: order.number,
    version: { updated_at, observed_at: context.observed_at },
    placed_at: instantOf(order.placed_at, `${path}.placed_at`),
    currency: order.currency,
    lifecycle,
    cancelled_at: lifecycle === 'cancelled' ? updated_at : null,
    payment_state,
    taxes_included: true,
    test: false,
    buyer: { external_id: null, name: order.buyer.name, email: order.buyer.email, phone: null },
    ship_to: addressOf(order.shipping_address),
    bill_to: null,
    shipping_method: null,
    lines: order.lines.map((line, index) => lineOf(line, order.currency, `${path}.lines[${index}]`)),
    totals: totalsOf(order, context, path),
    payment_ids: [],
    refunds: [],
  }
}

function addressOf({ street, street_extra, ...address }: KestrelOrder['shipping_address']): Order['ship_to'] {
  const { name, company, postcode, city, region, country, phone } = address
  return { name, company, line1: street, line2: street_extra, city, region, postcode, country, phone }
}

/** What was cancelled is not wanted any more; the amounts stay those of the sale, as Kestrel leaves them. */
function lineOf(line: KestrelOrder['lines'][number], currency: string, path: string): OrderLine {
  const amount = (field: 'unit_price' | 'discount' | 'vat' | 'total'): number =>
    minorFromDecimal(line[field], currency, `${path}.${field}`)
  return {
    external_id: line.id,
    channel_sku: line.sku,
    title: line.title,
    quantity: line.quantity - line.cancelled_quantity,
    unit_price_minor: amount('unit_price'),
    discount_minor: amount('discount'),
    tax_minor: amount('vat'),
    total_minor: amount('total'),
    requires_shipping: true,
  }
}

function totalsOf(order: KestrelOrder, context: MappingContext, path: string): Order['totals'] {
  const amount = (text: string, field: string): number => minorFromDecimal(text, order.currency, `${path}.${field}`)
  const sumOf = (field: 'discount' | 'vat' | 'total'): number =>
    order.lines.reduce((sum, line, index) => sum + amount(line[field], `lines[${index}].${field}`), 0)
  const discount_minor = sumOf('discount')
  const shipping_minor = amount(order.shipping_price, 'shipping_price')
  const subtotal_minor = sumOf('total') + discount_minor
  const total_minor = amount(order.total, 'total')
  const rest = total_minor - (subtotal_minor - discount_minor + shipping_minor)
  if (rest !== 0) context.warn(`the order's amounts do not add up to its total by ${rest} minor units`)
  return {
    subtotal_minor,
    discount_minor,
    shipping_minor,
    tax_minor: sumOf('vat') + amount(order.shipping_vat, 'shipping_vat'),
    total_minor,
    refunded_minor: 0,
  }
}
