import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmod, mkdir, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { HubError } from '../../core/errors.ts'
import type { Log } from '../pool.ts'

const run = promisify(execFile)

/** The system user that the server process runs as; undefined means "as ourselves", which is right for every user but root. */
export interface Account {
  uid: number
  gid: number
}

export interface Place {
  data_dir: string
  account: Account | undefined
}

const SYSTEM_USER = 'postgres'
/** Where root's database goes when the wanted folder cannot be entered by the system user. */
const ROOT_FALLBACK = '/var/lib/crossdock'

/**
 * Decides where the data lives and who runs the server, without changing anything: PostgreSQL refuses to run as root, and the user it
 * runs as must be able to pass every parent of the data directory (a checkout below /root is not passable). The answer depends only
 * on the wanted path and the folders' modes, so every process of the hub finds the same database.
 */
export async function findPlace(wanted: string): Promise<Place | 'no_system_user'> {
  const dataDir = resolve(wanted)
  if (process.getuid?.() !== 0) return { data_dir: dataDir, account: undefined }
  const account = await ownerOf(dataDir)
  if (account !== undefined && (await isPassable(dirname(dataDir), account))) return { data_dir: dataDir, account }
  const system = await systemUser()
  if (system === undefined) return 'no_system_user'
  if (await isPassable(dirname(dataDir), system)) return { data_dir: dataDir, account: system }
  const digest = createHash('sha256').update(dataDir).digest('hex').slice(0, 12)
  return { data_dir: join(ROOT_FALLBACK, `${basename(dataDir)}-${digest}`), account: system }
}

/** As `findPlace`, and makes it so: creates the system user and the parent folders that are missing. */
export async function preparePlace(wanted: string, log: Log): Promise<Place> {
  let place = await findPlace(wanted)
  if (place === 'no_system_user') {
    await createSystemUser(log)
    place = await findPlace(wanted)
  }
  if (place === 'no_system_user') throw noSystemUser(undefined)
  if (place.data_dir !== resolve(wanted)) {
    log.warn(
      { wanted: resolve(wanted), data_dir: place.data_dir },
      `the user ${SYSTEM_USER} cannot enter the folder of the wanted data directory; the database is kept elsewhere`,
    )
  }
  await makeFolders(dirname(place.data_dir), place)
  return place
}

/** True when `account` may pass every existing folder from the root down to `folder`. */
export async function isPassable(folder: string, account: Account): Promise<boolean> {
  const info = await statOf(folder)
  const here =
    info === undefined ||
    (info.mode & (info.uid === account.uid ? 0o100 : info.gid === account.gid ? 0o010 : 0o001)) !== 0
  const parent = dirname(folder)
  return here && (parent === folder || (await isPassable(parent, account)))
}

/** An existing data directory is run by the user that owns it, whoever first created it. */
async function ownerOf(dataDir: string): Promise<Account | undefined> {
  const info = await statOf(join(dataDir, 'PG_VERSION'))
  return info === undefined || info.uid === 0 ? undefined : { uid: info.uid, gid: info.gid }
}

/** Parents are made by the hub's own user; as root they must be open to the server's user, whatever the umask says. */
async function makeFolders(folder: string, place: Place): Promise<void> {
  try {
    const first = await mkdir(folder, { recursive: true })
    if (place.account === undefined || first === undefined) return
    for (let made = folder; made.length >= first.length; made = dirname(made)) await chmod(made, 0o755)
  } catch (cause) {
    throw new HubError('database_unavailable', `the folder ${folder} for the embedded database cannot be created`, {
      hint: 'set database.data_dir to a folder that can be written, or database.url to a PostgreSQL server of yours',
      cause,
    })
  }
}

async function systemUser(): Promise<Account | undefined> {
  try {
    const [uid, gid] = await Promise.all([run('id', ['-u', SYSTEM_USER]), run('id', ['-g', SYSTEM_USER])])
    return { uid: Number(uid.stdout.trim()), gid: Number(gid.stdout.trim()) }
  } catch {
    return undefined
  }
}

/** Debian and Red Hat name it useradd; Alpine's BusyBox adduser takes other options. */
const USER_COMMANDS: readonly (readonly [string, readonly string[]])[] = [
  ['useradd', ['--system', '--user-group', '--no-create-home', '--shell', '/usr/sbin/nologin', SYSTEM_USER]],
  ['adduser', ['-S', '-D', '-H', '-s', '/sbin/nologin', SYSTEM_USER]],
]

async function createSystemUser(log: Log): Promise<void> {
  let cause: unknown
  for (const [command, args] of USER_COMMANDS) {
    try {
      await run(command, [...args])
      log.info({ user: SYSTEM_USER }, 'system user created, because PostgreSQL does not run as root')
      return
    } catch (thrown) {
      cause = thrown
    }
  }
  throw noSystemUser(cause)
}

function noSystemUser(cause: unknown): HubError {
  return new HubError(
    'database_unavailable',
    `PostgreSQL does not run as root, and no system user ${SYSTEM_USER} exists or could be created`,
    {
      hint: 'start Crossdock as a normal user, or create that user, or set database.url to a PostgreSQL server of yours',
      cause,
    },
  )
}

async function statOf(path: string): Promise<{ mode: number; uid: number; gid: number } | undefined> {
  try {
    return await stat(path)
  } catch {
    return undefined
  }
}
