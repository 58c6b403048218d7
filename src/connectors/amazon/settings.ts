import Type, { type Static } from 'typebox'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import type { AmazonRegion } from '../../mappings/amazon/marketplaces.ts'
import type { CallLimit, HttpAnswer, HttpDefinition, MessageQueueSettings } from '../_kit/define.ts'

const Secret = { minLength: 1, secret: true } as const
const Url = (description: string) => Type.Optional(Type.String({ pattern: '^https?://[^?#]+$', description }))

const Api = Type.Object(
  {
    region: Type.Enum(['na', 'eu', 'fe'], {
      description: 'Where the seller account is: North America, Europe, Far East',
    }),
    seller_id: Type.String({ pattern: '^[A-Z0-9]{5,20}$', description: 'Merchant token of the account' }),
    marketplace_ids: Type.Array(Type.String({ pattern: '^[A-Z0-9]{8,20}$' }), {
      minItems: 1,
      maxItems: 50,
      description: 'Stores that are sold on; the first one is where quantities are written',
    }),
    client_id: Type.String({ ...Secret, description: 'Login with Amazon: client id of the application' }),
    client_secret: Type.String({ ...Secret, description: 'Its secret; Amazon wants a new one every 180 days' }),
    refresh_token: Type.String({ ...Secret, description: 'What the seller gave the application; renewed once a year' }),
    personal_data: Type.Optional(
      Type.Enum(['wanted', 'left_out'], {
        default: 'wanted',
        description:
          'Whether buyers and addresses are asked for; an application without that role is refused otherwise',
      }),
    ),
    api_url: Url('Another API address than the one of the region'),
    token_url: Url('Another token address than Amazon’s'),
  },
  { ...closed, description: 'The account behind the API; without it only files are read' },
)

const Queue = Type.Object(
  {
    queue_url: Type.String({ pattern: '^https?://', description: 'SQS queue that the account’s notifications go to' }),
    region: Type.String({ minLength: 1, maxLength: 40, description: 'AWS region of the queue, such as eu-west-1' }),
    access_key_id: Type.String({ ...Secret, description: 'AWS key that may receive and delete there' }),
    secret_access_key: Type.String({ ...Secret, description: 'Secret of that key' }),
    endpoint: Url('Another address that speaks the same protocol'),
  },
  { ...closed, description: 'Where changed orders are announced; without it they are found by the slow search alone' },
)

export const Settings = Type.Object(
  {
    api: Type.Optional(Api),
    queue: Type.Optional(Queue),
    carriers: Type.Optional(
      Type.Record(Type.String({ minLength: 1, maxLength: 100 }), Type.String({ minLength: 1, maxLength: 100 }), {
        description: 'Amazon’s code by the name that a carrier has here, for carriers that are not known by themselves',
      }),
    ),
    feed_wait_seconds: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 20,
        default: 20,
        description: 'How long a push of many quantities waits for Amazon to work them off, before it reads them back',
      }),
    ),
    payouts_from: Type.Optional(
      Type.Enum(['reports', 'transactions'], {
        default: 'reports',
        description:
          'Settlement reports, or the transactions of the Finances API; never both, or every payout is there twice',
      }),
    ),
    settlement_files: Type.Optional(
      Type.Object(
        {
          decimal: Type.Optional(
            Type.Enum(['.', ','], { description: 'Decimal mark; otherwise found out from the file' }),
          ),
          date_order: Type.Optional(
            Type.Enum(['dmy', 'mdy'], { description: 'Order of dates with slashes; month first otherwise' }),
          ),
        },
        { ...closed, description: 'How its payout files are written' },
      ),
    ),
  },
  closed,
)
export type Settings = Static<typeof Settings>
export type Api = Static<typeof Api>

/** The part of the settings that calls need. A connection that only reads files has none, and then nothing is called. */
export function apiOf({ api }: Settings): Api {
  if (api !== undefined) return api
  throw new HubError('config_invalid', 'this connection has no account: it reads files alone', {
    hint: 'add the section `api` to its settings',
  })
}

const HOSTS: Readonly<Record<AmazonRegion, string>> = {
  na: 'https://sellingpartnerapi-na.amazon.com',
  eu: 'https://sellingpartnerapi-eu.amazon.com',
  fe: 'https://sellingpartnerapi-fe.amazon.com',
}
const TOKEN_URL = 'https://api.amazon.com/auth/o2/token'

/**
 * The vendor's usage plans (its API models), as refill per second and burst. An account may be given more; the answers' header says so.
 * The names are the vendor's own, and `HttpCall.operation` uses them.
 */
const PLANS: Readonly<Record<string, { rate: number; burst: number }>> = {
  searchOrders: { rate: 0.0056, burst: 20 },
  getOrder: { rate: 0.5, burst: 30 },
  confirmShipment: { rate: 2, burst: 10 },
  searchListingsItems: { rate: 5, burst: 5 },
  getListingsItem: { rate: 5, burst: 10 },
  patchListingsItem: { rate: 5, burst: 5 },
  createFeedDocument: { rate: 0.5, burst: 15 },
  createFeed: { rate: 0.0083, burst: 15 },
  getFeed: { rate: 2, burst: 15 },
  getFeeds: { rate: 0.0222, burst: 10 },
  getFeedDocument: { rate: 0.0222, burst: 10 },
  getReport: { rate: 2, burst: 15 },
  getReports: { rate: 0.0222, burst: 10 },
  getReportDocument: { rate: 0.0167, burst: 15 },
  listFinancialEventGroups: { rate: 0.5, burst: 30 },
  listTransactions: { rate: 0.5, burst: 10 },
  getMarketplaceParticipations: { rate: 0.016, burst: 15 },
}
/** Above all plans together, so that only the plans count. */
const ALL: CallLimit = { calls: 1_000, per_ms: 1_000 }

const window = ({ rate, burst }: { rate: number; burst: number }): CallLimit => ({
  calls: burst,
  per_ms: Math.ceil((burst / rate) * 1_000),
})

/** `x-amzn-RateLimit-Limit` is the refill per second; the burst that goes with it is only known of the usual plans. */
export function limitOf({ headers }: HttpAnswer): CallLimit | undefined {
  const rate = Number(headers['x-amzn-ratelimit-limit'] ?? '')
  if (!(rate > 0) || !Number.isFinite(rate)) return undefined
  const bursts = Object.values(PLANS).flatMap((plan) => (plan.rate === rate ? [plan.burst] : []))
  return window({ rate, burst: bursts.length === 0 ? Math.max(5, Math.floor(rate)) : Math.min(...bursts) })
}

/** Words of the API's errors that say more than their status does. */
const WORDS: Readonly<Record<string, ErrorCode>> = {
  QuotaExceeded: 'vendor_throttled',
  TOO_MANY_REQUESTS: 'vendor_throttled',
}

/** A throttled call names no time, but the refill of its plan does. */
function classify(answer: HttpAnswer): { code: ErrorCode; detail: string; retry_after_ms?: number } | undefined {
  const word = errorOf(answer.body)?.code ?? ''
  const code = answer.status === 429 ? 'vendor_throttled' : Object.hasOwn(WORDS, word) ? WORDS[word] : undefined
  if (code === undefined || answer.headers['retry-after'] !== undefined) return undefined
  const limit = limitOf(answer)
  const one_ms = limit === undefined ? 1_000 : Math.ceil(limit.per_ms / limit.calls)
  return { code, detail: `answered ${answer.status} (${word || 'throttled'})`, retry_after_ms: Math.max(1_000, one_ms) }
}

/** An expired token is a 403 here, told from a missing right by its detail alone. */
const tokenRefused = ({ status, body }: HttpAnswer): boolean =>
  status === 401 || (status === 403 && /expired|revoked/i.test(errorOf(body)?.details ?? ''))

/** The first of the errors that an answer lists. */
function errorOf(body: unknown): { code: string; message: string; details: string } | undefined {
  const list = typeof body === 'object' && body !== null && 'errors' in body ? body.errors : undefined
  const [first] = Array.isArray(list) ? (list as unknown[]) : []
  if (typeof first !== 'object' || first === null) return undefined
  const text = (key: string): string => {
    const value = (first as Record<string, unknown>)[key]
    return typeof value === 'string' ? value : ''
  }
  return { code: text('code'), message: text('message'), details: text('details') }
}

export const http: HttpDefinition<Settings> = {
  baseUrl: (settings) => {
    const { api_url, region } = apiOf(settings)
    return api_url ?? HOSTS[region]
  },
  headers: () => ({}),
  // Read when the connection is made, of a connection without an account too, which then never gets as far as asking for a token.
  token: ({ api }) => ({
    url: api?.token_url ?? TOKEN_URL,
    client: { id: api?.client_id ?? '', secret: api?.client_secret ?? '', sent_as: 'form' },
    grant: { kind: 'refresh_token', refresh_token: api?.refresh_token ?? '', rotates: false },
    carry: (token) => ({ 'x-amz-access-token': token }),
  }),
  tokenRefused,
  // Documents lie in buckets of the vendor's; a simulator keeps them itself.
  transfer_hosts: ({ api }) => ['.amazonaws.com', ...(api?.api_url === undefined ? [] : [new URL(api.api_url).host])],
  limit: () => ALL,
  limits: () => Object.fromEntries(Object.entries(PLANS).map(([operation, plan]) => [operation, window(plan)])),
  limitOf,
  classify,
}

/** Nothing is ever received of a connection without a queue (see `pullNotifications`), so its address does not matter then. */
export const messages = ({ queue }: Settings): MessageQueueSettings =>
  queue ?? { queue_url: '', region: '', access_key_id: '', secret_access_key: '' }
