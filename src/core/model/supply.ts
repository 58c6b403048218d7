import Type from 'typebox'
import { closed, Id, Instant, Nullable, Words } from './schema.ts'

const SUPPLY_UNITS_MAX = 1_000_000_000
const LINES_MAX = 10_000

const units = (least: 0 | 1) => Type.Integer({ minimum: least, maximum: SUPPLY_UNITS_MAX })
const expected = Type.Optional(
  Nullable(Type.String({ format: 'date-time', description: 'when it is expected; null: nobody has said' })),
)

/** A purchase as a person or a system of the merchant's writes it: the whole of it, each time. */
export const PurchaseDocument = Type.Object(
  {
    reference: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "the purchase order's number: the same again changes it",
    }),
    location: Id,
    expected_at: expected,
    lines: Type.Array(Type.Object({ sku: Id, quantity: units(0) }, closed), { maxItems: LINES_MAX }),
  },
  closed,
)
export type PurchaseDocument = Type.Static<typeof PurchaseDocument>

export const TransferDocument = Type.Object(
  {
    reference: Type.String({
      minLength: 1,
      maxLength: 200,
      description: 'the same wish again is answered with the same transfer',
    }),
    from: Id,
    to: Id,
    expected_at: expected,
    lines: Type.Array(Type.Object({ sku: Id, quantity: units(1) }, closed), { minItems: 1, maxItems: LINES_MAX }),
  },
  closed,
)
export type TransferDocument = Type.Static<typeof TransferDocument>

/** Goods that came in for a supply. */
export const ReceiptDocument = Type.Object(
  {
    key: Type.String({
      minLength: 1,
      maxLength: 200,
      description: "the caller's own name of the delivery, to be safe to repeat",
    }),
    location: Type.Optional(Id),
    at: Type.Optional(Instant),
    close: Type.Optional(Type.Boolean({ description: 'nothing more will come; default false' })),
    lines: Type.Array(
      Type.Object(
        {
          sku: Id,
          quantity: units(1),
          to: Type.Optional(Words(['available', 'quality_control', 'damaged'])),
          lot: Type.Optional(Id),
          expires_on: Type.Optional(Type.String({ format: 'date' })),
        },
        closed,
      ),
      { maxItems: LINES_MAX },
    ),
  },
  closed,
)
export type ReceiptDocument = Type.Static<typeof ReceiptDocument>

/**
 * Goods that somebody else's warehouse has taken in. `reference` is what the delivery was called: where it names a supply of ours, the
 * goods are what was on its way.
 */
export const Receipt = Type.Object(
  {
    external_id: Id,
    location_code: Id,
    received_at: Instant,
    reference: Nullable(Id),
    lines: Type.Array(
      Type.Object(
        {
          sku: Id,
          quantity: units(1),
          to: Words(['available', 'quality_control', 'damaged']),
          lot: Nullable(Id),
          expires_on: Nullable(Type.String({ format: 'date' })),
        },
        closed,
      ),
      { minItems: 1, maxItems: LINES_MAX },
    ),
  },
  closed,
)
export type Receipt = Type.Static<typeof Receipt>
