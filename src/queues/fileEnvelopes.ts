import { openCases, type NewCase } from '../core/cases/cases.ts'
import { columns } from '../core/columns.ts'
import type { EnvelopeSeen, FileRow, ParsedFile } from '../connectors/_kit/define.ts'
import type { Queryable, Tx } from '../db/pool.ts'
import type { Connection } from '../hub.ts'

/**
 * Takes the numbered parts of a file, in the transaction that stores its rows. The primary key decides who was first; what this file itself
 * took, also when it was read before, is `new`.
 */
export async function takeEnvelopes(
  tx: Tx,
  file: { id: number; connection_id: string; parsed: ParsedFile; now: Date },
): Promise<ReadonlyMap<string, EnvelopeSeen>> {
  const { envelopes = [] } = file.parsed
  if (envelopes.length === 0) return new Map()
  const parts = envelopes.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  await tx.query(
    `insert into inbound_envelopes (connection_id, key, content_sha256, file_id, received_at)
     select $1, n.key, decode(n.content, 'hex'), $4, $5 from unnest($2::text[], $3::text[]) as n(key, content)
     on conflict (connection_id, key) do nothing`,
    [file.connection_id, ...columns(parts, ['key', 'content']), file.id, file.now],
  )
  return seenEnvelopes(tx, file)
}

/** What the numbered parts of a file were found to be. */
export async function seenEnvelopes(
  q: Queryable,
  { id, connection_id, parsed }: { id: number; connection_id: string; parsed: ParsedFile },
): Promise<ReadonlyMap<string, EnvelopeSeen>> {
  const { envelopes = [] } = parsed
  const rows = await q.query<{ key: string; content: string; file_id: number; received_at: Date }>(
    `select key, encode(content_sha256, 'hex') as content, file_id, received_at from inbound_envelopes
     where connection_id = $1 and key = any($2::text[])`,
    [connection_id, envelopes.map(({ key }) => key)],
  )
  const known = new Map(rows.map((row) => [row.key, row]))
  return new Map(
    envelopes.flatMap(({ key, content }): [string, EnvelopeSeen][] => {
      const row = known.get(key)
      if (row === undefined) return []
      const state = row.file_id === id ? 'new' : row.content === content ? 'same' : 'other'
      return [[key, { state, received_at: row.received_at.toISOString() }]]
    }),
  )
}

/** Rows to be stored: none of what was taken before, and what came under a used number only to be looked at. */
export function rowsToStore(rows: readonly FileRow[], seen: ReadonlyMap<string, EnvelopeSeen>): FileRow[] {
  return rows.flatMap((row): FileRow[] => {
    const state = row.envelope === undefined ? 'new' : (seen.get(row.envelope)?.state ?? 'new')
    if (state === 'new') return [row]
    if (state === 'same') return []
    const fault = {
      code: 'control_number_reused' as const,
      message: `the number ${row.envelope ?? ''} was used before for other content`,
      path: 'the control number of its envelope',
    }
    return [{ ...row, dedupe_key: `reused:${row.dedupe_key}`, fault }]
  })
}

/** One case a file, however many of its parts were refused: what it is called, how much of it, and the first cause. */
export async function openFileCase(
  tx: Tx,
  connection: Pick<Connection, 'id' | 'config'>,
  file: { id: number; name: string; type: string; rows: number; refused: readonly FileFault[] },
  now: Date,
): Promise<void> {
  const [first] = file.refused
  if (first === undefined) return
  const one: NewCase = {
    company_id: connection.config.company,
    kind: 'file_refused',
    subject: `file:${file.id}`,
    connection_id: connection.id,
    data: {
      name: file.name,
      type: file.type,
      rows: file.rows,
      refused: file.refused.length,
      code: first.code,
      what: first.message.slice(0, 300),
      where: first.path,
    },
  }
  await openCases(tx, [one], now)
}

export interface FileFault {
  code: string
  message: string
  path: string | null
}
