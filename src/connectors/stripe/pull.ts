import { createHash } from 'node:crypto'
import Type, { type TSchema } from 'typebox'
import { checker } from '../../core/model/validate.ts'
import type { Port, PulledItem, PulledPage, PullRequest } from '../_kit/define.ts'
import { everyItem, pagesByCursor, timeWindows } from '../_kit/pagination.ts'
import type { StripeSettings } from './index.ts'

const LIMIT = 100
/** A list longer than this is not cut short in silence: a payout with a row missing would look like a broken one. */
const PAGES_MAX = 2_000
const DAY_S = 86_400
const FIRST_REACH_S = { payments: 30 * DAY_S, settlements: 90 * DAY_S } as const
/** A paid payout may still fail within five business days, and the list knows only when a payout was created. */
const PAYOUT_REACH_S = 12 * DAY_S

const open = { additionalProperties: true } as const
const listOf = <T extends TSchema>(row: T) =>
  checker(Type.Object({ data: Type.Array(row), has_more: Type.Boolean() }, open), 'vendor_response_invalid')
const readObjects = listOf(Type.Object({ id: Type.String(), created: Type.Integer() }, open))
const readPayouts = listOf(
  Type.Object(
    {
      id: Type.String(),
      created: Type.Integer(),
      status: Type.String(),
      automatic: Type.Boolean(),
      reconciliation_status: Type.Optional(Type.String()),
    },
    open,
  ),
)

type Query = Record<string, string | number>
type Payout = ReturnType<typeof readPayouts>['data'][number]
type Read<T> = (body: unknown) => { data: T[]; has_more: boolean }

/** Lists run newest first; the next page starts after the last id of this one. */
const pages = <T extends { id: string }>(
  port: Port<StripeSettings>,
  path: string,
  query: Query,
  read: Read<T>,
): AsyncGenerator<readonly T[]> =>
  pagesByCursor({ what: path, pages_max: PAGES_MAX }, async (starting_after) => {
    const answer = await port.http.request({
      operation: `${path.slice('/v1/'.length)}.list`,
      method: 'GET',
      path,
      query: { ...query, limit: LIMIT, ...(starting_after === undefined ? {} : { starting_after }) },
      repeat: 'safe',
    })
    const { data, has_more } = read(answer.body)
    return { items: data, next: has_more ? data.at(-1)?.id : undefined }
  })

// ── payments ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

const SOURCES = [
  { path: '/v1/charges', topic: 'payment' },
  { path: '/v1/refunds', topic: 'refund' },
  { path: '/v1/disputes', topic: 'dispute' },
] as const

/**
 * Charges, refunds and disputes by creation time, for the webhooks that never came. Time is walked forward in windows of a day,
 * because inside a list it runs backwards: the cursor may pass a window only when all of it has been stored.
 */
export async function* pullPayments(port: Port<StripeSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const now_s = Math.floor(request.now.getTime() / 1_000)
  const kept_s = request.cursor === null ? now_s - FIRST_REACH_S.payments : Number(request.cursor)
  const start_s = kept_s - Math.ceil(request.overlap_ms / 1_000)
  for (const { from, to } of timeWindows(new Date(start_s * 1_000), new Date((now_s + 1) * 1_000), DAY_S * 1_000)) {
    const [from_s, to_s] = [from.getTime() / 1_000, to.getTime() / 1_000]
    const window = { 'created[gte]': from_s, 'created[lt]': to_s }
    for (const { path, topic } of SOURCES) {
      for await (const objects of pages(port, path, window, readObjects)) {
        if (objects.length > 0)
          yield { items: objects.map((object) => itemOf(topic, object)), cursor: String(Math.max(kept_s, from_s)) }
      }
    }
    // The present second is not over: it is read again next time.
    yield { items: [], cursor: String(Math.max(kept_s, Math.min(to_s, now_s))) }
  }
}

function itemOf(topic: string, object: { id: string }): PulledItem {
  const hash = createHash('sha256').update(JSON.stringify(object)).digest('hex').slice(0, 32)
  return { topic, dedupe_key: `poll:${object.id}:${hash}`, payload: object }
}

// ── settlements ───────────────────────────────────────────────────────────────────────────────────────────────────────────

interface SettlementsCursor {
  /** Unix seconds up to which every payout has reached a state that was told. */
  since_s: number
  /** Payouts inside the reach and the state in which they were told, so that their rows are not fetched again. */
  told: Record<string, string>
}

/**
 * Payouts with all their ledger rows, one page each, oldest first. Automatic payouts know their rows once they are reconciled; a failed
 * or cancelled one is told at once, and so is a manual one, whose rows nobody knows. Each further state (paid, later failed) is told again.
 */
export async function* pullSettlements(port: Port<StripeSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const now_s = Math.floor(request.now.getTime() / 1_000)
  const cursor: SettlementsCursor =
    request.cursor === null
      ? { since_s: now_s - FIRST_REACH_S.settlements, told: {} }
      : (JSON.parse(request.cursor) as SettlementsCursor)
  const reach_s = Math.max(PAYOUT_REACH_S, Math.ceil(request.overlap_ms / 1_000))
  const from_s = request.cursor === null ? cursor.since_s : cursor.since_s - reach_s
  const list = await everyItem(pages(port, '/v1/payouts', { 'created[gte]': from_s }, readPayouts))
  const payouts = list.toSorted((a, b) => a.created - b.created)

  const told: Record<string, string> = {}
  for (const payout of payouts) if (cursor.told[payout.id] !== undefined) told[payout.id] = cursor.told[payout.id] ?? ''
  for (const payout of payouts) {
    const state = stateOf(payout)
    if (!isTellable(payout) || told[payout.id] === state) continue
    const item = await settlementItem(port, payout, state)
    told[payout.id] = state
    yield { items: [item], cursor: JSON.stringify({ since_s: cursor.since_s, told }) }
  }
  const waiting = payouts.filter((payout) => !isTellable(payout)).map((payout) => payout.created)
  yield { items: [], cursor: JSON.stringify({ since_s: Math.min(now_s, ...waiting), told }) }
}

const stateOf = (payout: Payout): string => `${payout.status}:${payout.reconciliation_status ?? ''}`

const isTellable = (payout: Payout): boolean =>
  !payout.automatic ||
  payout.reconciliation_status === 'completed' ||
  payout.status === 'failed' ||
  payout.status === 'canceled'

async function settlementItem(port: Port<StripeSettings>, payout: Payout, state: string): Promise<PulledItem> {
  const query = { payout: payout.id, 'expand[]': 'data.source' }
  const rows = payout.automatic ? await everyItem(pages(port, '/v1/balance_transactions', query, readObjects)) : []
  return {
    topic: 'settlement',
    dedupe_key: `poll:${payout.id}:${state}`,
    payload: { payout, balance_transactions: rows },
  }
}

export async function showNewestCharge(port: Port<StripeSettings>): Promise<string> {
  const answer = await port.http.request({
    operation: 'charges.list',
    method: 'GET',
    path: '/v1/charges',
    query: { limit: 1 },
    repeat: 'safe',
  })
  const newest = readObjects(answer.body).data[0]
  return newest === undefined
    ? 'the account has no charges yet'
    : `newest charge ${newest.id} of ${new Date(newest.created * 1_000).toISOString()}`
}
