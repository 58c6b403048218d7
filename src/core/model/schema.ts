import Type, { type TSchema } from 'typebox'

/** Canonical documents are closed: a field that is not named here is a mapping fault, not a silent extra. */
export const closed = { additionalProperties: false } as const

/** An instant as ISO 8601 with zone; stored as timestamptz. */
export const Instant = Type.String({ format: 'date-time' })

/** A vendor's or merchant's identifier: text, never a number, at most 200 characters. */
export const Id = Type.String({ minLength: 1, maxLength: 200 })

/** Integer in the item's base unit. */
export const Quantity = Type.Integer({ minimum: 0, maximum: 1_000_000_000 })
export const SignedQuantity = Type.Integer({ minimum: -1_000_000_000, maximum: 1_000_000_000 })

/** Country as ISO 3166-1 alpha-2. */
export const Country = Type.String({ pattern: '^[A-Z]{2}$' })

/** A closed vocabulary; the type is the union of the words. */
export function Words<const W extends readonly [string, ...string[]]>(words: W) {
  return Type.Unsafe<W[number]>({ type: 'string', enum: words })
}

/** Present or null: canonical documents name every optional field, so that absence is a statement. */
export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}
