import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { dropWork, loadWork, type Work } from '../fulfillment/work.ts'
import { refreshAxes } from '../orders/axes.ts'
import { shortenHolds } from '../holds/shorten.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { startAnew } from '../turn.ts'
import { moveStock, stockKey, type StockMove, type StockRow } from './ledger.ts'
import { deleteShortfalls, updateReservations } from './sql.ts'
import { choosePromisesToBreak, type BrokenPromise, type PromisedRow, type Shortage } from './rulesShorten.ts'

/** Missing units, and what told us of it. */
export interface CausedShortage extends Shortage {
  source: string
  occurred_at: Date
}

type Broken = BrokenPromise<CausedShortage>
type Promised = PromisedRow & { order_line_id: number }

/** Orders that another transaction held when their promises had to be broken. */
interface Busy extends Error {
  busy_orders: readonly string[]
}

const FORESIGHTS_MAX = 5

/**
 * Runs work that locks stock and may have to break promises there. Orders are locked before stock, but how much is missing is only
 * certain under the lock of the stock; so the orders that will probably suffer are locked first. Where that foresight was wrong, all
 * locks of the work are given back and taken again with the orders that it turned out to need.
 */
export async function withOrdersAtRisk<T>(tx: Tx, foreseen: readonly Shortage[], work: () => Promise<T>): Promise<T> {
  const likely = foreseen.filter((shortage) => shortage.units > 0)
  const rows = likely.length === 0 ? [] : await loadPromises(tx, likely)
  const needed = new Set(choosePromisesToBreak(rows, likely).map(({ row }) => row.order_id))
  for (let attempt = 1; ; attempt += 1) {
    await tx.query('savepoint breaking_promises')
    try {
      await lockOrdersById(tx, [...needed])
      const result = await work()
      await tx.query('release savepoint breaking_promises')
      return result
    } catch (thrown) {
      if (!isBusy(thrown) || attempt === FORESIGHTS_MAX) throw thrown
      await tx.query('rollback to savepoint breaking_promises')
      for (const id of thrown.busy_orders) needed.add(id)
    }
  }
}

const isBusy = (thrown: unknown): thrown is Busy => thrown instanceof Error && 'busy_orders' in thrown

function busyOrders(busy_orders: readonly string[]): Busy {
  return Object.assign(startAnew('orders whose promises have to be broken are held by another transaction'), {
    busy_orders,
  })
}

/**
 * Frees promised units because the goods are not there: they go to `available`, from where the caller takes them out. The orders get a
 * shortfall, which the next allocation may fill from elsewhere. The caller has locked the stock rows, which keeps the reservations at
 * these places as they are; `stock` (by `stockKey`) is brought up to date. More units than asked for become free where a multipack is
 * broken up, fewer where nothing more is promised. An order that another transaction holds is not waited for, because that one may
 * wait for our stock: another promise is broken in its place, and where there is none `withOrdersAtRisk` starts anew.
 */
export async function shortenPromises(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  shortages: readonly CausedShortage[],
  stock: ReadonlyMap<string, StockRow>,
): Promise<void> {
  // Nobody has bought what a cart holds yet.
  const anybodys = shortages.filter((shortage) => shortage.fulfillment_order_id === undefined)
  const named = shortages.filter((shortage) => shortage.fulfillment_order_id !== undefined)
  const left = [...(await shortenHolds(tx, ctx.now, anybodys, stock)), ...named]
  const wanted = left.filter((shortage) => shortage.units > 0)
  if (wanted.length === 0) return
  const chosen = await chooseLockable(tx, await loadPromises(tx, wanted), wanted)
  const work = await loadWork(tx, [...new Set(chosen.map(({ row }) => row.order_id))])
  const broken = chosen.map((one) => ({ ...one, row: { ...one.row, sent: wasSent(work, one.row) } }))
  await moveStock(tx, broken.map(freed), ctx.now)
  for (const { row, quantity } of broken) {
    const counters = stock.get(stockKey(row.item_id, row.location_id))
    if (counters === undefined) continue
    counters[row.state === 'held' ? 'reserved' : 'committed'] -= quantity
    counters.available += quantity
  }
  await writeShortfalls(tx, broken, ctx.now)
  await giveUpUnwanted(tx, broken, ctx.now)
  await dropWork(tx, await emptyWork(tx, work, broken), ctx.now)
  await recordTimeline(tx, broken.map(shortfallFact), ctx.now)
  await refreshAxes(tx, [...new Set(broken.map(({ row }) => row.order_id))], ctx.now)
}

const wasSent = (work: ReadonlyMap<string, Work>, row: Pick<PromisedRow, 'fulfillment_order_id'>): boolean =>
  row.fulfillment_order_id !== null && work.get(row.fulfillment_order_id)?.state !== 'open'

function freed({ row, quantity, shortage }: Broken): StockMove {
  const { item_id, location_id } = row
  const from = row.state === 'held' ? 'reserved' : 'committed'
  const { source, occurred_at } = shortage
  return { item_id, location_id, from, to: 'available', quantity, reason: 'shortfall', source, occurred_at }
}

function shortfallFact({ row, quantity, shortage }: Broken) {
  const { item_id, location_id, state, sent, order_id } = row
  const { order_line_id, fulfillment_order_id } = row
  const data = {
    units: quantity,
    item_id,
    location_id,
    order_line_id,
    fulfillment_order_id,
    was: state,
    work_was_sent: sent,
  }
  return { order_id, kind: 'reservation.shortfall', at: shortage.occurred_at, source: shortage.source, data }
}

async function loadPromises(tx: Tx, shortages: readonly Shortage[]): Promise<Promised[]> {
  return tx.query(
    `select r.id, r.order_id, r.order_line_id, r.item_id, r.location_id, r.per_unit, r.quantity, r.consumed_quantity, r.state, r.priority,
       r.ship_by, r.fulfillment_order_id,
       f.id is not null and (f.state not in ('OPEN', 'ON_HOLD') or f.cancel_requested_at is not null or (x.id is not null and x.attempts > 0)) as sent
     from (select distinct item_id, location_id from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)) s
     join reservations r on r.item_id = s.item_id and r.location_id = s.location_id
       and r.state in ('held', 'committed') and r.quantity > 0
     left join fulfillment_orders f on f.id = r.fulfillment_order_id
     left join outbox x on x.key = 'fulfillment.new:' || f.number
     order by r.id`,
    columns(shortages, ['item_id', 'location_id']),
  )
}

/** The choice among all promises, as far as their orders can be locked without waiting. */
async function chooseLockable(
  tx: Tx,
  rows: readonly Promised[],
  shortages: readonly CausedShortage[],
): Promise<BrokenPromise<CausedShortage>[]> {
  const locked = new Set<string>()
  const busy = new Set<string>()
  for (;;) {
    const chosen = choosePromisesToBreak(
      rows.filter((row) => !busy.has(row.order_id)),
      shortages,
    )
    const unlocked = [...new Set(chosen.map(({ row }) => row.order_id))].filter((id) => !locked.has(id))
    if (unlocked.length === 0) {
      if (busy.size > 0 && brokenUnits(chosen) < brokenUnits(choosePromisesToBreak(rows, shortages)))
        throw busyOrders([...busy])
      return chosen
    }
    const free = await tx.query<{ id: string }>(
      'select id from orders where id = any($1::uuid[]) order by id for no key update skip locked',
      [unlocked],
    )
    for (const { id } of free) locked.add(id)
    for (const id of unlocked) if (!locked.has(id)) busy.add(id)
  }
}

/** Units that serve the shortages; what a broken multipack frees beyond them does not count. */
function brokenUnits(broken: readonly BrokenPromise<CausedShortage>[]): number {
  const groups = Map.groupBy(broken, ({ shortage }) => shortage)
  return [...groups].reduce((sum, [shortage, own]) => {
    const units = own.reduce((total, { quantity }) => total + quantity, 0)
    return sum + Math.min(units, shortage.units)
  }, 0)
}

/** A row that loses all its units becomes the shortfall itself and keeps its place in the queue; a part becomes a row of its own. */
async function writeShortfalls(tx: Tx, broken: readonly Broken[], now: Date): Promise<void> {
  // A count may be wrong about what a picker has in hand; the picker is not: what it lacks waits for no work and is served elsewhere.
  const sent = broken
    .filter(({ row, shortage }) => row.sent && shortage.fulfillment_order_id === undefined)
    .map(({ row }) => row.id)
  const whole = ({ row, quantity }: Broken): boolean => quantity === row.quantity && row.consumed_quantity === 0
  await tx.query(
    `update reservations set state = 'shortfall', location_id = null, fulfillment_order_id = null, expires_at = null, changed_at = $2,
       lost_from = case when id = any($3::bigint[]) then fulfillment_order_id end
     where id = any($1::bigint[])`,
    [broken.filter(whole).map(({ row }) => row.id), now, sent],
  )
  const parts = broken.filter((promise) => !whole(promise))
  if (parts.length === 0) return
  const params = [parts.map(({ row }) => row.id), parts.map(({ quantity }) => quantity), now]
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, per_unit, quantity, state, priority, ship_by, listing_id, created_at,
       changed_at, lost_from)
     select r.order_id, r.order_line_id, r.item_id, r.per_unit, b.quantity, 'shortfall', r.priority, r.ship_by, r.listing_id, r.created_at, $3,
       case when r.id = any($4::bigint[]) then r.fulfillment_order_id end
     from unnest($1::bigint[], $2::int[]) as b(id, quantity) join reservations r on r.id = b.id`,
    [...params, sent],
  )
  await tx.query(
    `update reservations r set quantity = r.quantity - b.quantity, changed_at = $3,
       state = case when r.quantity = b.quantity then 'consumed' else r.state end
     from unnest($1::bigint[], $2::int[]) as b(id, quantity) where r.id = b.id`,
    params,
  )
}

interface Unwanted {
  id: number
  order_line_id: number
  item_id: number
  quantity: number
  excess: number
}

/**
 * What nobody wants any more is not missing: work that was called back held units beyond what its lines still ask for, and those of them
 * that are lost are simply gone.
 */
async function giveUpUnwanted(tx: Tx, broken: readonly Broken[], now: Date): Promise<void> {
  const rows = await tx.query<Unwanted>(
    `with held as (
       select r.order_line_id, r.item_id,
         sum(r.consumed_quantity + case when r.state in ('held', 'committed', 'shortfall') then r.quantity else 0 end)
           - max(r.per_unit) * max(case when o.lifecycle = 'open' and l.requires_shipping and not o.is_test
               then greatest(0, l.quantity - l.cancelled_quantity) else 0 end) as excess
       from reservations r join order_lines l on l.id = r.order_line_id join orders o on o.id = r.order_id
       where r.order_line_id = any($1::bigint[]) group by 1, 2)
     select r.id, r.order_line_id, r.item_id, r.quantity, h.excess::int as excess
     from held h join reservations r on r.order_line_id = h.order_line_id and r.item_id = h.item_id and r.state = 'shortfall'
     where h.excess > 0 order by r.id desc`,
    [[...new Set(broken.map(({ row }) => row.order_line_id))]],
  )
  const changed: { id: number; quantity: number }[] = []
  for (const own of Map.groupBy(rows, (row) => `${row.order_line_id}@${row.item_id}`).values()) {
    let excess = own[0]?.excess ?? 0
    for (const { id, quantity } of own) {
      const gone = Math.min(excess, quantity)
      if (gone === 0) break
      excess -= gone
      changed.push({ id, quantity: quantity - gone })
    }
  }
  const over = changed.filter(({ quantity }) => quantity === 0)
  await deleteShortfalls(tx, over.map(({ id }) => id)) // prettier-ignore
  const less = changed.filter(({ quantity }) => quantity > 0)
  await updateReservations(
    tx,
    less.map((row) => ({ ...row, state: 'shortfall' as const, fulfillment_order_id: null })),
    now,
  )
}

/** Work that has not left and has lost all it had to pack. */
async function emptyWork(tx: Tx, work: ReadonlyMap<string, Work>, broken: readonly Broken[]): Promise<Work[]> {
  const touched = [...new Set(broken.flatMap(({ row }) => row.fulfillment_order_id ?? []))].filter(
    (id) => work.get(id)?.state === 'open',
  )
  if (touched.length === 0) return []
  const rows = await tx.query<{ id: string }>(
    `select f.id from unnest($1::uuid[]) as f(id)
     where not exists (select 1 from reservations r where r.fulfillment_order_id = f.id and r.state = 'committed' and r.quantity > 0)`,
    [touched],
  )
  return rows.flatMap(({ id }) => work.get(id) ?? [])
}
