import type { Config } from '../config.ts'
import { HubError } from '../core/errors.ts'
import { connectEmbedded, startEmbedded } from '../db/embedded.ts'
import type { Log } from '../db/pool.ts'

export interface Database {
  url: string
  /** Where it is, without credentials, for people. */
  place: string
  stop: () => Promise<void>
}

/** The merchant's own server when one is configured, else the built-in one, started or taken over. */
export async function openDatabase(config: Config, log: Log): Promise<Database> {
  const configured = config.database.url
  if (configured !== '') return { url: configured, place: placeOf(configured), stop: () => Promise.resolve() }
  const embedded = await startEmbedded({ data_dir: config.database.data_dir, log })
  return {
    url: embedded.url,
    place: `built-in PostgreSQL on port ${embedded.port}, data in ${embedded.data_dir}`,
    stop: () => embedded.stop(),
  }
}

/** The database of the hub that runs now, for a command beside it; started for the command alone when no hub runs. */
export async function reachDatabase(config: Config, log: Log): Promise<Database> {
  if (config.database.url !== '') return openDatabase(config, log)
  const running = await connectEmbedded(config.database.data_dir)
  if (running !== undefined) return { url: running.url, place: placeOf(running.url), stop: () => Promise.resolve() }
  return openDatabase(config, log)
}

function placeOf(url: string): string {
  try {
    const { hostname, port, pathname } = new URL(url)
    return `PostgreSQL at ${hostname}:${port === '' ? '5432' : port}${pathname}`
  } catch {
    throw new HubError('config_invalid', 'the database URL is not a URL')
  }
}
