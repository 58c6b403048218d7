import type { Tx } from '../../db/pool.ts'
import { internalConnectionId, type CoreContext } from '../context.ts'
import { syncStockRules, type StockRuleWish } from '../availability/ruleChanges.ts'
import { HubError } from '../errors.ts'
import { awaitLotChanges, syncCountBasis, syncLots } from './catalogLots.ts'
import { markDirty } from './ledger.ts'
import { linkListings, LISTING_KEY, listingWakeKey, mapListings, type ListingMapping } from './listings.ts'
import { wakeParked } from './wake.ts'

/** The merchant's master data as the configuration (or the API) states it. */
export interface Catalog {
  companies: readonly { id: string; name: string }[]
  locations: readonly CatalogLocation[]
  connections: readonly { id: string; connector: string; company_id: string; serves_from: readonly string[] }[]
  items: readonly CatalogItem[]
  kits: readonly { company_id: string; sku: string; components: readonly { sku: string; quantity: number }[] }[]
  listings: readonly ListingMapping[]
  /** What may be shown where. Absent: what is there stays. */
  stock_rules?: readonly StockRuleWish[]
}

export interface CatalogItem {
  company_id: string
  sku: string
  name: string | null
  barcode: string | null
  /** Its units carry a lot, and are not sold with fewer days left than this. */
  lots?: { days_left_min: number } | null
}

export interface CatalogLocation {
  id: string
  company_id: string
  name: string
  kind: 'warehouse' | '3pl' | 'store' | 'drop_ship'
  country: string
  postcode: string | null
  timezone: string | null
  latitude: number | null
  longitude: number | null
  priority: number
  /** The connection that does the work there, and what it calls the place. */
  connection_id: string | null
  external_code: string | null
  /** Without a count for so long, what is believed of it is no longer trusted. */
  stale_after_minutes?: number | null
  /** What its snapshots count: everything on the shelf (the default), or only what its own system has not promised. */
  count_basis?: 'on_hand' | 'available'
}

export interface CatalogResult {
  items_added: number
  kits_changed: number
  locations_changed: number
  /** Parked facts that are due again because of what appeared. */
  woken: number
}

export const itemWakeKey = (company_id: string, sku: string): string => `item:${company_id}:${sku}`
export const locationWakeKey = (connection_id: string, code: string): string => `location:${connection_id}:${code}`

/**
 * Brings the tables in line with the catalog; a second run changes nothing. What left the catalog is kept, because history refers to
 * it: locations become inactive, items and listings stay. Set-based, so that a hundred thousand items are a few statements.
 * Faults: `config_invalid` for a kit that names an item which does not exist, `unknown_sku` for such a listing.
 */
export async function syncCatalog(tx: Tx, ctx: CoreContext, catalog: Catalog): Promise<CatalogResult> {
  await awaitLotChanges(tx, catalog)
  await syncCompanies(tx, catalog)
  await syncConnections(tx, catalog)
  const places = await syncLocations(tx, catalog)
  await syncServes(tx, ctx, catalog)
  await syncCountBasis(tx, catalog)
  const items = await syncItems(tx, catalog)
  await syncLots(tx, catalog)
  const kits = await syncKits(tx, catalog)
  await markDirty(tx, kits, ctx.now)
  await mapListings(tx, ctx, catalog.listings)
  await syncSilences(tx, catalog)
  if (catalog.stock_rules !== undefined) await syncStockRules(tx, catalog.stock_rules, ctx.now)
  await linkListings(tx, ctx, await unlinkedListings(tx, items))
  const woken = await wakeParked(
    tx,
    [
      ...items.map((item) => itemWakeKey(item.company_id, item.sku)),
      ...(await awaitedListings(tx, items)),
      ...locationKeys(catalog, places),
    ],
    ctx.now,
  )
  return { items_added: items.length, kits_changed: kits.length, locations_changed: places.length, woken }
}

async function syncCompanies(tx: Tx, { companies }: Catalog): Promise<void> {
  await tx.query(
    `insert into companies (id, name) select id, name from jsonb_to_recordset($1::jsonb) as w(id text, name text)
     on conflict (id) do update set name = excluded.name where companies.name <> excluded.name`,
    [JSON.stringify(companies)],
  )
}

/** Each company has one connection more, to itself: its transfers have no channel. */
async function syncConnections(tx: Tx, { connections, companies }: Catalog): Promise<void> {
  const internal = companies.map(({ id }) => ({ id: internalConnectionId(id), connector: 'internal', company_id: id }))
  await tx.query(
    `insert into connections (id, connector, company_id)
     select id, connector, company_id from jsonb_to_recordset($1::jsonb) as w(id text, connector text, company_id text)
     on conflict (id) do update set connector = excluded.connector, company_id = excluded.company_id
     where (connections.connector, connections.company_id) is distinct from (excluded.connector, excluded.company_id)`,
    [
      JSON.stringify([
        ...connections.map(({ id, connector, company_id }) => ({ id, connector, company_id })),
        ...internal,
      ]),
    ],
  )
}

/** Returns the ids of the locations that are new or have changed. */
async function syncLocations(tx: Tx, { locations }: Catalog): Promise<string[]> {
  const put = await tx.query<{ id: string }>(
    `insert into locations as l (id, company_id, name, kind, country, postcode, timezone, latitude, longitude, priority,
                                 connection_id, external_code)
     select id, company_id, name, kind, country, postcode, timezone, latitude, longitude, priority, connection_id, external_code
     from jsonb_to_recordset($1::jsonb) as w(id text, company_id text, name text, kind text, country text, postcode text,
       timezone text, latitude double precision, longitude double precision, priority int, connection_id text, external_code text)
     on conflict (id) do update set
       company_id = excluded.company_id, name = excluded.name, kind = excluded.kind, country = excluded.country,
       postcode = excluded.postcode, timezone = excluded.timezone, latitude = excluded.latitude, longitude = excluded.longitude,
       priority = excluded.priority, connection_id = excluded.connection_id, external_code = excluded.external_code, active = true
     where (l.company_id, l.name, l.kind, l.country, l.postcode, l.timezone, l.latitude, l.longitude, l.priority, l.connection_id,
            l.external_code, l.active)
       is distinct from (excluded.company_id, excluded.name, excluded.kind, excluded.country, excluded.postcode, excluded.timezone,
            excluded.latitude, excluded.longitude, excluded.priority, excluded.connection_id, excluded.external_code, true)
     returning id`,
    [JSON.stringify(locations)],
  )
  await tx.query(`update locations set active = false where active and not id = any($1::text[])`, [
    locations.map(({ id }) => id),
  ])
  return put.map((row) => row.id)
}

/** How long each place may be silent. */
async function syncSilences(tx: Tx, { locations }: Catalog): Promise<void> {
  await tx.query(
    `update locations l set stale_after_minutes = w.minutes
     from jsonb_to_recordset($1::jsonb) as w(id text, minutes int)
     where l.id = w.id and l.stale_after_minutes is distinct from w.minutes`,
    [JSON.stringify(locations.map(({ id, stale_after_minutes }) => ({ id, minutes: stale_after_minutes ?? null })))],
  )
}

/** Which locations serve which connection, best first. A change makes every number of that connection due. */
async function syncServes(tx: Tx, ctx: CoreContext, { connections }: Catalog): Promise<void> {
  const wanted = connections.flatMap((connection) =>
    connection.serves_from.map((location_id, rank) => ({ connection_id: connection.id, location_id, rank })),
  )
  const changed = await tx.query<{ connection_id: string }>(
    `with wanted as (
       select * from jsonb_to_recordset($1::jsonb) as w(connection_id text, location_id text, rank int)
     ), gone as (
       delete from connection_locations cl
       where not exists (select 1 from wanted w where w.connection_id = cl.connection_id and w.location_id = cl.location_id)
       returning connection_id
     ), put as (
       insert into connection_locations (connection_id, location_id, rank) select connection_id, location_id, rank from wanted
       on conflict (connection_id, location_id) do update set rank = excluded.rank where connection_locations.rank <> excluded.rank
       returning connection_id
     )
     select connection_id from gone union select connection_id from put`,
    [JSON.stringify(wanted)],
  )
  await tx.query(
    `update availability a set dirty_seq = dirty_seq + 1, dirty_at = case when dirty_seq > sent_seq then dirty_at else $2 end
     where connection_id = any($1::text[]) and exists (select 1 from listing_items li where li.listing_id = a.listing_id)`,
    [changed.map((row) => row.connection_id), ctx.now],
  )
}

/** Returns the items that are new. */
async function syncItems(tx: Tx, { items }: Catalog): Promise<{ company_id: string; sku: string }[]> {
  const put = await tx.query<{ company_id: string; sku: string; added: boolean }>(
    `insert into items as i (company_id, sku, name, barcode)
     select company_id, sku, name, barcode
     from jsonb_to_recordset($1::jsonb) as w(company_id text, sku text, name text, barcode text)
     on conflict (company_id, sku) do update set name = excluded.name, barcode = excluded.barcode, source = 'config'
     where (i.name, i.barcode, i.source) is distinct from (excluded.name, excluded.barcode, 'config')
     returning company_id, sku, xmax = 0 as added`,
    [JSON.stringify(items)],
  )
  return put.filter((row) => row.added)
}

/** Returns the item ids of the kits whose composition changed. */
export async function syncKits(tx: Tx, { kits }: Pick<Catalog, 'kits'>): Promise<number[]> {
  const wanted = kits.flatMap(({ company_id, sku, components }) =>
    components.map((component) => ({ company_id, kit: sku, component: component.sku, quantity: component.quantity })),
  )
  const found = await tx.query<{
    kit: string
    component: string
    kit_id: number | null
    component_id: number | null
    quantity: number
  }>(
    `select w.kit, w.component, k.id as kit_id, c.id as component_id, w.quantity
     from jsonb_to_recordset($1::jsonb) as w(company_id text, kit text, component text, quantity int)
     left join items k on k.company_id = w.company_id and k.sku = w.kit
     left join items c on c.company_id = w.company_id and c.sku = w.component`,
    [JSON.stringify(wanted)],
  )
  const fault = found.find((row) => row.kit_id === null || row.component_id === null)
  if (fault !== undefined) {
    throw new HubError(
      'config_invalid',
      `the kit ${fault.kit} with ${fault.component} names an item that does not exist`,
    )
  }
  const changed = await tx.query<{ kit_item_id: number }>(
    `with wanted as (
       select kit_id, component_id, sum(quantity)::int as quantity
       from jsonb_to_recordset($1::jsonb) as w(kit_id bigint, component_id bigint, quantity int) group by 1, 2
     ), gone as (
       delete from kit_components k using (select distinct kit_id from wanted) w
       where k.kit_item_id = w.kit_id and not exists (
         select 1 from wanted x where x.kit_id = k.kit_item_id and x.component_id = k.component_item_id)
       returning kit_item_id
     ), put as (
       insert into kit_components (kit_item_id, component_item_id, quantity) select kit_id, component_id, quantity from wanted
       on conflict (kit_item_id, component_item_id) do update set quantity = excluded.quantity
       where kit_components.quantity <> excluded.quantity
       returning kit_item_id
     )
     select kit_item_id from gone union select kit_item_id from put`,
    [JSON.stringify(found)],
  )
  return changed.map((row) => row.kit_item_id)
}

/** Listings without items whose SKU is that of an item which has just appeared. */
export async function unlinkedListings(
  tx: Tx,
  items: readonly { company_id: string; sku: string }[],
): Promise<number[]> {
  if (items.length === 0) return []
  const rows = await tx.query<{ id: number }>(
    `select l.id
     from unnest($1::text[], $2::text[]) as w(company_id, sku)
     join connections c on c.company_id = w.company_id
     join listings l on l.connection_id = c.id and l.channel_sku = w.sku
     where not exists (select 1 from listing_items li where li.listing_id = l.id)
     order by l.id`,
    [items.map((item) => item.company_id), items.map((item) => item.sku)],
  )
  return rows.map((row) => row.id)
}

/** An order may name a SKU that no listing was ever told of. It waits for the listing, which the item of that SKU brings by itself. */
export async function awaitedListings(
  tx: Tx,
  items: readonly { company_id: string; sku: string }[],
): Promise<string[]> {
  if (items.length === 0) return []
  const rows = await tx.query<{ connection_id: string; sku: string }>(
    `select distinct c.id as connection_id, w.sku
     from unnest($1::text[], $2::text[]) as w(company_id, sku)
     join connections c on c.company_id = w.company_id
     join inbox i on i.connection_id = c.id and i.state = 'parked' and i.wake_key = $3 || c.id || ':' || w.sku`,
    [items.map((item) => item.company_id), items.map((item) => item.sku), LISTING_KEY],
  )
  return rows.map((row) => listingWakeKey(row.connection_id, row.sku))
}

/** A location is known to its own connection by the external code, and to every connection by its id. */
function locationKeys({ locations, connections }: Catalog, changed: readonly string[]): string[] {
  const ids = new Set(changed)
  return locations
    .filter(({ id }) => ids.has(id))
    .flatMap(({ id, connection_id, external_code }) => [
      ...connections.map((connection) => locationWakeKey(connection.id, id)),
      ...(connection_id !== null && external_code !== null ? [locationWakeKey(connection_id, external_code)] : []),
    ])
}
