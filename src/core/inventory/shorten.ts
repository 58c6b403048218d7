import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { dropWork, loadWork, type Work } from '../fulfillment/work.ts'
import { refreshAxes } from '../orders/axes.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { moveStock, stockKey, type StockMove, type StockRow } from './ledger.ts'
import { choosePromisesToBreak, type BrokenPromise, type PromisedRow, type Shortage } from './rulesShorten.ts'

/** Missing units, and what told us of it. */
export interface CausedShortage extends Shortage {
  source: string
  occurred_at: Date
}

type Broken = BrokenPromise<CausedShortage>

/**
 * Frees promised units because the goods are not there: they go to `available`, from where the caller takes them out. The orders get a
 * shortfall, which the next allocation may fill from elsewhere. The caller has locked the stock rows, which keeps the reservations at
 * these places as they are; `stock` (by `stockKey`) is brought up to date. More units than asked for become free where a multipack is
 * broken up, fewer where nothing more is promised.
 */
export async function shortenPromises(
  tx: Tx,
  ctx: Pick<CoreContext, 'now'>,
  shortages: readonly CausedShortage[],
  stock: ReadonlyMap<string, StockRow>,
): Promise<void> {
  const wanted = shortages.filter((shortage) => shortage.units > 0)
  if (wanted.length === 0) return
  const rows = await loadPromises(tx, wanted)
  const orderIds = [...new Set(rows.map((row) => row.order_id))]
  await tx.query('select 1 from orders where id = any($1::uuid[]) order by id for no key update', [orderIds])
  const work = await loadWork(tx, orderIds)
  const promises = rows.map((row) => ({ ...row, sent: wasSent(work, row) }))
  const broken = choosePromisesToBreak(promises, wanted)
  await moveStock(tx, broken.map(freed), ctx.now)
  for (const { row, quantity } of broken) {
    const counters = stock.get(stockKey(row.item_id, row.location_id))
    if (counters === undefined) continue
    counters[row.state === 'held' ? 'reserved' : 'committed'] -= quantity
    counters.available += quantity
  }
  await writeShortfalls(tx, broken, ctx.now)
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
  const data = { units: quantity, item_id, location_id, was: state, work_was_sent: sent }
  return { order_id, kind: 'reservation.shortfall', at: shortage.occurred_at, source: shortage.source, data }
}

async function loadPromises(tx: Tx, shortages: readonly Shortage[]): Promise<Omit<PromisedRow, 'sent'>[]> {
  return tx.query(
    `select r.id, r.order_id, r.order_line_id, r.item_id, r.location_id, r.per_unit, r.quantity, r.consumed_quantity, r.state, r.priority,
       r.fulfillment_order_id
     from unnest($1::bigint[], $2::text[]) as s(item_id, location_id)
     join reservations r on r.item_id = s.item_id and r.location_id = s.location_id
       and r.state in ('held', 'committed') and r.quantity > 0
     order by r.id for no key update of r`,
    columns(shortages, ['item_id', 'location_id']),
  )
}

/** A row that loses all its units becomes the shortfall itself and keeps its place in the queue; a part becomes a row of its own. */
async function writeShortfalls(tx: Tx, broken: readonly Broken[], now: Date): Promise<void> {
  const whole = ({ row, quantity }: Broken): boolean => quantity === row.quantity && row.consumed_quantity === 0
  await tx.query(
    `update reservations set state = 'shortfall', location_id = null, fulfillment_order_id = null, expires_at = null, changed_at = $2
     where id = any($1::bigint[])`,
    [broken.filter(whole).map(({ row }) => row.id), now],
  )
  const parts = broken.filter((promise) => !whole(promise))
  if (parts.length === 0) return
  const params = [parts.map(({ row }) => row.id), parts.map(({ quantity }) => quantity), now]
  await tx.query(
    `insert into reservations (order_id, order_line_id, item_id, per_unit, quantity, state, priority, created_at, changed_at)
     select r.order_id, r.order_line_id, r.item_id, r.per_unit, b.quantity, 'shortfall', r.priority, r.created_at, $3
     from unnest($1::bigint[], $2::int[]) as b(id, quantity) join reservations r on r.id = b.id`,
    params,
  )
  await tx.query(
    `update reservations r set quantity = r.quantity - b.quantity, changed_at = $3,
       state = case when r.quantity = b.quantity then 'consumed' else r.state end
     from unnest($1::bigint[], $2::int[]) as b(id, quantity) where r.id = b.id`,
    params,
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
