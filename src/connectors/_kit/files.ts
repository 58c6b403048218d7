import { constants } from 'node:fs'
import { access, lstat, mkdir, open, readdir, realpath, rename, rm } from 'node:fs/promises'
import { dirname, join, posix, sep } from 'node:path'
import { HubError } from '../../core/errors.ts'
import type { FileEntry, FileStore, FileStoreSettings } from './define.ts'
import { isTemporary, safePath, temporaryName } from './fileNames.ts'
import { sftpStore } from './sftp.ts'

/** Opens the store a connection's settings name. Nothing is connected before the first use. */
export function openFileStore(settings: FileStoreSettings): FileStore {
  return settings.kind === 'folder' ? folderStore(settings.root) : sftpStore(settings)
}

/** A folder on this machine. Symbolic links are never followed out of it, nor read through. */
export function folderStore(root: string): FileStore {
  const place = async (path: string): Promise<string> => await inside(root, safePath(path))
  return {
    list: async (folder) => await listFolder(await place(folder)),
    read: async (path, bytes_max) => await readWhole(await place(path), bytes_max),
    write: async (path, bytes) => {
      const target = await placeForWriting(root, safePath(path))
      const temporary = join(dirname(target), posix.basename(temporaryName(safePath(path))))
      try {
        await writeWhole(temporary, bytes)
        await rename(temporary, target)
      } catch (thrown) {
        await rm(temporary, { force: true })
        throw diskFault(thrown)
      }
    },
    rename: async (from, to) => {
      const source = await place(from)
      const target = await placeForWriting(root, safePath(to))
      return await rename(source, target).then(
        () => true,
        (thrown: unknown) => {
          if (codeOf(thrown) === 'ENOENT') return false
          throw diskFault(thrown)
        },
      )
    },
    exists: async (path) => {
      const target = await place(path)
      return await lstat(target).then(
        () => true,
        () => false,
      )
    },
    close: async () => undefined,
  }
}

async function listFolder(folder: string): Promise<FileEntry[]> {
  const names = await readdir(folder).catch((thrown: unknown) => {
    if (codeOf(thrown) === 'ENOENT') return []
    throw diskFault(thrown)
  })
  const entries = await Promise.all(
    names
      .filter((name) => !isTemporary(name))
      .map(async (name): Promise<FileEntry | undefined> => {
        // Another reader may take a file between the listing and this look at it.
        const stat = await lstat(join(folder, name)).catch(() => undefined)
        return stat?.isFile() === true
          ? { name, bytes: stat.size, modified_at_ms: Math.floor(stat.mtimeMs) }
          : undefined
      }),
  )
  return entries.filter((entry) => entry !== undefined).toSorted((a, b) => (a.name < b.name ? -1 : 1))
}

async function readWhole(path: string, bytes_max: number): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch((thrown: unknown) => {
    throw diskFault(thrown)
  })
  try {
    const stat = await file.stat()
    if (!stat.isFile()) throw new HubError('file_invalid', 'the name does not lead to a file')
    if (stat.size > bytes_max)
      throw new HubError('payload_too_large', `the file has ${stat.size} bytes, at most ${bytes_max} are read`)
    const bytes = await file.readFile()
    if (bytes.length > bytes_max)
      throw new HubError('payload_too_large', `the file grew beyond ${bytes_max} bytes while it was read`)
    return bytes
  } finally {
    await file.close()
  }
}

/** Synced before the rename: a name that outlives a power cut must have its bytes. */
async function writeWhole(path: string, bytes: Buffer): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW, 0o640)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** The real path of a name, after checking that no link on the way to it leads out of the root. */
async function inside(root: string, path: string): Promise<string> {
  const target = join(root, path)
  const [realRoot, realFolder] = await Promise.all([realpath(root), realpath(dirname(target))]).catch(
    (): [string, string] => ['', ''],
  )
  // A folder that does not exist yet holds nothing that could lead out.
  if (realRoot === '') return target
  if (realFolder !== realRoot && !realFolder.startsWith(realRoot + sep))
    throw new HubError('file_invalid', 'the name leads out of the folder')
  return target
}

async function placeForWriting(root: string, path: string): Promise<string> {
  const folder = dirname(join(root, path))
  const missing = await access(folder).then(
    () => false,
    () => true,
  )
  if (missing) await mkdir(folder, { recursive: true })
  return await inside(root, path)
}

function codeOf(thrown: unknown): string {
  return thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
}

const DISK_FAULTS: Readonly<Record<string, 'vendor_not_found' | 'file_invalid'>> = {
  ENOENT: 'vendor_not_found',
  ELOOP: 'file_invalid',
  EISDIR: 'file_invalid',
  ENOTDIR: 'file_invalid',
  ENAMETOOLONG: 'file_invalid',
}

function diskFault(thrown: unknown): HubError {
  if (thrown instanceof HubError) return thrown
  const code = codeOf(thrown)
  return new HubError(
    DISK_FAULTS[code] ?? 'vendor_unavailable',
    `the file store answered ${code === '' ? 'with a fault' : code}`,
  )
}
