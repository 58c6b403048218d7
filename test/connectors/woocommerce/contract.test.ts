import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { woocommerce } from '../../../src/connectors/woocommerce/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import { wooOrderSample, wooRefundSample } from '../../mappings/woocommerce/samples.ts'

const PRODUCT = { id: 93, sku: 'TEA', type: 'simple', manage_stock: true, stock_quantity: 7 }
const SECRETS = ['new-webhook-secret', 'old-webhook-secret']

connectorContract(
  {
    connector: woocommerce,
    settings: (api) => ({
      site_url: api,
      consumer_key: 'ck_0123456789',
      consumer_secret: 'cs_0123456789',
      webhook_secrets: SECRETS,
    }),
    webhook: {
      bodies: [wooOrderSample(), wooOrderSample({ id: 4712 })],
      header: 'x-wc-webhook-signature',
      rotates: true,
      sign: (body, at_ms, secret) => ({
        body,
        headers: {
          'content-type': 'application/json',
          'x-wc-webhook-topic': 'order.updated',
          'x-wc-webhook-signature': signHmac(body, SECRETS[secret] ?? '', 'base64'),
          'x-wc-webhook-delivery-id': `d${body.length}${body.toString().slice(0, 12)}`,
        },
        received_at_ms: at_ms,
      }),
    },
    samples: [
      { name: 'order', topic: 'order', payload: wooOrderSample() },
      { name: 'refund', topic: 'refund', payload: wooRefundSample(), settings: { currency: 'EUR' } },
      { name: 'product', topic: 'stock', payload: PRODUCT },
      { name: 'listing', topic: 'listing', payload: PRODUCT },
      { name: 'deleted', topic: 'cancellation', payload: { id: 4711 } },
    ],
    unknown_words: [{ name: 'order', topic: 'order', payload: wooOrderSample({ status: 'wc-gone-fishing' }) }],
    personal: ['ada@example.test', 'Main Street 1'],
  },
  import.meta.dirname,
)
