import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { replanOrders } from '../fulfillment/plan.ts'
import { keepPayments, linkPayments, newestPayments, paymentKey, paymentRow } from './payments.ts'
import { recordTimeline, type TimelineFact } from './timeline.ts'

/**
 * Money that gateways or channels report. It is kept even when nobody knows its order yet, and joined to it when the order comes.
 * Orders whose units were held for the money have them committed now. Of several words on one payment the latest counts.
 */
export async function applyPayments(tx: Tx, ctx: CoreContext, inbound: readonly InboundFact[]): Promise<FactOutcome[]> {
  const told = inbound.map((one) => {
    if (one.fact.kind !== 'payment') return undefined
    const { document } = one.fact
    return { source: one.source, document, row: paymentRow(one.connection_id, document.kind, document, null) }
  })
  const rows = told.flatMap((one) => one?.row ?? [])
  const newest = newestPayments(rows)
  const kept = await keepPayments(tx, rows, ctx.now)
  const linked = await linkPayments(tx, kept.flatMap(({ id, order_id }) => (order_id === null ? id : []))) // prettier-ignore
  const byKey = new Map(kept.map((payment) => [paymentKey(payment), payment]))
  const replans = new Map<string, string>()
  const facts: TimelineFact[] = []
  const outcomes = told.map((one): FactOutcome => {
    if (one === undefined) return { kind: 'ignored', reason: 'not_ours' }
    const { document, row, source } = one
    const payment = byKey.get(paymentKey(row))
    if (payment === undefined) return { kind: 'ignored', reason: 'same' }
    if (newest.get(paymentKey(row)) !== row) return { kind: 'ignored', reason: 'superseded' }
    const label = `${document.kind} ${document.status}`
    const order_id = payment.order_id ?? linked.get(payment.id)
    if (order_id === undefined) return { kind: 'applied', summary: `${label}, no order yet` }
    const { kind, status, amount_minor, currency } = document
    const data = { payment_id: payment.id, kind, status, amount_minor, currency }
    facts.push({ order_id, kind: 'payment.recorded', at: new Date(document.at), source, data })
    replans.set(order_id, source)
    return { kind: 'applied', summary: label }
  })
  await recordTimeline(tx, facts, ctx.now)
  await replanOrders(tx, ctx, replans)
  return outcomes
}
