import { total, written, type Movement } from '../movements.ts'

export const WALMART_WORDS: Readonly<Record<Movement['what'], readonly [type: string, amount: string]>> = {
  sale: ['Sale', 'Product Price'],
  tax: ['Sale', 'Product tax'],
  shipping: ['Sale', 'Shipping'],
  refund: ['Refund', 'Product Price'],
  commission: ['Sale', 'Commission on Product'],
  fee: ['Service Fee', 'WFS Fulfillment fee'],
  fee_returned: ['Refund', 'Commission on Product'],
  dispute: ['Dispute Settlement', 'Fee/Reimbursement'],
  reserve_hold: ['Reserve', 'Reserve'],
  reserve_release: ['Release Reserve', 'Reserve'],
}
const COLUMNS = [
  'Period Start Date', 'Period End Date', 'Total Payable', 'Currency', 'Transaction Key', 'Transaction Posted Timestamp',
  'Transaction Type', 'Transaction Description', 'Customer Order #', 'Customer Order line #', 'Purchase Order #',
  'Purchase Order line #', 'Amount', 'Amount Type', 'Ship Qty', 'Partner Item Id',
] // prettier-ignore

/** A reconciliation report v1 as the vendor would write it; `payout`: what it states. */
export function walmartReport(
  all: readonly Movement[],
  payout = total(all),
  currency: (at: number) => string = () => 'USD',
  own = 'USD',
): string {
  const row = (cells: Readonly<Record<string, string>>): string =>
    COLUMNS.map((name) => `"${(cells[name] ?? '').replaceAll('"', '""')}"`).join(',')
  const summary = row({
    'Period Start Date': '09/01/2026',
    'Period End Date': '09/15/2026',
    'Total Payable': written(payout, own, '.'),
    Currency: own,
    'Transaction Type': 'PaymentSummary',
  })
  const rows = all.map(({ what, order, net_minor }, at) =>
    row({
      Currency: currency(at),
      'Transaction Key': `K${order}`,
      'Transaction Posted Timestamp': '09/03/2026',
      'Transaction Type': WALMART_WORDS[what][0],
      'Amount Type': WALMART_WORDS[what][1],
      'Purchase Order #': order,
      'Customer Order #': order === '' ? '' : `C-${order}`,
      Amount: written(net_minor, own, '.'),
      'Ship Qty': '1',
      'Partner Item Id': '=SKU+1',
    }),
  )
  return [COLUMNS.map((name) => `"${name}"`).join(','), summary, ...rows].join('\r\n')
}
