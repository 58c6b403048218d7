import { CsvError, parse } from 'csv-parse/sync'
import { stringify } from 'csv-stringify/sync'
import { HubError } from '../../core/errors.ts'

export interface CsvRecord {
  /** Line of the file on which the record ends, counted from 1, as an editor shows it. */
  line: number
  cells: string[]
}

const DELIMITERS = [',', ';', '\t', '|'] as const
const RECORD_BYTES_MAX = 1_000_000
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Bytes of a partner's file as text: UTF-8 with or without a byte order mark, UTF-16 with one, and Windows-1252 for what is not valid
 * UTF-8, which is what spreadsheets still write. Binary content is `file_invalid`.
 */
export function decodeText(bytes: Buffer): string {
  const utf16 = bytes[0] === 0xff && bytes[1] === 0xfe
  const text = utf16 ? new TextDecoder('utf-16le').decode(bytes) : decodeEightBit(bytes)
  if (text.includes('\u0000')) throw new HubError('file_invalid', 'the file is not text')
  return text
}

function decodeEightBit(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return new TextDecoder('windows-1252').decode(bytes)
  }
}

/** The delimiter that occurs most often in the first line outside of quotes; a comma when none does. */
export function sniffDelimiter(text: string): string {
  const firstLine = (/^[^\r\n]*/.exec(text)?.[0] ?? '').replace(/"[^"]*"/g, '')
  const counts = DELIMITERS.map((delimiter) => ({ delimiter, count: firstLine.split(delimiter).length - 1 }))
  return counts.reduce((best, next) => (next.count > best.count ? next : best)).delimiter
}

/** Every record of a CSV text with its line number. A syntax fault spoils the whole file: `file_invalid` with the line, never the cell. */
export function readCsv(text: string, options: { delimiter?: string } = {}): CsvRecord[] {
  const bytes = Buffer.from(text)
  const lineAt = lineCounter(bytes)
  try {
    const records = parse(bytes, {
      delimiter: options.delimiter ?? sniffDelimiter(text),
      record_delimiter: ['\r\n', '\n', '\r'],
      relax_column_count: true,
      skip_empty_lines: true,
      max_record_size: RECORD_BYTES_MAX,
      info: true,
    }) as unknown as { record: string[]; info: { bytes: number } }[]
    return records.map(({ record, info }) => ({
      line: lineAt(endOfRecord(bytes, info.bytes)),
      cells: record.map(restoreCell),
    }))
  } catch (thrown) {
    if (!(thrown instanceof CsvError)) throw thrown
    // The library's message quotes the cell, which may be somebody's name; its code and position say enough.
    const position = typeof thrown['bytes'] === 'number' ? thrown['bytes'] : 0
    const path = `line ${lineCounter(bytes)(position + 1)}`
    throw new HubError('file_invalid', `the file is not well-formed CSV (${thrown.code})`, { path })
  }
}

/** The parser's position is behind the record's line end. */
function endOfRecord(bytes: Buffer, position: number): number {
  const beforeLineFeed = bytes[position - 1] === LINE_FEED ? position - 1 : position
  return bytes[beforeLineFeed - 1] === CARRIAGE_RETURN ? beforeLineFeed - 1 : beforeLineFeed
}

/** The line on which a byte stands, for positions asked in rising order. The parser counts a CRLF inside quotes twice, an editor once. */
function lineCounter(bytes: Buffer): (position: number) => number {
  let line = 1
  let at = 0
  return (position) => {
    for (; at < position && at < bytes.length; at += 1) {
      if (bytes[at] === LINE_FEED || (bytes[at] === CARRIAGE_RETURN && bytes[at + 1] !== LINE_FEED)) line += 1
    }
    return line
  }
}

/** CSV with CRLF line ends. Texts that a spreadsheet would run as a formula are disarmed; numbers stay numbers. */
export function writeCsv(
  records: readonly (readonly (string | number)[])[],
  options: { delimiter?: string } = {},
): Buffer {
  const cells = records.map((record) =>
    record.map((cell) => (typeof cell === 'number' ? String(cell) : disarmCell(cell))),
  )
  const delimiter = options.delimiter ?? ','
  return Buffer.from(stringify(cells, { delimiter, record_delimiter: '\r\n', quoted_match: /[\r\n;\t|]/ }))
}

/** Apostrophes before a formula character are counted in, so that a text which already has one comes back as it was. */
const FORMULA = /^'*[=+\-@\t\r]/
const DISARMED = /^'+[=+\-@\t\r]/
const PLAIN_NUMBER = /^[+-]?\d+(\.\d+)?$/

/** Spreadsheets run a cell that starts with `= + - @`, a tab or a carriage return; an apostrophe before it makes it text. */
export function disarmCell(text: string): string {
  return FORMULA.test(text) && !PLAIN_NUMBER.test(text) ? `'${text}` : text
}

/** Takes back what `disarmCell` did, so that reading what was written gives the same text. */
export function restoreCell(text: string): string {
  return DISARMED.test(text) ? text.slice(1) : text
}
