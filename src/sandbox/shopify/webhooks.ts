import { createHash } from 'node:crypto'
import { request } from 'node:http'
import { signHmac } from '../../connectors/_kit/signatures.ts'
import type { Faults } from '../simulator.ts'

/** One message on its way. A retry carries the same bytes and ids as the first try. */
export interface Delivery {
  webhook_id: string
  /** Shared by all messages of one merchant action. */
  event_id: string
  topic: string
  triggered_at: string
  body: string
}

export interface Sender {
  send: (deliveries: readonly Delivery[]) => void
  busy: () => boolean
  stop: () => void
}

export interface SenderOptions {
  shop: string
  api_version: string
  secret: string
  url: () => string | null
  faults: () => Faults
  random: () => number
  /** Called once a delivery is through or has been given up, so that it is not sent again after a restart. */
  onSettled: (webhook_id: string, ending: 'delivered' | 'given_up') => void
}

const TIMEOUT_MS = 5_000
const RETRIES_MAX = 8
/** Shopify spreads its retries over four hours; the sandbox over about a minute. */
const RETRY_MS = 200
const SENDING_MAX = 16
const NO_URL_WAIT_MS = 50

/** A stable id in UUID form, so that a folded journal gives a message the id that it had before. */
export function uuidOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-')
}

/** Sends webhooks as Shopify does: unordered, five seconds for an answer, eight retries, any 2xx is success. */
export function startSender(options: SenderOptions): Sender {
  const open = new Map<string, Delivery>()
  const waiting: { delivery: Delivery; attempt: number }[] = []
  const timers = new Set<NodeJS.Timeout>()
  let sending = 0
  let stopped = false

  const later = (wait_ms: number, work: () => void): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      work()
    }, wait_ms)
    timers.add(timer)
  }
  const queue = (delivery: Delivery, attempt: number, wait_ms: number): void =>
    later(wait_ms, () => {
      waiting.push({ delivery, attempt })
      pump()
    })
  const settle = (delivery: Delivery, ending: 'delivered' | 'given_up'): void => {
    if (!open.delete(delivery.webhook_id)) return
    options.onSettled(delivery.webhook_id, ending)
  }
  const attemptOnce = async ({ delivery, attempt }: { delivery: Delivery; attempt: number }): Promise<void> => {
    const { webhook_drop_share, webhook_duplicate_share } = options.faults()
    const url = options.url()
    const lost = options.random() < webhook_drop_share
    const ok = !lost && url !== null && (await post(options, url, delivery))
    if (stopped) return
    if (ok && url !== null && options.random() < webhook_duplicate_share) await post(options, url, delivery)
    if (stopped) return
    if (ok) settle(delivery, 'delivered')
    else if (attempt >= RETRIES_MAX) settle(delivery, 'given_up')
    else queue(delivery, attempt + 1, RETRY_MS * 2 ** attempt)
  }
  const pump = (): void => {
    if (stopped) return
    // Without an address there is nobody to fail against: messages wait for one.
    if (options.url() === null) return waiting.length > 0 && timers.size === 0 ? later(NO_URL_WAIT_MS, pump) : undefined
    while (sending < SENDING_MAX) {
      const next = waiting.shift()
      if (next === undefined) return
      sending += 1
      void attemptOnce(next).finally(() => {
        sending -= 1
        pump()
      })
    }
  }
  return {
    send: (deliveries) => {
      for (const delivery of deliveries) {
        open.set(delivery.webhook_id, delivery)
        queue(delivery, 0, options.random() * options.faults().webhook_delay_ms_max)
      }
    },
    busy: () => open.size > 0,
    stop: () => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

function post(options: SenderOptions, url: string, delivery: Delivery): Promise<boolean> {
  const body = Buffer.from(delivery.body)
  const headers = {
    'content-type': 'application/json',
    'content-length': body.length,
    'x-shopify-topic': delivery.topic,
    'x-shopify-hmac-sha256': signHmac(body, options.secret, 'base64'),
    'x-shopify-shop-domain': options.shop,
    'x-shopify-api-version': options.api_version,
    'x-shopify-webhook-id': delivery.webhook_id,
    'x-shopify-event-id': delivery.event_id,
    'x-shopify-triggered-at': delivery.triggered_at,
  }
  return new Promise((resolve) => {
    const outgoing = request(
      url,
      { method: 'POST', headers, signal: AbortSignal.timeout(TIMEOUT_MS), agent: false },
      (answer) => {
        answer.resume()
        const status = answer.statusCode ?? 0
        answer.once('close', () => resolve(status >= 200 && status < 300))
      },
    )
    outgoing.once('error', () => resolve(false))
    outgoing.end(body)
  })
}
