import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, Words } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'

/** What a payment or refund is known by elsewhere; any of these may join it to an order or a settlement line. */
export const References = Type.Object(
  {
    order_external_id: Nullable(Id),
    order_number: Nullable(Id),
    /** Gateway ids that name the same money: charge, payment intent, capture, transaction id. */
    payment_ids: Type.Array(Id, { maxItems: 50 }),
  },
  closed,
)
export type References = Type.Static<typeof References>

/** Money taken from, or promised by, a buyer, as a gateway or channel reports it. */
export const Payment = Type.Object(
  {
    external_id: Id,
    kind: Words(['authorization', 'capture', 'dispute']),
    status: Words(['pending', 'succeeded', 'failed', 'cancelled']),
    at: Instant,
    currency: Currency,
    amount_minor: MinorUnits,
    references: References,
  },
  closed,
)
export type Payment = Type.Static<typeof Payment>

export const RefundLine = Type.Object(
  {
    line_external_id: Id,
    quantity: Quantity,
    /** `cancel`: the units were never shipped and become free. `return`: they come back later, by a return. `none`: goods stay with the buyer. */
    restock: Words(['none', 'cancel', 'return']),
    amount_minor: MinorUnits,
    tax_minor: MinorUnits,
  },
  closed,
)

/** Money given back. `amount_minor` is positive. */
export const Refund = Type.Object(
  {
    external_id: Id,
    status: Words(['pending', 'succeeded', 'failed', 'cancelled']),
    at: Instant,
    currency: Currency,
    amount_minor: MinorUnits,
    reason: Nullable(Type.String({ maxLength: 200 })),
    lines: Type.Array(RefundLine, { maxItems: 1000 }),
    references: References,
  },
  closed,
)
export type Refund = Type.Static<typeof Refund>
