import { createHash } from 'node:crypto'
import { asHubError, HubError, type ErrorCode } from '../core/errors.ts'
import type { Db, Queryable } from './pool.ts'

/** The part of the vault that the inbox needs: bytes at rest are sealed, and bound to the row that they belong to. */
export interface Sealer {
  seal: (plain: Buffer, aad: string) => Buffer
  open: (sealed: Buffer, aad: string) => Buffer
}

/** One message from outside, as it came. */
export interface ReceivedRow {
  connection_id: string
  source: 'webhook' | 'poll' | 'file' | 'api'
  topic: string
  dedupe_key: string
  body: Buffer
  observed_at: string | Date
  received_at: Date
  file_id?: number
  file_row?: number
  /** Stored at once as parked: a row of a file that cannot be read. */
  fault?: { code: ErrorCode; message: string; path: string }
}

/** The same, ready for the table: sealed, with the hash of the plain bytes by which duplicates are compared. */
export interface NewInboxRow extends Omit<ReceivedRow, 'body'> {
  body: Buffer
  body_sha256: Buffer
}

/** `conflict`: this key was used before with other bytes. Both are kept, only the first is applied. */
export type Stored = 'stored' | 'duplicate' | 'conflict'

const FLUSH_ROWS_MAX = 500
/** While one flush commits the next one fills; a third would only wait for the same disk. */
const FLUSHES_MAX = 2
const WAITING_ROWS_MAX = 5_000
const WAITING_BYTES_MAX = 64 * 1024 * 1024
const BUSY_RETRY_AFTER_MS = 1_000
const WAKE_PAUSE_MS = 25

const aadOf = (row: { connection_id: string; dedupe_key: string }): string =>
  `inbox:${row.connection_id}:${row.dedupe_key}`

/** Seals the bytes for their row, so that a body moved to another row can no longer be opened. */
export function sealRow(vault: Sealer, row: ReceivedRow): NewInboxRow {
  return { ...row, body: vault.seal(row.body, aadOf(row)), body_sha256: createHash('sha256').update(row.body).digest() }
}

/** The bytes as they came. `payload_invalid` when they were erased; `vault_sealed` when the key does not fit. */
export function readBody(
  vault: Sealer,
  row: { connection_id: string; dedupe_key: string; body: Buffer | null },
): Buffer {
  if (row.body === null) throw new HubError('payload_invalid', 'the body was erased', { path: '$' })
  return vault.open(row.body, aadOf(row))
}

/**
 * Stores messages by one insert and says of each what became of it. The UNIQUE constraint decides, so two processes can never both
 * store one key. Rows go in by key order: two batches that share keys then wait for each other and do not deadlock.
 */
export async function insertInbox(db: Queryable, rows: readonly NewInboxRow[]): Promise<Stored[]> {
  if (rows.length === 0) return []
  const stored = await db.query<{ id: number; connection_id: string; dedupe_key: string }>(INSERT_SQL, columnsOf(rows))
  const fresh = new Map(stored.map((row) => [aadOf(row), row.id]))
  const firsts = new Map<string, NewInboxRow>()
  const repeats: number[] = []
  const outcomes = rows.map((row, index): Stored => {
    const key = aadOf(row)
    if (fresh.has(key) && !firsts.has(key)) {
      firsts.set(key, row)
      return 'stored'
    }
    repeats.push(index)
    return 'duplicate'
  })
  if (repeats.length === 0) return outcomes
  const known = await hashesOf(
    db,
    repeats.map((index) => rows[index]).filter((row) => row !== undefined),
  )
  const conflicts: { inbox_id: number; row: NewInboxRow }[] = []
  for (const index of repeats) {
    const row = rows[index]
    const first = row === undefined ? undefined : known.get(aadOf(row))
    if (row === undefined || first === undefined || first.body_sha256.equals(row.body_sha256)) continue
    outcomes[index] = 'conflict'
    conflicts.push({ inbox_id: first.id, row })
  }
  await insertConflicts(db, conflicts)
  return outcomes
}

/** The bodies travel as one binary value that the server cuts up: an array of bytea would go as hex, at twice the size. */
const INSERT_SQL = `
  insert into inbox (connection_id, source, topic, dedupe_key, body, body_sha256, file_id, file_row, observed_at, received_at, next_attempt_at,
                     state, cause_code, cause_detail, cause_path, processed_at)
  select connection_id, source, topic, dedupe_key, substring($14::bytea from body_from for body_bytes), body_sha256, file_id, file_row,
         observed_at, received_at, received_at,
         case when cause_code is null then 'pending' else 'parked' end, cause_code, cause_detail, cause_path,
         case when cause_code is null then null else received_at end
  from (
    select distinct on (connection_id, dedupe_key) * from unnest(
      $1::text[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::bigint[], $7::int[], $8::timestamptz[], $9::timestamptz[],
      $10::text[], $11::text[], $12::text[], $13::int[], $15::int[]
    ) with ordinality as given (connection_id, source, topic, dedupe_key, body_sha256, file_id, file_row, observed_at, received_at,
                                cause_code, cause_detail, cause_path, body_from, body_bytes, position)
    order by connection_id, dedupe_key, position
  ) first_of_each_key
  order by connection_id, dedupe_key
  on conflict (connection_id, dedupe_key) do nothing
  returning id, connection_id, dedupe_key`

function columnsOf(rows: readonly NewInboxRow[]): unknown[] {
  let next = 1
  const starts = rows.map(({ body }) => {
    const start = next
    next += body.length
    return start
  })
  return [
    rows.map((row) => row.connection_id),
    rows.map((row) => row.source),
    rows.map((row) => row.topic),
    rows.map((row) => row.dedupe_key),
    rows.map((row) => row.body_sha256),
    rows.map((row) => row.file_id ?? null),
    rows.map((row) => row.file_row ?? null),
    rows.map((row) => instantText(row.observed_at)),
    rows.map((row) => instantText(row.received_at)),
    rows.map((row) => row.fault?.code ?? null),
    rows.map((row) => row.fault?.message ?? null),
    rows.map((row) => row.fault?.path ?? null),
    starts,
    Buffer.concat(rows.map((row) => row.body)),
    rows.map((row) => row.body.length),
  ]
}

/** An array of Date objects would be written by node-postgres, piece by piece; texts go the short way. */
const instantText = (at: string | Date): string => (typeof at === 'string' ? at : at.toISOString())

/** A statement of its own: a row that another process committed a moment ago is invisible to the insert that met it. */
async function hashesOf(
  db: Queryable,
  rows: readonly NewInboxRow[],
): Promise<Map<string, { id: number; body_sha256: Buffer }>> {
  const found = await db.query<{ id: number; connection_id: string; dedupe_key: string; body_sha256: Buffer }>(
    `select id, connection_id, dedupe_key, body_sha256 from inbox
     join unnest($1::text[], $2::text[]) as given (connection_id, dedupe_key) using (connection_id, dedupe_key)`,
    [rows.map((row) => row.connection_id), rows.map((row) => row.dedupe_key)],
  )
  return new Map(found.map((row) => [aadOf(row), row]))
}

async function insertConflicts(
  db: Queryable,
  conflicts: readonly { inbox_id: number; row: NewInboxRow }[],
): Promise<void> {
  if (conflicts.length === 0) return
  await db.query(
    `insert into inbox_conflicts (inbox_id, body, body_sha256, received_at)
     select * from unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::timestamptz[])
     on conflict (inbox_id, body_sha256) do nothing`,
    [
      conflicts.map(({ inbox_id }) => inbox_id),
      conflicts.map(({ row }) => row.body),
      conflicts.map(({ row }) => row.body_sha256),
      conflicts.map(({ row }) => row.received_at),
    ],
  )
}

// ── the way in for single messages ────────────────────────────────────────────────────────────────────────────────────────

export interface Intake {
  /**
   * Resolves after the row is committed, so that a 2xx may be answered. `database_unavailable` with `retry_after_ms` when too much
   * is waiting already: the sender keeps the message and brings it again.
   */
  accept: (row: ReceivedRow) => Promise<Stored>
  /** Waits for what was accepted and for the last wake-ups. */
  close: () => Promise<void>
}

export interface IntakeOptions {
  db: Db
  vault: Sealer
  /** Told after commit that a connection has new rows; a failure is only reported, because the sweeper finds the rows too. */
  wake: (connectionId: string) => Promise<void>
  onWakeFailed: (connectionId: string, thrown: unknown) => void
}

interface Waiting {
  row: NewInboxRow
  resolve: (stored: Stored) => void
  reject: (thrown: unknown) => void
}

/**
 * Gathers messages that arrive while the database is busy and stores them together (no timer: a lone message leaves at once). Measured
 * at 1.3 to 1.7 times the rate of one insert per message, with the same durability.
 */
export function createIntake(options: IntakeOptions): Intake {
  const waiting: Waiting[] = []
  const flushes = new Set<Promise<void>>()
  const waker = createWaker(options)
  let waitingBytes = 0

  const flush = async (batch: readonly Waiting[]): Promise<void> => {
    const outcomes = await storeAll(options.db, batch)
    const fresh = new Set<string>()
    batch.forEach(({ row, resolve, reject }, index) => {
      const outcome = outcomes[index]
      if (typeof outcome !== 'string') return reject(outcome)
      if (outcome === 'stored') fresh.add(row.connection_id)
      resolve(outcome)
    })
    for (const connectionId of fresh) waker.wake(connectionId)
  }

  const pump = (): void => {
    while (waiting.length > 0 && flushes.size < FLUSHES_MAX) {
      const batch = waiting.splice(0, FLUSH_ROWS_MAX)
      for (const { row } of batch) waitingBytes -= row.body.length
      const running: Promise<void> = flush(batch).finally(() => {
        flushes.delete(running)
        pump()
      })
      flushes.add(running)
    }
  }

  return {
    accept: (received) => {
      if (waiting.length >= WAITING_ROWS_MAX || waitingBytes >= WAITING_BYTES_MAX) {
        const full = new HubError('database_unavailable', 'too many messages wait to be stored', {
          retry_after_ms: BUSY_RETRY_AFTER_MS,
        })
        return Promise.reject(full)
      }
      const { promise, resolve, reject } = Promise.withResolvers<Stored>()
      const row = sealRow(options.vault, received)
      waiting.push({ row, resolve, reject })
      waitingBytes += row.body.length
      pump()
      return promise
    },
    close: async () => {
      while (flushes.size > 0) await Promise.allSettled(flushes)
      await waker.close()
    },
  }
}

/** One bad row (a text that PostgreSQL refuses, a deadlock) must not reject its neighbours: they are then stored one by one. */
async function storeAll(db: Db, batch: readonly Waiting[]): Promise<(Stored | Error)[]> {
  try {
    return await insertInbox(
      db,
      batch.map(({ row }) => row),
    )
  } catch (thrown) {
    const fault = asHubError(thrown)
    if (fault.code === 'database_unavailable' || batch.length === 1) return batch.map(() => fault)
    return Promise.all(batch.map(({ row }) => insertInbox(db, [row]).then(([one]) => one ?? fault, asHubError)))
  }
}

/** The first message of a quiet connection wakes at once; during a stream one wake-up per pause is enough, and the last is never lost. */
function createWaker(options: IntakeOptions): { wake: (connectionId: string) => void; close: () => Promise<void> } {
  const pauses = new Map<string, { timer: NodeJS.Timeout; again: boolean }>()
  const running = new Set<Promise<void>>()
  const call = (connectionId: string): void => {
    const done: Promise<void> = options
      .wake(connectionId)
      .catch((thrown: unknown) => options.onWakeFailed(connectionId, thrown))
      .finally(() => running.delete(done))
    running.add(done)
    pauses.set(connectionId, { timer: setTimeout(() => pauseOver(connectionId), WAKE_PAUSE_MS), again: false })
  }
  const pauseOver = (connectionId: string): void => {
    const again = pauses.get(connectionId)?.again === true
    pauses.delete(connectionId)
    if (again) call(connectionId)
  }
  return {
    wake: (connectionId) => {
      const pause = pauses.get(connectionId)
      if (pause === undefined) call(connectionId)
      else pause.again = true
    },
    close: async () => {
      for (const [connectionId, { timer, again }] of pauses) {
        clearTimeout(timer)
        pauses.delete(connectionId)
        if (again) call(connectionId)
      }
      for (const { timer } of pauses.values()) clearTimeout(timer)
      while (running.size > 0) await Promise.allSettled(running)
    },
  }
}
