/** Objects as the API shows them; the account is kept in the vendor's own words. Amounts are integers, times Unix seconds. */
interface Shown {
  id: string
  object: string
  created: number
}

export interface Charge extends Shown {
  object: 'charge'
  amount: number
  amount_captured: number
  amount_refunded: number
  balance_transaction: string
  captured: true
  currency: string
  disputed: boolean
  metadata: Record<string, string>
  paid: true
  payment_intent: string
  refunded: boolean
  status: 'succeeded'
}

export interface Refund extends Shown {
  object: 'refund'
  amount: number
  balance_transaction: string
  charge: string
  currency: string
  metadata: Record<string, string>
  payment_intent: string
  reason: 'requested_by_customer'
  status: 'succeeded'
}

export interface Dispute extends Shown {
  object: 'dispute'
  amount: number
  charge: string
  currency: string
  metadata: Record<string, string>
  payment_intent: string
  reason: 'product_not_received'
  status: 'needs_response'
}

export interface Payout extends Shown {
  object: 'payout'
  amount: number
  arrival_date: number
  automatic: true
  currency: string
  method: 'standard'
  reconciliation_status: 'in_progress' | 'completed'
  status: 'in_transit' | 'paid' | 'failed'
  trace_id: { status: 'supported'; value: string }
}

export interface Row extends Shown {
  object: 'balance_transaction'
  amount: number
  available_on: number
  currency: string
  fee: number
  net: number
  reporting_category: string
  source: string
  status: 'available'
  type: string
}

export type Thing = Charge | Refund | Dispute | Payout | Row

export interface AccountEvent {
  id: string
  object: 'event'
  api_version: string
  created: number
  data: { object: Thing }
  livemode: false
  pending_webhooks: number
  type: string
}

const API_VERSION = '2026-10-28.endive'
const DISPUTE_FEE = 1_500

/** What every new object needs: its id, when it is made, and the account's currency in the vendor's lower case. */
export interface Birth {
  id: string
  created: number
  currency: string
}

export function newCharge(
  birth: Birth,
  charge: { amount: number; row: string; intent: string; metadata: Record<string, string> },
): Charge {
  const { amount, row, intent, metadata } = charge
  return {
    ...birth,
    object: 'charge',
    amount,
    amount_captured: amount,
    amount_refunded: 0,
    balance_transaction: row,
    captured: true,
    disputed: false,
    metadata,
    paid: true,
    payment_intent: intent,
    refunded: false,
    status: 'succeeded',
  }
}

export function newRefund(birth: Birth, refund: { amount: number; row: string; charge: Charge }): Refund {
  return {
    ...birth,
    object: 'refund',
    amount: refund.amount,
    balance_transaction: refund.row,
    charge: refund.charge.id,
    metadata: {},
    payment_intent: refund.charge.payment_intent,
    reason: 'requested_by_customer',
    status: 'succeeded',
  }
}

/** The bank takes back what is left of the charge. */
export function newDispute(birth: Birth, charge: Charge): Dispute {
  return {
    ...birth,
    object: 'dispute',
    amount: charge.amount - charge.amount_refunded,
    charge: charge.id,
    metadata: {},
    payment_intent: charge.payment_intent,
    reason: 'product_not_received',
    status: 'needs_response',
  }
}

export function newPayout(birth: Birth, amount: number): Payout {
  return {
    ...birth,
    object: 'payout',
    amount,
    arrival_date: birth.created,
    automatic: true,
    method: 'standard',
    reconciliation_status: 'completed',
    status: 'paid',
    trace_id: { status: 'supported', value: `TRACE${birth.id.slice(-8)}` },
  }
}

/** A ledger row: what moved, what it cost, and about which object. */
export function newRow(
  birth: Birth,
  row: { amount: number; fee: number; type: string; source: string; category?: string },
): Row {
  const { amount, fee, type, source, category = type } = row
  return {
    ...birth,
    object: 'balance_transaction',
    amount,
    available_on: birth.created,
    fee,
    net: amount - fee,
    reporting_category: category,
    source,
    status: 'available',
    type,
  }
}

export const newDisputeRow = (birth: Birth, dispute: Dispute): Row =>
  newRow(birth, {
    amount: -dispute.amount,
    fee: DISPUTE_FEE,
    type: 'adjustment',
    category: 'dispute',
    source: dispute.id,
  })

export function newEvent(birth: Birth, type: string, object: Thing): AccountEvent {
  const { id, created } = birth
  return {
    id,
    object: 'event',
    api_version: API_VERSION,
    created,
    data: { object },
    livemode: false,
    pending_webhooks: 1,
    type,
  }
}
