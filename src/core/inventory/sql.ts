import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
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
}

/** What a reservation row is from now on. */
export interface ChangedReservation {
  id: number
  quantity: number
  state: LiveReservation['state'] | 'released' | 'expired'
  fulfillment_order_id: string | null
}

const PRIORITY = 100

/** Reservations of these orders that still count, locked. A row that is wholly shipped is among them, because it serves its line. */
export async function loadLive(tx: Tx, order_ids: readonly string[]): Promise<LiveReservation[]> {
  return tx.query<LiveReservation>(
    `select id, order_id, order_line_id as line_id, item_id, location_id, per_unit, consumed_quantity, fulfillment_order_id,
       case when state in ('held', 'committed', 'shortfall') then quantity else 0 end as quantity,
       case when state in ('held', 'committed', 'shortfall') then state else 'consumed' end as state
     from reservations
     where order_id = any($1::uuid[]) and (state in ('held', 'committed', 'consumed', 'shortfall') or consumed_quantity > 0)
     order by id for no key update`,
    [order_ids],
  )
}

export async function insertReservations(tx: Tx, rows: readonly NewReservation[], now: Date): Promise<void> {
  if (rows.length === 0) return
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, location_id, fulfillment_order_id, per_unit, quantity, state, expires_at,
       priority, created_at, changed_at)
     select n.*, ${PRIORITY}, $10, $10
     from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::uuid[], $6::int[], $7::int[], $8::text[], $9::timestamptz[]) as n`,
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

/** A shortfall is a wish, not a promise: once it is served or given up nothing of it has to be kept; the timeline tells of it. */
export async function deleteShortfalls(tx: Tx, ids: readonly number[]): Promise<void> {
  if (ids.length === 0) return
  await tx.query(`delete from reservations where id = any($1::bigint[]) and state = 'shortfall'`, [ids])
}
