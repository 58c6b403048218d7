import { HubError } from '../../core/errors.ts'
import type { SettlementLine } from '../../core/model/settlement.ts'
import { parseAmount, parseDate } from '../amounts.ts'
import {
  exactJson,
  faultOfRow,
  isObject,
  objectsUnder,
  textOf,
  type SettlementFormat,
  type SettlementSink,
} from '../settlement.ts'

/**
 * Answers of the Finances API v1 as a document: pages of `transactions` and, for the amount that was paid, of `payouts`. Amounts are
 * unsigned and `bookingEntry` gives the sign. A sale is stated net of its fees. Types beyond the documented eight are from memory.
 */

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>

const KINDS: Readonly<Record<string, Kind>> = {
  SALE: 'sale', REFUND: 'refund', CREDIT: 'adjustment', DISPUTE: 'dispute', SHIPPING_LABEL: 'fee', NON_SALE_CHARGE: 'fee',
  TRANSFER: 'transfer', ADJUSTMENT: 'adjustment', WITHDRAWAL: 'transfer', LOAN_REPAYMENT: 'loan', PURCHASE: 'transfer',
} // prettier-ignore

/** Words in the type of a fee → what it is for. */
const FEE_TYPES: readonly (readonly [RegExp, FeeType])[] = [
  [/^AD_|PROMOTED|OFFSITE|ADVERTIS/, 'advertising'],
  [/INSERTION|LISTING|GALLERY|SUBTITLE|BOLD|RESERVE_PRICE/, 'listing'],
  [/SUBSCRIPTION|STORE/, 'subscription'],
  [/INTERNATIONAL|CURRENCY|CONVERSION/, 'fx'],
  [/REGULATORY|TAX|VAT/, 'tax_on_fee'],
  [/BELOW_STANDARD|NOT_AS_DESCRIBED|PENALTY|DISPUTE/, 'penalty'],
  [/PAYMENT_PROCESSING/, 'payment'],
  [/PAYOUT/, 'payout'],
]

const STATUSES: Readonly<Record<string, 'pending' | 'in_transit' | 'paid' | 'failed' | 'cancelled'>> = {
  INITIATED: 'in_transit',
  RETRYABLE_FAILED: 'failed',
  TERMINAL_FAILED: 'failed',
  REVERSED: 'failed',
  SUCCEEDED: 'paid',
}

export const ebayFinances: SettlementFormat = {
  id: 'ebay_finances',
  label: 'eBay Finances API v1 (JSON)',
  expects: 'a JSON document with the lists transactions and payouts',
  content: 'document',
  delimiter: null,
  accepts: (head) => /^\s*[[{]/.test(head) && /"(bookingEntry|payoutInstrument|payoutStatus)"/.test(head),
  open: (sink) => ({ row: ([text = '']) => readDocument(sink, exactJson(text)), end: () => undefined }),
}

interface Sum {
  currency: string
  net_minor: number
  last_at: string
}

function readDocument(sink: SettlementSink, document: unknown): void {
  const sums = new Map<string, Sum>()
  let unpaid = 0
  for (const [index, transaction] of objectsUnder(document, 'transactions').entries()) {
    faultOfRow(sink, index + 1, () => {
      const payout = textOf(transaction['payoutId'])
      if (payout === '') {
        unpaid += 1
        return
      }
      const line = lineOf(sink, transaction, index + 1)
      const sum = sums.get(payout) ?? { currency: line.currency, net_minor: 0, last_at: line.at }
      sum.net_minor += line.net_minor
      if (line.at > sum.last_at) sum.last_at = line.at
      sums.set(payout, sum)
      sink.line(payout, line)
    })
  }
  if (unpaid > 0) sink.warn(1, `${unpaid} transactions belong to no payout yet and are left for later`)
  const told = new Set(objectsUnder(document, 'payouts').map((payout, index) => tellPayout(sink, payout, index + 1)))
  for (const [external_id, sum] of sums) if (!told.has(external_id)) tellUnproven(sink, external_id, sum)
}

function tellPayout(sink: SettlementSink, payout: Record<string, unknown>, row: number): string {
  const external_id = textOf(payout['payoutId'])
  faultOfRow(sink, row, () => {
    const { currency, minor } = amountOf(payout['amount'], 'payouts.amount')
    const status = textOf(payout['payoutStatus'])
    sink.settlement({
      external_id,
      status: STATUSES[status] ?? 'pending',
      currency,
      payout_minor: minor,
      created_at: parseDate(textOf(payout['payoutDate']), { order: 'iso', path: 'payoutDate' }),
      arrival_at: null,
      bank_reference: textOf(payout['bankReference']).slice(0, 200) || null,
      control_minor: null,
      begin_minor: null,
      end_minor: null,
    })
  })
  return external_id
}

/** Without the payout there is nothing to prove: it is said, and the payout is not taken as paid. */
function tellUnproven(sink: SettlementSink, external_id: string, { currency, net_minor, last_at }: Sum): void {
  sink.warn(1, `payout ${external_id.slice(0, 80)} itself is not in the document: its amount is the sum of its rows`)
  sink.settlement({
    external_id,
    status: 'pending',
    currency,
    payout_minor: net_minor,
    created_at: last_at,
    arrival_at: null,
    bank_reference: null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}

function lineOf(sink: SettlementSink, transaction: Record<string, unknown>, row: number): SettlementLine {
  const type = textOf(transaction['transactionType'])
  const { currency, minor, fx } = amountOf(transaction['amount'], 'amount')
  const net_minor = signOf(textOf(transaction['bookingEntry'])) * minor || 0
  const kind = Object.hasOwn(KINDS, type) ? KINDS[type] : undefined
  if (kind === undefined) sink.warn(row, `unknown transaction type "${type.slice(0, 80)}" is kept as other`)
  const feeWord = textOf(transaction['feeType'])
  const items = Array.isArray(transaction['orderLineItems']) ? transaction['orderLineItems'].filter(isObject) : []
  const [onlyItem] = items.length === 1 ? items : []
  return {
    // An id is unique within its type: a sale and its refund may share one.
    external_id: `${type}:${textOf(transaction['transactionId'])}`.slice(0, 200),
    ...booked(kind ?? 'other', net_minor, transaction, { currency, type, feeWord }),
    vendor_type: (feeWord === '' ? type : `${type} / ${feeWord}`).slice(0, 200) || 'unnamed',
    at: parseDate(textOf(transaction['transactionDate']), { order: 'iso', path: 'transactionDate' }),
    currency,
    references: {
      order_external_id: textOf(transaction['orderId']).slice(0, 200) || orderReferred(transaction),
      order_number: null,
      payment_ids: [],
    },
    order_line_external_id: textOf(onlyItem?.['lineItemId']).slice(0, 200) || null,
    fx,
    row,
  }
}

function signOf(entry: string): 1 | -1 {
  if (entry === 'CREDIT') return 1
  if (entry === 'DEBIT') return -1
  throw new HubError('payload_invalid', 'is neither CREDIT nor DEBIT', { path: 'bookingEntry' })
}

type Booked = Pick<SettlementLine, 'kind' | 'fee_type' | 'gross_minor' | 'fee_minor' | 'net_minor'>

function booked(
  kind: Kind,
  net_minor: number,
  transaction: Record<string, unknown>,
  { currency, type, feeWord }: { currency: string; type: string; feeWord: string },
): Booked {
  if (kind === 'fee') {
    const fee_type = type === 'SHIPPING_LABEL' ? 'shipping_label' : feeTypeOf(feeWord)
    const isReturned = net_minor > 0
    return { kind: isReturned ? 'fee_returned' : kind, fee_type, gross_minor: 0, fee_minor: -net_minor || 0, net_minor }
  }
  const sign = net_minor < 0 ? -1 : 1
  const fee_minor = sign * unsigned(transaction['totalFeeAmount'], currency, 0) || 0
  // What the seller would have had without fees is stated too: if it is not net plus fee, the row is wrong.
  const basis = unsigned(transaction['totalFeeBasisAmount'], currency, Math.abs(net_minor + fee_minor))
  return { kind, fee_type: null, gross_minor: sign * basis || 0, fee_minor, net_minor }
}

const feeTypeOf = (word: string): FeeType => FEE_TYPES.find(([pattern]) => pattern.test(word))?.[1] ?? 'other'

/** A fee may name the order it is about in its references alone. */
function orderReferred(transaction: Record<string, unknown>): string | null {
  const references = Array.isArray(transaction['references']) ? transaction['references'].filter(isObject) : []
  const order = references.find((reference) => textOf(reference['referenceType']).toUpperCase() === 'ORDER_ID')
  return textOf(order?.['referenceId']).slice(0, 200) || null
}

function unsigned(value: unknown, currency: string, absent: number): number {
  if (!isObject(value) || textOf(value['value']) === '') return absent
  return amountOf(value, 'totalFeeAmount', currency).minor
}

function amountOf(
  value: unknown,
  path: string,
  expected?: string,
): { currency: string; minor: number; fx: (SettlementLine['fx'] & {}) | null } {
  const amount = isObject(value) ? value : {}
  const currency = textOf(amount['currency'])
  if (!/^[A-Z]{3}$/.test(currency) || (expected !== undefined && currency !== expected)) {
    throw new HubError('payload_invalid', 'is not in the currency of its transaction', { path })
  }
  const minor = parseAmount(textOf(amount['value']), currency, { decimal: '.', path })
  const from = textOf(amount['convertedFromCurrency'])
  const rate = textOf(amount['exchangeRate'])
  const isConverted = /^[A-Z]{3}$/.test(from) && /^\d+(\.\d+)?$/.test(rate)
  const fx = isConverted
    ? {
        currency: from,
        original_minor: parseAmount(textOf(amount['convertedFromValue']), from, { decimal: '.', path }),
        rate,
      }
    : null
  return { currency, minor, fx }
}
