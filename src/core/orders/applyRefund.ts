import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Refund } from '../model/payment.ts'
import { orderWakeKey } from './arrivals.ts'
import { keepPayments, linkPayments, paymentRow } from './payments.ts'
import { keepRefunds, recountCancelled } from './refunds.ts'
import { settleOrders, soldByListing, summary } from './settle.ts'
import { loadLines, lockOrders, lockOrdersById, type StoredOrder } from './sql.ts'
import type { TimelineFact } from './timeline.ts'

/**
 * Money given back, and what that means for units: those cancelled before they were shipped are no longer wanted. A refund that names
 * lines of an order which has not come yet is parked until it does; one that is about money alone is kept and joined later.
 */
export async function applyRefund(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  if (inbound.fact.kind !== 'refund') return { kind: 'ignored', reason: 'not_ours' }
  const refund = inbound.fact.document
  const own = await findOwnOrder(tx, inbound.connection_id, refund)
  if (own !== null) return applyToOrder(tx, ctx, inbound, { order: own, refund })
  const { order_external_id } = refund.references
  if (refund.lines.length > 0 && order_external_id !== null) {
    return {
      kind: 'parked',
      error: new HubError('unknown_order', `no order ${order_external_id} of ${inbound.connection_id} has come yet`, {
        path: '$.references.order_external_id',
        wake_key: orderWakeKey(inbound.connection_id, order_external_id),
      }),
    }
  }
  const [kept] = await keepPayments(tx, [paymentRow(inbound.connection_id, 'refund', refund, null)], ctx.now)
  if (kept === undefined) return { kind: 'ignored', reason: 'same' }
  const linked = kept.order_id ?? (await linkPayments(tx, [kept.id])).get(kept.id)
  const [order] = linked === undefined ? [] : await lockOrdersById(tx, [linked])
  if (order === undefined) return { kind: 'applied', summary: `refund ${refund.status}, no order yet` }
  return settleRefund(tx, ctx, inbound, { order, refund })
}

interface OrderRefund {
  order: StoredOrder
  refund: Refund
}

/** An order that is known by a cancellation alone has no lines yet, but the refund can be kept with it. */
async function findOwnOrder(tx: Tx, connection_id: string, refund: Refund): Promise<StoredOrder | null> {
  const external_id = refund.references.order_external_id
  if (external_id === null) return null
  const [order] = (await lockOrders(tx, [{ connection_id, external_id }])).values()
  return order ?? null
}

async function applyToOrder(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  { order, refund }: OrderRefund,
): Promise<FactOutcome> {
  const { connection_id } = inbound
  const news = await keepRefunds(tx, [{ connection_id, order_id: order.id, refund }], ctx.now)
  return news.size === 0 ? { kind: 'ignored', reason: 'same' } : settleRefund(tx, ctx, inbound, { order, refund })
}

async function settleRefund(
  tx: Tx,
  ctx: CoreContext,
  { source }: InboundFact,
  { order, refund }: OrderRefund,
): Promise<FactOutcome> {
  const sold_before = soldByListing(order, await loadLines(tx, [order.id]))
  await recountCancelled(tx, [order.id])
  const { amount_minor, currency, status } = refund
  const units = refund.lines.reduce((sum, line) => sum + (line.restock === 'cancel' ? line.quantity : 0), 0)
  const data = { amount_minor, currency, status, cancelled_units: units }
  const fact: TimelineFact = { order_id: order.id, kind: 'refund.recorded', at: new Date(refund.at), source, data }
  const settled = await settleOrders(tx, ctx, [{ order, source, sold_before, fresh: null, paid: true }], [fact])
  return { kind: 'applied', summary: `refund, ${summary(order.number ?? order.external_id, order.id, settled)}` }
}
