import { createHash } from 'node:crypto'
import pg from 'pg'
import { HubError } from '../core/errors.ts'

/** The part of a structured logger (pino's call shape) that the database layer writes to. */
export interface Log {
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** Anything that runs SQL and returns rows. Of several statements in one text, the last one's rows are returned. */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(sql: string, params?: readonly unknown[]): Promise<Row[]>
}

/** A queryable whose statements belong to one open transaction; a function that needs one says so by this type. */
export interface Tx extends Queryable {
  readonly inTransaction: true
}

/** One pinned connection. `command` returns the server's tag, which is how a COMMIT that became a ROLLBACK is noticed. */
export interface Connection extends Queryable {
  command(sql: string): Promise<string>
}

export interface Db extends Queryable {
  readonly url: string
  /** Runs `work` on one pinned connection; a connection that broke meanwhile is thrown away, not reused. */
  withClient<T>(work: (client: Connection) => Promise<T>): Promise<T>
  close(): Promise<void>
}

/** One connection outside any pool, for advisory locks and administration. */
export interface Session extends Connection {
  close(): Promise<void>
}

export interface DbOptions {
  url: string
  pool_max: number
  application_name: string
  log?: Log
  statement_timeout_ms?: number
  idle_in_transaction_timeout_ms?: number
}

const SEARCH_PATH = 'crossdock,public'
const CONNECT_TIMEOUT_MS = 10_000
const STATEMENT_TIMEOUT_MS = 60_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000
/** A text seen this often with parameters is prepared by name on each connection, so the server parses and plans it once. */
const PREPARE_AFTER_USES = 4
/** Limit of distinct texts remembered: hot statements are few, and each costs memory on every server connection. */
const STATEMENT_TEXTS_MAX = 1_000

/** Connection exceptions, shutdown and "too many clients": the statement may be right, the server is not there. */
const UNAVAILABLE_STATES = /^(08...|57P0[1235]|53300)$/
const UNAVAILABLE_ERRNOS = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EHOSTUNREACH',
  'EAI_AGAIN',
])
/** node-postgres reports a socket that went away by text alone. */
const UNAVAILABLE_TEXT =
  /connection terminated|timeout exceeded when trying to connect|not queryable|client was closed|timeout expired|after calling end on the pool/i

const OID = { int8: 20, int8_array: 1016, text_array: 1009, date: 1082, date_array: 1182, timestamp: 1114 } as const
const typeParser = pg.types.getTypeParser as (oid: number, format: 'text' | 'binary') => (text: string) => unknown
const textArray = typeParser(OID.text_array, 'text') as (text: string) => (string | null)[]
const asText = (text: string): string => text
const PARSERS = new Map<number, (text: string) => unknown>([
  [OID.int8, parseInt8],
  [OID.int8_array, (text) => textArray(text).map((entry) => (entry === null ? null : parseInt8(entry)))],
  // A calendar date has no zone; node-postgres would turn it into local midnight and shift it for readers elsewhere.
  [OID.date, asText],
  [OID.date_array, textArray],
  [OID.timestamp, asText],
])

const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: 'text' | 'binary') =>
    (format === 'binary' ? undefined : PARSERS.get(oid)) ?? typeParser(oid, format ?? 'text'),
}

/**
 * Opens the pool of the hub's own schema. int8 arrives as a JS number (a value beyond 2^53 fails the query rather than losing
 * digits), numeric as text, timestamptz as Date, date as `YYYY-MM-DD`, bytea as Buffer. Faults: a lost or unreachable server is
 * `HubError('database_unavailable')`; any other is PostgreSQL's own error (see `sqlState`) without its row-quoting detail.
 */
export function openDb(options: DbOptions): Db {
  const pool = new pg.Pool({
    ...connectionOptions(options.url, options.application_name, SEARCH_PATH),
    max: options.pool_max,
    // Statements that are asked for together leave together, and are answered one after another.
    pipeline: true,
    statement_timeout: options.statement_timeout_ms ?? STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: options.idle_in_transaction_timeout_ms ?? IDLE_IN_TRANSACTION_TIMEOUT_MS,
  })
  const { log } = options
  // An idle connection that breaks emits here; unheard, it would end the process. The pool replaces the connection by itself.
  pool.on('error', (error) =>
    log?.warn({ sql_state: sqlState(error), reason: error.message }, 'idle database connection lost'),
  )
  const named = statementNames()
  let closing: Promise<void> | undefined
  return {
    url: options.url,
    query: async <Row extends object>(sql: string, params?: readonly unknown[]) =>
      rowsOf<Row>(await guarded(() => pool.query(named(sql, params)))),
    withClient: async (work) => {
      const client = await guarded(() => pool.connect())
      let broken: Error | undefined
      const onError = (error: Error): void => {
        broken = error
      }
      client.on('error', onError)
      try {
        return await work(connectionOf(client, named))
      } catch (thrown) {
        if (thrown instanceof HubError && thrown.code === 'database_unavailable') broken ??= thrown
        throw thrown
      } finally {
        client.off('error', onError)
        client.release(broken)
      }
    },
    close: () => (closing ??= pool.end()),
  }
}

/** Opens one connection without timeouts, for advisory locks, `create database` and the like. `onLost` hears of a broken socket. */
export async function openSession(options: {
  url: string
  application_name: string
  onLost?: (error: Error) => void
}): Promise<Session> {
  const client = new pg.Client(connectionOptions(options.url, options.application_name, SEARCH_PATH))
  client.on('error', (error) => options.onLost?.(error))
  await guarded(() => client.connect())
  return {
    ...connectionOf(client, (sql, params) => ({ text: sql, values: toValues(params) })),
    close: () => client.end(),
  }
}

/**
 * The pool that the queue library works on directly, with its own schema first in the search path. One pool is shared by all queues
 * and workers: each would otherwise open its own, and each worker pins one connection for LISTEN.
 */
export function rawPool(options: {
  url: string
  pool_max: number
  application_name: string
  search_path: string
  log?: Log
}): pg.Pool {
  const connection = connectionOptions(options.url, options.application_name, options.search_path)
  const pool = new pg.Pool({
    ...connection,
    // Queues only wake work that inbox and outbox hold: what a crash takes of them is woken again, and so no job waits for the disk.
    options: `${connection.options} -c synchronous_commit=off`,
    max: options.pool_max,
    types: pg.types,
  })
  pool.setMaxListeners(0)
  pool.on('connect', (client) => client.setMaxListeners(0))
  pool.on('error', (error) => options.log?.warn({ reason: error.message }, 'idle queue connection lost'))
  return pool
}

/** The five-character SQLSTATE of a PostgreSQL error (`23505` unique violation, `40001` serialisation …), or undefined. */
export function sqlState(thrown: unknown): string | undefined {
  const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** The name of the constraint that a PostgreSQL error is about, so that callers match on it and never on a message. */
export function constraintOf(thrown: unknown): string | undefined {
  return thrown instanceof pg.DatabaseError ? thrown.constraint : undefined
}

type NamedStatement = (sql: string, params: readonly unknown[] | undefined) => pg.QueryConfig

/** Counts texts per pool and names the ones that come back, which is what makes node-postgres prepare them. */
function statementNames(): NamedStatement {
  const uses = new Map<string, number>()
  const names = new Map<string, string>()
  return (sql, params) => {
    if (params === undefined) return { text: sql }
    const known = names.get(sql)
    if (known !== undefined) return { name: known, text: sql, values: toValues(params) }
    const count = (uses.get(sql) ?? 0) + 1
    if (count >= PREPARE_AFTER_USES && names.size < STATEMENT_TEXTS_MAX) {
      names.set(sql, `s${createHash('sha256').update(sql).digest('hex').slice(0, 30)}`)
      uses.delete(sql)
    } else {
      if (uses.size >= STATEMENT_TEXTS_MAX) uses.clear()
      uses.set(sql, count)
    }
    return { text: sql, values: toValues(params) }
  }
}

function connectionOf(client: pg.ClientBase, named: NamedStatement): Connection {
  return {
    query: async <Row extends object>(sql: string, params?: readonly unknown[]) =>
      rowsOf<Row>(await guarded(() => client.query(named(sql, params)))),
    command: async (sql) => {
      const result: pg.QueryResult = await guarded(() => client.query(sql))
      return result.command
    },
  }
}

function connectionOptions(url: string, applicationName: string, searchPath: string): pg.ClientConfig {
  return {
    connectionString: url,
    application_name: applicationName,
    options: `-c search_path=${searchPath} -c TimeZone=UTC`,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    types,
  }
}

/** node-postgres answers a text of several statements with an array of results, which its types do not say. */
function rowsOf<Row extends object>(result: pg.QueryResult | pg.QueryResult[]): Row[] {
  const last = Array.isArray(result) ? result.at(-1) : result
  return last?.rows ?? []
}

function toValues(params: readonly unknown[] | undefined): unknown[] {
  return params === undefined
    ? []
    : params.map((param) => (Array.isArray(param) ? (arrayLiteral(param) ?? param) : param))
}

/**
 * An array as PostgreSQL writes it. Whole batches travel as arrays, and node-postgres' own way of writing them is a noticeable share
 * of what a batch costs. Undefined for an array that holds anything but plain values: those are left to node-postgres.
 */
function arrayLiteral(values: readonly unknown[]): string | undefined {
  const parts: string[] = []
  for (const value of values) {
    if (typeof value === 'string')
      parts.push(/["\\]/.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : `"${value}"`)
    else if (typeof value === 'number' || typeof value === 'boolean') parts.push(String(value))
    else if (value === null || value === undefined) parts.push('NULL')
    else if (Buffer.isBuffer(value)) parts.push(`"\\\\x${value.toString('hex')}"`)
    else return undefined
  }
  return `{${parts.join(',')}}`
}

async function guarded<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    throw databaseFault(thrown)
  }
}

function databaseFault(thrown: unknown): unknown {
  if (!(thrown instanceof Error) || thrown instanceof HubError) return thrown
  const code = 'code' in thrown && typeof thrown.code === 'string' ? thrown.code : ''
  if (
    UNAVAILABLE_STATES.test(code) ||
    UNAVAILABLE_ERRNOS.has(code) ||
    (code === '' && UNAVAILABLE_TEXT.test(thrown.message))
  ) {
    return new HubError(
      'database_unavailable',
      `the database cannot be reached (${code === '' ? thrown.message : code})`,
      { cause: thrown },
    )
  }
  if (thrown instanceof pg.DatabaseError) {
    // Both quote row contents ("Key (email)=(…) already exists", the failing row), which must not reach a log.
    thrown.detail = undefined
    thrown.where = undefined
  }
  return thrown
}

function parseInt8(text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value))
    throw new HubError('invariant_broken', 'a bigint beyond 2^53 was read; it cannot be kept exactly')
  return value
}
