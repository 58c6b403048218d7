import type { SettlementLine } from '../../core/model/settlement.ts'

type Kind = SettlementLine['kind']
type FeeType = NonNullable<SettlementLine['fee_type']>

export interface AmazonKind {
  kind: Kind
  fee_type?: FeeType
}

interface Rule extends AmazonKind {
  /** Lower case; absent: any. */
  transaction?: RegExp
  amount?: RegExp
  description?: RegExp
}

const REFUND = /refund|chargeback|retrocharge|a-to-z/
const DISPUTE = /chargeback refund|retrocharge|a-to-z/

/**
 * transaction-type / amount-type / amount-description → what it is; the first rule that fits. The words of the documented report;
 * those of rarer movements are from memory and not checked against a live account. Charges of a fee book as fees, and what comes
 * back of one (a positive amount) as a returned fee, whatever the rule says.
 */
const RULES: readonly Rule[] = [
  // What Amazon collects and passes on to the state nets the tax of the order to zero.
  { amount: /^itemwithheldtax$/, kind: 'facilitator_tax' },
  { description: /^(marketplacefacilitator|lowvaluegoodstax|tcs|tds)/, kind: 'facilitator_tax' },
  { amount: /^promotion/, kind: 'promotion' },

  { amount: /^itemfees$/, description: /^(refundcommission|refund ?administration)/, kind: 'fee', fee_type: 'refund_administration' },
  // The share that is held back of the shipping income is a commission on it.
  { amount: /^itemfees$/, description: /commission|^shippinghb$/, kind: 'commission' },
  { amount: /^itemfees$/, description: /^(fba|fulfil)/, kind: 'fee', fee_type: 'fulfilment' },
  { amount: /^itemfees$/, description: /^(shipping|giftwrap)/, kind: 'fee', fee_type: 'fulfilment' },
  { amount: /^itemfees$/, description: /digitalservices/, kind: 'fee', fee_type: 'digital_services' },
  { amount: /^itemfees$/, description: /closingfee|variableclosing|fixedclosing|listing/, kind: 'fee', fee_type: 'listing' },
  { amount: /^itemfees$/, description: /tax/, kind: 'fee', fee_type: 'tax_on_fee' },
  { amount: /^itemfees$/, kind: 'fee', fee_type: 'other' },

  { transaction: DISPUTE, amount: /^itemprice$/, description: /tax$/, kind: 'tax' },
  { transaction: DISPUTE, amount: /^itemprice$/, kind: 'dispute' },
  { transaction: REFUND, amount: /^itemprice$/, description: /tax$/, kind: 'tax' },
  { transaction: REFUND, amount: /^itemprice$/, kind: 'refund' },
  { amount: /^itemprice$/, description: /tax$/, kind: 'tax' },
  { amount: /^itemprice$/, description: /^(shipping|giftwrap|cod)/, kind: 'shipping' },
  { amount: /^itemprice$/, description: /goodwill|safe-?t/, kind: 'adjustment' },
  { amount: /^itemprice$/, kind: 'sale' },
  { amount: /^(goodwill|free replacement refund)/, kind: 'adjustment' },

  { description: /^previous reserve/, kind: 'reserve_release' },
  { description: /^current reserve/, kind: 'reserve_hold' },
  { description: /^(payable to amazon|successful charge|failed disbursement|transfer)/, kind: 'transfer' },
  { description: /carry ?over|balance ?(adjustment|forward)|^unplanned service fee balance/, kind: 'carry_over' },
  { description: /loan|lending/, kind: 'loan' },
  { amount: /advertising/, kind: 'fee', fee_type: 'advertising' },
  { description: /advertis|coupon|deal|vine/, kind: 'fee', fee_type: 'advertising' },
  { description: /subscription/, kind: 'fee', fee_type: 'subscription' },
  { description: /storage/, kind: 'fee', fee_type: 'storage' },
  { description: /inbound|placement|prep ?fee|labell?ing/, kind: 'fee', fee_type: 'inbound' },
  { description: /removal|disposal|fulfil/, kind: 'fee', fee_type: 'fulfilment' },
  { description: /shipping ?label|postage|shipping services/, kind: 'fee', fee_type: 'shipping_label' },
  { description: /digitalservices/, kind: 'fee', fee_type: 'digital_services' },
  { amount: /reimbursement|safe-?t/, kind: 'adjustment' },
  { description: /reimburse|safe-?t|adjust|warehouse_(damage|lost)|reversal|^(missing|compensated|return)/, kind: 'adjustment' },
  { transaction: /^service ?fee/, kind: 'fee', fee_type: 'other' },
] // prettier-ignore

/** Undefined: no rule knows these words. */
export function kindOfAmazon(transaction: string, amount: string, description: string): AmazonKind | undefined {
  const words = {
    transaction: transaction.toLowerCase(),
    amount: amount.toLowerCase(),
    description: description.toLowerCase(),
  }
  const fits = (pattern: RegExp | undefined, word: string): boolean => pattern === undefined || pattern.test(word)
  return RULES.find(
    (rule) =>
      fits(rule.transaction, words.transaction) &&
      fits(rule.amount, words.amount) &&
      fits(rule.description, words.description),
  )
}

export interface Booked {
  kind: Kind
  fee_type: FeeType | null
  gross_minor: number
  fee_minor: number
  net_minor: number
}

const CHARGES: ReadonlySet<Kind> = new Set(['fee', 'commission', 'dispute_fee'])

/** A row of its own for a fee: gross 0, the fee as a positive number; what comes back of a fee is a negative one. */
export function booked({ kind, fee_type }: AmazonKind, amount_minor: number): Booked {
  if (!CHARGES.has(kind)) {
    return { kind, fee_type: null, gross_minor: amount_minor, fee_minor: 0, net_minor: amount_minor }
  }
  const fee = amount_minor === 0 ? 0 : -amount_minor
  const isReturned = amount_minor > 0
  const type = fee_type ?? null
  return {
    kind: isReturned ? 'fee_returned' : kind,
    fee_type: type,
    gross_minor: 0,
    fee_minor: fee,
    net_minor: amount_minor,
  }
}
