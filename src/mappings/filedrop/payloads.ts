import Type from 'typebox'
import { Id, Instant, Nullable, Quantity, Words } from '../../core/model/schema.ts'

/** What the rows of one document in a 3PL's file come to, once their cells have been read. See the connector's README. */
const Text = (maxLength: number) => Nullable(Type.String({ maxLength }))

export const ShipmentRows = Type.Object({
  shipment_id: Id,
  fulfillment_order: Id,
  shipped_at: Instant,
  carrier: Text(100),
  tracking_number: Text(100),
  tracking_url: Text(500),
  lines: Type.Array(Type.Object({ sku: Id, quantity: Quantity, line_reference: Nullable(Id), lot: Nullable(Id) }), {
    minItems: 1,
  }),
})

export const StockRows = Type.Object({
  location_code: Id,
  as_of: Instant,
  /** Names this part of the file's count; the same count sent again has the same name. */
  part: Id,
  lines: Type.Array(
    Type.Object({ sku: Id, on_hand: Quantity, damaged: Nullable(Quantity), quality_control: Nullable(Quantity) }),
  ),
})

export const ReceiptRows = Type.Object({
  receipt_id: Id,
  location_code: Id,
  received_at: Instant,
  reference: Nullable(Id),
  lines: Type.Array(Type.Object({ sku: Id, quantity: Quantity }), { minItems: 1 }),
})

export const AckRow = Type.Object({
  fulfillment_order: Id,
  verdict: Words(['accepted', 'rejected', 'cancelled']),
  reason: Text(300),
  at: Instant,
})

export const ReturnRows = Type.Object({
  return_id: Id,
  fulfillment_order: Nullable(Id),
  order_external_id: Nullable(Id),
  location_code: Id,
  received_at: Instant,
  lines: Type.Array(
    Type.Object({
      sku: Id,
      quantity: Quantity,
      line_reference: Nullable(Id),
      disposition: Nullable(Type.String({ maxLength: 60 })),
    }),
    { minItems: 1 },
  ),
})
