import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { BankFileRead, BankLine, BankStatement } from '../../core/model/bankStatement.ts'
import { textId } from '../../core/model/occurrences.ts'
import { parseAmount, parseDate } from '../amounts.ts'
import { lineIds } from './lineIds.ts'

/** What the columns of a bank's CSV are called; every bank has its own words. */
export const BankCsvColumns = Type.Object(
  {
    booked_on: Type.String({ minLength: 1, description: 'Heading of the day of booking' }),
    value_on: Type.Optional(Type.String({ minLength: 1 })),
    amount: Type.Optional(Type.String({ minLength: 1, description: 'Signed amount; or name credit and debit' })),
    credit: Type.Optional(Type.String({ minLength: 1 })),
    debit: Type.Optional(Type.String({ minLength: 1, description: 'Written with or without a sign: it is money out' })),
    currency: Type.Optional(Type.String({ minLength: 1 })),
    balance: Type.Optional(
      Type.String({ minLength: 1, description: 'Balance after the movement: the proof of the file' }),
    ),
    id: Type.Optional(Type.String({ minLength: 1, description: "The bank's own number of the movement" })),
    reference: Type.Optional(Type.String({ minLength: 1 })),
    text: Type.Optional(Type.Array(Type.String({ minLength: 1 }), { maxItems: 10 })),
  },
  { additionalProperties: false },
)
export type BankCsvColumns = Static<typeof BankCsvColumns>

export interface BankCsvOptions {
  account: string
  currency: string
  columns: BankCsvColumns
  decimal: '.' | ',' | 'auto'
  dates: 'iso' | 'dmy' | 'mdy'
}

interface Record {
  line: number
  cells: readonly string[]
}

/** Rows above the headings (name of the account, period) are passed over: the headings are where the declared columns are. */
export function readBankCsv(records: readonly Record[], options: BankCsvOptions): BankFileRead {
  const { columns } = options
  const wanted = [columns.booked_on, columns.amount ?? columns.credit ?? '', columns.debit ?? ''].filter(
    (name) => name !== '',
  )
  const heading = records.findIndex(({ cells }) => wanted.every((name) => cells.some((cell) => cell.trim() === name)))
  const headings = records[heading]
  if (headings === undefined)
    throw new HubError('file_invalid', `no row has the columns ${wanted.join(', ')}`, {
      hint: 'compare csv.columns of the connection with the first rows of the file',
    })
  const places = new Map(headings.cells.map((cell, index) => [cell.trim(), index]).toReversed() as [string, number][])
  const read: BankFileRead = { format: 'csv', statements: [], faults: [], warnings: [] }
  const nameOf = lineIds()
  const rows: Row[] = []
  for (const { line, cells } of records.slice(heading + 1)) {
    if (cells.every((cell) => cell.trim() === '')) continue
    const cell = (name: string | undefined): string =>
      name === undefined ? '' : (cells[places.get(name) ?? -1] ?? '').trim()
    try {
      if (cells.length < headings.cells.length && cells.length < places.size)
        throw new HubError('payload_invalid', `has ${cells.length} of ${headings.cells.length} columns: cut off`)
      rows.push(rowOf(line, cell, options, nameOf))
    } catch (thrown) {
      if (!(thrown instanceof HubError)) throw thrown
      read.faults.push({
        row: line,
        column: thrown.path === '$' ? null : (thrown.path ?? null),
        message: thrown.message,
      })
    }
  }
  read.statements.push(statementOf(rows, options, read))
  return read
}

interface Row {
  row: number
  line: BankLine
  balance: number | null
}

function rowOf(
  row: number,
  cell: (name: string | undefined) => string,
  options: BankCsvOptions,
  nameOf: ReturnType<typeof lineIds>,
): Row {
  const { columns, currency, decimal } = options
  const stated = cell(columns.currency)
  if (stated !== '' && stated !== currency)
    throw new HubError('payload_invalid', `is in ${stated.slice(0, 20)}, the account in ${currency}`, {
      path: columns.currency ?? '$',
    })
  const day = (name: string | undefined): string | null => {
    const text = cell(name)
    return text === '' ? null : parseDate(text, { order: options.dates, path: name ?? '$' }).slice(0, 10)
  }
  const amount = (name: string | undefined): number | null => {
    const text = cell(name)
    return text === '' ? null : parseAmount(text, currency, { decimal, path: name ?? '$' })
  }
  const booked_on = day(columns.booked_on)
  if (booked_on === null) throw new HubError('payload_invalid', 'is empty', { path: columns.booked_on })
  const line = {
    booked_on,
    value_on: day(columns.value_on),
    amount_minor: movedBy(amount, columns),
    reference: cell(columns.reference) || null,
    text: (columns.text ?? []).map((name) => cell(name)).filter((part) => part !== '').join('\n').slice(0, 20_000) || null, // prettier-ignore
  }
  return { row, balance: amount(columns.balance), line: { external_id: nameOf(line, cell(columns.id)), ...line } }
}

function movedBy(amount: (name: string | undefined) => number | null, columns: BankCsvColumns): number {
  const signed = amount(columns.amount)
  if (signed !== null) return signed
  const credit = amount(columns.credit)
  const debit = amount(columns.debit)
  if ((credit === null || credit === 0) === (debit === null || debit === 0))
    throw new HubError('payload_invalid', 'has no amount, or one on both sides', {
      path: columns.credit ?? columns.amount ?? '$',
    })
  return (credit ?? 0) - Math.abs(debit ?? 0)
}

/** With balances in it a file proves itself: banks list the newest first as often as last, and both are understood. */
function statementOf(rows: readonly Row[], options: BankCsvOptions, read: BankFileRead): BankStatement {
  const { account, currency } = options
  const ordered = isNewestFirst(rows) ? rows.toReversed() : rows
  const first = ordered[0]
  const last = ordered.at(-1)
  const hasBalances = rows.length > 0 && rows.every(({ balance }) => balance !== null)
  if (!hasBalances && rows.some(({ balance }) => balance !== null))
    read.faults.push({ row: null, column: options.columns.balance ?? null, message: 'only some rows have a balance' })
  if (!hasBalances) read.warnings.push('the file has no balances: that nothing is missing cannot be proven')
  if (hasBalances) checkBalances(ordered, read, options.columns.balance ?? null)
  const days = rows.map(({ line }) => line.booked_on).toSorted()
  const from = days[0]
  const to = days.at(-1)
  const content = textId(rows.map(({ line }) => line.external_id).join('\n'))
  return {
    external_id: `${account}:${from ?? 'empty'}:${to ?? 'empty'}:${content}`.slice(0, 200),
    account,
    currency,
    begin_minor: hasBalances && first !== undefined ? (first.balance ?? 0) - first.line.amount_minor : null,
    end_minor: hasBalances ? (last?.balance ?? null) : null,
    from_at: from === undefined ? null : `${from}T00:00:00.000Z`,
    to_at: to === undefined ? null : `${to}T00:00:00.000Z`,
    lines: ordered.map(({ line }) => line),
  }
}

function isNewestFirst(rows: readonly Row[]): boolean {
  const first = rows[0]?.line.booked_on ?? ''
  const last = rows.at(-1)?.line.booked_on ?? ''
  if (first !== last) return first > last
  // All of one day: the way in which the balances go on decides.
  const fits = (list: readonly Row[]): number =>
    list.filter((row, index) => index > 0 && row.balance === (list[index - 1]?.balance ?? 0) + row.line.amount_minor)
      .length
  return fits(rows.toReversed()) > fits(rows)
}

function checkBalances(ordered: readonly Row[], read: BankFileRead, column: string | null): void {
  ordered.forEach(({ row, line, balance }, index) => {
    const before = ordered[index - 1]?.balance
    if (before === undefined || before === null || balance === null || before + line.amount_minor === balance) return
    const gap = balance - before - line.amount_minor
    read.faults.push({ row, column, message: `the balance moves by ${gap} more than this row says (minor units)` })
  })
}
