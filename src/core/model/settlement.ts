import Type from 'typebox'
import { closed, Id, Instant, Nullable, Words } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'
import { References } from './payment.ts'

/** Closed taxonomy; a vendor type that is not in its table becomes `other` with a warning, never an error. */
export const SETTLEMENT_LINE_KINDS = [
  'sale', 'shipping', 'tax', 'facilitator_tax', 'promotion', 'commission', 'fee', 'refund', 'fee_returned', 'dispute', 'dispute_fee',
  'reserve_hold', 'reserve_release', 'carry_over', 'adjustment', 'loan', 'transfer', 'other',
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
