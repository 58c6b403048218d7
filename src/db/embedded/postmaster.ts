import { execFile, spawn } from 'node:child_process'
import { chmod, open, readdir, readFile, readlink, realpath, rm, stat, truncate } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Account, Place } from './account.ts'

const run = promisify(execFile)

/** What a running server says about itself in postmaster.pid. */
export interface Postmaster {
  pid: number
  port: number
  state: 'starting' | 'ready' | 'stopping'
}

export type Launch =
  | { kind: 'ready' }
  | { kind: 'exited'; reason: 'port_taken' | 'data_in_use' | 'other'; log_tail: string }
  | { kind: 'too_slow'; log_tail: string }

const POLL_MS = 25
/** Recovery after a crash replays the write-ahead log, which may take minutes on a slow disk. */
const START_TIMEOUT_MS = 180_000
const STOP_TIMEOUT_S = 60
const LOG_BYTES_MAX = 10 * 1024 * 1024
const LOG_TAIL_BYTES = 2_000
const LOG_NAME = 'crossdock-postgres.log'

const EXIT_REASONS = [
  ['port_taken', /could not bind|Address already in use|could not create any TCP\/IP sockets/],
  ['data_in_use', /lock file "postmaster\.pid" already exists|shared memory block .* is still in use/],
] as const

/** A child gets nothing of our environment: it needs none, and ours holds secrets. Windows programs do need theirs. */
const childEnvironment: Record<string, string> | undefined =
  process.platform === 'win32' ? undefined : { LC_ALL: 'C', PATH: '/usr/local/bin:/usr/bin:/bin', TZ: 'UTC' }

/** Options for a child process that runs as the server's user. */
export function asAccount(account: Account | undefined): {
  uid?: number
  gid?: number
  env?: Record<string, string>
  cwd?: string
} {
  // The root folder can be entered by everybody, which our own working directory may not be.
  return { ...(childEnvironment === undefined ? {} : { env: childEnvironment, cwd: '/' }), ...account }
}

/**
 * The server that runs on this data directory now, or undefined. The pid file survives a kill -9 and its number may since belong to
 * another program (after a reboot, or in a container where numbers are small), so the process behind it is looked at as well.
 */
export async function runningPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const postmaster = await readPidFile(dataDir)
  if (postmaster === undefined || !isAlive(postmaster.pid)) return undefined
  return (await standsIn(postmaster.pid, dataDir)) === 'no' ? undefined : postmaster
}

/** Waits for a server that is there but still recovering or stopping; answers it when ready, undefined once it is gone. */
export async function readyPostmaster(dataDir: string): Promise<Postmaster | undefined> {
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const postmaster = await runningPostmaster(dataDir)
    if (postmaster === undefined || postmaster.state === 'ready' || performance.now() > deadline) return postmaster
    await sleep(POLL_MS)
  }
}

/**
 * Launches the server in a process group of its own, so that a kill of the hub's group does not take the database down in mid-write;
 * the next start adopts it. Returns when it accepts connections or has given up.
 */
export async function launch(postgres: string, place: Place, settings: Record<string, string>): Promise<Launch> {
  await removeStalePidFile(place.data_dir)
  const { path, handle } = await openLog(place)
  const from = (await handle.stat()).size
  const args = [
    '-D',
    place.data_dir,
    ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ]
  const child = spawn(postgres, args, {
    ...asAccount(place.account),
    detached: true,
    stdio: ['ignore', handle.fd, handle.fd],
  })
  let exited = false
  let failure = ''
  child.on('exit', () => (exited = true))
  child.on('error', (error) => {
    exited = true
    failure = error.message
  })
  child.unref()
  await handle.close()
  const deadline = performance.now() + START_TIMEOUT_MS
  for (;;) {
    const seen = await readPidFile(place.data_dir)
    if (seen?.pid === child.pid && seen?.state === 'ready') return { kind: 'ready' }
    if (exited) {
      const tail = `${await tailOf(path, from)}${failure}`
      return {
        kind: 'exited',
        reason: EXIT_REASONS.find(([, text]) => text.test(tail))?.[0] ?? 'other',
        log_tail: tail,
      }
    }
    if (performance.now() > deadline) return { kind: 'too_slow', log_tail: await tailOf(path, from) }
    await sleep(POLL_MS)
  }
}

/** Fast shutdown: open transactions are rolled back, a checkpoint is written. Returns when the server is gone. */
export async function shutDown(pgCtl: string, place: Place): Promise<void> {
  const postmaster = await runningPostmaster(place.data_dir)
  if (postmaster === undefined) return
  const args = ['stop', '-D', place.data_dir, '-m', 'fast', '-w', '-t', String(STOP_TIMEOUT_S), '-s']
  await run(pgCtl, args, { ...asAccount(place.account) }).catch(async (thrown: unknown) => {
    // Somebody else may have stopped it between our look and the command.
    if ((await runningPostmaster(place.data_dir)) !== undefined) throw thrown
  })
}

/**
 * Ends server processes whose postmaster was killed. Idle ones end by themselves; one in the middle of a long statement does not
 * notice, and PostgreSQL rightly refuses to start beside it. Linux only: elsewhere the start just waits for them.
 */
export async function endOrphans(dataDir: string): Promise<number> {
  if (process.platform !== 'linux') return 0
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)
  const answers = await Promise.all(pids.map((pid) => standsIn(pid, dataDir)))
  const orphans = pids.filter((_, index) => answers[index] === 'yes')
  // Another hub may have got its server up meanwhile; then these are no orphans.
  if ((await runningPostmaster(dataDir)) !== undefined) return 0
  for (const pid of orphans) {
    try {
      process.kill(pid, 'SIGTERM')
    } catch {
      // It ended by itself meanwhile.
    }
  }
  return orphans.length
}

/** The wanted port when nothing listens on it, else one that the system picks. */
export async function freePort(wanted: number): Promise<number> {
  return (await tryListen(wanted)) ?? (await tryListen(0)) ?? wanted
}

function tryListen(port: number): Promise<number | undefined> {
  return new Promise((settle) => {
    const probe = createServer()
    probe.once('error', () => settle(undefined))
    probe.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = probe.address()
      probe.close(() => settle(typeof address === 'object' && address !== null ? address.port : undefined))
    })
  })
}

/** Lines: pid, data directory, start time, port, socket folder, address, shared memory, state (documented in PostgreSQL's miscinit.h). */
async function readPidFile(dataDir: string): Promise<Postmaster | undefined> {
  const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8').catch(() => '')
  const lines = text.split('\n')
  const pid = Number(lines[0])
  const port = Number(lines[3])
  if (!Number.isInteger(pid) || pid <= 0 || !Number.isInteger(port)) return undefined
  const word = (lines[7] ?? '').trim()
  return { pid, port, state: word === 'ready' ? 'ready' : word === 'stopping' ? 'stopping' : 'starting' }
}

async function removeStalePidFile(dataDir: string): Promise<void> {
  if ((await readPidFile(dataDir)) !== undefined && (await runningPostmaster(dataDir)) === undefined) {
    await rm(join(dataDir, 'postmaster.pid'), { force: true })
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && thrown.code === 'EPERM'
  }
}

/** A server process stands in its data directory. Where that cannot be seen, the program's name has to do. */
async function standsIn(pid: number, dataDir: string): Promise<'yes' | 'no' | 'unknown'> {
  if (process.platform === 'win32') return 'unknown'
  if (process.platform !== 'linux') {
    const { stdout } = await run('ps', ['-p', String(pid), '-o', 'comm=']).catch(() => ({ stdout: '' }))
    return stdout.includes('postgres') ? 'unknown' : 'no'
  }
  try {
    const name = await readFile(`/proc/${pid}/comm`, 'utf8')
    if (name.trim() !== 'postgres') return 'no'
    return (await readlink(`/proc/${pid}/cwd`)) === (await realpath(dataDir)) ? 'yes' : 'no'
  } catch (thrown) {
    return thrown instanceof Error && 'code' in thrown && (thrown.code === 'EACCES' || thrown.code === 'EPERM')
      ? 'unknown'
      : 'no'
  }
}

async function openLog(place: Place): Promise<{ path: string; handle: Awaited<ReturnType<typeof open>> }> {
  const path = join(place.data_dir, LOG_NAME)
  const size = await stat(path).then(
    (info) => info.size,
    () => 0,
  )
  if (size > LOG_BYTES_MAX) await truncate(path)
  const handle = await open(path, 'a', 0o600)
  await chmod(path, 0o600)
  if (place.account !== undefined) await handle.chown(place.account.uid, place.account.gid)
  return { path, handle }
}

async function tailOf(path: string, from: number): Promise<string> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return Buffer.from(text).subarray(from).toString('utf8').slice(-LOG_TAIL_BYTES)
}
