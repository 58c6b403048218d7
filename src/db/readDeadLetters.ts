import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from './page.ts'
import type { Queryable } from './pool.ts'

export interface DeadLetterListFilter extends PageRequest {
  state?: string | undefined
  connection?: string | undefined
  source?: string | undefined
  kind?: string | undefined
  code?: string | undefined
}

/** Something the hub gave up on: it needs a person, a fix, or to be dropped. */
export interface DeadLetterRow {
  id: number
  connection_id: string
  source: string
  source_id: number
  kind: string
  code: string
  detail: string
  state: string
  created_at: string
  decided_at: string | null
  decided_by: string | null
}

const KEYSET: Keyset<DeadLetterRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** Dead letters, the newest first. */
export async function listDeadLetters(q: Queryable, filter: DeadLetterListFilter): Promise<Page<DeadLetterRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['state = ?', filter.state],
    ['connection_id = ?', filter.connection],
    ['source = ?', filter.source],
    ['kind = ?', filter.kind],
    ['code = ?', filter.code],
  ])
  const rows = await q.query<DeadLetterRow>(
    `select id, connection_id, source, source_id, kind, code, detail, state, created_at, decided_at, decided_by
     from dead_letters${where} order by id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}
