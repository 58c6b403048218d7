import Type from 'typebox'
import { closed, Country, Words } from './schema.ts'
import { Currency, MinorUnits } from './money.ts'

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
const Day = Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}$', description: 'A date at the place itself: 2026-12-24.' })
const TimeOfDay = Type.String({
  pattern: '^([01]\\d|2[0-3]):[0-5]\\d$',
  description: 'Wall clock at the place: 14:30.',
})

/** When a place works, in its own time zone. An order that comes after the cut-off leaves on the next working day. */
export const LocationCalendar = Type.Object(
  {
    days: Type.Array(Words(WEEKDAYS), { minItems: 1, maxItems: 7, default: ['mon', 'tue', 'wed', 'thu', 'fri'] }),
    cutoff: TimeOfDay,
    /** Days and spans on which nothing leaves. Spans must not overlap. */
    closed: Type.Array(Type.Object({ from: Day, to: Day }, closed), { maxItems: 400, default: [] }),
  },
  closed,
)
export type LocationCalendar = Type.Static<typeof LocationCalendar>

/** What a shipment from a place to these countries costs: for the parcel, and for each unit after the first. */
export const ShippingCost = Type.Object(
  {
    countries: Type.Array(Country, { maxItems: 250, description: 'Empty: everywhere else.' }),
    service_level: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
    parcel_minor: MinorUnits,
    unit_minor: MinorUnits,
  },
  closed,
)
export type ShippingCost = Type.Static<typeof ShippingCost>

/** What a location can do. Whatever is left out sets no bound. */
export const LocationServices = Type.Object(
  {
    countries: Type.Optional(Type.Array(Country, { minItems: 1, maxItems: 250 })),
    /** Beginnings of postcodes, `DE:10` or without a country. */
    postcodes: Type.Optional(
      Type.Array(Type.String({ pattern: '^([A-Z]{2}:)?[0-9A-Z ]{1,10}$' }), { minItems: 1, maxItems: 1000 }),
    ),
    service_levels: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { minItems: 1, maxItems: 50 }),
    ),
    calendar: Type.Optional(LocationCalendar),
    orders_per_day: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000 })),
    /** Routing tags of items that never leave from here. */
    refuses_tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 60 }), { maxItems: 50 })),
    refuses_skus: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 200 }), { maxItems: 10_000 })),
    currency: Type.Optional(Currency),
    costs: Type.Optional(Type.Array(ShippingCost, { maxItems: 1000 })),
  },
  closed,
)
export type LocationServices = Type.Static<typeof LocationServices>
