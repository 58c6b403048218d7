import type { ErpRequest } from '../model/effects.ts'
import type { LoadContext } from './load.ts'

/** SQL: units that have left a place, or come back to it, of which the ERP does not know yet. `$1` its connection. */
export const untold = (location: string): string => `
  select x.item_id, x.quantity::int as units from erp_links k
  join shipments s on s.id = case when k.kind = 'delivery' then k.subject::uuid end
  join fulfillment_orders f on f.id = s.fulfillment_order_id and f.location_id = ${location}
  join shipment_lines x on x.shipment_id = s.id
  where k.connection_id = $1 and k.kind = 'delivery' and k.told_version is distinct from k.version and k.told_version is null
  union all
  select i.id, -l.quantity from erp_links k
  join returns r on r.id = case when k.kind = 'return' then k.subject::uuid end and r.location_id = ${location}
  join locations p on p.id = r.location_id
  cross join lateral jsonb_to_recordset(r.lines) as l(sku text, quantity int, disposition text)
  join items i on i.company_id = p.company_id and i.sku = l.sku
  where k.connection_id = $1 and k.kind = 'return' and k.told_version is distinct from k.version and k.told_version is null
    and l.disposition <> 'discard'`

/**
 * What is on hand as the ERP has to count it: units of parcels that it has not been told of are still there for it, and leave with the
 * delivery; or else they would leave twice.
 */
export async function loadStock({ q, ctx, erp, wanted }: LoadContext): Promise<ErpRequest[]> {
  const requests: ErpRequest[] = []
  for (const { outbox_id, key, subject, reference } of wanted) {
    const code = erp.places.get(subject)?.code ?? null
    if (code === null) continue
    const items = String(reference['items'])
      .split(' ')
      .filter((id) => id !== '')
      .map(Number)
    const lines = await q.query<{ sku: string; on_hand: number }>(
      `select i.sku, greatest(0, coalesce(s.on_hand, 0) + coalesce(u.units, 0))::int as on_hand
       from items i left join stock s on s.item_id = i.id and s.location_id = $2
       left join (select item_id, sum(units) as units from (${untold('$2')}) t where $4 group by item_id) u on u.item_id = i.id
       where i.id = any($3::bigint[]) order by i.sku`,
      [erp.connection_id, subject, items, erp.deliveries],
    )
    requests.push({ outbox_id, key, kind: 'stock', as_of: ctx.now.toISOString(), warehouse_code: code, lines })
  }
  return requests
}
