import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'

export const JOURNAL_KINDS = ['settlement', 'bank', 'write_off', 'reversal'] as const

export interface JournalRow {
  id: string
  company_id: string
  key: string
  kind: string
  connection_id: string
  settlement_id: string | null
  settlement_external_id: string | null
  version: number | null
  bank_line_id: number | null
  break_id: number | null
  due_on: string
  posted_on: string
  period: string
  reverses: string | null
  reversed_by: string | null
  created_at: string
  created_by: string
}

export interface JournalShown extends JournalRow {
  entries: { account: string; currency: string; debit_minor: number; credit_minor: number }[]
}

export interface JournalFilter extends PageRequest {
  period?: string | undefined
  connection?: string | undefined
  kind?: string | undefined
  settlement?: string | undefined
}

const COLUMNS = `
  j.id, j.company_id, j.key, j.kind, j.connection_id, j.settlement_id, s.external_id as settlement_external_id, j.version, j.bank_line_id,
  j.break_id, j.due_on, j.posted_on, j.period, j.reverses, (select r.id from journals r where r.reverses = j.id) as reversed_by,
  j.created_at, j.created_by`
const FROM = 'from journals j left join settlements s on s.id = j.settlement_id'

/** Ids are UUID version 7, which sort by the time they were made. */
const KEYSET: Keyset<JournalRow> = { kinds: ['uuid'], after: 'j.id < ?::uuid', keyOf: (row) => [row.id] }

/** Journals, the last written first. */
export async function listJournals(q: Queryable, filter: JournalFilter): Promise<Page<JournalRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['j.period = ?', filter.period],
    ['j.connection_id = ?', filter.connection],
    ['j.kind = ?', filter.kind],
    ['j.settlement_id = ?::uuid', filter.settlement],
  ])
  const rows = await q.query<JournalRow>(`select ${COLUMNS} ${FROM}${where} order by j.id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/** One journal with its entries. Fault: `not_found`. */
export async function showJournal(q: Queryable, id: string): Promise<JournalShown> {
  const [found] = await q.query<JournalRow>(`select ${COLUMNS} ${FROM} where j.id = $1`, [id])
  if (found === undefined) throw new HubError('not_found', 'there is no such journal')
  const entries = await q.query<JournalShown['entries'][number]>(
    `select account, currency, greatest(amount_minor, 0) as debit_minor, greatest(-amount_minor, 0) as credit_minor
     from journal_entries where journal_id = $1 order by id`,
    [id],
  )
  return { ...(plainRows<JournalRow>([found])[0] ?? found), entries }
}
