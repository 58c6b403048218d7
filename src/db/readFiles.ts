import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from './page.ts'
import type { Queryable } from './pool.ts'

export interface FileFilter extends PageRequest {
  connection?: string | undefined
  state?: string | undefined
  type?: string | undefined
}

/** One received file, without its bytes. `held`: it waits for a person to confirm or reject it. */
export interface FileListRow {
  id: number
  connection_id: string
  name: string
  type: string
  sequence: string | null
  sha256: string
  rows: number
  state: string
  error_code: string | null
  error_detail: string | null
  totals: Record<string, unknown>
  received_at: string
  decided_at: string | null
  decided_by: string | null
}

const KEYSET: Keyset<FileListRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** Received files, the newest first. */
export async function listFiles(q: Queryable, filter: FileFilter): Promise<Page<FileListRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['connection_id = ?', filter.connection],
    ['state = ?', filter.state],
    ['type = ?', filter.type],
  ])
  const rows = await q.query<FileListRow>(
    `select id, connection_id, name, type, sequence, encode(sha256, 'hex') as sha256, rows, state, error_code, error_detail, totals,
            received_at, decided_at, decided_by
     from inbound_files${where} order by id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}
