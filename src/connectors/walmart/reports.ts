import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port, Report, ReportPage, ReportRequest } from '../_kit/define.ts'
import type { WalmartSettings } from './index.ts'

const BASE = '/v3/report/reconreport'
const VERSION = 'v1'
const ROWS_LIMIT = 1_000
const PAGES_MAX = 5_000

const open = { additionalProperties: true } as const
const readDates = checker(
  Type.Object({ availableApReportDates: Type.Array(Type.String({ pattern: '^\\d{8}$' })) }, open),
  'vendor_response_invalid',
)
const readRows = checker(
  Type.Object({ reportData: Type.Array(Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))) }, open),
  'vendor_response_invalid',
)
type Row = ReturnType<typeof readRows>['reportData'][number]

/** Every report that the vendor has ready, oldest first. Nothing is listed where the connection has no API keys. */
export async function* listReconReports(
  port: Port<WalmartSettings>,
  request: ReportRequest,
): AsyncGenerator<ReportPage> {
  if (port.settings.api === undefined) return
  const dates = await availableDates(port)
  yield { reports: dates.map((date) => reportOf(port, date)), cursor: request.now.toISOString() }
}

async function availableDates(port: Port<WalmartSettings>): Promise<string[]> {
  const { body } = await port.http.request({
    operation: 'availableReconFiles',
    method: 'GET',
    path: `${BASE}/availableReconFiles`,
    query: { reportVersion: VERSION },
    repeat: 'safe',
  })
  return readDates(body).availableApReportDates.toSorted((a, b) => sortable(a).localeCompare(sortable(b)))
}

/** `07012018` → `20180701`. */
const sortable = (mmddyyyy: string): string => `${mmddyyyy.slice(4)}${mmddyyyy.slice(0, 4)}`

const reportOf = (port: Port<WalmartSettings>, date: string): Report => ({
  reference: `recon-${VERSION}:${date}`,
  name: `walmart-recon-${sortable(date)}.json`,
  read: async () => Buffer.from(JSON.stringify({ reportData: await rowsOf(port, date) }), 'utf8'),
})

/**
 * The rows of one report, in pages by offset. A server that does not know the offset sends the same page again; that one is the whole
 * report then, which the summary's total proves or refutes.
 */
async function rowsOf(port: Port<WalmartSettings>, reportDate: string): Promise<Row[]> {
  const rows: Row[] = []
  let first = ''
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const { body } = await port.http.request({
      operation: 'reconFileJson',
      method: 'GET',
      path: `${BASE}/reconFileJson`,
      query: { reportDate, reportVersion: VERSION, limit: ROWS_LIMIT, offset: rows.length },
      repeat: 'safe',
    })
    const found = readRows(body).reportData
    const begins = JSON.stringify(found[0] ?? null)
    if (found.length === 0 || (page > 0 && begins === first)) return rows
    if (page === 0) first = begins
    rows.push(...found)
  }
  throw new HubError('vendor_response_invalid', `the report of ${reportDate} did not end after ${PAGES_MAX} pages`)
}

/** One line for the person who tests the connection. */
export async function showNewestReport(port: Port<WalmartSettings>): Promise<string> {
  if (port.settings.api === undefined) return 'files alone: the connection has no API keys'
  const newest = (await availableDates(port)).at(-1)
  return newest === undefined ? 'there is no reconciliation report yet' : `newest report of ${sortable(newest)}`
}
