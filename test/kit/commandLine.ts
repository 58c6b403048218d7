import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const ROOT = dirname(dirname(import.meta.dirname))
const SEVERAL = fileURLToPath(new URL('commandLineMain.ts', import.meta.url))
const LAUNCHER = join(ROOT, 'bin', 'crossdock.js')

export interface Ran {
  code: number | null
  stdout: string
  stderr: string
  /** Standard output as the one JSON document that it has to be. */
  json: () => Record<string, unknown>
}

/** Runs `crossdock` as its users do, with nothing of the tests' environment but the path; `input` is its standard input. */
export async function crossdock(args: readonly string[], options: Options = {}): Promise<Ran> {
  return run([LAUNCHER, ...args], options)
}

/** Several command lines, one after the other, in one process of their own. */
export async function crossdockEach(lines: readonly (readonly string[])[], options: Options = {}): Promise<Ran[]> {
  const all = await run([SEVERAL, JSON.stringify(lines)], options)
  const answers = all.json() as unknown as Omit<Ran, 'json'>[]
  return answers.map((said) => ({ ...said, json: () => parseOne(said) }))
}

interface Options {
  env?: Readonly<Record<string, string>>
  input?: string
}

async function run(args: readonly string[], options: Options): Promise<Ran> {
  const child = spawn(process.execPath, args, {
    cwd: ROOT,
    env: { PATH: process.env['PATH'], TMPDIR: process.env['TMPDIR'], ...options.env },
    stdio: 'pipe',
  })
  let [stdout, stderr] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()))
  // A program that refuses its command line has gone before it reads.
  child.stdin.on('error', () => undefined)
  child.stdin.end(options.input ?? '')
  const [code] = (await once(child, 'close')) as [number | null]
  const said = { code, stdout, stderr }
  return { ...said, json: () => parseOne(said) }
}

function parseOne({ code, stdout, stderr }: Omit<Ran, 'json'>): Record<string, unknown> {
  try {
    return JSON.parse(stdout) as Record<string, unknown>
  } catch {
    throw new Error(`not one JSON document, exit code ${code}:\n${stdout}\n${stderr}`)
  }
}
