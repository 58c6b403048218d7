import { createHash } from 'node:crypto'
import { signHmac } from '../connectors/_kit/signatures.ts'
import type { Faults, Product, SimulatorOptions, Storefront } from './simulator.ts'
import { postWebhook, startVendorServer } from './vendorServer.ts'
import { answerRest, orderJson, type Hook } from './woocommerceRest.ts'
import { openShop, type Delivery, type Shop } from './woocommerceShop.ts'
import { createDeeds, type Deeds } from './woocommerceTrade.ts'

export interface WooOptions extends SimulatorOptions {
  connection_id: string
  products: readonly Product[]
  currency: string
  /** Numbers of its orders begin after it, so that two shops of one merchant have none in common. */
  first_id?: number
  /** Whom the REST API lets in, and what signs the webhooks. Those of the sandbox configuration unless told otherwise. */
  secrets?: { consumer_key: string; consumer_secret: string; webhook: string }
  /** Products that are variations of one parent, by their SKUs. */
  variable?: readonly { title: string; skus: readonly string[] }[]
}

export interface WooSimulator extends Storefront, Pick<Deeds, 'trash' | 'restore'> {
  hooks: () => readonly Hook[]
}

const SECRETS = {
  consumer_key: 'ck_sandbox_0123456789abcdef0123456789abcdef01234567',
  consumer_secret: 'cs_sandbox_0123456789abcdef0123456789abcdef01234567',
  webhook: 'sandbox-woocommerce-webhook-secret',
}
/** A hook that has failed more often than this in a row is switched off at its next failure (class-wc-webhook.php). */
const FAILURES_MAX = 5
const TOPICS = ['order.created', 'order.updated', 'order.deleted', 'order.restored'] as const
/** The host's own way of saying no: a page, not the API's JSON. */
const HTML = { 'content-type': 'text/html; charset=UTF-8' }
const UNAVAILABLE = {
  status: 503,
  headers: HTML,
  body: '<html><body><h1>Briefly unavailable for scheduled maintenance.</h1></body></html>',
}
const THROTTLED = {
  status: 429,
  headers: { ...HTML, 'retry-after': '1' },
  body: '<html><body><h1>429 Too Many Requests</h1></body></html>',
}

/**
 * A WooCommerce shop on 127.0.0.1: its REST API, and its webhooks with their habits: an unsigned ping first, one attempt each, the
 * payload built at delivery time, a delivery id that two messages of one second share, and hooks that switch themselves off.
 */
export async function startWooSimulator(options: WooOptions): Promise<WooSimulator> {
  let faults = options.faults
  const { webhook, ...consumer } = options.secrets ?? SECRETS
  const webhooks = createWebhooks({ ...options, secret: webhook, faults: () => faults, shop: () => shop })
  const shop: Shop = openShop({
    ...options,
    variable: options.variable ?? [],
    listens: webhooks.listens,
    onQueued: webhooks.send,
  })
  const server = await startVendorServer({
    port: options.port,
    random: options.random,
    faults: () => faults,
    throttled: THROTTLED,
    failed: UNAVAILABLE,
    answer: (request) =>
      answerRest(request, {
        shop,
        ...consumer,
        now: options.now,
        hooks: webhooks.list,
        reviveHook: webhooks.revive,
      }),
  })
  // The shop keeps its queue in its database: what was not tried before it went down is tried now.
  for (const delivery of shop.undelivered()) webhooks.send(delivery)
  if (options.webhook_url !== null) webhooks.setUrl(options.webhook_url)
  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: { site_url: server.url, ...consumer, webhook_secrets: [webhook] },
    ...createDeeds(shop, options.now),
    ledger: shop.ledger,
    hooks: webhooks.list,
    setWebhookUrl: webhooks.setUrl,
    setFaults: (next) => void (faults = next),
    busy: webhooks.busy,
    stop: async () => {
      await webhooks.stop()
      await server.stop()
      shop.close()
    },
  }
}

interface WebhookOptions {
  secret: string
  random: () => number
  now: () => Date
  faults: () => Faults
  shop: () => Shop
}

function createWebhooks(options: WebhookOptions) {
  let url: string | null = null
  let stopped = false
  const waiting = new Set<NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()
  const hooks: Hook[] = TOPICS.map((topic, index) => ({
    id: index + 1,
    name: `Crossdock ${topic}`,
    topic,
    status: 'active',
    failures: 0,
  }))

  const deliver = async (delivery: Delivery): Promise<void> => {
    const hook = hooks.find(({ topic }) => topic === delivery.topic)
    const order = options.shop().order(delivery.order_id)
    // One attempt, whatever becomes of it; a hook that was switched off meanwhile does not even make that one.
    if (url === null || hook === undefined || order === undefined || hook.status === 'disabled')
      return options.shop().attempted(delivery.id)
    const deleted = delivery.topic === 'order.deleted'
    const body = JSON.stringify(deleted ? { id: order.id } : orderJson(order, options.shop()))
    const headers = headersOf(hook, body, options)
    const lost = options.random() < options.faults().webhook_drop_share
    const twice = options.random() < options.faults().webhook_duplicate_share
    const status = lost ? undefined : await postWebhook(url, body, headers)
    if (twice && !lost) await postWebhook(url, body, headers)
    if (stopped) return
    options.shop().attempted(delivery.id)
    count(hook, status)
  }

  return {
    list: (): readonly (Hook & { delivery_url: string })[] =>
      hooks.map((hook) => ({ ...hook, delivery_url: url ?? '' })),
    listens: (topic: string): boolean =>
      url !== null && hooks.some((hook) => hook.topic === topic && hook.status === 'active'),
    revive: (id: number): void => {
      for (const hook of hooks) if (hook.id === id) [hook.status, hook.failures] = ['active', 0]
    },
    setUrl: (next: string): void => {
      url = next
      // Saving a hook makes the shop ping the address, unsigned. Whether anybody answers changes nothing for the orders.
      const ping = postWebhook(next, 'webhook_id=1', { 'content-type': 'application/x-www-form-urlencoded' }).then(
        () => undefined,
      )
      underWay.add(ping)
      void ping.finally(() => underWay.delete(ping))
    },
    send: (delivery: Delivery): void => {
      const timer = setTimeout(() => {
        waiting.delete(timer)
        const work = deliver(delivery)
        underWay.add(work)
        void work.finally(() => underWay.delete(work))
      }, options.random() * options.faults().webhook_delay_ms_max)
      waiting.add(timer)
    },
    busy: (): boolean => waiting.size + underWay.size > 0,
    stop: async (): Promise<void> => {
      stopped = true
      for (const timer of waiting) clearTimeout(timer)
      waiting.clear()
      await Promise.all(underWay)
    },
  }
}

/** Success is 200 to 302. */
function count(hook: Hook, status: number | undefined): void {
  if (status !== undefined && status >= 200 && status <= 302) hook.failures = 0
  else if (hook.failures > FAILURES_MAX) hook.status = 'disabled'
  else hook.failures += 1
}

function headersOf(
  hook: Hook,
  body: string,
  { now, secret }: Pick<WebhookOptions, 'now' | 'secret'>,
): Record<string, string> {
  const [resource = '', event = ''] = hook.topic.split('.')
  const delivery = createHash('md5').update(`${hook.id}${Math.floor(now().getTime() / 1_000)}`).digest('hex') // prettier-ignore
  return {
    'content-type': 'application/json',
    'user-agent': 'WooCommerce/10.3.0 Hookshot (WordPress/6.8.3)',
    'x-wc-webhook-source': 'http://127.0.0.1/',
    'x-wc-webhook-topic': hook.topic,
    'x-wc-webhook-resource': resource,
    'x-wc-webhook-event': event,
    'x-wc-webhook-signature': signHmac(body, secret, 'base64'),
    'x-wc-webhook-id': String(hook.id),
    'x-wc-webhook-delivery-id': delivery,
  }
}
