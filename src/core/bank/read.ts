import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import type { Vault } from '../people/vault.ts'
import { lineAad } from './putLines.ts'

export interface StatementFilter extends PageRequest {
  connection?: string | undefined
  proof?: string | undefined
}

export interface StatementRow {
  id: string
  connection_id: string
  external_id: string
  account: string
  currency: string
  begin_minor: number | null
  end_minor: number | null
  difference_minor: number | null
  proof: string
  proof_faults: { row: number | null; column: string | null; message: string }[]
  lines: number
  unmatched_lines: number
  from_at: string | null
  to_at: string | null
  recorded_at: string
}

const KEYSET: Keyset<StatementRow> = { kinds: ['uuid'], after: 's.id < ?::uuid', keyOf: (row) => [row.id] }

/** Statements, the last recorded first. */
export async function listStatements(q: Queryable, filter: StatementFilter): Promise<Page<StatementRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['s.connection_id = ?', filter.connection],
    ['s.proof = ?', filter.proof],
  ])
  const rows = await q.query<StatementRow>(
    `select s.id, s.connection_id, s.external_id, s.account, s.currency, s.begin_minor, s.end_minor, s.difference_minor, s.proof,
            s.proof_faults, s.from_at, s.to_at, s.recorded_at,
            (select count(*)::int from bank_lines l where l.statement_id = s.id) as lines,
            (select count(*)::int from bank_lines l where l.statement_id = s.id and l.match_state = 'unmatched') as unmatched_lines
     from bank_statements s${where} order by s.id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

export interface BankLineFilter extends PageRequest {
  connection?: string | undefined
  statement?: string | undefined
  match_state?: string | undefined
}

export interface BankLineRow {
  id: number
  statement_id: string
  connection_id: string
  external_id: string
  booked_on: string
  value_on: string | null
  currency: string
  amount_minor: number
  reference: string | null
  references_found: string[]
  match_state: string
  match_rule: string | null
  settlement_id: string | null
  /** Names the payouts that it pays, one or several. */
  match_id: number | null
  /** Null: there is none, or the reader may not see it. */
  text: string | null
  has_text: boolean
}

const LINES: Keyset<BankLineRow> = { kinds: ['integer'], after: 'id > ?::bigint', keyOf: (row) => [row.id] }

/** Lines, oldest first. `vault`: opens the texts, for those who may read them. Faults: `vault_sealed`. */
export async function listBankLines(
  q: Queryable,
  filter: BankLineFilter,
  vault: Pick<Vault, 'open'> | null,
): Promise<Page<BankLineRow>> {
  const { where, params, fetch } = pageQuery(filter, LINES, [
    ['connection_id = ?', filter.connection],
    ['statement_id = ?::uuid', filter.statement],
    ['match_state = ?', filter.match_state],
  ])
  const rows = await q.query<Omit<BankLineRow, 'text'> & { text_sealed: Buffer | null }>(
    `select id, statement_id, connection_id, external_id, booked_on::text as booked_on, value_on::text as value_on, currency, amount_minor,
            reference, references_found, match_state, match_rule, settlement_id, match_group_id as match_id, text_sealed, text_sealed is not null as has_text
     from bank_lines${where} order by id limit ${fetch}`,
    params,
  )
  const lines = rows.map(({ text_sealed, ...row }) => ({
    ...row,
    text:
      vault === null || text_sealed === null
        ? null
        : vault.open(text_sealed, lineAad(row.connection_id, row.external_id)).toString('utf8'),
  }))
  return pageOf(filter, LINES, lines)
}

/** The statement's own row. Faults: `not_found`. */
export async function showStatement(q: Queryable, id: string): Promise<{ connection_id: string }> {
  const [found] = await q.query<{ connection_id: string }>(
    'select connection_id from bank_statements where id = $1::uuid',
    [id],
  )
  if (found === undefined) throw new HubError('not_found', 'there is no such bank statement')
  return found
}
