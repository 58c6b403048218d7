import { netOf, openRows, type BalanceRow, type PayoutStatus, type RowType } from './balance.ts'
import type { GraphContext } from './graph.ts'
import type { ShopOrder, ShopTransaction } from './shop.ts'

export interface PaymentsOptions {
  fee: { percent_bp: number; fixed_minor: number }
  /** The shop's checkout takes no real money. */
  mode?: 'live' | 'test'
}

export interface PaymentsLedger {
  payouts: {
    id: string
    status: PayoutStatus
    amount_minor: number
    rows: { id: string; type: RowType; net_minor: number }[]
  }[]
  /** What the next payout would be. */
  balance_minor: number
}

/** What happens at Shopify Payments beside sales and refunds, which book themselves. */
export interface PaymentsDesk {
  /** A row that no order's transaction makes: a dispute, a shipping label, money held in reserve. */
  book: (row: { type: RowType; amount_minor: number; fee_minor: number; order_external_id: string | null }) => {
    id: string
  }
  /** Takes all that lies open; undefined where there is nothing. It is on its way at once, unless `SCHEDULED` is asked for. */
  payOut: (status?: PayoutStatus) => { id: string; amount_minor: number } | undefined
  /** A payout that fails gives its money back to the balance. */
  movePayout: (id: string, status: PayoutStatus) => void
  ledger: () => PaymentsLedger
}

const SOURCES: Readonly<Record<RowType, BalanceRow['source']>> = {
  CHARGE: 'CHARGE',
  REFUND: 'REFUND',
  DISPUTE_WITHDRAWAL: 'DISPUTE',
  DISPUTE_REVERSAL: 'DISPUTE',
  CHARGEBACK_FEE: 'DISPUTE',
  RESERVED_FUNDS: 'ADJUSTMENT',
  RESERVED_FUNDS_REVERSAL: 'ADJUSTMENT',
  SHIPPING_LABEL: 'ADJUSTMENT',
  TRANSFER: 'TRANSFER',
  TRANSFER_FAILURE: 'TRANSFER',
}

/** Ids of the balance have their own numbers, far from those of orders. */
const rowId = (context: GraphContext, nth = 0): string => `8${context.newId().slice(1)}${nth}`

/** The rows that an order's transactions make: the fee of a sale is not given back with a refund. */
export function rowsOf(
  order: Pick<ShopOrder, 'id' | 'name'>,
  transactions: readonly ShopTransaction[],
  { fee, mode }: PaymentsOptions,
): BalanceRow[] {
  return transactions.map(({ id, kind, amount_minor, at }) => {
    const isSale = kind === 'sale'
    // Half up, in integers: basis points of the amount and a fixed part.
    const cost = Math.floor((amount_minor * fee.percent_bp + 5_000) / 10_000) + fee.fixed_minor
    return {
      id: `8${id}`,
      type: isSale ? 'CHARGE' : 'REFUND',
      test: mode === 'test',
      at,
      amount_minor: isSale ? amount_minor : -amount_minor,
      fee_minor: isSale ? cost : 0,
      source: isSale ? 'CHARGE' : 'REFUND',
      source_id: `6${id}`,
      transaction_id: id,
      order: { id: order.id, name: order.name },
    }
  })
}

export function paymentsDesk(context: GraphContext, options: PaymentsOptions | undefined): PaymentsDesk {
  const { shop, commit, now } = context
  const { balance } = shop
  const row = (type: RowType, source_id: string, amount_minor: number, fee_minor = 0): BalanceRow => ({
    id: rowId(context),
    type,
    test: options?.mode === 'test',
    at: now().toISOString(),
    amount_minor,
    fee_minor,
    source: SOURCES[type],
    source_id,
    transaction_id: null,
    order: null,
  })
  return {
    book: ({ type, amount_minor, fee_minor, order_external_id }) => {
      const order = order_external_id === null ? undefined : shop.orders.get(order_external_id)
      const made = { ...row(type, rowId(context, 1), amount_minor, fee_minor), order: order === undefined ? null : { id: order.id, name: order.name } } // prettier-ignore
      commit({ type: 'booked', at: made.at, rows: [made] })
      return { id: made.id }
    },
    payOut: (status = 'IN_TRANSIT') => {
      const rows = openRows(balance)
      const amount_minor = rows.reduce((total, member) => total + netOf(member), 0)
      if (rows.length === 0) return undefined
      const at = now().toISOString()
      const id = `9${context.newId().slice(1)}`
      const payout = { id, issued_at: at, status, amount_minor, trace: null }
      commit({
        type: 'paid_out',
        at,
        payout,
        rows: rows.map((member) => member.id),
        own: row('TRANSFER', id, -amount_minor),
      })
      return { id, amount_minor }
    },
    movePayout: (id, status) => {
      const payout = balance.payouts.get(id)
      if (payout === undefined) throw new Error(`there is no payout ${id}`)
      const returned =
        status === 'FAILED' || status === 'CANCELED' ? row('TRANSFER_FAILURE', id, payout.amount_minor) : null
      const trace = status === 'PAID' ? `TRACE${id}` : payout.trace
      commit({ type: 'payout_moved', at: now().toISOString(), id, status, trace, returned })
    },
    ledger: () => ({
      payouts: [...balance.payouts.values()].map(({ id, status, amount_minor }) => ({
        id,
        status,
        amount_minor,
        rows: [...balance.rows.values()]
          .filter((member) => balance.payoutOf.get(member.id) === id && member.type !== 'TRANSFER')
          .map((member) => ({ id: member.id, type: member.type, net_minor: netOf(member) })),
      })),
      balance_minor: openRows(balance).reduce((total, member) => total + netOf(member), 0),
    }),
  }
}
