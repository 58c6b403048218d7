/**
 * The merchant's balance at Shopify Payments: rows, and the payouts that took them. Pure: the journal's events, folded again, give the
 * same balance.
 */

export type RowType =
  | 'CHARGE' | 'REFUND' | 'DISPUTE_WITHDRAWAL' | 'DISPUTE_REVERSAL' | 'CHARGEBACK_FEE' | 'RESERVED_FUNDS' | 'RESERVED_FUNDS_REVERSAL'
  | 'SHIPPING_LABEL' | 'TRANSFER' | 'TRANSFER_FAILURE' // prettier-ignore
export type PayoutStatus = 'SCHEDULED' | 'IN_TRANSIT' | 'PAID' | 'FAILED' | 'CANCELED'

export interface BalanceRow {
  id: string
  type: RowType
  test: boolean
  at: string
  amount_minor: number
  /** A cost is positive: net = amount less fee. */
  fee_minor: number
  source: 'CHARGE' | 'REFUND' | 'DISPUTE' | 'ADJUSTMENT' | 'TRANSFER'
  source_id: string
  /** The order's own transaction, where there is one. */
  transaction_id: string | null
  order: { id: string; name: string } | null
}

export interface BalancePayout {
  id: string
  issued_at: string
  status: PayoutStatus
  amount_minor: number
  trace: string | null
}

export type BalanceEvent =
  | { type: 'booked'; rows: BalanceRow[] }
  /** The rows are the payout's members; its own row is booked beside it. */
  | { type: 'paid_out'; payout: BalancePayout; rows: string[]; own: BalanceRow }
  | { type: 'payout_moved'; id: string; status: PayoutStatus; trace: string | null; returned: BalanceRow | null }

export interface Balance {
  rows: Map<string, BalanceRow>
  payouts: Map<string, BalancePayout>
  payoutOf: Map<string, string>
}

export const newBalance = (): Balance => ({ rows: new Map(), payouts: new Map(), payoutOf: new Map() })

export const netOf = ({ amount_minor, fee_minor }: BalanceRow): number => amount_minor - fee_minor

export function applyToBalance(balance: Balance, event: BalanceEvent): void {
  if (event.type === 'booked') return event.rows.forEach((row) => void balance.rows.set(row.id, row))
  if (event.type === 'paid_out') {
    balance.payouts.set(event.payout.id, { ...event.payout })
    balance.rows.set(event.own.id, event.own)
    for (const id of [...event.rows, event.own.id]) balance.payoutOf.set(id, event.payout.id)
    return
  }
  const payout = balance.payouts.get(event.id)
  if (payout === undefined) throw new Error(`the journal names an unknown payout ${event.id}`)
  payout.status = event.status
  payout.trace = event.trace
  if (event.returned !== null) balance.rows.set(event.returned.id, event.returned)
}

/** Rows that no payout has taken yet. */
export const openRows = (balance: Balance): BalanceRow[] =>
  [...balance.rows.values()].filter((row) => !balance.payoutOf.has(row.id))
