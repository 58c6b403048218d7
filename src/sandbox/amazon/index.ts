import { createHash, timingSafeEqual } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import type { Product, SimulatorOptions, Storefront } from '../simulator.ts'
import { startVendorServer, type VendorAnswer, type VendorRequest } from '../vendorServer.ts'
import { openAccount, type Account } from './account.ts'
import { answerApi, json, refused, type ApiOptions, type Credentials } from './api.ts'
import { createDeeds, type Deeds } from './deeds.ts'
import { FEED_ROUTES, workOffFeeds } from './feedRoutes.ts'
import { LISTING_ROUTES } from './listingRoutes.ts'
import { ORDER_ROUTES } from './orderRoutes.ts'
import { closeSettlement, moneyRows, type PaidFor } from './payouts.ts'
import { PAYOUT_ROUTES } from './payoutRoutes.ts'
import { createMeter, type Plan } from './plans.ts'
import { createQueue, publisher } from './queue.ts'

export interface AmazonOptions extends SimulatorOptions {
  connection_id: string
  products: readonly Product[]
  /** SKUs that lie in the marketplace's own warehouses. */
  by_amazon?: readonly string[]
  currency: string
  /** Instead of the usual plans: what a large account is given for all operations. */
  raised?: Plan
  page_size?: number
  search_lag_ms?: number
  feed_ms?: number
  visibility_ms?: number
}

/** One payout as it was made, row by row. */
export interface AmazonPayout {
  id: string
  amount_minor: number
  rows: { id: string; net_minor: number }[]
}

export interface AmazonSimulator extends Storefront, Pick<Deeds, 'sellByAmazon' | 'askToCancel'> {
  /** Messages that nobody has removed yet. */
  waiting: () => number
  /** Every access token is refused from now on. */
  revokeTokens: () => void
  /** Pays out for what was shipped, or for all that was sold and paid; undefined when there is nothing. */
  payOut: (what?: PaidFor) => AmazonPayout | undefined
  payouts: () => readonly AmazonPayout[]
}

const SELLER = 'A2SANDBOXSELLER'
const STORE = 'A1PA6795UKMFR9'
const CREDENTIALS: Credentials = {
  client_id: 'amzn1.application-oa2-client.sandbox',
  client_secret: 'amzn1.oa2-cs.v1.sandbox',
  refresh_token: 'Atzr|sandbox-refresh-token',
}
const QUEUE_KEYS = { access_key_id: 'AKIASANDBOX', secret_access_key: 'sandbox-queue-secret' }
const QUEUE_PATH = '/000000000000/crossdock-orders'
const TOKEN_MS = 3_600_000
const ADDRESS_MS = 300_000
const ROUTES = [...ORDER_ROUTES, ...LISTING_ROUTES, ...FEED_ROUTES, ...PAYOUT_ROUTES]

/**
 * A seller account of Amazon on 127.0.0.1: the tokens, the Selling Partner API with its plans, the buckets that documents lie in, and the
 * queue that says which orders have changed.
 */
export async function startAmazonSimulator(options: AmazonOptions): Promise<AmazonSimulator> {
  let faults = options.faults
  const { now, random } = options
  const store = { marketplace_id: STORE, currency: options.currency }
  const account: Account = openAccount({
    ...options,
    by_amazon: options.by_amazon ?? [],
    publish: publisher({ seller_id: SELLER, marketplace_id: STORE, random, faults: () => faults }),
  })
  const tokens = createTokens(now)
  const buckets = createBuckets(() => account, now)
  const queue = createQueue(() => account, { ...QUEUE_KEYS, url_path: QUEUE_PATH, visibility_ms: options.visibility_ms ?? 30_000, random, now }) // prettier-ignore
  const api: ApiOptions = {
    account,
    store,
    seller_id: SELLER,
    now,
    meter: createMeter({ now, raised: options.raised ?? null }),
    lets_in: tokens.letsIn,
    sign: (id) => `${server.url}${buckets.sign(id)}`,
    page_size: options.page_size ?? 100,
    search_lag_ms: options.search_lag_ms ?? 120_000,
    feed_ms: options.feed_ms ?? 400,
  }
  const server = await startVendorServer({
    port: options.port,
    random,
    faults: () => faults,
    throttled: refused(429, 'QuotaExceeded', 'You exceeded your quota for the requested resource.'),
    failed: refused(503, 'ServiceUnavailable', 'Service is temporarily unavailable. Please try again.'),
    answer: (request) => {
      workOffFeeds(api)
      if (queue.answers(request)) return queue.handle(request)
      if (request.path === '/auth/o2/token') return tokens.grant(request)
      return buckets.answer(request) ?? answerApi(ROUTES, request, api)
    },
  })
  const payouts = (): AmazonPayout[] =>
    account.reports().map((report) => ({
      id: report.settlement_id,
      amount_minor: report.payout_minor,
      rows: moneyRows(account, report).map(({ id, minor }) => ({ id, net_minor: minor })),
    }))
  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: {
      api: {
        region: 'eu',
        seller_id: SELLER,
        marketplace_ids: [STORE],
        ...CREDENTIALS,
        api_url: server.url,
        token_url: `${server.url}/auth/o2/token`,
      },
      queue: { queue_url: `${server.url}${QUEUE_PATH}`, region: 'eu-west-1', ...QUEUE_KEYS },
    },
    ...createDeeds(account, now),
    ledger: () => {
      workOffFeeds(api)
      return account.ledger()
    },
    waiting: () => account.messages().length,
    revokeTokens: tokens.revoke,
    payOut: (what = 'shipped') => {
      const closed = closeSettlement(account, now(), what)
      return closed === undefined ? undefined : payouts().find(({ id }) => id === closed.settlement_id)
    },
    payouts,
    // Nothing is posted anywhere: the queue is asked.
    setWebhookUrl: () => undefined,
    setFaults: (next) => void (faults = next),
    busy: () => account.messages().length > 0,
    stop: async () => {
      await server.stop()
      account.close()
    },
  }
}

/** Login with Amazon. */
function createTokens(now: () => Date) {
  const tokens = new Map<string, number>()
  let given = 0
  return {
    letsIn: (token: string | null): boolean => token !== null && (tokens.get(token) ?? 0) > now().getTime(),
    revoke: (): void => tokens.clear(),
    grant: (request: VendorRequest): VendorAnswer => {
      const form = new URLSearchParams(request.body)
      const client =
        form.get('client_id') === CREDENTIALS.client_id &&
        same(form.get('client_secret') ?? '', CREDENTIALS.client_secret)
      if (!client) return json(401, { error: 'invalid_client', error_description: 'Client authentication failed' })
      if (form.get('grant_type') !== 'refresh_token' || form.get('refresh_token') !== CREDENTIALS.refresh_token)
        return json(400, { error: 'invalid_grant', error_description: 'The request has an invalid grant parameter' })
      const access_token = `Atza|sandbox-${(given += 1)}`
      tokens.set(access_token, now().getTime() + TOKEN_MS)
      return json(200, {
        access_token,
        refresh_token: CREDENTIALS.refresh_token,
        token_type: 'bearer',
        expires_in: TOKEN_MS / 1_000,
      })
    },
  }
}

const same = (a: string, b: string): boolean => a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))

/** Buckets with addresses that are good for five minutes. What is put there arrives as it is; what is fetched comes packed. */
function createBuckets(account: () => Account, now: () => Date) {
  const signature = (id: string, until: string): string => createHash('sha256').update(`${id} ${until}`).digest('hex')
  return {
    sign: (id: string): string => {
      const until = String(now().getTime() + ADDRESS_MS)
      return `/buckets/${encodeURIComponent(id)}?X-Amz-Expires=${until}&X-Amz-Signature=${signature(id, until)}`
    },
    answer: ({ method, path, query, body }: VendorRequest): VendorAnswer | undefined => {
      const id = decodeURIComponent(/^\/buckets\/([^/]+)$/.exec(path)?.[1] ?? '')
      if (id === '') return undefined
      const until = query.get('X-Amz-Expires') ?? ''
      const good = Number(until) > now().getTime() && query.get('X-Amz-Signature') === signature(id, until)
      if (!good)
        return {
          status: 403,
          headers: { 'content-type': 'application/xml' },
          body: '<Error><Code>AccessDenied</Code></Error>',
        }
      if (method === 'PUT') {
        account().commit({ document: { id, text: body } })
        return { status: 200, body: '' }
      }
      const text = account().document(id)
      if (text === undefined)
        return {
          status: 404,
          headers: { 'content-type': 'application/xml' },
          body: '<Error><Code>NoSuchKey</Code></Error>',
        }
      return { status: 200, headers: { 'content-type': 'application/octet-stream' }, body: '', bytes: gzipSync(text) }
    },
  }
}
