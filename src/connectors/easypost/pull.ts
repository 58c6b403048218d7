import { pagesByCursor } from '../_kit/pagination.ts'
import type { PulledItem, PulledPage, Port, PullRequest, SelfCheck } from '../_kit/define.ts'
import type { Settings } from './settings.ts'

const PAGE_SIZE = 100
/** A hundred thousand parcels. */
const PAGES_MAX = 1_000
const DAY_MS = 86_400_000
const EVER = new Date(0).toISOString()

/** How far a look has come: everything that changed before `since` is known, and what is left begins before `before`. */
interface Progress {
  since: string
  began: string
  before: string | undefined
}

/**
 * Trackers that have changed since the last time. Lists are by creation and know no filter by change, so all parcels of the last
 * `tracking_days` are looked through and those that stand still are passed over. The cursor is when the last whole look began, and in the
 * middle of one how far it has come.
 */
export async function* pullTracking(port: Port<Settings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const { since, began, before } = progressOf(request)
  const changed_ms = Date.parse(since) - request.overlap_ms
  const start_datetime = new Date(Date.parse(began) - (port.settings.tracking_days ?? 30) * DAY_MS).toISOString()
  let next: string | null = null
  const pages = pagesByCursor(
    { what: 'the list of trackers', pages_max: PAGES_MAX, ...(before === undefined ? {} : { from: before }) },
    async (before_id) => {
      const { body } = await port.http.request({
        operation: 'listTrackers',
        method: 'GET',
        path: '/trackers',
        query: { page_size: PAGE_SIZE, start_datetime, before_id },
        repeat: 'safe',
      })
      const { trackers, has_more } = body as { trackers?: unknown[]; has_more?: unknown }
      const items = (trackers ?? []).map(headOf)
      next = has_more === true ? (items.at(-1)?.id ?? null) : null
      return { items, next }
    },
  )
  for await (const page of pages) {
    const items = page.flatMap(({ id, updated_at, state, payload }): PulledItem[] =>
      Date.parse(updated_at) < changed_ms
        ? []
        : [{ topic: 'tracker', dedupe_key: `${id}:${updated_at}:${state}`, payload }],
    )
    yield { items, cursor: next === null ? began : [since, began, next].join(' ') }
  }
}

function progressOf({ cursor, now }: PullRequest): Progress {
  const [since = EVER, began, before] = cursor?.split(' ') ?? []
  return { since, began: began ?? now.toISOString(), before }
}

interface TrackerHead {
  id: string
  updated_at: string
  /** Instants have no fractions, so that two changes of one second are told apart by what they show. */
  state: string
  payload: unknown
}

function headOf(payload: unknown): TrackerHead {
  const { id, updated_at, status, tracking_details } = (payload ?? {}) as Record<string, unknown>
  const text = (value: unknown): string => (typeof value === 'string' ? value : '')
  const scans = Array.isArray(tracking_details) ? tracking_details.length : 0
  return { id: text(id), updated_at: text(updated_at), state: `${text(status).slice(0, 40)}:${scans}`, payload }
}

/** A cheap call that shows a real record. */
export async function showNewestShipment(port: Port<Settings>): Promise<string> {
  const { body } = await port.http.request({
    operation: 'listShipments',
    method: 'GET',
    path: '/shipments',
    query: { page_size: 1 },
    repeat: 'safe',
  })
  const [newest] = (body as { shipments?: { id?: unknown; mode?: unknown }[] }).shipments ?? []
  if (newest === undefined) return 'the account answers; it has no shipments yet'
  const word = (value: unknown): string => (typeof value === 'string' ? value.slice(0, 60) : '?')
  return `the newest shipment is ${word(newest.id)} (${word(newest.mode)} mode)`
}

/** Endpoints that fail for too long are disabled by the vendor, and nobody is told of parcels any more. */
export async function checkWebhooks(port: Port<Settings>): Promise<SelfCheck[]> {
  const { body } = await port.http.request({
    operation: 'listWebhooks',
    method: 'GET',
    path: '/webhooks',
    repeat: 'safe',
  })
  const hooks = (body as { webhooks?: { url?: unknown; disabled_at?: unknown }[] }).webhooks ?? []
  const live = hooks.filter(({ disabled_at }) => disabled_at === null || disabled_at === undefined)
  const name = 'webhooks'
  if (hooks.length === 0) return [{ name, ok: false, detail: 'there is none; parcels are followed by polling alone' }]
  if (live.length === hooks.length) return [{ name, ok: true, detail: `${live.length} enabled` }]
  return [
    { name, ok: false, detail: `${hooks.length - live.length} of ${hooks.length} are disabled; enable them again` },
  ]
}
