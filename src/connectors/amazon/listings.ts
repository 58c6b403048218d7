import { createHash } from 'node:crypto'
import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import { MERCHANT_CHANNEL } from '../../mappings/amazon/listing.ts'
import type { Port, PulledPage, PullRequest } from '../_kit/define.ts'
import { apiOf, type Settings } from './settings.ts'

const PAGE = 20
/** The vendor shows no more than this of one search. */
const ROWS_OF_SEARCH_MAX = 1_000
const SEARCHES_MAX = 100

const open = { additionalProperties: true } as const
const maybe = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Row = Type.Object(
  {
    sku: Type.String(),
    summaries: maybe(
      Type.Array(Type.Object({ productType: maybe(Type.String()), createdDate: maybe(Type.String()) }, open)),
    ),
    fulfillmentAvailability: maybe(
      Type.Array(Type.Object({ fulfillmentChannelCode: Type.String(), quantity: maybe(Type.Integer()) }, open)),
    ),
  },
  open,
)
const readPage = checker(
  Type.Object(
    { items: Type.Array(Row), pagination: maybe(Type.Object({ nextToken: maybe(Type.String()) }, open)) },
    open,
  ),
  'vendor_response_invalid',
)
const readRow = checker(Row, 'vendor_response_invalid')
export type ListingRow = ReturnType<typeof readPage>['items'][number]

type Query = Readonly<Record<string, string | number | undefined>>

async function search(port: Port<Settings>, query: Query): Promise<ReturnType<typeof readPage>> {
  const { seller_id, marketplace_ids } = apiOf(port.settings)
  const answer = await port.http.request({
    operation: 'searchListingsItems',
    method: 'GET',
    path: `/listings/2021-08-01/items/${encodeURIComponent(seller_id)}`,
    query: {
      marketplaceIds: marketplace_ids[0],
      includedData: 'summaries,fulfillmentAvailability',
      pageSize: PAGE,
      ...query,
    },
    repeat: 'safe',
    lane: 'realtime',
  })
  return readPage(answer.body)
}

/** Everything that is offered, oldest first. A search ends after a thousand rows, so the next one begins where that one's last was made. */
export async function* pullListings(port: Port<Settings>, { now }: PullRequest): AsyncGenerator<PulledPage> {
  if (port.settings.api === undefined) return
  let createdAfter: string | undefined
  for (let searches = 0; searches < SEARCHES_MAX; searches += 1) {
    let pageToken: string | undefined
    let rows = 0
    let last: string | undefined
    do {
      const page = await search(port, { sortBy: 'createdDate', sortOrder: 'ASC', createdAfter, pageToken })
      rows += page.items.length
      last = page.items.flatMap(createdAt).at(-1) ?? last
      yield { items: page.items.map(listingItem), cursor: now.toISOString() }
      pageToken = page.pagination?.nextToken ?? undefined
      if (rows > ROWS_OF_SEARCH_MAX + PAGE)
        throw new HubError('vendor_response_invalid', 'the list of listings does not end where it should')
    } while (pageToken !== undefined)
    if (rows < ROWS_OF_SEARCH_MAX || last === undefined || last === createdAfter) return
    createdAfter = last
  }
}

const createdAt = ({ summaries }: ListingRow): string[] =>
  (summaries ?? []).flatMap(({ createdDate }) => createdDate ?? [])

function listingItem(row: ListingRow) {
  const hash = createHash('sha256').update(JSON.stringify(row)).digest('hex').slice(0, 32)
  return { topic: 'listing', dedupe_key: `listing:${row.sku.slice(0, 100)}:${hash}`, payload: row }
}

/** What the store has under these SKUs, twenty to a call. One that is missing in the answer is not offered. */
export async function lookUp(port: Port<Settings>, skus: readonly string[]): Promise<Map<string, ListingRow>> {
  const found = new Map<string, ListingRow>()
  // Commas part the SKUs of one call, so one that has a comma is asked for by itself.
  const odd = skus.filter((sku) => sku.includes(','))
  for (const sku of odd) {
    const row = await one(port, sku)
    if (row !== undefined) found.set(sku, row)
  }
  for (const some of chunks(
    skus.filter((sku) => !sku.includes(',')),
    PAGE,
  )) {
    const page = await search(port, { identifiers: some.join(','), identifiersType: 'SKU' })
    for (const row of page.items) found.set(row.sku, row)
  }
  return found
}

async function one(port: Port<Settings>, sku: string): Promise<ListingRow | undefined> {
  const { marketplace_ids } = apiOf(port.settings)
  const query = { marketplaceIds: marketplace_ids[0], includedData: 'summaries,fulfillmentAvailability' }
  const call = {
    operation: 'getListingsItem',
    method: 'GET',
    path: listingPath(port, sku),
    query,
    repeat: 'safe',
  } as const
  try {
    return readRow((await port.http.request(call)).body)
  } catch (thrown) {
    if (thrown instanceof HubError && thrown.code === 'vendor_not_found') return undefined
    throw thrown
  }
}

export const listingPath = (port: Port<Settings>, sku: string): string =>
  `/listings/2021-08-01/items/${encodeURIComponent(apiOf(port.settings).seller_id)}/${encodeURIComponent(sku)}`

const chunks = <T>(all: readonly T[], size: number): T[][] =>
  Array.from({ length: Math.ceil(all.length / size) }, (_, index) => all.slice(index * size, (index + 1) * size))

export const isByMerchant = ({ fulfillmentAvailability }: ListingRow): boolean => {
  const channels = fulfillmentAvailability ?? []
  return (
    channels.length === 0 || channels.some(({ fulfillmentChannelCode }) => fulfillmentChannelCode === MERCHANT_CHANNEL)
  )
}

/** What buyers are shown of our own goods; undefined where the store does not say. */
export function shownQuantity({ fulfillmentAvailability }: ListingRow): number | undefined {
  const own = (fulfillmentAvailability ?? []).find(({ fulfillmentChannelCode: code }) => code === MERCHANT_CHANNEL)
  return typeof own?.quantity === 'number' ? Math.max(0, own.quantity) : undefined
}
