import Type from 'typebox'
import { closed, Id, Instant, Nullable, Quantity, Words } from './schema.ts'

export const ShipmentLine = Type.Object(
  { sku: Id, quantity: Quantity, line_reference: Nullable(Id), lot: Nullable(Id) },
  closed,
)

/** Goods that left a location. `fulfillment_order` is the number we gave the work; a shipment may be a part of it. */
export const Shipment = Type.Object(
  {
    external_id: Id,
    fulfillment_order: Id,
    shipped_at: Instant,
    carrier: Nullable(Type.String({ maxLength: 100 })),
    tracking_number: Nullable(Type.String({ maxLength: 100 })),
    tracking_url: Nullable(Type.String({ maxLength: 500 })),
    lines: Type.Array(ShipmentLine, { minItems: 1, maxItems: 2000 }),
  },
  closed,
)
export type Shipment = Type.Static<typeof Shipment>

export const TRACKING_STATUSES = [
  'label_created', 'picked_up', 'in_transit', 'customs', 'out_for_delivery', 'available_for_pickup', 'delivery_attempted',
  'delivered', 'delayed', 'returning', 'returned', 'lost_or_damaged', 'cancelled', 'unknown',
] as const // prettier-ignore

/** One scan. Append-only and ordered by `at`, because carriers deliver scans out of order. */
export const TrackingEvent = Type.Object(
  {
    carrier: Nullable(Type.String({ maxLength: 100 })),
    tracking_number: Id,
    code: Id,
    status: Words(TRACKING_STATUSES),
    at: Instant,
    place: Nullable(Type.String({ maxLength: 200 })),
  },
  closed,
)
export type TrackingEvent = Type.Static<typeof TrackingEvent>

/** The 3PL's answer to work we sent: taken on, refused with a reason, or called back before it left. */
export const Acknowledgement = Type.Object(
  {
    fulfillment_order: Id,
    verdict: Words(['accepted', 'rejected', 'cancelled']),
    reason: Nullable(Type.String({ maxLength: 300 })),
    at: Instant,
  },
  closed,
)
export type Acknowledgement = Type.Static<typeof Acknowledgement>
