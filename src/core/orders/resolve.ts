import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { linkListings, listingWakeKey } from '../inventory/listings.ts'
import { explode, type ListingRow } from '../inventory/rules.ts'
import { type Component } from '../inventory/rulesDemand.ts'

export interface SkuKey {
  connection_id: string
  channel_sku: string
}

/** A listing that an order line can be served from. */
export interface ResolvedListing {
  listing_id: number
  components: readonly Component[]
}

/** Listings by `listingWakeKey`, and the SKUs that no listing knows but an item of the company bears (policy `by_sku`). */
export interface Resolution {
  listings: Map<string, ResolvedListing>
  linkable: Map<string, SkuKey>
}

/** Looks up what the channel's SKUs take from stock. Nothing is written: an order that is parked must not leave listings behind. */
export async function resolveListings(tx: Tx, ctx: CoreContext, wanted: readonly SkuKey[]): Promise<Resolution> {
  const keys = [...new Map(wanted.map((key) => [listingWakeKey(key.connection_id, key.channel_sku), key])).values()]
  const listings = await loadListings(tx, keys)
  const missing = keys.filter(
    (key) =>
      !listings.has(listingWakeKey(key.connection_id, key.channel_sku)) &&
      ctx.policies.get(key.connection_id)?.listings === 'by_sku',
  )
  return { listings, linkable: await loadLinkable(tx, ctx, missing) }
}

/** Lists the SKUs by themselves and returns what they take. */
export async function linkSkus(
  tx: Tx,
  ctx: CoreContext,
  skus: readonly SkuKey[],
): Promise<Map<string, ResolvedListing>> {
  if (skus.length === 0) return new Map()
  const cols = columns(skus, ['connection_id', 'channel_sku'])
  await tx.query(
    `insert into listings (connection_id, channel_sku)
     select connection_id, channel_sku from unnest($1::text[], $2::text[]) as k(connection_id, channel_sku)
     order by connection_id, channel_sku on conflict do nothing`,
    cols,
  )
  const rows = await tx.query<{ id: number }>(
    `select l.id from unnest($1::text[], $2::text[]) as k(connection_id, channel_sku)
     join listings l on l.connection_id = k.connection_id and l.channel_sku = k.channel_sku`,
    cols,
  )
  await linkListings(
    tx,
    ctx,
    rows.map((row) => row.id),
  )
  return loadListings(tx, skus)
}

/** What one unit of each listing takes now. */
export async function loadComponents(tx: Tx, listing_ids: readonly number[]): Promise<Map<number, Component[]>> {
  if (listing_ids.length === 0) return new Map()
  const rows = await tx.query<ListingRow & { listing_id: number }>(
    `select li.listing_id, li.item_id, li.quantity, k.component_item_id, k.quantity as kit_quantity
     from listing_items li left join kit_components k on k.kit_item_id = li.item_id
     where li.listing_id = any($1::bigint[])`,
    [listing_ids],
  )
  return new Map([...Map.groupBy(rows, (row) => row.listing_id)].map(([id, own]) => [id, explode(own)]))
}

async function loadListings(tx: Tx, keys: readonly SkuKey[]): Promise<Map<string, ResolvedListing>> {
  if (keys.length === 0) return new Map()
  const rows = await tx.query<ListingRow & SkuKey & { listing_id: number }>(
    `select l.id as listing_id, l.connection_id, l.channel_sku, li.item_id, li.quantity, c.component_item_id, c.quantity as kit_quantity
     from (
       select connection_id, array_agg(channel_sku) as channel_skus
       from unnest($1::text[], $2::text[]) as k(connection_id, channel_sku) group by connection_id
     ) k
     -- As one list for each connection, so that the server walks through the index once instead of once for each SKU.
     join listings l on l.connection_id = k.connection_id and l.channel_sku = any(k.channel_skus)
     join listing_items li on li.listing_id = l.id
     left join kit_components c on c.kit_item_id = li.item_id`,
    columns(keys, ['connection_id', 'channel_sku']),
  )
  const grouped = Map.groupBy(rows, (row) => listingWakeKey(row.connection_id, row.channel_sku))
  return new Map(
    [...grouped].map(([key, own]) => [key, { listing_id: own[0]?.listing_id ?? 0, components: explode(own) }]),
  )
}

async function loadLinkable(tx: Tx, ctx: CoreContext, keys: readonly SkuKey[]): Promise<Map<string, SkuKey>> {
  if (keys.length === 0) return new Map()
  const rows = await tx.query<SkuKey>(
    `select k.connection_id, k.channel_sku from unnest($1::text[], $2::text[], $3::text[]) as k(connection_id, channel_sku, company_id)
     join items i on i.company_id = k.company_id and i.sku = k.channel_sku`,
    [
      ...columns(keys, ['connection_id', 'channel_sku']),
      keys.map((key) => ctx.policies.get(key.connection_id)?.company_id ?? null),
    ],
  )
  return new Map(rows.map((row) => [listingWakeKey(row.connection_id, row.channel_sku), row]))
}
