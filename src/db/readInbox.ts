import { HubError } from '../core/errors.ts'
import { pageOf, pageQuery, plainRows, type Filter, type Keyset, type Page, type PageRequest } from './page.ts'
import type { Queryable } from './pool.ts'

export interface InboxFilter extends PageRequest {
  state?: string | undefined
  connection?: string | undefined
  topic?: string | undefined
  cause_code?: string | undefined
  /** ISO instant: received at or after it. */
  since?: string | undefined
}

/** One message from outside, without its body. */
export interface InboxRow {
  id: number
  connection_id: string
  source: string
  topic: string
  dedupe_key: string
  state: string
  attempts: number
  outcome: string | null
  cause_code: string | null
  cause_path: string | null
  cause_detail: string | null
  wake_key: string | null
  warnings: string[] | null
  observed_at: string
  received_at: string
  processed_at: string | null
}

export interface InboxShown extends InboxRow {
  next_attempt_at: string
  file_id: number | null
  file_row: number | null
  body_sha256: string
  has_body: boolean
  conflicts: { id: number; body_sha256: string; received_at: string }[]
}

const COLUMNS = `
  id, connection_id, source, topic, dedupe_key, state, attempts, outcome, cause_code, cause_path, cause_detail, wake_key, warnings,
  observed_at, received_at, processed_at`

const KEYSET: Keyset<InboxRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

const filtersOf = (filter: Omit<InboxFilter, keyof PageRequest>): Filter[] => [
  ['state = ?', filter.state],
  ['connection_id = ?', filter.connection],
  ['topic = ?', filter.topic],
  ['cause_code = ?', filter.cause_code],
  ['received_at >= ?::timestamptz', filter.since],
]

/** Messages, the newest first. */
export async function listInbox(q: Queryable, filter: InboxFilter): Promise<Page<InboxRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, filtersOf(filter))
  const rows = await q.query<InboxRow>(`select ${COLUMNS} from inbox${where} order by id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/** One message without its body, and the messages that used its key with other bytes. Faults: `not_found`. */
export async function showInbox(q: Queryable, id: number): Promise<InboxShown> {
  const rows = await q.query<InboxShown>(
    `select ${COLUMNS}, next_attempt_at, file_id, file_row, encode(body_sha256, 'hex') as body_sha256, body is not null as has_body,
            coalesce((select jsonb_agg(jsonb_build_object('id', c.id, 'body_sha256', encode(c.body_sha256, 'hex'),
                                                          'received_at', c.received_at) order by c.id)
                      from inbox_conflicts c where c.inbox_id = inbox.id), '[]') as conflicts
     from inbox where id = $1`,
    [id],
  )
  const [row] = plainRows<InboxShown>(rows)
  if (row === undefined) throw new HubError('not_found', `there is no inbox row ${id}`)
  return row
}

/** The sealed bytes of one message and what is needed to open them. */
export interface SealedMessage {
  connection_id: string
  dedupe_key: string
  topic: string
  body: Buffer | null
  observed_at: Date
}

export async function readSealed(q: Queryable, id: number): Promise<SealedMessage> {
  const [row] = await q.query<SealedMessage>(
    'select connection_id, dedupe_key, topic, body, observed_at from inbox where id = $1',
    [id],
  )
  if (row === undefined) throw new HubError('not_found', `there is no inbox row ${id}`)
  return row
}
