import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { posix } from 'node:path'
import { Writable } from 'node:stream'
import Client from 'ssh2-sftp-client'
import { HubError } from '../../core/errors.ts'
import type { FileEntry, FileStore, FileStoreSettings } from './define.ts'
import { isTemporary, safePath, temporaryName } from './fileNames.ts'

export type SftpSettings = Extract<FileStoreSettings, { kind: 'sftp' }>

const CONNECT_TIMEOUT_MS = 15_000
const OPERATION_TIMEOUT_MS = 60_000
const KEEPALIVE_MS = 10_000
/** Status codes of the SFTP protocol, version 3 (draft-ietf-secsh-filexfer-02, section 7). */
const STATUS = { no_such_file: 2, permission_denied: 3 } as const

interface Session {
  client: Client
  lost: boolean
}

/**
 * A folder on a partner's SFTP server. One session, opened at the first use and again after it was lost; operations run one after
 * the other. The server must show the pinned host key, otherwise nothing is sent, not even the user name: `vendor_auth`.
 * A rename whose answer got lost is `outcome_unknown`; everything else may be repeated and is, once.
 */
export function sftpStore(settings: SftpSettings): FileStore {
  let session: Promise<Session> | undefined
  let closed = false
  let turn: Promise<unknown> = Promise.resolve()
  const at = (path: string): string => posix.join(settings.root, safePath(path))

  const current = async (): Promise<Session> => {
    const open = await session?.catch(() => undefined)
    if (open !== undefined && !open.lost) return open
    session = connect(settings)
    return await session
  }
  const attempt = async <T>(work: (client: Client) => Promise<T>): Promise<T> => {
    if (closed) throw new HubError('internal', 'the file store has been closed')
    const open = await current()
    try {
      return await withTimeout(work(open.client))
    } catch (thrown) {
      if (isLost(thrown)) open.lost = true
      if (open.lost) {
        // Not waited for: a peer that is gone does not answer a farewell.
        open.client.end().catch(() => undefined)
        throw new HubError('vendor_unreachable', 'the SFTP session was lost', { cause: thrown })
      }
      throw thrown
    }
  }
  const inTurn = async <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work, work)
    turn = mine.catch(() => undefined)
    return await mine.catch((thrown: unknown) => {
      throw sftpFault(thrown)
    })
  }
  const safely = async <T>(work: (client: Client) => Promise<T>): Promise<T> =>
    await inTurn(() =>
      attempt(work).catch((thrown: unknown) =>
        isUnreachable(thrown) && !closed ? attempt(work) : Promise.reject(asError(thrown)),
      ),
    )

  return {
    list: async (folder) => await safely((client) => listFolder(client, at(folder))),
    read: async (path, bytes_max) => await safely((client) => readWhole(client, at(path), bytes_max)),
    write: async (path, bytes) => await safely((client) => writeWhole(client, at(path), bytes)),
    rename: async (from, to) => {
      const [source, target] = [at(from), at(to)]
      return await inTurn(async () => {
        // Whether the session still stands is found out before the one step that must not be repeated.
        await attempt((client) => client.exists(settings.root)).catch((thrown: unknown) =>
          isUnreachable(thrown) ? undefined : Promise.reject(asError(thrown)),
        )
        return await attempt((client) => moveIfThere(client, source, target)).catch((thrown: unknown) => {
          if (isUnreachable(thrown))
            throw new HubError('outcome_unknown', 'the SFTP session was lost while a file was renamed')
          throw thrown
        })
      })
    },
    exists: async (path) => await safely(async (client) => (await client.exists(at(path))) !== false),
    close: async () => {
      closed = true
      await turn
      const open = await session?.catch(() => undefined)
      if (open !== undefined && !open.lost) await open.client.end().catch(() => undefined)
    },
  }
}

async function connect(settings: SftpSettings): Promise<Session> {
  const noted: { session: Session | undefined; refusedKey: boolean } = { session: undefined, refusedKey: false }
  const onLost = (): void => {
    if (noted.session !== undefined) noted.session.lost = true
  }
  const client = new Client('crossdock', { error: onLost, end: onLost, close: onLost })
  try {
    await client.connect({
      sock: await openSocket(settings),
      username: settings.username,
      ...(settings.password === undefined ? {} : { password: settings.password }),
      ...(settings.private_key === undefined ? {} : { privateKey: settings.private_key }),
      readyTimeout: CONNECT_TIMEOUT_MS,
      keepaliveInterval: KEEPALIVE_MS,
      hostVerifier: (key: Buffer) => {
        noted.refusedKey = hostKeySha256(key) !== settings.host_key_sha256.replace(/^SHA256:/, '').replace(/=+$/, '')
        return !noted.refusedKey
      },
    })
  } catch (thrown) {
    client.end().catch(() => undefined)
    if (noted.refusedKey) {
      throw new HubError('vendor_auth', 'the SFTP server shows another host key than the pinned one', {
        hint: 'ask the partner whether the key was changed; only then change host_key_sha256',
      })
    }
    if (/authentication/i.test(messageOf(thrown)))
      throw new HubError('vendor_auth', 'the SFTP server refused the login')
    throw new HubError(
      'vendor_unreachable',
      `the SFTP server cannot be reached (${String(codeOf(thrown) ?? 'no code')})`,
    )
  }
  noted.session = { client, lost: false }
  return noted.session
}

/** A socket of our own, because the library's waits 40 ms to send small requests together, and one operation takes several. */
async function openSocket({ host, port }: SftpSettings): Promise<Socket> {
  const socket = connectSocket({ host, port, noDelay: true, keepAlive: true })
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECT_TIMEOUT_MS) })
    return socket
  } catch (thrown) {
    socket.destroy()
    throw thrown
  }
}

/** As `ssh-keygen -lf` prints it, without the `SHA256:` before it. */
function hostKeySha256(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64').replace(/=+$/, '')
}

async function listFolder(client: Client, folder: string): Promise<FileEntry[]> {
  const found = await client.list(folder).catch((thrown: unknown) => {
    if (codeOf(thrown) === STATUS.no_such_file) return []
    throw thrown
  })
  return found
    .filter(({ name, type }) => type !== 'd' && type !== 'l' && !isTemporary(name))
    .map(({ name, size, modifyTime }) => ({ name, bytes: size, modified_at_ms: modifyTime }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function readWhole(client: Client, path: string, bytes_max: number): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  const sink = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      length += chunk.length
      if (length <= bytes_max) chunks.push(chunk)
      done(length > bytes_max ? new Error('too large') : null)
    },
  })
  await client.get(path, sink).catch((thrown: unknown) => {
    if (length <= bytes_max) throw thrown
  })
  if (length > bytes_max) throw new HubError('payload_too_large', `the file has more than ${bytes_max} bytes`)
  return Buffer.concat(chunks)
}

async function writeWhole(client: Client, path: string, bytes: Buffer): Promise<void> {
  const temporary = temporaryName(path)
  try {
    await ensureFolder(client, posix.dirname(path))
    await client.put(bytes, temporary)
    await replace(client, temporary, path, bytes)
  } catch (thrown) {
    if (!isLost(thrown)) await client.delete(temporary, true).catch(() => undefined)
    throw thrown
  }
}

/**
 * Makes the temporary file the real one. Servers without `posix-rename@openssh.com` only know a rename that fails when the target
 * exists; there the same bytes under the same name are a write that had already succeeded, and other bytes are refused, because
 * deleting first would leave a moment without any file.
 */
async function replace(client: Client, temporary: string, path: string, bytes: Buffer): Promise<void> {
  if (await posixRename(client, temporary, path)) return
  if ((await client.exists(path)) === false) return void (await client.rename(temporary, path))
  const there = await readWhole(client, path, bytes.length + 1)
  await client.delete(temporary, true)
  if (!there.equals(bytes))
    throw new HubError(
      'vendor_conflict',
      'another file of this name is there, and the server cannot replace it in one step',
    )
}

async function moveIfThere(client: Client, from: string, to: string): Promise<boolean> {
  await ensureFolder(client, posix.dirname(to))
  try {
    if (!(await posixRename(client, from, to))) await client.rename(from, to)
    return true
  } catch (thrown) {
    if (isLost(thrown)) throw thrown
    if ((await client.exists(from)) === false) return false
    throw thrown
  }
}

/** False when the server does not know the extension; it says so before anything was done. */
async function posixRename(client: Client, from: string, to: string): Promise<boolean> {
  try {
    await client.posixRename(from, to)
    return true
  } catch (thrown) {
    if (/does not support/i.test(messageOf(thrown))) return false
    throw thrown
  }
}

async function ensureFolder(client: Client, folder: string): Promise<void> {
  if ((await client.exists(folder)) !== false) return
  try {
    await client.mkdir(folder, true)
  } catch (thrown) {
    // Another session may have made it in the meantime, which the server reports as a fault.
    if (isLost(thrown) || (await client.exists(folder)) === false) throw thrown
  }
}

async function withTimeout<T>(work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new HubError('vendor_timeout', 'the SFTP server did not answer in time')),
      OPERATION_TIMEOUT_MS,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function isUnreachable(thrown: unknown): boolean {
  return thrown instanceof HubError && thrown.code === 'vendor_unreachable'
}

/** The library reports a broken session by these codes and a protocol answer by a number. */
function isLost(thrown: unknown): boolean {
  if (thrown instanceof HubError) return thrown.code === 'vendor_timeout'
  const code = codeOf(thrown)
  const lostCodes = new Set<unknown>(['ERR_GENERIC_CLIENT', 'ERR_NOT_CONNECTED', 'ECONNRESET', 'EPIPE', 'ETIMEDOUT'])
  return (
    lostCodes.has(code) || /not connected|no sftp connection|unexpected (end|close)|keepalive/i.test(messageOf(thrown))
  )
}

function sftpFault(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown
  const code = codeOf(thrown)
  if (code === STATUS.no_such_file || code === 'ENOENT')
    return new HubError('vendor_not_found', 'the file is not there')
  if (code === STATUS.permission_denied) return new HubError('vendor_auth', 'the SFTP server denied access')
  return new HubError('vendor_unavailable', `the SFTP server answered with a fault (${String(code ?? 'no code')})`)
}

function codeOf(thrown: unknown): string | number | undefined {
  const code: unknown = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined
  return typeof code === 'string' || typeof code === 'number' ? code : undefined
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : ''
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('unknown fault')
}
