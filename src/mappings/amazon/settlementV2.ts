import { HubError } from '../../core/errors.ts'
import { occurrenceCounter, textId } from '../../core/model/occurrences.ts'
import type { SettlementLine } from '../../core/model/settlement.ts'
import { parseAmount, parseDate, shownDecimal } from '../amounts.ts'
import {
  headLine,
  tableReader,
  type SettlementFormat,
  type SettlementReadOptions,
  type SettlementReader,
  type SettlementSink,
  type TableRow,
} from '../settlement.ts'
import { booked, kindOfAmazon, type AmazonKind } from './kinds.ts'

/**
 * Settlement report V2, flat file (`GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2`): tab-separated, 23 columns (some files have a 24th),
 * addressed by name. The first row of a settlement has its dates, currency and total and no amount; each other row is one amount, and
 * they add up to the total. Numbers and dates are written as the marketplace's country writes them, one way throughout a file.
 */

const REQUIRED = [
  'settlement-id',
  'total-amount',
  'currency',
  'transaction-type',
  'amount-type',
  'amount-description',
  'amount',
]

/** What one row is about. Without the amount: a corrected amount is the same line. */
const IDENTITY = [
  'transaction-type', 'order-id', 'merchant-order-id', 'adjustment-id', 'shipment-id', 'marketplace-name', 'amount-type',
  'amount-description', 'fulfillment-id', 'order-item-code', 'merchant-order-item-id', 'merchant-adjustment-item-id', 'sku', 'promotion-id',
] // prettier-ignore

const OTHER: AmazonKind = { kind: 'other' }
const WORDS_REMEMBERED_MAX = 5_000
const ID_MAX = 200

export const amazonSettlementV2: SettlementFormat = {
  id: 'amazon_v2',
  label: 'Amazon settlement report V2 (flat file)',
  expects:
    'tab-separated, with the columns settlement-id, total-amount, transaction-type, amount-type, amount-description, amount',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => REQUIRED.every((column) => headingsIn(head).has(column)),
  refuses: (head) => {
    const headings = headingsIn(head)
    return headings.has('settlement-id') && headings.has('price-type') && !headings.has('amount-type')
      ? 'this is the older settlement report V1, which ended in March 2026: download the V2 flat file (GET_V2_SETTLEMENT_REPORT_DATA_FLAT_FILE_V2)'
      : undefined
  },
  open: openReader,
}

const headingsIn = (head: string): Set<string> =>
  new Set(
    headLine(head)
      .split(/[\t,;|]/)
      .map((heading) => heading.replaceAll('"', '').trim()),
  )

interface State {
  sink: SettlementSink
  settings: SettlementReadOptions['settings']
  decimal: '.' | ',' | 'auto'
  currencies: Map<string, string>
  kinds: Map<string, AmazonKind | undefined>
  ordinal: (identity: string) => number
  /** The time of the settlement, for rows that have none of their own. */
  closed: Map<string, string>
}

function openReader(sink: SettlementSink, { settings }: SettlementReadOptions): SettlementReader {
  const decimal = settings['decimal']
  const state: State = {
    sink,
    settings,
    decimal: decimal === '.' || decimal === ',' ? decimal : 'auto',
    currencies: new Map(),
    kinds: new Map(),
    ordinal: occurrenceCounter(),
    closed: new Map(),
  }
  const row = tableReader(sink, { required: REQUIRED, short_rows: 'allowed' }, (cells) => {
    if (cells.cell('amount') === '' && cells.cell('total-amount') !== '') readTotals(state, cells)
    else readAmount(state, cells)
  })
  return { row, end: () => undefined }
}

function readTotals(state: State, { cell }: TableRow): void {
  const external_id = cell('settlement-id')
  const currency = cell('currency').toUpperCase()
  if (external_id === '' || !/^[A-Z]{3}$/.test(currency)) {
    throw new HubError('payload_invalid', 'the row of totals lacks its id or its currency', { path: 'settlement-id' })
  }
  const created_at = dateIn(state, cell('settlement-end-date'), 'settlement-end-date')
  const deposit = cell('deposit-date')
  state.currencies.set(external_id, currency)
  state.closed.set(external_id, created_at)
  state.sink.settlement({
    external_id,
    status: 'paid',
    currency,
    payout_minor: amountIn(state, cell('total-amount'), currency, 'total-amount'),
    created_at,
    arrival_at: deposit === '' ? null : dateIn(state, deposit, 'deposit-date'),
    bank_reference: null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}

function readAmount(state: State, { row, cell }: TableRow): void {
  const settlement = cell('settlement-id')
  const currency = state.currencies.get(settlement)
  if (currency === undefined) {
    throw new HubError('payload_invalid', 'stands before the totals of its settlement', { path: 'settlement-id' })
  }
  const text = cell('amount')
  if (text === '') throw new HubError('payload_invalid', 'has no amount: cut off?', { path: 'amount' })
  const amount_minor = amountIn(state, text, currency, 'amount')
  const posted = cell('posted-date-time') || cell('posted-date')
  const at = posted === '' ? (state.closed.get(settlement) ?? '') : dateIn(state, posted, 'posted-date-time')
  const words = [cell('transaction-type'), cell('amount-type'), cell('amount-description')] as const
  const identity = [settlement, at, ...IDENTITY.map(cell)].join('\u0000')
  const ordinal = state.ordinal(identity)
  const line: SettlementLine = {
    external_id: ordinal === 1 ? textId(identity) : `${textId(identity)}-${ordinal}`,
    ...booked(knownKind(state, row, words), amount_minor),
    vendor_type:
      words
        .filter((word) => word !== '')
        .join(' / ')
        .slice(0, ID_MAX) || 'unnamed',
    at,
    currency,
    references: {
      order_external_id: idIn(cell('order-id')),
      order_number: idIn(cell('merchant-order-id')),
      payment_ids: [cell('adjustment-id'), cell('shipment-id')].flatMap((id) => idIn(id) ?? []),
    },
    sku: idIn(cell('sku')),
    quantity: quantityIn(cell('quantity-purchased')),
    order_line_external_id: idIn(cell('order-item-code')),
    shipment_external_id: idIn(cell('shipment-id')),
    row,
  }
  state.sink.line(settlement, line)
}

function knownKind(state: State, row: number, words: readonly [string, string, string]): AmazonKind {
  const key = words.join('\u0000')
  if (!state.kinds.has(key)) {
    if (state.kinds.size >= WORDS_REMEMBERED_MAX) state.kinds.clear()
    state.kinds.set(key, kindOfAmazon(...words))
  }
  const kind = state.kinds.get(key)
  if (kind === undefined)
    state.sink.warn(row, `unknown kind of amount "${words.join(' / ').slice(0, 120)}" is kept as other`)
  return kind ?? OTHER
}

/** Until a text shows the file's decimal mark each is read on its own; from then on all of them are read that way. */
function amountIn(state: State, text: string, currency: string, path: string): number {
  if (state.decimal === 'auto') state.decimal = shownDecimal(text) ?? 'auto'
  return parseAmount(text, currency, { decimal: state.decimal, path })
}

/** `03.09.2026` is day first everywhere; with slashes the setting `date_order` says, else the month comes first as in the US report. */
function dateIn({ settings }: State, text: string, path: string): string {
  const order = settings['date_order']
  const guessed = /^\d{1,2}\./.test(text) ? 'dmy' : 'mdy'
  return parseDate(text, { order: order === 'dmy' || order === 'mdy' ? order : guessed, path })
}

const idIn = (text: string): string | null => (text === '' ? null : text.slice(0, ID_MAX))
const quantityIn = (text: string): number | null => (/^\d{1,9}$/.test(text) ? Number(text) : null)
