import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync, chmodSync } from 'node:fs' // prettier-ignore
import { createServer, connect, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { FileStore, FileStoreSettings } from '../../../src/connectors/_kit/define.ts'
import { openFileStore } from '../../../src/connectors/_kit/files.ts'
import { startSftpServer, type SftpServer } from '../../../src/sandbox/sftpServer.ts'

/** One way of reaching a folder, so that every store passes the same tests. */
interface Place {
  root: string
  settings: Extract<FileStoreSettings, { kind: 'sftp' }> | { kind: 'folder'; root: string }
  stop: () => Promise<void>
}

const temporaryFolder = (): string => mkdtempSync(join(tmpdir(), 'crossdock-files-'))
/** Comes with OpenSSH. */
const KEYGEN = 'ssh-keygen'
const SSHD = ['/usr/sbin/sshd', '/usr/local/sbin/sshd', '/usr/lib/ssh/sshd'].find((path) => existsSync(path))

const folderPlace = async (): Promise<Place> => {
  const root = temporaryFolder()
  return { root, settings: { kind: 'folder', root }, stop: async () => rmSync(root, { recursive: true }) }
}

const sftpPlace = async (): Promise<Place> => {
  const root = temporaryFolder()
  const server = await startSftpServer({ root, port: 0, username: 'hub', password: 'pass' })
  const stop = async (): Promise<void> => {
    await server.stop()
    rmSync(root, { recursive: true })
  }
  return { root, settings: { kind: 'sftp', ...server.settings }, stop }
}

/** OpenSSH as partners run it, with a key of its own on a port of its own. */
const sshdPlace = async (): Promise<Place> => {
  const home = temporaryFolder()
  chmodSync(home, 0o700)
  for (const key of ['host', 'user']) spawnSync(KEYGEN, ['-q', '-t', 'ed25519', '-N', '', '-f', join(home, key)])
  const root = join(home, 'drop')
  mkdirSync(root)
  mkdirSync('/run/sshd', { recursive: true })
  writeFileSync(join(home, 'authorized'), readFileSync(join(home, 'user.pub')))
  const port = await freePort()
  const config = [
    `Port ${port}`, 'ListenAddress 127.0.0.1', `HostKey ${home}/host`, `AuthorizedKeysFile ${home}/authorized`, 'StrictModes no', 'UsePAM no',
    'PasswordAuthentication no', 'PermitRootLogin yes', 'Subsystem sftp internal-sftp', `PidFile ${home}/pid`,
  ] // prettier-ignore
  writeFileSync(join(home, 'config'), `${config.join('\n')}\n`)
  const daemon: ChildProcess = spawn(SSHD ?? '', ['-D', '-e', '-f', join(home, 'config')], { stdio: 'ignore' })
  await listening(port)
  const print = spawnSync(KEYGEN, ['-lf', join(home, 'host.pub')], { encoding: 'utf8' }).stdout
  const settings = {
    kind: 'sftp', host: '127.0.0.1', port, username: process.env['USER'] ?? 'root', private_key: readFileSync(join(home, 'user'), 'utf8'),
    host_key_sha256: /SHA256:\S+/.exec(print)?.[0] ?? '', root,
  } as const // prettier-ignore
  const stop = async (): Promise<void> => {
    daemon.kill()
    await sleep(100)
    rmSync(home, { recursive: true, force: true })
  }
  return { root, settings, stop }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function listening(port: number): Promise<void> {
  for (let i = 0; i < 100; i += 1) {
    const up = await new Promise((resolve) => {
      const socket = connect(port, '127.0.0.1', () => resolve(socket.destroy() && true)).on('error', () =>
        resolve(false),
      )
    })
    if (up === true) return
    await sleep(50)
  }
  expect.fail('sshd did not start')
}

const PLACES: { name: string; open: () => Promise<Place>; skip: boolean }[] = [
  { name: 'a folder', open: folderPlace, skip: false },
  { name: 'the simulators’ SFTP server', open: sftpPlace, skip: false },
  { name: 'OpenSSH', open: sshdPlace, skip: SSHD === undefined || process.getuid?.() !== 0 },
]

describe.each(PLACES)('a file store over $name', ({ open, skip }) => {
  let place: Place
  let store: FileStore
  beforeAll(async () => {
    if (skip) return
    place = await open()
    store = openFileStore(place.settings)
  })
  afterAll(async () => {
    if (skip) return
    await store.close()
    await place.stop()
  })
  beforeEach(({ skip: skipTest }) => (skip ? skipTest() : undefined))
  const onDisk = (path: string): string => join(place.root, path)

  it('gives back what was written, and makes folders as needed', async () => {
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => i % 251))
    await store.write('a/b/file.bin', bytes)
    expect((await store.read('a/b/file.bin', 300_000)).equals(bytes)).toBe(true)
    expect([
      await store.exists('a/b/file.bin'),
      await store.exists('a/b/none'),
      await store.exists('none/none'),
    ]).toEqual([true, false, false])
    await store.write('a/empty', Buffer.alloc(0))
    expect(await store.read('a/empty', 10)).toEqual(Buffer.alloc(0))
    expect(readdirSync(onDisk('a/b'))).toEqual(['file.bin'])
  })

  it('writes the same name again with the same bytes', async () => {
    await store.write('same/x.csv', Buffer.from('one'))
    await store.write('same/x.csv', Buffer.from('one'))
    expect(readdirSync(onDisk('same'))).toEqual(['x.csv'])
  })

  it('lists whole files only, in the order of their names', async () => {
    mkdirSync(onDisk('in/sub'), { recursive: true })
    for (const name of ['b.csv', 'a.csv', '.hidden', 'c.csv.tmp', 'd.filepart', 'e.PART', '~lock', 'f.swp'])
      writeFileSync(onDisk(`in/${name}`), 'abc')
    const entries = await store.list('in')
    expect(entries).toMatchObject([{ name: 'a.csv', bytes: 3 }, { name: 'b.csv', bytes: 3 }]) // prettier-ignore
    expect(Math.abs((entries[0]?.modified_at_ms ?? 0) - Date.now())).toBeLessThan(60_000)
    expect(await store.list('nowhere')).toEqual([])
  })

  it('refuses to read more than it was told', async () => {
    writeFileSync(onDisk('big'), 'x'.repeat(100_001))
    await expect(store.read('big', 100_000)).rejects.toMatchObject({ code: 'payload_too_large' })
    await expect(store.read('none', 10)).rejects.toMatchObject({ code: 'vendor_not_found' })
    expect(await store.exists('big')).toBe(true)
  })

  it('lets one of many readers have a file', async () => {
    const others = Array.from({ length: 4 }, () => openFileStore(place.settings))
    for (let round = 0; round < 10; round += 1) {
      writeFileSync(onDisk(`claim-${round}`), 'x')
      const won = await Promise.all(others.map((other, i) => other.rename(`claim-${round}`, `taken/${round}.${i}`)))
      expect(won.filter(Boolean)).toHaveLength(1)
    }
    expect(readdirSync(onDisk('taken'))).toHaveLength(10)
    await Promise.all(others.map((other) => other.close()))
  })

  it.each([
    '../x',
    'a/../../x',
    '/etc/passwd',
    'a//b',
    '.',
    '..',
    '',
    'a/./b',
    'C:\\x',
    'a\\..\\b',
    'a\u0000b',
    'a\nb',
    'x'.repeat(256),
  ])('refuses the name %j', async (name) => {
    const endings = await Promise.allSettled([
      store.read(name, 10),
      store.write(name, Buffer.alloc(1)),
      store.exists(name),
      store.rename(name, 'y'),
      store.rename('y', name),
    ])
    for (const ending of endings) expect(ending).toMatchObject({ status: 'rejected', reason: { code: 'file_invalid' } })
  })
})

describe('a folder with links in it', () => {
  it('neither lists nor follows them', async () => {
    const [root, outside] = [temporaryFolder(), temporaryFolder()]
    const store = openFileStore({ kind: 'folder', root })
    writeFileSync(join(outside, 'secret'), 'secret')
    symlinkSync(join(outside, 'secret'), join(root, 'link'))
    symlinkSync(outside, join(root, 'folder'))
    expect(await store.list('.').catch((thrown: unknown) => thrown)).toMatchObject({ code: 'file_invalid' })
    await expect(store.read('link', 100)).rejects.toMatchObject({ code: 'file_invalid' })
    await expect(store.read('folder/secret', 100)).rejects.toMatchObject({ code: 'file_invalid' })
    await expect(store.write('folder/new', Buffer.from('x'))).rejects.toMatchObject({ code: 'file_invalid' })
    await expect(store.rename('folder/secret', 'mine')).rejects.toMatchObject({ code: 'file_invalid' })
    await store.write('link', Buffer.from('replaced'))
    expect([readFileSync(join(outside, 'secret'), 'utf8'), readFileSync(join(root, 'link'), 'utf8')]).toEqual([
      'secret',
      'replaced',
    ])
    for (const folder of [root, outside]) rmSync(folder, { recursive: true })
  })
})

describe('an SFTP server that is not what it should be', () => {
  let server: SftpServer
  let root: string
  let store: FileStore | undefined
  beforeEach(async () => {
    root = temporaryFolder()
    server = await startSftpServer({ root, port: 0, username: 'hub', password: 'pass' })
  })
  afterEach(async () => {
    await store?.close()
    await server.stop()
    rmSync(root, { recursive: true })
  })
  const openWith = (changes: object): FileStore =>
    (store = openFileStore({ kind: 'sftp', ...server.settings, ...changes }))

  it('with another host key is told nothing', async () => {
    const other = openWith({ host_key_sha256: Buffer.from(randomUUID()).toString('base64').slice(0, 43) })
    await expect(other.list('in')).rejects.toMatchObject({
      code: 'vendor_auth',
      message: expect.stringContaining('host key') as string,
    })
    expect(server.logins()).toBe(0)
  })

  it('refuses the login', async () => {
    await expect(openWith({ password: 'wrong' }).list('in')).rejects.toMatchObject({ code: 'vendor_auth' })
  })

  it('is not there', async () => {
    await expect(openWith({ port: 1 }).list('in')).rejects.toMatchObject({ code: 'vendor_unreachable' })
  })

  it('drops the connection and is reached again', async () => {
    const mine = openWith({})
    await mine.write('in/a.csv', Buffer.from('a'))
    for (let i = 2; i <= 4; i += 1) {
      server.cut()
      await sleep(20)
      expect(await mine.list('in')).toHaveLength(1)
      expect(server.logins()).toBe(i)
    }
    server.cut()
    expect(await mine.rename('in/a.csv', 'done/a.csv')).toBe(true)
    expect(await mine.rename('in/a.csv', 'done/a.csv')).toBe(false)
  })

  it('cannot replace a file: the same bytes are done, others are refused', async () => {
    const mine = openWith({})
    await mine.write('out/a.csv', Buffer.from('one'))
    await mine.write('out/a.csv', Buffer.from('one'))
    await expect(mine.write('out/a.csv', Buffer.from('two'))).rejects.toMatchObject({ code: 'vendor_conflict' })
    expect(readdirSync(join(root, 'out'))).toEqual(['a.csv'])
    expect(readFileSync(join(root, 'out/a.csv'), 'utf8')).toBe('one')
  })

  it('is left alone after the store was closed', async () => {
    const mine = openWith({})
    await mine.list('in')
    await mine.close()
    await expect(mine.list('in')).rejects.toMatchObject({ code: 'internal' })
  })
})
