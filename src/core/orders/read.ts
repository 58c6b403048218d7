import { isUuid, pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { expectedUnits, type ExpectedUnits } from '../supply/promiseDates.ts'

export const ORDER_KINDS = ['order', 'transfer'] as const
export type OrderKind = (typeof ORDER_KINDS)[number]

export interface OrderFilter extends PageRequest {
  connection?: string | undefined
  number?: string | undefined
  external_id?: string | undefined
  /** `order` unless said otherwise: transfers between our own places are no channel's orders. */
  kind?: OrderKind | undefined
  lifecycle?: string | undefined
  reservation_state?: string | undefined
  /** ISO instant: received at or after it. */
  since?: string | undefined
}

export interface OrderRow {
  id: string
  connection_id: string
  external_id: string
  number: string | null
  kind: OrderKind
  lifecycle: string
  payment_state: string
  fulfillment_state: string
  reservation_state: string
  is_test: boolean
  placed_at: string | null
  cancelled_at: string | null
  currency: string | null
  total_minor: number | null
  refunded_minor: number | null
  ship_country: string | null
  service_level: string | null
  /** When the goods have to leave; null: nothing was promised. */
  ship_by: string | null
  /** When the buyer has to have them; null: no day was promised. */
  deliver_by: string | null
  /** When the last parcel arrived of an order that has left whole, as far as carriers tell. */
  delivered_at: string | null
  /** Why an operator has stopped it; null: nobody has. */
  hold_reason: string | null
  held_at: string | null
  has_person: boolean
  received_at: string
  changed_at: string
}

const COLUMNS = `
  o.id, o.connection_id, o.external_id, o.number, o.kind, o.lifecycle, o.payment_state, o.fulfillment_state, o.reservation_state, o.is_test,
  o.placed_at, o.cancelled_at, o.currency, o.total_minor, o.refunded_minor, o.ship_country, o.service_level,
  o.ship_by, o.deliver_by, o.delivered_at, o.hold_reason, o.held_at, o.person_id is not null as has_person,
  o.received_at, o.changed_at`

type Keyed = OrderRow & { sort_at: string }

const KEYSET: Keyset<Keyed> = {
  kinds: ['instant', 'uuid'],
  after: 'o.received_at <= ?::timestamptz and (o.received_at < ?::timestamptz or o.id > ?::uuid)',
  places: [0, 0, 1],
  keyOf: (row) => [row.sort_at, row.id],
}

/** Orders, the newest received first. */
export async function listOrders(q: Queryable, filter: OrderFilter): Promise<Page<OrderRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['o.connection_id = ?', filter.connection],
    ['o.number = ?', filter.number],
    ['o.external_id = ?', filter.external_id],
    ['o.kind = ?', filter.kind ?? 'order'],
    ['o.lifecycle = ?', filter.lifecycle],
    ['o.reservation_state = ?', filter.reservation_state],
    ['o.received_at >= ?::timestamptz', filter.since],
  ])
  const rows = await q.query<Keyed>(
    `select ${COLUMNS}, o.received_at::text as sort_at from orders o${where} order by o.received_at desc, o.id limit ${fetch}`,
    params,
  )
  const page = pageOf(filter, KEYSET, rows)
  return { rows: page.rows.map(withoutSort), next_cursor: page.next_cursor }
}

function withoutSort(row: Keyed): OrderRow {
  const { sort_at, ...order } = row
  void sort_at
  return order
}

export interface OrderShown extends OrderRow {
  /** For `readPerson`; who may see the person is the caller's matter. */
  person_id: string | null
  shipping_method: string | null
  subtotal_minor: number | null
  discount_minor: number | null
  shipping_minor: number | null
  tax_minor: number | null
  version_updated_at: string
  lines: OrderLineShown[]
  reservations: ReservationShown[]
  fulfillment_orders: FulfillmentOrderShown[]
  shipments: ShipmentShown[]
  payments: PaymentShown[]
  timeline: {
    id: number
    kind: string
    at: string
    recorded_at: string
    source: string
    data: Record<string, unknown>
  }[]
}

export interface OrderLineShown {
  id: number
  external_id: string
  channel_sku: string
  title: string | null
  quantity: number
  cancelled_quantity: number
  shipped_quantity: number
  unit_price_minor: number
  discount_minor: number
  tax_minor: number
  total_minor: number
  requires_shipping: boolean
}

export interface ReservationShown {
  id: number
  order_line_id: number
  sku: string
  location_id: string | null
  quantity: number
  consumed_quantity: number
  state: string
  fulfillment_order: string | null
  expires_at: string | null
  /** A missing unit that was accepted knowingly and waits for supply. */
  backordered: boolean
  /** Of missing units: which supply will bring how many of them, and when. */
  expected: ExpectedUnits[]
}

export interface FulfillmentOrderShown {
  id: string
  number: string
  location_id: string
  connection_id: string | null
  state: string
  cancel_requested_at: string | null
  created_at: string
  changed_at: string
}

export interface ShipmentShown {
  id: string
  connection_id: string
  external_id: string
  carrier: string | null
  tracking_number: string | null
  tracking_url: string | null
  shipped_at: string
  /** What the newest scan says; null: nobody has scanned it. */
  tracking_status: string | null
  tracking_at: string | null
  delivered_at: string | null
  lines: { order_line_id: number; sku: string; quantity: number; lot: string | null }[]
}

export interface PaymentShown {
  id: number
  connection_id: string
  external_id: string
  kind: string
  status: string
  at: string
  currency: string
  amount_minor: number
}

const TIMELINE_MAX = 1_000
const MATCHES_MAX = 10

/**
 * One order with everything that hangs on it. `idOrNumber`: the hub's id, the shop's number or the channel's id. Faults: `not_found`;
 * `conflict` when several orders bear the number (the hint names their ids).
 */
export async function showOrder(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  idOrNumber: string,
): Promise<OrderShown> {
  const id = await findOrder(q, idOrNumber)
  const [order] = await q.query(
    `select ${COLUMNS}, o.person_id, o.shipping_method, o.subtotal_minor, o.discount_minor, o.shipping_minor, o.tax_minor, o.version_updated_at
     from orders o where o.id = $1`,
    [id],
  )
  const parts = await Promise.all(
    Object.entries(PARTS).map(async ([name, sql]) => [name, plainRows(await q.query(sql, [id]))] as const),
  )
  const expected = await expectedUnits(q, ctx, { order_ids: [id] })
  const shown = { ...plainRows<OrderRow>([order ?? {}])[0], ...Object.fromEntries(parts) } as OrderShown
  return { ...shown, reservations: shown.reservations.map((row) => ({ ...row, expected: expected.get(row.id) ?? [] })) }
}

/** The id of the order that is meant. `idOrNumber` and faults as in `showOrder`. */
export async function findOrder(q: Queryable, idOrNumber: string): Promise<string> {
  const found = isUuid(idOrNumber)
    ? await q.query<{ id: string; connection_id: string }>('select id, connection_id from orders where id = $1', [
        idOrNumber,
      ])
    : await q.query<{ id: string; connection_id: string }>(
        `select id, connection_id from orders where number = any($2)
         union select o.id, o.connection_id from connections c join orders o on o.connection_id = c.id and o.external_id = $1
         limit ${MATCHES_MAX}`,
        [idOrNumber, spellings(idOrNumber)],
      )
  const [first, ...others] = found
  if (first === undefined) throw new HubError('not_found', 'there is no such order')
  if (others.length > 0) {
    const ids = found.map((row) => `${row.id} (${row.connection_id})`).join(', ')
    throw new HubError('conflict', 'several orders bear this number', { hint: `name one by its id: ${ids}` })
  }
  return first.id
}

/** Numbers often begin with a sign that a shell takes for a comment, so they are found without it, too. */
export const spellings = (number: string): string[] => [number, `#${number}`]

const PARTS: Record<string, string> = {
  lines: `
    select id, external_id, channel_sku, title, quantity, cancelled_quantity, shipped_quantity, unit_price_minor, discount_minor, tax_minor,
           total_minor, requires_shipping
    from order_lines where order_id = $1 order by id`,
  reservations: `
    select r.id, r.order_line_id, i.sku, r.location_id, r.quantity, r.consumed_quantity, r.state, f.number as fulfillment_order, r.expires_at,
           r.backordered
    from reservations r join items i on i.id = r.item_id left join fulfillment_orders f on f.id = r.fulfillment_order_id
    where r.order_id = $1 order by r.id`,
  fulfillment_orders: `
    select id, number, location_id, connection_id, state, cancel_requested_at, created_at, changed_at
    from fulfillment_orders where order_id = $1 order by created_at, id`,
  shipments: `
    select s.id, s.connection_id, s.external_id, s.carrier, s.tracking_number, s.tracking_url, s.shipped_at,
           s.tracking_status, s.tracking_at, s.delivered_at,
           coalesce((select jsonb_agg(jsonb_build_object('order_line_id', l.order_line_id, 'sku', i.sku, 'quantity', l.quantity, 'lot', l.lot)
                                      order by l.order_line_id, i.sku)
                     from shipment_lines l join items i on i.id = l.item_id where l.shipment_id = s.id), '[]') as lines
    from shipments s where s.order_id = $1 order by s.shipped_at, s.id`,
  payments: `
    select id, connection_id, external_id, kind, status, at, currency, amount_minor from payments where order_id = $1 order by at, id`,
  timeline: `
    select id, kind, at, recorded_at, source, data from order_facts where order_id = $1 order by id limit ${TIMELINE_MAX}`,
}
