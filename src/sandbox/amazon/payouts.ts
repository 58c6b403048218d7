import { decimalFromMinor } from '../../core/model/money.ts'
import type { Account, AccountOrder, AccountReport } from './account.ts'

/** The marketplace keeps the buyers' money and pays it out, less its commission, for what was shipped. */

const COMMISSION_PERCENT = 15
const DAY_MS = 86_400_000

/** One amount of a payout, as both the settlement report and the Finances API tell it. */
export interface MoneyRow {
  id: string
  transaction: 'Order' | 'Refund'
  type: 'ItemPrice' | 'ItemFees'
  description: 'Principal' | 'Commission'
  breakdown: string
  order_id: string
  line_id: string
  sku: string
  quantity: number
  minor: number
}

const commissionOf = (minor: number): number => Math.round((minor * COMMISSION_PERCENT) / 100)

export function moneyRows(account: Account, report: Pick<AccountReport, 'orders' | 'refunds'>): MoneyRow[] {
  const sales = report.orders.flatMap((id) => salesOf(account.order(id)))
  const refunds = account.orders().flatMap((order) => refundsOf(order, new Set(report.refunds)))
  return [...sales, ...refunds]
}

function salesOf(order: AccountOrder | undefined): MoneyRow[] {
  return (order?.lines ?? []).flatMap((line) => {
    const minor = line.price_minor * line.quantity
    const common = {
      transaction: 'Order',
      order_id: order?.id ?? '',
      line_id: line.id,
      sku: line.sku,
      quantity: line.quantity,
    } as const
    return [
      { ...common, id: `${line.id}-p`, type: 'ItemPrice', description: 'Principal', breakdown: 'Principal', minor },
      {
        ...common,
        id: `${line.id}-c`,
        type: 'ItemFees',
        description: 'Commission',
        breakdown: 'Commission',
        minor: -commissionOf(minor),
      },
    ] as const
  })
}

function refundsOf(order: AccountOrder, wanted: ReadonlySet<string>): MoneyRow[] {
  return order.refunds
    .filter(({ id }) => wanted.has(id))
    .flatMap(({ id, line_id, amount_minor }) => {
      const sku = order.lines.find((line) => line.id === line_id)?.sku ?? ''
      const common = { transaction: 'Refund', order_id: order.id, line_id, sku, quantity: 0 } as const
      return [
        {
          ...common,
          id: `${id}-p`,
          type: 'ItemPrice',
          description: 'Principal',
          breakdown: 'Principal',
          minor: -amount_minor,
        },
        {
          ...common,
          id: `${id}-c`,
          type: 'ItemFees',
          description: 'Commission',
          breakdown: 'Commission',
          minor: commissionOf(amount_minor),
        },
      ] as const
    })
}

const COLUMNS = [
  'settlement-id', 'settlement-start-date', 'settlement-end-date', 'deposit-date', 'total-amount', 'currency', 'transaction-type',
  'order-id', 'merchant-order-id', 'adjustment-id', 'shipment-id', 'marketplace-name', 'amount-type', 'amount-description', 'amount',
  'fulfillment-id', 'posted-date', 'posted-date-time', 'order-item-code', 'merchant-order-item-id', 'merchant-adjustment-item-id',
  'sku', 'quantity-purchased',
] as const // prettier-ignore

/** `sold`: also what was paid and still waits to be shipped. */
export type PaidFor = 'shipped' | 'sold'
const PAYABLE: Readonly<Record<PaidFor, readonly AccountOrder['status'][]>> = {
  shipped: ['SHIPPED'],
  sold: ['SHIPPED', 'PARTIALLY_SHIPPED', 'UNSHIPPED'],
}

/** Closes a settlement over everything that is payable or was given back, and not paid yet. Undefined when there is nothing. */
export function closeSettlement(account: Account, now: Date, what: PaidFor): AccountReport | undefined {
  const paid = new Set(account.reports().flatMap(({ orders, refunds }) => [...orders, ...refunds]))
  const open = account.orders().filter(({ by, status }) => by === 'MERCHANT' && PAYABLE[what].includes(status))
  const orders = open.flatMap(({ id }) => (paid.has(id) ? [] : [id]))
  const refunds = account.orders().flatMap((order) => order.refunds.flatMap(({ id }) => (paid.has(id) ? [] : [id])))
  const rows = moneyRows(account, { orders, refunds })
  if (rows.length === 0) return undefined
  const number = account.nextId()
  const settlement_id = String(20_000_000_000 + number)
  const document_id = `amzn1.tortuga.4.eu.report-${number}`
  const payout_minor = rows.reduce((sum, { minor }) => sum + minor, 0)
  const report: AccountReport = {
    id: String(60_000 + number), settlement_id, created_ms: now.getTime(), document_id, payout_minor, orders, refunds, lines: rows.length,
  } // prettier-ignore
  account.commit({ report, document: { id: document_id, text: reportText(rows, report, account.currency) } })
  return report
}

/** As the German marketplace writes it: decimal comma, day first. */
function reportText(rows: readonly MoneyRow[], report: AccountReport, currency: string): string {
  const { settlement_id, created_ms, payout_minor } = report
  const written = (minor: number): string => decimalFromMinor(minor, currency).replace('.', ',')
  const time = (ms: number): string => {
    const [date = '', clock = ''] = new Date(ms).toISOString().slice(0, 19).split('T')
    return `${date.split('-').toReversed().join('.')} ${clock} UTC`
  }
  const cells = (values: Partial<Record<(typeof COLUMNS)[number], string>>): string =>
    COLUMNS.map((name) => values[name] ?? '').join('\t')
  const totals = cells({
    'settlement-id': settlement_id,
    'settlement-start-date': time(created_ms - 14 * DAY_MS),
    'settlement-end-date': time(created_ms),
    'deposit-date': time(created_ms + DAY_MS),
    'total-amount': written(payout_minor),
    currency,
  })
  const amounts = rows.map((row) =>
    cells({
      'settlement-id': settlement_id,
      'transaction-type': row.transaction,
      'order-id': row.order_id,
      'marketplace-name': 'Amazon.de',
      'amount-type': row.type,
      'amount-description': row.description,
      amount: written(row.minor),
      'fulfillment-id': 'MFN',
      'posted-date-time': time(created_ms),
      'order-item-code': row.line_id,
      sku: row.sku,
      ...(row.quantity > 0 ? { 'quantity-purchased': String(row.quantity) } : {}),
    }),
  )
  return [COLUMNS.join('\t'), totals, ...amounts, ''].join('\n')
}
