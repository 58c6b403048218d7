import Type from 'typebox'
import type { StatementImport } from '../../core/bank/importStatement.ts'
import {
  listBankLines,
  listStatements,
  showStatement,
  type BankLineRow,
  type StatementRow,
} from '../../core/bank/read.ts'
import { HubError } from '../../core/errors.ts'
import { closed } from '../../core/model/schema.ts'
import type { Hub } from '../../hub.ts'
import { acceptBankStatement, importBankFile, type BankImport } from '../../queues/bankByHand.ts'
import { actorOf, type App } from '../app.ts'
import { grants } from '../policies.ts'
import {
  count,
  FAULTS,
  filters,
  flag,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
  uuid,
} from './schemas.ts'

const FILE_BYTES_MAX = 16 * 1024 * 1024
/** Base64 needs four characters for three bytes; the rest is the document around it. */
const BODY_BYTES_MAX = Math.ceil((FILE_BYTES_MAX * 4) / 3) + 4_096

const faults = listOf({ row: maybeCount, column: maybeText, message: text })

export const BankStatementSchema = named<StatementRow>('BankStatement', {
  id: uuid,
  connection_id: text,
  external_id: text,
  account: text,
  currency: text,
  begin_minor: maybeCount,
  end_minor: maybeCount,
  difference_minor: maybeCount,
  proof: text,
  proof_faults: faults,
  lines: count,
  unmatched_lines: count,
  from_at: maybeInstant,
  to_at: maybeInstant,
  recorded_at: instant,
})
export const BankLineSchema = named<BankLineRow>('BankLine', {
  id: count,
  statement_id: uuid,
  connection_id: text,
  external_id: text,
  booked_on: text,
  value_on: maybeText,
  currency: text,
  amount_minor: count,
  reference: maybeText,
  references_found: Type.Array(text),
  match_state: text,
  match_rule: maybeText,
  settlement_id: Type.Unsafe<string | null>({ type: ['string', 'null'], format: 'uuid' }),
  match_id: maybeCount,
  text: maybeText,
  has_text: flag,
})

const imported = {
  id: uuid,
  external_id: text,
  outcome: text,
  proof: text,
  lines: count,
  added: count,
  changed: count,
  removed: count,
  known: count,
  begin_minor: maybeCount,
  sum_minor: count,
  end_minor: maybeCount,
  difference_minor: maybeCount,
  faults,
}
const Imported = Type.Unsafe<BankImport>(
  Type.Object({ connection: text, format: text, statements: listOf(imported), warnings: Type.Array(text) }),
)
const Accepted = Type.Unsafe<StatementImport>(Type.Object(imported))
const Upload = Type.Object(
  {
    connection: Type.String({ minLength: 1, maxLength: 200 }),
    content_base64: Type.String({ minLength: 1, maxLength: BODY_BYTES_MAX, description: 'The bytes of the file' }),
  },
  closed,
)

const proofs = filters.words(['proven', 'unproven', 'held', 'accepted'])
const states = filters.words(['unmatched', 'matched', 'suggested', 'not_ours'])

export function bankRoutes(app: App, hub: Hub): void {
  const tags = ['bank']
  app.get(
    '/bank-statements',
    {
      schema: {
        tags,
        summary: 'List bank statements, newest first',
        querystring: listQuery({ connection: filters.text, proof: proofs }),
        response: { 200: BankStatementSchema.page, ...FAULTS },
      },
    },
    async (request) => listStatements(hub.db, request.query),
  )
  app.post(
    '/bank-statements',
    {
      bodyLimit: BODY_BYTES_MAX,
      schema: {
        tags,
        summary: 'Import a file of a bank account',
        description:
          'CAMT.053, MT940 or the declared CSV. The same file again changes nothing. A statement whose lines do not come to its balances is held.',
        body: Upload,
        response: { 200: Imported, ...FAULTS },
      },
    },
    async (request) => {
      const { connection, content_base64 } = request.body
      if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(content_base64))
        throw new HubError('bad_request', 'content_base64 is not base64', { path: '$.content_base64' })
      const bytes = Buffer.from(content_base64, 'base64')
      return importBankFile(hub, { connection, bytes }, actorOf(request).name)
    },
  )
  app.post(
    '/bank-statements/:id/accept',
    {
      schema: {
        tags,
        summary: 'Take a held statement as it is',
        params: Type.Object({ id: uuid }),
        response: { 200: Accepted, ...FAULTS },
      },
    },
    async (request) => acceptBankStatement(hub, request.params.id, actorOf(request).name),
  )
  linesRoute(app, hub)
}

function linesRoute(app: App, hub: Hub): void {
  app.get(
    '/bank-statements/:id/lines',
    {
      schema: {
        tags: ['bank'],
        summary: "List a statement's lines",
        description: 'Texts may name people: they are shown to finance alone.',
        params: Type.Object({ id: uuid }),
        querystring: listQuery({ match_state: states }),
        response: { 200: BankLineSchema.page, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      await showStatement(hub.db, id)
      const maySee = grants(actorOf(request).role, 'finance')
      return listBankLines(hub.db, { ...request.query, statement: id }, maySee ? hub.vault : null)
    },
  )
}
