import { HubError } from '../../core/errors.ts'
import { instantOf } from '../../mappings/define.ts'
import { decodeText, readCsv, type CsvRecord } from '../_kit/csv.ts'
import type { FileRow, ParsedFile } from '../_kit/define.ts'
import type { Settings } from './settings.ts'

type CellKind = 'id' | 'text' | 'word' | 'count' | 'instant'
interface Column {
  kind: CellKind
  optional?: true
  /** Smallest count that makes sense. */
  least?: number
  /** The connection's own location stands in for an empty cell. */
  location?: true
}

interface Format {
  topic: string
  /** Columns that say the same on every row of one document. */
  head: Readonly<Record<string, Column>>
  /** Columns of a row's own; none where a row is a document. */
  line: Readonly<Record<string, Column>>
  /** Column whose sum is in the trailer. */
  total: string | null
  key: (head: Values) => string
  /** Rows stand for themselves, so that a bad one does not spoil its neighbours. Others are parts of one document. */
  independent: boolean
}

type Values = Record<string, string | number | null>

const LINE: Record<string, Column> = { sku: { kind: 'id' }, quantity: { kind: 'count', least: 1 } }
const LOCATION: Column = { kind: 'id', location: true }
const STOCK: Format = {
  topic: 'stock',
  head: { location_code: LOCATION, as_of: { kind: 'instant' } },
  line: {
    sku: { kind: 'id' },
    on_hand: { kind: 'count' },
    damaged: { kind: 'count', optional: true },
    quality_control: { kind: 'count', optional: true },
  },
  total: 'on_hand',
  key: (head) => `${head['location_code']}:${head['as_of']}`,
  independent: true,
}

/** One entry per file type: the table of the README in code. */
const FORMATS: Readonly<Record<string, Format>> = {
  shipments: {
    topic: 'shipment',
    head: {
      shipment_id: { kind: 'id' },
      fulfillment_order: { kind: 'id' },
      shipped_at: { kind: 'instant' },
      carrier: { kind: 'text', optional: true },
      tracking_number: { kind: 'id', optional: true },
      tracking_url: { kind: 'text', optional: true },
    },
    line: { ...LINE, line_reference: { kind: 'id', optional: true }, lot: { kind: 'id', optional: true } },
    total: 'quantity',
    key: (head) => String(head['shipment_id']),
    independent: false,
  },
  stock_full: STOCK,
  stock_part: STOCK,
  receipts: {
    topic: 'receipt',
    head: {
      receipt_id: { kind: 'id' },
      location_code: LOCATION,
      received_at: { kind: 'instant' },
      reference: { kind: 'id', optional: true },
    },
    line: LINE,
    total: 'quantity',
    key: (head) => String(head['receipt_id']),
    independent: false,
  },
  acks: {
    topic: 'ack',
    head: {
      fulfillment_order: { kind: 'id' },
      verdict: { kind: 'word' },
      reason: { kind: 'text', optional: true },
      at: { kind: 'instant' },
    },
    line: {},
    total: null,
    key: (head) => `${head['fulfillment_order']}:${head['verdict']}:${head['at']}`,
    independent: false,
  },
  returns: {
    topic: 'return',
    head: {
      return_id: { kind: 'id' },
      fulfillment_order: { kind: 'id', optional: true },
      order_external_id: { kind: 'id', optional: true },
      location_code: LOCATION,
      received_at: { kind: 'instant' },
    },
    line: { ...LINE, line_reference: { kind: 'id', optional: true }, disposition: { kind: 'word', optional: true } },
    total: 'quantity',
    key: (head) => String(head['return_id']),
    independent: false,
  },
}

const NAME = /^([a-z_]+)_([a-z0-9-]+)_(\d{8}T\d{6}(?:\d{3})?)_([A-Za-z0-9-]{1,64})\.csv$/
/** Rows of one count that travel together: small enough to lock quickly, large enough to be few. */
const STOCK_LINES_MAX = 500
const TRAILER = 'TRAILER'

/** `<type>_<partner>_<UTC time>_<sequence>.csv`, of a type that is read and of this partner; anything else is left alone. */
export function readName(name: string, settings: Settings): { type: string; sequence: string; at: string } | undefined {
  const [, type, partner, time, sequence] = NAME.exec(name) ?? []
  if (type === undefined || time === undefined || sequence === undefined) return undefined
  if (partner !== settings.partner || !Object.hasOwn(FORMATS, type)) return undefined
  const [, year, month, day, hour, minute, second, ms] =
    /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})?$/.exec(time) ?? []
  const at = `${year}-${month}-${day}T${hour}:${minute}:${second}.${ms ?? '000'}Z`
  return Number.isNaN(Date.parse(at)) ? undefined : { type, sequence, at }
}

/** Topic → the file type that carries it; of the two kinds of counts the one that claims less. */
export const TYPES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(FORMATS).map(([type, { topic }]) => [topic, type])),
  stock: 'stock_part',
}

/** A file that came by another way than a partner's folder, so that its name says nothing. */
const unnamed = (type: string, modified_at_ms: number): { type: string; sequence: string; at: string } => ({
  type,
  sequence: 'unnamed',
  at: new Date(modified_at_ms).toISOString(),
})

interface Row {
  line: number
  head: Values
  own: Values
  fault: NonNullable<FileRow['fault']> | undefined
}

/**
 * Reads one file of a 3PL. The trailer (`TRAILER,<rows>,<sum>`) must be there and agree, otherwise nothing of the file counts:
 * `file_invalid` for a file that is cut off or lacks a column, `control_total_mismatch` for one that does not add up. A row that
 * cannot be read gets its fault, and the others go on; of a document of several rows all stand or fall together.
 */
export function parseIncoming(
  file: { name: string; bytes: Buffer } & ({ type?: never } | { type: string; modified_at_ms: number }),
  settings: Settings,
): ParsedFile {
  const name = file.type === undefined ? readName(file.name, settings) : unnamed(file.type, file.modified_at_ms)
  const format = name === undefined ? undefined : FORMATS[name.type]
  if (name === undefined || format === undefined) throw new HubError('file_invalid', 'the file name is not one of ours')
  const [header, ...records] = readCsv(
    decodeText(file.bytes),
    settings.delimiter === undefined ? {} : { delimiter: settings.delimiter },
  )
  const columns = (header?.cells ?? []).map((cell) => cell.trim().toLowerCase().replaceAll(/\s+/g, '_'))
  for (const [column, { optional, location }] of Object.entries({ ...format.head, ...format.line })) {
    const needed = optional !== true && !(location === true && settings.location_code !== undefined)
    if (needed && !columns.includes(column))
      throw new HubError('file_invalid', `the file has no column ${column}`, { path: `column ${column}` })
  }
  const trailer = records.pop()
  const data = records.map((record) => ({
    line: record.line,
    cells: Object.fromEntries(columns.map((column, i) => [column, record.cells[i] ?? ''])),
  }))
  const totals = checkTotals(trailer, data, format.total)
  const rows = data.map(({ line, cells }, i) =>
    readRow(format, line, cells, (records[i]?.cells.length ?? 0) > columns.length, settings),
  )
  const files = format.independent
    ? countRows(format, rows, `${name.type}:${name.sequence}`, file.name)
    : documentRows(format, rows, file.name)
  const times = rows.flatMap(({ head }) => (typeof head['as_of'] === 'string' ? [head['as_of']] : []))
  return {
    type: name.type,
    sequence: name.sequence,
    // The oldest of the counts: what happened since then has to be applied on top of it.
    as_of: times.toSorted()[0] ?? name.at,
    scope: name.type === 'stock_full' ? 'full' : 'partial',
    ...(name.type === 'stock_full' && settings.full_replaces === true ? { absent: 'zero' } : {}),
    rows: files,
    totals,
  }
}

/** A quantity that cannot be read leaves a hole in the sum; the readable ones may then not exceed the trailer's. */
function checkTotals(
  trailer: CsvRecord | undefined,
  data: { cells: Record<string, string> }[],
  column: string | null,
): Record<string, number> {
  const [mark, rowsText, sumText] = (trailer?.cells ?? []).map((cell) => cell.trim())
  if (mark !== TRAILER || data.some(({ cells }) => Object.values(cells)[0] === TRAILER)) {
    throw new HubError(
      'file_invalid',
      'the file does not end with its one TRAILER record: it was cut off or is still being written',
    )
  }
  const counts = column === null ? [] : data.map(({ cells }) => (cells[column] ?? '').trim())
  const readable = counts.filter((text) => /^-?\d{1,9}$/.test(text)).map(Number)
  const quantity = readable.reduce((total, count) => total + count, 0)
  const claimed = {
    rows: wholeNumber(rowsText),
    quantity: sumText === undefined || sumText === '' ? 0 : wholeNumber(sumText),
  }
  const sumAgrees = readable.length === counts.length ? quantity === claimed.quantity : quantity <= claimed.quantity
  if (claimed.rows !== data.length || !sumAgrees) {
    const message = `the trailer says ${claimed.rows} rows and ${claimed.quantity} units, the file has ${data.length} rows and ${quantity} units`
    throw new HubError('control_total_mismatch', message, { path: `line ${trailer?.line ?? 0}` })
  }
  return { rows: data.length, quantity }
}

function wholeNumber(text: string | undefined): number {
  return text !== undefined && /^-?\d{1,15}$/.test(text) ? Number(text) : Number.NaN
}

function readRow(
  format: Format,
  line: number,
  cells: Record<string, string>,
  tooLong: boolean,
  settings: Settings,
): Row {
  const row: Row = {
    line,
    head: {},
    own: {},
    fault: tooLong ? rowFault(line, null, 'has more cells than the header') : undefined,
  }
  const read = (columns: Format['head'], into: Values): void => {
    for (const [column, rule] of Object.entries(columns)) {
      const cell = (cells[column] ?? '').trim()
      const value = readCell(cell === '' && rule.location === true ? (settings.location_code ?? '') : cell, rule)
      if (typeof value === 'object' && value !== null) row.fault ??= rowFault(line, column, value.wrong)
      else into[column] = value
    }
  }
  read(format.head, row.head)
  read(format.line, row.own)
  return row
}

/** What a spreadsheet makes of a long number; the digits are lost. */
const SPOILED_NUMBER = /^\d(?:[.,]\d+)?E\+\d+$/i
const ISO_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?(Z|[+-]\d{2}:?\d{2})?$/i

function readCell(text: string, rule: Column): string | number | null | { wrong: string } {
  if (text === '') return rule.optional === true ? null : { wrong: 'is empty' }
  switch (rule.kind) {
    case 'text':
      return text
    case 'word':
      return text.toLowerCase()
    case 'id':
      if (SPOILED_NUMBER.test(text)) return { wrong: 'was rewritten as a rounded number by a spreadsheet' }
      return text.length <= 200 ? text : { wrong: 'is longer than 200 characters' }
    case 'count':
      if (!/^\d{1,9}$/.test(text)) return { wrong: 'is not a whole number' }
      return Number(text) >= (rule.least ?? 0) ? Number(text) : { wrong: `is less than ${rule.least ?? 0}` }
    case 'instant':
      if (!ISO_TIME.test(text) || Number.isNaN(Date.parse(text.replace(',', '.'))))
        return { wrong: 'is not a time as ISO 8601' }
      return instantOf(text.replace(' ', 'T').replace(',', '.'), 'time')
  }
}

/** Position and rule only, never the cell: it may be anything. */
function rowFault(line: number, column: string | null, wrong: string): NonNullable<FileRow['fault']> {
  const path = column === null ? `row ${line}` : `row ${line}, column ${column}`
  return { code: 'payload_invalid', message: `${path} ${wrong}`, path }
}

function faultyRow(format: Format, row: Row, fault: NonNullable<FileRow['fault']>, file: string): FileRow {
  // Its own key, so that a corrected document sent later is not taken for a changed copy of this one.
  const dedupe_key = `fault:${file}:${row.line}`
  return { row: row.line, topic: format.topic, dedupe_key, payload: { ...row.head, lines: [row.own] }, fault }
}

/** Rows with one key are one document; if one of them is bad, the document is kept as a whole and none of it is applied. */
function documentRows(format: Format, rows: readonly Row[], file: string): FileRow[] {
  const hasLines = Object.keys(format.line).length > 0
  const idColumn = Object.keys(format.head)[0] ?? ''
  const isKnown = (row: Row): boolean => row.fault === undefined || (hasLines && row.head[idColumn] !== undefined)
  const groups = Map.groupBy(rows, (row) => (isKnown(row) ? format.key(row.head) : `row ${row.line}`))
  return [...groups].map(([key, group]): FileRow => {
    const first = group[0]
    if (first === undefined) throw new HubError('internal', 'an empty group of rows')
    const spoiled =
      group.find((row) => row.fault !== undefined) ??
      group.find((row) => JSON.stringify(row.head) !== JSON.stringify(first.head))
    if (spoiled !== undefined) {
      const fault =
        spoiled.fault ?? rowFault(spoiled.line, null, 'says something else about its document than the first row of it')
      return {
        ...faultyRow(format, spoiled, fault, file),
        payload: { ...first.head, lines: group.map(({ own }) => own) },
      }
    }
    const lines = hasLines ? { lines: group.map(({ own }) => own) } : {}
    return {
      row: first.line,
      topic: format.topic,
      dedupe_key: `${format.topic}:${key}`,
      payload: { ...first.head, ...lines },
    }
  })
}

/** Counts go in parts of some hundred rows; a SKU that is counted twice says nothing about either, so both rows are kept back. */
function countRows(format: Format, rows: readonly Row[], count: string, file: string): FileRow[] {
  const placeOf = ({ head, own }: Row): string => `${format.key(head)}:${own['sku']}`
  const seen = Map.groupBy(rows, placeOf)
  const judged = rows.map((row) => ({
    row,
    fault: row.fault ?? countFault(row, (seen.get(placeOf(row)) ?? []).length),
  }))
  const faulty = judged.flatMap(({ row, fault }) => (fault === undefined ? [] : [faultyRow(format, row, fault, file)]))
  const sound = judged.filter(({ fault }) => fault === undefined).map(({ row }) => row)
  const parts = [...Map.groupBy(sound, ({ head }) => format.key(head))].flatMap(([key, group]) =>
    Array.from({ length: Math.ceil(group.length / STOCK_LINES_MAX) }, (_, part): FileRow => {
      const lines = group.slice(part * STOCK_LINES_MAX, (part + 1) * STOCK_LINES_MAX)
      const name = `${count}:${key}:${part + 1}`
      const payload = { ...lines[0]?.head, part: name, lines: lines.map(({ own }) => own) }
      return { row: lines[0]?.line ?? 0, topic: format.topic, dedupe_key: `stock:${name}`, payload }
    }),
  )
  return [...parts, ...faulty].toSorted((a, b) => a.row - b.row)
}

function countFault({ line, own }: Row, times: number): FileRow['fault'] {
  if (times > 1) return rowFault(line, 'sku', 'is counted more than once')
  const unsellable = Number(own['damaged'] ?? 0) + Number(own['quality_control'] ?? 0)
  return unsellable > Number(own['on_hand'])
    ? rowFault(line, 'on_hand', 'is less than its damaged and held units')
    : undefined
}
