import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import type { PaypalSettings } from './settings.ts'

/** Transaction Search, all of it between two instants. Without any filter but the dates, because only then the balances are shown. */

const PAGE_ROWS = 500
/** One search shows no more rows than this; a longer one is asked in halves. */
const SEARCH_ROWS_MAX = 10_000
const PAGES_MAX = SEARCH_ROWS_MAX / PAGE_ROWS
const SPAN_MS_MAX = 31 * 86_400_000
const SPAN_MS_MIN = 60_000
/** What one pull holds in memory. */
const ROWS_MAX = 500_000

const open = { additionalProperties: true } as const
const Page = Type.Object(
  {
    transaction_details: Type.Optional(Type.Array(Type.Object({ transaction_info: Type.Unknown() }, open))),
    account_number: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    last_refreshed_datetime: Type.Optional(Type.String()),
    total_items: Type.Optional(Type.Integer({ minimum: 0 })),
    total_pages: Type.Optional(Type.Integer({ minimum: 0 })),
  },
  open,
)
type Page = Static<typeof Page>
const readPage = checker(Page, 'vendor_response_invalid')

export interface SearchedRow {
  transaction_info: unknown
}

export interface Searched {
  account: string
  rows: SearchedRow[]
  /** Up to where the vendor's records are complete; nothing after it was asked for. */
  until: Date
}

/** Null where the vendor has no records of that time yet. Spans of at most 31 days, pages of 500, oldest first. */
export async function searchAll(port: Port<PaypalSettings>, from: Date, now: Date): Promise<Searched | null> {
  const found: Searched = { account: '', rows: [], until: now }
  // Seconds are the finest there is, and both ends of a search belong to it.
  let at_ms = Math.floor(from.getTime() / 1_000) * 1_000
  let span_ms = SPAN_MS_MAX
  while (at_ms <= found.until.getTime()) {
    const end_ms = Math.min(at_ms + span_ms - 1_000, Math.max(at_ms, Math.floor(now.getTime() / 1_000) * 1_000))
    const searched = await searchSpan(port, at_ms, end_ms)
    if (searched === 'no_records') return found.account === '' ? null : found
    if (searched === 'too_many') {
      if (span_ms <= SPAN_MS_MIN)
        throw new HubError('vendor_response_invalid', 'transactions.search: too many rows in one minute')
      span_ms = Math.max(SPAN_MS_MIN, Math.floor((end_ms - at_ms + 1_000) / 2_000) * 1_000)
      continue
    }
    found.account = searched.account || found.account
    found.rows.push(...searched.rows)
    if (found.rows.length > ROWS_MAX)
      throw new HubError('payload_too_large', `more than ${ROWS_MAX} rows since the last withdrawal that is settled`)
    const { refreshed_ms } = searched
    if (refreshed_ms !== null && refreshed_ms < found.until.getTime()) found.until = new Date(refreshed_ms)
    at_ms = end_ms + 1_000
    span_ms = SPAN_MS_MAX
  }
  return found
}

interface Span {
  account: string
  rows: SearchedRow[]
  refreshed_ms: number | null
}

async function searchSpan(
  port: Port<PaypalSettings>,
  from_ms: number,
  to_ms: number,
): Promise<Span | 'no_records' | 'too_many'> {
  const rows: SearchedRow[] = []
  let first: Page | undefined
  for (let number = 1; number <= (first?.total_pages ?? 1); number += 1) {
    const page = await askPage(port, { from_ms, to_ms, number })
    if (typeof page === 'string') return page
    first ??= page
    if ((first.total_items ?? 0) > SEARCH_ROWS_MAX) return 'too_many'
    if (number > PAGES_MAX) throw new HubError('vendor_response_invalid', 'transactions.search: its pages do not end')
    // A row that came in between has moved the others: what was read is not one picture.
    if (page.total_items !== first.total_items)
      throw new HubError('vendor_response_invalid', 'transactions.search: the list changed while it was read')
    rows.push(...(page.transaction_details ?? []))
  }
  if (first?.total_items !== undefined && rows.length !== first.total_items)
    throw new HubError(
      'vendor_response_invalid',
      `transactions.search: ${rows.length} of ${first.total_items} rows came`,
    )
  const refreshed_ms = Date.parse(first?.last_refreshed_datetime ?? '')
  return { account: first?.account_number ?? '', rows, refreshed_ms: Number.isNaN(refreshed_ms) ? null : refreshed_ms }
}

async function askPage(
  port: Port<PaypalSettings>,
  { from_ms, to_ms, number }: { from_ms: number; to_ms: number; number: number },
): Promise<Page | 'no_records' | 'too_many'> {
  try {
    const { body } = await port.http.request({
      operation: 'transactions.search',
      method: 'GET',
      path: '/v1/reporting/transactions',
      query: {
        start_date: secondOf(from_ms),
        end_date: secondOf(to_ms),
        // Names and addresses of buyers are not asked for.
        fields: 'transaction_info',
        balance_affecting_records_only: 'Y',
        page_size: PAGE_ROWS,
        page: number,
      },
      repeat: 'safe',
      timeout_ms: 60_000,
    })
    return readPage(body)
  } catch (thrown) {
    if (thrown instanceof HubError && thrown.code === 'not_yet') return 'no_records'
    if (thrown instanceof HubError && thrown.code === 'payload_too_large') return 'too_many'
    throw thrown
  }
}

const secondOf = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19)}Z`
