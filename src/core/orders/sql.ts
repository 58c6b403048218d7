import type { Tx } from '../../db/pool.ts'
import { arrayText, columns } from '../columns.ts'
import type { Component } from '../inventory/rulesDemand.ts'
import type { FulfillmentState, Lifecycle, PaymentState, ReservationState } from './rules.ts'

/** An order as it is kept, as far as a newer picture or a cancellation has to know. */
export interface StoredOrder {
  id: string
  connection_id: string
  external_id: string
  number: string | null
  version_updated_at: Date
  version_observed_at: Date
  content_sha256: Buffer | null
  picture_lifecycle: Lifecycle | null
  tombstone_updated_at: Date | null
  tombstone_observed_at: Date | null
  placed_at: Date | null
  ship_by: Date | null
  received_at: Date
  lifecycle: Lifecycle
  payment_state: PaymentState
  is_test: boolean
  person_id: string | null
  /** Every gateway id that any picture has ever named. */
  payment_ids: string[]
}

export interface StoredLine {
  id: number
  order_id: string
  external_id: string
  listing_id: number | null
  channel_sku: string
  quantity: number
  cancelled_quantity: number
  shipped_quantity: number
  requires_shipping: boolean
  /** What one unit took when it was sold, where that is several items. */
  takes: Component[] | null
}

export interface OrderKey {
  connection_id: string
  external_id: string
}

const STORED = `o.id, o.connection_id, o.external_id, o.number, o.version_updated_at, o.version_observed_at, o.content_sha256,
  o.picture_lifecycle, o.tombstone_updated_at, o.tombstone_observed_at, o.placed_at, o.ship_by, o.received_at, o.lifecycle, o.payment_state,
  o.is_test, o.person_id, o.payment_ids`

export const orderKey = ({ connection_id, external_id }: OrderKey): string => `${connection_id}:${external_id}`

/** Locks the orders that exist, in id order. `no key update` lets others write rows that point to them. */
export async function lockOrders(tx: Tx, keys: readonly OrderKey[]): Promise<Map<string, StoredOrder>> {
  if (keys.length === 0) return new Map()
  const rows = await tx.query<StoredOrder>(
    `select ${STORED} from unnest($1::text[], $2::text[]) as k(connection_id, external_id)
     join orders o on o.connection_id = k.connection_id and o.external_id = k.external_id
     order by o.id for no key update of o`,
    columns(keys, ['connection_id', 'external_id']),
  )
  return new Map(rows.map((row) => [orderKey(row), row]))
}

export async function lockOrdersById(tx: Tx, ids: readonly string[]): Promise<StoredOrder[]> {
  if (ids.length === 0) return []
  return tx.query<StoredOrder>(
    `select ${STORED} from orders o where o.id = any($1::uuid[]) order by o.id for no key update`,
    [ids],
  )
}

/** Locks orders that are named in two ways as one set, so that the order of locks holds over both. */
export async function lockOrdersTogether(tx: Tx, keys: readonly OrderKey[], ids: readonly string[]): Promise<void> {
  await tx.query(
    `with named as (
       select o.id from unnest($1::text[], $2::text[]) as k(connection_id, external_id)
       join orders o on o.connection_id = k.connection_id and o.external_id = k.external_id
       union select unnest($3::uuid[])
     )
     select o.id from orders o join named on named.id = o.id order by o.id for no key update of o`,
    [...columns(keys, ['connection_id', 'external_id']), ids],
  )
}

/** Everything a picture says about an order that is kept in its row. Instants are ISO texts. */
export interface OrderRow {
  id: string
  company_id: string
  connection_id: string
  external_id: string
  number: string
  version_updated_at: string
  version_observed_at: string
  content_sha256: Buffer
  picture_lifecycle: Lifecycle
  picture_payment_state: PaymentState
  placed_at: string
  currency: string
  lifecycle: Lifecycle
  payment_state: PaymentState
  fulfillment_state: FulfillmentState
  reservation_state: ReservationState
  cancelled_at: string | null
  is_test: boolean
  person_id: string | null
  ship_country: string | null
  shipping_method: string | null
  service_level: string | null
  ship_by: string | null
  deliver_by: string | null
  ship_postcode_area: string | null
  subtotal_minor: number
  discount_minor: number
  shipping_minor: number
  tax_minor: number
  total_minor: number
  refunded_minor: number
  payment_ids: string
}

const ORDER_COLUMNS = {
  id: 'uuid', company_id: 'text', connection_id: 'text', external_id: 'text', number: 'text', version_updated_at: 'timestamptz',
  version_observed_at: 'timestamptz', content_sha256: 'bytea', picture_lifecycle: 'text', picture_payment_state: 'text',
  placed_at: 'timestamptz', currency: 'text', lifecycle: 'text', payment_state: 'text', fulfillment_state: 'text',
  reservation_state: 'text', cancelled_at: 'timestamptz', is_test: 'boolean', person_id: 'uuid', ship_country: 'text',
  shipping_method: 'text', service_level: 'text', ship_by: 'timestamptz', deliver_by: 'timestamptz', ship_postcode_area: 'text', subtotal_minor: 'bigint', discount_minor: 'bigint', shipping_minor: 'bigint', tax_minor: 'bigint',
  total_minor: 'bigint', refunded_minor: 'bigint', payment_ids: 'text',
} as const satisfies Record<keyof OrderRow, string> // prettier-ignore

const ORDER_KEYS = Object.keys(ORDER_COLUMNS) as (keyof OrderRow)[]
const NEXT = `$${ORDER_KEYS.length + 1}`
const UNNESTED = `unnest(${ORDER_KEYS.map((key, index) => `$${index + 1}::${ORDER_COLUMNS[key]}[]`).join(', ')}) as n(${ORDER_KEYS.join(', ')})`
const PICTURE_KEYS = ORDER_KEYS.filter(
  (key) =>
    ![
      'id',
      'company_id',
      'connection_id',
      'external_id',
      'payment_state',
      'fulfillment_state',
      'reservation_state',
    ].includes(key),
)
const valueOf = (key: keyof OrderRow): string => (key === 'payment_ids' ? 'n.payment_ids::text[]' : `n.${key}`)

/** Returns the ids that were written. An order that another transaction wrote meanwhile is not among them. */
export async function insertOrders(tx: Tx, rows: readonly OrderRow[], now: Date): Promise<Set<string>> {
  if (rows.length === 0) return new Set()
  const written = await tx.query<{ id: string }>(
    `insert into orders (${ORDER_KEYS.join(', ')}, received_at, changed_at)
     select ${ORDER_KEYS.map(valueOf).join(', ')}, ${NEXT}, ${NEXT} from ${UNNESTED}
     order by n.connection_id, n.external_id
     on conflict (connection_id, external_id) do nothing returning id`,
    [...columns(rows, ORDER_KEYS), now],
  )
  return new Set(written.map((row) => row.id))
}

/** Replaces the picture of orders that are locked; the axes that are derived from rows are left to `axes.ts`. */
export async function updateOrders(tx: Tx, rows: readonly OrderRow[], now: Date): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `update orders o set ${PICTURE_KEYS.map((key) => `${key} = ${valueOf(key)}`).join(', ')}, changed_at = ${NEXT}
     from ${UNNESTED} where o.id = n.id`,
    [...columns(rows, ORDER_KEYS), now],
  )
}

/** What a picture names is added, never taken away: a webhook may leave out what a poll has shown. The orders are locked. */
export async function addPaymentIds(
  tx: Tx,
  rows: readonly { id: string; payment_ids: readonly string[] }[],
): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `update orders o set payment_ids = n.payment_ids::text[] from unnest($1::uuid[], $2::text[]) as n(id, payment_ids) where o.id = n.id`,
    [rows.map((row) => row.id), rows.map((row) => arrayText(row.payment_ids))],
  )
}

/** The same content was seen later: only the version moves. */
export async function confirmVersions(
  tx: Tx,
  rows: readonly { id: string; updated_at: string; observed_at: string }[],
): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `update orders o set version_updated_at = n.updated_at, version_observed_at = n.observed_at
     from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[]) as n(id, updated_at, observed_at) where o.id = n.id`,
    columns(rows, ['id', 'updated_at', 'observed_at']),
  )
}

export interface LineRow {
  order_id: string
  external_id: string
  listing_id: number | null
  channel_sku: string
  title: string | null
  quantity: number
  cancelled_quantity: number
  unit_price_minor: number
  discount_minor: number
  tax_minor: number
  total_minor: number
  requires_shipping: boolean
  /** Arrays as text; null where one unit takes one item. */
  takes_items: string | null
  takes_units: string | null
}

const LINE_COLUMNS = {
  order_id: 'uuid', external_id: 'text', listing_id: 'bigint', channel_sku: 'text', title: 'text', quantity: 'int',
  cancelled_quantity: 'int', unit_price_minor: 'bigint', discount_minor: 'bigint', tax_minor: 'bigint', total_minor: 'bigint',
  requires_shipping: 'boolean', takes_items: 'text', takes_units: 'text',
} as const satisfies Record<keyof LineRow, string> // prettier-ignore

const LINE_KEYS = Object.keys(LINE_COLUMNS) as (keyof LineRow)[]
const LINE_SHOWN = LINE_KEYS.filter(
  (key) => key !== 'order_id' && key !== 'external_id' && key !== 'cancelled_quantity' && !key.startsWith('takes_'),
)
const TAKES = ['takes_items', 'takes_units'] as const
const TAKES_TYPE = { takes_items: 'bigint[]', takes_units: 'int[]' } as const
const lineValue = (key: keyof LineRow): string =>
  key === 'takes_items' || key === 'takes_units' ? `n.${key}::${TAKES_TYPE[key]}` : `n.${key}`
/** A line keeps what it was made of for as long as it is the same listing. */
const keepTakes = (key: (typeof TAKES)[number]): string =>
  `${key} = case when l.listing_id is distinct from excluded.listing_id then excluded.${key} else l.${key} end`
const STORED_LINE = `l.id, l.order_id, l.external_id, l.listing_id, l.channel_sku, l.quantity, l.cancelled_quantity, l.shipped_quantity,
  l.requires_shipping, case when l.takes_items is not null then (
    select jsonb_agg(jsonb_build_object('item_id', t.item_id, 'per_unit', t.per_unit))
    from unnest(l.takes_items, l.takes_units) as t(item_id, per_unit)) end as takes`

/** Writes lines as a picture shows them; a line that exists keeps its id. What was cancelled by refund is counted by `refunds.ts`. */
export async function putLines(tx: Tx, rows: readonly LineRow[]): Promise<StoredLine[]> {
  if (rows.length === 0) return []
  return tx.query<StoredLine>(
    `insert into order_lines as l (${LINE_KEYS.join(', ')})
     select ${LINE_KEYS.map(lineValue).join(', ')}
     from unnest(${LINE_KEYS.map((key, index) => `$${index + 1}::${LINE_COLUMNS[key]}[]`).join(', ')}) as n(${LINE_KEYS.join(', ')})
     on conflict (order_id, external_id) do update
     set ${[...LINE_SHOWN.map((key) => `${key} = excluded.${key}`), ...TAKES.map(keepTakes)].join(', ')}
     returning ${STORED_LINE}`,
    columns(rows, LINE_KEYS),
  )
}

export async function loadLines(tx: Tx, order_ids: readonly string[]): Promise<StoredLine[]> {
  if (order_ids.length === 0) return []
  return tx.query<StoredLine>(
    `select ${STORED_LINE} from order_lines l where l.order_id = any($1::uuid[]) order by l.id`,
    [order_ids],
  )
}

export async function dropLines(tx: Tx, line_ids: readonly number[]): Promise<void> {
  if (line_ids.length === 0) return
  await tx.query('update order_lines set quantity = 0 where id = any($1::bigint[])', [line_ids])
}

/** Messages that changed nothing are remembered, because an erasure has to find their bodies. */
export async function rememberRepeats(tx: Tx, rows: readonly { order_id: string; source: string }[]): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `insert into order_repeats (order_id, source) select * from unnest($1::uuid[], $2::text[]) on conflict do nothing`,
    columns(rows, ['order_id', 'source']),
  )
}
