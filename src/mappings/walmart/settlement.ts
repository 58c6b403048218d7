import { HubError } from '../../core/errors.ts'
import { occurrenceCounter, textId } from '../../core/model/occurrences.ts'
import type { SettlementLine } from '../../core/model/settlement.ts'
import { parseAmount, parseDate } from '../amounts.ts'
import {
  exactJson,
  faultOfRow,
  headLine,
  objectsUnder,
  tableReader,
  textOf,
  type SettlementFormat,
  type SettlementSink,
  type TableRow,
} from '../settlement.ts'

/**
 * Reconciliation report v1 as CSV: one row is the summary with the total payable, each other row is one amount, and they add up to it.
 * Columns by name; dates month first. Transaction and amount types beyond sale and refund are partly from public code and memory and not
 * checked against a live account.
 */

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>

const REQUIRED = ['transaction type', 'amount', 'amount type', 'total payable', 'currency', 'transaction key']
const ID_MAX = 200

const IDENTITY = [
  'transaction key', 'transaction type', 'amount type', 'customer order #', 'customer order line #', 'purchase order #',
  'purchase order line #', 'partner item id', 'transaction description',
] // prettier-ignore

interface Rule {
  type?: RegExp
  amount?: RegExp
  kind: Kind
  fee_type?: FeeType
}

/** Transaction type / amount type (with description) → what it is; the first that fits. */
const RULES: readonly Rule[] = [
  { amount: /withheld/, kind: 'facilitator_tax' },
  { amount: /commission/, kind: 'commission' },
  { type: /^release ?reserve|reserve release/, kind: 'reserve_release' },
  { type: /reserve/, kind: 'reserve_hold' },
  { type: /dispute|chargeback/, kind: 'dispute' },
  { type: /loan|capital/, kind: 'loan' },
  { type: /carry|balance forward|previous balance/, kind: 'carry_over' },
  { type: /refund|return/, amount: /tax/, kind: 'tax' },
  { type: /refund|return/, amount: /price|shipping|freight/, kind: 'refund' },
  { type: /^sale/, amount: /tax/, kind: 'tax' },
  { type: /^sale/, amount: /shipping|freight/, kind: 'shipping' },
  { type: /^sale/, amount: /price/, kind: 'sale' },
  { type: /^sale/, amount: /promo|discount|savings|incentive/, kind: 'promotion' },
  { amount: /wfs.*storage|storage/, kind: 'fee', fee_type: 'storage' },
  { amount: /wfs.*(inbound|prep|placement)|inbound/, kind: 'fee', fee_type: 'inbound' },
  { amount: /wfs|fulfil/, kind: 'fee', fee_type: 'fulfilment' },
  { amount: /advertis|wpa|connect/, kind: 'fee', fee_type: 'advertising' },
  { amount: /label|swww?/, kind: 'fee', fee_type: 'shipping_label' },
  { type: /service ?fee/, kind: 'fee', fee_type: 'other' },
  { type: /adjust/, kind: 'adjustment' },
  { amount: /reimburse/, kind: 'adjustment' },
] // prettier-ignore

export const walmartRecon: SettlementFormat = {
  id: 'walmart_recon_v1',
  label: 'Walmart reconciliation report v1',
  expects: 'CSV with the columns Total Payable, Currency, Transaction Key, Transaction Type, Amount, Amount Type',
  content: 'delimited',
  delimiter: null,
  accepts: (head) => {
    const line = headLine(head)
    return REQUIRED.every((column) => line.includes(column))
  },
  open: (sink) => {
    const state = newState(sink)
    const row = tableReader(sink, { required: REQUIRED, short_rows: 'fault' }, (cells) => readRow(state, cells))
    return { row, end: () => endOf(state) }
  },
}

/** The same rows as the API gives them: objects whose keys are the columns. An empty cell may come as two quotation marks. */
export const walmartReconJson: SettlementFormat = {
  id: 'walmart_recon_v1_json',
  label: 'Walmart reconciliation report v1 (JSON)',
  expects: 'a JSON document with the list reportData',
  content: 'document',
  delimiter: null,
  accepts: (head) => /^\s*\{/.test(head) && head.includes('"reportData"'),
  open: (sink) => {
    const state = newState(sink)
    return {
      row: ([text = '']) => {
        for (const [index, fields] of objectsUnder(exactJson(text), 'reportData').entries()) {
          const cells = new Map(
            Object.entries(fields).map(([name, value]) => [name.trim().toLowerCase(), cellText(value)]),
          )
          const row = index + 1
          faultOfRow(sink, row, () =>
            readRow(state, { row, cell: (column) => cells.get(column) ?? '', has: (column) => cells.has(column) }),
          )
        }
        endOf(state)
      },
      end: () => undefined,
    }
  },
}

const cellText = (value: unknown): string => textOf(value).replace(/^""$/, '')

function newState(sink: SettlementSink): State {
  return { sink, summary: undefined, ordinal: occurrenceCounter(), waiting: [] }
}

function readRow(state: State, cells: TableRow): void {
  if (/^payment ?summary$/i.test(cells.cell('transaction type'))) readSummary(state, cells)
  else if (state.summary === undefined) state.waiting.push(cells)
  else readAmount(state, state.summary, cells)
}

function endOf({ sink, waiting }: State): void {
  for (const { row } of waiting.slice(0, 1))
    sink.fault({ row, column: 'transaction type', message: 'the row PaymentSummary has to come first' })
}

interface Summary {
  id: string
  currency: string
  end_at: string
}

interface State {
  sink: SettlementSink
  summary: Summary | undefined
  ordinal: (identity: string) => number
  /** Rows before the summary: kept to be told of, never read. */
  waiting: TableRow[]
}

const dateIn = (text: string, path: string): string => parseDate(text, { order: 'mdy', path })

function readSummary(state: State, { row, cell }: TableRow): void {
  if (state.summary !== undefined) {
    state.sink.fault({ row, column: 'transaction type', message: 'a second PaymentSummary' })
    return
  }
  const currency = (cell('currency') || 'USD').toUpperCase()
  const start = dateIn(cell('period start date'), 'period start date')
  const end = dateIn(cell('period end date'), 'period end date')
  const payout_minor = parseAmount(cell('total payable'), currency, { decimal: '.', path: 'total payable' })
  state.summary = { id: `${start.slice(0, 10)}_${end.slice(0, 10)}`, currency, end_at: end }
  state.sink.settlement({
    external_id: state.summary.id,
    status: 'paid',
    currency,
    payout_minor,
    created_at: end,
    arrival_at: null,
    bank_reference: null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}

function readAmount({ sink, ordinal }: State, summary: Summary, { row, cell }: TableRow): void {
  const currency = cell('currency').toUpperCase() || summary.currency
  if (!/^[A-Z]{3}$/.test(currency)) throw new HubError('payload_invalid', 'is no currency', { path: 'currency' })
  const amount_minor = parseAmount(cell('amount'), currency, { decimal: '.', path: 'amount' })
  const posted = cell('transaction posted timestamp')
  const words = [cell('transaction type'), cell('amount type'), cell('transaction description')] as const
  const rule = ruleOf(words)
  if (rule === undefined)
    sink.warn(row, `unknown kind of amount "${words.slice(0, 2).join(' / ').slice(0, 120)}" is kept as other`)
  const identity = [summary.id, ...IDENTITY.map(cell)].join('\u0000')
  const nth = ordinal(identity)
  sink.line(summary.id, {
    external_id: nth === 1 ? textId(identity) : `${textId(identity)}-${nth}`,
    ...booked(rule ?? { kind: 'other' }, amount_minor),
    vendor_type:
      words
        .filter((word) => word !== '')
        .slice(0, 2)
        .join(' / ')
        .slice(0, ID_MAX) || 'unnamed',
    at: posted === '' ? summary.end_at : dateIn(posted, 'transaction posted timestamp'),
    currency,
    references: {
      order_external_id: idIn(cell('purchase order #')),
      order_number: idIn(cell('customer order #')),
      payment_ids: [],
    },
    sku: idIn(cell('partner item id')),
    quantity: /^\d{1,9}$/.test(cell('ship qty')) ? Number(cell('ship qty')) : null,
    order_line_external_id: idIn(cell('purchase order line #')),
    row,
  })
}

function ruleOf([type, amount, description]: readonly [string, string, string]): Rule | undefined {
  const kind = type.toLowerCase()
  const what = `${amount} ${description}`.toLowerCase()
  return RULES.find((rule) => (rule.type?.test(kind) ?? true) && (rule.amount?.test(what) ?? true))
}

/** A fee in a row of its own: gross 0, the fee as what it costs; what comes back of it is a returned fee. */
function booked(
  { kind, fee_type }: Rule,
  amount_minor: number,
): Pick<SettlementLine, 'kind' | 'fee_type' | 'gross_minor' | 'fee_minor' | 'net_minor'> {
  if (kind !== 'fee' && kind !== 'commission') {
    return { kind, fee_type: null, gross_minor: amount_minor, fee_minor: 0, net_minor: amount_minor }
  }
  return {
    kind: amount_minor > 0 ? 'fee_returned' : kind,
    fee_type: fee_type ?? null,
    gross_minor: 0,
    fee_minor: amount_minor === 0 ? 0 : -amount_minor,
    net_minor: amount_minor,
  }
}

const idIn = (text: string): string | null => (text === '' ? null : text.slice(0, ID_MAX))
