import { written, total, type Movement } from '../movements.ts'

const COLUMNS = [
  'settlement-id', 'settlement-start-date', 'settlement-end-date', 'deposit-date', 'total-amount', 'currency', 'transaction-type',
  'order-id', 'merchant-order-id', 'adjustment-id', 'shipment-id', 'marketplace-name', 'amount-type', 'amount-description', 'amount',
  'fulfillment-id', 'posted-date', 'posted-date-time', 'order-item-code', 'merchant-order-item-id', 'merchant-adjustment-item-id',
  'sku', 'quantity-purchased',
] // prettier-ignore

export const AMAZON_WORDS: Readonly<Record<Movement['what'], readonly [string, string, string]>> = {
  sale: ['Order', 'ItemPrice', 'Principal'],
  tax: ['Order', 'ItemPrice', 'Tax'],
  shipping: ['Order', 'ItemPrice', 'Shipping'],
  refund: ['Refund', 'ItemPrice', 'Principal'],
  commission: ['Order', 'ItemFees', 'Commission'],
  fee: ['Order', 'ItemFees', 'FBAPerUnitFulfillmentFee'],
  fee_returned: ['Refund', 'ItemFees', 'Commission'],
  dispute: ['Chargeback Refund', 'ItemPrice', 'Principal'],
  reserve_hold: ['other-transaction', 'other-transaction', 'Current Reserve Amount'],
  reserve_release: ['other-transaction', 'other-transaction', 'Previous Reserve Amount Balance'],
}

export interface ReportOptions {
  id?: string
  /** As the payout is stated; otherwise what the rows come to. */
  payout_minor?: number
  style?: 'us' | 'eu'
  currency?: string
  /** `promotion-id`: the 24th column that some files have. */
  extra?: string
}

/** A settlement report V2 as the vendor would write it. */
export function amazonReport(all: readonly Movement[], options: ReportOptions = {}): string {
  const { id = '20000000777', style = 'us', currency = 'EUR', payout_minor = total(all), extra } = options
  const mark = style === 'us' ? '.' : ','
  const day = (iso: string): string =>
    style === 'us' ? iso : iso.slice(0, 10).split('-').toReversed().join('.') + iso.slice(10)
  const columns = extra === undefined ? COLUMNS : [...COLUMNS, extra]
  const row = (cells: Readonly<Record<string, string>>): string => columns.map((name) => cells[name] ?? '').join('\t')
  const totals = row({
    'settlement-id': id,
    'settlement-start-date': day('2026-09-01 00:00:00 UTC'),
    'settlement-end-date': day('2026-09-15 00:00:00 UTC'),
    'deposit-date': day('2026-09-17 00:00:00 UTC'),
    'total-amount': written(payout_minor, currency, mark),
    currency,
  })
  const rows = all.map(({ what, order, net_minor }) => {
    const [transaction, type, description] = AMAZON_WORDS[what]
    return row({
      'settlement-id': id,
      'transaction-type': transaction,
      'order-id': order,
      'amount-type': type,
      'amount-description': description,
      amount: written(net_minor, currency, mark),
      'posted-date-time': day('2026-09-03 10:15:22 UTC'),
      sku: 'SKU-1',
      'quantity-purchased': '1',
    })
  })
  return [columns.join('\t'), totals, ...rows, ''].join('\n')
}
