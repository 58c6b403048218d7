import { decodeText, readCsv, type CsvRecord } from '../connectors/_kit/csv.ts'
import { HubError } from '../core/errors.ts'
import { minorFromDecimal } from '../core/model/money.ts'
import type { Input } from './input.ts'

/** Receipts of a file as a document that is still to be checked: JSON as it stands, or CSV with one row for each line of a receipt. */
export function receiptsOf({ bytes }: Input): unknown {
  const text = decodeText(bytes).replace(/^\uFEFF/, '')
  return /^\s*[[{]/.test(text) ? parseJson(text) : fromCsv(readCsv(text))
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new HubError('payload_invalid', 'the file is not valid JSON', { path: '$' })
  }
}

const NEEDED = ['reference', 'received_at', 'currency', 'sku', 'quantity', 'unit_cost'] as const

interface Draft {
  reference: string
  received_at: string
  currency: string
  freight_minor: number
  duty_minor: number
  lines: { sku: string; quantity: number; unit_minor: number }[]
}

/** Freight and duty stand in any row of their receipt and are added up. Amounts are decimals with a point. */
function fromCsv([head, ...rows]: readonly CsvRecord[]): unknown {
  const columns = head?.cells.map((cell) => cell.trim().toLowerCase()) ?? []
  const missing = NEEDED.filter((name) => !columns.includes(name))
  if (missing.length > 0)
    throw new HubError('file_invalid', `columns are missing: ${missing.join(', ')}`, {
      path: `line ${head?.line ?? 1}`,
    })
  const receipts = new Map<string, Draft>()
  for (const { line, cells } of rows) {
    const cell = (name: string): string => cells[columns.indexOf(name)]?.trim() ?? ''
    const currency = cell('currency').toUpperCase()
    const minor = (name: string): number =>
      cell(name) === '' ? 0 : minorFromDecimal(cell(name), currency, `line ${line}, column ${name}`)
    const reference = cell('reference')
    const receipt: Draft = receipts.get(reference) ?? {
      reference,
      received_at: instantOf(cell('received_at')),
      currency,
      freight_minor: 0,
      duty_minor: 0,
      lines: [],
    }
    receipts.set(reference, receipt)
    receipt.freight_minor += minor('freight')
    receipt.duty_minor += minor('duty')
    receipt.lines.push({
      sku: cell('sku'),
      quantity: quantityOf(cell('quantity'), line),
      unit_minor: minor('unit_cost'),
    })
  }
  return [...receipts.values()]
}

/** A bare day begins in UTC. */
const instantOf = (text: string): string => (/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text)

function quantityOf(text: string, line: number): number {
  if (/^\d{1,9}$/.test(text)) return Number(text)
  throw new HubError('file_invalid', 'a quantity is a whole number', { path: `line ${line}, column quantity` })
}
