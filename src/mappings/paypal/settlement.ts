import { parseDate } from '../amounts.ts'
import { currencyExponent, minorFromDecimal } from '../../core/model/money.ts'
import { HubError } from '../../core/errors.ts'
import {
  faultOfRow,
  type SettlementFormat,
  type SettlementReader,
  type SettlementReadOptions,
  type SettlementSink,
} from '../settlement.ts'
import { linkConversions, tellPeriod, type Entry } from './settlementWindows.ts'

/**
 * The settlement report (STL) of the reports server, version 9: sections for accounts, rows signed by a word, totals for each currency.
 * Column names of the body follow the vendor's documentation and a sample of 2024. Not checked against a live account: the order of the
 * footer's totals (setting `stl_footer`) and whether a yen is written as 1 or as 100 (setting `stl_decimals`, such as `{"JPY": 2}`).
 */

const BODY = {
  transaction: 'Transaction ID',
  invoice: 'Invoice ID',
  reference: 'PayPal Reference ID',
  event: 'Transaction Event Code',
  initiated: 'Transaction Initiation Date',
  completed: 'Transaction Completion Date',
  side: 'Transaction Debit or Credit',
  gross: 'Gross Transaction Amount',
  currency: 'Gross Transaction Currency',
  fee_side: 'Fee Debit or Credit',
  fee: 'Fee Amount',
  fee_currency: 'Fee Currency',
  custom: 'Custom Field',
  bank: 'Bank Reference ID',
} as const
type Column = keyof typeof BODY

/** Other files of the vendor leave out words that say nothing. */
const spelt = (name: string): string => name.toLowerCase().replace(/transaction|[^a-z]/g, '')
const SPELT = new Map(Object.entries(BODY).map(([column, name]) => [spelt(name), column as Column]))
const NEEDED: readonly Column[] = ['transaction', 'event', 'initiated', 'side', 'gross', 'currency', 'fee_side', 'fee']

const FOOTER = ['gross_credit', 'gross_debit', 'fee_credit', 'fee_debit', 'begin', 'end'] as const
type Total = (typeof FOOTER)[number]

interface Section {
  from: string
  to: string
  account: string
  row: number
}

interface State {
  sink: SettlementSink
  options: SettlementReadOptions
  columns: ReadonlyMap<Column, number>
  section: Section | undefined
  entries: Entry[]
  footed: Set<string>
  /** Rows of the section (SC) and of the report (RC) as they were met. */
  counts: { section: number; report: number }
  ended: boolean
}

export const paypalStl: SettlementFormat = {
  id: 'paypal_stl',
  label: 'PayPal settlement report (STL)',
  expects: 'rows that begin with RH, FH, SH, CH, SB, SF, SC, RF, RC, FF',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => /^\uFEFF?"?RH"?[,\t;]/.test(head) && /^"?(FH|SH)"?[,\t;]/m.test(head),
  open: (sink, options): SettlementReader => {
    const state: State = {
      sink,
      options,
      columns: new Map(),
      section: undefined,
      entries: [],
      footed: new Set(),
      counts: { section: 0, report: 0 },
      ended: false,
    }
    return {
      row: (cells, row) => {
        const read = ROWS[(cells[0] ?? '').replace('\uFEFF', '').trim()]
        if (read !== undefined) read(state, cells, row)
        else if (cells.some((cell) => cell.trim() !== ''))
          sink.fault({ row, column: null, message: 'a row of a kind that this report does not have' })
      },
      end: () => {
        closeSection(state)
        // A file that was cut off says nothing wrong; it only does not say that it is over.
        if (!state.ended)
          sink.fault({ row: 1, column: null, message: 'the report does not end: its last row (FF) is missing' })
      },
    }
  },
}

const ROWS: Readonly<Record<string, (state: State, cells: readonly string[], row: number) => void>> = {
  RH: () => undefined,
  FH: () => undefined,
  SH: openSection,
  CH: readColumns,
  SB: readEntry,
  SF: readFooter,
  SC: (state, cells, row) => checkCount(state, cells, row, 'section'),
  RF: () => undefined,
  RC: (state, cells, row) => checkCount(state, cells, row, 'report'),
  FF: (state) => {
    state.ended = true
  },
}

function openSection(state: State, cells: readonly string[], row: number): void {
  closeSection(state)
  state.counts.section = 0
  faultOfRow(state.sink, row, () => {
    state.section = {
      from: dateOf(cells[1] ?? '', 'period start'),
      to: dateOf(cells[2] ?? '', 'period end'),
      account: (cells[3] ?? '').trim(),
      row,
    }
  })
}

const dateOf = (text: string, path: string): string => parseDate(text, { order: 'iso', path })

function readColumns(state: State, cells: readonly string[], row: number): void {
  const columns = new Map<Column, number>()
  cells.forEach((cell, index) => {
    const column = SPELT.get(spelt(cell))
    if (index > 0 && column !== undefined && !columns.has(column)) columns.set(column, index)
  })
  const missing = NEEDED.find((column) => !columns.has(column))
  if (missing !== undefined)
    throw new HubError('file_invalid', `column "${BODY[missing]}" is missing`, { path: `row ${row}` })
  state.columns = columns
}

function readEntry(state: State, cells: readonly string[], row: number): void {
  state.counts.section += 1
  state.counts.report += 1
  const text = (column: Column): string => (cells[state.columns.get(column) ?? -1] ?? '').trim()
  const at = text('completed') || text('initiated')
  const currency = text('currency')
  faultOfRow(state.sink, row, () => {
    if (state.section === undefined || state.columns.size === 0) throw fault('$', 'a row outside of a section')
    if (!/^[A-Z]{3}$/.test(currency)) throw fault(BODY.currency, 'not a currency')
    if (text('transaction') === '') throw fault(BODY.transaction, 'empty')
    const gross_minor = signed(state, [text('side'), BODY.side], [text('gross'), BODY.gross], currency)
    const fee_currency = text('fee_currency') || currency
    const feeIn = signed(state, [text('fee_side'), BODY.fee_side], [text('fee'), BODY.fee], fee_currency)
    const isForeign = feeIn !== 0 && fee_currency !== currency
    const entry: Entry = {
      row,
      transaction_id: text('transaction'),
      event_code: text('event'),
      reference_id: text('reference') || null,
      invoice_id: text('invoice') || null,
      custom_field: text('custom') || null,
      at: dateOf(at, BODY.initiated),
      currency,
      gross_minor,
      fee_minor: isForeign || feeIn === 0 ? 0 : -feeIn,
      bank_reference: text('bank') || null,
      fx: null,
      is_fee: false,
    }
    state.entries.push(entry)
    // A fee in another currency is taken from that currency's balance.
    if (isForeign)
      state.entries.push({ ...entry, is_fee: true, currency: fee_currency, gross_minor: feeIn, fee_minor: 0 })
  })
}

const fault = (path: string, message: string): HubError => new HubError('payload_invalid', message, { path })

type Cell = readonly [text: string, column: string]

/** Amounts have no sign and no decimal point; the word beside them says which way the money went. */
function signed(state: State, side: Cell, amount: Cell, currency: string): number {
  const minor = minorOf(state, amount, currency)
  if (minor === 0 && side[0] === '') return 0
  if (minor < 0) throw fault(amount[1], 'a sign where a word says the direction')
  if (side[0] === 'CR') return minor
  if (side[0] === 'DR') return minor === 0 ? 0 : -minor
  throw fault(side[1], 'neither CR nor DR')
}

function minorOf(state: State, [text, column]: Cell, currency: string): number {
  if (text === '') return 0
  const [, sign = '', digits] = /^(-?)(\d{1,18})$/.exec(text) ?? []
  if (digits === undefined) throw fault(column, 'not a whole number')
  const written = decimalsOf(state.options.settings, currency)
  const padded = digits.padStart(written + 1, '0')
  const whole = padded.slice(0, padded.length - written)
  return minorFromDecimal(`${sign}${whole}.${padded.slice(whole.length)}`, currency, column)
}

function decimalsOf(settings: Readonly<Record<string, unknown>>, currency: string): number {
  const set = settings['stl_decimals']
  const own = typeof set === 'object' && set !== null ? (set as Record<string, unknown>)[currency] : undefined
  return typeof own === 'number' && Number.isInteger(own) ? own : currencyExponent(currency)
}

/** The totals of one currency: every one of them is compared, and the difference is said. */
function readFooter(state: State, cells: readonly string[], row: number): void {
  const { section, sink } = state
  const currency = (cells[1] ?? '').trim()
  if (section === undefined || !/^[A-Z]{3}$/.test(currency))
    return sink.fault({ row, column: 'currency', message: 'the totals belong to no section or to no currency' })
  const order = footerOrder(state.options.settings)
  const stated: Partial<Record<Total, number>> = {}
  faultOfRow(sink, row, () => {
    order.forEach((name, index) => {
      stated[name] = minorOf(state, [(cells[index + 2] ?? '').trim(), name], currency)
    })
  })
  if (!isWhole(stated)) return undefined
  const entries = linkConversions(state.entries).filter((entry) => entry.currency === currency)
  const found = sumsOf(entries)
  for (const name of ['gross_credit', 'gross_debit', 'fee_credit', 'fee_debit'] as const) {
    const difference = found[name] - stated[name]
    if (difference !== 0) sink.fault({ row, column: name, message: `the rows come to ${found[name]}, the total is ${stated[name]}: ${difference} apart (${currency}, minor units)` }) // prettier-ignore
  }
  const moved = stated.gross_credit - stated.gross_debit + stated.fee_credit - stated.fee_debit
  const gap = stated.end - stated.begin - moved
  if (gap !== 0)
    sink.fault({
      row,
      column: 'end',
      message: `the balance moves by ${gap} more than the totals say (${currency}, minor units)`,
    })
  const id = `${section.account}:${section.from.slice(0, 10)}:${section.to.slice(0, 10)}`
  tellPeriod(sink, {
    id,
    currency,
    begin_minor: stated.begin,
    end_minor: stated.end,
    from: section.from,
    to: section.to,
    entries,
  })
  state.footed.add(currency)
}

const isWhole = (stated: Partial<Record<Total, number>>): stated is Record<Total, number> =>
  FOOTER.every((name) => stated[name] !== undefined)

function sumsOf(
  entries: readonly Entry[],
): Record<'gross_credit' | 'gross_debit' | 'fee_credit' | 'fee_debit', number> {
  const sums = { gross_credit: 0, gross_debit: 0, fee_credit: 0, fee_debit: 0 }
  for (const { gross_minor, fee_minor, is_fee } of entries) {
    if (is_fee) sums[gross_minor < 0 ? 'fee_debit' : 'fee_credit'] += Math.abs(gross_minor)
    else sums[gross_minor < 0 ? 'gross_debit' : 'gross_credit'] += Math.abs(gross_minor)
    sums[fee_minor > 0 ? 'fee_debit' : 'fee_credit'] += Math.abs(fee_minor)
  }
  return sums
}

function footerOrder(settings: Readonly<Record<string, unknown>>): readonly Total[] {
  const set: unknown = settings['stl_footer']
  if (set === undefined) return FOOTER
  const namesAll = Array.isArray(set) && set.length === FOOTER.length && FOOTER.every((name) => set.includes(name))
  if (!namesAll) throw new HubError('config_invalid', `stl_footer has to name each of ${FOOTER.join(', ')} once`)
  return set as Total[]
}

function checkCount(state: State, cells: readonly string[], row: number, what: 'section' | 'report'): void {
  const stated = (cells[1] ?? '').trim()
  const found = String(state.counts[what])
  if (stated !== found)
    state.sink.fault({ row, column: 'count', message: `the ${what} has ${found} rows and says ${stated.slice(0, 20)}` })
  state.counts[what] = 0
}

/** What no total was given for is not lost: it is told as a fault, and its rows as far as they go. */
function closeSection(state: State): void {
  const { section, sink } = state
  const left = [...new Set(state.entries.map((entry) => entry.currency))].filter((code) => !state.footed.has(code))
  for (const currency of left) {
    const row = section?.row ?? 1
    sink.fault({ row, column: null, message: `the section has rows in ${currency} and no totals for them` })
    if (section !== undefined) {
      const entries = state.entries.filter((entry) => entry.currency === currency)
      const end_minor = entries.reduce((sum, entry) => sum + entry.gross_minor - entry.fee_minor, 0)
      const id = `${section.account}:${section.from.slice(0, 10)}:${section.to.slice(0, 10)}`
      tellPeriod(sink, { id, currency, begin_minor: 0, end_minor, from: section.from, to: section.to, entries })
    }
  }
  state.entries = []
  state.footed = new Set()
  state.section = undefined
}
