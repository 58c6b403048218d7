import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

const ROOT = dirname(dirname(import.meta.dirname))
export const SANDBOX_CONFIG = join(ROOT, 'config', 'crossdock.yaml')
const LAUNCHER = join(ROOT, 'bin', 'crossdock.js')
const READY_MS_MAX = 60_000
/** Far below the ports that the system hands out by itself, so that the simulators find theirs free again after a kill. */
const PORTS = { first: 12_000, last: 30_000, step: 16 } as const

export type Variables = Readonly<Record<string, string>>

/** Nothing of the tests' own environment but the path: a developer's DATABASE_URL must not become the database that is tortured. */
const environmentOf = (variables: Variables): Record<string, string | undefined> => ({
  PATH: process.env['PATH'],
  TMPDIR: process.env['TMPDIR'],
  CROSSDOCK_CONFIG: SANDBOX_CONFIG,
  ...variables,
})

/** A data folder that the user of the built-in database may pass through, too. */
export async function makeDataFolder(): Promise<{ path: string; remove: () => void }> {
  const path = mkdtempSync(join(tmpdir(), 'crossdock-flow-'))
  await chmod(path, 0o755)
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

/** The first of some neighbouring ports that nobody listens on. */
export async function freePorts(): Promise<number> {
  const places = (PORTS.last - PORTS.first) / PORTS.step
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const base = PORTS.first + PORTS.step * Math.floor(Math.random() * places)
    const free = await Promise.all(Array.from({ length: PORTS.step }, (_, index) => isFree(base + index)))
    if (free.every(Boolean)) return base
  }
  throw new Error('no free ports')
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer()
    probe.once('error', () => resolve(false))
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)))
  })
}

export interface Program {
  child: ChildProcess
  /** Everything it said, for the message of a failed test. */
  said: () => string
  /** Resolves with its address once it has greeted; rejects when it ends before that. */
  ready: Promise<string>
  /** Set once it has ended by itself or by a signal. */
  ended: () => boolean
  /** SIGKILL to the whole process group. */
  killGroup: () => Promise<void>
  /** SIGTERM to the program, as an init system sends it; resolves with the exit code. */
  stop: () => Promise<number | null>
}

/** `crossdock start` as a newcomer runs it, in a process group of its own. */
export function startProgram(variables: Variables): Program {
  const child = spawn('node', [LAUNCHER, 'start'], {
    cwd: ROOT,
    env: environmentOf(variables),
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => (text += chunk.toString()))
  const exited = once(child, 'exit') as Promise<[number | null]>
  const isOver = (): boolean => child.exitCode !== null || child.signalCode !== null
  const ready = (async () => {
    const end = performance.now() + READY_MS_MAX
    while (performance.now() < end) {
      const url = /start page\s+(http:\S+?)\/?\n/.exec(text)?.[1]
      if (url !== undefined) return url
      if (isOver()) throw new Error(`the program ended before it was ready:\n${text}`)
      await sleep(20)
    }
    throw new Error(`the program was not ready in time:\n${text}`)
  })()
  // Whoever kills it during its start does not wait for its greeting.
  ready.catch(() => undefined)
  return {
    child,
    said: () => text,
    ready,
    ended: isOver,
    killGroup: async () => {
      if (child.pid !== undefined && !isOver()) process.kill(-child.pid, 'SIGKILL')
      await exited
    },
    stop: async () => {
      child.kill('SIGTERM')
      const [code] = await exited
      return code
    },
  }
}

/** Runs one command to its end. */
export async function runCommand(
  args: readonly string[],
  variables: Variables,
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const child = spawn('node', [LAUNCHER, ...args], {
    cwd: ROOT,
    env: environmentOf(variables),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}
