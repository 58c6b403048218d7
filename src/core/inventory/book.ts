import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { callBackWork, dropWork, openWork, workKey, type Work, type WorkWanted } from '../fulfillment/work.ts'
import { recordTimeline, type TimelineFact } from '../orders/timeline.ts'
import { moveStock, type StockMove } from './ledger.ts'
import type { ModeOf } from './modes.ts'
import { stockKey, type Allocation } from './rulesDemand.ts'
import type { PlacementReasons } from '../routing/rulesPlan.ts'
import type { LiveReservation } from './rulesChange.ts'
import { settleShortfalls, standingOf, type SettledShortfalls } from './shortfalls.ts'
import {
  deleteShortfalls,
  insertReservations,
  updateReservations,
  updateStandings,
  type ChangedReservation,
  type NewReservation,
  type StoredReservation,
} from './sql.ts'

/** An order as far as its stock is concerned. */
export interface BookedOrder {
  id: string
  connection_id: string
  /** `held` until it is paid, where the policy says so; else `committed`. */
  promise: 'held' | 'committed'
  expires_at: Date | null
  source: string
  priority: number
  ship_by: Date | null
}

/** Everything one decision changes, for any number of orders. */
export interface Booking {
  orders: ReadonlyMap<string, BookedOrder>
  allocations: readonly Allocation[]
  /** Why from where, by order id; only of orders that routing rules speak of. */
  reasons: ReadonlyMap<string, PlacementReasons>
  /** What is done for units that are missing. */
  modeOf: ModeOf
  releases: readonly { reservation: LiveReservation; quantity: number }[]
  /** Held rows whose order has been paid. */
  confirmed: readonly LiveReservation[]
  /** Rows that were missing before this decision; what is still missing of them is in `allocations`. */
  shortfalls: readonly StoredReservation[]
  /** All rows that count, to see which work is left empty. */
  live: readonly LiveReservation[]
  work: ReadonlyMap<string, Work>
  /** Orders whose unsent work is given up: what they get is new work. */
  planned_anew: ReadonlySet<string>
  call_back: readonly string[]
  /** Units by listing that the channel itself sold (or took back). */
  sold: ReadonlyMap<number, number>
  reason: { reserve: string; release: string }
}

export interface Booked {
  /** Units of items by order: promised now, missing now, given back now. */
  promised: Map<string, number>
  missing: Map<string, number>
  /** Units that left `available`, by `stockKey`. */
  taken: Map<string, number>
  /** Items of which units became available. */
  freed: number[]
}

/**
 * Writes a decision: fulfillment orders first (reservations point to them), then reservations, counters and ledger in one go each, and
 * the timeline. The stock rows are locked by the caller.
 */
export async function book(
  tx: Tx,
  ctx: CoreContext,
  booking: Booking,
  timeline: readonly TimelineFact[],
): Promise<Booked> {
  const opened = await openWorkFor(tx, ctx, booking)
  const rows = newReservations(booking, opened.ids)
  const shortfall = settleShortfalls(booking)
  const changed = changedReservations(booking, opened.ids)
  await updateReservations(tx, [...changed, ...shortfall.changed], ctx.now)
  await updateStandings(tx, shortfall.standings, ctx.now)
  await deleteShortfalls(tx, shortfall.gone)
  await insertReservations(tx, [...rows, ...shortfall.added], ctx.now)
  await moveStock(tx, stockMoves(ctx, booking, rows), ctx.now, booking.sold)
  const calledBack = booking.call_back.flatMap((id) => booking.work.get(id) ?? [])
  await dropWork(tx, emptiedWork(booking, rows), ctx.now)
  const asked = await callBackWork(tx, ctx, calledBack, (order_id) => sourceOf(booking, order_id))
  const booked = totals(booking, rows, shortfall)
  await recordTimeline(tx, [...timeline, ...bookingFacts(ctx, booking, booked), ...opened.timeline, ...asked], ctx.now)
  return booked
}

const sourceOf = (booking: Booking, order_id: string): string =>
  booking.orders.get(order_id)?.source ?? `order:${order_id}`

async function openWorkFor(
  tx: Tx,
  ctx: CoreContext,
  booking: Booking,
): Promise<{ ids: Map<string, string>; timeline: TimelineFact[] }> {
  const wanted: WorkWanted[] = []
  const want = (order_id: string, location_id: string | null): void => {
    const order = booking.orders.get(order_id)
    if (location_id !== null && order?.promise === 'committed')
      wanted.push({ order_id, location_id, connection_id: order.connection_id })
  }
  for (const allocation of booking.allocations) want(allocation.order_id, allocation.location_id)
  for (const row of booking.confirmed) want(row.order_id, row.location_id)
  if (wanted.length === 0) return { ids: new Map(), timeline: [] }
  const reused = [...booking.work].filter(([, work]) => !booking.planned_anew.has(work.order_id))
  return openWork(tx, ctx, wanted, new Map(reused), (order_id) => sourceOf(booking, order_id))
}

function newReservations(booking: Booking, workIds: ReadonlyMap<string, string>): NewReservation[] {
  return booking.allocations.flatMap(({ order_id, line, location_id, units }) => {
    const order = booking.orders.get(order_id)
    if (location_id === null || order === undefined) return []
    const fulfillment_order_id =
      order.promise === 'committed' ? (workIds.get(workKey(order_id, location_id)) ?? null) : null
    return line.components.map(({ item_id, per_unit }) => ({
      order_id,
      line_id: line.line_id,
      item_id,
      location_id,
      fulfillment_order_id,
      per_unit,
      quantity: units * per_unit,
      state: order.promise,
      expires_at: order.promise === 'held' ? (order.expires_at?.toISOString() ?? null) : null,
      ...standingOf(order),
      backordered: false,
      listing_id: line.listing_id ?? null,
    }))
  })
}

/** A row may be both lessened and confirmed; it is written once. A row given back whole keeps its quantity as its history. */
function changedReservations(booking: Booking, workIds: ReadonlyMap<string, string>): ChangedReservation[] {
  const changed = new Map<number, ChangedReservation>()
  const confirmed = new Set(booking.confirmed.map((row) => row.id))
  const released = new Map(booking.releases.map(({ reservation, quantity }) => [reservation.id, quantity]))
  for (const row of [...booking.releases.map(({ reservation }) => reservation), ...booking.confirmed]) {
    const quantity = row.quantity - (released.get(row.id) ?? 0)
    const { id, fulfillment_order_id } = row
    if (quantity === 0 && row.consumed_quantity === 0) {
      changed.set(id, { id, quantity: row.quantity, state: 'released', fulfillment_order_id })
    } else if (quantity === 0) {
      changed.set(id, { id, quantity: 0, state: 'consumed', fulfillment_order_id })
    } else if (confirmed.has(id)) {
      const work = row.location_id === null ? undefined : workIds.get(workKey(row.order_id, row.location_id))
      changed.set(id, { id, quantity, state: 'committed', fulfillment_order_id: work ?? null })
    } else changed.set(id, { id, quantity, state: row.state, fulfillment_order_id })
  }
  return [...changed.values()]
}

const COUNTER = { held: 'reserved', committed: 'committed', consumed: 'committed', shortfall: 'available' } as const

function stockMoves(ctx: CoreContext, booking: Booking, rows: readonly NewReservation[]): StockMove[] {
  const released = new Map(booking.releases.map(({ reservation, quantity }) => [reservation.id, quantity]))
  const of = (row: { order_id: string; item_id: number; location_id: string | null }) => ({
    item_id: row.item_id,
    location_id: row.location_id ?? '',
    source: `order:${row.order_id}`,
    occurred_at: ctx.now,
  })
  return [
    ...booking.releases.map(({ reservation, quantity }): StockMove => {
      return {
        ...of(reservation),
        from: COUNTER[reservation.state],
        to: 'available',
        quantity,
        reason: booking.reason.release,
      }
    }),
    ...booking.confirmed.flatMap((row): StockMove[] => {
      const quantity = row.quantity - (released.get(row.id) ?? 0)
      return quantity === 0 ? [] : [{ ...of(row), from: 'reserved', to: 'committed', quantity, reason: 'paid' }]
    }),
    ...rows.map((row): StockMove => {
      return {
        ...of(row),
        from: 'available',
        to: COUNTER[row.state],
        quantity: row.quantity,
        reason: booking.reason.reserve,
      }
    }),
  ]
}

/** Work that has not left, lost units by this decision and has none left. */
function emptiedWork(booking: Booking, rows: readonly NewReservation[]): Work[] {
  const units = new Map<string, number>()
  const add = (id: string | null, quantity: number): void => {
    if (id !== null) units.set(id, (units.get(id) ?? 0) + quantity)
  }
  for (const row of booking.live) add(row.fulfillment_order_id, row.quantity)
  for (const row of rows) add(row.fulfillment_order_id, row.quantity)
  for (const { reservation, quantity } of booking.releases) add(reservation.fulfillment_order_id, -quantity)
  const touched = new Set(booking.releases.map(({ reservation }) => reservation.fulfillment_order_id))
  return [...booking.work.values()].filter(
    (work) => work.state === 'open' && touched.has(work.id) && (units.get(work.id) ?? 0) === 0,
  )
}

function totals(
  booking: Booking,
  rows: readonly NewReservation[],
  { missing, given_up }: Pick<SettledShortfalls, 'missing' | 'given_up'>,
): Booked {
  const booked: Booked = { promised: new Map(), missing: new Map(), taken: new Map(), freed: [] }
  const add = (map: Map<string, number>, key: string, quantity: number): void => {
    map.set(key, (map.get(key) ?? 0) + quantity)
  }
  for (const row of rows) {
    add(booked.promised, row.order_id, row.quantity)
    if (row.location_id !== null) add(booked.taken, stockKey(row.item_id, row.location_id), row.quantity)
  }
  for (const row of missing) add(booked.missing, row.order_id, row.quantity)
  booked.freed = [...new Set([...booking.releases.map(({ reservation }) => reservation.item_id), ...given_up])]
  return booked
}

function bookingFacts(ctx: CoreContext, booking: Booking, booked: Booked): TimelineFact[] {
  const fact = (order_id: string, kind: string, units: number): TimelineFact => {
    return { order_id, kind, at: ctx.now, source: sourceOf(booking, order_id), data: { units } }
  }
  const released = new Map<string, number>()
  for (const { reservation, quantity } of booking.releases) {
    released.set(reservation.order_id, (released.get(reservation.order_id) ?? 0) + quantity)
  }
  const before = new Map<string, number>()
  for (const row of booking.shortfalls) before.set(row.order_id, (before.get(row.order_id) ?? 0) + row.quantity)
  const confirmed = new Map<string, number>()
  for (const row of booking.confirmed) confirmed.set(row.order_id, (confirmed.get(row.order_id) ?? 0) + row.quantity)
  const routed = [...booking.reasons].map(([order_id, reasons]): TimelineFact => {
    return { order_id, kind: 'routing.decided', at: ctx.now, source: sourceOf(booking, order_id), data: { ...reasons } }
  })
  return [
    ...routed,
    ...[...released].map(([order_id, units]) => fact(order_id, 'reservation.released', units)),
    ...[...confirmed].map(([order_id, units]) => fact(order_id, 'reservation.committed', units)),
    ...[...booked.promised].map(([order_id, units]) =>
      fact(order_id, `reservation.${booking.orders.get(order_id)?.promise ?? 'committed'}`, units),
    ),
    ...[...booked.missing].flatMap(([order_id, units]) =>
      units === before.get(order_id) ? [] : [fact(order_id, 'reservation.shortfall', units)],
    ),
  ]
}
