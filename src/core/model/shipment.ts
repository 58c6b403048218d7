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

/**
 * The answer of whoever does the work: taken on, refused with a reason, called back before it left, or taken on without the units of
 * `lines`, which were not on the shelf when they were to be picked.
 */
export const Acknowledgement = Type.Object(
  {
    fulfillment_order: Id,
    verdict: Words(['accepted', 'rejected', 'cancelled', 'short']),
    reason: Nullable(Type.String({ maxLength: 300 })),
    at: Instant,
    /** Of `short`: what was not found, in units of the item. */
    lines: Type.Optional(
      Type.Array(Type.Object({ sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, closed), {
        minItems: 1,
        maxItems: 2000,
      }),
    ),
    /** Of `short`: the sender's own name of the message, so that the same one again loses nothing more. Left out: its instant. */
    reference: Type.Optional(Id),
  },
  closed,
)
export type Acknowledgement = Type.Static<typeof Acknowledgement>
