import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { pino, type Logger } from 'pino'
import { environment, loadConfig, type Config } from '../config.ts'
import { connectors } from '../connectors/index.ts'
import { reachDatabase } from '../main/database.ts'
import { openHub, type OpenHub } from '../main.ts'
import { openDb, type Db } from '../db/pool.ts'

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
export const quietLog = (): Logger => pino({ level: 'warn' }, pino.destination(2))

/** For commands that only read: a pool on the running hub's database. */
export async function withDb<T>(options: CommonOptions, work: (db: Db, config: Config) => Promise<T>): Promise<T> {
  const config = readConfig(options)
  const log = quietLog()
  const database = await reachDatabase(config, log)
  const db = openDb({ url: database.url, pool_max: 4, application_name: 'crossdock-cli', log })
  try {
    return await work(db, config)
  } finally {
    await db.close()
    await database.stop()
  }
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
