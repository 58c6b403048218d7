import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import knex, { type Knex } from 'knex'
import { HubError } from '../core/errors.ts'
import { openSession, type Queryable } from './pool.ts'

const SCHEMA = 'crossdock'
const TABLE = 'schema_migrations'
/** Any number that no other advisory lock of the hub uses. */
const LOCK_KEY = 7_301_001
/** A migration that waits longer for a table lock is starving live traffic behind it; failing lets it be tried again. */
const LOCK_TIMEOUT = '15s'
const FILE_NAME = /^\d{4}_[a-z0-9_]+\.sql$/
const DIRECTORY = fileURLToPath(new URL('./migrations', import.meta.url))

export interface MigrateOptions {
  /** Folder of numbered `.sql` files; the hub's own by default. */
  directory?: string
}

export interface MigrationStatus {
  /** Name of the newest applied migration, such as `0001_spine`, or null for an empty database. */
  current: string | null
  pending: string[]
  /** Applied migrations that this code does not know: the database is newer. */
  unknown: string[]
}

/**
 * Brings the database to this code's schema, forward only and in one transaction: all or nothing. Safe to call from many processes at once: they
 * take turns by an advisory lock. `HubError('schema_newer_than_code')` when the database knows migrations that this code does not.
 */
export async function migrate(
  url: string,
  options: MigrateOptions = {},
): Promise<{ applied: string[]; version: string }> {
  const directory = options.directory ?? DIRECTORY
  const names = await migrationNames(directory)
  const session = await openSession({ url, application_name: 'crossdock-migrate' })
  try {
    await session.query('select pg_advisory_lock($1)', [LOCK_KEY])
    await session.query(`create schema if not exists ${SCHEMA}`)
    const { unknown } = compare(names, await appliedNames(session))
    if (unknown.length > 0) throw newerThanCode(unknown)
    const applied = await runPending(url, directory, names)
    return { applied: applied.map(withoutEnding), version: withoutEnding(names.at(-1) ?? '') }
  } finally {
    await session.close()
  }
}

/** What is applied and what is pending, read without changing anything. */
export async function migrationStatus(url: string, options: MigrateOptions = {}): Promise<MigrationStatus> {
  const names = await migrationNames(options.directory ?? DIRECTORY)
  const session = await openSession({ url, application_name: 'crossdock-migrate' })
  try {
    return compare(names, await appliedNames(session))
  } finally {
    await session.close()
  }
}

async function runPending(url: string, directory: string, names: readonly string[]): Promise<string[]> {
  const runner = knex({
    client: 'pg',
    connection: { connectionString: url, application_name: 'crossdock-migrate' },
    searchPath: [SCHEMA, 'public'],
    pool: { min: 0, max: 2 },
    // knex prints what it also throws; the thrower decides what is logged.
    log: { debug: ignore, warn: ignore, error: ignore, deprecate: ignore },
    migrations: { schemaName: SCHEMA, tableName: TABLE, migrationSource: sqlFiles(directory, names) },
  })
  try {
    // knex keeps its own lock in a row, which a killed process leaves behind for ever. The advisory lock that we hold guards this
    // run and goes away with its connection, so a row found here is stale.
    await runner.migrate.forceFreeMigrationsLock()
    const [, applied]: [number, string[]] = await runner.migrate.latest()
    return applied
  } finally {
    await runner.destroy()
  }
}

/** knex's migrator over plain SQL files: the file name is the migration's identity. */
function sqlFiles(directory: string, names: readonly string[]): Knex.MigrationSource<string> {
  return {
    getMigrations: () => Promise.resolve([...names]),
    getMigrationName: (name) => name,
    getMigration: async (name) => {
      const sql = await readFile(join(directory, name), 'utf8')
      return {
        config: { transaction: true },
        up: async (transaction) => {
          await transaction.raw(`set local lock_timeout = '${LOCK_TIMEOUT}'`)
          // knex reads a bare question mark as a binding, also inside SQL operators and comments.
          await transaction.raw(sql.replaceAll('?', '\\?')).catch((cause: unknown) => {
            throw new HubError('internal', `migration ${withoutEnding(name)} failed: ${lastWords(cause)}`, { cause })
          })
        },
        down: () =>
          Promise.reject(new HubError('unsupported', 'migrations go forward only; restore a backup to go back')),
      }
    },
  }
}

async function migrationNames(directory: string): Promise<string[]> {
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).toSorted()
  const misnamed = files.find((name) => !FILE_NAME.test(name))
  if (misnamed !== undefined || files.length === 0) {
    throw new HubError('internal', `migrations must be files named like 0001_name.sql in ${directory}`, {
      hint: misnamed === undefined ? 'none was found; a build must copy the .sql files' : `rename ${misnamed}`,
    })
  }
  const numbers = files.map((name) => name.slice(0, 4))
  const twice = numbers.find((number, index) => numbers.indexOf(number) !== index)
  if (twice !== undefined) throw new HubError('internal', `two migrations share the number ${twice}`)
  return files
}

async function appliedNames(session: Queryable): Promise<string[]> {
  const [found] = await session.query<{ present: boolean }>('select to_regclass($1) is not null as present', [
    `${SCHEMA}.${TABLE}`,
  ])
  if (found?.present !== true) return []
  const rows = await session.query<{ name: string }>(`select name from ${SCHEMA}.${TABLE} order by name`)
  return rows.map((row) => row.name)
}

function compare(names: readonly string[], applied: readonly string[]): MigrationStatus {
  const done = new Set(applied)
  const known = new Set(names)
  return {
    current: applied.length === 0 ? null : withoutEnding(applied.at(-1) ?? ''),
    pending: names.filter((name) => !done.has(name)).map(withoutEnding),
    unknown: applied.filter((name) => !known.has(name)).map(withoutEnding),
  }
}

function newerThanCode(unknown: readonly string[]): HubError {
  return new HubError(
    'schema_newer_than_code',
    `the database has migrations that this version does not know: ${unknown.join(', ')}`,
    {
      hint: 'start the newer version of Crossdock again, or restore the backup made before it was installed',
    },
  )
}

/** knex puts the whole SQL text before the server's own words. */
function lastWords(thrown: unknown): string {
  return thrown instanceof Error ? (thrown.message.split(' - ').at(-1) ?? thrown.message) : String(thrown)
}

function ignore(): void {}

function withoutEnding(name: string): string {
  return name.replace(/\.sql$/, '')
}
