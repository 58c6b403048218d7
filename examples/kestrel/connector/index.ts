import Type from 'typebox'
import { kestrelOrder, kestrelOrderEvent } from '../mapping/order.ts'
import { defineConnector, type WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { verifyScheme, type SignatureScheme } from '../../../src/connectors/_kit/signatures.ts'
import { pullOrders, showFirstOrder } from './orders.ts'
import { confirmParcel, sendParcel } from './parcels.ts'
import { pushStock, readStock, STOCK_BATCH_MAX } from './stock.ts'

const Secret = { minLength: 8, secret: true } as const
const Settings = Type.Object(
  {
    api_url: Type.Optional(Type.String({ pattern: '^https?://[^?#]+$', description: 'Address of the API' })),
    access_token: Type.String({ ...Secret, description: 'Token of the seller account' }),
    webhook_secrets: Type.Array(Type.String(Secret), {
      minItems: 1,
      maxItems: 2,
      description: 'Secret of the webhooks; two while it is being rotated',
    }),
  },
  { additionalProperties: false },
)

/** `<timestamp>.<body>`, hex; older than five minutes is refused (api.md, Webhooks). */
const SIGNATURE: SignatureScheme = {
  algorithm: 'sha256',
  encoding: 'hex',
  header: 'kestrel-signature',
  parts: ['time', { text: '.' }, 'body'],
  time: { name: 'kestrel-timestamp', format: 'seconds', past_ms: 300_000 },
}

export const kestrel = defineConnector({
  id: 'kestrel',
  label: 'Kestrel',
  kind: 'marketplace',
  grade: 'simulator',
  settings: Settings,
  http: {
    baseUrl: ({ api_url }) => api_url ?? 'https://api.kestrel.example',
    headers: ({ access_token }) => ({ authorization: `Bearer ${access_token}` }),
    limit: () => ({ calls: 10, per_ms: 1_000 }),
  },
  webhook: {
    content_types: ['application/json'],
    verify: (request, { webhook_secrets }) => verifyScheme(SIGNATURE, request, webhook_secrets),
    topics: ['order.created', 'order.changed'],
    topic: (request) => (/^order\.(created|changed)$/.test(wordOf(request, 'type')) ? 'order_event' : 'ignore'),
    dedupeKey: (request) => wordOf(request, 'event_id'),
    observedAt: (request) => {
      const occurred_at = wordOf(request, 'occurred_at')
      return Number.isNaN(Date.parse(occurred_at)) ? undefined : new Date(occurred_at).toISOString()
    },
  },
  inbound: { order: kestrelOrder, order_event: kestrelOrderEvent },
  envelopes: { order: ['orders'] },
  pull: { orders: pullOrders },
  test: showFirstOrder,
  availability: { batch_max: STOCK_BATCH_MAX, compare_and_set: false, push: pushStock, read: readStock },
  shipments: { batch_max: 1, send: sendParcel, confirm: confirmParcel },
})

/** A field of the event around the order; empty where the body is no such thing. */
function wordOf({ body }: WebhookRequest, field: 'type' | 'event_id' | 'occurred_at'): string {
  try {
    const event = JSON.parse(body.toString('utf8')) as unknown
    const value = typeof event === 'object' && event !== null ? (event as Record<string, unknown>)[field] : undefined
    return typeof value === 'string' ? value.slice(0, 200) : ''
  } catch {
    return ''
  }
}
