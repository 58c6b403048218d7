import Type from 'typebox'
import { Currency } from './money.ts'
import { closed, Country, Words } from './schema.ts'

const Amount = Type.Integer({ minimum: 0, maximum: 100_000_000 })
const Grams = Type.Integer({ minimum: 1, maximum: 1_000_000 })
const words = (maxLength: number) =>
  Type.Array(Type.String({ minLength: 1, maxLength }), { minItems: 1, maxItems: 100 })

/** Length, width and height in any order. */
export const SizeMm = Type.Array(Type.Integer({ minimum: 1, maximum: 10_000 }), { minItems: 3, maxItems: 3 })

/**
 * Which offers a parcel may leave with. The first rule that fits the parcel decides, and takes the cheapest of the offers that it
 * allows and that keep what the buyer was promised.
 */
export const ShippingRule = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 100 }),
    /** When it applies. Whatever is left out sets no bound. */
    countries: Type.Optional(
      Type.Array(Country, { minItems: 1, maxItems: 250, description: 'Where the parcel goes.' }),
    ),
    service_levels: Type.Optional(words(60)),
    weight_g_max: Type.Optional(Grams),
    /** Which offers it allows. */
    carriers: Type.Optional(words(100)),
    services: Type.Optional({ ...words(100), description: 'Services by the names that the carriers give them.' }),
    amount_minor_max: Type.Optional(Amount),
    days_max: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 60,
        description: 'Working days on the way; an offer that names none is out.',
      }),
    ),
    guaranteed: Type.Optional(Type.Boolean({ description: 'Only offers whose day the carrier guarantees.' })),
  },
  closed,
)
export type ShippingRule = Type.Static<typeof ShippingRule>

/** How a place comes by its labels. */
export const LabelChoices = Type.Object(
  {
    connection: Type.String({
      minLength: 1,
      maxLength: 63,
      description: 'The connection that labels are bought with.',
    }),
    when: Type.Unsafe<'before_work'>({
      type: 'string',
      enum: ['before_work'],
      default: 'before_work',
      description: 'before_work: work is sent to the place together with its label.',
    }),
    /** Money of the offers; those in another are not compared. */
    currency: Currency,
    ship_from: Type.Object(
      {
        name: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        company: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        line1: Type.String({ minLength: 1, maxLength: 300 }),
        line2: Type.Optional(Type.String({ minLength: 1, maxLength: 300 })),
        city: Type.String({ minLength: 1, maxLength: 200 }),
        region: Type.Optional(Type.String({ minLength: 1, maxLength: 200 })),
        phone: Type.Optional(Type.String({ minLength: 1, maxLength: 60 })),
      },
      { ...closed, description: 'Where parcels are handed over; postcode and country are those of the location.' },
    ),
    parcel: Type.Object(
      {
        unit_weight_g: { ...Grams, description: 'What a unit weighs whose item says nothing.' },
        packaging_g: Type.Optional(Type.Integer({ minimum: 0, maximum: 100_000, default: 0 })),
        size_mm: Type.Optional({ ...SizeMm, description: 'Of a parcel whose items say nothing.' }),
      },
      closed,
    ),
    rules: Type.Array(ShippingRule, {
      maxItems: 100,
      default: [],
      description: 'The first that fits decides; none, or none that fits: the cheapest offer that keeps the promise.',
    }),
  },
  closed,
)
export type LabelChoices = Type.Static<typeof LabelChoices>

export const PARCEL_STATES = ['wanted', 'rated', 'buying', 'bought', 'voiding', 'voided', 'dropped'] as const
export const ParcelState = Words(PARCEL_STATES)
export type ParcelState = (typeof PARCEL_STATES)[number]
