import type { Tx } from '../../db/pool.ts'
import type { ConnectionPolicy, CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { loadRefusals, placesFor, type Refusals } from '../fulfillment/refusals.ts'
import { loadWork, type Work } from '../fulfillment/work.ts'
import type { Given, HandOver } from '../holds/handOver.ts'
import { loadPlans, type OrderToRoute } from '../routing/load.ts'
import { loadOwnNeeds, type OwnNeeds } from '../supply/transferOrders.ts'
import { isUnpaid, stockUnits, type Lifecycle, type PaymentState } from '../orders/rules.ts'
import type { TimelineFact } from '../orders/timeline.ts'
import { book, type BookedOrder } from './book.ts'
import { lockStock, type StockKey } from './ledger.ts'
import { itemsOf, loadModes, withLastResort, type ConnectionOf, type ModeOf } from './modes.ts'
import { decideReservations } from './rules.ts'
import { stockKey, type Allocation, type Component, type OrderDemand } from './rulesDemand.ts'
import { planAnew, planChange, type DemandChange, type LineTarget, type LiveReservation } from './rulesChange.ts'
import { asServed, keptForWork } from './rulesLost.ts'
import { loadLive } from './sql.ts'
import { loadMoreUrgent } from './waiting.ts'

/** An order whose stock is to be brought in line with what it wants. Its row is locked by the caller. */
export interface OrderForStock {
  id: string
  connection_id: string
  lifecycle: Lifecycle
  payment_state: PaymentState
  is_test: boolean
  placed_at: Date
  ship_by: Date | null
  /** Written by this transaction: nothing can be reserved for it yet. */
  fresh: boolean
  source: string
  /** `anew`: work that has not left is planned again from today's stock. */
  work: 'kept' | 'anew'
}

export interface LineForStock {
  id: number
  order_id: string
  listing_id: number | null
  quantity: number
  cancelled_quantity: number
  requires_shipping: boolean
  /** What one unit took when it was sold, where that is several items. */
  takes: readonly Component[] | null
}

export interface StockWork {
  orders: readonly OrderForStock[]
  lines: readonly LineForStock[]
  /** What one unit of each listing takes. */
  components: ReadonlyMap<number, readonly Component[]>
  sold: ReadonlyMap<number, number>
  /** Cart holds that the orders take over; null: none. */
  hand_over: HandOver | null
}

/** Units of items by order, and the items of which units became free. */
export interface Settled {
  promised: ReadonlyMap<string, number>
  missing: ReadonlyMap<string, number>
  promises: ReadonlyMap<string, 'held' | 'committed'>
  freed: number[]
}

const MINUTE_MS = 60_000
const NOTHING_GIVEN: Given = new Map()

/** The policy of a connection. Faults: `config_invalid` for a connection that is not configured. */
export function policyOf(ctx: CoreContext, connection_id: string): ConnectionPolicy {
  const policy = ctx.policies.get(connection_id)
  if (policy === undefined) throw new HubError('config_invalid', `the connection ${connection_id} is not configured`)
  return policy
}

/** What an order's units are until further notice. */
export function bookedOrder(
  ctx: CoreContext,
  order: Pick<OrderForStock, 'id' | 'connection_id' | 'payment_state' | 'source'> &
    Partial<Pick<OrderForStock, 'ship_by'>>,
): BookedOrder {
  const policy = policyOf(ctx, order.connection_id)
  const held = policy.unpaid === 'hold' && isUnpaid(order.payment_state)
  return {
    id: order.id,
    connection_id: order.connection_id,
    promise: held ? 'held' : 'committed',
    expires_at: held ? new Date(ctx.now.getTime() + policy.hold_minutes * MINUTE_MS) : null,
    source: order.source,
    priority: policy.priority,
    ship_by: order.ship_by ?? null,
  }
}

/**
 * Brings reservations in line with what the orders want: reserves, gives back, confirms what was paid, asks back work that was sent.
 * The whole batch is one decision under one lock. Freed units are in the answer; the caller offers them to open shortfalls.
 */
export async function settleStock(
  tx: Tx,
  ctx: CoreContext,
  work: StockWork,
  timeline: readonly TimelineFact[],
): Promise<Settled> {
  const known = work.orders.filter((order) => !order.fresh).map((order) => order.id)
  const live = known.length === 0 ? [] : await loadLive(tx, known)
  const works = live.length === 0 ? new Map<string, Work>() : await loadWork(tx, known)
  const needs = await loadOwnNeeds(tx, work.orders)
  const orders = new Map(work.orders.map((order) => [order.id, bookedOrder(ctx, order)]))
  const connectionOf: ConnectionOf = (order_id) => orders.get(order_id)?.connection_id
  const changes = changesOf(work, needs, live, works)
  const kept = new Set(changes.flatMap((one) => [...one.kept]))
  const confirmed = live.filter((row) => row.state === 'held' && orders.get(row.order_id)?.promise === 'committed')
  const wanted = await demandsOf(tx, ctx, changes, { needs, connectionOf })
  const releases = changes.flatMap(({ change }) => change.releases)
  const rows = [...releases.map(({ reservation }) => reservation), ...confirmed]
  const keys = [...demandKeys(wanted), ...rowKeys(rows), ...(work.hand_over?.keys ?? [])]
  const stock = await lockStock(tx, keys, ctx.now)
  const available = new Map([...stock].map(([key, row]) => [key, row.available]))
  const handed = (await work.hand_over?.take()) ?? NOTHING_GIVEN
  const demands = withOwnUnits(wanted, releases, handed)
  const decision = decideReservations(available, demands, await loadMoreUrgent(tx, ctx, available, demands))
  const booked = await book(
    tx,
    ctx,
    {
      orders,
      ...decision,
      modeOf: await modesOfMissing(tx, ctx, connectionOf, decision.allocations),
      releases,
      confirmed,
      shortfalls: live.filter((row) => row.state === 'shortfall' && !kept.has(row.id)),
      live,
      work: works,
      planned_anew: new Set(work.orders.flatMap((order) => (order.work === 'anew' ? [order.id] : []))),
      call_back: changes.flatMap(({ change }) => change.call_back),
      sold: work.sold,
      reason: { reserve: 'order', release: 'released' },
    },
    timeline,
  )
  const freed = [...booked.freed, ...[...handed.values()].flatMap((given) => given.item_ids)]
  const promises = new Map([...orders].map(([id, order]) => [id, order.promise]))
  return { ...booked, freed: [...new Set(freed)], promises }
}

interface Changed {
  order: OrderForStock
  change: DemandChange
  /** Missing rows that wait for their work and are no matter of this decision. */
  kept: ReadonlySet<number>
}

function changesOf(
  work: StockWork,
  needs: OwnNeeds,
  live: readonly LiveReservation[],
  works: ReadonlyMap<string, Work>,
): Changed[] {
  const linesOf = Map.groupBy(work.lines, (line) => line.order_id)
  const liveOf = Map.groupBy(live, (row) => row.order_id)
  return work.orders.map((order) => {
    const targets = (linesOf.get(order.id) ?? []).map((line) => target(order, line, work.components, needs))
    const plan = order.work === 'anew' ? planAnew : planChange
    const own = liveOf.get(order.id) ?? []
    const kept = keptForWork(targets, own)
    return { order, kept, change: plan(targets, asServed(own, kept), (id) => works.get(id)?.state ?? 'sent') }
  })
}

/** Everything that the orders still need, with what the rules say of it. */
async function demandsOf(
  tx: Tx,
  ctx: CoreContext,
  changes: readonly Changed[],
  { needs, connectionOf }: { needs: OwnNeeds; connectionOf: ConnectionOf },
): Promise<OrderDemand[]> {
  const served = changes.flatMap(({ order, change }) => (order.fresh || change.needs.length === 0 ? [] : order.id))
  const refused = await loadRefusals(tx, served)
  const unplanned = changes.flatMap((one) => demand(ctx, one, refused, needs))
  return withRules(tx, ctx, connectionOf, unplanned)
}

/** Demands with what routing rules and stock rules say of them; neither depends on what is there. */
export async function withRules(
  tx: Tx,
  ctx: CoreContext,
  connectionOf: ConnectionOf,
  demands: readonly OrderDemand[],
): Promise<OrderDemand[]> {
  const marked = await withLastResort(tx, ctx, connectionOf, demands)
  const plans = await loadPlans(
    tx,
    ctx,
    marked.map((one) => toRoute(one, connectionOf(one.order_id))),
  )
  return marked.map((one) => ({ ...one, plan: plans.get(one.order_id) ?? null }))
}

/** What an order gives back in this decision is its own first: an edit that swaps lines does not lose units to whoever waits. */
function withOwnUnits(
  demands: readonly OrderDemand[],
  releases: DemandChange['releases'],
  handed: Given,
): readonly OrderDemand[] {
  if (releases.length === 0 && handed.size === 0) return demands
  const given = Map.groupBy(releases, ({ reservation }) => reservation.order_id)
  return demands.map((order) => {
    const own = new Map(handed.get(order.order_id)?.units)
    for (const { reservation, quantity } of given.get(order.order_id) ?? []) {
      if (reservation.location_id === null) continue
      const key = stockKey(reservation.item_id, reservation.location_id)
      own.set(key, (own.get(key) ?? 0) + quantity)
    }
    return own.size === 0 ? order : { ...order, own }
  })
}

const DENY: ModeOf = () => 'deny'

/** What may wait for supply is only asked where something is missing. */
export async function modesOfMissing(
  tx: Tx,
  ctx: CoreContext,
  connectionOf: ConnectionOf,
  allocations: readonly Allocation[],
): Promise<ModeOf> {
  const missing = allocations.filter((allocation) => allocation.location_id === null)
  if (missing.length === 0) return DENY
  return loadModes(tx, ctx, connectionOf, {
    order_ids: missing.map((allocation) => allocation.order_id),
    item_ids: itemsOf(missing.map(({ line }) => ({ lines: [line] }))),
  })
}

/** Keys of all stock that a decision about these demands may look at. */
export function demandKeys(demands: readonly OrderDemand[]): StockKey[] {
  const keys = new Map<string, StockKey>()
  for (const { serves_from, lines } of demands) {
    for (const { components } of lines) {
      for (const { item_id } of components) {
        for (const location_id of serves_from) keys.set(stockKey(item_id, location_id), { item_id, location_id })
      }
    }
  }
  return [...keys.values()]
}

function rowKeys(rows: readonly LiveReservation[]): StockKey[] {
  return rows.flatMap(({ item_id, location_id }) => (location_id === null ? [] : [{ item_id, location_id }]))
}

function target(
  order: OrderForStock,
  line: LineForStock,
  components: StockWork['components'],
  needs: OwnNeeds,
): LineTarget {
  const own = line.listing_id === null ? needs.components.get(line.id) : components.get(line.listing_id)
  const fixed = line.takes === null ? {} : { takes: line.takes }
  return {
    line_id: line.id,
    listing_id: line.listing_id,
    units: stockUnits(order, line),
    components: own ?? [],
    ...fixed,
  }
}

/** What routing rules may ask about a demand. */
export function toRoute({ order_id, serves_from, lines }: OrderDemand, connection_id = ''): OrderToRoute {
  return { id: order_id, connection_id, serves_from, line_ids: lines.map((line) => line.line_id) }
}

/** A place that has refused the order's work is not asked again; what no other place has is a shortfall. */
function demand(ctx: CoreContext, { order, change }: Changed, refused: Refusals, needs: OwnNeeds): OrderDemand[] {
  if (change.needs.length === 0) return []
  const { shortfall, priority, last_resort, serves_from } = policyOf(ctx, order.connection_id)
  return [
    {
      order_id: order.id,
      last_resort,
      priority,
      ship_by_ms: order.ship_by?.getTime() ?? null,
      placed_at_ms: order.placed_at.getTime(),
      serves_from: placesFor(refused, order.id, needs.sources.get(order.id) ?? serves_from),
      shortfall,
      plan: null,
      lines: change.needs,
    },
  ]
}
