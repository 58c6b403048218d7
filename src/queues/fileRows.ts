import { HubError } from '../core/errors.ts'
import { reportsOfFileRefused } from '../core/settlement/reports.ts'
import type { EnvelopeSeen, FileRow, ParsedFile } from '../connectors/_kit/define.ts'
import { insertInbox, sealRow, type NewInboxRow } from '../db/inbox.ts'
import { constraintOf, type Queryable, type Tx } from '../db/pool.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import { absentRows } from './absent.ts'
import { openFileCase, rowsToStore, seenEnvelopes, takeEnvelopes } from './fileEnvelopes.ts'
import { acknowledge } from './fileMoves.ts'
import { confirmReport } from './reports.ts'
import { wakeAll, wakeDrain } from './wake.ts'

const INSERT_ROWS_MAX = 1_000

export interface KnownFile {
  id: number
  state: 'applied' | 'rejected' | 'held' | 'duplicate'
  /** When it was first read. */
  received_at: Date
}

/** What became of a file, and of the parts of it that its sender numbers. */
export interface StoredFile {
  state: 'applied' | 'held' | 'duplicate'
  received_at: Date
  envelopes: ReadonlyMap<string, EnvelopeSeen>
}

export interface FileToStore {
  connection_id: string
  name: string
  bytes: Buffer
  sha256: Buffer
  parsed: ParsedFile
  shrink_max: number
}

export async function findFile(db: Queryable, connectionId: string, sha256: Buffer): Promise<KnownFile | undefined> {
  const [row] = await db.query<KnownFile>(
    'select id, state, received_at from inbound_files where connection_id = $1 and sha256 = $2',
    [connectionId, sha256],
  )
  return row
}

/**
 * One transaction for the file and all its rows. `held`: the file claims to name everything and has lost more rows than may be normal;
 * its bytes are kept and nothing is applied. `duplicate`: its sequence was used by another file. Constraints decide both ways of being
 * the same file, so two readers at once store it once.
 */
export async function storeFile(hub: Hub, file: FileToStore): Promise<StoredFile> {
  const now = hub.clock.now()
  try {
    return await inTransaction(hub.db, async (tx) => {
      const shrunk = await hasShrunk(tx, file)
      const state = shrunk ? 'held' : 'applied'
      const id = await upsertFile(tx, {
        ...headOf(file),
        state,
        body: shrunk ? hub.vault.seal(file.bytes, aadOf(file.connection_id, file.sha256)) : null,
        error_code: shrunk ? 'snapshot_shrank' : null,
        error_detail: shrunk ? 'the file names far fewer rows than the last one; confirm or reject it' : null,
        now,
      })
      // Another reader stored it a moment ago, or somebody refused it: what was decided holds.
      if (id === undefined) return decidedFile(tx, file, await findFile(tx, file.connection_id, file.sha256), now)
      const envelopes = shrunk ? NO_ENVELOPES : await insertRows(tx, hub, { id, ...file, now })
      return { state, received_at: now, envelopes }
    })
  } catch (thrown) {
    if (constraintOf(thrown) !== 'inbound_files_sequence') throw thrown
    await upsertFile(hub.db, {
      ...headOf(file),
      state: 'duplicate',
      body: null,
      error_code: 'file_invalid',
      error_detail: 'the sequence was used before by another file',
      now,
    })
    return { state: 'duplicate', received_at: now, envelopes: NO_ENVELOPES }
  }
}

const NO_ENVELOPES: ReadonlyMap<string, EnvelopeSeen> = new Map()

/** A file that was decided before: what it was then. */
export async function decidedFile(
  q: Queryable,
  { connection_id, parsed }: Pick<FileToStore, 'connection_id' | 'parsed'>,
  known: KnownFile | undefined,
  now: Date,
): Promise<StoredFile> {
  if (known === undefined) return { state: 'duplicate', received_at: now, envelopes: NO_ENVELOPES }
  const envelopes = await seenEnvelopes(q, { id: known.id, connection_id, parsed })
  const state = known.state === 'applied' || known.state === 'held' ? known.state : 'duplicate'
  return { state, received_at: known.received_at, envelopes }
}

/** Larger files that cannot be trusted stay in the error folder alone. */
const REJECTED_BYTES_MAX = 8 * 1024 * 1024

/** A file that cannot be trusted as a whole: that it came, why nothing was taken, and its sealed bytes for whoever looks into it. */
export async function storeRejected(
  hub: Hub,
  connection: Connection,
  file: { name: string; sha256: Buffer; type: string; bytes: Buffer; error: HubError },
): Promise<void> {
  const { error, bytes, ...head } = file
  const now = hub.clock.now()
  const keep = bytes.length > 0 && bytes.length <= REJECTED_BYTES_MAX
  await inTransaction(hub.db, async (tx) => {
    const id = await upsertFile(tx, {
      ...head,
      connection_id: connection.id,
      sequence: null,
      rows: 0,
      scope: 'partial',
      totals: {},
      state: 'rejected',
      body: keep ? hub.vault.seal(bytes, aadOf(connection.id, head.sha256)) : null,
      error_code: error.code,
      error_detail: error.message.slice(0, 500),
      now,
    })
    const refused = [{ code: error.code, message: error.message, path: error.path ?? null }]
    if (id !== undefined) await openFileCase(tx, connection, { id, ...head, rows: 0, refused }, now)
  })
}

/**
 * Applies a held file after all: the stored bytes are read again and enter the inbox like any file's. `not_found` when there is no such
 * file, `conflict` when it is no longer held (somebody decided before).
 */
export async function confirmFile(hub: Hub, fileId: number, user: string): Promise<{ rows: number }> {
  if (await isReport(hub.db, fileId)) return confirmReport(hub, fileId, user)
  const now = hub.clock.now()
  const applied = await inTransaction(hub.db, async (tx) => {
    const file = await lockHeld(tx, fileId)
    const connection = hub.connections.get(file.connection_id)
    const definition = connection?.connector.files
    if (connection === undefined || definition === undefined)
      throw new HubError('unsupported', `${file.connection_id} reads no files`)
    const bytes = hub.vault.open(file.body, aadOf(file.connection_id, file.sha256))
    const parsed = definition.parse(
      { name: file.name, bytes, modified_at_ms: file.received_at.getTime() },
      connection.port.settings,
    )
    const { id, connection_id, sha256, name, received_at } = file
    const envelopes = await insertRows(tx, hub, { id, connection_id, sha256, name, parsed, now })
    await decide(tx, { id, state: 'applied', user, now, action: 'file.confirm' })
    return { connection, definition, name, parsed, received_at, envelopes }
  })
  await wakeAll(hub, [wakeDrain(applied.connection.id)])
  await acknowledge(applied.connection, applied.definition, applied)
  return { rows: applied.parsed.rows.length }
}

/** Refuses a held file for good. Its bytes are forgotten, its row stays. */
export async function rejectFile(hub: Hub, fileId: number, user: string): Promise<void> {
  const now = hub.clock.now()
  await inTransaction(hub.db, async (tx) => {
    const file = await lockHeld(tx, fileId)
    await decide(tx, { id: file.id, state: 'rejected', user, now, action: 'file.reject' })
    await reportsOfFileRefused(tx, now, { connection_id: file.connection_id, file_id: file.id }, user)
  })
}

/** A file of payouts that came over an API is read by its own formats, not as rows of the inbox. */
async function isReport(db: Queryable, fileId: number): Promise<boolean> {
  const rows = await db.query(`select 1 from inbound_files where id = $1 and type = 'settlement'`, [fileId])
  return rows.length > 0
}

const aadOf = (connectionId: string, sha256: Buffer): string => `file:${connectionId}:${sha256.toString('hex')}`

const headOf = ({ connection_id, name, sha256, parsed }: FileToStore): FileHead => ({
  connection_id,
  name,
  sha256,
  type: parsed.type,
  sequence: parsed.sequence,
  rows: parsed.rows.length,
  scope: parsed.scope,
  totals: parsed.totals,
})

interface FileHead {
  connection_id: string
  name: string
  sha256: Buffer
  type: string
  sequence: string | null
  rows: number
  scope: 'full' | 'partial'
  totals: Readonly<Record<string, number>>
}

interface FileRecord extends FileHead {
  state: KnownFile['state']
  body: Buffer | null
  error_code: string | null
  error_detail: string | null
  now: Date
}

/** A file that was refused before may be read again (we learned to, or the fault was ours); any other stays as it was decided. */
async function upsertFile(db: Queryable, file: FileRecord): Promise<number | undefined> {
  const [row] = await db.query<{ id: number }>(
    `insert into inbound_files as f
       (connection_id, name, type, sequence, sha256, body, rows, scope, state, error_code, error_detail, totals, received_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13)
     on conflict (connection_id, sha256) do update
       set name = excluded.name, type = excluded.type, sequence = excluded.sequence, body = excluded.body, rows = excluded.rows,
           scope = excluded.scope, state = excluded.state, error_code = excluded.error_code, error_detail = excluded.error_detail,
           totals = excluded.totals, received_at = excluded.received_at
       where f.state in ('rejected', 'duplicate') and f.decided_at is null
     returning id`,
    [
      file.connection_id,
      file.name,
      file.type,
      file.sequence,
      file.sha256,
      file.body,
      file.rows,
      file.scope,
      file.state,
      file.error_code,
      file.error_detail,
      JSON.stringify(file.totals),
      file.now,
    ],
  )
  return row?.id
}

/** Rows as the sender counted them; one of ours may hold hundreds. */
const sizeOf = (rows: number, totals: Readonly<Record<string, number>>): number => totals['rows'] ?? rows

/** Against the last full file of the type that was applied; the first one has nothing to be measured by. */
async function hasShrunk(tx: Tx, file: FileToStore): Promise<boolean> {
  if (file.parsed.scope !== 'full') return false
  const [last] = await tx.query<{ rows: number; totals: Record<string, number> }>(
    `select rows, totals from inbound_files where connection_id = $1 and type = $2 and scope = 'full' and state = 'applied' order by id desc limit 1`,
    [file.connection_id, file.parsed.type],
  )
  if (last === undefined) return false
  const before = sizeOf(last.rows, last.totals)
  return before - sizeOf(file.parsed.rows.length, file.parsed.totals) > before * file.shrink_max
}

async function insertRows(
  tx: Tx,
  hub: Hub,
  file: { id: number; connection_id: string; name: string; sha256: Buffer; parsed: ParsedFile; now: Date },
): Promise<ReadonlyMap<string, EnvelopeSeen>> {
  const { parsed } = file
  const connection = hub.connections.get(file.connection_id)
  const envelopes = await takeEnvelopes(tx, file)
  const sound = rowsToStore(parsed.rows, envelopes)
  const absent = connection === undefined ? [] : await absentRows(tx, hub, connection, file)
  const rows = [...sound, ...absent]
  for (let start = 0; start < rows.length; start += INSERT_ROWS_MAX)
    await insertInbox(
      tx,
      rows.slice(start, start + INSERT_ROWS_MAX).map((row) => sealed(hub, file, row)),
    )
  const refused = sound.flatMap(({ fault }) => fault ?? [])
  if (connection !== undefined) {
    const { id, name } = file
    await openFileCase(tx, connection, { id, name, type: parsed.type, rows: parsed.rows.length, refused }, file.now)
  }
  return envelopes
}

function sealed(
  hub: Hub,
  { id, connection_id, parsed, now }: { id: number; connection_id: string; parsed: ParsedFile; now: Date },
  row: FileRow,
): NewInboxRow {
  return sealRow(hub.vault, {
    connection_id,
    source: 'file',
    topic: row.topic,
    dedupe_key: row.dedupe_key,
    body: Buffer.from(JSON.stringify(row.payload ?? null), 'utf8'),
    observed_at: parsed.as_of,
    received_at: now,
    file_id: id,
    file_row: row.row,
    ...(row.fault === undefined ? {} : { fault: row.fault }),
  })
}

interface HeldFile {
  id: number
  connection_id: string
  name: string
  sha256: Buffer
  body: Buffer
  received_at: Date
}

async function lockHeld(tx: Tx, fileId: number): Promise<HeldFile> {
  const [file] = await tx.query<HeldFile & { state: string }>(
    'select id, connection_id, name, sha256, body, received_at, state from inbound_files where id = $1 for update',
    [fileId],
  )
  if (file === undefined) throw new HubError('not_found', `there is no file ${fileId}`)
  if (file.state !== 'held') throw new HubError('conflict', `file ${fileId} is ${file.state}, not held`)
  return file
}

async function decide(
  tx: Tx,
  decision: { id: number; state: 'applied' | 'rejected'; user: string; now: Date; action: string },
): Promise<void> {
  await tx.query(`update inbound_files set state = $2, body = null, decided_at = $3, decided_by = $4 where id = $1`, [
    decision.id,
    decision.state,
    decision.now,
    decision.user,
  ])
  await tx.query(`insert into audit_log (at, actor, action, subject) values ($1, $2, $3, $4)`, [
    decision.now,
    decision.user,
    decision.action,
    `file:${decision.id}`,
  ])
}
