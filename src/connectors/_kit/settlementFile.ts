import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CsvError, parse } from 'csv-parse'
import { HubError } from '../../core/errors.ts'
import type { SettlementHeader, SettlementLine } from '../../core/model/settlement.ts'
import type { SettlementFormat, SettlementReader, SettlementSink } from '../../mappings/settlement.ts'
import { toUtf8 } from './charset.ts'
import { sniffDelimiter } from './csv.ts'

/**
 * Reads a file of payouts from its bytes to canonical lines, in memory that does not grow with the file: unpack, character set,
 * delimiter, records, the format's reader, batches. Cells are data; one that begins like a formula is no different from the others.
 */

/** Opens the bytes from their beginning; a file is read once to prove it and once more to keep it. */
export type SettlementBytes = () => AsyncIterable<Buffer>

export interface SettlementBatchLine {
  settlement_external_id: string
  line: SettlementLine
}

export interface SettlementFileTarget {
  settlement: (header: SettlementHeader) => void
  /** Called for every line as it is found. */
  line: (settlement_external_id: string, line: SettlementLine) => void
  warn: SettlementSink['warn']
  fault: SettlementSink['fault']
  allOf?: SettlementSink['allOf']
  /** The same lines again in batches of at most 5,000, waited for; absent where nothing is kept. */
  batch?: (lines: readonly SettlementBatchLine[]) => Promise<void>
}

export interface SettlementFileOptions {
  /** Whose file this is meant to be, for the refusal of another one. */
  label: string
  formats: readonly SettlementFormat[]
  /** Formats of other connectors, to say whose file it is when it is not this one's. */
  others?: readonly { label: string; formats: readonly SettlementFormat[] }[]
  /** Of the connection. */
  settings: Readonly<Record<string, unknown>>
}

export interface SettlementFileRead {
  format: string
  /** Of the bytes as they came. */
  sha256: Buffer
  bytes: number
  rows: number
}

export const SETTLEMENT_LIMITS = {
  batch_lines: 5_000,
  rows: 10_000_000,
  columns: 1_000,
  record_bytes: 1_000_000,
  /** After unpacking: what a small archive may grow to. */
  unpacked_bytes: 4 * 1024 ** 3,
  /** A document is parsed as a whole. */
  document_bytes: 128 * 1024 ** 2,
  head_bytes: 64 * 1024,
} as const

const CHUNK_BYTES = 64 * 1024

export const bytesOfFile =
  (path: string): SettlementBytes =>
  () =>
    createReadStream(path, { highWaterMark: CHUNK_BYTES })

export const bytesOfBuffer = (bytes: Buffer): SettlementBytes =>
  async function* () {
    for (let at = 0; at < bytes.length; at += CHUNK_BYTES) yield bytes.subarray(at, at + CHUNK_BYTES)
  }

/**
 * Faults of rows go to the target. `file_invalid`: the file as a whole is not what it should be (empty, another vendor's, an archive,
 * no text, a column is missing). `payload_too_large`: a limit was passed.
 */
export async function readSettlementFile(
  bytes: SettlementBytes,
  options: SettlementFileOptions,
  target: SettlementFileTarget,
): Promise<SettlementFileRead> {
  const hash = createHash('sha256')
  const counted = { bytes: 0, rows: 0 }
  const cut: { message: string | undefined } = { message: undefined }
  const plain = unpacked(tapped(bytes(), hash, counted), cut)
  const text = toUtf8(plain, () => target.warn(1, 'the file mixes UTF-8 with another character set'))
  const { head, rest } = await headOf(text)
  if (head.trim() === '') throw new HubError('file_invalid', cut.message ?? 'the file is empty')
  const format = formatOf(head, options, cut.message)
  const waiting: SettlementBatchLine[] = []
  const reader = format.open(sinkOf(target, waiting), { settings: options.settings })
  const flush = async (least: number): Promise<void> => {
    while (waiting.length > 0 && waiting.length >= least) {
      await target.batch?.(waiting.splice(0, SETTLEMENT_LIMITS.batch_lines))
    }
  }
  const onRow = async (row: number): Promise<void> => {
    counted.rows = row
    await flush(SETTLEMENT_LIMITS.batch_lines)
  }
  const last = await feed({ text: rest, format, head, reader, onRow, fault: target.fault })
  if (cut.message !== undefined) target.fault({ row: last + 1, column: null, message: cut.message })
  reader.end()
  await flush(1)
  return { format: format.id, sha256: hash.digest(), bytes: counted.bytes, rows: counted.rows }
}

function sinkOf(target: SettlementFileTarget, waiting: SettlementBatchLine[]): SettlementSink {
  return {
    settlement: target.settlement,
    warn: target.warn,
    fault: target.fault,
    allOf: (prefix) => target.allOf?.(prefix),
    line: (settlement_external_id, line) => {
      target.line(settlement_external_id, line)
      if (target.batch !== undefined) waiting.push({ settlement_external_id, line })
    },
  }
}

async function* tapped(
  chunks: AsyncIterable<Buffer>,
  hash: { update: (bytes: Buffer) => unknown },
  counted: { bytes: number },
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    counted.bytes += chunk.length
    yield chunk
  }
}

/** Unpacks what begins with the magic of gzip. An archive that ends early gives what is in it; `cut` tells. */
async function* unpacked(chunks: AsyncGenerator<Buffer>, cut: { message: string | undefined }): AsyncGenerator<Buffer> {
  const first = await firstBytes(chunks)
  const magic = first.subarray(0, 4).toString('latin1')
  if (magic === 'PK\u0003\u0004') {
    throw new HubError('file_invalid', 'this is a ZIP archive', { hint: 'unpack it and name the file in it' })
  }
  if (magic === '%PDF')
    throw new HubError('file_invalid', 'this is a PDF, which is made for eyes', { hint: 'download the report as CSV' })
  const all = joined(first, chunks)
  const source = magic.startsWith('\u001f\u008b')
    ? Readable.from(all).pipe(createGunzip({ chunkSize: CHUNK_BYTES }))
    : all
  let length = 0
  try {
    for await (const chunk of source) {
      const bytes = chunk as Buffer
      length += bytes.length
      if (length > SETTLEMENT_LIMITS.unpacked_bytes)
        throw tooLarge('the unpacked file', SETTLEMENT_LIMITS.unpacked_bytes)
      yield bytes
    }
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : ''
    if (code === 'Z_BUF_ERROR') cut.message = 'the compressed file ends early: it was cut off'
    else if (code.startsWith('Z_')) throw new HubError('file_invalid', 'the compressed file is damaged')
    else throw thrown
  }
}

/** The first chunk, with as many more as it takes to know an archive by its first bytes. */
async function firstBytes(chunks: AsyncGenerator<Buffer>): Promise<Buffer> {
  let bytes: Buffer = Buffer.alloc(0)
  while (bytes.length < 4) {
    const next = await chunks.next()
    if (next.done === true) break
    bytes = Buffer.concat([bytes, next.value])
  }
  return bytes
}

async function* joined(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

async function headOf(text: AsyncGenerator<Buffer>): Promise<{ head: string; rest: AsyncGenerator<Buffer> }> {
  const read: Buffer[] = []
  let length = 0
  while (length < SETTLEMENT_LIMITS.head_bytes) {
    const next = await text.next()
    if (next.done === true) break
    read.push(next.value)
    length += next.value.length
  }
  const start = Buffer.concat(read)
  return { head: start.subarray(0, SETTLEMENT_LIMITS.head_bytes).toString('utf8'), rest: joined(start, text) }
}

function formatOf(
  head: string,
  { label, formats, others = [] }: SettlementFileOptions,
  cut: string | undefined,
): SettlementFormat {
  const reason = formats.map((format) => format.refuses?.(head)).find((text) => text !== undefined)
  if (reason !== undefined) throw new HubError('file_invalid', reason)
  const format = formats.find((candidate) => candidate.accepts(head))
  if (format !== undefined) return format
  if (cut !== undefined) throw new HubError('file_invalid', cut)
  const owner = others.find((other) => other.formats.some((candidate) => candidate.accepts(head)))
  const expected = formats.map(
    (candidate) => `${candidate.label}${candidate.expects === undefined ? '' : ` (${candidate.expects})`}`,
  )
  const hint = owner === undefined ? 'look whether it is the right report' : `it looks like a file of ${owner.label}`
  throw new HubError('file_invalid', `this is no payout file of ${label}: expected ${expected.join(', or ')}`, { hint })
}

interface Feed {
  text: AsyncIterable<Buffer>
  format: SettlementFormat
  head: string
  reader: SettlementReader
  onRow: (row: number) => Promise<void>
  fault: SettlementFileTarget['fault']
}

/** Returns the last row. */
const feed = (given: Feed): Promise<number> =>
  given.format.content === 'document' ? feedDocument(given) : feedRecords(given)

async function feedDocument({ text, reader, onRow }: Feed): Promise<number> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of text) {
    length += chunk.length
    if (length > SETTLEMENT_LIMITS.document_bytes) throw tooLarge('the document', SETTLEMENT_LIMITS.document_bytes)
    chunks.push(chunk)
  }
  reader.row([Buffer.concat(chunks).toString('utf8')], 1)
  await onRow(1)
  return 1
}

/** Rows of `lines` are records of one cell: their delimiter is a character that no text has. */
async function feedRecords({ text, format, head, reader, onRow, fault }: Feed): Promise<number> {
  const isLines = format.content === 'lines'
  let row = 0
  const parser = parse({
    delimiter: isLines ? '\u0000' : (format.delimiter ?? sniffDelimiter(head)),
    record_delimiter: ['\r\n', '\n', '\r'],
    ...(isLines ? { quote: false as const } : { relax_quotes: true }),
    relax_column_count: true,
    skip_empty_lines: !isLines,
    max_record_size: SETTLEMENT_LIMITS.record_bytes,
    // Taken here and not from the stream: what a stream has in store is lost when a later record is faulty.
    on_record: (record: string[], { lines }) => {
      row = Math.max(row + 1, lines)
      takeRecord(reader, record, row)
      return null
    },
  })
  parser.on('error', () => undefined).resume()
  try {
    for await (const chunk of text) {
      await done((finish) => parser.write(chunk, finish))
      await onRow(row)
    }
    await done((finish) => parser.end(finish))
    await onRow(row)
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown
    // The library's message quotes the cell; its code says enough. What follows such a row cannot be told apart any more.
    const message = PARSER_FAULTS[thrown.code] ?? `is not well-formed (${thrown.code})`
    fault({ row: row + 1, column: null, message })
  }
  return row
}

const done = (work: (finish: (error?: Error | null) => void) => unknown): Promise<void> =>
  new Promise((resolve, reject) => {
    work((error) => (error === undefined || error === null ? resolve() : reject(error)))
  })

function takeRecord(reader: SettlementReader, record: readonly string[], row: number): void {
  if (row > SETTLEMENT_LIMITS.rows) throw tooLarge('the file', SETTLEMENT_LIMITS.rows, 'rows')
  if (record.length > SETTLEMENT_LIMITS.columns) {
    throw new HubError('file_invalid', `has more than ${SETTLEMENT_LIMITS.columns} columns`, { path: `row ${row}` })
  }
  reader.row(record, row)
}

const PARSER_FAULTS: Readonly<Record<string, string>> = {
  CSV_QUOTE_NOT_CLOSED: 'a quote is opened and never closed: the file was cut off, or the quote is part of the text',
  CSV_MAX_RECORD_SIZE: `is longer than ${SETTLEMENT_LIMITS.record_bytes} bytes`,
}

const tooLarge = (what: string, max: number, unit = 'bytes'): HubError =>
  new HubError('payload_too_large', `${what} has more than ${max.toLocaleString('en')} ${unit}`)
