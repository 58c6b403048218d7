import Type, { type Static } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import {
  stripeChargeRefunded,
  stripeDispute,
  stripePayment,
  stripePayoutMoved,
  stripeRefund,
} from '../../mappings/stripe/payment.ts'
import { stripeSettlement } from '../../mappings/stripe/settlement.ts'
import { stripeReport } from '../../mappings/stripe/settlementReport.ts'
import { defineConnector, type HttpAnswer, type WebhookRequest } from '../_kit/define.ts'
import { STRIPE, verifyScheme } from '../_kit/signatures.ts'
import { pullPayments, pullSettlements, showNewestCharge } from './pull.ts'

const Secret = { minLength: 1, secret: true } as const
const API_VERSION = '2026-10-28.endive'

const StripeSettings = Type.Object(
  {
    api_key: Type.String({ ...Secret, description: 'Restricted key (rk_…) with read access; see the README' }),
    webhook_secrets: Type.Array(Type.String(Secret), {
      minItems: 1,
      maxItems: 2,
      description: 'Signing secret of the endpoint, the whole whsec_… text; two while it is being rotated',
    }),
    account: Type.Optional(
      Type.String({ pattern: '^acct_[A-Za-z0-9]+$', description: 'Connected account on whose behalf the key is used' }),
    ),
    api_version: Type.Optional(Type.String({ default: API_VERSION, pattern: '^\\d{4}-\\d{2}-\\d{2}(\\.[a-z]+)?$' })),
    api_url: Type.Optional(
      Type.String({ pattern: '^https?://[^?#]+$', description: 'Another host instead of https://api.stripe.com' }),
    ),
  },
  { additionalProperties: false },
)
export type StripeSettings = Static<typeof StripeSettings>

/** Event type → entry of `inbound`. A charge that expires or fails is a payment that did not come. */
const TOPICS: Readonly<Record<string, string>> = {
  'charge.succeeded': 'payment',
  'charge.captured': 'payment',
  'charge.updated': 'payment',
  'charge.failed': 'payment',
  'charge.expired': 'payment',
  'charge.refunded': 'charge_refunded',
  'refund.created': 'refund',
  'refund.updated': 'refund',
  'refund.failed': 'refund',
  'charge.dispute.created': 'dispute',
  'charge.dispute.updated': 'dispute',
  'charge.dispute.closed': 'dispute',
  'charge.dispute.funds_withdrawn': 'dispute',
  'charge.dispute.funds_reinstated': 'dispute',
  'payout.created': 'payout',
  'payout.updated': 'payout',
  'payout.paid': 'payout',
  'payout.failed': 'payout',
  'payout.canceled': 'payout',
  'payout.reconciliation_completed': 'payout',
}

export const stripe = defineConnector({
  id: 'stripe',
  label: 'Stripe',
  kind: 'gateway',
  grade: 'simulator',
  settings: StripeSettings,
  http: {
    baseUrl: (settings) => settings.api_url ?? 'https://api.stripe.com',
    headers: (settings) => ({
      authorization: `Bearer ${settings.api_key}`,
      'stripe-version': settings.api_version ?? API_VERSION,
      ...(settings.account === undefined ? {} : { 'stripe-account': settings.account }),
    }),
    // The default of one endpoint; the account's own limit is four times as high in live mode.
    limit: () => ({ calls: 25, per_ms: 1_000 }),
    classify,
  },
  webhook: {
    content_types: ['application/json'],
    verify: (request, { webhook_secrets }) => verifyScheme(STRIPE, request, webhook_secrets),
    topics: Object.keys(TOPICS),
    topic: (request) => topicOf(eventOf(request)),
    dedupeKey: (request) => eventOf(request).id,
    observedAt: (request) => {
      const { created } = eventOf(request)
      return created === undefined ? undefined : new Date(created * 1_000).toISOString()
    },
  },
  inbound: {
    payment: stripePayment,
    refund: stripeRefund,
    charge_refunded: stripeChargeRefunded,
    dispute: stripeDispute,
    payout: stripePayoutMoved,
    settlement: stripeSettlement,
  },
  // A list answer; one object or event comes bare.
  envelopes: { payment: ['data'], refund: ['data'], dispute: ['data'], payout: ['data'] },
  settlements: { formats: [stripeReport] },
  pull: { payments: pullPayments, settlements: pullSettlements },
  test: showNewestCharge,
})

interface EventHead {
  id: string
  object: string
  type: string
  created: number | undefined
}

/** A thin event (`v2.core.event`) names an object without showing it, and none of ours comes that way: it is ignored. */
const topicOf = ({ object, type }: EventHead): string =>
  object === 'event' && Object.hasOwn(TOPICS, type) ? (TOPICS[type] ?? 'ignore') : 'ignore'

function eventOf({ body }: WebhookRequest): EventHead {
  const event = parsed(body)
  const word = (key: string): string => {
    const value = event[key]
    return typeof value === 'string' ? value.slice(0, 200) : ''
  }
  const created = event['created']
  const known =
    typeof created === 'number' && Number.isSafeInteger(created) && created >= 0 && created < 253_402_300_800
  return { id: word('id'), object: word('object'), type: word('type'), created: known ? created : undefined }
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** `error.code`, then `error.type`, where they say more than the status: a held lock is a 429 or 400 that passes by itself. */
const ERROR_CODES: Readonly<Record<string, ErrorCode>> = {
  rate_limit: 'vendor_throttled',
  lock_timeout: 'vendor_throttled',
  resource_missing: 'vendor_not_found',
  idempotency_error: 'vendor_conflict',
  api_error: 'vendor_unavailable',
}

function classify({
  status,
  headers,
  body,
}: HttpAnswer): { code: ErrorCode; detail: string; retry_after_ms?: number } | undefined {
  if (status < 400 || typeof body !== 'object' || body === null || !('error' in body)) return undefined
  const error = body.error as { code?: unknown; type?: unknown } | null
  const word = [error?.code, error?.type].find(
    (value) => typeof value === 'string' && Object.hasOwn(ERROR_CODES, value),
  ) as string | undefined
  const code = word === undefined ? undefined : ERROR_CODES[word]
  if (word === undefined || code === undefined) return undefined
  const seconds = /^\d{1,5}$/.exec(headers['retry-after'] ?? '')?.[0]
  return {
    code,
    detail: `${status} (${word})`,
    ...(seconds === undefined ? {} : { retry_after_ms: Number(seconds) * 1_000 }),
  }
}
