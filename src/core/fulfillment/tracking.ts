import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import type { TrackingEvent } from '../model/shipment.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { progressOf, type ParcelProgress, type Scan } from './rulesTracking.ts'

type Seen = TrackingEvent & { connection_id: string; source: string; index: number }

/**
 * Records scans. Scans are a set: the same one again is a duplicate, and a late one takes its place by its own time. The timeline of an
 * order names those of its parcels; what its parcels' scans say together is kept with them and with the order. All scans of a batch in
 * one go, and their orders are locked in one go.
 */
export async function applyTrackingEvents(
  tx: Tx,
  ctx: CoreContext,
  facts: readonly InboundFact[],
): Promise<FactOutcome[]> {
  const seen = facts.flatMap(({ connection_id, source, fact }, index): Seen[] =>
    fact.kind === 'tracking_event' ? [{ ...fact.document, connection_id, source, index }] : [],
  )
  const fresh = await insertScans(tx, seen, ctx.now)
  const added = seen.filter(({ index }) => fresh.has(index))
  const parcels = await parcelsOf(tx, added)
  const order_ids = [...new Set(parcels.map(({ order_id }) => order_id))]
  await lockOrdersById(tx, order_ids)
  await recordTimeline(
    tx,
    added.flatMap((scan) =>
      parcels
        .filter(
          (parcel) => parcel.connection_id === scan.connection_id && parcel.tracking_number === scan.tracking_number,
        )
        .map(({ order_id, shipment_id }) => {
          const { tracking_number, status, code, source } = scan
          const data = { shipment_id, tracking_number, status, code }
          return { order_id, kind: 'shipment.tracked', at: new Date(scan.at), source, data }
        }),
    ),
    ctx.now,
  )
  await refreshTracking(tx, order_ids)
  const outcomes = new Map(seen.map(({ index, status }) => [index, outcomeOf(fresh.has(index), status)]))
  return facts.map((_, index) => outcomes.get(index) ?? { kind: 'ignored', reason: 'not_ours' })
}

const outcomeOf = (isNew: boolean, status: string): FactOutcome =>
  isNew ? { kind: 'applied', summary: `tracking ${status}` } : { kind: 'ignored', reason: 'duplicate' }

const SCAN_KEYS = ['connection_id', 'tracking_number', 'carrier', 'code', 'status', 'at', 'place', 'index'] as const

/** Returns the places of those that were not known. Of equal ones in one batch the first is. */
async function insertScans(tx: Tx, seen: readonly Seen[], now: Date): Promise<Set<number>> {
  if (seen.length === 0) return new Set()
  const rows = await tx.query<{ index: number }>(
    `with told as (
       select distinct on (connection_id, tracking_number, carrier, code, at, place) *
       from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::int[])
         as t(connection_id, tracking_number, carrier, code, status, at, place, index)
       order by connection_id, tracking_number, carrier, code, at, place, index
     ), added as (
       insert into tracking_events (connection_id, tracking_number, carrier, code, status, at, place, recorded_at)
       select connection_id, tracking_number, carrier, code, status, at, place, $9 from told order by index
       on conflict on constraint tracking_events_once do nothing
       returning connection_id, tracking_number, carrier, code, at, place
     )
     select t.index from told t join added a on (t.connection_id, t.tracking_number, t.code, t.at) = (a.connection_id, a.tracking_number, a.code, a.at)
       and (t.carrier, t.place) is not distinct from (a.carrier, a.place)`,
    [...columns(seen, SCAN_KEYS), now],
  )
  return new Set(rows.map(({ index }) => index))
}

/** Parcels of the same company as whoever told of them. */
async function parcelsOf(
  tx: Tx,
  scans: readonly Seen[],
): Promise<{ connection_id: string; tracking_number: string; order_id: string; shipment_id: string }[]> {
  if (scans.length === 0) return []
  return tx.query(
    `select distinct t.connection_id, t.tracking_number, s.order_id, s.id as shipment_id
     from unnest($1::text[], $2::text[]) as t(connection_id, tracking_number)
     join connections c on c.id = t.connection_id
     join shipments s on s.tracking_number = t.tracking_number
     join orders o on o.id = s.order_id and o.company_id = c.company_id`,
    columns(scans, ['connection_id', 'tracking_number']),
  )
}

/**
 * What the scans of these orders' parcels say together. Scans may have come before their parcel was reported. An order is delivered when
 * it has left whole and its last parcel has arrived. The orders are locked by the caller.
 */
export async function refreshTracking(tx: Tx, order_ids: readonly string[]): Promise<void> {
  if (order_ids.length === 0) return
  const scans = await tx.query<Scan & { shipment_id: string }>(
    `select s.id as shipment_id, e.status, e.at
     from shipments s
     join orders o on o.id = s.order_id
     join tracking_events e on e.tracking_number = s.tracking_number
     join connections c on c.id = e.connection_id and c.company_id = o.company_id
     where s.order_id = any($1::uuid[])`,
    [order_ids],
  )
  const progress = [...Map.groupBy(scans, ({ shipment_id }) => shipment_id)].flatMap(([id, own]) => {
    const now: ParcelProgress | undefined = progressOf(own)
    return now === undefined ? [] : [{ id, ...now }]
  })
  if (progress.length > 0) {
    await tx.query(
      `update shipments s set tracking_status = n.status, tracking_at = n.at, delivered_at = n.delivered_at
       from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as n(id, status, at, delivered_at)
       where s.id = n.id
         and (s.tracking_status, s.tracking_at, s.delivered_at) is distinct from (n.status, n.at, n.delivered_at)`,
      columns(progress, ['id', 'status', 'at', 'delivered_at']),
    )
  }
  await tx.query(
    `update orders o set delivered_at = d.at
     from (select w.id, case when w.fulfillment_state = 'fulfilled' and bool_and(s.delivered_at is not null) then max(s.delivered_at) end as at
           from orders w left join shipments s on s.order_id = w.id where w.id = any($1::uuid[]) group by w.id) d
     where o.id = d.id and o.delivered_at is distinct from d.at`,
    [order_ids],
  )
}
