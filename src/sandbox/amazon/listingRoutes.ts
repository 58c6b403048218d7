import type { VendorAnswer } from '../vendorServer.ts'
import type { AccountListing } from './account.ts'
import { absent, bodyOf, invalid, json, listOf, type ApiCall, type ApiOptions, type Route } from './api.ts'

const ITEMS = '/listings/2021-08-01/items'
const PAGE_MAX = 20

export const LISTING_ROUTES: readonly Route[] = [
  { method: 'GET', path: new RegExp(`^${ITEMS}/([^/]+)$`), operation: 'searchListingsItems', handle: search },
  { method: 'GET', path: new RegExp(`^${ITEMS}/([^/]+)/([^/]+)$`), operation: 'getListingsItem', handle: one },
  { method: 'PATCH', path: new RegExp(`^${ITEMS}/([^/]+)/([^/]+)$`), operation: 'patchListingsItem', handle: patch },
]

function listingJson(listing: AccountListing, { account, store }: ApiOptions): unknown {
  const at = new Date(listing.created_ms).toISOString()
  return {
    sku: listing.sku,
    summaries: [
      {
        marketplaceId: store.marketplace_id,
        asin: listing.asin,
        productType: listing.product_type,
        conditionType: 'new_new',
        status: ['BUYABLE', 'DISCOVERABLE'],
        itemName: listing.title,
        createdDate: at,
        lastUpdatedDate: at,
      },
    ],
    // Of goods in its own warehouses the marketplace tells no quantity here.
    fulfillmentAvailability:
      listing.by === 'AMAZON'
        ? [{ fulfillmentChannelCode: 'AMAZON_EU' }]
        : [{ fulfillmentChannelCode: 'DEFAULT', quantity: Math.max(0, account.shownOf(listing.sku)) }],
  }
}

function search({ request, options, ids }: ApiCall): VendorAnswer {
  const { query } = request
  if (ids[0] !== options.seller_id) return invalid('sellerId')
  const size = Number(query.get('pageSize') ?? 10)
  if (!(size >= 1 && size <= PAGE_MAX)) return invalid('pageSize')
  const skus = listOf(query.get('identifiers'))
  if (skus.length > PAGE_MAX || (skus.length > 0 && query.get('identifiersType') !== 'SKU'))
    return invalid('identifiers')
  const after_ms = query.get('createdAfter') === null ? 0 : Date.parse(query.get('createdAfter') ?? '')
  const found = options.account.listings.filter(
    ({ sku, created_ms }) => (skus.length === 0 || skus.includes(sku)) && created_ms >= after_ms,
  )
  const from = Number(query.get('pageToken') ?? 0)
  const page = found.slice(from, from + size)
  const next = from + size < found.length ? { nextToken: String(from + size) } : undefined
  return json(200, {
    numberOfResults: found.length,
    items: page.map((listing) => listingJson(listing, options)),
    ...(next === undefined ? {} : { pagination: next }),
  })
}

function one({ options, ids }: ApiCall): VendorAnswer {
  const listing = options.account.listings.find(({ sku }) => sku === ids[1])
  return listing === undefined ? absent('The listing') : json(200, listingJson(listing, options))
}

export interface Patched {
  sku: string
  quantity: number
}

/** What one submission, by call or as a message of a feed, does to an offer; a text says why it does nothing. */
export function patched(options: ApiOptions, sku: string, submission: Record<string, unknown>): Patched | string {
  const listing = options.account.listings.find((candidate) => candidate.sku === sku)
  if (listing === undefined) return '13013'
  const { productType, patches } = submission
  if (productType !== listing.product_type && productType !== 'PRODUCT') return '4000001'
  const [only] = Array.isArray(patches) ? (patches as { op?: unknown; path?: unknown; value?: unknown }[]) : []
  if (only?.path !== '/attributes/fulfillment_availability' || !['merge', 'replace'].includes(String(only.op)))
    return '4000003'
  const [value] = Array.isArray(only.value)
    ? (only.value as { fulfillment_channel_code?: unknown; quantity?: unknown }[])
    : []
  const { fulfillment_channel_code: channel, quantity } = value ?? {}
  if (channel !== 'DEFAULT' || !Number.isInteger(quantity) || Number(quantity) < 0) return '99022'
  return { sku, quantity: Number(quantity) }
}

function patch({ request, options, ids }: ApiCall): VendorAnswer {
  const [seller, sku = ''] = ids
  if (seller !== options.seller_id || listOf(request.query.get('marketplaceIds'))[0] !== options.store.marketplace_id)
    return invalid('sellerId or marketplaceIds')
  const change = patched(options, sku, bodyOf(request) ?? {})
  const submissionId = String(options.account.nextId())
  if (typeof change === 'string') {
    const issue = {
      code: change,
      message: 'The submission is not valid.',
      severity: 'ERROR',
      categories: ['INVALID_ATTRIBUTE'],
    }
    return json(200, { sku, status: 'INVALID', submissionId, issues: [issue] })
  }
  options.account.writeStock({ [change.sku]: change.quantity })
  return json(200, { sku, status: 'ACCEPTED', submissionId, issues: [] })
}
