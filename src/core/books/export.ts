import type { Queryable } from '../../db/pool.ts'
import { journalDocuments, journalsCsv, totalsOf, type BookedEntry } from './rulesExport.ts'
import { readPeriod } from './rulesPeriod.ts'

export const EXPORT_FORMATS = ['csv', 'json'] as const
export type ExportFormat = (typeof EXPORT_FORMATS)[number]

export interface ExportRequest {
  period: string
  company_id: string | null
  format: ExportFormat
}

/**
 * The journals of a period as a file: the same bytes each time as long as nothing was posted into it, which a lock guarantees. Entries
 * stand in the order of day, journal and account. Faults: `bad_request`.
 */
export async function exportJournals(q: Queryable, request: ExportRequest): Promise<string> {
  const period = readPeriod(request.period)
  const entries = await q.query<BookedEntry>(
    `select j.company_id, j.posted_on, j.key, j.kind, j.connection_id, s.external_id as settlement_external_id, e.account, e.currency,
       e.amount_minor
     from journals j join journal_entries e on e.journal_id = j.id left join settlements s on s.id = j.settlement_id
     where j.period = $1 and ($2::text is null or j.company_id = $2)
     order by j.company_id collate "C", j.posted_on, j.key collate "C", e.account collate "C", e.currency collate "C"`,
    [period, request.company_id],
  )
  if (request.format === 'csv') return journalsCsv(entries)
  const document = { period, journals: journalDocuments(entries), totals: totalsOf(entries) }
  return `${JSON.stringify(document, null, 2)}\n`
}
