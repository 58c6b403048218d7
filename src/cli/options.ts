import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pino, type Logger } from 'pino'
import { environment, loadConfig, type Config } from '../config.ts'
import { connectors } from '../connectors/index.ts'
import { reachDatabase, type Database } from '../main/database.ts'
import { openHub, type OpenHub } from '../main.ts'
import { HubError } from '../core/errors.ts'
import { migrationStatus } from '../db/migrate.ts'
import { openDb, sqlState, type Db } from '../db/pool.ts'

/** What every command takes, before or after its name. */
export interface CommonOptions {
  config?: string
  json?: boolean
}

/** `--config`, else CROSSDOCK_CONFIG, else ./config/crossdock.yaml, else the sandbox that comes with the program. */
export function configFile(options: CommonOptions): string {
  const named = options.config ?? environment().config_file
  if (named !== undefined) return resolve(named)
  const local = resolve('config/crossdock.yaml')
  return existsSync(local) ? local : join(dirname(dirname(import.meta.dirname)), 'config', 'crossdock.yaml')
}

export const readConfig = (options: CommonOptions): Config => loadConfig(configFile(options), { connectors })

/** Commands answer on stdout; what the parts log goes to stderr and only when it matters. */
const quietLog = (): Logger => pino({ level: 'warn' }, pino.destination(2))

/** For the schema's own commands: the database of the running hub, before anything is asked of it. */
export async function withDatabase<T>(options: CommonOptions, work: (database: Database) => Promise<T>): Promise<T> {
  const database = await reachDatabase(readConfig(options), quietLog())
  try {
    return await work(database)
  } finally {
    await database.stop()
  }
}

/** For commands that only read: a pool on the running hub's database. */
export async function withDb<T>(options: CommonOptions, work: (db: Db) => Promise<T>): Promise<T> {
  return withDatabase(options, async ({ url }) => {
    const db = openDb({ url, pool_max: 4, application_name: 'crossdock-cli', log: quietLog() })
    try {
      return await work(db)
    } catch (thrown) {
      throw (await isEmpty(url, thrown)) ? NO_SCHEMA : thrown
    } finally {
      await db.close()
    }
  })
}

const NO_SCHEMA = new HubError('bad_request', 'the database is empty: no hub has run on it yet', {
  hint: 'start the hub once, or run crossdock migrate; crossdock config print shows which database this is',
})
const UNDEFINED_TABLE = '42P01'

/** A table that is missing in a database with our schema is a fault of ours and keeps its own words. */
async function isEmpty(url: string, thrown: unknown): Promise<boolean> {
  return sqlState(thrown) === UNDEFINED_TABLE && (await migrationStatus(url)).current === null
}

/** For commands that act: the whole hub, opened beside the running one, with nothing running in it. */
export async function withHub<T>(options: CommonOptions, work: (open: OpenHub) => Promise<T>): Promise<T> {
  const config = readConfig(options)
  const log = quietLog()
  const open = await openHub({ config, log, database: await reachDatabase(config, log) })
  try {
    return await work(open)
  } finally {
    await open.close()
  }
}
