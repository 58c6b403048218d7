import { cancelEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import { countedWithout } from '../inventory/countBasis.ts'
import { moveStock, stockKey, type StockMove } from '../inventory/ledger.ts'
import { shortenPromises, type CausedShortage } from '../inventory/shorten.ts'
import type { Acknowledgement } from '../model/shipment.ts'
import { dropLabels } from '../labels/parcels.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { lockStockOfOrder, replanOrder } from './plan.ts'
import { missingAtPick, type PickedRow, type ShortLine } from './rulesShortPick.ts'
import { recallFrom } from './recall.ts'
import type { FulfillmentOrderRow } from './shipments.ts'
import { cancelKey, newKey } from './work.ts'

/**
 * Applies the word of a picker that units of this work are not on the shelf. They leave the work and the place's stock as a count would
 * have taken them, the rest of the work goes on, and the order is planned anew at once: the units are not there any more, so another
 * place serves them, or they are short. Work that lost everything is over. Nobody else's promise is broken for it. The same message
 * again is `same`; more units than the work still holds were found missing by a count before, and are not lost twice. The order and
 * the work are locked by the caller. Parks `unknown_order_line` for goods that the work never had.
 */
export async function applyShortPick(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  { work, answer }: { work: FulfillmentOrderRow; answer: Acknowledgement },
): Promise<FactOutcome> {
  const reference = answer.reference ?? answer.at
  if (await isKnown(tx, work, reference)) return { kind: 'ignored', reason: 'same' }
  const missing = missingAtPick(answer.lines ?? [], await loadPicked(tx, work))
  if (missing.kind === 'no_lines')
    return {
      kind: 'parked',
      error: new HubError('payload_invalid', 'a short pick names no lines', { path: '$.lines' }),
    }
  if (missing.kind === 'unknown_line') {
    const error = new HubError('unknown_order_line', `${work.number} has no ${missing.sku} to be picked`, {
      path: missing.path,
    })
    return { kind: 'parked', error }
  }
  const units = missing.units.reduce((sum, line) => sum + line.quantity, 0)
  if (units === 0) return { kind: 'ignored', reason: 'superseded' }
  await lose(tx, ctx, inbound, { work, units: missing.units, occurred_at: new Date(answer.at) })
  await note(tx, ctx, inbound, { work, answer, reference, units: missing.units })
  await advanceWork(tx, ctx, inbound, work)
  await replanOrder(tx, ctx, work.order_id, inbound.source)
  return { kind: 'applied', summary: `${units} units of ${work.number} were not there` }
}

async function isKnown(tx: Tx, work: FulfillmentOrderRow, reference: string): Promise<boolean> {
  const rows = await tx.query(
    `select 1 from order_facts where order_id = $1 and kind = 'fulfillment_order.short'
       and data ->> 'number' = $2 and data ->> 'reference' = $3`,
    [work.order_id, work.number, reference],
  )
  return rows.length > 0
}

/** An item of which the work has lost everything is among them, with zero units. */
async function loadPicked(tx: Tx, work: FulfillmentOrderRow): Promise<PickedRow[]> {
  return tx.query<PickedRow>(
    `select i.id as item_id, i.sku, sum(p.quantity)::int as quantity
     from (
       select item_id, case when state = 'committed' then quantity else 0 end as quantity
       from reservations where order_id = $1 and fulfillment_order_id = $2::uuid
       union all
       select (data ->> 'item_id')::bigint, 0 from order_facts
       where order_id = $1 and kind = 'reservation.shortfall' and data ->> 'fulfillment_order_id' = $2::uuid::text
     ) p join items i on i.id = p.item_id
     group by i.id, i.sku order by i.id`,
    [work.order_id, work.id],
  )
}

interface Loss {
  work: FulfillmentOrderRow
  units: readonly { item_id: number; quantity: number }[]
  occurred_at: Date
}

/** Whole units of a line leave the work, so a multipack that lacks one piece puts the others back on the shelf. */
async function lose(
  tx: Tx,
  ctx: CoreContext,
  { source }: InboundFact,
  { work, units, occurred_at }: Loss,
): Promise<void> {
  const { id, location_id, order_id, order_connection_id } = work
  const stock = await lockStockOfOrder(tx, ctx, { id: order_id, connection_id: order_connection_id })
  const shortages = units.map(({ item_id, quantity }): CausedShortage => {
    return { item_id, location_id, units: quantity, fulfillment_order_id: id, source, occurred_at }
  })
  await shortenPromises(tx, ctx, shortages, stock)
  const without = await countedWithout(
    tx,
    work,
    units.map(({ item_id }) => item_id),
    occurred_at,
  )
  const moves = units.flatMap(({ item_id, quantity }): StockMove[] => {
    const row = stock.get(stockKey(item_id, location_id))
    // A count that was taken after the picker looked has left the units out already.
    if (row === undefined || without.has(item_id)) return []
    const gone = { from: 'available', to: 'outside', reason: 'short_pick', source, occurred_at } as const
    return [{ ...gone, item_id, location_id, quantity: Math.min(quantity, row.available) }]
  })
  await moveStock(
    tx,
    moves.filter((move) => move.quantity > 0),
    ctx.now,
  )
}

interface Noted {
  work: FulfillmentOrderRow
  answer: Acknowledgement
  reference: string
  units: readonly ShortLine[]
}

/** What the picker wrote is free text and stays with the work; the timeline holds words of ours and numbers. */
async function note(tx: Tx, ctx: CoreContext, { source }: InboundFact, noted: Noted): Promise<void> {
  const { work, answer, reference } = noted
  const lines = noted.units.map(({ sku, quantity }) => ({ sku, quantity }))
  if (answer.reason !== null) {
    await tx.query(
      `update fulfillment_orders
       set reasons = reasons || jsonb_build_array(jsonb_build_object('at', $2::timestamptz, 'kind', $3::text, 'text', $4::text))
       where id = $1`,
      [work.id, ctx.now, 'fulfillment_order.short', answer.reason],
    )
  }
  const data = { number: work.number, location_id: work.location_id, reference, said: answer.lines ?? [], lines }
  const fact = { order_id: work.order_id, kind: 'fulfillment_order.short', at: new Date(answer.at), source, data }
  await recordTimeline(tx, [fact], ctx.now)
}

/**
 * Work of which nothing is left to be packed is over: closed when a part of it has left, else cancelled. Any other is being picked, as
 * this message shows, unless a person knew beforehand what the place would lack: then the rest leaves as it would have.
 */
async function advanceWork(tx: Tx, ctx: CoreContext, inbound: InboundFact, work: FulfillmentOrderRow): Promise<void> {
  const [left] = await tx.query<{ holds: boolean; shipped: boolean; waits: boolean }>(
    `select exists (select 1 from reservations where fulfillment_order_id = $1 and state = 'committed' and quantity > 0) as holds,
       exists (select 1 from shipments where order_id = $2 and fulfillment_order_id = $1) as shipped,
       exists (select 1 from outbox where key = $3 and state = 'pending' and attempts = 0) as waits`,
    [work.id, work.order_id, newKey(work.number)],
  )
  const over = left?.shipped === true ? 'CLOSED' : 'CANCELLED'
  const state = left?.holds === true ? (left.waits ? work.state : 'IN_PROGRESS') : over
  await tx.query('update fulfillment_orders set state = $2, changed_at = $3 where id = $1', [work.id, state, ctx.now])
  if (state !== over) return
  await dropLabels(tx, ctx, [work.id])
  await recallFrom(tx, ctx, inbound, work)
  if (work.cancel_requested_at !== null) await cancelEffects(tx, [cancelKey(work.number)])
}
