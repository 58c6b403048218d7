import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { Order, OrderLine } from '../../core/model/order.ts'
import type { Address, Party } from '../../core/model/party.ts'
import { defineMapping, fromTable, instantOf, type MappingContext } from '../define.ts'
import { marketplaceOf, type Marketplace } from './marketplaces.ts'
import { moneyOfItem, taxesOf, totalsOf } from './orderMoney.ts'
import { AmazonOrder, type AmazonAddress, type AmazonItem } from './payloads.ts'

interface Standing {
  lifecycle: Order['lifecycle']
  payment: Order['payment_state']
}

/**
 * Amazon's one status on our two axes. Until Amazon has the buyer's money an order is pending: its units are held and nothing is
 * shipped. From `UNSHIPPED` on Amazon vouches for the money. A shipped order is closed, so that one that was shipped behind our back
 * is not shipped a second time. `UNFULFILLABLE` is known only of goods that Amazon keeps: ours would wait for a person.
 */
const STATUSES: Readonly<Record<string, Standing>> = {
  PENDING_AVAILABILITY: { lifecycle: 'open', payment: 'pending' },
  PENDING: { lifecycle: 'open', payment: 'pending' },
  UNSHIPPED: { lifecycle: 'open', payment: 'paid' },
  PARTIALLY_SHIPPED: { lifecycle: 'open', payment: 'paid' },
  SHIPPED: { lifecycle: 'closed', payment: 'paid' },
  CANCELLED: { lifecycle: 'cancelled', payment: 'voided' },
  UNFULFILLABLE: { lifecycle: 'open', payment: 'pending' },
}
const UNKNOWN_STATUS: Standing = { lifecycle: 'open', payment: 'pending' }

/** Statuses in which the units that an item still wants are counted out. */
const COUNTED = new Set(['UNSHIPPED', 'PARTIALLY_SHIPPED', 'SHIPPED'])

/**
 * Goods on Amazon's own shelves go under a name of their own, so that no listing of ours is ever linked to them: a sale there lowers
 * none of the numbers that we show, and a number pushed for it would turn it into something that we have to ship.
 */
const BY_AMAZON = 'fba:'
const SKU_MAX = 196

/**
 * A whole order of the Orders API 2026-01-01. What Amazon ships from its own shelves is an order without goods to ship: it takes none of
 * our units, and its money is matched like any other.
 */
export const amazonOrder = defineMapping({
  from: AmazonOrder,
  map: (order, context) => [{ kind: 'order', document: orderDocument(order, context) }],
})

function orderDocument(order: AmazonOrder, context: MappingContext): Order {
  const word = order.fulfillment?.fulfillmentStatus ?? 'missing'
  const { lifecycle, payment } = fromTable(STATUSES, word, UNKNOWN_STATUS, context, 'fulfillment status')
  const store = marketplaceOf(order.salesChannel.marketplaceId)
  const currency = currencyOf(order, store, context)
  const by_amazon = order.fulfillment?.fulfilledBy === 'AMAZON'
  if (word === 'UNFULFILLABLE' && !by_amazon) context.warn('our own goods are called unfulfillable: the order waits')
  const updated_at = instantOf(order.lastUpdatedTime, '$.lastUpdatedTime')
  const lines = order.orderItems.map((item, index) => lineOf(item, { index, word, currency, by_amazon, context }))
  const ship_by = order.fulfillment?.shipByWindow?.latestDateTime
  const deliver_by = order.fulfillment?.deliverByWindow?.latestDateTime
  return {
    external_id: order.orderId,
    number: order.orderId,
    version: { updated_at, observed_at: context.observed_at },
    placed_at: instantOf(order.createdTime, '$.createdTime'),
    currency,
    lifecycle,
    cancelled_at: lifecycle === 'cancelled' ? updated_at : null,
    payment_state: payment,
    taxes_included: taxesOf(order, currency, store?.taxes_included ?? false),
    test: false,
    buyer: buyerOf(order),
    ship_to: addressOf(order.recipient?.deliveryAddress ?? {}, context),
    bill_to: null,
    shipping_method: clip(order.fulfillment?.fulfillmentServiceLevel, 200),
    ...(ship_by ? { ship_by: instantOf(ship_by, '$.fulfillment.shipByWindow.latestDateTime') } : {}),
    ...(deliver_by ? { deliver_by: instantOf(deliver_by, '$.fulfillment.deliverByWindow.latestDateTime') } : {}),
    lines,
    totals: totalsOf(order, lines, currency, context),
    payment_ids: [],
    refunds: [],
  }
}

/** Every amount of an order is in one currency; an order that is still pending may show none, and the store then says which. */
function currencyOf(order: AmazonOrder, store: Marketplace | undefined, context: MappingContext): string {
  const told = new Set(
    [
      order.proceeds?.grandTotal?.currencyCode,
      ...(order.proceeds?.breakdowns ?? []).map(({ subtotal }) => subtotal.currencyCode),
      ...order.orderItems.flatMap(({ product, proceeds }) => [
        product.price?.unitPrice?.currencyCode,
        proceeds?.proceedsTotal?.currencyCode,
        ...(proceeds?.breakdowns ?? []).map(({ subtotal }) => subtotal.currencyCode),
      ]),
    ].filter((code) => typeof code === 'string'),
  )
  if (told.size > 1)
    throw new HubError('payload_invalid', 'the amounts are in several currencies', { path: '$.proceeds' })
  const [named] = told
  const own = context.settings['currency']
  const currency = named ?? store?.currency ?? (typeof own === 'string' ? own : undefined)
  if (currency === undefined) {
    throw new HubError('payload_invalid', 'neither an amount nor a known store names the currency', {
      path: '$.salesChannel.marketplaceId',
    })
  }
  return currency
}

interface LineContext {
  index: number
  word: string
  currency: string
  by_amazon: boolean
  context: MappingContext
}

function lineOf(item: AmazonItem, { index, word, currency, by_amazon, context }: LineContext): OrderLine {
  const path = `$.orderItems[${index}]`
  const quantity = wantedUnits(item, word, context)
  const money = moneyOfItem(item, currency, path)
  const unit = item.product.price?.unitPrice
  const goods = money.goods_minor ?? 0
  const ordered = item.quantityOrdered
  const unit_price_minor = unit
    ? minorFromDecimal(unit.amount, currency, `${path}.product.price.unitPrice.amount`)
    : ordered === 0 ? goods : Math.round(goods / ordered) // prettier-ignore
  const ratio = (amount: number): number =>
    quantity === ordered || ordered === 0 ? amount : Math.round((amount * quantity) / ordered)
  const discount_minor = ratio(money.discount_minor)
  const total = quantity === ordered && money.goods_minor !== undefined ? goods : unit_price_minor * quantity
  return {
    external_id: item.orderItemId.slice(0, 200),
    channel_sku: `${by_amazon ? BY_AMAZON : ''}${skuOf(item)}`,
    title: clip(item.product.title, 500),
    quantity,
    unit_price_minor,
    discount_minor,
    tax_minor: ratio(money.tax_minor),
    total_minor: total - discount_minor,
    requires_shipping: !by_amazon,
  }
}

const skuOf = ({ product, orderItemId }: AmazonItem): string =>
  clip(product.sellerSku, SKU_MAX) ?? clip(product.asin, SKU_MAX) ?? `item:${orderItemId}`.slice(0, SKU_MAX)

/**
 * Units that are wanted as of this picture. A cancelled item wants only what had left already; of one that counts fewer units than were
 * ordered the rest was taken off. A cancellation that the buyer has only asked for changes nothing: Amazon leaves the answer to the seller.
 */
function wantedUnits(item: AmazonItem, word: string, context: MappingContext): number {
  const { cancellation, fulfillment, quantityOrdered } = item
  if (cancellation?.cancellationExecution) return Math.min(quantityOrdered, fulfillment?.quantityFulfilled ?? 0)
  if (cancellation?.cancellationRequest && word !== 'CANCELLED')
    context.warn('the buyer has asked for a cancellation: answer it in Seller Central before the goods leave')
  const fulfilled = fulfillment?.quantityFulfilled
  const open = fulfillment?.quantityUnfulfilled
  if (!COUNTED.has(word) || typeof fulfilled !== 'number' || typeof open !== 'number') return quantityOrdered
  return Math.min(quantityOrdered, fulfilled + open)
}

/** Amazon names no customer id, and its e-mail address is an alias that forwards. */
function buyerOf({ buyer }: AmazonOrder): Party | null {
  const name = clip(buyer?.buyerName, 200)
  const email = clip(buyer?.buyerEmail, 320)
  return name === null && email === null ? null : { external_id: null, name, email, phone: null }
}

function addressOf(address: AmazonAddress, context: MappingContext): Address | null {
  const country = clip(address.countryCode, 10)?.toUpperCase() ?? null
  const known = country !== null && /^[A-Z]{2}$/.test(country)
  if (country !== null && !known) context.warn('the address has a country that is not two letters')
  const further = [address.addressLine2, address.addressLine3].flatMap((line) => clip(line, 300) ?? [])
  const mapped: Address = {
    name: clip(address.name, 200),
    company: clip(address.companyName, 200),
    line1: clip(address.addressLine1, 300),
    line2: clip(further.join(', '), 300),
    city: clip(address.city, 200) ?? clip(address.municipality, 200),
    region: clip(address.stateOrRegion, 200) ?? clip(address.districtOrCounty, 200),
    postcode: clip(address.postalCode, 40),
    country: known ? country : null,
    phone: clip(address.phone, 60),
  }
  return Object.values(mapped).every((part) => part === null) ? null : mapped
}

function clip(text: string | null | undefined, length_max: number): string | null {
  const trimmed = (text ?? '').trim().slice(0, length_max)
  return trimmed === '' ? null : trimmed
}
