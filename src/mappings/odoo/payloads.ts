import Type, { type Static } from 'typebox'

/** What the connector makes of several of Odoo's records; amounts and quantities as decimal text, so that none passes through a float. */
const Decimal = Type.String({ pattern: '^-?\\d+(\\.\\d+)?$' })
const NullableText = Type.Union([Type.String(), Type.Null()])

export const OdooKit = Type.Object({
  /** How many kits the lines make. */
  quantity: Decimal,
  /** Newest change of the bill of materials. */
  changed: Type.String(),
  lines: Type.Array(
    Type.Object({
      sku: NullableText,
      quantity: Decimal,
      /** The line counts in the component's own unit. */
      own_unit: Type.Boolean(),
      is_kit: Type.Boolean(),
      /** The line is of certain variants only. */
      for_some: Type.Boolean(),
    }),
  ),
})
export type OdooKit = Static<typeof OdooKit>

export const OdooItemPayload = Type.Object({
  id: Type.Integer(),
  default_code: Type.String({ minLength: 1, maxLength: 200 }),
  name: Type.String(),
  barcode: NullableText,
  weight: Decimal,
  weight_unit: Type.String(),
  active: Type.Boolean(),
  /** Other active products with this SKU. */
  same_sku: Type.Array(Type.Integer()),
  kit: Type.Union([OdooKit, Type.Null()]),
})
export type OdooItemPayload = Static<typeof OdooItemPayload>

export const OdooStockPayload = Type.Object({
  warehouse: Type.String({ minLength: 1, maxLength: 200 }),
  as_of: Type.String(),
  lines: Type.Array(
    Type.Object({ product: Type.Integer(), sku: Type.String({ minLength: 1, maxLength: 200 }), quantity: Decimal }),
  ),
})
export type OdooStockPayload = Static<typeof OdooStockPayload>
