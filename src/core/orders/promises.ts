import type { Queryable } from '../../db/pool.ts'

/** What the hub holds itself to for one order: units promised (held, committed or shipped) and units openly refused, per item SKU. */
export interface OrderPromise {
  connection_id: string
  external_id: string
  promised: Record<string, number>
  shortfall: Record<string, number>
}

/** Every order of these connections with its promises. A full scan: for proofs (demo, tests), not for pages. */
export async function readPromises(q: Queryable, connection_ids: readonly string[]): Promise<OrderPromise[]> {
  return q.query<OrderPromise>(
    `with per_item as (
       select r.order_id, i.sku,
         sum(case when r.state in ('held', 'committed') then r.quantity else 0 end + r.consumed_quantity) as promised,
         sum(case when r.state = 'shortfall' then r.quantity else 0 end) as shortfall
       from reservations r join items i on i.id = r.item_id
       group by r.order_id, i.sku
     )
     select o.connection_id, o.external_id,
       coalesce(jsonb_object_agg(p.sku, p.promised) filter (where p.promised > 0), '{}') as promised,
       coalesce(jsonb_object_agg(p.sku, p.shortfall) filter (where p.shortfall > 0), '{}') as shortfall
     from orders o left join per_item p on p.order_id = o.id
     where o.connection_id = any($1)
     group by o.id, o.connection_id, o.external_id`,
    [connection_ids],
  )
}
