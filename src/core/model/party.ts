import Type from 'typebox'
import { closed, Country, Nullable } from './schema.ts'

const text = (maxLength: number) => Nullable(Type.String({ maxLength }))

/** A postal address. Personal data: it lives in the vault only (design invariant 10). */
export const Address = Type.Object(
  {
    name: text(200),
    company: text(200),
    line1: text(300),
    line2: text(300),
    city: text(200),
    region: text(200),
    postcode: text(40),
    country: Nullable(Country),
    phone: text(60),
  },
  closed,
)
export type Address = Type.Static<typeof Address>

/** Who bought. `external_id` and `email` find the same subject again; personal data, vault only. */
export const Party = Type.Object({ external_id: text(200), name: text(200), email: text(320), phone: text(60) }, closed)
export type Party = Type.Static<typeof Party>
