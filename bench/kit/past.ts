import type { Db } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { COMPANY, LOCATION, SKUS, STORE } from './shop.ts'

/** Five places in one country, so that a rule has something to choose from. The first is the shop's own. */
export const PLACES = [LOCATION, 'berlin', 'hamburg', 'munich', 'cologne'] as const
export const DAYS = 28

/**
 * Four weeks of orders and the stock that they were served from, by SQL: what a simulation reads, and nothing else. There are 99 units
 * of every item for each 100 that were asked for, so some orders wait. Returns how many units nobody can ever get.
 */
export async function makePast(db: Db, orders: number): Promise<{ units: number; units_lacking: number }> {
  await inTransaction(db, async (tx) => {
    await tx.query('set local session_replication_role = replica')
    // The same past in every run, as far as the server's own random numbers go.
    await tx.query('select setseed(0.5)')
    for (const sql of PAST) await tx.query(sql)
    await tx.query(ORDERS, [orders])
    for (const sql of STOCK) await tx.query(sql)
  })
  await db.query('vacuum (analyze) orders, order_lines, stock_ledger, locations')
  const [row] = await db.query<{ units: number; units_lacking: number }>(
    `with wanted as (
       select li.item_id, sum(l.quantity) as units from order_lines l join listing_items li on li.listing_id = l.listing_id group by 1),
     there as (select item_id, sum(quantity) as units from stock_ledger group by 1)
     select sum(w.units)::bigint as units, sum(greatest(0, w.units - coalesce(t.units, 0)))::bigint as units_lacking
     from wanted w left join there t using (item_id)`,
  )
  if (row === undefined) throw new Error('the past is empty')
  return row
}

const PAST: readonly string[] = [
  `insert into locations (id, company_id, name, kind, country, timezone, latitude, longitude) values
     ('berlin', '${COMPANY}', 'Berlin', 'warehouse', 'DE', 'Europe/Berlin', 52.52, 13.4),
     ('hamburg', '${COMPANY}', 'Hamburg', 'warehouse', 'DE', 'Europe/Berlin', 53.55, 9.99),
     ('munich', '${COMPANY}', 'Munich', 'warehouse', 'DE', 'Europe/Berlin', 48.14, 11.58),
     ('cologne', '${COMPANY}', 'Cologne', 'warehouse', 'DE', 'Europe/Berlin', 50.94, 6.96)`,
  `update locations set timezone = 'Europe/Berlin', latitude = 50.11, longitude = 8.68 where id = '${LOCATION}'`,
  `insert into postcode_areas (country, prefix, latitude, longitude) values
     ('DE', '101', 52.52, 13.4), ('DE', '203', 53.55, 9.99), ('DE', '803', 48.14, 11.58), ('DE', '506', 50.94, 6.96), ('DE', '603', 50.11, 8.68)`,
]

/** Ranks by Zipf's law with exponent 1, 1 to 3 lines of 1 to 3 units, spread evenly over the weeks. */
const ORDERS = `
  with numbers as materialized (select n, md5('past' || n)::uuid as id from generate_series(1, $1::int) as n),
  made as (
    insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, content_sha256, placed_at,
      currency, lifecycle, payment_state, reservation_state, ship_country, ship_postcode_area, total_minor, received_at, changed_at)
    select id, '${COMPANY}', '${STORE}', 'past-' || n, '#' || n, at, at, '\\x00', at, 'EUR', 'open', 'paid', 'committed', 'DE',
      ('{101,203,803,506,603}'::text[])[1 + n % 5], 1990, at, at
    from numbers, lateral (select now() - interval '1 hour' - (n::float8 / $1::int) * interval '${DAYS - 1} days') as t(at)
    returning 1),
  lines as materialized (
    select id, line, least(${SKUS - 1}, floor(exp(random() * ln(${SKUS + 1})))::int - 1) as rank, 1 + floor(random() * 3)::int as units
    from numbers, lateral generate_series(1, 1 + n % 3) as line)
  insert into order_lines (order_id, external_id, listing_id, channel_sku, quantity, unit_price_minor, discount_minor, tax_minor, total_minor)
  select n.id, n.line, l.id, l.channel_sku, n.units, 1990, 0, 318, 1990 * n.units
  from lines n join listings l on l.connection_id = '${STORE}' and l.channel_sku = 'SKU-' || lpad(n.rank::text, 6, '0')
  where (select count(*) from made) > 0`

/** Four fifths of what is there lie at the shop's own place, the rest is spread over the others. */
const STOCK: readonly string[] = [
  'truncate stock_ledger',
  `with wanted as (
     select li.item_id, sum(l.quantity)::int as units
     from order_lines l join listing_items li on li.listing_id = l.listing_id group by 1),
   there as (
     select item_id, place, case when place = '${LOCATION}' then units * 99 / 100 - 4 * (units / 20) else units / 20 end as units
     from wanted, unnest('{${PLACES.join(',')}}'::text[]) as place)
   insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
   select item_id, place, 'outside', 'available', units, 'count', 'bench', now() - interval '90 days', now() - interval '90 days'
   from there where units > 0`,
]
