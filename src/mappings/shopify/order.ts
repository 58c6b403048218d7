import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { Order, OrderLine } from '../../core/model/order.ts'
import type { Address } from '../../core/model/party.ts'
import type { Refund } from '../../core/model/payment.ts'
import { defineMapping, fromTable, instantOf, type MappingContext } from '../define.ts'
import {
  RestOrder,
  RestRefund,
  type RestAddress,
  type RestBag,
  type RestLine,
  type RestTransaction,
} from './payloads.ts'

type Loose = string | number | null | undefined
type Item = NonNullable<RestRefund['refund_line_items']>[number]
type Restock = Refund['lines'][number]['restock']

const PAYMENT_STATE: Readonly<Record<string, Order['payment_state']>> = {
  pending: 'pending',
  expired: 'pending',
  authorized: 'authorized',
  partially_paid: 'partially_paid',
  paid: 'paid',
  partially_refunded: 'partially_refunded',
  refunded: 'refunded',
  voided: 'voided',
}
const MONEY_STATUS: Readonly<Record<string, Refund['status']>> = {
  success: 'succeeded',
  pending: 'pending',
  awaiting_response: 'pending',
  unknown: 'pending',
  failure: 'failed',
  error: 'failed',
}
/** What Shopify says became of refunded units → what that means if they never left the building, and if they had. */
const RESTOCK: Readonly<Record<string, readonly [unshipped: Restock, shipped: Restock]>> = {
  cancel: ['cancel', 'cancel'],
  return: ['return', 'return'],
  no_restock: ['cancel', 'none'],
  legacy_restock: ['cancel', 'return'],
}
const FAILED_FULFILLMENTS = ['cancelled', 'error', 'failure']
const PAYING = ['sale', 'capture', 'authorization']

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
export const clip = (value: Loose, length = 200): string | null =>
  String(value ?? '')
    .trim()
    .slice(0, length) || null
/** The share of an amount that falls on `part` of `whole` units, rounded in integers. */
const share = (amount: number, part: number, whole: number): number =>
  part === whole || whole === 0 ? amount : Math.floor((2 * amount * part + whole) / (2 * whole))

/** Shop money of `<field>_set` when it is there, else the plain `<field>`; an amount that is not told is 0. */
export function minor<F extends string>(
  of: { [K in F]?: Loose } & { [K in `${F}_set`]?: RestBag | null },
  field: F,
  currency: string,
): number {
  // TypeScript cannot resolve a key made from a type parameter; the signature above has checked it.
  const bag = of[`${field}_set`] as RestBag | null | undefined
  return minorFromDecimal(String(bag?.shop_money.amount ?? of[field] ?? '0'), currency, `$.${field}`)
}

/** The ids under which gateways know this money, each once, in the order told. */
export function paymentIds(transactions: readonly RestTransaction[]): string[] {
  const told = transactions.filter((t) => MONEY_STATUS[t.status ?? 'success'] !== 'failed')
  return [...new Set(told.flatMap((t) => [clip(t.payment_id), clip(t.authorization)]))]
    .filter((id) => id !== null)
    .slice(0, 50)
}

export const moneyStatus = (word: Loose, context: MappingContext): Refund['status'] =>
  fromTable(MONEY_STATUS, String(word ?? 'success'), 'pending', context, 'transaction status')

/**
 * Units of a line "after edits, before refunds". Shopify's `quantity` counts every unit ever asked for, also those that an edit
 * or a refund took away; `current_quantity` counts neither. So refunded units are added back to the current ones:
 *   ordered 3                                     quantity 3  current 3  refunded 0  →  3
 *   edited down to 2                              quantity 3  current 2  refunded 0  →  2
 *   edited up to 5                                quantity 5  current 5  refunded 0  →  5
 *   ordered 3, one refunded                       quantity 3  current 2  refunded 1  →  3 (and a refund line of 1)
 *   edited down to 2, then one refunded           quantity 3  current 1  refunded 1  →  2
 *   a removal that Shopify shows as a refund      quantity 3  current 2  refunded 1  →  3 (one cancelled: 2 wanted)
 *   removed whole                                 quantity 3  current 0  refunded 0  →  0
 * Payloads from before `current_quantity` know no edits: `quantity` it is.
 */
export function unitsAfterEdits(line: Pick<RestLine, 'quantity' | 'current_quantity'>, refunded: number): number {
  return Math.min(line.quantity, (line.current_quantity ?? line.quantity) + refunded)
}

/** The line at a quantity: vendor amounts count edited-away units too, so discount and tax are cut to the share that is left. */
function lineAt(line: RestLine, quantity: number, currency: string): OrderLine {
  const unit = minor(line, 'price', currency)
  const allocated = line.discount_allocations?.map((d) => minor(d, 'amount', currency))
  const discount = share(sum(allocated ?? [minor(line, 'total_discount', currency)]), quantity, line.quantity)
  return {
    external_id: String(line.id),
    channel_sku: clip(line.sku) ?? (line.variant_id ? `variant-${line.variant_id}` : `line-${line.id}`),
    title: clip(line.name ?? line.title, 500),
    quantity,
    unit_price_minor: unit,
    discount_minor: discount,
    tax_minor: share(sum((line.tax_lines ?? []).map((tax) => minor(tax, 'price', currency))), quantity, line.quantity),
    total_minor: unit * quantity - discount,
    requires_shipping: line.requires_shipping ?? true,
  }
}

function addressOf(address: RestAddress | null | undefined): Address | null {
  if (!address) return null
  const country = clip(address.country_code)?.toUpperCase() ?? ''
  return {
    name: clip(address.name) ?? clip([address.first_name, address.last_name].filter(Boolean).join(' ')),
    company: clip(address.company),
    line1: clip(address.address1, 300),
    line2: clip(address.address2, 300),
    city: clip(address.city),
    region: clip(address.province_code ?? address.province),
    postcode: clip(address.zip, 40),
    country: /^[A-Z]{2}$/.test(country) ? country : null,
    phone: clip(address.phone, 60),
  }
}

const refundedUnits = (order: RestOrder, line: RestLine, word?: string): number =>
  sum(
    (order.refunds ?? [])
      .flatMap((refund) => refund.refund_line_items ?? [])
      .filter(
        (item) => String(item.line_item_id) === String(line.id) && (word === undefined || item.restock_type === word),
      )
      .map((item) => item.quantity),
  )

/**
 * Shopify takes refunded units off the work even when they are not restocked, and the hub must not ship them either. Units of a
 * line that are neither shipped, nor cancelled, nor still to be shipped were taken off unshipped; that number stays the same while
 * the rest ships, so the verdict on an old refund does not change with time.
 */
function unshippedJudge(order: RestOrder): (item: Item) => boolean {
  const done = (order.fulfillments ?? []).filter((f) => !FAILED_FULFILLMENTS.includes(f.status ?? ''))
  const taken = new Map<string, number>()
  for (const line of order.line_items) {
    if (typeof line.fulfillable_quantity !== 'number') continue
    const shipped = done.flatMap((f) => f.line_items ?? []).filter((l) => String(l.id) === String(line.id))
    const wanted = unitsAfterEdits(line, refundedUnits(order, line)) - refundedUnits(order, line, 'cancel')
    taken.set(String(line.id), wanted - sum(shipped.map((l) => l.quantity)) - line.fulfillable_quantity)
  }
  return (item) => {
    const left = taken.get(String(item.line_item_id)) ?? 0
    if (item.restock_type === 'cancel' || item.restock_type === 'return' || left < item.quantity) return false
    taken.set(String(item.line_item_id), left - item.quantity)
    return true
  }
}

interface RefundedOrder {
  id: string
  number: string | null
  currency: string
  unshipped: (item: Item) => boolean
}

function refundDocument(refund: RestRefund, order: RefundedOrder, context: MappingContext): Refund {
  const { currency } = order
  const lines = (refund.refund_line_items ?? []).map((item) => {
    const word = item.restock_type ?? (refund.restock === true ? 'legacy_restock' : 'no_restock')
    const [unshipped, shipped] = fromTable(RESTOCK, word, ['none', 'none'], context, 'restock type')
    const told = item.subtotal_set ?? item.subtotal ?? null
    const line = told === null && item.line_item ? lineAt(item.line_item, item.quantity, currency) : undefined
    return {
      line_external_id: String(item.line_item_id),
      quantity: item.quantity,
      restock: order.unshipped(item) ? unshipped : shipped,
      amount_minor: line?.total_minor ?? minor(item, 'subtotal', currency),
      tax_minor: line?.tax_minor ?? minor(item, 'total_tax', currency),
    }
  })
  const money = (refund.transactions ?? []).filter((t) => t.kind === 'refund')
  const states = money.map((t) => moneyStatus(t.status, context))
  const foreign = money.some((t) => !t.amount_set && (t.currency ?? currency) !== currency)
  if (foreign) context.warn('refund paid in another currency than the order: amount taken from its lines')
  const paid = foreign ? [] : money.filter((_, i) => states[i] !== 'failed').map((t) => minor(t, 'amount', currency))
  const failed = states.length > 0 && states.every((state) => state === 'failed')
  return {
    external_id: String(refund.id),
    status: states.includes('pending') ? 'pending' : failed ? 'failed' : 'succeeded',
    at: instantOf(refund.processed_at ?? refund.created_at ?? context.observed_at, '$.created_at'),
    currency,
    amount_minor: foreign ? sum(lines.map((line) => line.amount_minor)) : sum(paid),
    reason: clip(refund.note),
    lines,
    references: { order_external_id: order.id, order_number: order.number, payment_ids: paymentIds(money) },
  }
}

/**
 * Totals "after edits, before refunds". Vendor totals are before returns and, like `quantity`, still hold what edits removed:
 * that part is taken off.
 */
function totalsOf(order: RestOrder, left: readonly OrderLine[], refunds: readonly Refund[]): Order['totals'] {
  const { currency } = order
  const all = order.line_items.map((line) => lineAt(line, line.quantity, currency))
  const gone = (field: 'total_minor' | 'discount_minor' | 'tax_minor'): number =>
    sum(all.map((line) => line[field])) - sum(left.map((line) => line[field]))
  const shipping = (order.shipping_lines ?? []).filter((line) => line.is_removed !== true)
  const shippingDiscounts = shipping
    .flatMap((line) => line.discount_allocations ?? [])
    .map((d) => minor(d, 'amount', currency))
  const taxOnTop = order.taxes_included === true ? 0 : gone('tax_minor')
  return {
    subtotal_minor: minor(order, 'subtotal_price', currency) - gone('total_minor'),
    discount_minor: minor(order, 'total_discounts', currency) - gone('discount_minor'),
    shipping_minor: sum(shipping.map((line) => minor(line, 'price', currency))) - sum(shippingDiscounts),
    tax_minor: minor(order, 'total_tax', currency) - gone('tax_minor'),
    total_minor: minor(order, 'total_price', currency) - gone('total_minor') - taxOnTop,
    refunded_minor: sum(refunds.filter((refund) => refund.status === 'succeeded').map((refund) => refund.amount_minor)),
  }
}

/** One canonical order from the REST shape. The polled GraphQL node is brought into this shape first, so both ways agree. */
export function orderDocument(order: RestOrder, context: MappingContext): Order {
  const { currency, customer } = order
  const id = String(order.id)
  const number = clip(order.name ?? order.order_number) ?? id
  const unshipped = unshippedJudge(order)
  const refunds = (order.refunds ?? []).map((refund) =>
    refundDocument(refund, { id, number, currency, unshipped }, context),
  )
  const lines = order.line_items.map((line) =>
    lineAt(line, unitsAfterEdits(line, refundedUnits(order, line)), currency),
  )
  const name = clip([customer?.first_name, customer?.last_name].filter(Boolean).join(' '))
  const email = clip(order.email ?? order.contact_email ?? customer?.email, 320)
  const titles = (order.shipping_lines ?? []).filter((line) => line.is_removed !== true).map((line) => clip(line.title))
  return {
    external_id: id,
    number,
    version: {
      updated_at: instantOf(order.updated_at, '$.updated_at'),
      observed_at: instantOf(context.observed_at, '$'),
    },
    placed_at: instantOf(order.processed_at ?? order.created_at, '$.created_at'),
    currency,
    lifecycle: order.cancelled_at ? 'cancelled' : order.closed_at ? 'closed' : 'open',
    cancelled_at: order.cancelled_at ? instantOf(order.cancelled_at, '$.cancelled_at') : null,
    payment_state: fromTable(
      PAYMENT_STATE,
      order.financial_status ?? 'pending',
      'pending',
      context,
      'financial status',
    ),
    taxes_included: order.taxes_included ?? false,
    test: order.test ?? false,
    buyer: customer || email ? { external_id: clip(customer?.id), name, email, phone: clip(order.phone, 60) } : null,
    ship_to: addressOf(order.shipping_address),
    bill_to: addressOf(order.billing_address),
    shipping_method: clip(titles.filter(Boolean).join(' + ')),
    lines,
    totals: totalsOf(order, lines, refunds),
    payment_ids: paymentIds((order.transactions ?? []).filter((t) => PAYING.includes(t.kind))),
    refunds,
  }
}

/** `orders/create`, `orders/updated`, `orders/paid`, `orders/cancelled`: every one carries the whole order. */
export const order = defineMapping({
  from: RestOrder,
  map: (payload, context) => [{ kind: 'order', document: orderDocument(payload, context) }],
})

/**
 * `refunds/create`. It names no currency of its own, and of shipping it knows only what its copy of the line says: null means that
 * nothing of the line was fulfilled. The order's next picture is exact and settles the rest.
 */
export const refund = defineMapping({
  from: RestRefund,
  map: (payload, context) => {
    const bag = payload.refund_line_items?.find((item) => item.subtotal_set)?.subtotal_set
    const paid = payload.transactions?.find((t) => t.currency)?.currency
    const currency = bag?.shop_money.currency_code ?? context.settings['currency'] ?? paid
    if (typeof currency !== 'string' || !payload.order_id) {
      throw new HubError('payload_invalid', 'the refund names no currency or no order', { path: '$' })
    }
    const unshipped = (item: Item): boolean => item.line_item?.fulfillment_status === null
    const owner = { id: String(payload.order_id), number: null, currency, unshipped }
    return [{ kind: 'refund', document: refundDocument(payload, owner, context) }]
  },
})
