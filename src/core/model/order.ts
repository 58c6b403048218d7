import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, Words } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'
import { Address, Party } from './party.ts'
import { Refund } from './payment.ts'

/**
 * Which of two pictures of one document is newer: first the vendor's own update time, then the moment the picture was taken
 * (webhook trigger or poll). An older picture never overwrites a newer one, whatever order they arrive in.
 */
export const Version = Type.Object({ updated_at: Instant, observed_at: Instant }, closed)
export type Version = Type.Static<typeof Version>

export const OrderLine = Type.Object(
  {
    external_id: Id,
    channel_sku: Id,
    title: Nullable(Type.String({ maxLength: 500 })),
    /** Units wanted as of this version: after edits, before refunds of shipped goods. A removed line has 0. */
    quantity: Quantity,
    unit_price_minor: MinorUnits,
    discount_minor: MinorUnits,
    tax_minor: MinorUnits,
    total_minor: MinorUnits,
    requires_shipping: Type.Boolean(),
  },
  closed,
)
export type OrderLine = Type.Static<typeof OrderLine>

export const OrderTotals = Type.Object(
  {
    subtotal_minor: MinorUnits,
    discount_minor: MinorUnits,
    shipping_minor: MinorUnits,
    tax_minor: MinorUnits,
    total_minor: MinorUnits,
    refunded_minor: MinorUnits,
  },
  closed,
)

export const ORDER_LIFECYCLES = ['open', 'cancelled', 'closed'] as const
export const PAYMENT_STATES = [
  'pending',
  'authorized',
  'partially_paid',
  'paid',
  'partially_refunded',
  'refunded',
  'voided',
] as const

/** A whole picture of an order as a channel shows it at `version`. */
export const Order = Type.Object(
  {
    external_id: Id,
    number: Id,
    version: Version,
    placed_at: Instant,
    currency: Currency,
    lifecycle: Words(ORDER_LIFECYCLES),
    cancelled_at: Nullable(Instant),
    payment_state: Words(PAYMENT_STATES),
    taxes_included: Type.Boolean(),
    test: Type.Boolean(),
    buyer: Nullable(Party),
    ship_to: Nullable(Address),
    bill_to: Nullable(Address),
    shipping_method: Nullable(Type.String({ maxLength: 200 })),
    /** When the goods have to leave, where the channel promised the buyer a date. */
    ship_by: Type.Optional(Nullable(Instant)),
    /** When the buyer has to have them, where the channel promised that. */
    deliver_by: Type.Optional(Nullable(Instant)),
    lines: Type.Array(OrderLine, { maxItems: 2000 }),
    totals: OrderTotals,
    /** Gateway ids that paid for it, where the channel tells. */
    payment_ids: Type.Array(Id, { maxItems: 50 }),
    refunds: Type.Array(Refund, { maxItems: 500 }),
  },
  closed,
)
export type Order = Type.Static<typeof Order>

/** A bare word that an order is gone (deleted at the channel). It may arrive before the order itself. */
export const Cancellation = Type.Object(
  { external_id: Id, version: Version, reason: Nullable(Type.String({ maxLength: 200 })) },
  closed,
)
export type Cancellation = Type.Static<typeof Cancellation>
