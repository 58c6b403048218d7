import type { VendorAnswer } from '../vendorServer.ts'
import { shippedOf, type AccountOrder, type AccountPackage } from './account.ts'
import { absent, bodyOf, invalid, json, listOf, type ApiCall, type Route } from './api.ts'
import { orderJson } from './orderJson.ts'

const ORDERS = '/orders/2026-01-01/orders'

export const ORDER_ROUTES: readonly Route[] = [
  { method: 'GET', path: new RegExp(`^${ORDERS}$`), operation: 'searchOrders', handle: searchOrders },
  { method: 'GET', path: new RegExp(`^${ORDERS}/([^/]+)$`), operation: 'getOrder', handle: getOrder },
  { method: 'POST', path: /^\/orders\/v0\/orders\/([^/]+)\/shipmentConfirmation$/, operation: 'confirmShipment', handle: confirmShipment }, // prettier-ignore
  { method: 'GET', path: /^\/sellers\/v1\/marketplaceParticipations$/, operation: 'getMarketplaceParticipations', handle: participations }, // prettier-ignore
]

const includedIn = ({ request }: ApiCall): Set<string> => new Set(listOf(request.query.get('includedData')))

/** Where a search goes on. It is bound to its window, and lapses after a day. */
interface Token {
  until_ms: number
  after: [updated_ms: number, id: string]
  made_ms: number
}

const DAY_MS = 86_400_000

function searchOrders(call: ApiCall): VendorAnswer {
  const { request, options } = call
  const { query } = request
  const after_ms = Date.parse(query.get('lastUpdatedAfter') ?? '')
  if (Number.isNaN(after_ms) || query.get('createdAfter') !== null)
    return invalid('exactly one of createdAfter and lastUpdatedAfter')
  const given = query.get('paginationToken')
  const token = given === null ? undefined : tokenIn(given)
  const now_ms = options.now().getTime()
  if (given !== null && (token === undefined || now_ms - token.made_ms > DAY_MS)) return invalid('paginationToken')
  const until_ms = token?.until_ms ?? now_ms - options.search_lag_ms
  const stores = listOf(query.get('marketplaceIds'))
  const found = options.account
    .orders()
    .filter(({ updated_ms }) => updated_ms >= after_ms && updated_ms <= until_ms)
    .filter(() => stores.length === 0 || stores.includes(options.store.marketplace_id))
    .toSorted((a, b) => place(a, [b.updated_ms, b.id]))
    .filter((order) => token === undefined || place(order, token.after) > 0)
  const page = found.slice(0, options.page_size)
  const last = page.at(-1)
  const next: Token | undefined =
    last !== undefined && found.length > page.length
      ? { until_ms, after: [last.updated_ms, last.id], made_ms: now_ms }
      : undefined
  return json(200, {
    orders: page.map((order) => orderJson(order, options.store, includedIn(call))),
    lastUpdatedBefore: new Date(until_ms).toISOString(),
    ...(next === undefined ? {} : { pagination: { nextToken: Buffer.from(JSON.stringify(next)).toString('base64') } }),
  })
}

/** Before, at or behind a place in the list of changes. */
const place = (order: AccountOrder, [updated_ms, id]: readonly [number, string]): number =>
  order.updated_ms - updated_ms || (order.id < id ? -1 : order.id > id ? 1 : 0)

function tokenIn(text: string): Token | undefined {
  try {
    return JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Token
  } catch {
    return undefined
  }
}

function getOrder(call: ApiCall): VendorAnswer {
  const order = call.options.account.order(call.ids[0] ?? '')
  return order === undefined
    ? absent('The order')
    : json(200, { order: orderJson(order, call.options.store, includedIn(call)) })
}

interface PackageDetail {
  packageReferenceId?: unknown
  carrierCode?: unknown
  carrierName?: unknown
  trackingNumber?: unknown
  shipDate?: unknown
  orderItems?: unknown
}

/** A parcel. One under a number that is known corrects what was told of it; units beyond what is left are refused, and so is an order that is not ours to ship. */
function confirmShipment({ request, options, ids }: ApiCall): VendorAnswer {
  const order = options.account.order(ids[0] ?? '')
  if (order === undefined) return absent('The order')
  const body = bodyOf(request)
  if (body?.['marketplaceId'] !== options.store.marketplace_id) return invalid('marketplaceId')
  const detail: PackageDetail = body['packageDetail'] ?? {}
  const told = packageIn(detail, options.now().getTime())
  if (typeof told === 'string') return invalid(told)
  if (order.by !== 'MERCHANT' || order.status === 'PENDING' || order.status === 'CANCELLED')
    return invalid(`an order in status ${order.status} cannot be shipped`)
  const beyond = told.items.some(({ line_id, quantity }) => {
    const line = order.lines.find(({ id }) => id === line_id)
    return line === undefined || quantity > line.quantity - shippedOf(order, line_id, told.reference)
  })
  if (beyond) return invalid('orderItems: unknown item, or more units than are left')
  const packages = [...order.packages.filter(({ reference }) => reference !== told.reference), told]
  const shipped = { ...order, packages }
  const whole = order.lines.every((line) => shippedOf(shipped, line.id) === line.quantity)
  options.account.save({ ...shipped, status: whole ? 'SHIPPED' : 'PARTIALLY_SHIPPED' })
  return { status: 204, body: '' }
}

function packageIn(detail: PackageDetail, created_ms: number): AccountPackage | string {
  const { packageReferenceId, carrierCode, carrierName, trackingNumber, shipDate, orderItems } = detail
  if (typeof packageReferenceId !== 'string' || !/^[1-9]\d*$/.test(packageReferenceId))
    return 'packageReferenceId: must be a positive numeric value'
  if (typeof carrierCode !== 'string' || carrierCode === '') return 'carrierCode'
  if (carrierCode === 'Other' && typeof carrierName !== 'string') return 'carrierName'
  if (typeof trackingNumber !== 'string' || trackingNumber === '') return 'trackingNumber'
  const ship_ms = typeof shipDate === 'string' ? Date.parse(shipDate) : Number.NaN
  if (Number.isNaN(ship_ms)) return 'shipDate'
  const rows = Array.isArray(orderItems) ? (orderItems as { orderItemId?: unknown; quantity?: unknown }[]) : []
  const items = rows.flatMap(({ orderItemId, quantity }) =>
    typeof orderItemId === 'string' && Number.isInteger(quantity) && Number(quantity) > 0
      ? [{ line_id: orderItemId, quantity: Number(quantity) }]
      : [],
  )
  if (items.length === 0 || items.length < rows.length) return 'orderItems'
  const carrier = carrierCode === 'Other' ? String(carrierName) : carrierCode
  return { reference: packageReferenceId, carrier, tracking_number: trackingNumber, ship_ms, created_ms, items }
}

function participations({ options }: ApiCall): VendorAnswer {
  const { marketplace_id: id, currency } = options.store
  const marketplace = { id, name: 'Amazon.de', countryCode: 'DE', defaultCurrencyCode: currency, defaultLanguageCode: 'de_DE', domainName: 'www.amazon.de' } // prettier-ignore
  return json(200, {
    payload: [{ marketplace, participation: { isParticipating: true, hasSuspendedListings: false } }],
  })
}
