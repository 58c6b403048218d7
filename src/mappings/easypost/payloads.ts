import Type, { type Static } from 'typebox'

const text = (maxLength = 500) => Type.Optional(Type.Union([Type.String({ maxLength }), Type.Null()]))
/** Sums come as text, from some endpoints as a number. */
const Sum = Type.Union([Type.String({ maxLength: 40 }), Type.Number()])

export const TrackingDetail = Type.Object({
  status: Type.String({ maxLength: 60 }),
  status_detail: text(100),
  datetime: Type.String({ minLength: 1, maxLength: 60 }),
  carrier_code: text(100),
  tracking_location: Type.Optional(
    Type.Union([Type.Object({ city: text(), state: text(), country: text() }), Type.Null()]),
  ),
})
export type TrackingDetail = Static<typeof TrackingDetail>

export const Tracker = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100 }),
  object: Type.Literal('Tracker'),
  tracking_code: Type.String({ minLength: 1, maxLength: 100 }),
  status: Type.String({ maxLength: 60 }),
  status_detail: text(100),
  carrier: text(100),
  updated_at: Type.String({ minLength: 1, maxLength: 60 }),
  public_url: text(),
  tracking_details: Type.Array(TrackingDetail, { maxItems: 1_000 }),
})
export type Tracker = Static<typeof Tracker>

/** What a webhook brings; only trackers are looked at. */
const TrackerEvent = Type.Object({ object: Type.Literal('Event'), result: Tracker })

/** A tracker by itself, or in the event that tells of it. */
export const TrackerPayload = Type.Union([Tracker, TrackerEvent])

export const Rate = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100 }),
  carrier: Type.String({ minLength: 1, maxLength: 100 }),
  service: Type.String({ minLength: 1, maxLength: 100 }),
  rate: Sum,
  currency: Type.String({ pattern: '^[A-Z]{3}$' }),
  delivery_days: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 365 }), Type.Null()])),
  est_delivery_days: Type.Optional(Type.Union([Type.Integer({ minimum: 0, maximum: 365 }), Type.Null()])),
  delivery_date_guaranteed: Type.Optional(Type.Union([Type.Boolean(), Type.Null()])),
})
export type Rate = Static<typeof Rate>

/** A carrier's word about a shipment it gives no rate for; it comes inside an answer that is otherwise a success. */
const CarrierMessage = Type.Object({ carrier: text(100), type: text(100), message: Type.Unknown() })

export const Shipment = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100 }),
  reference: text(200),
  tracking_code: text(100),
  rates: Type.Optional(Type.Array(Type.Unknown(), { maxItems: 1_000 })),
  messages: Type.Optional(Type.Union([Type.Array(CarrierMessage, { maxItems: 1_000 }), Type.Null()])),
  selected_rate: Type.Optional(Type.Union([Rate, Type.Null()])),
  postage_label: Type.Optional(
    Type.Union([
      Type.Object({ label_url: text(2_000), label_pdf_url: text(2_000), label_zpl_url: text(2_000) }),
      Type.Null(),
    ]),
  ),
  tracker: Type.Optional(Type.Union([Type.Object({ public_url: text() }), Type.Null()])),
  refund_status: text(60),
})
export type Shipment = Static<typeof Shipment>

/** A shipment carries its tracker once a label has been bought for it. */
export const TrackedShipment = Type.Object({
  id: Type.String({ minLength: 1, maxLength: 100 }),
  object: Type.Literal('Shipment'),
  tracker: Type.Optional(Type.Union([Tracker, Type.Null()])),
})
