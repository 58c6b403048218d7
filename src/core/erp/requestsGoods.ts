import type { ErpRequest } from '../model/effects.ts'
import type { ErpPolicy } from './policy.ts'
import { inOrder, type LoadContext } from './load.ts'
import { LISTED } from './requestsOrder.ts'
import { orderKeyOf } from './rulesDue.ts'
import { partIdOf } from './rulesOrder.ts'
import { ERP_UNITS } from './tell.ts'

interface OfOrder {
  connection_id: string
  external_id: string
}

const codeOf = (erp: ErpPolicy, location_id: string): string | null => erp.places.get(location_id)?.code ?? null

interface DeliveryRow extends OfOrder {
  id: string
  carrier: string | null
  tracking_number: string | null
  shipped_at: Date
  location_id: string
  lines: {
    sku: string
    item_id: number
    line_external_id: string
    quantity: number
    lot: string | null
    /** The items that the line sells, each with what it is made of. */
    sells: { sku: string; parts: number[] }[]
  }[]
  units_remaining: number
}

/** One parcel by items, components of kits as such. `units_remaining`: what is still to leave, parcels after this one included. */
export async function loadDeliveries({ q, erp, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<DeliveryRow>(
    `select s.id, o.connection_id, o.external_id, s.carrier, s.tracking_number, s.shipped_at, f.location_id,
       (select jsonb_agg(jsonb_build_object('sku', i.sku, 'item_id', i.id, 'line_external_id', l.external_id, 'quantity', x.quantity, 'lot', x.lot,
          'sells', coalesce((
            select jsonb_agg(jsonb_build_object('sku', g.sku, 'parts', array(
              select g.item_id union select k.component_item_id from kit_components k where k.kit_item_id = g.item_id)) order by g.item_id)
            from (${LISTED}) g), '[]')) order by l.id, i.sku)
        from shipment_lines x join order_lines l on l.id = x.order_line_id join items i on i.id = x.item_id
        where x.shipment_id = s.id) as lines,
       (select coalesce(sum(greatest(0, ${ERP_UNITS} - l.shipped_quantity)), 0) from order_lines l
        where l.order_id = o.id and l.requires_shipping)
       + (select coalesce(sum(x.quantity), 0) from shipments n join shipment_lines x on x.shipment_id = n.id
          where n.order_id = o.id and (n.recorded_at, n.id) > (s.recorded_at, s.id)) as units_remaining
     from shipments s join orders o on o.id = s.order_id join fulfillment_orders f on f.id = s.fulfillment_order_id
     where s.id = any($1::uuid[]) and exists (select 1 from shipment_lines x where x.shipment_id = s.id)`,
    [wanted.map(({ subject }) => subject)],
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'delivery',
    order_external_key: orderKeyOf(row),
    shipment_id: row.id,
    carrier: row.carrier,
    tracking_number: row.tracking_number,
    shipped_at: row.shipped_at.toISOString(),
    warehouse_code: codeOf(erp, row.location_id),
    lines: row.lines.map(({ sku, quantity, lot, ...line }) => ({ sku, line_external_id: partOf(line), quantity, lot })),
    units_remaining: row.units_remaining,
  }))
}

/** The line of the ERP's order that these goods are of: a line that sells several items is several lines there. */
function partOf({
  line_external_id,
  item_id,
  sells,
}: Omit<DeliveryRow['lines'][number], 'sku' | 'quantity' | 'lot'>): string {
  const index = sells.findIndex(({ parts }) => parts.includes(item_id))
  const part = sells[index]
  return part === undefined ? line_external_id : partIdOf(line_external_id, index, part.sku)
}

interface ReturnRow extends OfOrder {
  id: string
  received_at: Date
  location_id: string
  lines: { sku: string; quantity: number; disposition: string }[]
}

export async function loadReturns({ q, erp, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<ReturnRow>(
    `select r.id, o.connection_id, o.external_id, r.received_at, r.location_id, r.lines
     from returns r join orders o on o.id = r.order_id where r.id = any($1::uuid[])`,
    [wanted.map(({ subject }) => subject)],
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'return',
    order_external_key: orderKeyOf(row),
    return_id: row.id,
    received_at: row.received_at.toISOString(),
    warehouse_code: codeOf(erp, row.location_id),
    lines: row.lines.map(({ sku, quantity, disposition }) => ({ sku, quantity, disposition })),
  }))
}

/** Of a delivery or of a whole order, on the day on which the last of its goods left. */
export async function loadInvoices({ q, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<OfOrder & { id: string; at: Date }>(
    `select s.id, o.connection_id, o.external_id, s.shipped_at as at from shipments s join orders o on o.id = s.order_id
     where s.id = any($1::uuid[])
     union all
     select o.id, o.connection_id, o.external_id,
       coalesce((select max(s.shipped_at) from shipments s where s.order_id = o.id), o.placed_at, o.received_at)
     from orders o where o.id = any($1::uuid[])`,
    [wanted.map(({ subject }) => subject)],
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'invoice',
    order_external_key: orderKeyOf(row),
    at: row.at.toISOString(),
  }))
}

interface CreditRow extends OfOrder {
  id: string
  refund_id: string
  at: Date
  currency: string
  amount_minor: number
  lines: { sku: string; quantity: number; amount_minor: number }[]
}

/** What was given back for goods that had left: units that were cancelled before were never invoiced. */
export async function loadCredits({ q, wanted }: LoadContext): Promise<ErpRequest[]> {
  const rows = await q.query<CreditRow>(
    `select p.id::text as id, o.connection_id, o.external_id, p.external_id as refund_id, p.at, p.currency,
       p.amount_minor - case when c.with_tax <= p.amount_minor then c.with_tax else least(p.amount_minor, c.minor) end as amount_minor,
       coalesce((
         select jsonb_agg(jsonb_build_object('sku', coalesce((
             select g.sku from (${LISTED}) g order by g.item_id limit 1), l.channel_sku), 'quantity', r.quantity, 'amount_minor', r.amount_minor)
           order by l.id)
         from refund_lines r join order_lines l on l.order_id = o.id and l.external_id = r.line_external_id
         where r.payment_id = p.id and r.restock <> 'cancel'), '[]') as lines
     from payments p join orders o on o.id = p.order_id, lateral (
       select coalesce(sum(amount_minor + tax_minor), 0)::bigint as with_tax, coalesce(sum(amount_minor), 0)::bigint as minor
       from refund_lines where payment_id = p.id and restock = 'cancel') c
     where p.id = any($1::bigint[]) and p.status = 'succeeded'`,
    [wanted.map(({ subject }) => subject)],
  )
  return inOrder(wanted, rows, (row, { outbox_id, key }) => ({
    outbox_id,
    key,
    kind: 'credit',
    order_external_key: orderKeyOf(row),
    refund_id: row.refund_id,
    at: row.at.toISOString(),
    currency: row.currency,
    amount_minor: row.amount_minor,
    lines: row.lines,
  }))
}
