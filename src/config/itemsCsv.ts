import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse, type CsvError, type InfoRecord } from 'csv-parse/sync'
import type { ConfigFault } from './faults.ts'
import type { ItemConfig } from './schema.ts'

export interface CsvItems {
  items: { item: ItemConfig; line: number }[]
  faults: ConfigFault[]
}

const COLUMNS = ['sku', 'company', 'name', 'barcode', 'weight_g', 'size_mm'] as const
const REQUIRED = ['sku', 'company'] as const
const LENGTHS_MAX: Record<string, number> = { sku: 200, company: 63, name: 500, barcode: 100, weight_g: 7, size_mm: 20 }
/** What a cell has to look like where it is not empty. */
const FORMS: Readonly<Record<string, { form: RegExp; message: string }>> = {
  weight_g: { form: /^[1-9]\d{0,5}$/, message: 'is not a weight in whole grams' },
  size_mm: {
    form: /^[1-9]\d{0,3}x[1-9]\d{0,3}x[1-9]\d{0,3}$/,
    message: 'is not a size in millimetres, like 200x100x50',
  },
}

/** Reads the item list; a fault names the CSV file, its line and the column. `file` is the path as the configuration writes it. */
export function readItemsCsv(folder: string, file: string): CsvItems {
  const faultAt = (line: number, path: string, message: string): ConfigFault => ({ file, line, path, message })
  let records: { record: Record<string, string>; info: InfoRecord }[]
  let header: string[] = []
  try {
    const text = readFileSync(resolve(folder, file), 'utf8')
    const columns = (names: string[]): string[] => (header = names.map((name) => name.trim().toLowerCase()))
    records = parse(text, {
      bom: true,
      columns,
      info: true,
      skip_empty_lines: true,
      trim: true,
    }) as unknown as typeof records
  } catch (thrown) {
    return { items: [], faults: [faultAt(lineOf(thrown), '', readFault(thrown))] }
  }
  const missing = REQUIRED.filter((column) => !header.includes(column))
  if (missing.length > 0) {
    return {
      items: [],
      faults: missing.map((column) =>
        faultAt(1, column, `the column is missing; the columns are ${COLUMNS.join(', ')}`),
      ),
    }
  }
  const rows = records.map(({ record, info }) => ({ record, line: info.lines }))
  const faults = rows.flatMap(({ record, line }) =>
    rowFaults(record).map(([column, message]) => faultAt(line, column, message)),
  )
  const items = rows
    .filter(({ record }) => rowFaults(record).length === 0)
    .map(({ record, line }) => ({ item: itemOf(record), line }))
  return { items, faults }
}

function rowFaults(record: Record<string, string>): [column: string, message: string][] {
  return COLUMNS.flatMap((column): [string, string][] => {
    const text = record[column] ?? ''
    if (text === '') return isRequired(column) ? [[column, 'is empty']] : []
    const { form, message } = FORMS[column] ?? { form: /^/, message: '' }
    if (!form.test(text)) return [[column, message]]
    return text.length > (LENGTHS_MAX[column] ?? 0)
      ? [[column, `is longer than ${LENGTHS_MAX[column]} characters`]]
      : []
  })
}

const isRequired = (column: string): boolean => REQUIRED.some((required) => required === column)

function itemOf(record: Record<string, string>): ItemConfig {
  const { sku = '', company = '', name = '', barcode = '', weight_g = '', size_mm = '' } = record
  return {
    sku,
    company,
    ...(name === '' ? {} : { name }),
    ...(barcode === '' ? {} : { barcode }),
    ...(weight_g === '' ? {} : { weight_g: Number(weight_g) }),
    ...(size_mm === '' ? {} : { size_mm: size_mm.split('x').map(Number) }),
  }
}

function lineOf(thrown: unknown): number {
  const lines = (thrown as Partial<CsvError>)?.['lines']
  return typeof lines === 'number' ? lines : 0
}

/** csv-parse's messages may quote a cell; its code says enough. */
function readFault(thrown: unknown): string {
  const code = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unreadable'
  return code.startsWith('CSV_') ? `the row is no valid CSV (${code})` : `the file cannot be read (${code})`
}
