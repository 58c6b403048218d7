import { written, type Movement } from '../movements.ts'

export const EBAY_WORDS: Readonly<Partial<Record<Movement['what'], readonly [type: string, fee?: string]>>> = {
  sale: ['SALE'],
  refund: ['REFUND'],
  dispute: ['DISPUTE'],
  fee: ['NON_SALE_CHARGE', 'AD_FEE'],
  fee_returned: ['SHIPPING_LABEL'],
}
export const ebayValue = (minor: number, currency = 'EUR') => ({
  value: written(Math.abs(minor), currency, '.'),
  currency,
})

export function ebayTransaction({ what, order, net_minor }: Movement, at: number): Record<string, unknown> {
  const [type, feeType] = EBAY_WORDS[what] ?? ['OTHER']
  return {
    transactionId: `T-${at}`,
    transactionType: type,
    transactionStatus: 'PAYOUT',
    transactionDate: '2026-09-03T10:15:22.000Z',
    bookingEntry: net_minor < 0 ? 'DEBIT' : 'CREDIT',
    amount: ebayValue(net_minor),
    orderId: order,
    payoutId: 'P1',
    ...(feeType === undefined ? {} : { feeType }),
  }
}
const payout = (minor: number) => ({
  payoutId: 'P1',
  payoutStatus: 'SUCCEEDED',
  payoutDate: '2026-09-05T00:00:00.000Z',
  amount: { value: written(minor, 'EUR', '.'), currency: 'EUR' },
  bankReference: 'BR-1',
})
/** Pages of transactions and the payout itself, as the API answers and people keep it. */
export const ebayDocument = (transactions: readonly object[], minor: number): string =>
  JSON.stringify([
    { transactions: transactions.slice(0, 3) },
    { transactions: transactions.slice(3) },
    { payouts: [payout(minor)] },
  ])
