import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { replanOrder } from '../fulfillment/plan.ts'
import { keepPayments, linkPayments, paymentRow } from './payments.ts'
import { recordTimeline } from './timeline.ts'

/**
 * Money that a gateway or channel reports. It is kept even when nobody knows its order yet, and joined to it when the order comes.
 * An order whose units were held for the money has them committed now.
 */
export async function applyPayment(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  if (inbound.fact.kind !== 'payment') return { kind: 'ignored', reason: 'not_ours' }
  const { document } = inbound.fact
  const [kept] = await keepPayments(tx, [paymentRow(inbound.connection_id, document.kind, document, null)], ctx.now)
  if (kept === undefined) return { kind: 'ignored', reason: 'same' }
  const [linked = kept.order_id] = await linkPayments(tx, kept.order_id === null ? [kept.id] : [])
  const label = `${document.kind} ${document.status}`
  if (linked === null) return { kind: 'applied', summary: `${label}, no order yet` }
  const data = {
    payment_id: kept.id,
    kind: document.kind,
    status: document.status,
    amount_minor: document.amount_minor,
  }
  const fact = { order_id: linked, kind: 'payment.recorded', at: new Date(document.at), source: inbound.source }
  await recordTimeline(tx, [{ ...fact, data: { ...data, currency: document.currency } }], ctx.now)
  await replanOrder(tx, ctx, linked, inbound.source)
  return { kind: 'applied', summary: label }
}
