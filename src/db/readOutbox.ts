import { HubError } from '../core/errors.ts'
import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from './page.ts'
import type { Queryable } from './pool.ts'

export interface OutboxFilter extends PageRequest {
  state?: string | undefined
  connection?: string | undefined
  kind?: string | undefined
  order_id?: string | undefined
}

/** One effect on the outside: what has to be told, to whom, and how far that is. */
export interface OutboxRow {
  id: number
  connection_id: string
  kind: string
  key: string
  reference: Record<string, unknown>
  order_id: string | null
  batch_key: string | null
  state: string
  unknown_outcome: boolean
  attempts: number
  next_attempt_at: string
  created_at: string
  done_at: string | null
  error_code: string | null
  error_detail: string | null
}

export interface AttemptRow {
  id: number
  operation: string
  at: string
  duration_ms: number
  outcome: string
  status: number | null
  error_code: string | null
  request: unknown
  response: unknown
}

export interface OutboxShown extends OutboxRow {
  result: unknown
  /** The calls made for it, the newest first. */
  attempt_log: AttemptRow[]
}

const COLUMNS = `
  id, connection_id, kind, key, reference, order_id, batch_key, state, unknown_outcome, attempts, next_attempt_at, created_at, done_at,
  error_code, error_detail`
const ATTEMPTS_MAX = 100

const KEYSET: Keyset<OutboxRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** Effects, the newest first. */
export async function listOutbox(q: Queryable, filter: OutboxFilter): Promise<Page<OutboxRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['state = ?', filter.state],
    ['connection_id = ?', filter.connection],
    ['kind = ?', filter.kind],
    ['order_id = ?::uuid', filter.order_id],
  ])
  const rows = await q.query<OutboxRow>(`select ${COLUMNS} from outbox${where} order by id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/** One effect with the calls that were made for it (alone or in its batch). Faults: `not_found`. */
export async function showOutbox(q: Queryable, id: number): Promise<OutboxShown> {
  const [row] = plainRows<OutboxShown>(await q.query(`select ${COLUMNS}, result from outbox where id = $1`, [id]))
  if (row === undefined) throw new HubError('not_found', `there is no outbox row ${id}`)
  const attempts = await q.query(
    `select id, operation, at, duration_ms, outcome, status, error_code, request, response
     from attempts where subject = any($1::text[]) and connection_id = $2 order by id desc limit ${ATTEMPTS_MAX}`,
    [[`outbox:${row.batch_key ?? row.key}`, `outbox:${row.key}`], row.connection_id],
  )
  return { ...row, attempt_log: plainRows(attempts) }
}
