import { decimalFromMinor } from '../../core/model/money.ts'
import type { VendorAnswer } from '../vendorServer.ts'
import type { AccountReport } from './account.ts'
import { absent, json, listOf, type ApiCall, type Route } from './api.ts'
import { moneyRows, type MoneyRow } from './payouts.ts'

const REPORTS = '/reports/2021-06-30'
const REPORT_TYPE = 'GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2'

export const PAYOUT_ROUTES: readonly Route[] = [
  { method: 'GET', path: new RegExp(`^${REPORTS}/reports$`), operation: 'getReports', handle: getReports },
  { method: 'GET', path: new RegExp(`^${REPORTS}/reports/([^/]+)$`), operation: 'getReport', handle: getReport },
  {
    method: 'GET',
    path: new RegExp(`^${REPORTS}/documents/([^/]+)$`),
    operation: 'getReportDocument',
    handle: getDocument,
  },
  {
    method: 'GET',
    path: /^\/finances\/v0\/financialEventGroups$/,
    operation: 'listFinancialEventGroups',
    handle: groups,
  },
  {
    method: 'GET',
    path: /^\/finances\/2024-06-19\/transactions$/,
    operation: 'listTransactions',
    handle: transactions,
  },
]

const iso = (ms: number): string => new Date(ms).toISOString()

const shownReport = ({ id, created_ms, document_id }: AccountReport) => ({
  reportId: id,
  reportType: REPORT_TYPE,
  createdTime: iso(created_ms),
  processingStatus: 'DONE',
  reportDocumentId: document_id,
})

/** Newest first, some to a page. A token stands for all other parameters. */
function getReports({ request, options }: ApiCall): VendorAnswer {
  const { query } = request
  const [since, from] = (query.get('nextToken') ?? `${query.get('createdSince') ?? ''}|0`).split('|')
  const types = listOf(query.get('reportTypes'))
  const all = options.account
    .reports()
    .filter(({ created_ms }) => created_ms >= (Date.parse(since ?? '') || 0))
    .filter(() => query.has('nextToken') || types.length === 0 || types.includes(REPORT_TYPE))
    .toSorted((a, b) => b.created_ms - a.created_ms)
  const start = Number(from)
  const page = all.slice(start, start + options.page_size)
  const next = start + page.length < all.length ? { nextToken: `${since}|${start + page.length}` } : {}
  return json(200, { reports: page.map(shownReport), ...next })
}

function getReport({ options, ids }: ApiCall): VendorAnswer {
  const report = options.account.reports().find(({ id }) => id === ids[0])
  return report === undefined ? absent('The report') : json(200, shownReport(report))
}

function getDocument({ options, ids }: ApiCall): VendorAnswer {
  const [id = ''] = ids
  if (options.account.document(id) === undefined) return absent('The document')
  return json(200, { reportDocumentId: id, url: options.sign(id), compressionAlgorithm: 'GZIP' })
}

// ── the Finances API ──────────────────────────────────────────────────────────────────────────────────────────────────────

/** This API writes amounts as JSON numbers, with two digits after the mark: made of text, so that none is rounded. */
const amount = (minor: number, currency: string): string => decimalFromMinor(minor, currency)

function groups({ options }: ApiCall): VendorAnswer {
  const { currency } = options.account
  const list = options.account.reports().map(({ settlement_id, created_ms, payout_minor }) =>
    `{"FinancialEventGroupId":"${settlement_id}","ProcessingStatus":"Closed","FundTransferStatus":"Succeeded",` +
    `"OriginalTotal":{"CurrencyCode":"${currency}","CurrencyAmount":${amount(payout_minor, currency)}},` +
    `"FundTransferDate":"${iso(created_ms)}","TraceId":"${settlement_id}",` +
    `"FinancialEventGroupStart":"${iso(created_ms - 1_000)}","FinancialEventGroupEnd":"${iso(created_ms)}"}`,
  ) // prettier-ignore
  return { status: 200, body: `{"payload":{"FinancialEventGroupList":[${list.join(',')}]}}` }
}

const PAGE = 2

/** Of a payout, some to a page; the first page is empty, as pages of this API may be. */
function transactions({ request, options }: ApiCall): VendorAnswer {
  const { query } = request
  const { account } = options
  const group = query.get('relatedIdentifierValue') ?? ''
  const report = account.reports().find(({ settlement_id }) => settlement_id === group)
  if (query.get('relatedIdentifierName') !== 'FINANCIAL_EVENT_GROUP_ID' || report === undefined)
    return absent('The group')
  const rows = moneyRows(account, report)
  const from = Number(query.get('nextToken') ?? -1)
  if (from < 0) return { status: 200, body: '{"payload":{"transactions":[],"nextToken":"0"}}' }
  const page = rows.slice(from, from + PAGE).map((row) => transactionJson(row, report, account.currency))
  const next = from + PAGE < rows.length ? `,"nextToken":"${from + PAGE}"` : ''
  return { status: 200, body: `{"payload":{"transactions":[${page.join(',')}]${next}}}` }
}

function transactionJson(row: MoneyRow, { settlement_id, created_ms }: AccountReport, currency: string): string {
  const money = `{"currencyCode":"${currency}","currencyAmount":${amount(row.minor, currency)}}`
  return (
    `{"transactionId":"${row.id}","transactionType":"${row.transaction}","transactionStatus":"RELEASED","postedDate":"${iso(created_ms)}",` +
    `"description":"${row.transaction}","totalAmount":${money},` +
    `"relatedIdentifiers":[{"relatedIdentifierName":"ORDER_ID","relatedIdentifierValue":"${row.order_id}"},` +
    `{"relatedIdentifierName":"FINANCIAL_EVENT_GROUP_ID","relatedIdentifierValue":"${settlement_id}"}],` +
    `"breakdowns":[{"breakdownType":"${row.breakdown}","breakdownAmount":${money},"breakdowns":[]}]}`
  )
}
