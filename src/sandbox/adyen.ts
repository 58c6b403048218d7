import { createHmac } from 'node:crypto'
import { MERCHANT_ACCOUNT, openAdyenBatches, type AdyenBatches } from './adyenBatches.ts'
import type { Simulator, SimulatorOptions } from './simulator.ts'
import { postWebhook, startVendorServer, type VendorAnswer, type VendorRequest } from './vendorServer.ts'

export interface AdyenOptions extends SimulatorOptions {
  connection_id: string
  currency: string
}

export interface AdyenSimulator extends Simulator, Omit<AdyenBatches, 'reportOf' | 'close'> {
  readonly connection_id: string
  /** Tells of a report once more, as after a correction. */
  announce: (batch: number) => void
  /** How often each report was downloaded, by batch. */
  downloads: () => Readonly<Record<number, number>>
}

const REPORT_USER = 'report@Company.SandboxShop'
const REPORT_PASSWORD = 'sandbox-adyen-password'
const HMAC_KEY = '5A4D0B0EC0FFEE00112233445566778899AABBCCDDEEFF000123456789ABCDEF'
const RETRY_DELAYS_MS = [200, 400, 800, 1_600, 3_000] as const
const ATTEMPTS_MAX = 200

const text = (status: number, body: string, headers: Record<string, string> = {}): VendorAnswer => ({
  status,
  headers: { 'content-type': 'text/html', ...headers },
  body,
})

/** An Adyen merchant account on 127.0.0.1: a report for each batch behind basic authentication, and signed notifications of them. */
export async function startAdyenSimulator(options: AdyenOptions): Promise<AdyenSimulator> {
  const { now, random } = options
  let { faults, webhook_url } = options
  let stopped = false
  const { reportOf, close, ...verbs } = openAdyenBatches(options)
  const downloads: Record<number, number> = {}
  const timers = new Set<NodeJS.Timeout>()
  const underWay = new Set<Promise<void>>()

  const answer = ({ method, path, headers }: VendorRequest): VendorAnswer => {
    const expected = `Basic ${Buffer.from(`${REPORT_USER}:${REPORT_PASSWORD}`).toString('base64')}`
    if (headers['authorization'] !== expected) return text(401, 'Unauthorized', { 'www-authenticate': 'Basic' })
    const batch = Number(new RegExp(`^${pathOf('(\\d+)')}$`).exec(path)?.[1])
    const report = method === 'GET' ? reportOf(batch) : undefined
    if (report === undefined) return text(404, 'Not Found')
    downloads[batch] = (downloads[batch] ?? 0) + 1
    return { status: 200, headers: { 'content-type': 'text/csv' }, body: report }
  }
  const server = await startVendorServer({
    port: options.port,
    random,
    faults: () => faults,
    throttled: text(429, 'Too Many Requests', { 'retry-after': '1' }),
    failed: text(500, 'Internal Server Error'),
    answer,
  })

  const after = (delay_ms: number, body: string, attempt: number): void => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      const work = deliver(body, attempt)
      underWay.add(work)
      void work.finally(() => underWay.delete(work))
    }, delay_ms)
    timers.add(timer)
  }
  const deliver = async (body: string, attempt: number): Promise<void> => {
    if (webhook_url === null) return
    const lost = random() < faults.webhook_drop_share
    const post = async (url: string) => postWebhook(url, body, { 'content-type': 'application/json' })
    const status = lost ? undefined : await post(webhook_url)
    if (!lost && random() < faults.webhook_duplicate_share) await post(webhook_url)
    const taken = status !== undefined && status >= 200 && status < 300
    if (!taken && !stopped && attempt < ATTEMPTS_MAX)
      after(RETRY_DELAYS_MS[Math.min(attempt, RETRY_DELAYS_MS.length) - 1] ?? 0, body, attempt + 1)
  }
  const announce = (batch: number): void =>
    after(random() * faults.webhook_delay_ms_max, notificationOf(batch, server.url, now()), 1)

  return {
    url: server.url,
    connection_id: options.connection_id,
    settings: {
      merchant_account: MERCHANT_ACCOUNT,
      hmac_keys: [HMAC_KEY],
      report_user: REPORT_USER,
      report_password: REPORT_PASSWORD,
      reports_url: server.url,
    },
    ...verbs,
    payOut: (keep_minor) => {
      const paid = verbs.payOut(keep_minor)
      if (paid !== undefined) announce(paid.batch)
      return paid
    },
    announce,
    downloads: () => downloads,
    setWebhookUrl: (next) => void (webhook_url = next),
    setFaults: (next) => void (faults = next),
    busy: () => timers.size + underWay.size > 0,
    stop: async () => {
      stopped = true
      for (const timer of timers) clearTimeout(timer)
      timers.clear()
      await Promise.all(underWay)
      await server.stop()
      close()
    },
  }
}

const nameOf = (batch: number | string): string => `settlement_detail_report_batch_${batch}.csv`
const pathOf = (batch: number | string): string =>
  `/reports/download/MerchantAccount/${MERCHANT_ACCOUNT}/${nameOf(batch)}`

function notificationOf(batch: number, host: string, at: Date): string {
  const item = {
    amount: { currency: 'EUR', value: 0 },
    eventCode: 'REPORT_AVAILABLE',
    eventDate: at.toISOString(),
    merchantAccountCode: MERCHANT_ACCOUNT,
    merchantReference: '',
    pspReference: nameOf(batch),
    reason: `${host}${pathOf(batch)}`,
    success: 'true',
  }
  const signed = [item.pspReference, '', item.merchantAccountCode, item.merchantReference, item.amount.value, item.amount.currency, item.eventCode, item.success].join(':') // prettier-ignore
  const hmacSignature = createHmac('sha256', Buffer.from(HMAC_KEY, 'hex')).update(signed).digest('base64')
  return JSON.stringify({
    live: 'false',
    notificationItems: [{ NotificationRequestItem: { ...item, additionalData: { hmacSignature } } }],
  })
}
