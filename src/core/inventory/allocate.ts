import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { loadRefusals } from '../fulfillment/refusals.ts'
import { loadWork } from '../fulfillment/work.ts'
import { refreshAxes } from '../orders/axes.ts'
import type { PaymentState } from '../orders/rules.ts'
import { takeTurn } from '../turn.ts'
import { book } from './book.ts'
import { stockKey, touchOnce, tryLockStock, type StockRow } from './ledger.ts'
import { LOST_FROM_LIVE_WORK, reattachLost } from './reattach.ts'
import { bookedOrder, demandKeys, modesOfMissing, withRules } from './reserve.ts'
import { decideReservations } from './rules.ts'
import { connectionOfRows, loadMoreUrgent, loadWaitingOf, waitingDemands } from './waiting.ts'

interface LockedOrder {
  id: string
  connection_id: string
  payment_state: PaymentState
  ship_by: Date | null
}

const PAGE_ROWS = 500

/** Where the last page ended in the queue. Who was promised no date comes last of its priority. */
interface QueuePosition {
  priority: number
  /** As PostgreSQL writes it. */
  ship_by: string
  id: number
}

const FRONT: QueuePosition = { priority: -2_147_483_648, ship_by: '-infinity', id: 0 }

/**
 * Gives freed or arrived units of these items to the orders that wait for them, by (priority, ship by, time of waiting), under the same
 * policy as a new order, and makes the work. What a more urgent order waits for and cannot use yet stays on the shelf for it. The caller
 * has locked the stock rows that the units came to. An order that another transaction has locked is passed over instead of
 * waited for (waiting here could deadlock): that transaction settles the order's own shortfall when it locks the same stock, and
 * `allocateWaiting` comes by later.
 */
export async function allocateShortfalls(tx: Tx, ctx: CoreContext, item_ids: readonly number[]): Promise<void> {
  if (item_ids.length === 0) return
  await reattachLost(tx, ctx, item_ids)
  let after = FRONT
  for (;;) {
    const page = await loadQueue(tx, item_ids, after)
    const last = page.at(-1)
    if (last === undefined) return
    const { exhausted } = await allocateTo(tx, ctx, item_ids, [...new Set(page.map((row) => row.order_id))])
    if (exhausted || page.length < PAGE_ROWS) return
    after = last
  }
}

/**
 * Tries again to serve orders that wait although what they wait for is there: units may have come in a moment in which the order, or
 * another item of it, was in somebody's hands. Looks at no more than `orders_max` orders. Returns how many of them got something.
 */
export async function allocateWaiting(tx: Tx, ctx: CoreContext, orders_max: number): Promise<number> {
  const policies = [...ctx.policies.values()]
  await takeTurn(
    tx,
    policies.map((policy) => policy.company_id),
    'side_by_side',
  )
  return touchOnce(tx, ctx.now, async () => {
    const rows = await loadServable(tx, ctx, orders_max)
    const order_ids = [...new Set(rows.map((row) => row.order_id))]
    if (order_ids.length === 0) return 0
    const { served } = await allocateTo(tx, ctx, [...new Set(rows.flatMap((row) => row.item_ids))], order_ids)
    return served
  })
}

/**
 * Orders of which something is missing that a place which serves them has: all of it, and enough of it, where the channel wants all or
 * nothing.
 */
async function loadServable(
  tx: Tx,
  ctx: CoreContext,
  orders_max: number,
): Promise<{ order_id: string; item_ids: number[] }[]> {
  const policies = [...ctx.policies.values()]
  const pairs = policies.flatMap(({ connection_id, serves_from }) => serves_from.map((place) => [connection_id, place]))
  return tx.query(
    `with waiting as (
       select r.order_id, r.item_id, min(r.priority) as priority, min(coalesce(r.ship_by, 'infinity')) as ship_by, min(r.id) as id,
         min(r.per_unit) as per_unit, sum(r.quantity) as quantity
       from reservations r
       where r.state = 'shortfall' and not (${LOST_FROM_LIVE_WORK})
         and exists (select 1 from stock s where s.item_id = r.item_id and s.available > 0)
       group by r.order_id, r.item_id
     ), placed as (
       select w.*, o.connection_id = any($3::text[]) as whole,
         (select coalesce(sum(s.available), 0) from stock s
          left join unnest($1::text[], $2::text[]) as c(connection_id, location_id)
            on c.connection_id = o.connection_id and c.location_id = s.location_id
          left join supplies t on t.order_id = o.id and t.from_location_id = s.location_id
          where s.item_id = w.item_id and (c.location_id is not null or t.id is not null)) as there
       from waiting w join orders o on o.id = w.order_id
     )
     select p.order_id, array_agg(p.item_id) as item_ids from placed p
     group by p.order_id, p.whole
     having case when p.whole
       then bool_and(p.there >= p.quantity) and count(*) = (select count(distinct r.item_id) from reservations r
         where r.order_id = p.order_id and r.state = 'shortfall' and not (${LOST_FROM_LIVE_WORK}))
       else bool_or(p.there >= p.per_unit) end
     order by min(p.priority), min(p.ship_by), min(p.id) limit $4`,
    [
      pairs.map(([connection_id]) => connection_id),
      pairs.map(([, location_id]) => location_id),
      policies.flatMap((policy) => (policy.shortfall === 'all_or_nothing' ? policy.connection_id : [])),
      orders_max,
    ],
  )
}

async function loadQueue(
  tx: Tx,
  item_ids: readonly number[],
  after: QueuePosition,
): Promise<(QueuePosition & { order_id: string })[]> {
  return tx.query(
    `select r.id, r.priority, coalesce(r.ship_by, 'infinity')::text as ship_by, r.order_id from reservations r
     where r.state = 'shortfall' and r.item_id = any($1::bigint[])
       and (r.priority, coalesce(r.ship_by, 'infinity'), r.id) > ($2::int, $3::timestamptz, $4::bigint)
       and not (${LOST_FROM_LIVE_WORK})
     order by r.priority, coalesce(r.ship_by, 'infinity'), r.id limit ${PAGE_ROWS}`,
    [item_ids, after.priority, after.ship_by, after.id],
  )
}

/** `exhausted`: none of the items has a unit left where anybody could be served from. `served`: orders that got something. */
async function allocateTo(
  tx: Tx,
  ctx: CoreContext,
  item_ids: readonly number[],
  order_ids: readonly string[],
): Promise<{ exhausted: boolean; served: number }> {
  // Read twice: first to know which stock rows to look at, then again once nobody else can change what is decided on. The rows that
  // units came to are locked by the caller; of others only those that are free, because waiting out of order could deadlock.
  const seen = await loadWaitingOf(tx, order_ids)
  const refused = await loadRefusals(tx, order_ids)
  const stock = await tryLockStock(tx, demandKeys(await waitingDemands(tx, ctx, seen, refused)))
  // Orders further down may still be served by a place that has refused one of these.
  if (isExhausted(stock, item_ids)) return { exhausted: refused.size === 0, served: 0 }
  const locked = await lockFreeOrders(tx, order_ids)
  const shortfalls = (await loadWaitingOf(tx, [...locked.keys()])).filter((row) => locked.has(row.order_id))
  const connectionOf = connectionOfRows(shortfalls)
  const available = new Map([...stock].map(([key, row]) => [key, row.available]))
  const wanted = await withRules(tx, ctx, connectionOf, await waitingDemands(tx, ctx, shortfalls, refused))
  const decision = decideReservations(available, wanted, await loadMoreUrgent(tx, ctx, available, wanted))
  const served = new Set(
    decision.allocations.flatMap(({ location_id, order_id }) => (location_id === null ? [] : order_id)),
  )
  if (served.size === 0) return { exhausted: false, served: 0 }
  const rows = shortfalls.filter((row) => served.has(row.order_id))
  const orders = [...served].flatMap((id) => locked.get(id) ?? [])
  const allocations = decision.allocations.filter((allocation) => served.has(allocation.order_id))
  const booked = await book(
    tx,
    ctx,
    {
      orders: new Map(orders.map((order) => [order.id, bookedOrder(ctx, { ...order, source: `order:${order.id}` })])),
      allocations,
      reasons: new Map([...decision.reasons].filter(([order_id]) => served.has(order_id))),
      modeOf: await modesOfMissing(tx, ctx, connectionOf, allocations),
      releases: [],
      confirmed: [],
      shortfalls: rows,
      live: rows,
      work: await loadWork(tx, [...served]),
      planned_anew: new Set(),
      call_back: [],
      sold: new Map(),
      reason: { reserve: 'allocated', release: 'released' },
    },
    [],
  )
  await refreshAxes(tx, [...served], ctx.now)
  for (const row of stock.values()) row.available -= booked.taken.get(stockKey(row.item_id, row.location_id)) ?? 0
  return { exhausted: isExhausted(stock, item_ids) && refused.size === 0, served: served.size }
}

async function lockFreeOrders(tx: Tx, order_ids: readonly string[]): Promise<Map<string, LockedOrder>> {
  const rows = await tx.query<LockedOrder>(
    `select id, connection_id, payment_state, ship_by from orders where id = any($1::uuid[]) order by id for no key update skip locked`,
    [order_ids],
  )
  return new Map(rows.map((row) => [row.id, row]))
}

function isExhausted(stock: ReadonlyMap<string, StockRow>, item_ids: readonly number[]): boolean {
  const items = new Set(item_ids)
  return ![...stock.values()].some((row) => items.has(row.item_id) && row.available > 0)
}
