import type { Tx } from '../../db/pool.ts'

/**
 * A row may park on something that another transaction commits at that very moment; the wake-up of that transaction then finds no
 * row yet. Such rows are found here: parked, and yet what they wait for is there. Each kind of key asks the index of its own table.
 */
const PRESENT = `
  (i.wake_key like 'listing:%' and exists (
     select 1 from listings l join listing_items li on li.listing_id = l.id
     where l.connection_id = i.connection_id and l.channel_sku = substr(i.wake_key, length('listing:' || i.connection_id || ':') + 1)))
  or (i.wake_key like 'order:%' and exists (
     select 1 from orders o
     where o.connection_id = i.connection_id and o.external_id = substr(i.wake_key, length('order:' || i.connection_id || ':') + 1)
       and o.number is not null))
  or (i.wake_key like 'item:%' and exists (
     select 1 from connections c join items t on t.company_id = c.company_id
     where c.id = i.connection_id and t.sku = substr(i.wake_key, length('item:' || c.company_id || ':') + 1)))
  or (i.wake_key like 'location:%' and exists (
     select 1 from locations p
     where (p.connection_id = i.connection_id and p.external_code = substr(i.wake_key, length('location:' || i.connection_id || ':') + 1))
        or p.id = substr(i.wake_key, length('location:' || i.connection_id || ':') + 1)))
  or (i.wake_key like 'fulfillment_order:%' and exists (
     select 1 from fulfillment_orders f where f.number = substr(i.wake_key, length('fulfillment_order:') + 1)))
  or (i.wake_key like 'message:%' and exists (
     select 1 from awaited_answers a, lateral (select substr(i.wake_key, length('message:' || i.connection_id || ':') + 1) as reference) k
     where a.connection_id = i.connection_id and (a.reference = k.reference or starts_with(a.reference, k.reference || '/'))))`

const ROWS_MAX = 1_000

/**
 * Makes such rows due again; they are applied by the next drain. Attempts go on counting, so that a row which parks for another
 * reason each time is left alone after a hundred tries. Returns how many woke.
 */
export async function wakeMissed(tx: Tx, now: Date): Promise<number> {
  const rows = await tx.query(
    `update inbox set state = 'pending', next_attempt_at = $1
     where id in (
       select i.id from inbox i where i.state = 'parked' and i.wake_key is not null and i.attempts < 100 and (${PRESENT})
       order by i.id limit ${ROWS_MAX} for update skip locked)
     returning id`,
    [now],
  )
  return rows.length
}
