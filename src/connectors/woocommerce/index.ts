import { createHash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import { wooCancellation, wooOrder } from '../../mappings/woocommerce/order.ts'
import { wooProduct } from '../../mappings/woocommerce/product.ts'
import { wooRefund } from '../../mappings/woocommerce/refund.ts'
import { defineConnector, type HttpAnswer, type WebhookRequest } from '../_kit/define.ts'
import { bodySignature, verifyScheme } from '../_kit/signatures.ts'
import { pullListings, pullOrders, showNewestOrder } from './pull.ts'
import { BATCH_MAX, confirmShipment, pushAvailability, readAvailability, sendShipment } from './push.ts'

const Secret = { minLength: 1, secret: true } as const

const CALLS_PER_SECOND = 25
const SIGNATURE = bodySignature('x-wc-webhook-signature')

const WooSettings = Type.Object(
  {
    site_url: Type.String({
      pattern: '^https?://[^?#]+$',
      description: 'Address of the shop, such as https://shop.example',
    }),
    consumer_key: Type.String({ ...Secret, description: 'REST API key with Read/Write' }),
    consumer_secret: Type.String({ ...Secret, description: 'Secret of that key' }),
    webhook_secrets: Type.Array(Type.String(Secret), {
      minItems: 1,
      maxItems: 2,
      description: 'Secret of the webhooks; two while it is being rotated',
    }),
    tracking: Type.Optional(
      Type.Union([Type.Literal('order_meta')], {
        default: 'order_meta',
        description: "Where tracking numbers go; the shop itself has no place for them but the order's meta data",
      }),
    ),
    currency: Type.Optional(
      Type.String({
        pattern: '^[A-Z]{3}$',
        description: "The shop's currency, for previewing a refund apart from its order",
      }),
    ),
    calls_per_second: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: CALLS_PER_SECOND,
        description: "What the shop's host bears",
      }),
    ),
    api_url: Type.Optional(
      Type.String({
        pattern: '^https?://[^?#]+$',
        description: 'Another API address instead of <site_url>/wp-json/wc/v3',
      }),
    ),
  },
  { additionalProperties: false },
)
export type WooSettings = Static<typeof WooSettings>

/** Topics are not signed, but a body put under another topic than its own does not fit that topic's schema and is parked. */
const TOPICS: Readonly<Record<string, string>> = {
  'order.created': 'order',
  'order.updated': 'order',
  'order.restored': 'order',
  'order.deleted': 'cancellation',
  'product.created': 'listing',
  'product.updated': 'listing',
  'product.restored': 'listing',
}

/** What a batch call answers with. */
const BATCH_KEYS = ['create', 'update', 'delete'] as const

export const woocommerce = defineConnector({
  id: 'woocommerce',
  label: 'WooCommerce',
  kind: 'storefront',
  grade: 'simulator',
  settings: WooSettings,
  http: {
    baseUrl: (settings) => settings.api_url ?? `${settings.site_url.replace(/\/+$/, '')}/wp-json/wc/v3`,
    headers: ({ consumer_key, consumer_secret }) => ({
      authorization: `Basic ${Buffer.from(`${consumer_key}:${consumer_secret}`).toString('base64')}`,
    }),
    // The shop has no limit of its own; its host has one and keeps it secret.
    limit: ({ calls_per_second = CALLS_PER_SECOND }) => ({ calls: calls_per_second, per_ms: 1_000 }),
    timeout_ms: 60_000,
    classify,
  },
  webhook: {
    content_types: ['application/json', 'application/x-www-form-urlencoded'],
    acknowledges: isPing,
    verify: (request, { webhook_secrets }) => verifyScheme(SIGNATURE, request, webhook_secrets),
    topics: Object.keys(TOPICS),
    topic: (request) => (deletedOnly(request) ? 'cancellation' : topicOf(request)),
    dedupeKey,
  },
  inbound: {
    order: wooOrder,
    refund: wooRefund,
    stock: wooProduct,
    listing: wooProduct,
    cancellation: wooCancellation,
  },
  envelopes: { order: BATCH_KEYS, stock: BATCH_KEYS, listing: BATCH_KEYS },
  pull: { orders: pullOrders, listings: pullListings },
  test: showNewestOrder,
  availability: { batch_max: BATCH_MAX, compare_and_set: false, push: pushAvailability, read: readAvailability },
  shipments: { batch_max: 1, send: sendShipment, confirm: confirmShipment },
})

const wordOf = (request: WebhookRequest): string => request.headers['x-wc-webhook-topic'] ?? ''

function topicOf(request: WebhookRequest): string {
  const topic = TOPICS[wordOf(request)]
  // A whole order under the word "deleted" is a replay under a false name: it is taken as the order that was signed.
  return topic === undefined ? 'ignore' : topic === 'cancellation' ? 'order' : topic
}

const deletedOnly = (request: WebhookRequest): boolean =>
  TOPICS[wordOf(request)] === 'cancellation' && Object.keys(bodyOf(request)).join() === 'id'

/** Saving a webhook in the shop's admin sends this once, unsigned: the form field `webhook_id` and nothing else. */
function isPing({ body, headers }: WebhookRequest): boolean {
  const unsigned = headers['x-wc-webhook-signature'] === undefined && headers['x-wc-webhook-topic'] === undefined
  const form =
    (headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() === 'application/x-www-form-urlencoded'
  return unsigned && form && body.length < 40 && /^webhook_id=\d{1,20}$/.test(body.toString('latin1').trim())
}

/**
 * The shop's delivery id is made of hook and second, so two messages of one second share it. A picture is known by what it shows;
 * only a deletion, which shows nothing but the id, needs the delivery id too: the same order may be deleted twice.
 */
function dedupeKey(request: WebhookRequest): string {
  const body = bodyOf(request)
  const state = deletedOnly(request) ? request.headers['x-wc-webhook-delivery-id'] : body['date_modified_gmt']
  const hash = createHash('sha256').update(request.body).digest('hex').slice(0, 32)
  return `${wordOf(request)}:${text(body['id'])}:${text(state)}:${hash}`
}

const text = (value: unknown): string =>
  typeof value === 'string' || typeof value === 'number' ? String(value).slice(0, 60) : ''

function bodyOf({ body }: WebhookRequest): Record<string, unknown> {
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'))
    return typeof parsed === 'object' && parsed !== null ? (parsed as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** Error words of the REST API that say more than their status does. */
const ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  woocommerce_rest_shop_order_invalid_id: 'vendor_not_found',
  woocommerce_rest_product_invalid_id: 'vendor_not_found',
  woocommerce_rest_product_variation_invalid_id: 'vendor_not_found',
  woocommerce_rest_invalid_id: 'vendor_not_found',
}

/**
 * The API answers in JSON. A page of HTML comes from the host or its firewall in front of it, so even a 401, 403 or 404 of that
 * kind says nothing about our key or the order and is tried again. Other statuses keep their usual meaning.
 */
function classify({ status, body }: HttpAnswer): { code: ErrorCode; detail: string } | undefined {
  if (status < 400 || status >= 500 || status === 429 || status === 408) return undefined
  if (body === undefined)
    return { code: 'vendor_unavailable', detail: `${status} without JSON: the host or its firewall answered` }
  const word = typeof body === 'object' && body !== null && 'code' in body ? text(body.code) : ''
  const code = Object.hasOwn(ERROR_CODES, word) ? ERROR_CODES[word] : undefined
  return code === undefined ? undefined : { code, detail: `${status} (${word})` }
}
