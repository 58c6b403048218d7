import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Listing } from '../model/listing.ts'
import { wakeParked } from './wake.ts'

/** What one unit of a listing takes, as the merchant configured it. */
export interface ListingMapping {
  connection_id: string
  channel_sku: string
  items: readonly { sku: string; quantity: number }[]
}

export const LISTING_KEY = 'listing:'
export const listingWakeKey = (connection_id: string, channel_sku: string): string =>
  `${LISTING_KEY}${connection_id}:${channel_sku}`

/**
 * Channels told what they offer. Listings are kept by (connection, channel SKU) and their external ids are merged, because a stock
 * write may need ids that come from different messages. Where the policy is `by_sku`, a listing without items is linked to the item
 * of the same SKU; one that stays without items is on the unmapped list and nothing is pushed for it. Facts of other kinds are
 * ignored as `not_ours`; the outcomes are parallel to the facts.
 */
export async function applyListings(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<FactOutcome[]> {
  const listings = new Map<string, Listing & { connection_id: string }>()
  for (const { connection_id, fact } of facts) {
    if (fact.kind !== 'listing') continue
    const { document } = fact
    const key = listingWakeKey(connection_id, document.channel_sku)
    const before = listings.get(key)
    listings.set(key, { ...document, connection_id, external: { ...before?.external, ...document.external } })
  }
  const ids = await upsertListings(tx, [...listings.values()])
  const linked = await linkListings(tx, ctx, [...ids.values()])
  return facts.map(({ connection_id, fact }): FactOutcome => {
    if (fact.kind !== 'listing') return { kind: 'ignored', reason: 'not_ours' }
    const id = ids.get(listingWakeKey(connection_id, fact.document.channel_sku))
    return { kind: 'applied', summary: id !== undefined && linked.has(id) ? 'listing' : 'listing, unmapped' }
  })
}

/** Says what one unit of a listing takes; the listing is made if the channel has not told of it yet. See `mapListings`. */
export async function mapListing(tx: Tx, ctx: CoreContext, mapping: ListingMapping): Promise<void> {
  await mapListings(tx, ctx, [mapping])
}

/**
 * Replaces what listings take, makes their numbers due and wakes what waited for them. A mapping that is already so changes nothing.
 * Faults: `unknown_sku` when an item does not exist in the connection's company, `bad_request` for a mapping without items.
 */
export async function mapListings(tx: Tx, ctx: CoreContext, mappings: readonly ListingMapping[]): Promise<void> {
  if (mappings.length === 0) return
  const empty = mappings.find((mapping) => mapping.items.length === 0)
  if (empty !== undefined) throw new HubError('bad_request', `the mapping of ${empty.channel_sku} names no item`)
  const ids = await upsertListings(
    tx,
    mappings.map(({ connection_id, channel_sku }) => ({ connection_id, channel_sku, title: null, external: {} })),
  )
  const wanted = mappings.flatMap(({ connection_id, channel_sku, items }) =>
    items.map(({ sku, quantity }) => ({
      listing_id: ids.get(listingWakeKey(connection_id, channel_sku)),
      connection_id,
      sku,
      quantity,
    })),
  )
  const items = await findItems(tx, wanted)
  const changed = await tx.query<{ listing_id: number }>(
    `with wanted as (
       select listing_id, item_id, sum(quantity)::int as quantity
       from jsonb_to_recordset($1::jsonb) as w(listing_id bigint, item_id bigint, quantity int) group by 1, 2
     ), gone as (
       delete from listing_items li using (select distinct listing_id from wanted) w
       where li.listing_id = w.listing_id and not exists (
         select 1 from wanted x where x.listing_id = li.listing_id and x.item_id = li.item_id)
       returning li.listing_id
     ), put as (
       insert into listing_items (listing_id, item_id, quantity) select listing_id, item_id, quantity from wanted
       on conflict (listing_id, item_id) do update set quantity = excluded.quantity where listing_items.quantity <> excluded.quantity
       returning listing_id
     )
     select listing_id from gone union select listing_id from put`,
    [JSON.stringify(wanted.map((row, index) => ({ ...row, item_id: items[index] })))],
  )
  await makeDue(
    tx,
    changed.map((row) => row.listing_id),
    ctx.now,
  )
  await wakeListings(tx, [...ids.values()], ctx.now)
}

/**
 * Links listings of `by_sku` connections that have no items yet, opens their availability rows and wakes what waited for them.
 * Returns the ids of the given listings that have items now.
 */
export async function linkListings(tx: Tx, ctx: CoreContext, listing_ids: readonly number[]): Promise<Set<number>> {
  if (listing_ids.length === 0) return new Set()
  const bySku = [...ctx.policies.values()]
    .filter((policy) => policy.listings === 'by_sku')
    .map((policy) => policy.connection_id)
  const fresh = await tx.query<{ listing_id: number }>(
    `insert into listing_items (listing_id, item_id, quantity)
     select l.id, i.id, 1
     from listings l
     join connections c on c.id = l.connection_id
     join items i on i.company_id = c.company_id and i.sku = l.channel_sku
     where l.id = any($1::bigint[]) and l.connection_id = any($2::text[])
       and not exists (select 1 from listing_items li where li.listing_id = l.id)
     on conflict do nothing
     returning listing_id`,
    [listing_ids, bySku],
  )
  // A listing that nothing is known of has nothing due: it starts clean and becomes dirty with its first item.
  await tx.query(
    `insert into availability (listing_id, connection_id, dirty_seq, dirty_at, next_attempt_at)
     select id, connection_id, 0, $2, $2 from listings where id = any($1::bigint[]) order by id
     on conflict (listing_id) do nothing`,
    [listing_ids, ctx.now],
  )
  await makeDue(
    tx,
    fresh.map((row) => row.listing_id),
    ctx.now,
  )
  return wakeListings(tx, listing_ids, ctx.now)
}

/** Returns the ids by wake key. External ids are added to those known; a title is never lost to a message without one. */
async function upsertListings(
  tx: Tx,
  listings: readonly (Pick<Listing, 'channel_sku' | 'title' | 'external'> & { connection_id: string })[],
): Promise<Map<string, number>> {
  if (listings.length === 0) return new Map()
  const rows = listings.map(({ connection_id, channel_sku, title, external }) => ({
    connection_id,
    channel_sku,
    title,
    external,
  }))
  const wanted = JSON.stringify(rows)
  await tx.query(
    `insert into listings (connection_id, channel_sku, title, external)
     select distinct on (connection_id, channel_sku) connection_id, channel_sku, title, external
     from jsonb_to_recordset($1::jsonb) as w(connection_id text, channel_sku text, title text, external jsonb)
     order by connection_id, channel_sku
     on conflict (connection_id, channel_sku) do update
     set title = coalesce(excluded.title, listings.title), external = listings.external || excluded.external
     where (listings.title, listings.external)
       is distinct from (coalesce(excluded.title, listings.title), listings.external || excluded.external)`,
    [wanted],
  )
  const found = await tx.query<{ id: number; connection_id: string; channel_sku: string }>(
    `select l.id, l.connection_id, l.channel_sku
     from (select distinct connection_id, channel_sku
           from jsonb_to_recordset($1::jsonb) as w(connection_id text, channel_sku text)) w
     join listings l on l.connection_id = w.connection_id and l.channel_sku = w.channel_sku`,
    [wanted],
  )
  return new Map(found.map((row) => [listingWakeKey(row.connection_id, row.channel_sku), row.id]))
}

/** Item ids parallel to `wanted`. */
async function findItems(tx: Tx, wanted: readonly { connection_id: string; sku: string }[]): Promise<number[]> {
  const rows = await tx.query<{ connection_id: string; sku: string; id: number }>(
    `select w.connection_id, w.sku, i.id
     from (select distinct connection_id, sku from unnest($1::text[], $2::text[]) as t(connection_id, sku)) w
     join connections c on c.id = w.connection_id
     join items i on i.company_id = c.company_id and i.sku = w.sku`,
    [wanted.map((row) => row.connection_id), wanted.map((row) => row.sku)],
  )
  const known = new Map(rows.map((row) => [listingWakeKey(row.connection_id, row.sku), row.id]))
  return wanted.map(({ connection_id, sku }) => {
    const id = known.get(listingWakeKey(connection_id, sku))
    if (id === undefined)
      throw new HubError('unknown_sku', `no item has the SKU ${sku} in the company of ${connection_id}`)
    return id
  })
}

async function makeDue(tx: Tx, listing_ids: readonly number[], now: Date): Promise<void> {
  if (listing_ids.length === 0) return
  await tx.query(
    `insert into availability as a (listing_id, connection_id, dirty_seq, dirty_at, next_attempt_at)
     select id, connection_id, 1, $2, $2 from listings where id = any($1::bigint[]) order by id
     on conflict (listing_id) do update
     set dirty_seq = a.dirty_seq + 1, next_attempt_at = least(a.next_attempt_at, $2),
         dirty_at = case when a.dirty_seq > a.sent_seq then a.dirty_at else $2 end`,
    [listing_ids, now],
  )
}

/** Wakes what waited for the listings that have items; returns their ids. */
async function wakeListings(tx: Tx, listing_ids: readonly number[], now: Date): Promise<Set<number>> {
  const rows = await tx.query<{ id: number; connection_id: string; channel_sku: string }>(
    `select l.id, l.connection_id, l.channel_sku from listings l
     where l.id = any($1::bigint[]) and exists (select 1 from listing_items li where li.listing_id = l.id)`,
    [listing_ids],
  )
  await wakeParked(
    tx,
    rows.map((row) => listingWakeKey(row.connection_id, row.channel_sku)),
    now,
  )
  return new Set(rows.map((row) => row.id))
}
