import { HubError } from '../../core/errors.ts'
import type { Settlement, SettlementLine } from '../../core/model/settlement.ts'
import { defineMapping, fromTable, type MappingContext } from '../define.ts'
import { PayoutWithRows, type BalanceTransaction } from './payloads.ts'
import { currencyOf, idOf, instantFromUnix, minorFromStripe, referencesOf } from './units.ts'

type Kind = SettlementLine['kind']

const PAYOUT_STATUSES: Readonly<Record<string, Settlement['status']>> = {
  pending: 'pending',
  in_transit: 'in_transit',
  paid: 'paid',
  failed: 'failed',
  canceled: 'cancelled',
}

/** Where the finer word tells more than the type: `adjustment` is the vendor's drawer for all sorts of things. */
const CATEGORY_KINDS: Readonly<Record<string, Kind>> = {
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
const TYPE_KINDS: Readonly<Record<string, Kind>> = {
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
  ...kinds(
    'transfer',
    'connect_collection_transfer',
    'stripe_balance_payment_debit',
    'stripe_balance_payment_debit_reversal',
  ),
  ...kinds('transfer', 'obligation_outbound', 'obligation_reversal_inbound', 'payment_unreconciled', 'tax_fund'),
  ...kinds('adjustment', 'adjustment', 'contribution', 'climate_order_purchase', 'climate_order_refund'),
  ...kinds('adjustment', 'issuing_authorization_hold', 'issuing_authorization_release', 'issuing_transaction'),
  ...kinds(
    'adjustment',
    'issuing_dispute',
    'issuing_dispute_provisional_credit',
    'issuing_dispute_provisional_credit_reversal',
  ),
}

/**
 * A payout and its ledger rows. Every row must obey net = amount - fee and be in the payout's currency, otherwise nothing of the
 * payout is taken. Whether the rows sum to the payout is the settlement check's business; here it is only said aloud.
 */
export const stripeSettlement = defineMapping({
  from: PayoutWithRows,
  map: ({ payout, balance_transactions }, context) => {
    const currency = currencyOf(payout.currency)
    const payout_minor = minorFromStripe(payout.amount, currency, '$.payout.amount')
    const lines = balance_transactions.flatMap((row, index) =>
      isOwnRow(row, payout.id) ? [] : [lineOf(row, currency, `$.balance_transactions[${index}]`, context)],
    )
    const net_minor = lines.reduce((total, line) => total + line.net_minor, 0)
    if (net_minor !== payout_minor)
      context.warn(`the rows sum to ${net_minor} and the payout is ${payout_minor}, in minor units`)
    return [
      {
        kind: 'settlement' as const,
        document: {
          external_id: payout.id,
          status: fromTable(PAYOUT_STATUSES, payout.status, 'pending', context, 'payout status'),
          currency,
          payout_minor,
          created_at: instantFromUnix(payout.created),
          arrival_at:
            payout.arrival_date === null || payout.arrival_date === undefined
              ? null
              : instantFromUnix(payout.arrival_date),
          bank_reference: payout.trace_id?.value?.slice(0, 200) || null,
          lines,
        },
      },
    ]
  },
})

/** The ledger books the payout itself as a row against the rest, so that all rows together are zero. */
const isOwnRow = (row: BalanceTransaction, payout_id: string): boolean =>
  row.type === 'payout' && idOf(row.source) === payout_id

function lineOf(row: BalanceTransaction, currency: string, path: string, context: MappingContext): SettlementLine {
  if (currencyOf(row.currency) !== currency) {
    throw new HubError(
      'payload_invalid',
      `row ${row.id} is in ${currencyOf(row.currency)}, its payout in ${currency}`,
      {
        path: `${path}.currency`,
      },
    )
  }
  if (BigInt(row.net) !== BigInt(row.amount) - BigInt(row.fee)) {
    throw new HubError('payload_invalid', `row ${row.id}: net is not amount minus fee`, { path: `${path}.net` })
  }
  const source = row.source
  const expanded = typeof source === 'object' && source !== null ? source : undefined
  return {
    external_id: row.id,
    kind: kindOf(row, context),
    vendor_type: vendorType(row),
    at: instantFromUnix(row.created),
    currency,
    gross_minor: minorFromStripe(row.amount, currency, `${path}.amount`),
    fee_minor: minorFromStripe(row.fee, currency, `${path}.fee`),
    net_minor: minorFromStripe(row.net, currency, `${path}.net`),
    references: referencesOf(expanded?.metadata, [source, expanded?.charge, expanded?.payment_intent]),
  }
}

function kindOf(row: BalanceTransaction, context: MappingContext): Kind {
  const category = row.reporting_category ?? row.type
  const finer = Object.hasOwn(CATEGORY_KINDS, category) ? CATEGORY_KINDS[category] : undefined
  const kind = finer ?? fromTable(TYPE_KINDS, row.type, 'other', context, 'ledger row type')
  // Several reserve types book both ways; the sign says which.
  return kind === 'reserve_hold' && row.net > 0 ? 'reserve_release' : kind
}

function vendorType(row: BalanceTransaction): string {
  const category = row.reporting_category ?? row.type
  return (category === row.type ? row.type : `${row.type}:${category}`).slice(0, 200)
}
