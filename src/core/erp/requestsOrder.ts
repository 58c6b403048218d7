import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { ErpOrder, ErpRequest } from '../model/effects.ts'
import { readPerson } from '../people/people.ts'
import { inOrder, type LoadContext } from './load.ts'
import { orderKeyOf } from './rulesDue.ts'
import { erpAmounts, type SoldLine, type SoldTotals } from './rulesOrder.ts'
import { ERP_UNITS } from './tell.ts'

interface OrderRow extends SoldTotals {
  id: string
  connection_id: string
  external_id: string
  number: string | null
  placed_at: Date
  currency: string
  person_id: string | null
  subject_id: string | null
  location_id: string | null
  lines: SoldLine[]
}

/** SQL: what one unit of a line takes, as the listing says it: a kit is one item. */
export const LISTED = `
  select i.id as item_id, i.sku, li.quantity from listing_items li join items i on i.id = li.item_id where li.listing_id = l.listing_id`

/** An order that is cancelled, and of which nothing left, is told by its cancellation. */
export async function loadOrders({ q, ctx, erp, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<OrderRow>(
    `select o.id, o.connection_id, o.external_id, o.number, coalesce(o.placed_at, o.received_at) as placed_at, o.currency, o.person_id,
       p.subject_id, coalesce(o.shipping_minor, 0) as shipping_minor, coalesce(o.tax_minor, 0) as tax_minor,
       coalesce(o.total_minor, 0) as total_minor,
       (select f.location_id from fulfillment_orders f where f.order_id = o.id order by f.created_at, f.id limit 1) as location_id,
       coalesce((
         select jsonb_agg(jsonb_build_object('external_id', l.external_id, 'channel_sku', l.channel_sku, 'title', l.title,
           'quantity', l.quantity, 'units', ${ERP_UNITS}, 'unit_price_minor', l.unit_price_minor, 'discount_minor', l.discount_minor,
           'tax_minor', l.tax_minor, 'items', coalesce((
             select jsonb_agg(jsonb_build_object('sku', g.sku, 'quantity', g.quantity) order by g.item_id) from (${LISTED}) g), '[]'))
           order by l.id)
         from order_lines l where l.order_id = o.id and greatest(l.quantity, l.shipped_quantity) > 0), '[]') as lines
     from orders o left join people p on p.id = o.person_id
     where o.id = any($1::uuid[]) and o.content_sha256 is not null
       and (o.lifecycle <> 'cancelled' or exists (
         select 1 from shipments s join shipment_lines x on x.shipment_id = s.id where s.order_id = o.id))`,
    [wanted.map(({ subject }) => subject)],
  )
  const customers = new Map<string, ErpOrder['customer']>()
  for (const row of rows) customers.set(row.id, await customerOf(q, ctx, row))
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'order',
    order: {
      order_id: row.id,
      channel: row.connection_id,
      order_external_id: row.external_id,
      order_number: row.number ?? row.external_id,
      placed_at: row.placed_at.toISOString(),
      currency: row.currency,
      ...erpAmounts(row.lines, row),
      customer: customers.get(row.id) ?? nobody(row.id),
      warehouse_code: row.location_id === null ? null : (erp.places.get(row.location_id)?.code ?? null),
    },
  }))
}

const nobody = (order_id: string): ErpOrder['customer'] => ({
  external_id: `order:${order_id}`,
  name: null,
  email: null,
  ship_to: null,
  bill_to: null,
})

/** One customer of a channel is one partner there, by an id that says nothing about who it is. */
async function customerOf(
  q: Queryable,
  { vault }: Pick<CoreContext, 'vault'>,
  { id, person_id, subject_id }: OrderRow,
): Promise<ErpOrder['customer']> {
  if (person_id === null || subject_id === null) return nobody(id)
  const person = await readPerson(q, vault, person_id)
  const external_id = `person:${subject_id}`
  if (person === 'erased') return { ...nobody(id), external_id }
  const { buyer, ship_to, bill_to } = person
  return {
    external_id,
    name: buyer?.name ?? bill_to?.name ?? ship_to?.name ?? null,
    email: buyer?.email ?? null,
    ship_to,
    bill_to,
  }
}

/** An order that came back meanwhile is not cancelled. */
export async function loadCancellations({ q, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<{ id: string; connection_id: string; external_id: string }>(
    `select id, connection_id, external_id from orders o where id = any($1::uuid[]) and lifecycle = 'cancelled'
       and not exists (select 1 from shipments s join shipment_lines x on x.shipment_id = s.id where s.order_id = o.id)`,
    [wanted.map(({ subject }) => subject)],
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'cancellation',
    order_external_key: orderKeyOf(row),
  }))
}
