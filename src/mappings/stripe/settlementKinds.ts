import type { SettlementLine } from '../../core/model/settlement.ts'

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>

/** Where the finer word tells more than the type: `adjustment` is the vendor's drawer for all sorts of things. */
const CATEGORIES: Readonly<Record<string, Kind>> = {
  dispute: 'dispute',
  dispute_reversal: 'dispute',
  refund_failure: 'refund',
  partial_capture_reversal: 'sale',
  charge_failure: 'sale',
  fee: 'fee',
  tax: 'fee',
  risk_reserved_funds: 'reserve_hold',
}

const kinds = (kind: Kind, ...types: readonly string[]): Record<string, Kind> =>
  Object.fromEntries(types.map((type) => [type, kind]))

/** Row types as of API 2026-10-28. The vendor adds new ones at will. */
const TYPES: Readonly<Record<string, Kind>> = {
  ...kinds('sale', 'charge', 'payment'),
  ...kinds('refund', 'refund', 'refund_failure', 'payment_refund', 'payment_failure_refund', 'payment_reversal'),
  ...kinds('fee', 'stripe_fee', 'stripe_fx_fee', 'tax_fee', 'application_fee'),
  ...kinds('fee_returned', 'application_fee_refund', 'fee_credit_funding'),
  ...kinds('reserve_hold', 'reserve_hold', 'reserve_transaction', 'reserved_funds', 'payment_network_reserve_hold'),
  ...kinds('reserve_release', 'reserve_release', 'payment_network_reserve_release'),
  ...kinds('carry_over', 'payout_minimum_balance_hold', 'payout_minimum_balance_release'),
  ...kinds('loan', 'advance', 'advance_funding', 'anticipation_repayment'),
  ...kinds('transfer', 'transfer', 'transfer_cancel', 'transfer_failure', 'transfer_refund', 'topup', 'topup_reversal'),
  ...kinds('transfer', 'payout', 'payout_cancel', 'payout_failure', 'inbound_transfer', 'inbound_transfer_reversal'),
  ...kinds('transfer', 'connect_collection_transfer', 'stripe_balance_payment_debit', 'stripe_balance_payment_debit_reversal'),
  ...kinds('transfer', 'obligation_outbound', 'obligation_reversal_inbound', 'payment_unreconciled', 'tax_fund'),
  ...kinds('adjustment', 'adjustment', 'contribution', 'climate_order_purchase', 'climate_order_refund'),
  ...kinds('adjustment', 'issuing_authorization_hold', 'issuing_authorization_release', 'issuing_transaction'),
  ...kinds('adjustment', 'issuing_dispute', 'issuing_dispute_provisional_credit', 'issuing_dispute_provisional_credit_reversal'),
} // prettier-ignore

/** Categories that reports use and that no row type of the API is called by. Not checked against a live account. */
const REPORT_CATEGORIES: Readonly<Record<string, Kind>> = {
  ...CATEGORIES,
  payout_reversal: 'transfer',
  other_adjustment: 'adjustment',
  network_cost: 'fee',
  platform_earning: 'fee',
  platform_earning_refund: 'fee_returned',
  connect_reserved_funds: 'reserve_hold',
  financing_paydown: 'loan',
  financing_payout: 'loan',
}

/** Of rows that are fees as a whole, by type or category; `payment` where neither is here. */
const OWN_FEE_TYPES: Readonly<Record<string, FeeType>> = {
  stripe_fx_fee: 'fx',
  tax_fee: 'tax_on_fee',
  tax: 'tax_on_fee',
  application_fee: 'other',
}

/** `fee_details[].type`: what the parts of one row's fee are for. */
const PART_TYPES: Readonly<Record<string, FeeType>> = {
  stripe_fee: 'payment',
  payment_method_passthrough_fee: 'payment',
  tax: 'tax_on_fee',
  withheld_tax: 'tax_on_fee',
  application_fee: 'other',
}

const inTable = <V>(table: Readonly<Record<string, V>>, word: string): V | undefined =>
  Object.hasOwn(table, word) ? table[word] : undefined

/** Several reserve types book both ways; the sign says which. Undefined for a word that no table knows. */
export function kindOfRow(type: string, category: string, net_minor: number): Kind | undefined {
  return signed(inTable(CATEGORIES, category) ?? inTable(TYPES, type), net_minor)
}

/** The same for a report, whose rows have a category and no type. */
export function kindOfCategory(category: string, net_minor: number): Kind | undefined {
  return signed(inTable(REPORT_CATEGORIES, category) ?? inTable(TYPES, category), net_minor)
}

const signed = (kind: Kind | undefined, net_minor: number): Kind | undefined =>
  kind === 'reserve_hold' && net_minor > 0 ? 'reserve_release' : kind

export const feeTypeOfRow = (word: string): FeeType => inTable(OWN_FEE_TYPES, word) ?? 'payment'
export const feeTypeOfPart = (word: string): FeeType => inTable(PART_TYPES, word) ?? 'other'

type Amounts = Pick<SettlementLine, 'kind' | 'gross_minor' | 'fee_minor'>

/** A row that is a fee as a whole has nothing gross: what it takes is the fee, and what it gives is a fee given back. */
export function booked({ kind, gross_minor, fee_minor }: Amounts): Amounts {
  if (kind !== 'fee' && kind !== 'fee_returned') return { kind, gross_minor, fee_minor }
  const cost = fee_minor - gross_minor
  return { kind: cost < 0 ? 'fee_returned' : 'fee', gross_minor: 0, fee_minor: cost === 0 ? 0 : cost }
}
