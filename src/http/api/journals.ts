import Type from 'typebox'
import { exportJournals, EXPORT_FORMATS } from '../../core/books/export.ts'
import { JOURNAL_KINDS, listJournals, showJournal, type JournalRow, type JournalShown } from '../../core/books/read.ts'
import { closed } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import type { Hub } from '../../hub.ts'
import { actorOf, type App } from '../app.ts'
import {
  count,
  FAULTS,
  filters,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

const journal = {
  id: uuid,
  company_id: text,
  key: text,
  kind: text,
  connection_id: text,
  settlement_id: maybeText,
  settlement_external_id: maybeText,
  version: maybeCount,
  bank_line_id: maybeCount,
  break_id: maybeCount,
  due_on: text,
  posted_on: text,
  period: text,
  reverses: maybeText,
  reversed_by: maybeText,
  created_at: instant,
  created_by: text,
}
export const Journal = named<JournalRow>('Journal', journal)
export const JournalShownSchema = named<JournalShown>('JournalShown', {
  ...journal,
  entries: listOf({ account: text, currency: text, debit_minor: count, credit_minor: count }),
})

const ExportQuery = Type.Object(
  {
    period: Type.String({ pattern: '^\\d{4}-(0[1-9]|1[0-2])$', description: 'like 2026-11' }),
    format: filters.words(EXPORT_FORMATS),
    company: filters.text,
  },
  closed,
)
const TYPES = { csv: 'text/csv; charset=utf-8', json: 'application/json; charset=utf-8' } as const

export function journalRoutes(app: App, hub: Hub): void {
  const tags = ['books']
  app.get(
    '/journals',
    {
      schema: {
        tags,
        summary: 'List journals, last written first',
        querystring: listQuery({
          period: filters.text,
          connection: filters.text,
          kind: filters.words(JOURNAL_KINDS),
          settlement: filters.uuid,
        }),
        response: { 200: Journal.page, ...FAULTS },
      },
    },
    async (request) => listJournals(hub.db, request.query),
  )

  app.get(
    '/journals/export',
    {
      schema: {
        tags,
        summary: 'The journals of a month as a file',
        description: 'CSV for people, JSON for an ERP. The same bytes each time as long as nothing is booked into it.',
        produces: ['text/csv', 'application/json'],
        querystring: ExportQuery,
      },
    },
    async (request, reply) => {
      const { period, format = 'csv', company = null } = request.query
      const exported = await exportJournals(hub.db, { period, company_id: company, format })
      const subject = `period:${company ?? 'all'}:${period}`
      await writeAudit(hub.db, {
        at: hub.clock.now(),
        actor: actorOf(request).name,
        action: 'journal.export',
        subject,
      })
      return reply
        .type(TYPES[format])
        .header('content-disposition', `attachment; filename="journals-${period}.${format}"`)
        .send(exported)
    },
  )

  app.get(
    '/journals/:id',
    {
      schema: {
        tags,
        summary: 'Show a journal with its entries',
        params: Type.Object({ id: uuid }),
        response: { 200: JournalShownSchema.ref, ...FAULTS },
      },
    },
    async (request) => showJournal(hub.db, request.params.id),
  )
}
