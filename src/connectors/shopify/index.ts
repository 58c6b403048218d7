import { createHash } from 'node:crypto'
import Type from 'typebox'
import { orderGraphql, listing } from '../../mappings/shopify/graphql.ts'
import { cancellation, moved, orderEdited, payment, privacy, shipment, stock } from '../../mappings/shopify/messages.ts'
import { order, refund } from '../../mappings/shopify/order.ts'
import { shopifyBalanceTransactions, shopifySettlement } from '../../mappings/shopify/settlement.ts'
import { defineConnector, type WebhookRequest } from '../_kit/define.ts'
import { bodySignature, verifyScheme } from '../_kit/signatures.ts'
import { SHOP } from './_graphql.ts'
import { answer, ask, http, Settings } from './client.ts'
import { pullListings, pullOrders, pushAvailability, readAvailability } from './operations.ts'
import { pullSettlements } from './payouts.ts'
import { confirmShipments, sendShipments } from './shipments.ts'

const SIGNATURE = bodySignature('x-shopify-hmac-sha256')

const inbound = {
  order,
  order_graphql: orderGraphql,
  order_edited: orderEdited,
  cancellation,
  refund,
  payment,
  stock,
  shipment,
  listing,
  settlement: shopifySettlement,
  listings_moved: moved('listings'),
  // The token is dead by now: the pull that this wakes is refused, and that pauses the connection.
  uninstalled: moved('orders'),
  data_request: privacy('data_request'),
  redact_person: privacy('redact_person'),
  redact_connection: privacy('redact_connection'),
} as const

/** Topics that are not named (fulfillments/*, inventory_levels/* : echoes of our own writes) are answered and not kept. */
const TOPICS: Readonly<Record<string, keyof typeof inbound>> = {
  'orders/create': 'order',
  'orders/updated': 'order',
  'orders/paid': 'order',
  'orders/cancelled': 'order',
  'orders/fulfilled': 'order',
  'orders/partially_fulfilled': 'order',
  'orders/edited': 'order_edited',
  'orders/delete': 'cancellation',
  'refunds/create': 'refund',
  'order_transactions/create': 'payment',
  'products/create': 'listings_moved',
  'products/update': 'listings_moved',
  'products/delete': 'listings_moved',
  'app/uninstalled': 'uninstalled',
  'customers/data_request': 'data_request',
  'customers/redact': 'redact_person',
  'shop/redact': 'redact_connection',
}

/** REST answers name the resource around what webhooks carry bare. */
const ENVELOPES: Partial<Record<keyof typeof inbound, readonly string[]>> = {
  order: ['order', 'orders'],
  refund: ['refund', 'refunds'],
  payment: ['transaction', 'transactions'],
  stock: ['inventory_level', 'inventory_levels'],
  shipment: ['fulfillment', 'fulfillments'],
}

const Shop = answer(Type.Object({ shop: Type.Object({ name: Type.String(), currencyCode: Type.String() }) }))

/** Today's headers carry `X-`, those of Shopify's coming event deliveries do not. */
const header = ({ headers }: WebhookRequest, name: string): string | undefined =>
  headers[`x-shopify-${name}`] ?? headers[`shopify-${name}`]

/** Shopify through the GraphQL Admin API and HTTPS webhooks. Quirks and set-up: README.md. */
export const shopify = defineConnector({
  id: 'shopify',
  label: 'Shopify',
  kind: 'storefront',
  grade: 'simulator',
  settings: Settings,
  http,
  webhook: {
    content_types: ['application/json'],
    verify: (request, settings) => {
      // One app signs for all of its shops with one secret, so another shop's message would pass the signature.
      const shop = header(request, 'shop-domain')
      if (shop !== undefined && shop !== settings.shop) return { ok: false, reason: 'the message is from another shop' }
      const headers = { [SIGNATURE.header]: header(request, 'hmac-sha256') }
      return verifyScheme(SIGNATURE, { ...request, headers }, settings.webhook_secrets)
    },
    topics: Object.keys(TOPICS),
    topic: (request) => {
      const topic = header(request, 'topic') ?? ''
      return (Object.hasOwn(TOPICS, topic) ? TOPICS[topic] : undefined) ?? 'ignore'
    },
    dedupeKey: (request) =>
      header(request, 'webhook-id') ??
      createHash('sha256')
        .update(header(request, 'topic') ?? '')
        .update(request.body)
        .digest('hex'),
    observedAt: (request) => header(request, 'triggered-at'),
  },
  inbound,
  envelopes: ENVELOPES,
  settlements: { formats: [shopifyBalanceTransactions] },
  pull: { orders: pullOrders, listings: pullListings, settlements: pullSettlements },
  test: async (port) => {
    const { shop } = await ask(port, Shop, { operation: 'shop', query: SHOP, variables: {} })
    return `${shop.name} (${shop.currencyCode})`
  },
  availability: { batch_max: 250, compare_and_set: true, push: pushAvailability, read: readAvailability },
  shipments: { batch_max: 1, send: sendShipments, confirm: confirmShipments },
})
