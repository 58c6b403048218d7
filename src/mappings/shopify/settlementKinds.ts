import type { SettlementLine } from '../../core/model/settlement.ts'

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>
export interface RowKind {
  kind: Kind
  /** Of a fee: what it is for. Also says that the row has nothing gross and is a fee as a whole. */
  fee_type?: FeeType
}

const all = (row: RowKind, ...types: readonly string[]): Record<string, RowKind> =>
  Object.fromEntries(types.map((type) => [type, row]))
/** Most types have a twin that takes them back; the sign tells the two apart. */
const both = (row: RowKind, ...types: readonly string[]): Record<string, RowKind> =>
  all(row, ...types, ...types.map((type) => `${type}_REVERSAL`))

/** Transaction types of the Admin API 2026-10. The vendor adds new ones at will. */
const TYPES: Readonly<Record<string, RowKind>> = {
  ...all({ kind: 'sale' }, 'CHARGE', 'CHARGE_ADJUSTMENT'),
  ...all({ kind: 'refund' }, 'REFUND', 'REFUND_ADJUSTMENT', 'REFUND_FAILURE'),
  ...all({ kind: 'dispute' }, 'DISPUTE_WITHDRAWAL', 'DISPUTE_REVERSAL'),
  ...all({ kind: 'dispute' }, 'CHARGEBACK_HOLD', 'CHARGEBACK_HOLD_RELEASE'),
  ...both({ kind: 'dispute' }, 'CHARGEBACK_PROTECTION_CREDIT', 'CHARGEBACK_PROTECTION_DEBIT', 'SELLER_PROTECTION_CREDIT'),
  ...all({ kind: 'dispute_fee' }, 'CHARGEBACK_FEE', 'CHARGEBACK_FEE_REFUND'),
  ...all({ kind: 'reserve_hold' }, 'RESERVED_FUNDS', 'RESERVED_FUNDS_REVERSAL', 'RESERVED_FUNDS_WITHDRAWAL'),
  ...all({ kind: 'reserve_hold' }, 'RISK_WITHDRAWAL', 'RISK_REVERSAL'),
  ...all({ kind: 'fee', fee_type: 'payment' }, 'STRIPE_FEE', 'APPLICATION_FEE_REFUND'),
  ...all({ kind: 'fee', fee_type: 'payment' }, 'ACH_BANK_FAILURE_DEBIT_FEE', 'ACH_BANK_FAILURE_DEBIT_REVERSAL_FEE'),
  ...all({ kind: 'fee', fee_type: 'advertising' }, 'REFERRAL_FEE'),
  ...all({ kind: 'fee', fee_type: 'tax_on_fee' }, 'REFERRAL_FEE_TAX'),
  ...both({ kind: 'fee', fee_type: 'other' }, 'MARKETPLACE_FEE_CREDIT'),
  ...both({ kind: 'fee', fee_type: 'subscription' }, 'BILLING_DEBIT'),
  ...both({ kind: 'fee', fee_type: 'advertising' }, 'SHOP_CASH_CAMPAIGN_BILLING_CREDIT', 'SHOP_CASH_CAMPAIGN_BILLING_DEBIT'),
  ...both({ kind: 'fee', fee_type: 'advertising' }, 'SHOP_CASH_BILLING_DEBIT'),
  ...all({ kind: 'fee', fee_type: 'shipping_label' }, 'SHIPPING_LABEL', 'SHIPPING_LABEL_ADJUSTMENT'),
  ...all({ kind: 'fee', fee_type: 'shipping_label' }, 'SHIPPING_LABEL_ADJUSTMENT_BASE', 'SHIPPING_LABEL_ADJUSTMENT_SURCHARGE'),
  ...all({ kind: 'fee', fee_type: 'shipping_label' }, 'SHIPPING_OTHER_CARRIER_CHARGE_ADJUSTMENT', 'SHIPPING_RETURN_TO_ORIGIN_ADJUSTMENT'),
  ...all({ kind: 'tax' }, 'CUSTOMS_DUTY', 'CUSTOMS_DUTY_ADJUSTMENT', 'IMPORT_TAX', 'IMPORT_TAX_ADJUSTMENT', 'IMPORT_TAX_REFUND'),
  ...both({ kind: 'tax' }, 'TAX_ADJUSTMENT_CREDIT', 'TAX_ADJUSTMENT_DEBIT', 'VAT_REFUND_CREDIT'),
  ...both({ kind: 'promotion' }, 'PROMOTION_CREDIT', 'CHANNEL_PROMOTION_CREDIT', 'SHOP_CASH_CREDIT', 'SHOP_CASH_REFUND_DEBIT'),
  ...all({ kind: 'loan' }, 'ADVANCE', 'ADVANCE_FUNDING'),
  ...both({ kind: 'loan' }, 'LENDING_CAPITAL_REFUND', 'LENDING_CAPITAL_REMITTANCE', 'LENDING_CREDIT', 'LENDING_CREDIT_REFUND'),
  ...both({ kind: 'loan' }, 'LENDING_CREDIT_REMITTANCE', 'LENDING_DEBIT'),
  ...all({ kind: 'transfer' }, 'TRANSFER', 'TRANSFER_CANCEL', 'TRANSFER_FAILURE', 'TRANSFER_REFUND'),
  ...all({ kind: 'transfer' }, 'BALANCE_TRANSFER_INBOUND', 'BALANCE_TRANSFER_OUTBOUND'),
  ...both({ kind: 'transfer' }, 'CHANNEL_CREDIT', 'CHANNEL_TRANSFER_CREDIT', 'CHANNEL_TRANSFER_DEBIT', 'MERCHANT_TO_MERCHANT_CREDIT'),
  ...both({ kind: 'transfer' }, 'MERCHANT_TO_MERCHANT_DEBIT', 'SHOPIFY_COLLECTIVE_CREDIT', 'SHOPIFY_COLLECTIVE_DEBIT'),
  ...both({ kind: 'transfer' }, 'SHOPIFY_SOURCE_CREDIT', 'SHOPIFY_SOURCE_DEBIT', 'COLLECTIONS_CREDIT'),
  ...all({ kind: 'adjustment' }, 'ADJUSTMENT', 'MARKETS_PRO_CREDIT'),
  ...both({ kind: 'adjustment' }, 'ANOMALY_CREDIT', 'ANOMALY_DEBIT', 'MERCHANT_GOODWILL_CREDIT', 'ADS_PUBLISHER_CREDIT'),
} // prettier-ignore

/** Where a type is new, what the row is about still says something. */
const SOURCES: Readonly<Record<string, RowKind>> = {
  CHARGE: { kind: 'sale' },
  REFUND: { kind: 'refund' },
  DISPUTE: { kind: 'dispute' },
  TRANSFER: { kind: 'transfer' },
}

/** What a row is; `known: false` for a type of which only the source, or nothing at all, is understood. */
export function kindOfRow(type: string, source: string | null): RowKind & { known: boolean } {
  const word = type.toUpperCase()
  const exact = Object.hasOwn(TYPES, word) ? TYPES[word] : undefined
  if (exact !== undefined) return { ...exact, known: true }
  const about =
    source !== null && Object.hasOwn(SOURCES, source.toUpperCase()) ? SOURCES[source.toUpperCase()] : undefined
  return { ...(about ?? { kind: 'other' }), known: false }
}

export const KNOWN_TYPES: readonly string[] = Object.keys(TYPES)
