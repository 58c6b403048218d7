import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import { connectorContract } from '../../kit/connectorContract.ts'
import { refundOf, RICH, RICH_NODE } from '../../mappings/shopify/orders.ts'

const SECRETS = ['new-client-secret', 'old-client-secret']
const TOPIC = 'orders/updated'

const fulfillment = {
  id: 3001,
  order_id: 5001,
  status: 'success',
  created_at: '2026-11-03T10:00:00+01:00',
  tracking_company: 'DHL',
  tracking_number: '00340434292135100186',
  tracking_url: null,
  line_items: [{ id: 9001, quantity: 2, sku: 'TEA' }],
}
const level = {
  inventory_item_id: 808950810,
  location_id: 487838322,
  available: 9,
  updated_at: '2026-11-20T08:00:00+01:00',
}
const variant = {
  id: 'gid://shopify/ProductVariant/71',
  legacyResourceId: '71',
  sku: 'TEA',
  displayName: 'Green tea - 100 g',
  inventoryItem: { id: 'gid://shopify/InventoryItem/1', inventoryLevel: { quantities: [{ quantity: 9 }] } },
}
const money = (amount: string) => ({ amount, currencyCode: 'EUR' })
const payout = {
  payout: {
    id: 'gid://shopify/ShopifyPaymentsPayout/42',
    issuedAt: '2026-03-03T00:00:00Z',
    status: 'PAID',
    transactionType: 'DEPOSIT',
    net: money('96.80'),
    externalTraceId: 'TRACE-1',
  },
  balance_transactions: [
    {
      id: 'gid://shopify/ShopifyPaymentsBalanceTransaction/100',
      type: 'CHARGE',
      test: false,
      amount: money('100.00'),
      fee: money('3.20'),
      net: money('96.80'),
      transactionDate: '2026-03-01T08:00:00Z',
      sourceType: 'CHARGE',
      sourceId: '500',
      sourceOrderTransactionId: '900',
      associatedOrder: { id: 'gid://shopify/Order/700', name: '#1' },
      adjustmentsOrders: [],
    },
  ],
}
const privacy = {
  shop_id: 954889,
  customer: { id: 191167, email: 'grace@example.org' },
  orders_requested: [299938],
  orders_to_redact: [299938],
  data_request: { id: 9999 },
}

connectorContract(
  {
    connector: shopify,
    settings: (api) => ({
      shop: 'tea.myshopify.com',
      access_token: 'shpat_0123456789',
      webhook_secrets: SECRETS,
      location_id: 'gid://shopify/Location/1',
      api_url: api,
    }),
    webhook: {
      bodies: [RICH, { ...RICH, id: 5002 }],
      header: 'x-shopify-hmac-sha256',
      rotates: true,
      sign: (body, at_ms, secret) => ({
        body,
        headers: {
          'content-type': 'application/json',
          'x-shopify-topic': TOPIC,
          'x-shopify-hmac-sha256': signHmac(body, SECRETS[secret] ?? '', 'base64'),
          'x-shopify-shop-domain': 'tea.myshopify.com',
          'x-shopify-webhook-id': `w-${body.toString().slice(0, 40)}`,
          'x-shopify-triggered-at': '2026-11-20T12:00:00Z',
        },
        received_at_ms: at_ms,
      }),
    },
    samples: [
      { name: 'order', topic: 'order', payload: RICH },
      { name: 'order-graphql', topic: 'order_graphql', payload: RICH_NODE },
      { name: 'order-edited', topic: 'order_edited', payload: { order_edit: { id: 1, order_id: 5001 } } },
      { name: 'deleted', topic: 'cancellation', payload: { id: 5001 } },
      {
        name: 'refund',
        topic: 'refund',
        payload: refundOf(4001, 1, 'return', { order_id: 5001 }),
        settings: { currency: 'EUR' },
      },
      {
        name: 'payment',
        topic: 'payment',
        payload: { ...RICH.transactions[1], order_id: 5001, created_at: '2026-11-02T10:00:02+01:00' },
      },
      { name: 'stock', topic: 'stock', payload: level },
      { name: 'shipment', topic: 'shipment', payload: fulfillment },
      { name: 'listing', topic: 'listing', payload: variant },
      { name: 'settlement', topic: 'settlement', payload: payout },
      { name: 'products-moved', topic: 'listings_moved', payload: { id: 1 } },
      { name: 'uninstalled', topic: 'uninstalled', payload: { id: 1 } },
      { name: 'data-request', topic: 'data_request', payload: privacy },
      { name: 'redact-person', topic: 'redact_person', payload: privacy },
      { name: 'redact-connection', topic: 'redact_connection', payload: { shop_id: 954889, shop_domain: 'x' } },
    ],
    unknown_words: [{ name: 'order', topic: 'order', payload: { ...RICH, financial_status: 'bartered' } }],
    personal: ['grace@example.org', 'Lindenweg 4'],
  },
  import.meta.dirname,
)
