import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { holdWork, loadWork } from '../fulfillment/work.ts'
import { touchOnce } from '../inventory/ledger.ts'
import { policyOf } from '../inventory/reserve.ts'
import { takeTurn } from '../turn.ts'
import { findOrder } from './read.ts'
import { settleOrders, soldByListing } from './settle.ts'
import { loadLines, lockOrdersById, type StoredOrder } from './sql.ts'
import { recordTimeline } from './timeline.ts'

/** Why an operator stops an order, in the words that storefronts use for it. */
export const HOLD_REASONS = [
  'AWAITING_PAYMENT',
  'HIGH_RISK_OF_FRAUD',
  'INCORRECT_ADDRESS',
  'OTHER',
  'UNKNOWN_DELIVERY_DATE',
] as const
export type HoldReason = (typeof HOLD_REASONS)[number]

export interface HoldAnswer {
  order_id: string
  number: string | null
  /** What it is on hold for now; null: it is not. */
  hold_reason: HoldReason | null
  /** False: it was so already, and nothing was written. */
  changed: boolean
}

const MINUTE_MS = 60_000

/**
 * Stops an order: its work that has not left stays here, what is held for money does not expire, and whatever becomes reserved for it
 * waits as well. Work that has left is not called back. Another reason replaces the one it has. `idOrNumber` as in `showOrder`.
 * Faults: `not_found`, and `conflict` for an order that is over or a number that several bear.
 */
export async function placeOnHold(
  tx: Tx,
  ctx: CoreContext,
  idOrNumber: string,
  reason: HoldReason,
  by: string,
): Promise<HoldAnswer> {
  const { order, hold_reason } = await lockForHold(tx, idOrNumber)
  const answer = { order_id: order.id, number: order.number, hold_reason: reason }
  if (order.lifecycle !== 'open')
    throw new HubError('conflict', `the order is ${order.lifecycle}: nothing of it leaves`)
  if (hold_reason === reason) return { ...answer, changed: false }
  const works = await loadWork(tx, [order.id])
  await holdWork(
    tx,
    [...works.values()].filter((work) => work.state === 'open'),
    ctx.now,
  )
  await tx.query('update orders set hold_reason = $2, held_at = coalesce(held_at, $3), changed_at = $3 where id = $1', [
    order.id,
    reason,
    ctx.now,
  ])
  const source = by
  await recordTimeline(tx, [{ order_id: order.id, kind: 'order.held', at: ctx.now, source, data: { reason } }], ctx.now)
  const subject = `order:${order.id}`
  await writeAudit(tx, { at: ctx.now, actor: by, action: 'order.hold', subject, data: { reason } })
  return { ...answer, changed: true }
}

/**
 * Lets an order go on: what is held for money gets its whole time again, and work that had not left is planned anew in one decision, in
 * which the units that it gives back are its own first. Faults as `placeOnHold`.
 */
export async function releaseFromHold(tx: Tx, ctx: CoreContext, idOrNumber: string, by: string): Promise<HoldAnswer> {
  const { order, hold_reason } = await lockForHold(tx, idOrNumber)
  const answer = { order_id: order.id, number: order.number, hold_reason: null }
  if (hold_reason === null) return { ...answer, changed: false }
  await tx.query('update orders set hold_reason = null, held_at = null, changed_at = $2 where id = $1', [
    order.id,
    ctx.now,
  ])
  const { hold_minutes } = policyOf(ctx, order.connection_id)
  await tx.query(`update reservations set expires_at = $2, changed_at = $3 where order_id = $1 and state = 'held'`, [
    order.id,
    new Date(ctx.now.getTime() + hold_minutes * MINUTE_MS),
    ctx.now,
  ])
  const source = by
  const fact = { order_id: order.id, kind: 'order.released', at: ctx.now, source, data: { reason: hold_reason } }
  const lines = await loadLines(tx, [order.id])
  const changed = { order, source, sold_before: soldByListing(order, lines), fresh: null, paid: false }
  await touchOnce(tx, ctx.now, () => settleOrders(tx, ctx, [{ ...changed, work: 'anew' }], [fact]))
  const subject = `order:${order.id}`
  await writeAudit(tx, { at: ctx.now, actor: by, action: 'order.release', subject, data: { reason: hold_reason } })
  return { ...answer, changed: true }
}

async function lockForHold(
  tx: Tx,
  idOrNumber: string,
): Promise<{ order: StoredOrder; hold_reason: HoldReason | null }> {
  const id = await findOrder(tx, idOrNumber)
  const [row] = await tx.query<{ company_id: string }>('select company_id from orders where id = $1', [id])
  await takeTurn(tx, row === undefined ? [] : [row.company_id], 'side_by_side')
  const [order] = await lockOrdersById(tx, [id])
  const [held] = await tx.query<{ hold_reason: HoldReason | null }>('select hold_reason from orders where id = $1', [
    id,
  ])
  if (order === undefined || held === undefined) throw new HubError('not_found', 'there is no such order')
  return { order, hold_reason: held.hold_reason }
}
