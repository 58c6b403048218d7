import type { Fact } from '../../core/model/fact.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { Order, OrderLine } from '../../core/model/order.ts'
import type { Address, Party } from '../../core/model/party.ts'
import { defineMapping, fromTable, instantOf, type MappingContext } from '../define.ts'
import { WooDeleted, WooOrder, type WooAddress, type WooLine } from './payloads.ts'
import { refundOf } from './refund.ts'
import { channelSku } from './product.ts'

type Standing = { lifecycle: Order['lifecycle'] | 'draft' | 'refunded'; unpaid: Order['payment_state'] }

/**
 * The shop's one status on our two axes. `unpaid` is what an order without a payment date counts as: `processing` without one is
 * cash on delivery, which the merchant has accepted. `failed` stays open because the buyer may pay the same order again.
 */
const STATUSES: Readonly<Record<string, Standing>> = {
  pending: { lifecycle: 'open', unpaid: 'pending' },
  'on-hold': { lifecycle: 'open', unpaid: 'pending' },
  processing: { lifecycle: 'open', unpaid: 'authorized' },
  completed: { lifecycle: 'closed', unpaid: 'authorized' },
  cancelled: { lifecycle: 'cancelled', unpaid: 'voided' },
  refunded: { lifecycle: 'refunded', unpaid: 'refunded' },
  failed: { lifecycle: 'open', unpaid: 'pending' },
  trash: { lifecycle: 'cancelled', unpaid: 'voided' },
  'checkout-draft': { lifecycle: 'draft', unpaid: 'pending' },
}
const UNKNOWN_STATUS: Standing = { lifecycle: 'open', unpaid: 'pending' }

/** Order meta in which gateway plugins note further names of the same money, beside `transaction_id`. */
const PAYMENT_META = new Set(['_stripe_intent_id', '_stripe_charge_id', '_intent_id', '_charge_id'])

/**
 * A whole order. Amounts of the shop are always without tax; where its prices include tax they are mapped with it, so that
 * `taxes_included` says the truth about every amount. A line is never shown as refunded here, so refunds are told only with
 * their details (`refund_details`); without them a signal asks the orders pull to fetch them.
 */
export const wooOrder = defineMapping({
  from: WooOrder,
  map: (order, context): Fact[] => {
    const standing = fromTable(STATUSES, order.status, UNKNOWN_STATUS, context, 'order status')
    if (standing.lifecycle === 'draft') return []
    const document = orderDocument(order, standing, context)
    const detailsMissing = order.refunds.length > 0 && order.refund_details === undefined
    return [
      { kind: 'order', document },
      ...(detailsMissing
        ? [{ kind: 'signal' as const, document: { stream: 'orders' as const, reference: document.external_id } }]
        : []),
    ]
  },
})

/** An order that was deleted: only its id is left, so the version is the moment of the word itself. */
export const wooCancellation = defineMapping({
  from: WooDeleted,
  map: (deleted, context): Fact[] => {
    const version = { updated_at: context.observed_at, observed_at: context.observed_at }
    return [
      { kind: 'cancellation', document: { external_id: String(deleted.id), version, reason: 'deleted in the shop' } },
    ]
  },
})

function orderDocument(order: WooOrder, standing: Standing, context: MappingContext): Order {
  const totals = totalsOf(order, context)
  const lifecycle = lifecycleOf(order, standing)
  const updated_at = instantOf(
    order.date_modified_gmt ?? order.date_created_gmt ?? context.observed_at,
    '$.date_modified_gmt',
  )
  const paymentIds = [
    order.transaction_id,
    ...(order.meta_data ?? []).map(({ key, value }) => (PAYMENT_META.has(key) ? value : '')),
  ]
  return {
    external_id: String(order.id),
    number: order.number === '' ? String(order.id) : order.number,
    version: { updated_at, observed_at: context.observed_at },
    placed_at: instantOf(order.date_created_gmt ?? context.observed_at, '$.date_created_gmt'),
    currency: order.currency,
    lifecycle,
    cancelled_at: lifecycle === 'cancelled' ? updated_at : null,
    payment_state: paymentState(order, standing, totals),
    taxes_included: order.prices_include_tax,
    test: false,
    buyer: buyerOf(order),
    ship_to: addressOf(hasPlace(order.shipping) ? order.shipping : order.billing, order.billing, context),
    bill_to: addressOf(order.billing, order.billing, context),
    shipping_method:
      textOr(order.shipping_lines[0]?.method_title, 200) ?? textOr(order.shipping_lines[0]?.method_id, 200),
    lines: order.line_items.map((line, index) => lineOf(line, index, order)),
    totals,
    payment_ids: [...new Set(paymentIds.filter((id): id is string => typeof id === 'string' && id !== ''))],
    refunds: (order.refund_details ?? []).map((refund, index) =>
      refundOf(refund, {
        path: `$.refund_details[${index}]`,
        currency: order.currency,
        order_external_id: String(order.id),
        order_number: order.number === '' ? null : order.number,
        completed_at: order.date_completed_gmt ?? null,
        warn: context.warn,
      }),
    ),
  }
}

/** All money given back: goods that had not left stay here, goods that had left close the order. */
function lifecycleOf(order: WooOrder, standing: Standing): Order['lifecycle'] {
  if (standing.lifecycle === 'refunded') return (order.date_completed_gmt ?? null) === null ? 'cancelled' : 'closed'
  return standing.lifecycle === 'draft' ? 'open' : standing.lifecycle
}

function paymentState(order: WooOrder, standing: Standing, totals: Order['totals']): Order['payment_state'] {
  const { refunded_minor, total_minor } = totals
  if (refunded_minor > 0) return refunded_minor >= total_minor ? 'refunded' : 'partially_refunded'
  return (order.date_paid_gmt ?? null) === null ? standing.unpaid : standing.unpaid === 'refunded' ? 'refunded' : 'paid'
}

/** Fees raise the subtotal, negative fees are discounts: the order's total is then explained by these five amounts alone. */
function totalsOf(order: WooOrder, context: MappingContext): Order['totals'] {
  const at = (text: string, path: string): number => minorFromDecimal(text, order.currency, path)
  const shown = (net: number, tax: number): number => (order.prices_include_tax ? net + tax : net)
  const fees = order.fee_lines.map((fee, index) =>
    shown(at(fee.total, `$.fee_lines[${index}].total`), at(fee.total_tax, `$.fee_lines[${index}].total_tax`)),
  )
  const goods = order.line_items.map((line, index) =>
    shown(
      at(line.subtotal, `$.line_items[${index}].subtotal`),
      at(line.subtotal_tax, `$.line_items[${index}].subtotal_tax`),
    ),
  )
  const sum = (amounts: readonly number[]): number => amounts.reduce((total, amount) => total + amount, 0)
  const totals = {
    subtotal_minor: sum([...goods, ...fees.filter((fee) => fee > 0)]),
    discount_minor:
      shown(at(order.discount_total, '$.discount_total'), at(order.discount_tax, '$.discount_tax')) -
      sum(fees.filter((fee) => fee < 0)),
    shipping_minor: shown(at(order.shipping_total, '$.shipping_total'), at(order.shipping_tax, '$.shipping_tax')),
    tax_minor: at(order.total_tax, '$.total_tax'),
    total_minor: at(order.total, '$.total'),
    refunded_minor: sum(order.refunds.map((refund, index) => Math.abs(at(refund.total, `$.refunds[${index}].total`)))),
  }
  const explained =
    totals.subtotal_minor -
    totals.discount_minor +
    totals.shipping_minor +
    (order.prices_include_tax ? 0 : totals.tax_minor)
  const rest = totals.total_minor - explained
  if (rest !== 0) context.warn(`the order's amounts do not add up to its total by ${rest} minor units`)
  return totals
}

function lineOf(line: WooLine, index: number, order: WooOrder): OrderLine {
  const at = (field: 'subtotal' | 'subtotal_tax' | 'total' | 'total_tax'): number =>
    minorFromDecimal(line[field], order.currency, `$.line_items[${index}].${field}`)
  const gross = order.prices_include_tax
  const subtotal = at('subtotal') + (gross ? at('subtotal_tax') : 0)
  const total = at('total') + (gross ? at('total_tax') : 0)
  return {
    external_id: String(line.id),
    channel_sku: channelSku(line.sku, line.product_id, line.variation_id),
    title: textOr(line.name, 500),
    quantity: line.quantity,
    // The shop keeps sums, not prices: a subtotal that does not divide evenly is rounded half up and stays exact in the total.
    unit_price_minor: line.quantity === 0 ? subtotal : Math.round(subtotal / line.quantity),
    discount_minor: subtotal - total,
    tax_minor: at('total_tax'),
    total_minor: total,
    requires_shipping: true,
  }
}

const textOr = (text: string | null | undefined, length_max: number): string | null => {
  const trimmed = (text ?? '').trim().slice(0, length_max)
  return trimmed === '' ? null : trimmed
}

const hasPlace = (address: WooAddress): boolean =>
  [address.address_1, address.city, address.postcode].some((text) => (text ?? '').trim() !== '')

const nameOf = (address: WooAddress): string | null =>
  textOr([address.first_name, address.last_name].filter(Boolean).join(' '), 200)

/** A guest has customer id 0: then only the e-mail finds the person again. */
function buyerOf(order: WooOrder): Party {
  return {
    external_id: order.customer_id === 0 ? null : String(order.customer_id),
    name: nameOf(order.billing),
    email: textOr(order.billing.email, 320),
    phone: textOr(order.billing.phone, 60),
  }
}

function addressOf(address: WooAddress, billing: WooAddress, context: MappingContext): Address | null {
  const country = textOr(address.country, 10)?.toUpperCase() ?? null
  const known = country !== null && /^[A-Z]{2}$/.test(country)
  if (country !== null && !known) context.warn('an address has a country that is not two letters')
  const mapped = {
    name: nameOf(address),
    company: textOr(address.company, 200),
    line1: textOr(address.address_1, 300),
    line2: textOr(address.address_2, 300),
    city: textOr(address.city, 200),
    region: textOr(address.state, 200),
    postcode: textOr(address.postcode, 40),
    country: known ? country : null,
    phone: textOr(address.phone, 60) ?? textOr(billing.phone, 60),
  }
  return Object.values(mapped).every((part) => part === null) ? null : mapped
}
