import { HubError } from '../../core/errors.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { SettlementLine } from '../../core/model/settlement.ts'
import { parseDate } from '../amounts.ts'
import { headLine, tableReader, type SettlementFormat, type SettlementSink, type TableRow } from '../settlement.ts'
import { booked, feeTypeOfRow, kindOfCategory } from './settlementKinds.ts'
import { currencyOf } from './units.ts'

/**
 * Report `payout_reconciliation.itemized` (any version), one row for each balance transaction of the payouts of a period, the payouts'
 * own rows included. Amounts are decimals in whole units, unlike the API's. The columns are read by name; the list follows public
 * examples and was not checked against a live account.
 */

const REQUIRED = ['automatic_payout_id', 'balance_transaction_id', 'currency', 'gross', 'fee', 'net', 'reporting_category'] as const // prettier-ignore

interface Payout {
  currency: string
  /** Currencies of its rows: more than one is a mistake of the file. */
  currencies: Set<string>
  /** Null: its own row has not been met. */
  payout_minor: number | null
  created_at: string
  arrival_at: string | null
  row: number
}

export const stripeReport: SettlementFormat = {
  id: 'stripe_payout_reconciliation',
  label: 'Stripe payout reconciliation report (itemized CSV)',
  expects: `with the columns ${REQUIRED.join(', ')}`,
  content: 'delimited',
  delimiter: null,
  accepts: (head) => REQUIRED.every((column) => headLine(head).includes(column)),
  open: (sink) => {
    const payouts = new Map<string, Payout>()
    return {
      row: tableReader(sink, { required: REQUIRED, short_rows: 'fault' }, (row) => readRow(sink, payouts, row)),
      end: () => {
        for (const [external_id, payout] of payouts) tellPayout(sink, external_id, payout)
      },
    }
  },
}

function readRow(sink: SettlementSink, payouts: Map<string, Payout>, table: TableRow): void {
  const payout_id = table.cell('automatic_payout_id')
  if (payout_id === '') throw new HubError('payload_invalid', 'belongs to no payout', { path: 'automatic_payout_id' })
  const line = lineOf(sink, table)
  const effective = table.cell('automatic_payout_effective_at_utc') || table.cell('automatic_payout_effective_at')
  const known = payouts.get(payout_id)
  const payout: Payout = known ?? {
    currency: line.currency,
    currencies: new Set(),
    payout_minor: null,
    created_at: line.at,
    arrival_at: effective === '' ? null : parseDate(effective, { order: 'iso', path: 'automatic_payout_effective_at' }),
    row: table.row,
  }
  if (known === undefined) payouts.set(payout_id, payout)
  payout.currencies.add(line.currency)
  if (line.at > payout.created_at) payout.created_at = line.at
  if (!isOwnRow(table, payout_id)) return sink.line(payout_id, line)
  if (payout.payout_minor !== null)
    throw new HubError('payload_invalid', 'the payout is there twice', { path: 'balance_transaction_id' })
  payout.payout_minor = line.net_minor === 0 ? 0 : -line.net_minor
  payout.currency = line.currency
}

/** The payout against its rows; the row of another payout (one that failed and came back) is a member. */
const isOwnRow = (table: TableRow, payout_id: string): boolean =>
  table.cell('reporting_category') === 'payout' && ['', payout_id].includes(table.cell('source_id'))

function lineOf(sink: SettlementSink, table: TableRow): SettlementLine {
  const currency = currencyOf(table.cell('currency'))
  if (!/^[A-Z]{3}$/.test(currency)) throw new HubError('payload_invalid', 'is not a currency', { path: 'currency' })
  const [gross, fee, net_minor] = ['gross', 'fee', 'net'].map((name) =>
    minorFromDecimal(table.cell(name), currency, name),
  )
  if (gross === undefined || fee === undefined || net_minor === undefined || net_minor !== gross - fee)
    throw new HubError('payload_invalid', 'is not gross less fee', { path: 'net' })
  const category = table.cell('reporting_category')
  const known = kindOfCategory(category, net_minor)
  if (known === undefined)
    sink.warn(table.row, `unknown reporting category "${category.slice(0, 60)}" taken as "other"`)
  const amounts = booked({ kind: known ?? 'other', gross_minor: gross, fee_minor: fee })
  const id = table.cell('balance_transaction_id').slice(0, 200)
  if (id === '') throw new HubError('payload_invalid', 'is empty', { path: 'balance_transaction_id' })
  const fee_type =
    amounts.kind === 'fee' ? feeTypeOfRow(category) : amounts.fee_minor === 0 ? null : ('payment' as const)
  const fx = fxOf(table, currency, amounts.gross_minor)
  return {
    external_id: id,
    ...amounts,
    vendor_type: category.slice(0, 200) || 'unnamed',
    at: parseDate(table.cell('created_utc') || table.cell('created'), { order: 'iso', path: 'created_utc' }),
    currency,
    net_minor,
    references: referencesOf(table),
    ...(fee_type === null || amounts.kind === 'fee_returned' ? {} : { fee_type }),
    ...(fx === null ? {} : { fx }),
    row: table.row,
  }
}

/** The report gives both amounts and no rate; the rate is worked out, to ten decimals. */
function fxOf(table: TableRow, currency: string, gross_minor: number): NonNullable<SettlementLine['fx']> | null {
  const from = currencyOf(table.cell('customer_facing_currency'))
  const text = table.cell('customer_facing_amount')
  if (!/^[A-Z]{3}$/.test(from) || from === currency || text === '' || gross_minor === 0) return null
  const written = minorFromDecimal(text, from, 'customer_facing_amount')
  if (written === 0) return null
  const original_minor = gross_minor < 0 ? -Math.abs(written) : Math.abs(written)
  const one = (code: string): bigint => BigInt(minorFromDecimal('1', code))
  const divisor = BigInt(original_minor) * one(currency)
  const digits = String((BigInt(gross_minor) * one(from) * 10n ** 10n) / divisor).padStart(11, '0')
  return { currency: from, original_minor, rate: `${digits.slice(0, -10)}.${digits.slice(-10)}` }
}

function referencesOf(table: TableRow): SettlementLine['references'] {
  const first = (...columns: string[]): string | null => {
    const text = columns.map((column) => table.cell(column)).find((value) => value !== '')
    return text === undefined ? null : text.slice(0, 200)
  }
  const ids = ['source_id', 'charge_id', 'refund_id', 'dispute_id', 'payment_intent_id'].map((name) => table.cell(name))
  return {
    order_external_id: first('payment_metadata[order_external_id]', 'payment_metadata[order_id]'),
    order_number: first('payment_metadata[order_number]', 'payment_metadata[order]'),
    payment_ids: [...new Set(ids.filter((id) => id !== '').map((id) => id.slice(0, 200)))],
  }
}

function tellPayout(sink: SettlementSink, external_id: string, payout: Payout): void {
  const { currency, payout_minor, created_at, arrival_at, row } = payout
  if (payout.currencies.size > 1) {
    const message = `payout ${external_id.slice(0, 80)} has rows in ${[...payout.currencies].join(' and ')}`
    sink.fault({ row, column: 'currency', message })
  }
  if (payout_minor === null)
    sink.fault({
      row,
      column: 'reporting_category',
      message: `payout ${external_id.slice(0, 80)} has no row of its own`,
    })
  sink.settlement({
    external_id,
    status: 'paid',
    currency,
    payout_minor: payout_minor ?? 0,
    created_at,
    arrival_at,
    bank_reference: null,
    control_minor: null,
    begin_minor: null,
    end_minor: null,
  })
}
