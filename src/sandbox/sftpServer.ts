import { createHash, randomUUID } from 'node:crypto'
import { closeSync, fstatSync, lstatSync, mkdirSync, openSync, readdirSync, readSync, existsSync, renameSync, rmdirSync, unlinkSync, writeSync, type Stats } from 'node:fs' // prettier-ignore
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join, posix } from 'node:path'
import ssh2, { type Attributes, type Connection, type FileEntry, type ParsedKey, type SFTPWrapper } from 'ssh2'

export interface SftpServer {
  /** Transport settings that reach it, with the SHA-256 of its host key. */
  readonly settings: {
    host: string
    port: number
    username: string
    password: string
    host_key_sha256: string
    root: string
  }
  /** Cuts every connection as a failing network would. */
  cut: () => void
  /** Logins so far; shows whether a client reconnected. */
  logins: () => number
  stop: () => Promise<void>
}

const { STATUS_CODE, OPEN_MODE } = ssh2.utils.sftp
const CLOCK_MS = 1000

/**
 * A small SFTP server (protocol version 3) over one folder, for simulators. It knows no extension, so a rename fails when the target
 * exists, as on many partners' servers. Paths cannot leave the folder. The host key is made at each start.
 */
export async function startSftpServer(options: {
  root: string
  port: number
  username: string
  password: string
}): Promise<SftpServer> {
  const privateKey = newHostKey()
  const connections = new Set<Connection>()
  let logins = 0
  const server = new ssh2.Server({ hostKeys: [privateKey] }, (connection) => {
    connections.add(connection)
    // Requests and answers are small and wait for each other; held back to be sent together, each would take 40 ms longer.
    ;(connection as Connection & { setNoDelay: (on: boolean) => void }).setNoDelay(true)
    connection.on('close', () => connections.delete(connection))
    // A client that goes away mid-handshake raises here; unheard, it would end the process.
    connection.on('error', () => undefined)
    connection.on('authentication', (attempt) => {
      const right =
        attempt.method === 'password' && attempt.username === options.username && attempt.password === options.password
      if (!right) return attempt.reject(['password'])
      logins += 1
      attempt.accept()
    })
    connection.on('session', (acceptSession) => {
      acceptSession().on('sftp', (accept) => serveFolder(accept(), options.root))
    })
  })
  server.listen(options.port, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    settings: {
      host: '127.0.0.1',
      port,
      username: options.username,
      password: options.password,
      host_key_sha256: keySha256(privateKey),
      root: '/',
    },
    cut: () => {
      for (const connection of connections) connection.end()
    },
    logins: () => logins,
    stop: async () => {
      for (const connection of connections) connection.end()
      await new Promise<void>((resolve) => void server.close(() => resolve()))
    },
  }
}

const KEY_TRIES_MAX = 20

/** One in some hundred of the keys that the library makes it cannot read itself; a sandbox that did not start for it would be no sandbox. */
function newHostKey(): string {
  for (let tries = 0; tries < KEY_TRIES_MAX; tries += 1) {
    const { private: key } = ssh2.utils.generateKeyPairSync('ed25519')
    if (!(ssh2.utils.parseKey(key) instanceof Error)) return key
  }
  throw new Error('no host key could be made')
}

function keySha256(privateKey: string): string {
  const parsed = ssh2.utils.parseKey(privateKey)
  const key: ParsedKey | Error | undefined = [parsed].flat()[0]
  if (key === undefined || key instanceof Error) throw new Error('the host key cannot be read')
  return createHash('sha256').update(key.getPublicSSH()).digest('base64').replace(/=+$/, '')
}

type Handle = { kind: 'file'; fd: number } | { kind: 'folder'; path: string; entries: string[] }

function serveFolder(sftp: SFTPWrapper, root: string): void {
  const place = (path: string): string => join(root, posix.join('/', path))
  serveHandles(sftp, place)
  serveTree(sftp, place)
}

/** Open files and folders. */
function serveHandles(sftp: SFTPWrapper, place: (path: string) => string): void {
  const handles = new Map<string, Handle>()
  const keep = (id: number, handle: Handle): void => {
    const name = randomUUID()
    handles.set(name, handle)
    sftp.handle(id, Buffer.from(name))
  }
  const file = (handle: Buffer): number => {
    const found = handles.get(handle.toString())
    if (found?.kind !== 'file') throw new Error('not an open file')
    return found.fd
  }
  const { answer, done } = answering(sftp)
  sftp.on('OPEN', (id, path, flags) =>
    answer(id, () => keep(id, { kind: 'file', fd: openSync(place(path), modeOf(flags)) })),
  )
  sftp.on('READ', (id, handle, offset, length) =>
    answer(id, () => {
      const bytes = Buffer.alloc(length)
      const count = readSync(file(handle), bytes, 0, length, offset)
      if (count === 0) sftp.status(id, STATUS_CODE.EOF)
      else sftp.data(id, bytes.subarray(0, count))
    }),
  )
  sftp.on('WRITE', (id, handle, offset, data) =>
    done(id, () => void writeSync(file(handle), data, 0, data.length, offset)),
  )
  sftp.on('FSTAT', (id, handle) => answer(id, () => sftp.attrs(id, attributesOf(fstatSync(file(handle))))))
  sftp.on('FSETSTAT', (id) => sftp.status(id, STATUS_CODE.OK))
  sftp.on('SETSTAT', (id) => sftp.status(id, STATUS_CODE.OK))
  sftp.on('CLOSE', (id, handle) =>
    done(id, () => {
      const found = handles.get(handle.toString())
      if (found?.kind === 'file') closeSync(found.fd)
      handles.delete(handle.toString())
    }),
  )
  sftp.on('OPENDIR', (id, path) =>
    answer(id, () => keep(id, { kind: 'folder', path: place(path), entries: readdirSync(place(path)) })),
  )
  sftp.on('READDIR', (id, handle) =>
    answer(id, () => {
      const found = handles.get(handle.toString())
      if (found?.kind !== 'folder') throw new Error('not an open folder')
      const entries = found.entries.splice(0, 100)
      if (entries.length === 0) sftp.status(id, STATUS_CODE.EOF)
      else
        sftp.name(
          id,
          entries.flatMap((name) => entryOf(found.path, name)),
        )
    }),
  )
  // What was still open when the connection went away belongs to nobody.
  sftp.on('close', () => {
    for (const handle of handles.values()) if (handle.kind === 'file') closeSync(handle.fd)
    handles.clear()
  })
}

/** Names: what they are, and moving them. */
function serveTree(sftp: SFTPWrapper, place: (path: string) => string): void {
  const { answer, done } = answering(sftp)
  for (const event of ['STAT', 'LSTAT'] as const) {
    sftp.on(event as 'STAT', (id, path) => answer(id, () => sftp.attrs(id, attributesOf(lstatSync(place(path))))))
  }
  sftp.on('REALPATH', (id, path) =>
    answer(id, () => sftp.name(id, [{ filename: posix.join('/', path), longname: '', attrs: NO_ATTRIBUTES }])),
  )
  sftp.on('MKDIR', (id, path) => done(id, () => mkdirSync(place(path))))
  sftp.on('RMDIR', (id, path) => done(id, () => rmdirSync(place(path))))
  sftp.on('REMOVE', (id, path) => done(id, () => unlinkSync(place(path))))
  sftp.on('RENAME', (id, from, to) =>
    done(id, () => {
      if (existsSync(place(to))) throw new Error('the target exists')
      renameSync(place(from), place(to))
    }),
  )
}

/** Runs one request and answers its fault in the protocol's words; `done` also answers its success. */
function answering(sftp: SFTPWrapper): Record<'answer' | 'done', (id: number, work: () => void) => void> {
  const answer = (id: number, work: () => void): void => {
    try {
      work()
    } catch (thrown) {
      const missing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT'
      sftp.status(id, missing ? STATUS_CODE.NO_SUCH_FILE : STATUS_CODE.FAILURE)
    }
  }
  const done = (id: number, work: () => void): void =>
    answer(id, () => {
      work()
      sftp.status(id, STATUS_CODE.OK)
    })
  return { answer, done }
}

const NO_ATTRIBUTES: Attributes = { mode: 0, uid: 0, gid: 0, size: 0, atime: 0, mtime: 0 }

function modeOf(flags: number): string {
  if ((flags & OPEN_MODE.WRITE) === 0) return 'r'
  if ((flags & OPEN_MODE.APPEND) !== 0) return 'a'
  if ((flags & OPEN_MODE.CREAT) === 0) return 'r+'
  return (flags & OPEN_MODE.EXCL) === 0 ? 'w' : 'wx'
}

function attributesOf(stat: Stats): Attributes {
  const seconds = (ms: number): number => Math.floor(ms / CLOCK_MS)
  return {
    mode: stat.mode,
    uid: stat.uid,
    gid: stat.gid,
    size: stat.size,
    atime: seconds(stat.atimeMs),
    mtime: seconds(stat.mtimeMs),
  }
}

/** Nothing for a file that was taken since the folder was opened. */
function entryOf(folder: string, name: string): FileEntry[] {
  try {
    const stat = lstatSync(join(folder, name))
    const type = stat.isDirectory() ? 'd' : stat.isSymbolicLink() ? 'l' : '-'
    return [
      {
        filename: name,
        longname: `${type}rw-r----- 1 partner partner ${stat.size} Jan 1 00:00 ${name}`,
        attrs: attributesOf(stat),
      },
    ]
  } catch {
    return []
  }
}
