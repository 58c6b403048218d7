import { HubError } from '../../core/errors.ts'
import { occurrenceCounter, textId } from '../../core/model/occurrences.ts'
import { SETTLEMENT_LINE_KINDS, type SettlementLine } from '../../core/model/settlement.ts'
import { parseAmount, parseDate } from '../amounts.ts'
import {
  headingsOf,
  headLine,
  tableReader,
  type SettlementFormat,
  type SettlementReadOptions,
  type SettlementSink,
  type TableRow,
} from '../settlement.ts'

/**
 * Any CSV with headings, read by the column map in the connection's settings (`connectors/csv`). Payouts stand in rows of their own
 * (`payout_types`) or are named by a column; where the file never says what was paid, the sum of its rows is taken and it is said that
 * nothing was proven.
 */

type Kind = SettlementLine['kind']

export const CSV_COLUMNS = [
  'id', 'date', 'type', 'gross', 'fee', 'net', 'currency', 'order', 'order_number', 'payment', 'payout', 'sku', 'quantity',
] as const // prettier-ignore
type Column = (typeof CSV_COLUMNS)[number]

interface CsvSettings {
  columns: Readonly<Partial<Record<Column, string>>>
  kinds: Readonly<Record<string, Kind>>
  payout_types: ReadonlySet<string>
  /** `cost`: a positive fee costs the merchant. `signed`: a negative one does, and net = gross + fee. */
  fee_sign: 'cost' | 'signed'
  decimal: '.' | ',' | 'auto'
  date_order: 'iso' | 'dmy' | 'mdy'
  zone: string | undefined
  currency: string | undefined
}

export const genericCsv: SettlementFormat = {
  id: 'csv',
  label: 'CSV with a column map',
  expects: 'delimited text whose first row names the columns, with the columns of the settings',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => /[,;\t|]/.test(headLine(head)) && !/^\s*[[{<]/.test(head),
  open: (sink, options) => {
    const state: State = { sink, settings: readSettings(options), payouts: new Map(), ordinal: occurrenceCounter() }
    const required = Object.values(state.settings.columns).map((name) => name.trim().toLowerCase())
    return {
      row: tableReader(sink, { required: [...headingsOf(required).keys()], short_rows: 'fault' }, (row) =>
        readRow(state, row),
      ),
      end: () => tellPayouts(state),
    }
  },
}

interface Payout {
  id: string
  currency: string
  net_minor: number
  first_at: string
  last_at: string
  /** From its own rows. */
  paid_minor: number | null
  paid_at: string | null
  paid_reference: string | null
}

interface State {
  sink: SettlementSink
  settings: CsvSettings
  /** By the payout's id in the file; '' where the whole file is one. */
  payouts: Map<string, Payout>
  ordinal: (identity: string) => number
}

function readSettings({ settings }: SettlementReadOptions): CsvSettings {
  const columns = settings['columns']
  const map = typeof columns === 'object' && columns !== null ? (columns as CsvSettings['columns']) : {}
  if (map.date === undefined || (map.gross === undefined && map.net === undefined)) {
    throw new HubError('file_invalid', 'the settings do not say in which columns date and amount stand', {
      hint: 'settings.settlement_files.columns needs date, and gross or net; with settlement check: --settings <file>',
    })
  }
  const kinds = (settings['kinds'] ?? {}) as Record<string, Kind>
  const word = <T extends string>(name: string, words: readonly T[], preset: T): T =>
    words.find((known) => known === settings[name]) ?? preset
  return {
    columns: map,
    kinds: Object.fromEntries(
      Object.entries(kinds).flatMap(([type, kind]) =>
        SETTLEMENT_LINE_KINDS.includes(kind) ? [[type.trim().toLowerCase(), kind]] : [],
      ),
    ),
    payout_types: new Set(((settings['payout_types'] ?? []) as string[]).map((type) => type.trim().toLowerCase())),
    fee_sign: word('fee_sign', ['cost', 'signed'] as const, 'cost'),
    decimal: word('decimal', ['.', ',', 'auto'] as const, 'auto'),
    date_order: word('date_order', ['iso', 'dmy', 'mdy'] as const, 'iso'),
    zone: typeof settings['zone'] === 'string' ? settings['zone'] : undefined,
    currency: typeof settings['currency'] === 'string' ? settings['currency'] : undefined,
  }
}

function readRow(state: State, table: TableRow): void {
  const { sink, settings } = state
  const cell = (column: Column): string => {
    const name = settings.columns[column]
    return name === undefined ? '' : table.cell(name.trim().toLowerCase())
  }
  const currency = (cell('currency') || settings.currency || '').toUpperCase()
  if (!/^[A-Z]{3}$/.test(currency)) throw new HubError('payload_invalid', 'is no currency', { path: 'currency' })
  const at = parseDate(cell('date'), {
    order: settings.date_order,
    path: 'date',
    ...(settings.zone === undefined ? {} : { zone: settings.zone }),
  })
  const amounts = amountsOf(settings, cell, currency)
  const payout = payoutOf(state, cell('payout'), currency, at)
  const type = cell('type')
  if (settings.payout_types.has(type.toLowerCase())) {
    // Paid out of the account: the row takes away what the others have brought.
    payout.paid_minor = (payout.paid_minor ?? 0) - amounts.net_minor
    payout.paid_at = at
    payout.paid_reference = cell('id').slice(0, 200) || null
    return
  }
  const kind = settings.columns.type === undefined ? 'other' : settings.kinds[type.toLowerCase()]
  if (kind === undefined) sink.warn(table.row, `unknown type "${type.slice(0, 80)}" is kept as other`)
  const line: SettlementLine = {
    external_id: idOf(state, cell),
    ...booked(kind ?? 'other', amounts),
    vendor_type: type.slice(0, 200) || 'row',
    at,
    currency,
    references: {
      order_external_id: cell('order').slice(0, 200) || null,
      order_number: cell('order_number').slice(0, 200) || null,
      payment_ids: cell('payment') === '' ? [] : [cell('payment').slice(0, 200)],
    },
    sku: cell('sku').slice(0, 200) || null,
    quantity: /^\d{1,9}$/.test(cell('quantity')) ? Number(cell('quantity')) : null,
    row: table.row,
  }
  payout.net_minor += line.net_minor
  sink.line(payout.id, line)
}

/**
 * A payout of which no column tells the name is named by the day of the first row: a corrected file is then the same payout, and the
 * next file another one.
 */
function payoutOf({ payouts }: State, id: string, currency: string, at: string): Payout {
  const known = payouts.get(id)
  if (known !== undefined) {
    if (at < known.first_at) known.first_at = at
    if (at > known.last_at) known.last_at = at
    return known
  }
  const made: Payout = {
    id: id.slice(0, 200) || `file-${at.slice(0, 10)}`, currency, net_minor: 0, first_at: at, last_at: at, paid_minor: null, paid_at: null, paid_reference: null,
  } // prettier-ignore
  payouts.set(id, made)
  return made
}

type Amounts = Pick<SettlementLine, 'gross_minor' | 'fee_minor' | 'net_minor'>

/** Two of gross, fee and net give the third; all three are kept as they stand, and the proof looks at them. */
function amountsOf(settings: CsvSettings, cell: (column: Column) => string, currency: string): Amounts {
  const read = (column: 'gross' | 'fee' | 'net'): number | undefined =>
    cell(column) === '' ? undefined : parseAmount(cell(column), currency, { decimal: settings.decimal, path: column })
  const [gross, stated, net] = [read('gross'), read('fee'), read('net')]
  const fee_minor = stated === undefined ? undefined : settings.fee_sign === 'signed' ? -stated || 0 : stated
  if (gross === undefined && net === undefined)
    throw new HubError('payload_invalid', 'has no amount', { path: 'gross' })
  if (gross === undefined)
    return { gross_minor: (net ?? 0) + (fee_minor ?? 0), fee_minor: fee_minor ?? 0, net_minor: net ?? 0 }
  if (net === undefined) return { gross_minor: gross, fee_minor: fee_minor ?? 0, net_minor: gross - (fee_minor ?? 0) }
  return { gross_minor: gross, fee_minor: fee_minor ?? gross - net, net_minor: net }
}

const CHARGES: ReadonlySet<Kind> = new Set(['fee', 'commission', 'dispute_fee', 'fee_returned'])

/** A fee that stands as the amount of a row of its own is a fee and no income. */
function booked(kind: Kind, amounts: Amounts): Amounts & Pick<SettlementLine, 'kind' | 'fee_type'> {
  const isOwnRow = CHARGES.has(kind) && amounts.fee_minor === 0
  if (!isOwnRow) return { kind, fee_type: null, ...amounts }
  const { net_minor } = amounts
  return {
    kind: net_minor > 0 ? 'fee_returned' : kind,
    fee_type: kind === 'fee' ? 'other' : null,
    gross_minor: amounts.gross_minor - net_minor,
    fee_minor: -net_minor || 0,
    net_minor,
  }
}

function idOf({ settings, ordinal }: State, cell: (column: Column) => string): string {
  if (cell('id') !== '') return cell('id').slice(0, 200)
  const names = Object.keys(settings.columns).filter((name) => !['gross', 'fee', 'net'].includes(name)) as Column[]
  const identity = names.map(cell).join('\u0000')
  const nth = ordinal(identity)
  return nth === 1 ? textId(identity) : `${textId(identity)}-${nth}`
}

function tellPayouts({ sink, payouts }: State): void {
  for (const payout of payouts.values()) {
    if (payout.paid_minor === null) {
      sink.warn(1, 'the file does not say what was paid out: the sum of its rows is taken, and nothing is proven by it')
    }
    sink.settlement({
      external_id: payout.id,
      status: payout.paid_minor === null ? 'pending' : 'paid',
      currency: payout.currency,
      payout_minor: payout.paid_minor ?? payout.net_minor,
      created_at: payout.paid_at ?? payout.last_at,
      arrival_at: null,
      bank_reference: payout.paid_reference,
      control_minor: null,
      begin_minor: null,
      end_minor: null,
    })
  }
}
