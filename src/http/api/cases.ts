import Type from 'typebox'
import { CASE_KINDS, listCases, resolveCase, type CaseRow } from '../../core/cases/cases.ts'
import { closed } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { actorOf, type App } from '../app.ts'
import { anything, count, FAULTS, filters, flag, instant, listQuery, maybeInstant, maybeText, named, numberId, text } from './schemas.ts' // prettier-ignore

export const Case = named<CaseRow>('Case', {
  id: count,
  company_id: text,
  kind: text,
  subject: text,
  connection_id: maybeText,
  state: text,
  data: anything,
  times: count,
  opened_at: instant,
  seen_at: instant,
  resolved_at: maybeInstant,
  resolved_by: maybeText,
})

export function caseRoutes(app: App, hub: Hub): void {
  const tags = ['cases']
  app.get(
    '/cases',
    {
      schema: {
        tags,
        summary: 'List what somebody should look at',
        description: 'The newest first. A fault that is seen again raises `times` of its open case.',
        querystring: listQuery({
          state: filters.words(['open', 'resolved']),
          kind: filters.words(CASE_KINDS),
          connection: filters.text,
        }),
        response: { 200: Case.page, ...FAULTS },
      },
    },
    async (request) => listCases(hub.db, request.query),
  )

  app.post(
    '/cases/:id/resolve',
    {
      schema: {
        tags,
        summary: 'Say that a case has been seen to',
        description: 'Asking again changes nothing. A fault that goes on opens a new case.',
        params: numberId,
        response: { 200: Type.Object({ ok: Type.Literal(true), resolved_now: flag }, closed), ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const by = actorOf(request).name
      const at = hub.clock.now()
      const isNew = await inTransaction(hub.db, async (tx) => {
        const resolved = await resolveCase(tx, id, by, at)
        if (resolved.isNew) await writeAudit(tx, { at, actor: by, action: 'case.resolve', subject: `case:${id}` })
        return resolved.isNew
      })
      return { ok: true as const, resolved_now: isNew }
    },
  )
}
