import { randomUUID } from 'node:crypto'
import { posix } from 'node:path'
import { HubError } from '../../core/errors.ts'

const NAME_BYTES_MAX = 255

/** Names that a writer uses until a file is whole. They are never listed. */
export function isTemporary(name: string): boolean {
  return (
    name.startsWith('.') || name.startsWith('~') || /\.(tmp|temp|part|partial|filepart|crdownload|swp)$/i.test(name)
  )
}

/** The name under which a file is written before it appears, in the same folder because a rename does not cross file systems. */
export function temporaryName(path: string): string {
  return posix.join(posix.dirname(path), `.${posix.basename(path)}.${randomUUID().slice(0, 8)}.tmp`)
}

/**
 * A relative path with forward slashes, as plain segments. Refused with `file_invalid`: what leaves the root, absolute paths, drive
 * letters, backslashes, control characters, and names no file system keeps.
 */
export function safePath(path: string): string {
  const segments = path.replace(/\/+$/, '').split('/')
  const bad = segments.some(
    (segment) => segment === '' || /^\.{1,2}$/.test(segment) || Buffer.byteLength(segment) > NAME_BYTES_MAX,
  )
  if (bad || /[\\:\p{Cc}]/u.test(path)) throw new HubError('file_invalid', 'the file name is not allowed')
  return segments.join('/')
}
