import { signStripe } from '../../../src/connectors/_kit/signatures.ts'
import { stripe } from '../../../src/connectors/stripe/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import {
  chargeSample,
  disputeSample,
  eventSample,
  payoutSample,
  refundSample,
  rowSample,
} from '../../mappings/stripe/samples.ts'

const SECRETS = ['whsec_0123456789new', 'whsec_0123456789old']
const refunded = chargeSample({ refunded: true, amount_refunded: 714, refunds: { data: [refundSample()] } })

connectorContract(
  {
    connector: stripe,
    settings: (api) => ({ api_key: 'rk_test_0123456789', webhook_secrets: SECRETS, api_url: api }),
    webhook: {
      bodies: [
        eventSample('charge.succeeded', chargeSample()),
        eventSample('charge.succeeded', chargeSample({ id: 'ch_2' }), { id: 'evt_2' }),
      ],
      header: 'stripe-signature',
      rotates: true,
      age_ms_max: 300_000,
      sign: (body, at_ms, secret) => ({
        body,
        headers: {
          'content-type': 'application/json',
          'stripe-signature': signStripe(body, SECRETS[secret] ?? '', at_ms),
        },
        received_at_ms: at_ms,
      }),
    },
    samples: [
      { name: 'payment', topic: 'payment', payload: eventSample('charge.succeeded', chargeSample()) },
      { name: 'payment-bare', topic: 'payment', payload: chargeSample({ captured: false, amount_captured: 0 }) },
      { name: 'refund', topic: 'refund', payload: refundSample() },
      { name: 'charge-refunded', topic: 'charge_refunded', payload: eventSample('charge.refunded', refunded) },
      { name: 'dispute', topic: 'dispute', payload: disputeSample() },
      { name: 'payout', topic: 'payout', payload: eventSample('payout.paid', payoutSample()) },
      {
        name: 'settlement',
        topic: 'settlement',
        payload: {
          payout: payoutSample({ amount: 3571 }),
          balance_transactions: [rowSample({ amount: 3711, fee: 140 })],
        },
      },
    ],
    unknown_words: [
      { name: 'payment', topic: 'payment', payload: chargeSample({ status: 'teleported' }) },
      { name: 'refund', topic: 'refund', payload: refundSample({ status: 'teleported' }) },
      { name: 'dispute', topic: 'dispute', payload: disputeSample({ status: 'teleported' }) },
    ],
    personal: ['ada@example.test', 'Ada Example'],
    endless: {
      stream: 'settlements',
      answer: (_request, page) => ({ data: [payoutSample({ id: `po_${page}`, automatic: false })], has_more: true }),
    },
  },
  import.meta.dirname,
)
