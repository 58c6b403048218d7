import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { loadRefusals, placesFor, type Refusals } from '../fulfillment/refusals.ts'
import { loadWork } from '../fulfillment/work.ts'
import { refreshAxes } from '../orders/axes.ts'
import type { PaymentState } from '../orders/rules.ts'
import { book } from './book.ts'
import { stockKey, tryLockStock, type StockRow } from './ledger.ts'
import { LOST_FROM_LIVE_WORK, reattachLost } from './reattach.ts'
import { loadPlans } from '../routing/load.ts'
import { bookedOrder, demandKeys, toRoute } from './reserve.ts'
import { decideReservations } from './rules.ts'
import { type LineDemand, type OrderDemand } from './rulesDemand.ts'
import type { LiveReservation } from './rulesChange.ts'

interface Waiting extends LiveReservation {
  connection_id: string
  priority: number
  ship_by: Date | null
}

interface LockedOrder {
  id: string
  connection_id: string
  payment_state: PaymentState
}

const PAGE_ROWS = 500

/**
 * Gives freed or arrived units of these items to the orders that wait for them, by (priority, time of waiting), under the same
 * all-or-nothing policy as a new order, and makes the work. The caller has locked the stock rows that the units came to. An order that another transaction has locked is passed over instead of
 * waited for (waiting here could deadlock): that transaction settles the order's own shortfall when it locks the same stock.
 */
export async function allocateShortfalls(tx: Tx, ctx: CoreContext, item_ids: readonly number[]): Promise<void> {
  if (item_ids.length === 0) return
  await reattachLost(tx, ctx, item_ids)
  let after = { priority: Number.MIN_SAFE_INTEGER, id: 0 }
  for (;;) {
    const page = await loadWaiting(tx, item_ids, after)
    const last = page.at(-1)
    if (last === undefined) return
    const exhausted = await allocatePage(tx, ctx, item_ids, page)
    if (exhausted || page.length < PAGE_ROWS) return
    after = { priority: last.priority, id: last.id }
  }
}

async function loadWaiting(
  tx: Tx,
  item_ids: readonly number[],
  after: { priority: number; id: number },
): Promise<{ id: number; priority: number; order_id: string }[]> {
  return tx.query(
    `select r.id, r.priority, r.order_id from reservations r
     where r.state = 'shortfall' and r.item_id = any($1::bigint[]) and (r.priority, r.id) > ($2::int, $3::bigint)
       and not (${LOST_FROM_LIVE_WORK})
     order by r.priority, r.id limit ${PAGE_ROWS}`,
    [item_ids, Math.max(after.priority, -2_147_483_648), after.id],
  )
}

/** True when none of the items has a unit left where anybody could be served from. */
async function allocatePage(
  tx: Tx,
  ctx: CoreContext,
  item_ids: readonly number[],
  page: readonly { order_id: string }[],
): Promise<boolean> {
  const order_ids = [...new Set(page.map((row) => row.order_id))]
  // Read twice: first to know which stock rows to look at, then again once nobody else can change what is decided on. The rows that
  // units came to are locked by the caller; of others only those that are free, because waiting out of order could deadlock.
  const seen = await loadShortfalls(tx, order_ids)
  const refused = await loadRefusals(tx, order_ids)
  const stock = await tryLockStock(tx, demandKeys(demandsOf(ctx, seen, refused)))
  // Orders further down may still be served by a place that has refused one of these.
  if (isExhausted(stock, item_ids)) return refused.size === 0
  const locked = await lockFreeOrders(tx, order_ids)
  const shortfalls = (await loadShortfalls(tx, [...locked.keys()])).filter((row) => locked.has(row.order_id))
  const available = new Map([...stock].map(([key, row]) => [key, row.available]))
  const connectionOf = new Map(shortfalls.map((row) => [row.order_id, row.connection_id]))
  const wanted = demandsOf(ctx, shortfalls, refused)
  const plans = await loadPlans(
    tx,
    ctx,
    wanted.map((one) => toRoute(one, connectionOf.get(one.order_id))),
  )
  const { allocations, reasons } = decideReservations(
    available,
    wanted.map((one) => ({ ...one, plan: plans.get(one.order_id) ?? null })),
  )
  const served = new Set(
    allocations.filter((allocation) => allocation.location_id !== null).map((allocation) => allocation.order_id),
  )
  if (served.size === 0) return false
  const rows = shortfalls.filter((row) => served.has(row.order_id))
  const orders = [...served].flatMap((id) => locked.get(id) ?? [])
  const booked = await book(
    tx,
    ctx,
    {
      orders: new Map(orders.map((order) => [order.id, bookedOrder(ctx, { ...order, source: `order:${order.id}` })])),
      allocations: allocations.filter((allocation) => served.has(allocation.order_id)),
      reasons: new Map([...reasons].filter(([order_id]) => served.has(order_id))),
      releases: [],
      confirmed: [],
      shortfalls: rows,
      live: rows,
      work: await loadWork(tx, [...served]),
      call_back: [],
      sold: new Map(),
      reason: { reserve: 'allocated', release: 'released' },
    },
    [],
  )
  await refreshAxes(tx, [...served], ctx.now)
  for (const row of stock.values()) row.available -= booked.taken.get(stockKey(row.item_id, row.location_id)) ?? 0
  return isExhausted(stock, item_ids) && refused.size === 0
}

async function loadShortfalls(tx: Tx, order_ids: readonly string[]): Promise<Waiting[]> {
  return tx.query<Waiting>(
    `select r.id, r.order_id, r.order_line_id as line_id, r.item_id, r.location_id, r.per_unit, r.quantity, r.consumed_quantity, r.state,
       r.fulfillment_order_id, r.priority, r.ship_by, o.connection_id
     from reservations r join orders o on o.id = r.order_id
     where r.order_id = any($1::uuid[]) and r.state = 'shortfall' and not (${LOST_FROM_LIVE_WORK}) order by r.id`,
    [order_ids],
  )
}

async function lockFreeOrders(tx: Tx, order_ids: readonly string[]): Promise<Map<string, LockedOrder>> {
  const rows = await tx.query<LockedOrder>(
    `select id, connection_id, payment_state from orders where id = any($1::uuid[]) order by id for no key update skip locked`,
    [order_ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

/**
 * The older the wish, the earlier its turn: the row's id takes the place of the order's date. A place that has refused the order's work
 * is not asked again.
 */
function demandsOf(ctx: CoreContext, rows: readonly Waiting[], refused: Refusals): OrderDemand[] {
  return [...Map.groupBy(rows, (row) => row.order_id)].flatMap(([order_id, own]): OrderDemand[] => {
    const first = own[0]
    const policy = first === undefined ? undefined : ctx.policies.get(first.connection_id)
    if (first === undefined || policy === undefined) return []
    const { shortfall, last_resort } = policy
    const serves_from = placesFor(refused, order_id, policy.serves_from)
    const placed_at_ms = Math.min(...own.map((row) => row.id))
    const ship_by_ms = first.ship_by?.getTime() ?? null
    const { priority } = first
    return [
      {
        order_id,
        last_resort,
        priority,
        ship_by_ms,
        placed_at_ms,
        serves_from,
        shortfall,
        plan: null,
        lines: linesOf(own),
      },
    ]
  })
}

/**
 * Components of a line that miss the same number of whole units are a kit again; any other stands for itself. Rows of one item are
 * summed first: named twice in a kit, an item would be promised twice.
 */
function linesOf(rows: readonly Waiting[]): LineDemand[] {
  const lines = new Map<string, LineDemand & { components: { item_id: number; per_unit: number }[] }>()
  for (const own of Map.groupBy(rows, (row) => `${row.line_id}@${row.item_id}`).values()) {
    const [first] = own
    if (first === undefined) continue
    const { line_id, item_id, per_unit } = first
    const units = Math.floor(own.reduce((sum, row) => sum + row.quantity, 0) / per_unit)
    if (units === 0) continue
    const key = `${line_id}x${units}`
    const line = lines.get(key) ?? { line_id, units, components: [] }
    lines.set(key, line)
    line.components.push({ item_id, per_unit })
  }
  return [...lines.values()]
}

function isExhausted(stock: ReadonlyMap<string, StockRow>, item_ids: readonly number[]): boolean {
  const items = new Set(item_ids)
  return ![...stock.values()].some((row) => items.has(row.item_id) && row.available > 0)
}
