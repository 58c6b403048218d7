import { addEffects, cancelEffects, holdEffects, type NewEffect } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import type { WorkState } from '../inventory/rulesChange.ts'
import { wakeParked } from '../inventory/wake.ts'
import { capacityDay, type WorkingPlace } from '../routing/capacity.ts'
import { dropLabels, LIVING, NOT_BEFORE_ITS_LABEL, sealedWork, wantLabels } from '../labels/parcels.ts'
import type { LabelChoices } from '../model/label.ts'
import type { TimelineFact } from '../orders/timeline.ts'

/** A fulfillment order that still counts: not closed and not cancelled. */
export interface Work {
  id: string
  number: string
  order_id: string
  location_id: string
  connection_id: string | null
  state: WorkState
  /** It can still be taken back, but takes no further units: its parcel has been weighed. */
  sealed: boolean
}

export interface WorkWanted {
  order_id: string
  location_id: string
  /** The order's own connection: its policy sets the grace before work leaves. */
  connection_id: string
}

/** What a word about work that nobody knows waits for. */
export const fulfillmentOrderWakeKey = (number: string): string => `fulfillment_order:${number}`
export const workKey = (order_id: string, location_id: string): string => `${order_id}@${location_id}`
/** Names of the effects that send work out and ask it back. */
export const newKey = (number: string): string => `fulfillment.new:${number}`
export const cancelKey = (number: string): string => `fulfillment.cancel:${number}`

const CROCKFORD = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

/** A number that a 3PL can print and read out: the last 60 bits of the id in Crockford's base 32, which has no I, L, O or U. */
function fulfillmentNumber(id: string): string {
  let rest = BigInt(`0x${id.replaceAll('-', '').slice(-15)}`)
  let text = ''
  for (let digit = 0; digit < 12; digit += 1, rest >>= 5n) text = (CROCKFORD[Number(rest & 31n)] ?? '') + text
  return `FO-${text}`
}

/** The work of these orders. What has not left yet is locked, so that it cannot leave while it is changed. */
export async function loadWork(tx: Tx, order_ids: readonly string[]): Promise<Map<string, Work>> {
  const rows = await tx.query<LoadedWork>(
    `select f.id, f.number, f.order_id, f.location_id, f.connection_id, f.cancel_requested_at is not null as called_back,
       f.state = 'OPEN' as untouched, f.state = 'ON_HOLD' as on_hold,
       (select p.reference from parcels p where p.fulfillment_order_id = f.id and p.${LIVING}) as parcel
     from fulfillment_orders f where f.order_id = any($1::uuid[]) and f.state not in ('CLOSED', 'CANCELLED') order by f.number`,
    [order_ids],
  )
  const sealed = await sealedWork(
    tx,
    rows.flatMap(({ id, parcel }) => (parcel === null ? [] : { work_id: id, reference: parcel })),
  )
  const effects = await holdEffects(
    tx,
    rows.map((row) => newKey(row.number)),
  )
  return new Map(
    rows.map(({ called_back, untouched, on_hold, parcel, ...row }) => {
      // Work that is on hold was caught before it left: its effect is taken back and stays so.
      const left = !on_hold && (!untouched || effects.get(newKey(row.number)) === 'left')
      const state = called_back ? 'cancelling' : left ? 'sent' : 'open'
      return [row.id, { ...row, state, sealed: parcel !== null && sealed.has(row.id) }]
    }),
  )
}

type LoadedWork = Omit<Work, 'state' | 'sealed'> & {
  called_back: boolean
  untouched: boolean
  on_hold: boolean
  parcel: string | null
}

/**
 * One fulfillment order per (order, location) takes all units that become committed there until it is sent. Returns the ids by
 * `workKey`; new work gets its effect and its line in the timeline.
 */
export async function openWork(
  tx: Tx,
  ctx: CoreContext,
  wanted: readonly WorkWanted[],
  existing: ReadonlyMap<string, Work>,
  sourceOf: (order_id: string) => string,
): Promise<{ ids: Map<string, string>; timeline: TimelineFact[] }> {
  const ids = new Map<string, string>()
  for (const work of existing.values())
    if (work.state === 'open' && !work.sealed) ids.set(workKey(work.order_id, work.location_id), work.id)
  const missing = [...new Map(wanted.map((want) => [workKey(want.order_id, want.location_id), want]))].filter(
    ([key]) => !ids.has(key),
  )
  if (missing.length === 0) return { ids, timeline: [] }
  const places = await workPlaces(
    tx,
    ctx,
    missing.map(([, want]) => want.location_id),
  )
  const made = missing.map(([key, want]) => {
    const id = ctx.newId()
    ids.set(key, id)
    const place = places.get(want.location_id) ?? { carrier: null, capacity_day: null, labels: null }
    return { id, number: fulfillmentNumber(id), ...want, ...place }
  })
  const { leaves, labelled } = await insertWork(tx, ctx, made)
  await addEffects(
    tx,
    made.flatMap((work) => {
      const not_before = labelled.has(work.id) ? NOT_BEFORE_ITS_LABEL : graceEnd(ctx, work.connection_id)
      return leaves.has(work.id) ? newEffect(ctx, work, not_before) : []
    }),
    ctx.now,
  )
  await wantLabels(
    tx,
    ctx,
    made.flatMap(({ labels, connection_id, ...work }) =>
      labels !== null && labelled.has(work.id) ? { ...work, labels, not_before: graceEnd(ctx, connection_id) } : [],
    ),
  )
  await wakeParked(
    tx,
    made.map((work) => fulfillmentOrderWakeKey(work.number)),
    ctx.now,
  )
  const timeline = made.map((work) => ({
    order_id: work.order_id,
    kind: 'fulfillment_order.created',
    at: ctx.now,
    source: sourceOf(work.order_id),
    data: { number: work.number, location_id: work.location_id },
  }))
  return { ids, timeline }
}

/**
 * New work of an order that is on hold is on hold, too. Returns the ids of what may leave, and of those that leave with a label: what
 * goes to another place of ours goes by our own means.
 */
async function insertWork(
  tx: Tx,
  ctx: CoreContext,
  made: readonly (WorkPlace & { id: string; number: string; order_id: string; location_id: string })[],
): Promise<{ leaves: Set<string>; labelled: Set<string> }> {
  const rows = await tx.query<{ id: string; order_kind: string }>(
    `with made as (
       insert into fulfillment_orders (id, number, order_id, location_id, connection_id, capacity_day, state, created_at, changed_at)
       select n.id, n.number, n.order_id, n.location_id, n.connection_id, n.capacity_day,
         case when o.hold_reason is null then 'OPEN' else 'ON_HOLD' end, $7, $7
       from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::date[])
         as n(id, number, order_id, location_id, connection_id, capacity_day)
       join orders o on o.id = n.order_id
       returning id, order_id, state
     )
     select m.id, o.kind as order_kind from made m join orders o on o.id = m.order_id where m.state = 'OPEN'`,
    [...columns(made, ['id', 'number', 'order_id', 'location_id', 'carrier', 'capacity_day']), ctx.now],
  )
  const orders = new Set(rows.flatMap(({ id, order_kind }) => (order_kind === 'order' ? id : [])))
  const labelled = made.flatMap(({ id, labels }) => (labels !== null && orders.has(id) ? id : []))
  return { leaves: new Set(rows.map(({ id }) => id)), labelled: new Set(labelled) }
}

/** Who does the work of a place, and the day that new work counts for where it can do only so much a day. */
interface WorkPlace {
  carrier: string | null
  capacity_day: string | null
  labels: LabelChoices | null
}

async function workPlaces(tx: Tx, ctx: CoreContext, location_ids: readonly string[]): Promise<Map<string, WorkPlace>> {
  const rows = await tx.query<WorkingPlace & { id: string; connection_id: string | null; labels: LabelChoices | null }>(
    `select id, connection_id, timezone, labels,
       jsonb_strip_nulls(jsonb_build_object('orders_per_day', services -> 'orders_per_day', 'calendar', services -> 'calendar')) as services
     from locations where id = any($1::text[])`,
    [[...new Set(location_ids)]],
  )
  return new Map(
    rows.map(({ labels, ...row }) => [
      row.id,
      { carrier: row.connection_id, capacity_day: capacityDay(row, ctx.now), labels },
    ]),
  )
}

/** In which an edit or a cancellation costs nothing. */
function graceEnd(ctx: CoreContext, order_connection_id: string): Date {
  const seconds = ctx.policies.get(order_connection_id)?.release_after_seconds ?? 0
  return new Date(ctx.now.getTime() + seconds * 1000)
}

/** A location without a connection that takes work is served by hand: its work is shown, not sent. */
function newEffect(
  ctx: CoreContext,
  work: { id: string; number: string; order_id: string; connection_id: string; carrier: string | null },
  not_before: Date,
): NewEffect[] {
  if (work.carrier === null || ctx.policies.get(work.carrier)?.takes_fulfillment_orders !== true) return []
  return [
    {
      connection_id: work.carrier,
      kind: 'fulfillment.new',
      key: newKey(work.number),
      reference: { fulfillment_order_id: work.id },
      order_id: work.order_id,
      not_before,
    },
  ]
}

/** Work that never left and holds nothing any more. */
export async function dropWork(tx: Tx, works: readonly Work[], now: Date): Promise<void> {
  if (works.length === 0) return
  await cancelEffects(
    tx,
    works.map((work) => newKey(work.number)),
  )
  const ids = works.map((work) => work.id)
  await tx.query(`update fulfillment_orders set state = 'CANCELLED', changed_at = $2 where id = any($1::uuid[])`, [
    ids,
    now,
  ])
  await dropLabels(tx, { now }, ids)
}

/** Keeps work that has not left from leaving. What it holds stays reserved; it is planned anew later, and so is its label. */
export async function holdWork(tx: Tx, works: readonly Work[], now: Date): Promise<void> {
  if (works.length === 0) return
  await cancelEffects(
    tx,
    works.map((work) => newKey(work.number)),
  )
  const ids = works.map((work) => work.id)
  await tx.query(
    `update fulfillment_orders set state = 'ON_HOLD', changed_at = $2 where id = any($1::uuid[]) and state = 'OPEN'`,
    [ids, now],
  )
  await dropLabels(tx, { now }, ids)
}

/** Work that has left is asked back. Its units stay committed until the answer comes. */
export async function callBackWork(
  tx: Tx,
  ctx: CoreContext,
  works: readonly Work[],
  sourceOf: (order_id: string) => string,
): Promise<TimelineFact[]> {
  if (works.length === 0) return []
  await tx.query(
    `update fulfillment_orders set cancel_requested_at = $2, changed_at = $2 where id = any($1::uuid[]) and cancel_requested_at is null`,
    [works.map((work) => work.id), ctx.now],
  )
  const effects = works.flatMap((work): NewEffect[] => {
    if (work.connection_id === null || ctx.policies.get(work.connection_id)?.takes_fulfillment_orders !== true)
      return []
    const reference = { fulfillment_order_id: work.id }
    const key = cancelKey(work.number)
    return [
      {
        connection_id: work.connection_id,
        kind: 'fulfillment.cancel',
        key,
        reference,
        order_id: work.order_id,
        not_before: ctx.now,
      },
    ]
  })
  await addEffects(tx, effects, ctx.now)
  return works.map((work) => ({
    order_id: work.order_id,
    kind: 'fulfillment_order.cancel_requested',
    at: ctx.now,
    source: sourceOf(work.order_id),
    data: { number: work.number },
  }))
}
