import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome } from '../context.ts'
import { HubError } from '../errors.ts'
import { handOverOf } from '../holds/handOver.ts'
import { bookedOrder } from '../inventory/reserve.ts'
import type { Component } from '../inventory/rulesDemand.ts'
import { wakeParked } from '../inventory/wake.ts'
import { keepPeople, personKey } from '../people/people.ts'
import { startAnew } from '../turn.ts'
import { orderWakeKey, sortArrivals, type Arrival, type InboundOrder, type PaymentsNamed, type Arrivals } from './arrivals.ts' // prettier-ignore
import { linkPayments, unlinkedPayments } from './payments.ts'
import { lineRows, orderRow, paymentIds } from './pictures.ts'
import { keepRefunds, recountCancelled } from './refunds.ts'
import type { ResolvedListing } from './resolve.ts'
import { diffLines } from './rules.ts'
import { settleOrders, soldByListing, summary, type ChangedOrder } from './settle.ts'
import {
  dropLines,
  insertOrders,
  loadLines,
  lockOrdersById,
  putLines,
  rememberRepeats,
  updateOrders,
  type LineRow,
  type OrderRow,
  type StoredLine,
  type StoredOrder,
} from './sql.ts'
import type { TimelineFact } from './timeline.ts'

const NO_ARRIVALS: Arrivals = { due: [], named: [], listings: new Map() }

/** An arrival and the rows it becomes. */
interface Made {
  arrival: Arrival
  row: OrderRow
  lines: LineRow[]
}

/**
 * Applies a batch of order pictures: newest wins, one decision about stock for all of them, a fixed number of statements whatever the
 * size of the batch. Orders that were `paid` for just now, by their ids with what told of it, are settled with them. The outcomes are
 * parallel to the pictures.
 */
export async function applyOrders(
  tx: Tx,
  ctx: CoreContext,
  inbound: readonly InboundOrder[],
  paid: ReadonlyMap<string, string> = new Map(),
): Promise<FactOutcome[]> {
  const outcomes: FactOutcome[] = []
  const { due, named, listings } = inbound.length === 0 ? NO_ARRIVALS : await sortArrivals(tx, ctx, inbound, outcomes)
  if (due.length === 0 && named.length === 0) {
    if (paid.size > 0) await settleOrders(tx, ctx, await changedByMoney(tx, await lockPaid(tx, paid)), [])
    return outcomes
  }
  const made = await make(tx, ctx, due, listings)
  const stored = await store(tx, ctx, made)
  const timeline = stored.flatMap((one) => one.timeline)
  await keepRefundsOf(tx, ctx, stored)
  const joined = await joinNamed(tx, named)
  const gained = await joinPayments(tx, stored.map(({ made: { arrival } }) => arrival.order)) // prettier-ignore
  const settledToo = new Set([...stored.map(({ changed }) => changed), ...joined].map(({ order }) => order.id))
  const others = new Map([...paid].filter(([order_id]) => !settledToo.has(order_id)))
  const components = new Map<number, readonly Component[]>()
  for (const { listing_id, components: own } of listings.values()) components.set(listing_id, own)
  const rows = stored.map(({ made: { row } }) => row)
  const hand_over = await handOverOf(tx, ctx, rows)
  const settled = await settleOrders(
    tx,
    ctx,
    [
      ...stored.map(({ changed }) => ({
        ...changed,
        paid: changed.fresh === null || gained.has(changed.order.id),
      })),
      ...joined,
      ...(await changedByMoney(tx, await lockPaid(tx, others))),
    ],
    timeline,
    { components, hand_over },
  )
  await wake(tx, ctx, stored)
  await rememberRepeats(tx, supersededBy(stored, inbound))
  for (const { made: own, changed } of stored) {
    outcomes[own.arrival.index] = { kind: 'applied', summary: summary(own.row.number, changed.order.id, settled) }
  }
  return outcomes
}

async function make(
  tx: Tx,
  ctx: CoreContext,
  due: readonly Arrival[],
  listings: ReadonlyMap<string, ResolvedListing>,
): Promise<Made[]> {
  const people = await keepPeople(
    tx,
    ctx,
    due.map(({ connection_id, order, known }) => ({
      connection_id,
      order_external_id: order.external_id,
      person_id: known?.person_id ?? null,
      buyer: order.buyer,
      ship_to: order.ship_to,
      bill_to: order.bill_to,
    })),
  )
  return due.map((arrival) => {
    const { connection_id, order, known, source } = arrival
    const id = known?.id ?? ctx.newId()
    const lines = lineRows(arrival, id, listings)
    const person_id = people.get(personKey({ connection_id, order_external_id: order.external_id })) ?? null
    const { promise } = bookedOrder(ctx, { id, connection_id, payment_state: order.payment_state, source })
    return { arrival, lines, row: orderRow(arrival, { id, person_id, lines, promise }) }
  })
}

interface Stored {
  made: Made
  changed: ChangedOrder
  timeline: TimelineFact[]
}

/** Writes orders and lines. An order that another transaction wrote first is no longer new, and has to be locked before all this. */
async function store(tx: Tx, ctx: CoreContext, made: readonly Made[]): Promise<Stored[]> {
  const fresh = made.filter(({ arrival }) => arrival.known === null)
  const written = await insertOrders(
    tx,
    fresh.map(({ row }) => row),
    ctx.now,
  )
  const own = fresh.filter(({ row }) => written.has(row.id))
  if (own.length < fresh.length) throw startAnew('an order that was new has been written by another transaction')
  const lines = await putLines(
    tx,
    own.flatMap((one) => one.lines),
  )
  const linesOf = Map.groupBy(lines, (line) => line.order_id)
  return [
    ...own.map((one) => storedFresh(ctx, one, linesOf.get(one.row.id) ?? [])),
    ...(await storeKnown(
      tx,
      ctx,
      made.filter(({ arrival }) => arrival.known !== null),
    )),
  ]
}

function storedFresh(ctx: CoreContext, made: Made, lines: readonly StoredLine[]): Stored {
  const { row, arrival } = made
  const order = keptOrder(ctx, made, null)
  return {
    made,
    changed: {
      order,
      source: arrival.source,
      sold_before: new Map(),
      fresh: { lines, reservation_state: row.reservation_state },
      paid: false,
    },
    timeline: [received(made)],
  }
}

function received({ row, arrival, lines }: Made): TimelineFact {
  const units = lines.reduce((sum, line) => sum + line.quantity, 0)
  return {
    order_id: row.id,
    kind: 'order.received',
    at: new Date(row.placed_at),
    source: arrival.source,
    data: { lines: lines.length, units },
  }
}

/** The order as it is now; what the picture does not carry is as it was. */
function keptOrder(ctx: CoreContext, { row, arrival }: Made, known: StoredOrder | null): StoredOrder {
  const payment_ids = paymentIds(known, arrival.order)
  return {
    id: row.id,
    connection_id: row.connection_id,
    external_id: row.external_id,
    number: row.number,
    version_updated_at: new Date(row.version_updated_at),
    version_observed_at: new Date(row.version_observed_at),
    content_sha256: row.content_sha256,
    picture_lifecycle: row.picture_lifecycle,
    tombstone_updated_at: known?.tombstone_updated_at ?? null,
    tombstone_observed_at: known?.tombstone_observed_at ?? null,
    placed_at: new Date(row.placed_at),
    ship_by: row.ship_by === null ? null : new Date(row.ship_by),
    received_at: known?.received_at ?? ctx.now,
    lifecycle: row.lifecycle,
    payment_state: known?.payment_state ?? row.payment_state,
    is_test: row.is_test,
    person_id: row.person_id,
    payment_ids,
  }
}

async function storeKnown(tx: Tx, ctx: CoreContext, made: readonly Made[]): Promise<Stored[]> {
  if (made.length === 0) return []
  const before = Map.groupBy(
    await loadLines(
      tx,
      made.map(({ row }) => row.id),
    ),
    (line) => line.order_id,
  )
  await updateOrders(
    tx,
    made.map(({ row }) => row),
    ctx.now,
  )
  await putLines(
    tx,
    made.flatMap((one) => one.lines),
  )
  const diffs = made.map((one) => ({ one, diff: diffLines(before.get(one.row.id) ?? [], one.lines) }))
  await dropLines(
    tx,
    diffs.flatMap(({ diff }) => diff.removed.map((line) => line.id)),
  )
  return diffs.map(({ one, diff }) => storedKnown(ctx, one, before.get(one.row.id) ?? [], diff))
}

function storedKnown(
  ctx: CoreContext,
  made: Made,
  before: readonly StoredLine[],
  diff: {
    added: readonly LineRow[]
    kept: readonly { known: StoredLine; shown: LineRow }[]
    removed: readonly StoredLine[]
  },
): Stored {
  const { arrival, row } = made
  const { known, source } = arrival
  if (known === null) throw new HubError('invariant_broken', 'an order that is new was taken for a known one')
  const changed: ChangedOrder = {
    order: keptOrder(ctx, made, known),
    source,
    sold_before: soldByListing(known, before),
    fresh: null,
    paid: true,
  }
  const quantities = [
    ...diff.added.map((line) => ({ line: line.external_id, from: 0, to: line.quantity })),
    ...diff.kept.flatMap(({ known: was, shown }) =>
      was.quantity === shown.quantity ? [] : [{ line: was.external_id, from: was.quantity, to: shown.quantity }],
    ),
    ...diff.removed.map((line) => ({ line: line.external_id, from: line.quantity, to: 0 })),
  ]
  const at = new Date(row.version_updated_at)
  const over = row.lifecycle === 'cancelled' && known.lifecycle !== 'cancelled'
  const cancelled: TimelineFact[] = over ? [{ order_id: row.id, kind: 'order.cancelled', at, source, data: {} }] : []
  const news =
    known.content_sha256 === null
      ? received(made)
      : { order_id: row.id, kind: 'order.updated', at, source, data: { lines: quantities } }
  return { made, changed, timeline: [news, ...cancelled] }
}

/** Refunds inside pictures. For an order that was known before, units are counted anew: a refund may have named a line before it came. */
async function keepRefundsOf(tx: Tx, ctx: CoreContext, stored: readonly Stored[]): Promise<void> {
  const refunds = stored.flatMap(({ made: { arrival, row } }) =>
    arrival.order.refunds.map((refund) => ({ connection_id: row.connection_id, order_id: row.id, refund })),
  )
  await keepRefunds(tx, refunds, ctx.now)
  await recountCancelled(
    tx,
    stored.flatMap(({ changed }) => (changed.fresh === null ? [changed.order.id] : [])),
  )
}

/** The orders that gained a payment. */
const joinPayments = async (tx: Tx, orders: Parameters<typeof unlinkedPayments>[1]): Promise<Set<string>> =>
  new Set((await linkPayments(tx, await unlinkedPayments(tx, orders))).values())

/** Payments that came before anybody knew whose they were may belong to an order that names them only now. */
async function joinNamed(tx: Tx, named: readonly PaymentsNamed[]): Promise<ChangedOrder[]> {
  if (named.length === 0) return []
  const orders = named.map(({ order }) => ({ ...order, number: order.number ?? order.external_id }))
  const gained = await joinPayments(tx, orders)
  return changedByMoney(tx, named.filter(({ order }) => gained.has(order.id))) // prettier-ignore
}

const lockPaid = async (tx: Tx, paid: ReadonlyMap<string, string>): Promise<PaymentsNamed[]> =>
  (await lockOrdersById(tx, [...paid.keys()])).map((order) => ({ order, source: paid.get(order.id) ?? '' }))

/** Orders that are as they were, but for their payments. */
async function changedByMoney(tx: Tx, paid: readonly PaymentsNamed[]): Promise<ChangedOrder[]> {
  const lines = await loadLines(tx, paid.map(({ order }) => order.id)) // prettier-ignore
  const linesOf = Map.groupBy(lines, (line) => line.order_id)
  return paid.map(({ order, source }) => {
    const sold_before = soldByListing(order, linesOf.get(order.id) ?? [])
    return { order, source, sold_before, fresh: null, paid: true }
  })
}

async function wake(tx: Tx, ctx: CoreContext, stored: readonly Stored[]): Promise<void> {
  const first = stored.filter(
    ({ made: { arrival } }) => arrival.known === null || arrival.known.content_sha256 === null,
  )
  const keys = first.map(({ made: { row } }) => orderWakeKey(row.connection_id, row.external_id))
  await wakeParked(tx, keys, ctx.now)
}

function supersededBy(
  stored: readonly Stored[],
  inbound: readonly InboundOrder[],
): { order_id: string; source: string }[] {
  return stored.flatMap(({ made: { arrival, row } }) =>
    arrival.superseded.flatMap((index) => {
      const source = inbound[index]?.source
      return source === undefined ? [] : [{ order_id: row.id, source }]
    }),
  )
}
