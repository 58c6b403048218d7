import Type from 'typebox'
import { closed, Id, Nullable } from './schema.ts'

/** A thing that is sold, as the system that keeps the merchant's products describes it. */
export const Item = Type.Object(
  {
    sku: Id,
    name: Nullable(Type.String({ maxLength: 500 })),
    barcode: Nullable(Type.String({ maxLength: 100 })),
    weight_g: Nullable(Type.Integer({ minimum: 1, maximum: 1_000_000_000 })),
    /** What it is made of when it has no stock of its own; null: it is no kit. */
    kit: Nullable(
      Type.Array(Type.Object({ sku: Id, quantity: Type.Integer({ minimum: 1, maximum: 1_000_000 }) }, closed), {
        minItems: 1,
        maxItems: 100,
      }),
    ),
    active: Type.Boolean(),
  },
  closed,
)
export type Item = Type.Static<typeof Item>
