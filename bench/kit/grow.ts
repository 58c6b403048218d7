import type { Db } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { COMPANY, LOCATION, OUTLET, SKUS, STOCK_OF_EACH, STORE } from './shop.ts'

/**
 * Brings the shop to so many items, each as the first ten thousand are: listed on one storefront, counted once, told to the channel. By
 * SQL, because a million items through the product would take longer than what is measured; `verify` looks at all of them afterwards.
 */
export async function growShop(db: Db, items: number): Promise<void> {
  await inTransaction(db, async (tx) => {
    // One storefront less for every size: what differs between the sizes shall be the number of items alone, and filling has to end.
    await tx.query(`delete from availability where connection_id = '${OUTLET}'`)
    await tx.query(
      `delete from listing_items where listing_id in (select id from listings where connection_id = '${OUTLET}')`,
    )
    await tx.query(`delete from listings where connection_id = '${OUTLET}'`)
    // The rows are right by construction; a check of each parent would double the time.
    await tx.query('set local session_replication_role = replica')
    for (const sql of FILL) await tx.query(sql, [SKUS, items])
  })
  await db.query('vacuum (analyze) items, listings, listing_items, availability, stock, stock_ledger')
}

const FILL: readonly string[] = [
  `insert into items (company_id, sku, name)
   select '${COMPANY}', 'SKU-' || lpad(n::text, 6, '0'), 'Item ' || n from generate_series($1::int, $2::int - 1) as n`,
  `insert into listings (connection_id, channel_sku, title, external)
   select '${STORE}', 'SKU-' || lpad(n::text, 6, '0'), 'SKU-' || lpad(n::text, 6, '0'),
     jsonb_build_object('inventory_item_id', 'gid://shopify/InventoryItem/' || n + 1)
   from generate_series($1::int, $2::int - 1) as n`,
  `insert into listing_items (listing_id, item_id, quantity)
   select l.id, i.id, 1 from listings l join items i on i.company_id = '${COMPANY}' and i.sku = l.channel_sku
   where not exists (select 1 from listing_items o where o.listing_id = l.id) and $1::int <= $2::int`,
  `insert into availability (listing_id, connection_id, sent_seq, dirty_at, proven_quantity, proven_at, state, next_attempt_at)
   select id, '${STORE}', 1, now(), ${STOCK_OF_EACH}, now(), 'ok', now() from listings l
   where not exists (select 1 from availability a where a.listing_id = l.id) and $1::int <= $2::int`,
  `insert into stock (item_id, location_id, available, counted_as_of)
   select i.id, '${LOCATION}', ${STOCK_OF_EACH}, now() from items i
   where not exists (select 1 from stock s where s.item_id = i.id) and $1::int <= $2::int`,
  `insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
   select i.id, '${LOCATION}', 'outside', 'available', ${STOCK_OF_EACH}, 'count', 'bench', now(), now() from items i
   where not exists (select 1 from stock_ledger l where l.item_id = i.id) and $1::int <= $2::int`,
]
