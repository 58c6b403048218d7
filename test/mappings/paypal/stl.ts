/** A writer of STL reports from what an account did; the other side of the reader under test. */
export interface Deed {
  id: string
  code: string
  minor: number
  fee: number
  currency: string
  reference?: string
  invoice?: string
}

const HEADINGS = [
  'CH', 'Transaction ID', 'Invoice ID', 'PayPal Reference ID', 'PayPal Reference ID Type', 'Transaction Event Code',
  'Transaction Initiation Date', 'Transaction Completion Date', 'Transaction  Debit or Credit', 'Gross Transaction Amount',
  'Gross Transaction Currency', 'Fee Debit or Credit', 'Fee Amount', 'Fee Currency', 'Custom Field', 'Consumer ID', 'Payment Tracking ID',
  'Store ID', 'Bank Reference ID', 'Credit Transactional Fee', 'Credit Promotional Fee', 'Credit Term',
] // prettier-ignore

const side = (minor: number): string => (minor < 0 ? 'DR' : 'CR')
const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)

function bodyRow(deed: Deed, second: number): string[] {
  const at = `2026/03/01 08:${String(Math.floor(second / 60)).padStart(2, '0')}:${String(second % 60).padStart(2, '0')} -0700`
  return [
    'SB', deed.id, deed.invoice ?? '', deed.reference ?? '', deed.reference === undefined ? '' : 'TXN', deed.code, at, at, side(deed.minor),
    String(Math.abs(deed.minor)), deed.currency, deed.fee === 0 ? '' : side(-deed.fee), String(Math.abs(deed.fee)), deed.currency,
    '', 'C-1', '', '', '', '', '', '',
  ] // prettier-ignore
}

export function stlRows(deeds: readonly Deed[], begins: Readonly<Record<string, number>>): string[][] {
  const currencies = [...new Set([...Object.keys(begins), ...deeds.map((deed) => deed.currency)])]
  const footers = currencies.map((currency) => {
    const own = deeds.filter((deed) => deed.currency === currency)
    const credit = sum(own.map((deed) => Math.max(deed.minor, 0)))
    const debit = sum(own.map((deed) => Math.max(-deed.minor, 0)))
    const back = sum(own.map((deed) => Math.max(-deed.fee, 0)))
    const cost = sum(own.map((deed) => Math.max(deed.fee, 0)))
    const begin = begins[currency] ?? 0
    return ['SF', currency, ...[credit, debit, back, cost, begin, begin + credit - debit + back - cost].map(String)]
  })
  return [
    ['RH', '2026/03/02 04:00:00 -0700', 'A', 'MERCHANT1', '009'],
    ['FH', '01'],
    ['SH', '2026/03/01 00:00:00 -0700', '2026/03/01 23:59:59 -0700', 'MERCHANT1', ''],
    HEADINGS,
    ...deeds.map(bodyRow),
    ...footers,
    ['SC', String(deeds.length)],
    ['RC', String(deeds.length)],
    ['FF', '1'],
  ]
}

export const csvOf = (rows: readonly (readonly string[])[]): string =>
  rows.map((row) => row.map((cell) => `"${cell.replaceAll('"', '""')}"`).join(',')).join('\r\n') + '\r\n' // prettier-ignore
