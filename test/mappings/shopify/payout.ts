import { decimalFromMinor } from '../../../src/core/model/money.ts'

/** A payout of Shopify Payments as the API answers it. */
export interface ShopifyDeed {
  type: string
  gross: number
  fee: number
}
export type Loose = Record<string, unknown>
export const money = (minor: number, currencyCode = 'EUR') => ({
  amount: decimalFromMinor(minor, currencyCode),
  currencyCode,
})

export const rowOf = (
  { type, gross, fee }: ShopifyDeed,
  index: number,
  sign: 1 | -1 = 1,
  change: Loose = {},
): Loose => ({
  id: `gid://shopify/ShopifyPaymentsBalanceTransaction/${100 + index}`,
  type,
  test: false,
  amount: money(gross),
  fee: money(sign * fee),
  net: money(gross - fee),
  transactionDate: '2026-03-01T08:00:00Z',
  sourceType: 'CHARGE',
  sourceId: String(500 + index),
  sourceOrderTransactionId: String(900 + index),
  associatedOrder: { id: `gid://shopify/Order/${700 + index}`, name: `#${index}` },
  adjustmentsOrders: [],
  ...change,
})
const payoutOf = (rows: readonly Loose[], change: Loose = {}): Loose => ({
  id: 'gid://shopify/ShopifyPaymentsPayout/42',
  issuedAt: '2026-03-03T00:00:00Z',
  status: 'PAID',
  transactionType: 'DEPOSIT',
  net: money(rows.reduce((total, row) => total + minorOf(row['net']), 0)),
  externalTraceId: 'TRACE-77001122',
  ...change,
})
export const minorOf = (value: unknown): number => Number((value as { amount: string }).amount.replace('.', ''))
export const documentOf = (rows: readonly Loose[], change: Loose = {}) => ({
  payout: payoutOf(rows, change),
  balance_transactions: rows,
})
