import type { TSchema } from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { Fact } from '../../core/model/fact.ts'
import type { Payment, Refund } from '../../core/model/payment.ts'
import { defineMapping, fromTable, type Mapping, type MappingContext } from '../define.ts'
import { StripeCharge, StripeDispute, StripePayout, StripeRefund } from './payloads.ts'
import { currencyOf, instantFromUnix, minorFromStripe, referencesOf } from './units.ts'

const CHARGE_STATUSES: Readonly<Record<string, Payment['status']>> = {
  pending: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
}

const REFUND_STATUSES: Readonly<Record<string, Refund['status']>> = {
  pending: 'pending',
  requires_action: 'pending',
  succeeded: 'succeeded',
  failed: 'failed',
  canceled: 'cancelled',
}

/** `succeeded` is the bank's success: the money is gone for good. Won, prevented and closed warnings took none. */
const DISPUTE_STATUSES: Readonly<Record<string, Payment['status']>> = {
  needs_response: 'pending',
  under_review: 'pending',
  warning_needs_response: 'pending',
  warning_under_review: 'pending',
  appeal_needs_response: 'pending',
  appeal_under_review: 'pending',
  warning_closed: 'cancelled',
  prevented: 'cancelled',
  won: 'cancelled',
  lost: 'succeeded',
}

/**
 * Webhooks wrap the object in an event, pulls bring it bare; both become the same facts. Fault paths name the place in the whole
 * payload, so that a parked event points into the bytes that were stored.
 */
function orEvent<S extends TSchema>(mapping: { from: S; map: Parameters<typeof defineMapping<S>>[0]['map'] }): Mapping {
  const bare = defineMapping(mapping)
  return {
    ...bare,
    map: (payload, context) => {
      const wrapped = objectOfEvent(payload)
      if (wrapped === undefined) return bare.map(payload, context)
      try {
        return bare.map(wrapped.object, context)
      } catch (thrown) {
        if (!(thrown instanceof HubError) || thrown.path === undefined) throw thrown
        const path = thrown.path.replace(/^\$/, '$.data.object')
        throw new HubError(thrown.code, thrown.message, { path, cause: thrown })
      }
    },
  }
}

function objectOfEvent(payload: unknown): { object: unknown } | undefined {
  if (typeof payload !== 'object' || payload === null || !('object' in payload) || payload.object !== 'event')
    return undefined
  const data: unknown = 'data' in payload ? payload.data : undefined
  return { object: typeof data === 'object' && data !== null && 'object' in data ? data.object : undefined }
}

/** A charge: an authorization until it is captured, then a capture of what was captured. */
export const stripePayment = orEvent({ from: StripeCharge, map: (charge, context) => [paymentOf(charge, context)] })

export const stripeRefund = orEvent({ from: StripeRefund, map: (refund, context) => [refundOf(refund, context)] })

/** charge.refunded brings the charge. Its refunds are often not inside; then the payments pull fetches them. */
export const stripeChargeRefunded = orEvent({
  from: StripeCharge,
  map: (charge, context): Fact[] => {
    const refunds = charge.refunds?.data ?? []
    if (refunds.length > 0) return refunds.map((refund) => refundOf(refund, context))
    return [{ kind: 'signal', document: { stream: 'payments', reference: charge.id } }]
  },
})

export const stripeDispute = orEvent({
  from: StripeDispute,
  map: (dispute, context) => [
    {
      kind: 'payment' as const,
      document: {
        external_id: dispute.id,
        kind: 'dispute' as const,
        status: fromTable(DISPUTE_STATUSES, dispute.status, 'pending', context, 'dispute status'),
        at: instantFromUnix(dispute.created),
        currency: currencyOf(dispute.currency),
        amount_minor: minorFromStripe(dispute.amount, dispute.currency, '$.amount'),
        references: referencesOf(dispute.metadata, [dispute.id, dispute.charge, dispute.payment_intent]),
      },
    },
  ],
})

/** A payout event says only that something moved: the rows it is made of have to be fetched, so it wakes the settlements pull. */
export const stripePayoutMoved = orEvent({
  from: StripePayout,
  map: (payout): Fact[] => [{ kind: 'signal', document: { stream: 'settlements', reference: payout.id } }],
})

function paymentOf(charge: StripeCharge, context: MappingContext): Fact {
  const expired = !charge.captured && charge.refunded
  const status = fromTable(CHARGE_STATUSES, charge.status, 'pending', context, 'charge status')
  const amount = charge.captured ? charge.amount_captured : charge.amount
  return {
    kind: 'payment',
    document: {
      external_id: charge.id,
      kind: charge.captured ? 'capture' : 'authorization',
      // An authorization that ran out or was released is shown as refunded without ever having been captured.
      status: expired ? 'cancelled' : status,
      at: instantFromUnix(charge.created),
      currency: currencyOf(charge.currency),
      amount_minor: minorFromStripe(amount, charge.currency, charge.captured ? '$.amount_captured' : '$.amount'),
      references: referencesOf(charge.metadata, [charge.id, charge.payment_intent]),
    },
  }
}

function refundOf(refund: StripeRefund, context: MappingContext): Fact {
  return {
    kind: 'refund',
    document: {
      external_id: refund.id,
      status: fromTable(REFUND_STATUSES, refund.status ?? 'pending', 'pending', context, 'refund status'),
      at: instantFromUnix(refund.created),
      currency: currencyOf(refund.currency),
      amount_minor: minorFromStripe(refund.amount, refund.currency, '$.amount'),
      reason: refund.reason?.slice(0, 200) ?? null,
      lines: [],
      references: referencesOf(refund.metadata, [refund.id, refund.charge, refund.payment_intent]),
    },
  }
}
