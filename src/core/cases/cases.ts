import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'

/**
 * `source_stale`: a place whose numbers do not come any more. `channel_drift`: a channel that shows another number than was proven, and
 * no order explains it. `lot_expired_promised`: promised units that only lots which are too old to be sold could serve.
 * `bank_statement_held`: a statement whose lines do not come to its balances. `settlement_held`: a payout that does not explain itself.
 * `report_held`: a report of payouts that could not be fetched or read. `erp_refused`: a document that the ERP does not take.
 * `erp_stock_ignored`: an ERP that counts a place whose stock the hub is the one to know. `kit_refused`: a kit that is made of kits.
 * `label_missing`: work that cannot leave because no label could be bought for it. `label_not_voided`: a label that is of no use and was
 * not given back. `check_failed`: something that the self test of a connection found wanting. `key_expires`: a key or certificate that ends
 * within two weeks. `file_refused`: a file, or parts of one, of which nothing could be taken. `answer_overdue`: a message that nobody has
 * acknowledged in time. `answer_rejected`: a message that its receiver could not read.
 */
export const CASE_KINDS = [
  'source_stale',
  'channel_drift',
  'lot_expired_promised',
  'bank_statement_held',
  'settlement_held',
  'report_held',
  'erp_refused',
  'erp_stock_ignored',
  'kit_refused',
  'label_missing',
  'label_not_voided',
  'check_failed',
  'key_expires',
  'file_refused',
  'answer_overdue',
  'answer_rejected',
] as const
export type CaseKind = (typeof CASE_KINDS)[number]

/** Something that a person should look at. `data` holds ids and numbers, never a person's data. */
export interface NewCase {
  company_id: string
  kind: CaseKind
  /** What it is about: `location:north`, `listing:12`. */
  subject: string
  connection_id: string | null
  data: Readonly<Record<string, unknown>>
}

/** Opens cases. One that is open already for its kind and subject is seen once more and keeps its newest data. */
export async function openCases(tx: Tx, cases: readonly NewCase[], now: Date): Promise<void> {
  if (cases.length === 0) return
  await tx.query(
    `insert into cases as c (company_id, kind, subject, connection_id, data, opened_at, seen_at)
     select distinct on (n.kind, n.subject) n.company_id, n.kind, n.subject, n.connection_id, n.data, $2, $2
     from jsonb_to_recordset($1::jsonb) as n(company_id text, kind text, subject text, connection_id text, data jsonb)
     order by n.kind, n.subject
     on conflict (kind, subject) where state = 'open' do update set
       times = c.times + 1, seen_at = excluded.seen_at, data = excluded.data`,
    [JSON.stringify(cases), now],
  )
}

/** Closes the open cases of these subjects, because their cause is gone. Returns how many there were. */
export async function closeCases(
  tx: Tx,
  { kind, subjects }: { kind: CaseKind; subjects: readonly string[] },
  by: string,
  now: Date,
): Promise<number> {
  if (subjects.length === 0) return 0
  const rows = await tx.query(
    `update cases set state = 'resolved', resolved_at = $3, resolved_by = $4
     where kind = $1 and subject = any($2::text[]) and state = 'open' returning 1`,
    [kind, subjects, now, by],
  )
  return rows.length
}

export interface CaseRow {
  id: number
  company_id: string
  kind: string
  subject: string
  connection_id: string | null
  state: string
  data: Record<string, unknown>
  times: number
  opened_at: string
  seen_at: string
  resolved_at: string | null
  resolved_by: string | null
}

export interface CaseFilter extends PageRequest {
  state?: 'open' | 'resolved' | undefined
  kind?: string | undefined
  connection?: string | undefined
}

const COLUMNS = `id, company_id, kind, subject, connection_id, state, data, times, opened_at, seen_at, resolved_at, resolved_by`
const KEYSET: Keyset<CaseRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** The newest first. */
export async function listCases(q: Queryable, filter: CaseFilter): Promise<Page<CaseRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['state = ?', filter.state],
    ['kind = ?', filter.kind],
    ['connection_id = ?', filter.connection],
  ])
  const rows = await q.query<CaseRow>(`select ${COLUMNS} from cases${where} order by id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/**
 * A person has seen to it. Doing so twice changes nothing. A fault that goes on opens a new case. `isNew` is false where the case had
 * been resolved before. Faults: `not_found`.
 */
export async function resolveCase(tx: Tx, id: number, by: string, now: Date): Promise<{ isNew: boolean }> {
  const rows = await tx.query(
    `update cases set state = 'resolved', resolved_at = $2, resolved_by = $3 where id = $1 and state = 'open' returning 1`,
    [id, now, by],
  )
  if (rows.length > 0) return { isNew: true }
  const known = await tx.query('select 1 from cases where id = $1', [id])
  if (known.length === 0) throw new HubError('not_found', `there is no case ${id}`)
  return { isNew: false }
}
