import { decimalFromMinor } from '../../core/model/money.ts'
import { netOf, type Balance, type BalancePayout, type BalanceRow } from './balance.ts'
import type { GraphContext } from './graph.ts'
import { pageOf, type Paging } from './paging.ts'

/** Shopify Payments as its API shows it. A search word that is not known is passed over in silence, as at Shopify. */
export function accountNode(context: GraphContext) {
  const { balance } = context.shop
  return {
    id: 'gid://shopify/ShopifyPaymentsAccount/1',
    payouts: ({ query, ...paging }: Paging & { query?: string }) => {
      const since = /^issued_at:>='([^']+)'$/.exec(query ?? '')?.[1]
      const all = [...balance.payouts.values()].filter((payout) => since === undefined || payout.issued_at >= since)
      return listed(
        all,
        (payout) => `${payout.issued_at}|${payout.id}`,
        paging,
        (payout) => payoutNode(payout, context),
      )
    },
    balanceTransactions: ({ query, hideTransfers, ...paging }: Paging & { query?: string; hideTransfers: boolean }) => {
      const wanted = /^payments_transfer_id:(\d+)$/.exec(query ?? '')?.[1]
      const all = [...balance.rows.values()]
        .filter((row) => wanted === undefined || balance.payoutOf.get(row.id) === wanted)
        .filter((row) => !hideTransfers || row.type !== 'TRANSFER')
      return listed(
        all,
        (row) => row.id.padStart(20, '0'),
        paging,
        (row) => rowNode(row, balance, context),
      )
    },
  }
}

function listed<T>(all: readonly T[], keyOf: (item: T) => string, paging: Paging, toNode: (item: T) => unknown) {
  const sorted = all.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
  const { items, pageInfo } = pageOf(sorted, keyOf, paging)
  return { pageInfo, nodes: items.map(toNode) }
}

const money = (minor: number, { face: { currency } }: GraphContext) => ({
  amount: decimalFromMinor(minor, currency),
  currencyCode: currency,
})

const payoutNode = (payout: BalancePayout, context: GraphContext) => ({
  id: `gid://shopify/ShopifyPaymentsPayout/${payout.id}`,
  legacyResourceId: payout.id,
  issuedAt: payout.issued_at,
  status: payout.status,
  transactionType: payout.amount_minor < 0 ? 'WITHDRAWAL' : 'DEPOSIT',
  net: money(payout.amount_minor, context),
  externalTraceId: payout.trace,
})

function rowNode(row: BalanceRow, balance: Balance, context: GraphContext) {
  const payout = balance.payouts.get(balance.payoutOf.get(row.id) ?? '')
  return {
    id: `gid://shopify/ShopifyPaymentsBalanceTransaction/${row.id}`,
    type: row.type,
    test: row.test,
    transactionDate: row.at,
    amount: money(row.amount_minor, context),
    fee: money(row.fee_minor, context),
    net: money(netOf(row), context),
    sourceType: row.source,
    sourceId: row.source_id,
    sourceOrderTransactionId: row.transaction_id,
    associatedOrder: row.order === null ? null : { id: `gid://shopify/Order/${row.order.id}`, name: row.order.name },
    associatedPayout: {
      id: payout === undefined ? null : `gid://shopify/ShopifyPaymentsPayout/${payout.id}`,
      status: payout?.status ?? 'PENDING',
    },
    adjustmentsOrders: [],
  }
}
