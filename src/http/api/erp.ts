import Type from 'typebox'
import { checkErp } from '../../core/erp/check.ts'
import {
  ERP_KINDS,
  ERP_STATES,
  listErpDocuments,
  resendErpDocument,
  showErpDocument,
  type ErpDocument,
  type ErpDocumentShown,
} from '../../core/erp/read.ts'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { actorOf, type App } from '../app.ts'
import { count, FAULTS, filters, flag, instant, listOf, listQuery, maybeCount, maybeInstant, maybeText, named, numberId, text } from './schemas.ts' // prettier-ignore

const document = {
  id: count,
  connection_id: text,
  kind: text,
  subject: text,
  key: text,
  state: text,
  order_id: maybeText,
  order_number: maybeText,
  version: count,
  told_version: maybeCount,
  external_id: maybeText,
  due_at: instant,
  told_at: maybeInstant,
  error_code: maybeText,
}
export const ErpDocumentSchema = named<ErpDocument>('ErpDocument', document)
export const ErpDocumentShownSchema = named<ErpDocumentShown>('ErpDocumentShown', {
  ...document,
  effects: listOf({
    outbox_id: count,
    state: text,
    attempts: count,
    error_code: maybeText,
    error_detail: maybeText,
    created_at: instant,
    done_at: maybeInstant,
  }),
})

const ProofSchema = Type.Object(
  {
    company_id: text,
    connection_id: text,
    orders_looked_at: count,
    kinds: Type.Record(
      Type.String(),
      Type.Object({ told: count, waiting: count, refused: count, dropped: count }, closed),
    ),
    missing: Type.Array(Type.Object({ kind: text, subject: text, order_id: maybeText }, closed)),
    missing_count: count,
    ok: flag,
  },
  closed,
)

export function erpRoutes(app: App, hub: Hub): void {
  const tags = ['erp']
  app.get(
    '/erp/documents',
    {
      schema: {
        tags,
        summary: 'List what an ERP was told, or has to be',
        description: 'The newest first. `order` is an id or a number.',
        querystring: listQuery({
          connection: filters.text,
          kind: filters.words(ERP_KINDS),
          state: filters.words(ERP_STATES),
          order: filters.text,
        }),
        response: { 200: ErpDocumentSchema.page, ...FAULTS },
      },
    },
    async (request) => listErpDocuments(hub.db, request.query),
  )
  app.get(
    '/erp/documents/:id',
    {
      schema: {
        tags,
        summary: 'Show one document with every time it left',
        params: numberId,
        response: { 200: ErpDocumentShownSchema.ref, ...FAULTS },
      },
    },
    async (request) => showErpDocument(hub.db, request.params.id),
  )
  app.post(
    '/erp/documents/:id/resend',
    {
      schema: {
        tags,
        summary: 'Tell a document again, as it is now',
        description: 'Under its old name, so that it exists once. Asking again while it is on its way changes nothing.',
        params: numberId,
        response: { 200: Type.Object({ id: count, version: count, resent: flag }, closed), ...FAULTS },
      },
    },
    async (request) =>
      inTransaction(hub.db, (tx) => resendErpDocument(tx, request.params.id, actorOf(request).name, hub.clock.now())),
  )
  app.get(
    '/erp/check',
    {
      schema: {
        tags,
        summary: 'Prove what the ERP of a company has been told',
        querystring: Type.Object({ company: Type.String({ minLength: 1, maxLength: 63 }) }, closed),
        response: { 200: ProofSchema, ...FAULTS },
      },
    },
    async (request) => {
      const erp = coreContext(hub).erps?.get(request.query.company)
      if (erp === undefined) throw new HubError('not_found', 'this company has no ERP', { path: 'company' })
      return checkErp(hub.db, erp)
    },
  )
}
