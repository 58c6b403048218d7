import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { asHubError, HubError } from '../core/errors.ts'
import type { FileDefinition, FileEntry, ParsedFile } from '../connectors/_kit/define.ts'
import type { Connection, Hub } from '../hub.ts'
import type { JobReporter } from './define.ts'
import { decidedFile, findFile, storeFile, storeRejected, type KnownFile } from './fileRows.ts'
import { acknowledge, freePath, moveTo, processedPath, writeErrorNote } from './fileMoves.ts'
import { wakeAll, wakeDrain } from './wake.ts'

export { confirmFile, rejectFile } from './fileRows.ts'

const FILE_BYTES_MAX = 64 * 1024 * 1024
const FILES_MAX = 500
/** A file whose size and time did not change over this pause is taken for whole; its control totals judge again. */
const LOOK_PAUSE_MS = 1_000
/** A claim this old was left by a process that died; whatever it had committed makes the second reading a no-op. */
const CLAIM_LEASE_MS = 60_000
/** Writers that open a file long before they write to it exist; after this an empty one is a mistake. */
const EMPTY_AFTER_MS = 15 * 60_000
const PROCESSING = '.processing'
/** When a file was claimed is part of its name there: its own time says when it was written. */
const CLAIMED_NAME = /^(\d{13})\.(.+)$/

export interface FilesResult {
  read: number
  rejected: number
  held: number
  duplicates: number
  rows: number
}

interface Claimed {
  /** The name that the sender gave. */
  name: string
  path: string
  modified_at_ms: number
}

type Outcome = 'applied' | 'rejected' | 'held' | 'duplicate'

/**
 * Reads the incoming folder of one connection once: takes every whole file that is its own, applies it in one transaction and moves it
 * where people look for it. Each step may be the last before a crash: the file is found again and what was done is not done twice. Files
 * are read in the order in which they came: while one is claimed by somebody else, dead or alive, those after it wait, because a 3PL's
 * later word (the rest will not come) is about what its earlier one has said.
 */
export async function readFiles(
  hub: Hub,
  connection: Connection,
  reporter: JobReporter,
  options: { look_pause_ms?: number } = {},
): Promise<FilesResult> {
  const definition = connection.connector.files
  if (definition === undefined) throw new HubError('unsupported', `${connection.id} has no files`)
  const result: FilesResult = { read: 0, rejected: 0, held: 0, duplicates: 0, rows: 0 }
  const counters = { applied: 'read', rejected: 'rejected', held: 'held', duplicate: 'duplicates' } as const
  const fresh = await wholeFiles(hub, connection, definition, options.look_pause_ms ?? LOOK_PAUSE_MS)
  const { stale, held } = await claimsOf(hub, connection, definition)
  if (held.length > 0) {
    reporter.log(`${held[0]} is claimed by another reader; what came after it waits`)
    return result
  }
  const claims = [...stale, ...fresh.map((entry) => ({ entry, from: pathIn(connection, definition, entry.name) }))]
  for (const { entry, from } of claims.slice(0, FILES_MAX)) {
    if (reporter.signal.aborted) break
    const claimed = await claim(hub, connection, definition, entry, from)
    if (claimed === undefined) continue
    const { outcome, rows } = await readOne(hub, connection, definition, claimed)
    result[counters[outcome]] += 1
    result.rows += rows
    reporter.log(`${claimed.name}: ${outcome}${rows > 0 ? `, ${rows} rows` : ''}`)
  }
  return result
}

const foldersOf = (
  connection: Connection,
  definition: FileDefinition<unknown>,
): ReturnType<FileDefinition<unknown>['folders']> => definition.folders(connection.port.settings)

const pathIn = (connection: Connection, definition: FileDefinition<unknown>, name: string): string =>
  `${foldersOf(connection, definition).incoming}/${name}`

/** Two looks: a file that is still growing, temporary or not ours is left alone, and for a while one that is empty. */
async function wholeFiles(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
  pauseMs: number,
): Promise<FileEntry[]> {
  const { files, settings } = connection.port
  const { incoming } = foldersOf(connection, definition)
  const now = hub.clock.now().getTime()
  const ours = (entry: FileEntry): boolean =>
    (entry.bytes > 0 || now - entry.modified_at_ms > EMPTY_AFTER_MS) &&
    !entry.name.startsWith('.') &&
    !entry.name.endsWith('.tmp') &&
    definition.accepts(entry.name, settings) !== undefined
  const first = (await files.list(incoming)).filter(ours)
  if (first.length === 0) return []
  await sleep(pauseMs)
  const before = new Map(first.map((entry) => [entry.name, entry]))
  const second = await files.list(incoming)
  return second.filter((entry) => {
    const earlier = before.get(entry.name)
    return earlier !== undefined && earlier.bytes === entry.bytes && earlier.modified_at_ms === entry.modified_at_ms
  })
}

/** What others have claimed: `stale` by a process that died, `held` by one that may be alive. */
async function claimsOf(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
): Promise<{ stale: { entry: FileEntry; from: string }[]; held: string[] }> {
  const folder = processingFolder(connection, definition)
  const claims = (await connection.port.files.list(folder)).flatMap((entry) => {
    const [, at, name] = CLAIMED_NAME.exec(entry.name) ?? []
    if (at === undefined || name === undefined) return []
    const isStale = hub.clock.now().getTime() - Number(at) > CLAIM_LEASE_MS
    return [{ entry: { ...entry, name }, from: `${folder}/${entry.name}`, isStale }]
  })
  return {
    stale: claims.filter(({ isStale }) => isStale).map(({ entry, from }) => ({ entry, from })),
    held: claims.filter(({ isStale }) => !isStale).map(({ entry }) => entry.name),
  }
}

const processingFolder = (connection: Connection, definition: FileDefinition<unknown>): string =>
  `${foldersOf(connection, definition).incoming}/${PROCESSING}`

/** The rename is the lock: of two readers one finds the file gone. */
async function claim(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
  entry: FileEntry,
  from: string,
): Promise<Claimed | undefined> {
  const path = `${processingFolder(connection, definition)}/${hub.clock.now().getTime()}.${entry.name}`
  const taken = await connection.port.files.rename(from, path)
  return taken ? { name: entry.name, path, modified_at_ms: entry.modified_at_ms } : undefined
}

async function readOne(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
  claimed: Claimed,
): Promise<{ outcome: Outcome; rows: number }> {
  let bytes: Buffer
  try {
    bytes = await connection.port.files.read(claimed.path, FILE_BYTES_MAX)
  } catch (thrown) {
    const error = asHubError(thrown)
    if (error.next !== 'park' && error.next !== 'refuse') throw error
    await reject(hub, connection, definition, { claimed, bytes: Buffer.alloc(0), error })
    return { outcome: 'rejected', rows: 0 }
  }
  let parsed: ParsedFile
  try {
    parsed = definition.parse(
      { name: claimed.name, bytes, modified_at_ms: claimed.modified_at_ms },
      connection.port.settings,
    )
  } catch (thrown) {
    const error =
      thrown instanceof HubError
        ? thrown
        : new HubError('file_invalid', 'the file could not be read', { cause: thrown })
    await reject(hub, connection, definition, { claimed, bytes, error })
    return { outcome: 'rejected', rows: 0 }
  }
  const sha256 = identityOf(parsed, bytes)
  const known = await findFile(hub.db, connection.id, sha256)
  return applyParsed(hub, connection, definition, { claimed, bytes, sha256, parsed, known })
}

/** A file that could not even be fetched is known by its name and its time. */
async function reject(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
  { claimed, bytes, error }: { claimed: Claimed; bytes: Buffer; error: HubError },
): Promise<void> {
  const { name, modified_at_ms } = claimed
  const content = bytes.length === 0 ? `${name}\n${modified_at_ms}` : bytes
  const sha256 = createHash('sha256').update(content).digest()
  const type = typeOf(connection, definition, name)
  await storeRejected(hub, connection, { name, sha256, type, bytes, error })
  await intoError(connection, definition, { claimed, sha256, error })
}

/**
 * What makes two files the same one: their bytes, and the number or the time that they speak for. Bytes alone do not: stock may be
 * tomorrow what it was yesterday, and a full file that says so must not be taken for yesterday's.
 */
function identityOf(parsed: ParsedFile, bytes: Buffer): Buffer {
  return createHash('sha256')
    .update(`${parsed.type}\n${parsed.sequence ?? parsed.as_of}\n`)
    .update(bytes)
    .digest()
}

interface Reading {
  claimed: Claimed
  bytes: Buffer
  sha256: Buffer
  parsed: ParsedFile
  known: KnownFile | undefined
}

async function applyParsed(
  hub: Hub,
  connection: Connection,
  definition: FileDefinition<unknown>,
  { claimed, bytes, sha256, parsed, known }: Reading,
): Promise<{ outcome: Outcome; rows: number }> {
  const folders = foldersOf(connection, definition)
  // Either the sender sent the same file again, or we died between the commit and the move: both are finished in the same way.
  const resumes = known !== undefined && known.state !== 'rejected' && known.state !== 'duplicate'
  const file = { connection_id: connection.id, name: claimed.name, bytes, sha256, parsed }
  const shrink_max = definition.shrink_max(connection.port.settings)
  const stored = resumes
    ? await decidedFile(hub.db, file, known, hub.clock.now())
    : await storeFile(hub, { ...file, shrink_max })
  if (stored.state === 'duplicate') {
    const error = new HubError(
      'file_invalid',
      `this ${parsed.type} file, or another one with its sequence, was decided before`,
      {
        path: `sequence ${parsed.sequence ?? '(none)'}`,
        hint: 'nothing was taken from this file; send it under a new sequence if it is meant',
      },
    )
    await intoError(connection, definition, { claimed, sha256, error })
    return { outcome: 'duplicate', rows: 0 }
  }
  if (stored.state === 'held') {
    await moveTo(connection.port.files, claimed.path, `${folders.processed}/held/${claimed.name}`, sha256)
    return { outcome: resumes ? 'duplicate' : 'held', rows: 0 }
  }
  await wakeAll(hub, [wakeDrain(connection.id)])
  await acknowledge(connection, definition, { name: claimed.name, parsed, ...stored })
  await moveTo(
    connection.port.files,
    claimed.path,
    processedPath(folders.processed, claimed.name, hub.clock.now()),
    sha256,
  )
  return resumes ? { outcome: 'duplicate', rows: 0 } : { outcome: 'applied', rows: parsed.rows.length }
}

function typeOf(connection: Connection, definition: FileDefinition<unknown>, name: string): string {
  return definition.accepts(name, connection.port.settings)?.type ?? 'unknown'
}

/** The note first: a file that lies in the error folder without a word is of no help to anybody. */
async function intoError(
  connection: Connection,
  definition: FileDefinition<unknown>,
  { claimed, sha256, error }: { claimed: Claimed; sha256: Buffer; error: HubError },
): Promise<void> {
  const { files } = connection.port
  const place = await freePath(files, `${foldersOf(connection, definition).error}/${claimed.name}`, sha256)
  await writeErrorNote(files, `${place}.err`, claimed.name, error)
  await files.rename(claimed.path, place)
}
