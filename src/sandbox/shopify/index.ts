import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  openJournal,
  type Product,
  type SimulatorOptions,
  type Storefront,
  type StorefrontLedger,
} from '../simulator.ts'
import { answerGraph, costOf, type GraphContext } from './graph.ts'
import { messagesOf, type Face } from './payloads.ts'
import {
  applyEvent,
  newShop,
  soldOrder,
  type ShelfItem,
  type Shop,
  type ShopEvent,
  type ShopOrder,
  type ShopTransaction,
} from './shop.ts'
import { paymentsDesk, rowsOf, type PaymentsDesk, type PaymentsOptions } from './payments.ts'
import { verbsOf } from './verbs.ts'
import { startSender, uuidOf, type Delivery } from './webhooks.ts'

export interface ShopifySimulatorOptions extends SimulatorOptions {
  connection_id: string
  products: readonly Product[]
  currency: string
  /** Domain the shop goes by. */
  shop?: string
  /** Size and refill of the cost bucket, and the most one query may cost. Shopify's standard plan unless told otherwise. */
  points?: { max: number; per_second: number; query_max: number }
  /** The shop takes its money through Shopify Payments; absent: through a gateway of its own. */
  payments?: PaymentsOptions
}

export interface ShopifySimulator extends Storefront {
  readonly payments: PaymentsDesk
}

/** One line of the journal: what happened and which messages it set off, together, so that neither is ever without the other. */
type Entry = { event: ShopEvent; deliveries: Delivery[] } | { settled: string; ending: 'delivered' | 'given_up' }

const API_VERSION = '2026-10'
/** As config/crossdock.yaml names them, so that what is signed with the configured secret is taken. */
const ACCESS_TOKEN = 'shpat_sandbox_access_token'
const WEBHOOK_SECRET = 'sandbox-shopify-webhook-secret'
const STANDARD = { max: 2_000, per_second: 100, query_max: 1_000 }
const BODY_BYTES_MAX = 1_000_000

/** The shop as the journal left it, and the messages that still have to get through. */
function fold(entries: readonly Entry[]): { shop: Shop; unsettled: Map<string, Delivery> } {
  const shop = newShop()
  const unsettled = new Map<string, Delivery>()
  for (const entry of entries) {
    if ('settled' in entry) unsettled.delete(entry.settled)
    else {
      applyEvent(shop, entry.event)
      for (const delivery of entry.deliveries) unsettled.set(delivery.webhook_id, delivery)
    }
  }
  return { shop, unsettled }
}

/** The messages that an event sets off. Their ids are made from the number of events, so that no restart gives one out twice. */
function deliveriesOf(event: ShopEvent, shop: Shop, connection_id: string, face: Face): Delivery[] {
  const order_id = event.type === 'sold' ? event.order.id : 'order_id' in event ? event.order_id : ''
  return messagesOf(event, shop.orders.get(order_id), face).map(({ topic, body }, index) => ({
    webhook_id: uuidOf(`${connection_id}:${shop.events}:${index}`),
    event_id: uuidOf(`${connection_id}:${shop.events}`),
    topic,
    triggered_at: event.at,
    body: JSON.stringify(body),
  }))
}

/** A Shopify shop on 127.0.0.1: its GraphQL Admin API, its webhooks, and its buyers' verbs. What it is told it keeps in its journal. */
export async function startShopifySimulator(options: ShopifySimulatorOptions): Promise<ShopifySimulator> {
  const { connection_id, currency, now, random } = options
  const domain = options.shop ?? `${connection_id.toLowerCase().replaceAll(/[^a-z0-9-]/g, '-')}.myshopify.com`
  const face = { shop: domain, currency }
  const secrets = { access_token: ACCESS_TOKEN, webhook: WEBHOOK_SECRET }
  const location_id = 'gid://shopify/Location/1'
  let { faults, webhook_url } = options

  const journal = openJournal<Entry>(options.journal_path)
  const { shop, unsettled } = fold(journal.events())
  const stockWrites: StorefrontLedger['stock_writes'] = []

  const sender = startSender({
    shop: domain,
    api_version: API_VERSION,
    secret: secrets.webhook,
    url: () => webhook_url,
    faults: () => faults,
    random,
    onSettled: (webhook_id, ending) => journal.append({ settled: webhook_id, ending }),
  })

  const commit = (event: ShopEvent): void => {
    store(event)
    const taken = takenBy(event, shop)
    if (options.payments !== undefined && taken !== undefined && taken.transactions.length > 0)
      store({ type: 'booked', at: event.at, rows: rowsOf(taken.order, taken.transactions, options.payments) })
  }
  const store = (event: ShopEvent): void => {
    applyEvent(shop, event)
    const deliveries = deliveriesOf(event, shop, connection_id, face)
    journal.append({ event, deliveries })
    if (event.type === 'stock_written') {
      for (const { sku, quantity } of event.rows) stockWrites.push({ sku, quantity, at_ms: Date.parse(event.at) })
    }
    sender.send(deliveries)
  }
  let handed = 0
  // Made from the number of events, so that ids go on where they stopped when the journal is folded again.
  const newId = (): string => String(5_000_000_000_000 + shop.events * 1_000 + (handed++ % 1_000))

  const missing = options.products.filter((product) => !shop.shelf.has(product.sku))
  if (missing.length > 0) commit({ type: 'stocked', at: now().toISOString(), products: missing })
  sender.send([...unsettled.values()])

  const context: GraphContext = { shop, face, location_id, now, newId, commit, payments: options.payments }
  const bucket = createBucket(options.points ?? STANDARD, now)
  const server = createServer((request, response) => {
    void serve(request, response, { context, bucket, token: secrets.access_token, faults: () => faults, random })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  return {
    connection_id,
    url,
    settings: {
      shop: domain,
      api_version: API_VERSION,
      access_token: secrets.access_token,
      webhook_secrets: [secrets.webhook],
      location_id,
      currency,
      api_url: url,
    },
    setWebhookUrl: (next) => void (webhook_url = next),
    setFaults: (next) => void (faults = next),
    busy: sender.busy,
    stop: async () => {
      sender.stop()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      journal.close()
    },
    products: () => [...shop.shelf.values()].map((item) => productOf(item)),
    ...verbsOf(context),
    payments: paymentsDesk(context, options.payments),
    ledger: () => ({
      orders: [...shop.orders.values()].map((order) => soldOrder(order, currency)),
      shown: Object.fromEntries([...shop.shelf.values()].map((item) => [item.sku, item.available])),
      stock_writes: stockWrites,
    }),
  }
}

/** The money that an event moved between buyer and merchant. */
function takenBy(
  event: ShopEvent,
  shop: Shop,
): { order: Pick<ShopOrder, 'id' | 'name'>; transactions: readonly ShopTransaction[] } | undefined {
  if (event.type === 'sold') return { order: event.order, transactions: event.order.transactions }
  const order = 'order_id' in event ? shop.orders.get(event.order_id) : undefined
  if (order === undefined) return undefined
  if (event.type === 'paid') return { order, transactions: [event.transaction] }
  return event.type === 'refunded' ? { order, transactions: event.refund.transactions } : undefined
}

const productOf = ({ sku, title, price_minor, available }: ShelfItem): Product => ({
  sku,
  title,
  price_minor,
  quantity: available,
})

// ── the network's side ────────────────────────────────────────────────────────────────────────────────────────────────────

interface Bucket {
  query_max: number
  /** Takes the points if they are there; tells how the bucket stands either way. */
  take: (cost: number) => {
    ok: boolean
    status: { maximumAvailable: number; currentlyAvailable: number; restoreRate: number }
  }
}

function createBucket({ max, per_second, query_max }: typeof STANDARD, now: () => Date): Bucket {
  let points = max
  let at_ms = now().getTime()
  return {
    query_max,
    take: (cost) => {
      const t = now().getTime()
      points = Math.min(max, points + ((t - at_ms) / 1_000) * per_second)
      at_ms = t
      const ok = cost <= points
      if (ok) points -= cost
      return { ok, status: { maximumAvailable: max, currentlyAvailable: Math.floor(points), restoreRate: per_second } }
    },
  }
}

interface Service {
  context: GraphContext
  bucket: Bucket
  token: string
  faults: () => SimulatorOptions['faults']
  random: () => number
}

async function serve(request: IncomingMessage, response: ServerResponse, service: Service): Promise<void> {
  const reply = (status: number, body: unknown): void => {
    response
      .writeHead(status, { 'content-type': 'application/json', 'x-shopify-api-version': API_VERSION })
      .end(JSON.stringify(body))
  }
  try {
    const body = await readBody(request)
    if (request.method !== 'POST' || !/^\/admin\/api\/[^/]+\/graphql\.json$/.test(request.url ?? ''))
      return reply(404, { errors: 'Not Found' })
    if (request.headers['x-shopify-access-token'] !== service.token)
      return reply(401, { errors: '[API] Invalid API key or access token' })
    const { query, variables = {} } = JSON.parse(body) as { query: string; variables?: Record<string, unknown> }
    const { throttle_share, fail_share, cut_share } = service.faults()
    if (service.random() < fail_share) return reply(500, { errors: 'Internal Server Error' })
    const cost = costOf(query, variables)
    const spelled = (code: string) => [{ message: code.toLowerCase(), extensions: { code } }]
    if (cost > service.bucket.query_max) return reply(200, { errors: spelled('MAX_COST_EXCEEDED') })
    const forced = service.random() < throttle_share
    const { ok, status } = forced ? { ...service.bucket.take(0), ok: false } : service.bucket.take(cost)
    const extensions = { cost: { requestedQueryCost: cost, actualQueryCost: ok ? cost : null, throttleStatus: status } }
    if (!ok) return reply(200, { errors: spelled('THROTTLED'), extensions })
    const answer = (await answerGraph({ query, variables }, service.context)) as Record<string, unknown>
    if (service.random() < cut_share) return void response.socket?.destroy()
    reply(200, { ...answer, extensions })
  } catch {
    if (response.headersSent) response.socket?.destroy()
    else reply(400, { errors: 'Bad Request' })
  }
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > BODY_BYTES_MAX) throw new Error('the body is too large')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
