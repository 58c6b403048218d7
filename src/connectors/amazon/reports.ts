import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import { SETTLEMENT_REPORT } from '../../mappings/amazon/notification.ts'
import type { Port, Report, ReportPage, ReportRequest } from '../_kit/define.ts'
import { downloadDocument } from './documents.ts'
import { payoutGroups } from './finances.ts'
import type { Settings } from './settings.ts'

const REPORTS = '/reports/2021-06-30'
/** Amazon keeps reports for ninety days. */
const KEPT_MS = 90 * 86_400_000 - 3_600_000
const PAGES_MAX = 100
const REPORT_BYTES_MAX = 256_000_000

const open = { additionalProperties: true } as const
const Row = Type.Object(
  {
    reportId: Type.String({ minLength: 1 }),
    reportType: Type.String(),
    processingStatus: Type.String(),
    createdTime: Type.String(),
    reportDocumentId: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  open,
)
const readRow = checker(Row, 'vendor_response_invalid')
const readPage = checker(
  Type.Object({ reports: Type.Array(Row), nextToken: Type.Optional(Type.Union([Type.String(), Type.Null()])) }, open),
  'vendor_response_invalid',
)
type Row = ReturnType<typeof readRow>

/**
 * Payouts as files. Settlement reports cannot be ordered: Amazon makes one whenever it closes a settlement, and they are found in the list
 * of reports. Where the settings ask for the Finances API instead, each payout's transactions make up the file.
 */
export async function* listReports(port: Port<Settings>, request: ReportRequest): AsyncGenerator<ReportPage> {
  if (port.settings.api === undefined) return
  if (port.settings.payouts_from === 'transactions') yield* payoutGroups(port, request)
  else yield* settlementReports(port, request)
}

async function* settlementReports(port: Port<Settings>, request: ReportRequest): AsyncGenerator<ReportPage> {
  const { cursor, overlap_ms, now, announced } = request
  const earliest = now.getTime() - KEPT_MS
  const since = cursor === null ? earliest : Math.max(earliest, Date.parse(cursor) - overlap_ms)
  const rows = await listed(port, new Date(since).toISOString())
  const known = new Set(rows.map(({ reportId }) => reportId))
  const reports = [
    ...announced.filter((id) => !known.has(id)).map((id) => reportOf(port, id, undefined)),
    ...rows.map((row) => reportOf(port, row.reportId, row)),
  ]
  yield { reports, cursor: now.toISOString() }
}

/** The list runs newest first; what comes out is oldest first. */
async function listed(port: Port<Settings>, createdSince: string): Promise<Row[]> {
  const rows: Row[] = []
  const first = { reportTypes: SETTLEMENT_REPORT, processingStatuses: 'DONE', createdSince, pageSize: 100 }
  let query: Record<string, string | number> = first
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const call = { operation: 'getReports', method: 'GET', path: `${REPORTS}/reports`, query, repeat: 'safe' } as const
    const { reports, nextToken } = readPage((await port.http.request(call)).body)
    rows.push(...reports.filter(({ reportType }) => reportType === SETTLEMENT_REPORT))
    if (!nextToken) break
    // The token stands for all the other parameters, which may not be sent again.
    query = { nextToken }
  }
  return rows.toSorted((a, b) => Date.parse(a.createdTime) - Date.parse(b.createdTime))
}

function reportOf(port: Port<Settings>, id: string, row: Row | undefined): Report {
  return {
    reference: id,
    name: `amazon-settlement-${id}.tsv`,
    read: async () => {
      const { processingStatus, reportDocumentId } = row ?? (await fetchRow(port, id))
      if (processingStatus !== 'DONE' || !reportDocumentId)
        throw new HubError('vendor_not_found', `report ${id} is ${processingStatus} and has no document`)
      const path = `${REPORTS}/documents/${encodeURIComponent(reportDocumentId)}`
      return downloadDocument(port, { operation: 'getReportDocument', path, bytes_max: REPORT_BYTES_MAX })
    },
  }
}

async function fetchRow(port: Port<Settings>, id: string): Promise<Row> {
  const path = `${REPORTS}/reports/${encodeURIComponent(id)}`
  return readRow((await port.http.request({ operation: 'getReport', method: 'GET', path, repeat: 'safe' })).body)
}
