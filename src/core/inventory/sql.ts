import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import { LOST_FROM_LIVE_WORK } from './reattach.ts'
import type { LiveReservation } from './rulesChange.ts'

export interface NewReservation {
  order_id: string
  line_id: number
  item_id: number
  location_id: string | null
  fulfillment_order_id: string | null
  per_unit: number
  quantity: number
  state: 'held' | 'committed' | 'shortfall'
  expires_at: string | null
  /** Of its order, as of now: who is served first when units arrive, and whose promise is broken last when some are lost. */
  priority: number
  ship_by: string | null
  /** A missing unit that may wait for supply. */
  backordered: boolean
  listing_id: number | null
}

/** A reservation as it is kept. */
export interface StoredReservation extends LiveReservation {
  priority: number
  ship_by: Date | null
  backordered: boolean
}

/** What of a waiting row may change while its place and its units do not. */
export interface Standing {
  id: number
  priority: number
  ship_by: string | null
  backordered: boolean
}

/** What a reservation row is from now on. */
export interface ChangedReservation {
  id: number
  quantity: number
  state: LiveReservation['state'] | 'released' | 'expired'
  fulfillment_order_id: string | null
}

/** Reservations of these orders that still count, locked. A row that is wholly shipped is among them, because it serves its line. */
export async function loadLive(tx: Tx, order_ids: readonly string[]): Promise<StoredReservation[]> {
  return tx.query<StoredReservation>(
    `select id, order_id, order_line_id as line_id, item_id, location_id, per_unit, consumed_quantity, fulfillment_order_id, priority,
       ship_by, backordered, listing_id, state = 'shortfall' and ${LOST_FROM_LIVE_WORK} as waits_for_work,
       case when state in ('held', 'committed', 'shortfall') then quantity else 0 end as quantity,
       case when state in ('held', 'committed', 'shortfall') then state else 'consumed' end as state
     from reservations r
     where order_id = any($1::uuid[]) and (state in ('held', 'committed', 'consumed', 'shortfall') or consumed_quantity > 0)
     order by id for no key update`,
    [order_ids],
  )
}

export async function insertReservations(tx: Tx, rows: readonly NewReservation[], now: Date): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, location_id, fulfillment_order_id, per_unit, quantity, state, expires_at,
       priority, ship_by, backordered, listing_id, created_at, changed_at)
     select n.*, $14, $14
     from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::int[], $7::int[], $8::text[], $9::timestamptz[],
       $10::int[], $11::timestamptz[], $12::boolean[], $13::bigint[]) as n`,
    [
      ...columns(rows, [
        'order_id',
        'line_id',
        'item_id',
        'location_id',
        'fulfillment_order_id',
        'per_unit',
        'quantity',
        'state',
        'expires_at',
        'priority',
        'ship_by',
        'backordered',
        'listing_id',
      ]),
      now,
    ],
  )
}

export async function updateReservations(tx: Tx, rows: readonly ChangedReservation[], now: Date): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `update reservations r set quantity = n.quantity, state = n.state, fulfillment_order_id = n.fulfillment_order_id, changed_at = $5,
       expires_at = case when n.state = 'held' then r.expires_at end
     from unnest($1::bigint[], $2::int[], $3::text[], $4::uuid[]) as n(id, quantity, state, fulfillment_order_id) where r.id = n.id`,
    [...columns(rows, ['id', 'quantity', 'state', 'fulfillment_order_id']), now],
  )
}

/** Waiting rows follow their order: its priority and its date may have changed since they were written, and so may what may wait. */
export async function updateStandings(tx: Tx, rows: readonly Standing[], now: Date): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `update reservations r set priority = n.priority, ship_by = n.ship_by, backordered = n.backordered, changed_at = $5
     from unnest($1::bigint[], $2::int[], $3::timestamptz[], $4::boolean[]) as n(id, priority, ship_by, backordered) where r.id = n.id`,
    [...columns(rows, ['id', 'priority', 'ship_by', 'backordered']), now],
  )
}

/** A shortfall is a wish, not a promise: once it is served or given up nothing of it has to be kept; the timeline tells of it. */
export async function deleteShortfalls(tx: Tx, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await tx.query(`delete from reservations where id = any($1::bigint[]) and state = 'shortfall'`, [ids])
}
