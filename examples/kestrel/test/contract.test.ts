import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { kestrel } from '../connector/index.ts'
import { connectorContract } from '../../../test/kit/connectorContract.ts'
import { CANCELLED, CUT_DOWN, EVENT, ORDER } from './samples.ts'

const SECRETS = ['new-webhook-secret', 'old-webhook-secret']

connectorContract(
  {
    connector: kestrel,
    settings: (api) => ({ api_url: api, access_token: 'token-0123456789', webhook_secrets: SECRETS }),
    webhook: {
      bodies: [EVENT, { ...EVENT, event_id: 'evt_8' }],
      header: 'kestrel-signature',
      age_ms_max: 300_000,
      rotates: true,
      sign: (body, at_ms, secret) => {
        const timestamp = String(Math.floor(at_ms / 1000))
        return {
          body,
          headers: {
            'content-type': 'application/json',
            'kestrel-timestamp': timestamp,
            'kestrel-signature': signHmac(`${timestamp}.${body.toString('utf8')}`, SECRETS[secret] ?? '', 'hex'),
          },
          received_at_ms: at_ms,
        }
      },
    },
    samples: [
      { name: 'order', topic: 'order', payload: ORDER },
      { name: 'order-cut-down', topic: 'order', payload: CUT_DOWN },
      { name: 'order-cancelled', topic: 'order', payload: CANCELLED },
      { name: 'order-event', topic: 'order_event', payload: EVENT },
    ],
    unknown_words: [{ name: 'order', topic: 'order', payload: { ...ORDER, status: 'bartered' } }],
    personal: ['Ada Example', 'ada@buyers.kestrel.example', 'Lindenweg 4'],
    endless: { stream: 'orders', answer: (_request, page) => ({ orders: [ORDER], next_cursor: `${page}` }) },
  },
  import.meta.dirname,
)
