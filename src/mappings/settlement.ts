import { HubError } from '../core/errors.ts'
import type { RowFault, SettlementHeader, SettlementLine } from '../core/model/settlement.ts'

export type { RowFault, SettlementHeader } from '../core/model/settlement.ts'

/**
 * How a file of a payout is read: row by row, because such files grow to hundreds of megabytes. A format is a pure description; bytes,
 * character sets and delimiters are the kit's business.
 */

/** Where a reader puts what it finds. Lines may come before the header of their settlement. */
export interface SettlementSink {
  settlement: (header: SettlementHeader) => void
  line: (settlement_external_id: string, line: SettlementLine) => void
  /** A word of the vendor that no table knows: kept as `other`. */
  warn: (row: number, message: string) => void
  fault: (fault: RowFault) => void
  /**
   * All payouts whose names begin like this are in this file: others that are stored under such names came out of an earlier, broken
   * file of the same days, and are emptied.
   */
  allOf?: (prefix: string) => void
}

/** Reads one file. `row` gets cells as they stand in the file (trimmed of nothing), numbered from 1; `end` after the last one. */
export interface SettlementReader {
  row: (cells: readonly string[], row: number) => void
  end: () => void
}

export interface SettlementReadOptions {
  /** Of the connection: account, time zone, expected currency, column map … */
  settings: Readonly<Record<string, unknown>>
}

export interface SettlementFormat {
  /** `amazon_v2`, `paypal_stl`, `camt053` … */
  id: string
  label: string
  /** `delimited`: rows of cells. `lines`: rows of one cell, the line. `document`: one row of one cell, the whole text (XML, JSON). */
  content: 'delimited' | 'lines' | 'document'
  /** Null: found out from the first line. */
  delimiter: string | null
  /** What such a file looks like, for the person who brought another one: `tab-separated, with the columns settlement-id, …`. */
  expects?: string
  /** Whether a file that begins like this is of the format; the first that says so reads it. */
  accepts: (head: string) => boolean
  /** Why a file that begins like this cannot be read although it is the vendor's: an older version of the report, another report. */
  refuses?: (head: string) => string | undefined
  open: (sink: SettlementSink, options: SettlementReadOptions) => SettlementReader
}

/** A row of a file with column headings, by heading (lower case, trimmed). A column that the file lacks reads as ''. */
export interface TableRow {
  row: number
  cell: (column: string) => string
  has: (column: string) => boolean
}

export interface TableOptions {
  /** Headings that must be there. */
  required: readonly string[]
  /** Fewer cells than headings mean a row that was cut off, unless the vendor writes short rows. */
  short_rows: 'fault' | 'allowed'
}

/**
 * For files whose first row names the columns: hands on rows by heading, skips rows without a single character, and tells of rows that
 * were cut off. What `read` throws is a fault of its row alone.
 */
export function tableReader(
  sink: Pick<SettlementSink, 'fault'>,
  options: TableOptions,
  read: (row: TableRow) => void,
): SettlementReader['row'] {
  let columns: Map<string, number> | undefined
  return (cells, row) => {
    if (columns === undefined) {
      columns = headingsOf(cells)
      const missing = options.required.filter((name) => columns?.has(name) !== true)
      if (missing.length > 0) {
        throw new HubError('file_invalid', `columns are missing: ${missing.join(', ')}`, { path: `row ${row}` })
      }
      return
    }
    if (cells.every((cell) => cell.trim() === '')) return
    if (cells.length < columns.size && options.short_rows === 'fault') {
      sink.fault({ row, column: null, message: `has ${cells.length} of ${columns.size} columns: cut off` })
      return
    }
    const index = columns
    const cell = (column: string): string => cells[index.get(column) ?? -1]?.trim() ?? ''
    faultOfRow(sink, row, () => read({ row, cell, has: (column) => index.has(column) }))
  }
}

/** Runs `work`; a fault of its input becomes a fault of the row, any other is thrown on. */
export function faultOfRow(sink: Pick<SettlementSink, 'fault'>, row: number, work: () => void): void {
  try {
    work()
  } catch (thrown) {
    if (!(thrown instanceof HubError) || thrown.code !== 'payload_invalid') throw thrown
    const column = thrown.path === undefined || thrown.path === '$' ? null : thrown.path
    sink.fault({ row, column, message: thrown.message })
  }
}

/** Headings in lower case with their place; of two equal headings the first one counts. */
export function headingsOf(cells: readonly string[]): Map<string, number> {
  const columns = new Map<string, number>()
  for (const [at, cell] of cells.entries()) {
    const name = cell.trim().toLowerCase()
    if (!columns.has(name)) columns.set(name, at)
  }
  return columns
}

/** The first line of a head, as headings, whatever its delimiter is. */
export const headLine = (head: string): string => (/^[^\r\n]*/.exec(head)?.[0] ?? '').toLowerCase()

/**
 * A JSON document whose numbers stay texts: as numbers they would be floats, and amounts must not be. Digits keep their spelling
 * (`10.50` is `'10.50'`). `file_invalid` when it is no JSON.
 */
export function exactJson(text: string): unknown {
  const spelt = text.replace(/"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  )
  try {
    return JSON.parse(spelt) as unknown
  } catch {
    throw new HubError('file_invalid', 'the document is no JSON, or it was cut off')
  }
}

/** Every object in a list under `key`, at the top, in pages, or inside the wrappers that an API's answers have. */
export function objectsUnder(document: unknown, key: string): Record<string, unknown>[] {
  if (Array.isArray(document)) return document.flatMap((page) => objectsUnder(page, key))
  if (!isObject(document)) return []
  const list = document[key]
  if (Array.isArray(list)) return list.filter(isObject)
  return ['payload', 'pages', 'data'].flatMap((wrapper) => objectsUnder(document[wrapper], key))
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A text or '' for anything else. */
export const textOf = (value: unknown): string => (typeof value === 'string' ? value.trim() : '')
