import { describe, expect, it } from 'vitest'
import type { HubError } from '../../../src/core/errors.ts'
import {
  stripeChargeRefunded,
  stripeDispute,
  stripePayment,
  stripePayoutMoved,
  stripeRefund,
} from '../../../src/mappings/stripe/payment.ts'
import { minorFromStripe } from '../../../src/mappings/stripe/units.ts'
import { chargeSample, disputeSample, eventSample, payoutSample, refundSample } from './samples.ts'

const context = { observed_at: '2025-11-20T08:00:05.000Z', settings: {} }
const references = { order_external_id: '4711', order_number: 'SHOP-4711', payment_ids: ['ch_1', 'pi_1'] }

function faultOf(work: () => unknown): HubError {
  try {
    work()
  } catch (thrown) {
    return thrown as HubError
  }
  throw new Error('nothing was thrown')
}

describe('Stripe payments', () => {
  it('a charge is a capture, bare or inside an event', () => {
    const payment = {
      external_id: 'ch_1',
      kind: 'capture',
      status: 'succeeded',
      at: '2025-11-20T08:00:00.000Z',
      currency: 'EUR',
      amount_minor: 3711,
      references,
    }
    expect(stripePayment.map(chargeSample(), context)).toEqual({
      facts: [{ kind: 'payment', document: payment }],
      warnings: [],
    })
    const event = eventSample('charge.succeeded', chargeSample())
    expect(stripePayment.map(event, context).facts).toEqual([{ kind: 'payment', document: payment }])
  })

  it.each([
    [
      { captured: false, amount_captured: 0 },
      { kind: 'authorization', status: 'succeeded', amount_minor: 3711 },
    ],
    [
      { captured: false, amount_captured: 0, refunded: true },
      { kind: 'authorization', status: 'cancelled' },
    ],
    [{ amount_captured: 3000 }, { kind: 'capture', amount_minor: 3000 }],
    [{ status: 'failed', captured: false, amount_captured: 0 }, { status: 'failed' }],
    [
      { payment_intent: null, metadata: null },
      { references: { order_external_id: null, order_number: null, payment_ids: ['ch_1'] } },
    ],
  ])('a charge with %j is %j', (change, payment) => {
    expect(stripePayment.map(chargeSample(change), context).facts).toMatchObject([{ document: payment }])
  })

  it('an unknown charge status is pending and doubted aloud', () => {
    const { facts, warnings } = stripePayment.map(chargeSample({ status: 'thinking' }), context)
    expect(facts).toMatchObject([{ document: { status: 'pending' } }])
    expect(warnings).toEqual([expect.stringContaining('thinking')])
  })

  it.each([
    ['pending', 'pending'],
    ['requires_action', 'pending'],
    ['succeeded', 'succeeded'],
    ['failed', 'failed'],
    ['canceled', 'cancelled'],
    [null, 'pending'],
  ])('a refund that is %s is %s', (given, status) => {
    const { facts } = stripeRefund.map(eventSample('refund.updated', refundSample({ status: given })), context)
    expect(facts).toMatchObject([{ kind: 'refund', document: { status, amount_minor: 714, references: { payment_ids: ['re_1', 'ch_1', 'pi_1'] } } }]) // prettier-ignore
  })

  it('charge.refunded tells the refunds inside it, or asks for them', () => {
    const whole = chargeSample({ amount_refunded: 714, refunds: { data: [refundSample()] } })
    expect(stripeChargeRefunded.map(eventSample('charge.refunded', whole), context).facts).toMatchObject([
      { kind: 'refund' },
    ])
    const bare = eventSample('charge.refunded', chargeSample({ amount_refunded: 714 }))
    expect(stripeChargeRefunded.map(bare, context).facts).toMatchObject([
      { kind: 'signal', document: { stream: 'payments' } },
    ])
  })

  it.each([
    ['needs_response', 'pending'],
    ['won', 'cancelled'],
    ['lost', 'succeeded'],
    ['warning_closed', 'cancelled'],
  ])('a dispute that is %s is %s', (given, status) => {
    const { facts } = stripeDispute.map(disputeSample({ status: given }), context)
    expect(facts).toMatchObject([
      { kind: 'payment', document: { kind: 'dispute', status, amount_minor: 3711, external_id: 'dp_1' } },
    ])
  })

  it('a payout event wakes the settlements pull', () => {
    const { facts } = stripePayoutMoved.map(eventSample('payout.paid', payoutSample()), context)
    expect(facts).toEqual([{ kind: 'signal', document: { stream: 'settlements', reference: 'po_1' } }])
  })

  it('names the place of a fault in the payload as it was stored', () => {
    const spoilt = chargeSample({ amount_captured: '3711' })
    expect(faultOf(() => stripePayment.map(spoilt, context))).toMatchObject({
      code: 'payload_invalid',
      path: '$.amount_captured',
    })
    const event = eventSample('charge.succeeded', spoilt)
    expect(faultOf(() => stripePayment.map(event, context))).toMatchObject({
      code: 'payload_invalid',
      path: '$.data.object.amount_captured',
    })
    expect(faultOf(() => stripePayment.map({ object: 'event' }, context))).toMatchObject({
      code: 'payload_invalid',
      path: '$.data.object',
    })
  })

  it.each([
    [500, 'eur', 500],
    [500, 'JPY', 500],
    [12_340, 'kwd', 12_340],
    [50_000, 'isk', 500],
    [50_000, 'ugx', 500],
    [500, 'mga', 50_000],
    [-700, 'usd', -700],
  ])('%i in %s are %i true minor units', (amount, currency, minor) => {
    expect(minorFromStripe(amount, currency, '$')).toBe(minor)
  })

  it('refuses a fraction of a currency that has none', () => {
    expect(faultOf(() => minorFromStripe(50_050, 'isk', '$.amount'))).toMatchObject({
      code: 'payload_invalid',
      path: '$.amount',
    })
    expect(faultOf(() => minorFromStripe(9_007_199_254_740_991, 'mga', '$.amount'))).toMatchObject({
      code: 'payload_invalid',
    })
  })
})
