import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, Words } from './schema.ts'

export const ReturnLine = Type.Object(
  {
    sku: Id,
    line_reference: Nullable(Id),
    quantity: Quantity,
    disposition: Words(['restock', 'quality_control', 'damaged', 'discard']),
  },
  closed,
)

/** Goods that came back (RMA). Money is a refund's matter; the two axes stay apart. */
export const Return = Type.Object(
  {
    external_id: Id,
    order_external_id: Nullable(Id),
    fulfillment_order: Nullable(Id),
    location_code: Id,
    received_at: Instant,
    lines: Type.Array(ReturnLine, { minItems: 1, maxItems: 2000 }),
  },
  closed,
)
export type Return = Type.Static<typeof Return>
