import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { HubError } from '../core/errors.ts'
import { findPlace, preparePlace, type Place } from './embedded/account.ts'
import { preparedBinaries, type Binaries } from './embedded/binaries.ts'
import {
  asAccount,
  endOrphans,
  freePort,
  launch,
  readyPostmaster,
  runningPostmaster,
  shutDown,
} from './embedded/postmaster.ts'
import { openSession, sqlState, type Log, type Session } from './pool.ts'

const run = promisify(execFile)

export interface EmbeddedPostgres {
  url: string
  port: number
  /** Where the data really is, which is not the wanted folder when the server's user cannot enter that one. */
  data_dir: string
  /** True when a server that already ran was taken over, after a crash of the hub or beside another one. */
  adopted: boolean
  /** Leaves the server; the last process that leaves shuts it down. */
  stop(): Promise<void>
}

export interface EmbeddedOptions {
  data_dir: string
  /** Wanted TCP port on 127.0.0.1; another one is taken when it is not free. 0 lets the system pick. */
  port?: number
  /** PostgreSQL settings over the house's own. */
  settings?: Record<string, string>
  log: Log
}

const USER = 'crossdock'
const DATABASE = 'crossdock'
const PASSWORD_FILE = 'crossdock.password'
const PORT_WANTED = 54_329
const ATTEMPTS_MAX = 20
const ATTEMPT_PAUSE_MS = 500
/** Every process that uses the server holds this advisory lock shared on one connection; it vanishes with the process, even by kill -9. */
const KEEPER_LOCK_KEY = 7_301_002

/** Sized for a small machine that also runs the hub. fsync and full_page_writes keep their safe defaults. */
const SETTINGS: Record<string, string> = {
  max_connections: '200',
  shared_buffers: '256MB',
  effective_cache_size: '1GB',
  work_mem: '8MB',
  maintenance_work_mem: '128MB',
  wal_buffers: '16MB',
  max_wal_size: '2GB',
  checkpoint_timeout: '15min',
  // Queue and inbox tables turn over all day; the default of a fifth dead rows is too late for them.
  autovacuum_vacuum_scale_factor: '0.05',
  autovacuum_naptime: '20s',
  random_page_cost: '1.1',
  jit: 'off',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // The server's log must not quote statements or rows: both may hold personal data.
  log_error_verbosity: 'terse',
  log_min_error_statement: 'panic',
}

/**
 * Starts the built-in PostgreSQL on `data_dir`, or takes over the one that already runs there. Creates the cluster on first use.
 * Survives kill -9 of the hub, of the server, or of both. Faults: `HubError('database_version')` when the data belongs to another
 * major version, `HubError('database_unavailable')` with a hint for everything else that stops it.
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const { log } = options
  const place = await preparePlace(options.data_dir, log)
  const binaries = await preparedBinaries(place.data_dir, place.account, log)
  if ((await dataVersion(place.data_dir)) === undefined) await initialise(place, binaries)
  guardVersion(place.data_dir, await dataVersion(place.data_dir), binaries.major)
  const password = await readPassword(place.data_dir)
  const { keeper, port, adopted } = await reach(place, binaries, password, options)
  await createDatabase(keeper)
  log.info({ port, data_dir: place.data_dir, adopted }, 'embedded PostgreSQL is ready')
  let stopping: Promise<void> | undefined
  return {
    url: urlOf(password, port, DATABASE),
    port,
    data_dir: place.data_dir,
    adopted,
    stop: () => (stopping ??= leave(keeper, binaries, place, log)),
  }
}

/**
 * The address of the embedded database of a hub that runs on `data_dir` now, or undefined when none runs. For a second process, such
 * as the command line, that must not start or stop anything.
 */
export async function connectEmbedded(dataDir: string): Promise<{ url: string } | undefined> {
  const place = await findPlace(dataDir)
  if (place === 'no_system_user' || (await dataVersion(place.data_dir)) === undefined) return undefined
  const postmaster = await readyPostmaster(place.data_dir)
  if (postmaster?.state !== 'ready') return undefined
  return { url: urlOf(await readPassword(place.data_dir), postmaster.port, DATABASE) }
}

interface Reached {
  keeper: Session
  port: number
  adopted: boolean
}

/** Adopt or launch, as often as the state of things changes under us: another hub may start or stop the server at the same time. */
async function reach(place: Place, binaries: Binaries, password: string, options: EmbeddedOptions): Promise<Reached> {
  const { log } = options
  let portWanted = options.port ?? PORT_WANTED
  let reason = 'the server kept stopping'
  for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt += 1) {
    const running = await readyPostmaster(place.data_dir)
    if (running?.state === 'ready') {
      const keeper = await openKeeper(password, running.port, log)
      if (keeper !== undefined) return { keeper, port: running.port, adopted: true }
    }
    const port = await freePort(portWanted)
    const launched = await launch(binaries.postgres, place, {
      ...SETTINGS,
      ...options.settings,
      port: String(port),
      listen_addresses: '127.0.0.1',
      unix_socket_directories: '',
    })
    if (launched.kind === 'ready') {
      if (port !== portWanted && portWanted !== 0)
        log.warn({ wanted: portWanted, port }, 'the wanted database port is taken; using another')
      const keeper = await openKeeper(password, port, log)
      if (keeper !== undefined) return { keeper, port, adopted: false }
      continue
    }
    reason = launched.log_tail
    if (launched.kind === 'too_slow' || launched.reason === 'other') break
    if (launched.reason === 'port_taken') portWanted = 0
    if (launched.reason === 'data_in_use' && (await runningPostmaster(place.data_dir)) === undefined) {
      const ended = await endOrphans(place.data_dir)
      log.warn({ ended }, 'processes of a killed database server were still at work; waiting for them to end')
    }
    await sleep(ATTEMPT_PAUSE_MS)
  }
  throw new HubError('database_unavailable', `the embedded PostgreSQL did not start: ${reason.trim()}`, {
    hint: `its log is in ${place.data_dir}`,
  })
}

/** Undefined when the server went away between our look and the connection, so that the caller tries again. */
async function openKeeper(password: string, port: number, log: Log): Promise<Session | undefined> {
  const url = urlOf(password, port, 'postgres')
  const onLost = (error: Error): void =>
    log.error({ reason: error.message }, 'the connection to the embedded PostgreSQL was lost')
  try {
    const keeper = await openSession({ url, application_name: 'crossdock-keeper', onLost })
    await keeper.query('select pg_advisory_lock_shared($1)', [KEEPER_LOCK_KEY])
    return keeper
  } catch (thrown) {
    if (sqlState(thrown) === '28P01') {
      throw new HubError('database_unavailable', 'the embedded PostgreSQL does not accept the kept password', {
        cause: thrown,
      })
    }
    await sleep(ATTEMPT_PAUSE_MS)
    return undefined
  }
}

async function leave(keeper: Session, binaries: Binaries, place: Place, log: Log): Promise<void> {
  const alone = await isAlone(keeper)
  await keeper.close().catch(() => undefined)
  if (!alone) {
    log.info({ data_dir: place.data_dir }, 'the embedded PostgreSQL is left running for another process that uses it')
    return
  }
  await shutDown(binaries.pg_ctl, place)
}

/** A keeper whose server is gone counts as alone: whatever still runs there has no other user that we could know of. */
async function isAlone(keeper: Session): Promise<boolean> {
  try {
    await keeper.query('select pg_advisory_unlock_shared($1)', [KEEPER_LOCK_KEY])
    const [row] = await keeper.query<{ alone: boolean }>('select pg_try_advisory_lock($1) as alone', [KEEPER_LOCK_KEY])
    return row?.alone === true
  } catch {
    return true
  }
}

async function createDatabase(keeper: Session): Promise<void> {
  const found = await keeper.query('select 1 from pg_database where datname = $1', [DATABASE])
  if (found.length > 0) return
  await keeper.query(`create database ${DATABASE}`).catch((thrown: unknown) => {
    // duplicate_database or its unique index: a second hub was faster.
    if (!['42P04', '23505'].includes(sqlState(thrown) ?? '')) throw thrown
  })
}

/**
 * Makes the cluster under a name of our own and renames it into place, password included: a first start that is killed half-way
 * leaves nothing that looks like a database, and of two first starts at once one wins whole.
 */
async function initialise(place: Place, binaries: Binaries): Promise<void> {
  const present = await readdir(place.data_dir).catch(() => [])
  if (present.length > 0) {
    throw new HubError('database_unavailable', `${place.data_dir} is neither empty nor a PostgreSQL data directory`, {
      hint: 'set database.data_dir to a folder of its own',
    })
  }
  await removeLeftovers(place.data_dir)
  const staging = `${place.data_dir}.init-${process.pid}`
  const passwordFile = `${staging}.password`
  await mkdir(staging, { mode: 0o700 })
  await writeFile(passwordFile, randomBytes(24).toString('base64url'), { mode: 0o600 })
  if (place.account !== undefined) {
    await chown(staging, place.account.uid, place.account.gid)
    await chown(passwordFile, place.account.uid, place.account.gid)
  }
  const flags = [
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--auth=scram-sha-256',
  ]
  try {
    const args = [`--pgdata=${staging}`, `--username=${USER}`, `--pwfile=${passwordFile}`, ...flags]
    await run(binaries.initdb, args, asAccount(place.account))
    await rename(passwordFile, join(staging, PASSWORD_FILE))
    await chmod(join(staging, PASSWORD_FILE), 0o600)
    await rename(staging, place.data_dir)
  } catch (cause) {
    await rm(staging, { recursive: true, force: true })
    await rm(passwordFile, { force: true })
    if ((await dataVersion(place.data_dir)) !== undefined) return
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr) : String(cause)
    throw new HubError(
      'database_unavailable',
      `the database could not be created in ${place.data_dir}: ${said.trim()}`,
      { cause },
    )
  }
}

/** Staging folders of first starts that were killed; the number in the name is the process that made them. */
async function removeLeftovers(dataDir: string): Promise<void> {
  const prefix = `${basename(dataDir)}.init-`
  for (const name of await readdir(dirname(dataDir))) {
    if (!name.startsWith(prefix)) continue
    try {
      process.kill(Number.parseInt(name.slice(prefix.length), 10), 0)
    } catch {
      await rm(join(dirname(dataDir), name), { recursive: true, force: true })
    }
  }
}

/** Major version that wrote the data, or undefined when there is no cluster yet. */
async function dataVersion(dataDir: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(join(dataDir, 'PG_VERSION'), 'utf8'), 10)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EACCES') throw notOurs(dataDir, cause)
    return undefined
  }
}

function guardVersion(dataDir: string, found: number | undefined, expected: number): void {
  if (found === expected) return
  throw new HubError(
    'database_version',
    `the data in ${dataDir} was written by PostgreSQL ${found}; this version brings PostgreSQL ${expected}`,
    {
      hint: 'nothing was changed. Start the earlier version of Crossdock and export the data, then start this one on an empty data_dir',
    },
  )
}

async function readPassword(dataDir: string): Promise<string> {
  try {
    return (await readFile(join(dataDir, PASSWORD_FILE), 'utf8')).trim()
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'EACCES') throw notOurs(dataDir, cause)
    throw new HubError('database_unavailable', `the database password ${PASSWORD_FILE} is missing in ${dataDir}`, {
      hint: 'restore that file from a backup of the data directory',
      cause,
    })
  }
}

function notOurs(dataDir: string, cause: unknown): HubError {
  return new HubError('database_unavailable', `the data in ${dataDir} belongs to another user`, {
    hint: 'run as the user that started the hub first, or as root',
    cause,
  })
}

function urlOf(password: string, port: number, database: string): string {
  return `postgres://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}/${database}`
}
