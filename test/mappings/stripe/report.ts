import { decimalFromMinor } from '../../../src/core/model/money.ts'

/** A payout reconciliation report as the vendor would write it. */
const COLUMNS = [
  'automatic_payout_id', 'automatic_payout_effective_at_utc', 'balance_transaction_id', 'created_utc', 'currency', 'gross', 'fee', 'net',
  'reporting_category', 'source_id', 'charge_id', 'payment_intent_id', 'customer_facing_amount', 'customer_facing_currency',
  'payment_metadata[order_number]',
] as const // prettier-ignore
export type StripeRow = Partial<Record<(typeof COLUMNS)[number], string>>

export interface StripeDeed {
  category: string
  gross: number
  fee: number
}
export const cents = (text = ''): number => Number(text.replace('.', ''))

export const rowOf = ({ category, gross, fee }: StripeDeed, index: number, change: StripeRow = {}): StripeRow => ({
  automatic_payout_id: 'po_1',
  automatic_payout_effective_at_utc: '2026-03-04 00:00:00',
  balance_transaction_id: `txn_${index}`,
  created_utc: '2026-03-01 08:00:00',
  currency: 'eur',
  gross: decimalFromMinor(gross, 'EUR'),
  fee: decimalFromMinor(fee, 'EUR'),
  net: decimalFromMinor(gross - fee, 'EUR'),
  reporting_category: category,
  source_id: `ch_${index}`,
  ...change,
})
export const whole = (rows: readonly StripeRow[]): StripeRow[] => {
  const net = rows.reduce((total, row) => total + cents(row.net), 0)
  return [...rows, rowOf({ category: 'payout', gross: -net, fee: 0 }, 999, { source_id: 'po_1' })]
}
export const csvOf = (rows: readonly StripeRow[]): string =>
  [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => row[name] ?? ''))].map((cells) => cells.join(',')).join('\r\n')
