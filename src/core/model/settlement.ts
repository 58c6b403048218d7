import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, Words } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'
import { References } from './payment.ts'

/** Closed taxonomy; a vendor type that is not in its table becomes `other` with a warning, never an error. */
export const SETTLEMENT_LINE_KINDS = [
  'sale', 'shipping', 'tax', 'facilitator_tax', 'promotion', 'commission', 'fee', 'refund', 'fee_returned', 'dispute', 'dispute_fee',
  'reserve_hold', 'reserve_release', 'carry_over', 'adjustment', 'loan', 'transfer', 'other',
] as const // prettier-ignore

/** What a fee is for, as far as the vendor says; the kinds `commission`, `dispute_fee` and `fee_returned` speak for themselves. */
export const FEE_TYPES = [
  'payment', 'fx', 'fulfilment', 'storage', 'inbound', 'shipping_label', 'advertising', 'subscription', 'refund_administration', 'digital_services',
  'tax_on_fee', 'payout', 'listing', 'penalty', 'other',
] as const // prettier-ignore

/** One row of a payout. Signs are the merchant's: money in is positive. `net_minor = gross_minor - fee_minor`. */
export const SettlementLine = Type.Object(
  {
    external_id: Id,
    kind: Words(SETTLEMENT_LINE_KINDS),
    vendor_type: Id,
    at: Instant,
    currency: Currency,
    gross_minor: MinorUnits,
    fee_minor: MinorUnits,
    net_minor: MinorUnits,
    references: References,
    /** Of a fee: what it is for. */
    fee_type: Type.Optional(Nullable(Words(FEE_TYPES))),
    /** What the line is about, where the source goes down to it. */
    sku: Type.Optional(Nullable(Id)),
    quantity: Type.Optional(Nullable(Quantity)),
    order_line_external_id: Type.Optional(Nullable(Id)),
    shipment_external_id: Type.Optional(Nullable(Id)),
    /** What the buyer paid, where it was in another currency: `gross_minor` is `original_minor` × `rate`, rounded by the vendor. */
    fx: Type.Optional(
      Nullable(
        Type.Object(
          { currency: Currency, original_minor: MinorUnits, rate: Type.String({ pattern: '^\\d+(\\.\\d+)?$' }) },
          closed,
        ),
      ),
    ),
    /** Row of the file it came from, counted from 1 as an editor shows it; null: from an API. */
    row: Type.Optional(Nullable(Type.Integer({ minimum: 1 }))),
  },
  closed,
)
export type SettlementLine = Type.Static<typeof SettlementLine>

/** One payout and its lines. The lines' net must sum to `payout_minor`. */
export const Settlement = Type.Object(
  {
    external_id: Id,
    status: Words(['pending', 'in_transit', 'paid', 'failed', 'cancelled']),
    currency: Currency,
    payout_minor: MinorUnits,
    created_at: Instant,
    arrival_at: Nullable(Instant),
    bank_reference: Nullable(Id),
    lines: Type.Array(SettlementLine, { maxItems: 1_000_000 }),
  },
  closed,
)
export type Settlement = Type.Static<typeof Settlement>

/** A payout without its lines, as a file states it. */
export type SettlementHeader = Omit<Settlement, 'lines'> & {
  /** What the file itself says its rows come to, where it carries a control total beside the payout. */
  control_minor: number | null
  /** Balances before and after, where the source is a statement of an account: begin + Σ net = end + payout. */
  begin_minor: number | null
  end_minor: number | null
}

/** A row of a file that could not be understood. */
export interface RowFault {
  row: number
  /** Column, or what of the row is meant. */
  column: string | null
  message: string
}
