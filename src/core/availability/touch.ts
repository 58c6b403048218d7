import type { Tx } from '../../db/pool.ts'

/** Which listings are meant; null: whatever they are. */
export interface TouchScope {
  company_id: string
  connection_id: string | null
  /** Listings that take the item, directly or by a kit. */
  item_id: number | null
  /** Listings of the connections that the place serves. */
  location_id: string | null
}

/**
 * Makes the numbers of all listings due that one of the scopes speaks of, because something other than stock has changed them. One
 * statement; the rows are locked in the order of `moveStock`. A number that turns out to be the same is settled without a call.
 * Returns how many rows were touched.
 */
export async function touchScopes(tx: Tx, scopes: readonly TouchScope[], now: Date): Promise<number> {
  if (scopes.length === 0) return 0
  const rows = await tx.query<{ n: number }>(
    `with scopes as (
       select * from jsonb_to_recordset($1::jsonb) as s(company_id text, connection_id text, item_id bigint, location_id text)
     ), locked as materialized (
       select a.listing_id from availability a
       where a.listing_id in (
         select l.id from scopes s
         join connections c on c.company_id = s.company_id and (s.connection_id is null or c.id = s.connection_id)
         join listings l on l.connection_id = c.id
         where l.active and exists (select 1 from listing_items li where li.listing_id = l.id)
           and (s.location_id is null or exists (
             select 1 from connection_locations cl where cl.connection_id = c.id and cl.location_id = s.location_id))
           and (s.item_id is null or l.id in (
             select li.listing_id from listing_items li where li.item_id = s.item_id
             union all
             select li.listing_id from kit_components k join listing_items li on li.item_id = k.kit_item_id
             where k.component_item_id = s.item_id)))
       order by a.listing_id for no key update of a
     ), touched as (
       update availability a
       set dirty_seq = a.dirty_seq + 1, dirty_at = case when a.dirty_seq > a.sent_seq then a.dirty_at else $2 end,
           next_attempt_at = least(a.next_attempt_at, $2)
       from locked where a.listing_id = locked.listing_id
       returning 1
     )
     select count(*)::int as n from touched`,
    [JSON.stringify(scopes), now],
  )
  return rows[0]?.n ?? 0
}

/** The same for listings that are known by id. */
export async function touchListings(tx: Tx, listing_ids: readonly number[], now: Date): Promise<void> {
  if (listing_ids.length === 0) return
  await tx.query(
    `with locked as materialized (
       select listing_id from availability where listing_id = any($1::bigint[]) order by listing_id for no key update
     )
     update availability a
     set dirty_seq = a.dirty_seq + 1, dirty_at = case when a.dirty_seq > a.sent_seq then a.dirty_at else $2 end,
         next_attempt_at = least(a.next_attempt_at, $2)
     from locked where a.listing_id = locked.listing_id`,
    [listing_ids, now],
  )
}
