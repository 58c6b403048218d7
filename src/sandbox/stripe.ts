import { signStripe } from '../connectors/_kit/signatures.ts'
import type { Faults, Simulator, SimulatorOptions } from './simulator.ts'
import { openAccount, type Account } from './stripeAccount.ts'
import type { AccountEvent, Thing } from './stripeObjects.ts'
import { createTelling, type Telling } from './stripeTold.ts'
import { postWebhook, startVendorServer, type VendorAnswer, type VendorRequest } from './vendorServer.ts'

export interface StripeOptions extends SimulatorOptions {
  connection_id: string
  /** Settlement currency of the account. One whose unit at the vendor is its ISO minor unit: not ISK, UGX or MGA. */
  currency: string
  fee: { percent_bp: number; fixed_minor: number }
}

export interface StripeSimulator
  extends
    Simulator,
    Pick<Account, 'charge' | 'refund' | 'dispute' | 'payOut' | 'payOutParts' | 'failPayout' | 'ledger'>,
    Pick<Telling, 'misstate'> {
  readonly connection_id: string
}

const API_KEY = 'sk_test_sandbox0123456789abcdef'
const WEBHOOK_SECRET = 'whsec_sandbox0123456789abcdef'
/** Three days of retries, pressed into minutes. */
const RETRY_DELAYS_MS = [200, 400, 800, 1_600, 3_000] as const
const ATTEMPTS_MAX = 200
const LIMIT_DEFAULT = 10
const LIMIT_MAX = 100

const json = (status: number, value: unknown): VendorAnswer => ({ status, body: JSON.stringify(value) })
const refused = (status: number, error: Record<string, string>): VendorAnswer => json(status, { error })

const LISTS: Readonly<Record<string, Thing['object']>> = {
  '/v1/charges': 'charge',
  '/v1/refunds': 'refund',
  '/v1/disputes': 'dispute',
  '/v1/payouts': 'payout',
  '/v1/balance_transactions': 'balance_transaction',
}

/**
 * A Stripe account on 127.0.0.1: list endpoints with real paging, and signed webhooks that come at least once, in any order, and are
 * retried until somebody answers 2xx.
 */
export async function startStripeSimulator(options: StripeOptions): Promise<StripeSimulator> {
  let faults = options.faults
  const webhooks = createWebhooks({ ...options, faults: () => faults, account: () => account, telling: () => telling })
  const account: Account = openAccount({ ...options, onEvent: webhooks.send })
  const telling = createTelling(account)
  const server = await startVendorServer({
    port: options.port,
    random: options.random,
    faults: () => faults,
    throttled: refused(429, {
      type: 'invalid_request_error',
      code: 'rate_limit',
      message: 'Request rate limit exceeded.',
    }),
    failed: refused(500, { type: 'api_error', message: 'An error occurred on our end.' }),
    answer: (request) => answerApi(request, account, telling),
  })
  for (const event of account.undelivered()) webhooks.send(event)
  const { charge, refund, dispute, payOut, payOutParts, failPayout, ledger } = account
  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: { api_key: API_KEY, webhook_secrets: [WEBHOOK_SECRET], api_url: server.url },
    charge,
    refund,
    dispute,
    payOut,
    payOutParts,
    failPayout,
    misstate: telling.misstate,
    ledger,
    setWebhookUrl: webhooks.setUrl,
    setFaults: (next) => void (faults = next),
    busy: webhooks.busy,
    stop: async () => {
      await webhooks.stop()
      await server.stop()
      account.close()
    },
  }
}

// ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

function answerApi({ method, path, headers, query }: VendorRequest, account: Account, telling: Telling): VendorAnswer {
  if (headers['authorization'] !== `Bearer ${API_KEY}`) {
    return refused(401, { type: 'invalid_request_error', message: 'Invalid API Key provided.' })
  }
  const list = LISTS[path]
  if (method === 'GET' && list !== undefined) return answerList({ object: list, url: path, query }, account, telling)
  const id = /^\/v1\/\w+\/(\w+)$/.exec(path)?.[1]
  const thing = method === 'GET' && id !== undefined ? account.things.get(id) : undefined
  if (thing !== undefined) return json(200, telling.thing(thing))
  return refused(404, { type: 'invalid_request_error', code: 'resource_missing', message: 'No such resource.' })
}

/** Newest first; `starting_after` names the last object that was seen. */
function answerList(
  { object, url, query }: { object: Thing['object']; url: string; query: URLSearchParams },
  account: Account,
  telling: Telling,
): VendorAnswer {
  const limit = Number(query.get('limit') ?? LIMIT_DEFAULT)
  if (!(limit >= 1 && limit <= LIMIT_MAX))
    return refused(400, { type: 'invalid_request_error', param: 'limit', message: 'Invalid limit.' })
  const from = Number(query.get('created[gte]') ?? 0)
  const before = Number(query.get('created[lt]') ?? Number.MAX_SAFE_INTEGER)
  const payout = query.get('payout')
  const all = payout === null ? [...account.things.values()] : telling.rowsOf(payout)
  const rows = all
    .filter((thing) => thing.object === object && thing.created >= from && thing.created < before)
    .map(telling.thing)
    .toReversed()
  const after = query.get('starting_after')
  const start = after === null ? 0 : rows.findIndex((thing) => thing.id === after) + 1
  if (after !== null && start === 0) return refused(400, { type: 'invalid_request_error', code: 'resource_missing', param: 'starting_after', message: 'No such object.' }) // prettier-ignore
  const expand = query.getAll('expand[]').includes('data.source')
  const data = rows.slice(start, start + limit).map((thing) => (expand && 'source' in thing ? { ...thing, source: account.things.get(thing.source) ?? thing.source } : thing)) // prettier-ignore
  return json(200, { object: 'list', url, has_more: start + limit < rows.length, data })
}

// ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface WebhookOptions {
  random: () => number
  now: () => Date
  webhook_url: string | null
  faults: () => Faults
  account: () => Account
  telling: () => Telling
}

function createWebhooks(options: WebhookOptions) {
  let url = options.webhook_url
  let stopped = false
  const timers = new Set<NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()
  /** What came up while there was nobody to tell. */
  const kept: { event: AccountEvent; attempt: number }[] = []

  const after = (delay_ms: number, event: AccountEvent, attempt: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      const work = deliver(event, attempt)
      underWay.add(work)
      void work.finally(() => underWay.delete(work))
    }, delay_ms)
    timers.add(timer)
  }

  /** Signed anew at each attempt, because the receiver refuses what was signed too long ago. */
  const deliver = async (event: AccountEvent, attempt: number): Promise<void> => {
    if (url === null) return void kept.push({ event, attempt })
    const { object } = event.data
    const body = JSON.stringify({ ...event, data: { object: options.telling().thing(object) } })
    const post = async (to: string): Promise<number | undefined> =>
      await postWebhook(to, body, {
        'content-type': 'application/json; charset=utf-8',
        'user-agent': 'Stripe/1.0 (+https://stripe.com/docs/webhooks)',
        'stripe-signature': signStripe(body, WEBHOOK_SECRET, options.now().getTime()),
      })
    const lost = options.random() < options.faults().webhook_drop_share
    const twice = options.random() < options.faults().webhook_duplicate_share
    const status = lost ? undefined : await post(url)
    if (twice && !lost) await post(url)
    if (stopped) return
    if ((status !== undefined && status >= 200 && status < 300) || attempt >= ATTEMPTS_MAX)
      options.account().delivered(event.id)
    else after(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length) - 1] ?? 0, event, attempt + 1)
  }

  return {
    setUrl: (next: string): void => {
      url = next
      for (const { event, attempt } of kept.splice(0)) after(0, event, attempt)
    },
    /** Each event takes its own time, so that they overtake each other. */
    send: (event: AccountEvent): void => after(options.random() * options.faults().webhook_delay_ms_max, event, 1),
    busy: (): boolean => timers.size + underWay.size > 0,
    stop: async (): Promise<void> => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      await Promise.all(underWay)
    },
  }
}
