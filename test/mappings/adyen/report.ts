import { decimalFromMinor } from '../../../src/core/model/money.ts'

/** A settlement detail report as the vendor would write it. */
export const ADYEN_COLUMNS = [
  'Company Account', 'Merchant Account', 'Psp Reference', 'Merchant Reference', 'Payment Method', 'Creation Date', 'TimeZone', 'Type',
  'Modification Reference', 'Gross Currency', 'Gross Debit (GC)', 'Gross Credit (GC)', 'Exchange Rate', 'Net Currency', 'Net Debit (NC)',
  'Net Credit (NC)', 'Commission (NC)', 'Markup (NC)', 'Scheme Fees (NC)', 'Interchange (NC)', 'Payment Method Variant', 'Batch Number',
] as const // prettier-ignore
export type AdyenRow = Partial<Record<(typeof ADYEN_COLUMNS)[number], string>>

export interface AdyenDeed {
  type: string
  psp: string
  gross: number
  /** One: blended. Three: Interchange++. */
  fees: readonly number[]
  currency?: string
}
export const decimal = (minor: number, currency: string): string => decimalFromMinor(minor, currency)
const positive = (minor: number, currency: string): string => (minor > 0 ? decimal(minor, currency) : '')

export function rowOf({ type, psp, gross, fees, currency = 'EUR' }: AdyenDeed): AdyenRow {
  const net = gross - fees.reduce((total, fee) => total + fee, 0)
  const [commission, markup, scheme, interchange] = fees.length === 1 ? fees : [0, ...fees]
  return {
    'Company Account': 'Shop',
    'Merchant Account': 'ShopEU',
    'Psp Reference': psp,
    'Merchant Reference': psp === '' ? '' : `ORDER-${psp}`,
    'Creation Date': '2026-03-01 09:00:00',
    TimeZone: 'CET',
    Type: type,
    'Gross Currency': currency,
    'Gross Debit (GC)': positive(-gross, currency),
    'Gross Credit (GC)': positive(gross, currency),
    'Exchange Rate': '1',
    'Net Currency': currency,
    'Net Debit (NC)': positive(-net, currency),
    'Net Credit (NC)': positive(net, currency),
    'Commission (NC)': commission ? decimal(commission, currency) : '',
    'Markup (NC)': markup ? decimal(markup, currency) : '',
    'Scheme Fees (NC)': scheme ? decimal(scheme, currency) : '',
    'Interchange (NC)': interchange ? decimal(interchange, currency) : '',
    'Batch Number': '7',
  }
}
export const netOnly = (type: string, net: number, currency = 'EUR'): AdyenRow => ({
  ...rowOf({ type, psp: '', gross: 0, fees: [], currency }),
  'Net Debit (NC)': positive(-net, currency),
  'Net Credit (NC)': positive(net, currency),
})
export const csvOf = (rows: readonly AdyenRow[], columns: readonly string[] = ADYEN_COLUMNS): string =>
  [columns, ...rows.map((row) => columns.map((name) => row[name as keyof AdyenRow] ?? ''))]
    .map((cells) => cells.join(','))
    .join('\n')
export const netOf = (rows: readonly AdyenRow[]): number =>
  rows.reduce((total, row) => total + cents(row['Net Credit (NC)']) - cents(row['Net Debit (NC)']), 0)
export const cents = (text = ''): number => Number((text || '0.00').replace('.', ''))
/** With the payout that takes everything out. */
export const batch = (rows: readonly AdyenRow[]): AdyenRow[] => {
  const net = netOf(rows)
  return net >= 0 ? [...rows, netOnly('MerchantPayout', -net)] : [...rows, netOnly('Balancetransfer', -net)]
}
