import type { HubError } from '../core/errors.ts'
import type { EnvelopeSeen, FileDefinition, FileResult, FileStore, ParsedFile } from '../connectors/_kit/define.ts'
import type { Connection } from '../hub.ts'

/** Where a file can go: to its place, or beside it, with its hash in front, when a file of that name is there already. */
export async function freePath(files: FileStore, path: string, sha256: Buffer): Promise<string> {
  if (!(await files.exists(path))) return path
  const slash = path.lastIndexOf('/')
  return `${path.slice(0, slash + 1)}${sha256.toString('hex').slice(0, 8)}-${path.slice(slash + 1)}`
}

/** Moves a claimed file to its place. `false` of the rename: somebody moved it meanwhile, which is what we wanted. */
export async function moveTo(files: FileStore, from: string, to: string, sha256: Buffer): Promise<void> {
  await files.rename(from, await freePath(files, to, sha256))
}

export function processedPath(folder: string, name: string, now: Date): string {
  const month = String(now.getUTCMonth() + 1).padStart(2, '0')
  return `${folder}/${now.getUTCFullYear()}/${month}/${name}`
}

/** What is wrong, where, and what to do: read by people at the 3PL as well as ours. Names fields and rows, never their contents. */
export async function writeErrorNote(files: FileStore, path: string, name: string, error: HubError): Promise<void> {
  const lines = [
    `File:       ${name}`,
    `What:       ${error.message}`,
    `Code:       ${error.code}`,
    ...(error.path === undefined ? [] : [`Where:      ${error.path}`]),
    `What to do: ${error.hint ?? 'correct the file and put it into the incoming folder again; nothing of it was applied'}`,
  ]
  await files.write(path, Buffer.from(`${lines.join('\n')}\n`, 'utf8'))
}

/** Tells the sender which rows were taken, where its protocol has such answers. */
export async function acknowledge(
  connection: Connection,
  definition: FileDefinition<unknown>,
  { name, parsed, received_at, envelopes }: Answered,
): Promise<void> {
  const rejected = parsed.rows.flatMap(({ row, fault }) =>
    fault === undefined ? [] : [{ row, code: fault.code, message: fault.message }],
  )
  const accepted = parsed.rows.length - rejected.length
  const result: FileResult = { name, accepted, rejected, received_at: received_at.toISOString(), envelopes }
  const one = definition.acknowledgement?.(parsed, result)
  const many = (await definition.answers?.(connection.port, parsed, result)) ?? []
  const { acknowledgements } = definition.folders(connection.port.settings)
  for (const answer of [...(one === undefined ? [] : [one]), ...many])
    await connection.port.files.write(`${acknowledgements}/${answer.name}`, answer.bytes)
}

/** A file as its sender hears of it. */
export interface Answered {
  name: string
  parsed: ParsedFile
  /** When it was first read. */
  received_at: Date
  envelopes: ReadonlyMap<string, EnvelopeSeen>
}
