import Type, { type Static, type TSchema } from 'typebox'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import { checker, type Check } from '../../core/model/validate.ts'
import type { HttpAnswer, HttpCall, HttpDefinition, Port } from '../_kit/define.ts'

const API_VERSION = '2026-10'
const POINTS_PER_SECOND = 100
/** What a usual write costs, so that calls can be paced before points run out. */
const POINTS_PER_CALL = 10

export const Settings = Type.Object(
  {
    shop: Type.String({
      pattern: '^[a-z0-9][a-z0-9-]*\\.myshopify\\.com$',
      description: 'Domain of the shop, such as my-shop.myshopify.com',
    }),
    api_version: Type.Optional(Type.String({ pattern: '^\\d{4}-\\d{2}$', default: API_VERSION })),
    access_token: Type.String({ minLength: 1, secret: true, description: 'Admin API access token' }),
    webhook_secrets: Type.Array(Type.String({ minLength: 8 }), {
      minItems: 1,
      maxItems: 2,
      secret: true,
      description: 'Client secret of the app; two of them while it is rotated',
    }),
    location_id: Type.String({
      pattern: '^gid://shopify/Location/\\d+$',
      description: 'Location whose stock is written',
    }),
    currency: Type.Optional(
      Type.String({ pattern: '^[A-Z]{3}$', description: 'Currency of the shop, for messages that name none' }),
    ),
    payouts: Type.Optional(
      Type.Enum(['pull', 'off'], {
        default: 'pull',
        description: 'off: payouts of Shopify Payments are not read, for an app that may not',
      }),
    ),
    points_per_second: Type.Optional(
      Type.Integer({
        minimum: 50,
        maximum: 4_000,
        default: POINTS_PER_SECOND,
        description:
          "Refill of the cost bucket on the shop's plan: Standard 100, Advanced 200, Plus 1000, Enterprise 2000",
      }),
    ),
    api_url: Type.Optional(
      Type.String({ pattern: '^https?://', description: 'Another host instead of https://<shop>' }),
    ),
  },
  { additionalProperties: false },
)
export type Settings = Static<typeof Settings>

const Failure = Type.Object({
  errors: Type.Array(Type.Object({ extensions: Type.Optional(Type.Object({ code: Type.Optional(Type.String()) })) }), {
    minItems: 1,
  }),
})
const isFailure = checker(Failure)
const throttleOf = checker(
  Type.Object({
    extensions: Type.Object({
      cost: Type.Object({
        requestedQueryCost: Type.Number(),
        throttleStatus: Type.Object({
          currentlyAvailable: Type.Number(),
          restoreRate: Type.Number({ exclusiveMinimum: 0 }),
        }),
      }),
    }),
  }),
)
/** GraphQL answers 200 to nearly everything; what went wrong is in `errors[].extensions.code`. */
const FAILURES: Readonly<Record<string, ErrorCode>> = {
  THROTTLED: 'vendor_throttled',
  MAX_COST_EXCEEDED: 'payload_too_large',
  ACCESS_DENIED: 'vendor_auth',
  SHOP_INACTIVE: 'vendor_auth',
  INTERNAL_SERVER_ERROR: 'vendor_unavailable',
  TIMEOUT: 'vendor_unavailable',
}
const THROTTLE_WAIT_MS = 1_000

function read<T>(check: (value: unknown) => T, value: unknown): T | undefined {
  try {
    return check(value)
  } catch {
    return undefined
  }
}

/** `(requestedQueryCost − currentlyAvailable) / restoreRate` seconds: when the bucket holds enough points for this very query. */
function throttleWait(body: unknown): number {
  const cost = read(throttleOf, body)?.extensions.cost
  if (cost === undefined) return THROTTLE_WAIT_MS
  const missing = cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable
  return Math.max(100, Math.ceil((missing * 1000) / cost.throttleStatus.restoreRate))
}

export const http: HttpDefinition<Settings> = {
  baseUrl: ({ api_url, shop, api_version }) =>
    `${api_url ?? `https://${shop}`}/admin/api/${api_version ?? API_VERSION}/`,
  headers: ({ access_token }) => ({ 'x-shopify-access-token': access_token }),
  // Points, not calls, are what Shopify counts; this keeps bursts polite and THROTTLED answers do the rest.
  limit: ({ points_per_second = POINTS_PER_SECOND }) => ({
    calls: Math.floor(points_per_second / POINTS_PER_CALL),
    per_ms: 1_000,
  }),
  timeout_ms: 20_000,
  classify: (answer: HttpAnswer) => {
    if (answer.status === 402 || answer.status === 423)
      return { code: 'vendor_auth', detail: 'the shop is frozen or locked' }
    const failure = answer.status === 200 ? read(isFailure, answer.body) : undefined
    if (failure === undefined) return undefined
    const word =
      failure.errors.map((error) => error.extensions?.code).find((code) => code !== undefined) ?? 'unknown error'
    const code = (Object.hasOwn(FAILURES, word) ? FAILURES[word] : undefined) ?? 'vendor_rejected'
    return { code, detail: word, ...(code === 'vendor_throttled' ? { retry_after_ms: throttleWait(answer.body) } : {}) }
  },
}

const envelope = checker(Type.Object({ data: Type.Unknown() }), 'vendor_response_invalid')

/** A check for the `data` of one document's answer, compiled once. */
export const answer = <T extends TSchema>(schema: T): Check<Static<T>> => checker(schema, 'vendor_response_invalid')

/** One GraphQL document with its variables; gives the answer's checked `data`. */
export async function ask<T>(
  port: Port<Settings>,
  check: Check<T>,
  call: {
    operation: string
    query: string
    variables: Readonly<Record<string, unknown>>
    repeat?: HttpCall['repeat']
    lane?: NonNullable<HttpCall['lane']>
  },
): Promise<T> {
  const { operation, query, variables, repeat = 'safe', lane = 'bulk' } = call
  try {
    const { body } = await port.http.request({
      operation,
      method: 'POST',
      path: 'graphql.json',
      json: { query, variables },
      repeat,
      lane,
    })
    return check(envelope(body).data)
  } catch (thrown) {
    // Inside HTTP 200 a failing server, or an answer that cannot be read, leaves a write in doubt just as a 500 does.
    const doubtful =
      thrown instanceof HubError && (thrown.code === 'vendor_unavailable' || thrown.code === 'vendor_response_invalid')
    if (repeat === 'once' && doubtful) throw new HubError('outcome_unknown', thrown.message, { cause: thrown })
    throw thrown
  }
}
