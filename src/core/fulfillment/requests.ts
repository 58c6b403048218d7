import { LINE_PARTS } from './lineParts.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { readLabelFiles } from '../labels/documents.ts'
import type { EffectNote, FulfillmentLabel, FulfillmentRequest, ShipmentNotice } from '../model/effects.ts'
import type { Address } from '../model/party.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { readPerson } from '../people/people.ts'
import { takeTurn } from '../turn.ts'
import { noticeLines, type ShippedLine } from './rulesShipment.ts'

/** An outbox row as far as its document is concerned. */
export interface EffectRef {
  id: number
  kind: string
  reference: Readonly<Record<string, string | number>>
}

interface RequestRow {
  id: string
  number: string
  order_number: string
  location_code: string
  placed_at: Date
  created_at: Date
  cancel_requested_at: Date | null
  shipping_method: string | null
  person_id: string | null
  /** Of a transfer: the place of ours that it goes to. */
  to_place: Pick<Address, 'company' | 'postcode' | 'country'> | null
  lines: FulfillmentRequest['lines']
  label: (Omit<FulfillmentLabel, 'files'> & { parcel_id: string }) | null
}

/**
 * Reads the work that effects are about, as it is now. Lines are per item and order line and name all units of the work, shipped ones
 * included, so that a repeated call says the same. Work that is gone or holds nothing is left out. The address leaves the vault only
 * here; it is null when there is none or the person was erased. A transfer goes to a place of our own, by its name, postcode and
 * country. Faults: `vault_sealed`.
 */
export async function loadFulfillmentRequests(
  q: Queryable,
  ctx: Pick<CoreContext, 'vault'>,
  effects: readonly EffectRef[],
): Promise<FulfillmentRequest[]> {
  const rows = await q.query<RequestRow>(
    `select f.id, f.number, coalesce(o.number, o.external_id) as order_number, coalesce(l.external_code, l.id) as location_code,
       coalesce(o.placed_at, o.received_at) as placed_at, f.created_at, f.cancel_requested_at, o.shipping_method, o.person_id, w.lines,
       (select jsonb_build_object('company', p.name, 'postcode', p.postcode, 'country', p.country)
        from supplies s join locations p on p.id = s.location_id where s.order_id = o.id limit 1) as to_place,
       (select jsonb_build_object('parcel_id', p.id, 'carrier', p.carrier, 'service', p.service, 'tracking_number', p.tracking_number,
                                  'tracking_url', p.tracking_url)
        from parcels p where p.fulfillment_order_id = f.id and p.state = 'bought') as label
     from fulfillment_orders f
     join orders o on o.id = f.order_id
     join locations l on l.id = f.location_id
     join lateral (
       select jsonb_agg(jsonb_build_object('sku', g.sku, 'quantity', g.quantity, 'line_reference', g.reference, 'title', g.title)
                        order by g.line_id, g.sku) as lines
       from (
         select i.sku, ol.id as line_id, ol.external_id as reference, ol.title,
                sum(r.consumed_quantity + case when r.state = 'committed' then r.quantity else 0 end)::int as quantity
         from reservations r
         join items i on i.id = r.item_id
         join order_lines ol on ol.id = r.order_line_id
         where r.fulfillment_order_id = f.id
         group by i.sku, ol.id
       ) g where g.quantity > 0
     ) w on w.lines is not null
     where f.id = any($1::uuid[])`,
    [effects.map((effect) => String(effect.reference['fulfillment_order_id']))],
  )
  const work = new Map(rows.map((row) => [row.id, row]))
  const requests: FulfillmentRequest[] = []
  for (const { id, kind, reference } of effects) {
    const row = work.get(String(reference['fulfillment_order_id']))
    if (row === undefined) continue
    const action = kind === 'fulfillment.cancel' ? 'cancel' : 'new'
    const { order_number, location_code, shipping_method, lines } = row
    requests.push({
      outbox_id: id,
      action,
      fulfillment_order: row.number,
      order_number,
      location_code,
      shipping_method,
      lines,
      placed_at: row.placed_at.toISOString(),
      requested_at: (action === 'cancel' ? (row.cancel_requested_at ?? row.created_at) : row.created_at).toISOString(),
      ship_to: action === 'new' ? await addressOf(q, ctx, row) : null,
      ...(action === 'new' ? labelOf(q, ctx, row) : {}),
    })
  }
  return requests
}

function labelOf(
  q: Queryable,
  { vault }: Pick<CoreContext, 'vault'>,
  { label }: Pick<RequestRow, 'label'>,
): { label?: FulfillmentLabel } {
  if (label === null) return {}
  const { parcel_id, ...shown } = label
  return { label: { ...shown, files: () => readLabelFiles(q, vault, parcel_id) } }
}

export const NO_ADDRESS: Address = {
  name: null,
  company: null,
  line1: null,
  line2: null,
  city: null,
  region: null,
  postcode: null,
  country: null,
  phone: null,
}

/** Where work goes. Null: nobody knows, or the person was erased. Faults: `vault_sealed`. */
export async function addressOf(
  q: Queryable,
  { vault }: Pick<CoreContext, 'vault'>,
  { person_id, to_place }: Pick<RequestRow, 'person_id' | 'to_place'>,
): Promise<Address | null> {
  if (to_place !== null) return { ...NO_ADDRESS, ...to_place }
  if (person_id === null) return null
  const person = await readPerson(q, vault, person_id)
  return person === 'erased' ? null : person.ship_to
}

/**
 * The first step of writing down how effects ended: it locks the orders that they are about, before their outbox rows and their work,
 * in the order in which everybody else locks them. Whoever holds one order and what hangs on it waits for nothing that others hold, so
 * only effects of several orders wait for the company's turn.
 */
export async function lockEffectOrders(tx: Tx, company_id: string, outbox_ids: readonly number[]): Promise<void> {
  const rows = await tx.query<{ order_id: string }>(
    'select distinct order_id from outbox where id = any($1::bigint[]) and order_id is not null',
    [outbox_ids],
  )
  if (rows.length > 1) await takeTurn(tx, [company_id], 'side_by_side')
  await lockOrdersById(
    tx,
    rows.map((row) => row.order_id),
  )
}

/** Work that has reached its 3PL is scheduled until the 3PL takes it on; work that was answered meanwhile is left as it is. */
export async function markFulfillmentSent(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  effects: readonly EffectRef[],
): Promise<void> {
  const rows = await tx.query<{ order_id: string; number: string; id: string }>(
    `update fulfillment_orders set state = 'SCHEDULED', changed_at = $2
     where id = any($1::uuid[]) and state = 'OPEN' returning id, order_id, number`,
    [effects.map((effect) => String(effect.reference['fulfillment_order_id'])), ctx.now],
  )
  const sourceOf = new Map(effects.map((effect) => [effect.reference['fulfillment_order_id'], `outbox:${effect.id}`]))
  const facts = rows.map(({ id, order_id, number }) => ({
    order_id,
    kind: 'fulfillment_order.sent',
    at: ctx.now,
    source: sourceOf.get(id) ?? `fulfillment_order:${number}`,
    data: { number },
  }))
  await recordTimeline(tx, facts, ctx.now)
}

/** What operators should know of effects that are done, in the histories of their orders. */
export async function recordEffectNotes(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  noted: readonly { effect: EffectRef; note: EffectNote }[],
): Promise<void> {
  if (noted.length === 0) return
  const orders = await tx.query<{ id: number; order_id: string; tracking_number: string | null }>(
    `select x.id, x.order_id, s.tracking_number from outbox x left join shipments s on s.id = (x.reference ->> 'shipment_id')::uuid
     where x.id = any($1::bigint[]) and x.order_id is not null`,
    [noted.map(({ effect }) => effect.id)],
  )
  const byId = new Map(orders.map((row) => [row.id, row]))
  const facts = noted.flatMap(({ effect, note: { kind, lines } }) => {
    const row = byId.get(effect.id)
    if (row === undefined) return []
    const { order_id, tracking_number } = row
    const units = lines.reduce((sum, line) => sum + line.quantity, 0)
    const data = { ...effect.reference, tracking_number, units, lines }
    return [{ order_id, kind: `shipment.${kind}`, at: ctx.now, source: `outbox:${effect.id}`, data }]
  })
  await recordTimeline(tx, facts, ctx.now)
}

interface NoticeRow {
  id: string
  order_id: string
  order_external_id: string
  order_number: string
  carrier: string | null
  tracking_number: string | null
  tracking_url: string | null
  shipped_at: Date
}

export interface LoadedNotices {
  notices: ShipmentNotice[]
  /** Effects whose shipment completes no unit of any line (a part of a kit): a channel can be told nothing of it yet. */
  silent: number[]
}

/**
 * Reads the shipments that effects are about, in the units of the order's own lines. The tracking numbers of silent shipments leave with
 * the parcel that completes their units. A shipment that does not exist is left out.
 */
export async function loadShipmentNotices(
  q: Queryable,
  _ctx: Pick<CoreContext, 'vault'>,
  effects: readonly EffectRef[],
): Promise<LoadedNotices> {
  const shipments = await q.query<NoticeRow>(
    `select s.id, s.order_id, o.external_id as order_external_id, coalesce(o.number, o.external_id) as order_number, s.carrier,
       s.tracking_number, s.tracking_url, s.shipped_at
     from shipments s join orders o on o.id = s.order_id where s.id = any($1::uuid[])`,
    [effects.map((effect) => String(effect.reference['shipment_id']))],
  )
  const orderIds = [...new Set(shipments.map((shipment) => shipment.order_id))]
  const lines = Map.groupBy(await loadShippedLines(q, orderIds), (line) => line.order_id)
  const order = await q.query<{ id: string; order_id: string; tracking_number: string | null }>(
    'select id, order_id, tracking_number from shipments where order_id = any($1::uuid[]) order by recorded_at, id',
    [orderIds],
  )
  const sequence = Map.groupBy(order, (row) => row.order_id)
  const numbers = new Map(order.map((row) => [row.id, row.tracking_number]))
  const byId = new Map(shipments.map((shipment) => [shipment.id, shipment]))
  const loaded: LoadedNotices = { notices: [], silent: [] }
  for (const { id, reference } of effects) {
    const shipment = byId.get(String(reference['shipment_id']))
    if (shipment === undefined) continue
    const { order_id, id: shipment_id, shipped_at, ...rest } = shipment
    const shipmentIds = (sequence.get(order_id) ?? []).map((row) => row.id)
    const { carries, ...notice } = noticeLines(lines.get(order_id) ?? [], shipmentIds, shipment_id)
    if (notice.lines.length === 0) {
      loaded.silent.push(id)
      continue
    }
    const others = new Set(carries.flatMap((other) => numbers.get(other) ?? []))
    if (rest.tracking_number !== null) others.delete(rest.tracking_number)
    const told = { outbox_id: id, shipment_id, ...rest, ...notice }
    loaded.notices.push({ ...told, more_tracking_numbers: [...others], shipped_at: shipped_at.toISOString() })
  }
  return loaded
}

async function loadShippedLines(
  q: Queryable,
  order_ids: readonly string[],
): Promise<(ShippedLine & { order_id: string })[]> {
  return q.query(
    `select l.order_id, l.external_id as line_external_id, l.channel_sku,
       case when l.requires_shipping then greatest(0, l.quantity - l.cancelled_quantity) else 0 end as wanted,
       (select coalesce(jsonb_agg(jsonb_build_object('item_id', c.item_id, 'per_unit', c.per_unit)), '[]')
        from (select item_id, max(per_unit) as per_unit from (${LINE_PARTS}) parts where order_line_id = l.id group by item_id) c) as components,
       (select coalesce(jsonb_agg(jsonb_build_object('shipment_id', s.shipment_id, 'item_id', s.item_id, 'quantity', s.quantity)), '[]')
        from shipment_lines s where s.order_line_id = l.id) as shipped
     from order_lines l where l.order_id = any($1::uuid[]) order by l.id`,
    [order_ids],
  )
}
