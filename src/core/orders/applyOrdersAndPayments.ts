import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import type { Payment } from '../model/payment.ts'
import { applyOrders } from './applyOrders.ts'
import type { InboundOrder } from './arrivals.ts'
import {
  keepPayments,
  linkPayments,
  newestPayments,
  ordersOfPayments,
  paymentKey,
  paymentRow,
  type KeptPayment,
  type PaymentRow,
} from './payments.ts'
import { lockOrdersTogether } from './sql.ts'
import { recordTimeline, type TimelineFact } from './timeline.ts'

interface ToldPayment {
  row: PaymentRow
  document: Payment
  source: string
}

/**
 * Orders and the payments that come with them, or by themselves from a gateway, in one go: an order and its money are locked, decided and
 * settled together. A payment is kept even when nobody knows its order yet, and joined to it when the order comes. Of several words on
 * one payment the latest counts. The outcomes are parallel to the facts.
 */
export async function applyOrdersAndPayments(
  tx: Tx,
  ctx: CoreContext,
  facts: readonly InboundFact[],
): Promise<FactOutcome[]> {
  const orders = facts.flatMap(({ connection_id, source, fact }): InboundOrder[] =>
    fact.kind === 'order' ? [{ connection_id, source, order: fact.document }] : [],
  )
  const told = facts.flatMap(({ connection_id, source, fact }): ToldPayment[] =>
    fact.kind === 'payment'
      ? [{ row: paymentRow(connection_id, fact.document.kind, fact.document, null), document: fact.document, source }]
      : [],
  )
  const kept = await keepTold(tx, ctx, told)
  const orderOf = await linkKept(tx, kept)
  const paid = new Map(
    told.flatMap(({ row, source }) => {
      const order_id = orderOf.get(kept.get(paymentKey(row))?.id ?? 0)
      return order_id === undefined ? [] : [[order_id, source] as const]
    }),
  )
  await lockAll(tx, orders, [...paid.keys()])
  const settled = await applyOrders(tx, ctx, orders, paid)
  const outcomes = await recordMoney(tx, ctx, { told, kept })
  const [ofOrders, ofPayments] = [settled.values(), outcomes.values()]
  return facts.map(
    ({ fact }) =>
      (fact.kind === 'order' ? ofOrders : ofPayments).next().value ?? { kind: 'ignored', reason: 'not_ours' },
  )
}

/** What is news among them, by `paymentKey`. */
async function keepTold(tx: Tx, ctx: CoreContext, told: readonly ToldPayment[]): Promise<Map<string, KeptPayment>> {
  const kept = await keepPayments(tx, told.map(({ row }) => row), ctx.now) // prettier-ignore
  return new Map(kept.map((payment) => [paymentKey(payment), payment]))
}

/** The orders that are there already, by the payments' ids. */
async function linkKept(tx: Tx, kept: ReadonlyMap<string, KeptPayment>): Promise<Map<number, string>> {
  const payments = [...kept.values()]
  const orderless = payments.flatMap(({ id, order_id }) => (order_id === null ? id : []))
  const known = payments.flatMap(({ id, order_id }) => (order_id === null ? [] : [[id, order_id] as const]))
  return new Map([...known, ...(await linkPayments(tx, orderless))])
}

/** All at once, because whoever locks some now and others later can meet somebody who goes the other way. */
async function lockAll(tx: Tx, orders: readonly InboundOrder[], paid: readonly string[]): Promise<void> {
  if (orders.length === 0 || paid.length === 0) return
  const keys = orders.map(({ connection_id, order }) => ({ connection_id, external_id: order.external_id }))
  await lockOrdersTogether(tx, keys, paid)
}

/** By now the payments of orders that came with them are joined, too. */
async function recordMoney(
  tx: Tx,
  ctx: CoreContext,
  { told, kept }: { told: readonly ToldPayment[]; kept: ReadonlyMap<string, KeptPayment> },
): Promise<FactOutcome[]> {
  const newest = newestPayments(told.map(({ row }) => row))
  const orderOf = await ordersOfPayments(tx, [...kept.values()].map(({ id }) => id)) // prettier-ignore
  const facts: TimelineFact[] = []
  const outcomes = told.map(({ row, document, source }): FactOutcome => {
    const payment = kept.get(paymentKey(row))
    if (payment === undefined) return { kind: 'ignored', reason: 'same' }
    if (newest.get(paymentKey(row)) !== row) return { kind: 'ignored', reason: 'superseded' }
    const { kind, status, amount_minor, currency } = document
    const order_id = orderOf.get(payment.id)
    if (order_id === undefined) return { kind: 'applied', summary: `${kind} ${status}, no order yet` }
    const data = { payment_id: payment.id, kind, status, amount_minor, currency }
    facts.push({ order_id, kind: 'payment.recorded', at: new Date(document.at), source, data })
    return { kind: 'applied', summary: `${kind} ${status}` }
  })
  await recordTimeline(tx, facts, ctx.now)
  return outcomes
}
