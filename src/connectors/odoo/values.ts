import Type, { type Static } from 'typebox'
import { HubError } from '../../core/errors.ts'

// Values as Odoo writes them: nothing is `false`, whatever the type.

/** A reference with the name of what it points to. */
export const Pair = Type.Unsafe<[number, string]>({
  type: 'array',
  prefixItems: [{ type: 'integer' }, { type: 'string' }],
  items: false,
  minItems: 2,
})
export const Ref = Type.Union([Pair, Type.Literal(false)])
export const Text = Type.Union([Type.String(), Type.Literal(false)])
export const Ids = Type.Array(Type.Integer())
/** A field that this server may not have. */
export const Maybe = Type.Optional(Type.Unknown())

export const idOf = (ref: Static<typeof Ref>): number | null => (ref === false ? null : ref[0])
export const nameOf = (ref: Static<typeof Ref>): string | null => (ref === false ? null : ref[1])
export const textOf = (text: Static<typeof Text>): string | null => (text === false ? null : text)

/** Quantities are floats there and units here; anything that is not whole is nobody's unit. */
export function unitsOf(value: unknown, what: string): number {
  const units = typeof value === 'number' ? Math.round(value) : Number.NaN
  if (!Number.isSafeInteger(units) || Math.abs(Number(value) - units) > 1e-6)
    throw new HubError('vendor_rejected', `${what} is not a whole number of units in Odoo`)
  return units
}
