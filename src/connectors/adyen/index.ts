import { createHash } from 'node:crypto'
import { adyenReportReady, isSettlementReport } from '../../mappings/adyen/reportReady.ts'
import { adyenSettlementDetail } from '../../mappings/adyen/settlement.ts'
import { defineConnector, type Verdict, type WebhookRequest } from '../_kit/define.ts'
import { ADYEN_ITEM, verifyFields } from '../_kit/signatureKeys.ts'
import { reports } from './reports.ts'
import { AdyenSettings, reportsHost } from './settings.ts'

/** Settlement detail reports, announced by the standard webhook; payments themselves are not read. */
export const adyen = defineConnector({
  id: 'adyen',
  label: 'Adyen',
  kind: 'gateway',
  grade: 'simulator',
  settings: AdyenSettings,
  http: {
    baseUrl: reportsHost,
    headers: () => ({}),
    transfer_hosts: (settings) => [new URL(reportsHost(settings)).host],
    limit: () => ({ calls: 5, per_ms: 1_000 }),
  },
  webhook: {
    content_types: ['application/json'],
    verify: (request, { hmac_keys = [] }) => verifyItems(request, hmac_keys),
    topics: ['REPORT_AVAILABLE'],
    topic: (request) => (itemsOf(request).some(isReport) ? 'report_ready' : 'ignore'),
    // The date is not signed, but whoever tells the same report again tells of a new one.
    dedupeKey: (request) => digest(itemsOf(request).map((item) => KEYS.map((name) => item[name] ?? null))),
    observedAt: (request) => {
      const date = itemsOf(request)[0]?.['eventDate']
      const at_ms = typeof date === 'string' ? Date.parse(date) : Number.NaN
      return Number.isNaN(at_ms) ? undefined : new Date(at_ms).toISOString()
    },
  },
  inbound: { report_ready: adyenReportReady },
  settlements: { formats: [adyenSettlementDetail], reports },
})

const KEYS = ['pspReference', 'merchantAccountCode', 'eventCode', 'success', 'eventDate'] as const
const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex')

type Item = Record<string, unknown>

function isReport(item: Item): boolean {
  const word = (name: string): string => (typeof item[name] === 'string' ? item[name] : '')
  return isSettlementReport({
    eventCode: word('eventCode'),
    success: item['success'] === true ? 'true' : word('success'),
    pspReference: word('pspReference'),
  })
}

/** Every item is signed by itself; one that is not makes the whole message worthless. */
function verifyItems(request: WebhookRequest, keys: readonly string[]): Verdict {
  const items = itemsOf(request)
  if (items.length === 0) return { ok: false, reason: 'there is no notification in it' }
  const verdicts = items.map((item) => verifyFields(ADYEN_ITEM, item, keys))
  return verdicts.find((verdict) => !verdict.ok) ?? { ok: true }
}

function itemsOf({ body }: WebhookRequest): Item[] {
  try {
    const value = JSON.parse(body.toString('utf8')) as { notificationItems?: unknown } | null
    const items = Array.isArray(value?.notificationItems) ? (value.notificationItems as unknown[]) : []
    return items.map((entry) => {
      const item = typeof entry === 'object' && entry !== null ? (entry as Item)['NotificationRequestItem'] : undefined
      return typeof item === 'object' && item !== null ? (item as Item) : {}
    })
  } catch {
    return []
  }
}
