import type { Tx } from '../../db/pool.ts'
import type { ConnectionPolicy, CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { loadRefusals, placesFor, type Refusals } from '../fulfillment/refusals.ts'
import { loadWork, type Work } from '../fulfillment/work.ts'
import { loadPlans, type OrderToRoute } from '../routing/load.ts'
import { isUnpaid, stockUnits, type Lifecycle, type PaymentState } from '../orders/rules.ts'
import type { TimelineFact } from '../orders/timeline.ts'
import { book, type BookedOrder } from './book.ts'
import { lockStock, type StockKey } from './ledger.ts'
import { decideReservations } from './rules.ts'
import { stockKey, type Component, type OrderDemand } from './rulesDemand.ts'
import { planChange, type DemandChange, type LineTarget, type LiveReservation } from './rulesChange.ts'
import { loadLive } from './sql.ts'

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
}

export interface LineForStock {
  id: number
  order_id: string
  listing_id: number | null
  quantity: number
  cancelled_quantity: number
  requires_shipping: boolean
}

export interface StockWork {
  orders: readonly OrderForStock[]
  lines: readonly LineForStock[]
  /** What one unit of each listing takes. */
  components: ReadonlyMap<number, readonly Component[]>
  sold: ReadonlyMap<number, number>
}

/** Units of items by order, and the items of which units became free. */
export interface Settled {
  promised: ReadonlyMap<string, number>
  missing: ReadonlyMap<string, number>
  promises: ReadonlyMap<string, 'held' | 'committed'>
  freed: number[]
}

const MINUTE_MS = 60_000

/** The policy of a connection. Faults: `config_invalid` for a connection that is not configured. */
export function policyOf(ctx: CoreContext, connection_id: string): ConnectionPolicy {
  const policy = ctx.policies.get(connection_id)
  if (policy === undefined) throw new HubError('config_invalid', `the connection ${connection_id} is not configured`)
  return policy
}

/** What an order's units are until further notice. */
export function bookedOrder(
  ctx: CoreContext,
  order: Pick<OrderForStock, 'id' | 'connection_id' | 'payment_state' | 'source'>,
): BookedOrder {
  const policy = policyOf(ctx, order.connection_id)
  const held = policy.unpaid === 'hold' && isUnpaid(order.payment_state)
  return {
    id: order.id,
    connection_id: order.connection_id,
    promise: held ? 'held' : 'committed',
    expires_at: held ? new Date(ctx.now.getTime() + policy.hold_minutes * MINUTE_MS) : null,
    source: order.source,
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
  const linesOf = Map.groupBy(work.lines, (line) => line.order_id)
  const liveOf = Map.groupBy(live, (row) => row.order_id)
  const orders = new Map(work.orders.map((order) => [order.id, bookedOrder(ctx, order)]))
  const changes = work.orders.map((order) => {
    const targets = (linesOf.get(order.id) ?? []).map((line) => target(order, line, work.components))
    const change = planChange(targets, liveOf.get(order.id) ?? [], (id) => works.get(id)?.state ?? 'sent')
    return { order, change }
  })
  const confirmed = live.filter((row) => row.state === 'held' && orders.get(row.order_id)?.promise === 'committed')
  const served = changes.flatMap(({ order, change }) => (order.fresh || change.needs.length === 0 ? [] : order.id))
  const refused = await loadRefusals(tx, served)
  const unplanned = changes.flatMap(({ order, change }) => demand(ctx, order, change, refused))
  const plans = await loadPlans(
    tx,
    ctx,
    unplanned.map((one) => toRoute(one, orders.get(one.order_id)?.connection_id)),
  )
  const demands = unplanned.map((one) => ({ ...one, plan: plans.get(one.order_id) ?? null }))
  const releases = changes.flatMap(({ change }) => change.releases)
  const shortfalls = live.filter((row) => row.state === 'shortfall')
  const keys = [...demandKeys(demands), ...rowKeys([...releases.map(({ reservation }) => reservation), ...confirmed])]
  const stock = await lockStock(tx, keys, ctx.now)
  const available = new Map([...stock].map(([key, row]) => [key, row.available]))
  const decision = decideReservations(available, demands)
  const booked = await book(
    tx,
    ctx,
    {
      orders,
      allocations: decision.allocations,
      reasons: decision.reasons,
      releases,
      confirmed,
      shortfalls,
      live,
      work: works,
      call_back: changes.flatMap(({ change }) => change.call_back),
      sold: work.sold,
      reason: { reserve: 'order', release: 'released' },
    },
    timeline,
  )
  return { ...booked, promises: new Map([...orders].map(([id, order]) => [id, order.promise])) }
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

function target(order: OrderForStock, line: LineForStock, components: StockWork['components']): LineTarget {
  const own = line.listing_id === null ? undefined : components.get(line.listing_id)
  return { line_id: line.id, units: stockUnits(order, line), components: own ?? [] }
}

/** What routing rules may ask about a demand. */
export function toRoute({ order_id, serves_from, lines }: OrderDemand, connection_id = ''): OrderToRoute {
  return { id: order_id, connection_id, serves_from, line_ids: lines.map((line) => line.line_id) }
}

/** A place that has refused the order's work is not asked again; what no other place has is a shortfall. */
function demand(ctx: CoreContext, order: OrderForStock, change: DemandChange, refused: Refusals): OrderDemand[] {
  if (change.needs.length === 0) return []
  const policy = policyOf(ctx, order.connection_id)
  const { shortfall, priority } = policy
  const serves_from = placesFor(refused, order.id, policy.serves_from)
  const placed_at_ms = order.placed_at.getTime()
  const ship_by_ms = order.ship_by?.getTime() ?? null
  return [
    {
      order_id: order.id,
      last_resort: policy.last_resort,
      priority,
      ship_by_ms,
      placed_at_ms,
      serves_from,
      shortfall,
      plan: null,
      lines: change.needs,
    },
  ]
}
