import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, rmdir, stat, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { connectEmbedded, startEmbedded, type EmbeddedPostgres } from '../../src/db/embedded.ts'
import { packageFolder, preparedBinaries } from '../../src/db/embedded/binaries.ts'
import { findPlace } from '../../src/db/embedded/account.ts'
import { openSession, type Log } from '../../src/db/pool.ts'

const isRoot = process.getuid?.() === 0
const NOBODY = 65_534
const HUB = join(import.meta.dirname, 'embeddedHub.ts')

let folder: string
let dataDir: string
let lines: string[]
let started: EmbeddedPostgres[]
let children: ChildProcess[]
const write = (fields: object, message: string): number => lines.push(`${message} ${JSON.stringify(fields)}`)
const log: Log = { info: write, warn: write, error: write }

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crossdock-embedded-'))
  await chmod(folder, 0o755)
  dataDir = join(folder, 'nested', 'postgres')
  lines = []
  started = []
  children = []
})

afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const server of started) await server.stop().catch(() => undefined)
  // A server whose hub was killed is taken over and shut down; it may still count the killed hub for a moment.
  const isRunning = async (): Promise<boolean> => await postmasterPid().then(isAlive, () => false)
  for (let attempt = 0; attempt < 20 && (await isRunning()); attempt += 1) await (await start()).stop()
  await rm(folder, { recursive: true, force: true })
})

async function start(options: { port?: number } = {}): Promise<EmbeddedPostgres> {
  const settings = { shared_buffers: '16MB', max_connections: '20' }
  const server = await startEmbedded({ data_dir: dataDir, port: options.port ?? 0, settings, log })
  started.push(server)
  return server
}

async function sql(url: string, text: string): Promise<unknown[]> {
  const session = await openSession({ url, application_name: 'test' })
  try {
    return await session.query(text)
  } finally {
    await session.close()
  }
}

const postmasterPid = async (): Promise<number> =>
  Number((await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n')[0])

function isAlive(pid: number): boolean {
  try {
    // A killed child of a process that does not wait for it stays as a zombie; it has no command line any more.
    return execFileSync('cat', [`/proc/${pid}/cmdline`], { stdio: ['ignore', 'pipe', 'ignore'] }).length > 0
  } catch {
    return false
  }
}

/** A hub in a process of its own, which is what kill -9 is for. Answers its URL when the database is ready. */
function hub(options: { uid?: number } = {}): Promise<{ child: ChildProcess; url: string }> {
  const ids = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid }
  const child = spawn(process.execPath, [HUB, dataDir], { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...ids })
  children.push(child)
  let said = ''
  return new Promise((settle, fail) => {
    child.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stdout?.on('data', (chunk: Buffer) => settle({ child, url: chunk.toString().trim() }))
    child.on('exit', () => fail(new Error(said)))
  })
}

async function occupy(port: number): Promise<{ server: Server; port: number }> {
  const server = createServer()
  await new Promise<void>((settle) => server.listen(port, '127.0.0.1', settle))
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

test('first start creates a durable cluster; a restart finds its data and its password', async () => {
  const first = await start()
  expect(
    await sql(first.url, 'show fsync; create table kept (n int); insert into kept values (7); show server_encoding'),
  ).toEqual([{ server_encoding: 'UTF8' }])
  expect(
    await sql(
      first.url,
      `select name, setting from pg_settings where name in ('fsync', 'full_page_writes', 'jit', 'listen_addresses') order by name`,
    ),
  ).toEqual([
    { name: 'fsync', setting: 'on' },
    { name: 'full_page_writes', setting: 'on' },
    { name: 'jit', setting: 'off' },
    { name: 'listen_addresses', setting: '127.0.0.1' },
  ])
  expect((await stat(join(dataDir, 'crossdock.password'))).mode & 0o777).toBe(0o600)
  expect(JSON.stringify(lines)).not.toContain(new URL(first.url).password)
  expect(await connectEmbedded(dataDir)).toEqual({ url: first.url })
  await first.stop()
  await first.stop()
  expect(await connectEmbedded(dataDir)).toBeUndefined()
  const second = await start({ port: first.port })
  expect(second).toMatchObject({ adopted: false, port: first.port, url: first.url })
  expect(await sql(second.url, 'select n from kept')).toEqual([{ n: 7 }])
})

test('a wrong password is turned away', async () => {
  const server = await start()
  const wrong = new URL(server.url)
  wrong.password = 'guess'
  await expect(sql(wrong.href, 'select 1')).rejects.toMatchObject({ code: '28P01' })
})

describe('after kill -9', () => {
  test('of the server: the committed rows are there and the stale pid file is no obstacle', async () => {
    const first = await start()
    await sql(first.url, 'create table kept (n int); insert into kept values (7)')
    const pid = await postmasterPid()
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid)).toBe(false)
    expect(await postmasterPid()).toBe(pid)
    const second = await start()
    expect(second.adopted).toBe(false)
    expect(await sql(second.url, 'select n from kept')).toEqual([{ n: 7 }])
  })

  test.runIf(process.platform === 'linux')(
    'of the server while a long statement runs: its orphan is ended',
    async () => {
      const first = await start()
      const session = await openSession({ url: first.url, application_name: 'busy' })
      const busy = session.query('select count(*) from generate_series(1, 20000000000)').catch(() => 'cut')
      await expect
        .poll(() =>
          sql(first.url, `select 1 from pg_stat_activity where application_name = 'busy' and state = 'active'`),
        )
        .toHaveLength(1)
      process.kill(await postmasterPid(), 'SIGKILL')
      const second = await start()
      expect(await sql(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
      expect(await busy).toBe('cut')
      await session.close().catch(() => undefined)
    },
  )

  test('of the hub alone: the next one adopts the running server and stops it at its end', async () => {
    const { child, url } = await hub()
    await sql(url, 'create table kept (n int); insert into kept values (7)')
    const pid = await postmasterPid()
    process.kill(child.pid ?? 0, 'SIGKILL')
    const second = await start()
    expect(second).toMatchObject({ adopted: true, url })
    expect(await postmasterPid()).toBe(pid)
    expect(await sql(second.url, 'select n from kept')).toEqual([{ n: 7 }])
    await second.stop()
    expect(isAlive(pid)).toBe(false)
  })

  test("of the hub's whole process group: the server is not in it", async () => {
    const { child, url } = await hub()
    process.kill(-(child.pid ?? 0), 'SIGKILL')
    expect(await start()).toMatchObject({ adopted: true, url })
  })

  test('a pid file whose number now belongs to another program is not believed', async () => {
    const first = await start()
    await sql(first.url, 'create table kept (n int)')
    const pid = await postmasterPid()
    const text = await readFile(join(dataDir, 'postmaster.pid'), 'utf8')
    process.kill(pid, 'SIGKILL')
    await expect.poll(() => isAlive(pid)).toBe(false)
    await writeFile(join(dataDir, 'postmaster.pid'), text.replace(String(pid), String(process.pid)))
    expect(await connectEmbedded(dataDir)).toBeUndefined()
    expect(await sql((await start()).url, 'select * from kept')).toEqual([])
  })

  test('of a first start half-way: its leavings are removed and a whole cluster is made', async () => {
    await mkdir(`${dataDir}.init-999999`, { recursive: true })
    await writeFile(join(`${dataDir}.init-999999`, 'PG_VERSION'), '18\n')
    await writeFile(`${dataDir}.init-999999.password`, 'half')
    await start()
    expect(await readdir(dirname(dataDir))).toEqual(['postgres'])
  })
})

describe('several hubs on one data directory', () => {
  test('share the server, and the last one to leave stops it', async () => {
    const first = await start()
    const second = await start()
    expect(second).toMatchObject({ adopted: true, url: first.url })
    const pid = await postmasterPid()
    await first.stop()
    expect(await sql(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    await second.stop()
    expect(isAlive(pid)).toBe(false)
  })

  test('that start at the same moment on nothing end up on one cluster', async () => {
    const [first, second] = await Promise.all([hub(), hub()])
    expect(second.url).toBe(first.url)
    expect(await readdir(dirname(dataDir))).toEqual(['postgres'])
  })
})

test('a wanted port that is taken gives another one, and says so', async () => {
  const { server, port } = await occupy(0)
  try {
    const started = await start({ port })
    expect(started.port).not.toBe(port)
    expect(await sql(started.url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(lines.some((line) => line.includes('port is taken') && line.includes(String(port)))).toBe(true)
  } finally {
    server.close()
  }
})

test('data of another major version is refused untouched', async () => {
  await (await start()).stop()
  await writeFile(join(dataDir, 'PG_VERSION'), '17\n')
  await expect(start()).rejects.toMatchObject({
    code: 'database_version',
    message: expect.stringMatching(/PostgreSQL 17.*PostgreSQL 18/),
  })
  expect(await readFile(join(dataDir, 'PG_VERSION'), 'utf8')).toBe('17\n')
})

test('a folder with other things in it is not taken for a data directory', async () => {
  await mkdir(dataDir, { recursive: true })
  await writeFile(join(dataDir, 'holiday.jpg'), 'x')
  await expect(start()).rejects.toMatchObject({
    code: 'database_unavailable',
    message: expect.stringContaining('neither empty'),
  })
  expect(await readdir(dataDir)).toEqual(['holiday.jpg'])
})

test('a server that cannot start says why', async () => {
  await expect(
    startEmbedded({ data_dir: dataDir, port: 0, settings: { shared_buffers: 'plenty' }, log }),
  ).rejects.toMatchObject({
    code: 'database_unavailable',
    message: expect.stringContaining('shared_buffers'),
  })
})

test.runIf(isRoot)("a normal user runs it as himself, adopts it, and cannot read another user's", async () => {
  await chmod(folder, 0o777)
  const { child, url } = await hub({ uid: NOBODY })
  expect((await stat(dataDir)).uid).toBe(NOBODY)
  expect(await sql(url, 'select 1 as one')).toEqual([{ one: 1 }])
  process.kill(child.pid ?? 0, 'SIGKILL')
  const again = await hub({ uid: NOBODY })
  expect(again.url).toBe(url)
  // Root takes over what nobody owns, as nobody.
  const asRoot = await start()
  expect(asRoot).toMatchObject({ adopted: true, url })
  again.child.kill('SIGTERM')
  await new Promise((settle) => again.child.once('exit', settle))
  await asRoot.stop()
  const restarted = await start()
  expect(restarted.adopted).toBe(false)
  expect((await stat(join(dataDir, 'postmaster.pid'))).uid).toBe(NOBODY)
  await restarted.stop()
  execFileSync('chown', ['-R', 'postgres', dataDir])
  await expect(hub({ uid: NOBODY })).rejects.toThrow('belongs to another user')
})

test.runIf(isRoot)(
  'below a folder that the system user cannot enter the data is kept elsewhere, always at the same place',
  async () => {
    await chmod(folder, 0o700)
    const place = await findPlace(dataDir)
    if (place === 'no_system_user') throw new Error('no system user')
    expect(place.data_dir).toMatch(/^\/var\/lib\/crossdock\/postgres-[0-9a-f]{12}$/)
    try {
      const server = await start()
      expect(server.data_dir).toBe(place.data_dir)
      expect(lines.some((line) => line.includes('kept elsewhere') && line.includes(place.data_dir))).toBe(true)
      expect(await connectEmbedded(dataDir)).toEqual({ url: server.url })
      await server.stop()
    } finally {
      await rm(place.data_dir, { recursive: true, force: true })
      // Only when nothing else is in it.
      await rmdir(dirname(place.data_dir)).catch(() => undefined)
    }
  },
)

describe.runIf(process.platform === 'linux')('the programs', () => {
  const version = (program: string): string => execFileSync(program, ['--version'], { stdio: 'pipe' }).toString()

  /** A whole copy of the installation, as npm leaves it when install scripts are blocked: without the library links. */
  async function bareInstallation(): Promise<string> {
    const copy = join(folder, 'checkout', 'package')
    await mkdir(dirname(copy), { recursive: true })
    await cp(packageFolder(), copy, { recursive: true, verbatimSymlinks: true })
    const links = JSON.parse(await readFile(join(copy, 'native', 'pg-symlinks.json'), 'utf8')) as { target: string }[]
    for (const { target } of links) await rm(join(copy, target))
    return copy
  }

  test('get their library links back where the package could not make them', async () => {
    const installed = await bareInstallation()
    expect(() => version(join(installed, 'native', 'bin', 'postgres'))).toThrow()
    const binaries = await preparedBinaries(dataDir, undefined, log, installed)
    expect(binaries).toMatchObject({ postgres: join(installed, 'native', 'bin', 'postgres'), major: 18 })
    expect(version(binaries.postgres)).toContain('18')
    expect(await preparedBinaries(dataDir, undefined, log, installed)).toEqual(binaries)
  })

  test("are copied once beside the data when the server's user cannot enter the installed ones", async () => {
    const installed = await bareInstallation()
    await chmod(join(folder, 'checkout'), 0o700)
    await mkdir(dirname(dataDir), { recursive: true })
    const account = { uid: NOBODY, gid: NOBODY }
    const binaries = await preparedBinaries(dataDir, account, log, installed)
    expect(dirname(dirname(dirname(dirname(binaries.postgres))))).toBe(dirname(dataDir))
    expect(version(binaries.postgres)).toContain('18')
    expect(await preparedBinaries(dataDir, account, log, installed)).toEqual(binaries)
    expect(lines.filter((line) => line.includes('copying'))).toHaveLength(1)
  })
})
