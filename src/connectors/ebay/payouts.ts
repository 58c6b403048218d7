import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port, Report, ReportPage, ReportRequest } from '../_kit/define.ts'
import type { EbaySettings } from './index.ts'
import { signedHeaders } from './messageSignature.ts'

const BASE = '/sell/finances/v1'
const DAY_MS = 86_400_000
/** The list reaches back this far in one call, and the first time that is all. */
const WINDOW_MS = 90 * DAY_MS
/** A payout may fail, or be tried again, this long after its date. */
const REACH_MS = 14 * DAY_MS
const PAYOUTS_LIMIT = 200
const TRANSACTIONS_LIMIT = 1_000
const PAGES_MAX = 2_000
/** Its rows are not settled yet: it is told once it has left. */
const UNSETTLED = new Set(['INITIATED'])

const open = { additionalProperties: true } as const
const Payout = Type.Object(
  {
    payoutId: Type.String({ minLength: 1, maxLength: 150 }),
    payoutDate: Type.String(),
    payoutStatus: Type.String({ maxLength: 40 }),
    transactionCount: Type.Optional(Type.Integer()),
  },
  open,
)
type Payout = Static<typeof Payout>
const pageOf = <K extends string>(key: K, row: Type.TSchema) =>
  checker(
    Type.Object({ total: Type.Optional(Type.Integer()), [key]: Type.Optional(Type.Array(row)) }, open),
    'vendor_response_invalid',
  ) as (body: unknown) => { total?: number } & { [P in K]?: unknown[] }
const readPayouts = pageOf('payouts', Payout)
const readTransactions = pageOf('transactions', Type.Object({ transactionId: Type.String() }, open))

/**
 * Payouts by their date, each with all of its transactions as one document. A payout that comes to another state (failed, reversed) is
 * told again. Nothing is listed where the connection has no API keys.
 */
export async function* listPayouts(port: Port<EbaySettings>, request: ReportRequest): AsyncGenerator<ReportPage> {
  if (port.settings.api === undefined) return
  const now_ms = request.now.getTime()
  const reach_ms = Math.max(REACH_MS, request.overlap_ms)
  let from_ms = request.cursor === null ? now_ms - WINDOW_MS : Date.parse(request.cursor) - reach_ms
  while (from_ms < now_ms) {
    const to_ms = Math.min(now_ms, from_ms + WINDOW_MS)
    const filter = `payoutDate:[${iso(from_ms)}..${iso(to_ms)}]`
    for await (const payouts of pages(port, request.now, { what: 'payout', filter, limit: PAYOUTS_LIMIT })) {
      const told = (payouts as Payout[]).filter(({ payoutStatus }) => !UNSETTLED.has(payoutStatus))
      yield { reports: told.map((payout) => reportOf(port, request.now, payout)), cursor: iso(from_ms) }
    }
    yield { reports: [], cursor: iso(to_ms) }
    from_ms = to_ms
  }
}

const iso = (ms: number): string => new Date(ms).toISOString()

function reportOf(port: Port<EbaySettings>, now: Date, payout: Payout): Report {
  return {
    reference: `${payout.payoutId}:${payout.payoutStatus}`,
    name: `ebay-payout-${payout.payoutId}.json`,
    read: async () => {
      const transactions: unknown[] = []
      const filter = `payoutId:{${payout.payoutId}}`
      for await (const page of pages(port, now, { what: 'transaction', filter, limit: TRANSACTIONS_LIMIT })) transactions.push(...page) // prettier-ignore
      const { transactionCount } = payout
      if (transactionCount !== undefined && transactionCount !== transactions.length) {
        const found = `${transactions.length} of ${transactionCount} transactions`
        throw new HubError('vendor_response_invalid', `payout ${payout.payoutId} shows ${found}`)
      }
      return Buffer.from(JSON.stringify({ payouts: [payout], transactions }), 'utf8')
    },
  }
}

interface Listing {
  what: 'payout' | 'transaction'
  filter: string
  limit: number
}

/** Pages by offset. A list without an entry is answered 204. */
async function* pages(
  port: Port<EbaySettings>,
  now: Date,
  { what, filter, limit }: Listing,
): AsyncGenerator<unknown[]> {
  let offset = 0
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const body = await call(port, now, what, { filter, limit, offset })
    if (body === undefined) return
    const { total, ...lists } = what === 'payout' ? readPayouts(body) : readTransactions(body)
    const rows = (lists as Record<string, unknown[] | undefined>)[`${what}s`] ?? []
    yield rows
    offset += rows.length
    if (rows.length === 0 || offset >= (total ?? 0)) return
  }
  throw new HubError('vendor_response_invalid', `the list of ${what}s did not end after ${PAGES_MAX} pages`)
}

async function call(
  port: Port<EbaySettings>,
  now: Date,
  what: Listing['what'],
  query: Record<string, string | number>,
): Promise<unknown> {
  const { api } = port.settings
  const path = `${BASE}/${what}`
  const authority = new URL(api?.finances_url ?? `https://apiz${api?.environment === 'sandbox' ? '.sandbox' : ''}.ebay.com`).host // prettier-ignore
  const headers = api?.signing === undefined ? {} : signedHeaders(api.signing, { method: 'GET', path, authority, now })
  const answer = await port.http.request({
    operation: `${what}.list`,
    method: 'GET',
    path,
    query,
    headers,
    repeat: 'safe',
  })
  return answer.status === 204 ? undefined : answer.body
}

/** One line for the person who tests the connection. */
export async function showNewestPayout(port: Port<EbaySettings>): Promise<string> {
  if (port.settings.api === undefined) return 'files alone: the connection has no API keys'
  const body = await call(port, new Date(), 'payout', { sort: '-payoutDate', limit: 1 })
  const newest = body === undefined ? undefined : (readPayouts(body).payouts?.[0] as Payout | undefined)
  return newest === undefined
    ? 'the seller has no payouts in the last 90 days'
    : `newest payout ${newest.payoutId} of ${newest.payoutDate.slice(0, 10)}, ${newest.payoutStatus}`
}
