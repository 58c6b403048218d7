import { easypostShipment, easypostTracker } from '../../mappings/easypost/tracking.ts'
import { defineConnector, type HttpAnswer, type WebhookRequest } from '../_kit/define.ts'
import type { ErrorCode } from '../../core/errors.ts'
import { EASYPOST, verifyScheme } from '../_kit/signatures.ts'
import { checkWebhooks, pullTracking, showNewestShipment } from './pull.ts'
import { Settings } from './settings.ts'
import { labels, rates } from './shipments.ts'

/** Index endpoints bear five calls a second; of the others only a limit by load is known. */
const LISTS_PER_SECOND = 5
const CALLS_PER_SECOND = 10
const FILE_HOSTS = ['easypost-files.s3.us-west-2.amazonaws.com', 'easypost-files.s3-us-west-2.amazonaws.com'] as const

const perSecond = (calls: number) => ({ calls, per_ms: 1_000 })

/** Carriers through EasyPost: rates, labels, refunds, tracking. */
export const easypost = defineConnector({
  id: 'easypost',
  label: 'EasyPost',
  kind: 'carrier',
  grade: 'simulator',
  settings: Settings,
  http: {
    baseUrl: ({ api_url }) => api_url ?? 'https://api.easypost.com/v2',
    headers: ({ api_key }) => ({ authorization: `Basic ${Buffer.from(`${api_key}:`).toString('base64')}` }),
    transfer_hosts: ({ file_hosts = [] }) => [...FILE_HOSTS, ...file_hosts],
    limit: ({ calls_per_second }) => perSecond(calls_per_second ?? CALLS_PER_SECOND),
    limits: ({ calls_per_second }) => {
      const lists = perSecond(Math.min(LISTS_PER_SECOND, calls_per_second ?? CALLS_PER_SECOND))
      return { listShipments: lists, listTrackers: lists, listWebhooks: lists }
    },
    timeout_ms: 45_000,
    classify,
  },
  webhook: {
    content_types: ['application/json'],
    verify: (request, { webhook_secrets }) => verifyScheme(EASYPOST, request, webhook_secrets),
    topics: ['tracker.created', 'tracker.updated'],
    topic: (request) => (/^tracker\.(created|updated)$/.test(headOf(request).description) ? 'tracker' : 'ignore'),
    dedupeKey: (request) => headOf(request).id,
    observedAt: (request) => {
      const { created_at } = headOf(request)
      return Number.isNaN(Date.parse(created_at)) ? undefined : new Date(created_at).toISOString()
    },
  },
  inbound: { tracker: easypostTracker, shipment: easypostShipment },
  envelopes: { tracker: ['trackers'], shipment: ['shipments'] },
  pull: { tracking: pullTracking },
  test: showNewestShipment,
  selfTest: checkWebhooks,
  rates,
  labels,
})

function headOf({ body }: WebhookRequest): { id: string; description: string; created_at: string } {
  const event = parsed(body)
  const word = (key: string): string => {
    const value = event[key]
    return typeof value === 'string' ? value.slice(0, 200) : ''
  }
  return { id: word('id'), description: word('description'), created_at: word('created_at') }
}

function parsed(body: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** By status; everything else keeps its usual meaning. Without funds every further purchase would be refused as well. */
const CODES: Readonly<Record<number, ErrorCode>> = {
  400: 'vendor_rejected',
  402: 'vendor_auth',
  404: 'vendor_not_found',
  409: 'vendor_conflict',
  422: 'vendor_rejected',
}
const FAULTS_MAX = 5

/**
 * Faults come in two forms: `errors` as a list of objects that name a field, or as a list of sentences. Sentences may quote an address, so
 * only words that look like a field's name are taken out of them.
 */
function classify({ status, body }: HttpAnswer): { code: ErrorCode; detail: string } | undefined {
  const code = CODES[status]
  const error = typeof body === 'object' && body !== null && 'error' in body ? body.error : undefined
  if (code === undefined || typeof error !== 'object' || error === null) return undefined
  const { code: word, errors } = error as { code?: unknown; errors?: unknown }
  const faults = (Array.isArray(errors) ? (errors as unknown[]) : []).slice(0, FAULTS_MAX).flatMap(faultOf)
  const named = [isWord(word) ? word : '', ...new Set(faults)].filter((part) => part !== '').join(', ')
  return { code, detail: named === '' ? `${status}` : `${status} (${named})` }
}

const isWord = (value: unknown): value is string => typeof value === 'string' && /^[\w.]{1,80}$/.test(value)

function faultOf(fault: unknown): string[] {
  if (typeof fault === 'string') return fault.match(/\b[a-z]+(?:[._][a-z]+)+\d?\b/g)?.slice(0, 3) ?? []
  if (typeof fault !== 'object' || fault === null) return []
  const { field, code } = fault as { field?: unknown; code?: unknown }
  return [[field, code].filter(isWord).join(' ')]
}
