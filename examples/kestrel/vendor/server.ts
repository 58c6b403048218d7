import { createHmac } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { openLedger, type KestrelLedger, type KestrelOrder, type KestrelParcel, type Refusal } from './ledger.ts'

export interface KestrelOptions {
  token: string
  webhook_secret: string
  now: () => Date
  /** Absent: what the documentation says. More for tests that have no time to wait. */
  requests_per_second?: number
  /** SKU to the units buyers can order. */
  stock: Readonly<Record<string, number>>
}

/** What goes wrong, on wish. Each counts down with the calls (or deliveries) it spoils. */
export interface KestrelFaults {
  /** Answered 500 without an effect. */
  fail_next: number
  /** Answered 429 without an effect. */
  throttle_next: number
  /** Writes (PUT, POST) that have their effect, but the connection is cut before the answer. */
  cut_next: number
  /** Webhooks that are delivered a second time. */
  duplicate_next: number
}

export interface Kestrel extends Pick<KestrelLedger, 'sell' | 'pay' | 'cancelUnits' | 'orders' | 'available'> {
  url: string
  setFaults: (faults: Partial<KestrelFaults>) => void
  setWebhookUrl: (url: string | null) => void
  /** Resolves when no webhook waits for its delivery. */
  settled: () => Promise<void>
  /** Method and path of every call that reached the vendor, oldest first. */
  calls: () => readonly string[]
  stop: () => Promise<void>
}

interface Answer {
  status: number
  body: unknown
  headers?: Readonly<Record<string, string>>
}

interface Call {
  method: string
  path: string
  query: URLSearchParams
  body: string
}

const PAGE_ORDERS_MAX = 20
const STOCK_SKUS_MAX = 50
const STOCK_MAX = 999_999
const CURSOR_AGE_MS_MAX = 3_600_000
const REQUESTS_PER_SECOND = 10
const DELIVERY_ATTEMPTS_MAX = 3
const DELIVERY_TIMEOUT_MS = 10_000

const STATUS_OF: Readonly<Record<Refusal, number>> = {
  invalid_request: 400,
  order_unknown: 404,
  sku_unknown: 404,
  order_cancelled: 409,
  order_unpaid: 409,
  quantity_not_open: 422,
}

/** Kestrel on 127.0.0.1: its API with its limit, its webhooks, and a ledger that says what really happened. */
export async function startKestrel(options: KestrelOptions): Promise<Kestrel> {
  const faults: KestrelFaults = { fail_next: 0, throttle_next: 0, cut_next: 0, duplicate_next: 0 }
  const spoils = (fault: keyof KestrelFaults): boolean => faults[fault] > 0 && faults[fault]-- > 0
  const calls: string[] = []
  const admitted: number[] = []
  const ledger = openLedger({ ...options, onEvent: (type, order) => webhooks.send(type, order) })
  const webhooks = createWebhooks(options, () => spoils('duplicate_next'))

  const answerTo = (call: Call, authorization: string | undefined): Answer => {
    if (authorization !== `Bearer ${options.token}`) return refused(401, 'unauthorized', 'The token is not valid.')
    // The limit is one of real time, whatever the ledger's clock says.
    const now_ms = performance.now()
    while ((admitted[0] ?? now_ms) <= now_ms - 1000) admitted.shift()
    if (admitted.length >= (options.requests_per_second ?? REQUESTS_PER_SECOND) || spoils('throttle_next'))
      return { ...refused(429, 'too_many_requests', 'Slow down.'), headers: { 'retry-after': '1' } }
    admitted.push(now_ms)
    if (spoils('fail_next')) return refused(500, 'internal', 'Try again.')
    return route(call, ledger, options.now)
  }

  const serve = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const call = await readCall(incoming)
    calls.push(`${call.method} ${call.path}`)
    const answer = answerTo(call, incoming.headers.authorization)
    if (call.method !== 'GET' && answer.status < 300 && spoils('cut_next')) return void incoming.socket.destroy()
    outgoing.writeHead(answer.status, { 'content-type': 'application/json; charset=utf-8', ...answer.headers })
    outgoing.end(JSON.stringify(answer.body))
  }
  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => incoming.socket.destroy())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo
  return {
    sell: ledger.sell,
    pay: ledger.pay,
    cancelUnits: ledger.cancelUnits,
    orders: ledger.orders,
    available: ledger.available,
    url: `http://127.0.0.1:${port}`,
    setFaults: (next) => void Object.assign(faults, next),
    setWebhookUrl: webhooks.setUrl,
    settled: webhooks.settled,
    calls: () => calls,
    stop: async () => {
      await webhooks.stop()
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      server.closeAllConnections()
      await closed
    },
  }
}

// ── the API ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

type Route = (call: Call, ledger: KestrelLedger, argument: string, now: () => Date) => Answer

const ROUTES: readonly (readonly [method: string, path: RegExp, route: Route])[] = [
  ['GET', /^\/v1\/orders$/, listOrders],
  ['GET', /^\/v1\/orders\/([^/]+)$/, (_call, ledger, id) => answered(200, ledger.order(id) ?? 'order_unknown')],
  ['POST', /^\/v1\/orders\/([^/]+)\/parcels$/, postParcel],
  ['GET', /^\/v1\/stock$/, readStock],
  ['PUT', /^\/v1\/stock\/([^/]+)$/, putStock],
]

function route(call: Call, ledger: KestrelLedger, now: () => Date): Answer {
  for (const [method, path, answer] of ROUTES) {
    const match = method === call.method ? path.exec(call.path) : null
    if (match !== null) return answer(call, ledger, decodeURIComponent(match[1] ?? ''), now)
  }
  return refused(404, 'not_found', 'There is no such address.')
}

function listOrders({ query }: Call, ledger: KestrelLedger, _argument: string, now: () => Date): Answer {
  const question = readQuestion(query, now())
  if (question === undefined) return answered(200, 'invalid_request')
  const { since, after, asked_ms } = question
  const rows = ledger
    .orders()
    .filter(({ changed_at }) => changed_at >= since)
    .toSorted((a, b) => positionOf(a).localeCompare(positionOf(b), 'en'))
    .filter((order) => after === '' || positionOf(order).localeCompare(after, 'en') > 0)
  const page = rows.slice(0, PAGE_ORDERS_MAX)
  const last = page.at(-1)
  const more = rows.length > page.length && last !== undefined
  const cursor = more ? { since, after: positionOf(last), asked_ms } : null
  return {
    status: 200,
    body: {
      orders: page,
      next_cursor: cursor === null ? null : Buffer.from(JSON.stringify(cursor)).toString('base64url'),
    },
  }
}

const positionOf = ({ changed_at, id }: KestrelOrder): string => `${changed_at} ${id}`

function readQuestion(
  query: URLSearchParams,
  now: Date,
): { since: string; after: string; asked_ms: number } | undefined {
  const cursor = query.get('cursor')
  if (cursor !== null) {
    const question = recordOf(parsed(Buffer.from(cursor, 'base64url').toString('utf8')))
    const { since, after, asked_ms } = question
    const whole = typeof since === 'string' && typeof after === 'string' && typeof asked_ms === 'number'
    return whole && now.getTime() - asked_ms <= CURSOR_AGE_MS_MAX ? { since, after, asked_ms } : undefined
  }
  const since = Date.parse(query.get('changed_since') ?? '1970-01-01T00:00:00.000Z')
  return Number.isNaN(since) ? undefined : { since: new Date(since).toISOString(), after: '', asked_ms: now.getTime() }
}

function readStock({ query }: Call, ledger: KestrelLedger): Answer {
  const skus = (query.get('skus') ?? '').split(',').filter((sku) => sku !== '')
  if (skus.length === 0 || skus.length > STOCK_SKUS_MAX) return answered(200, 'invalid_request')
  return { status: 200, body: { stock: skus.flatMap((sku) => ledger.stock(sku) ?? []) } }
}

function putStock({ body }: Call, ledger: KestrelLedger, sku: string): Answer {
  const { available } = recordOf(parsed(body))
  const valid = typeof available === 'number' && Number.isInteger(available) && available >= 0 && available <= STOCK_MAX
  return answered(200, valid ? ledger.setStock(sku, available) : 'invalid_request')
}

function postParcel({ body }: Call, ledger: KestrelLedger, id: string): Answer {
  const parcel = readParcel(recordOf(parsed(body)))
  return answered(201, parcel === undefined ? 'invalid_request' : ledger.addParcel(id, parcel))
}

function readParcel(given: Readonly<Record<string, unknown>>): Omit<KestrelParcel, 'created_at'> | undefined {
  const { reference, carrier, tracking_number, lines } = given
  if (typeof reference !== 'string' || reference === '' || reference.length > 64) return undefined
  if (typeof carrier !== 'string' || typeof tracking_number !== 'string') return undefined
  if (!Array.isArray(lines) || lines.length === 0) return undefined
  const read = lines.map((line: unknown) => {
    const { line_id, quantity } = recordOf(line)
    const valid =
      typeof line_id === 'string' && typeof quantity === 'number' && Number.isInteger(quantity) && quantity > 0
    return valid ? { line_id, quantity } : undefined
  })
  const whole = read.filter((line) => line !== undefined)
  return whole.length === read.length ? { reference, carrier, tracking_number, lines: whole } : undefined
}

const answered = (status: number, result: object | Refusal): Answer =>
  typeof result === 'string'
    ? refused(STATUS_OF[result], result, `The call was refused: ${result.replaceAll('_', ' ')}.`)
    : { status, body: result }

const refused = (status: number, code: string, message: string): Answer => ({
  status,
  body: { error: { code, message } },
})

async function readCall(incoming: IncomingMessage): Promise<Call> {
  const parts: Buffer[] = []
  for await (const part of incoming) parts.push(part as Buffer)
  const url = new URL(incoming.url ?? '/', 'http://127.0.0.1')
  const body = Buffer.concat(parts).toString('utf8')
  return { method: incoming.method ?? 'GET', path: url.pathname, query: url.searchParams, body }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

const recordOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}

// ── webhooks ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One after the other, each tried three times; the timestamp and with it the signature are new for every attempt. */
function createWebhooks(options: KestrelOptions, twice: () => boolean) {
  let url: string | null = null
  let events = 0
  let queue: Promise<void> = Promise.resolve()
  let stopped = false

  const attempt = async (body: string): Promise<boolean> => {
    if (url === null || stopped) return true
    const timestamp = String(Math.floor(options.now().getTime() / 1000))
    const signature = createHmac('sha256', options.webhook_secret).update(`${timestamp}.${body}`).digest('hex')
    const headers = {
      'content-type': 'application/json',
      'kestrel-timestamp': timestamp,
      'kestrel-signature': signature,
    }
    try {
      const signal = AbortSignal.timeout(DELIVERY_TIMEOUT_MS)
      const answer = await fetch(url, { method: 'POST', body, headers, redirect: 'manual', signal })
      await answer.arrayBuffer()
      return answer.ok
    } catch {
      return false
    }
  }
  const deliver = async (body: string): Promise<void> => {
    for (let tries = 0; tries < DELIVERY_ATTEMPTS_MAX; tries += 1) {
      if (await attempt(body)) break
    }
    if (twice()) await attempt(body)
  }
  return {
    send: (type: string, order: KestrelOrder): void => {
      events += 1
      // Without an address there is nobody to tell, and nothing is kept for later.
      if (url === null) return
      const body = JSON.stringify({ event_id: `evt_${events}`, type, occurred_at: order.changed_at, order })
      queue = queue.then(() => deliver(body))
    },
    setUrl: (next: string | null): void => void (url = next),
    settled: () => queue,
    stop: async (): Promise<void> => {
      stopped = true
      await queue
    },
  }
}
