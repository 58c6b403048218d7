import Type, { type Static, type TSchema } from 'typebox'

/** Absent, null or the value: old API versions leave fields out, newer ones send null. */
const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const list = <T extends TSchema>(schema: T) => maybe(Type.Array(schema))
const fields = <K extends string, T extends TSchema>(schema: T, ...names: K[]) =>
  Object.fromEntries(names.map((name) => [name, schema])) as Record<K, T>

/** Numeric in the REST shape; text is taken too, because readers that guard big numbers send text. */
const AnyId = Type.Union([Type.Integer(), Type.String({ minLength: 1 })])
/** Decimal text nearly everywhere; refund lines carry JSON numbers, whose shortest text is the amount as written. */
const Amount = Type.Union([Type.String(), Type.Number()])
const Bag = Type.Object({ shop_money: Type.Object({ amount: Amount, currency_code: Type.String() }) })
const Units = Type.Integer({ minimum: 0 })
const [MaybeText, MaybeId, MaybeBag] = [maybe(Type.String()), maybe(AnyId), maybe(Bag)]
const MaybeAmount = maybe(Amount)
const MaybeBoolean = maybe(Type.Boolean())

const Address = Type.Object({
  ...fields(MaybeText, 'name', 'first_name', 'last_name', 'company', 'address1', 'address2', 'city', 'province'),
  ...fields(MaybeText, 'province_code', 'zip', 'country_code', 'phone'),
})
const Allocation = Type.Object({ amount: Amount, amount_set: MaybeBag })
const Priced = Type.Object({ price: Amount, price_set: MaybeBag })
const Line = Type.Object({
  id: AnyId,
  variant_id: MaybeId,
  ...fields(MaybeText, 'sku', 'title', 'name', 'fulfillment_status'),
  quantity: Units,
  ...fields(maybe(Type.Integer()), 'current_quantity', 'fulfillable_quantity'),
  ...Priced.properties,
  requires_shipping: MaybeBoolean,
  total_discount: MaybeAmount,
  discount_allocations: list(Allocation),
  tax_lines: list(Priced),
})

export const RestTransaction = Type.Object({
  id: AnyId,
  order_id: MaybeId,
  kind: Type.String(),
  amount: MaybeAmount,
  amount_set: MaybeBag,
  ...fields(MaybeText, 'status', 'currency', 'payment_id', 'authorization', 'created_at', 'processed_at'),
})

export const RestRefund = Type.Object({
  id: AnyId,
  order_id: MaybeId,
  ...fields(MaybeText, 'created_at', 'processed_at', 'note'),
  restock: MaybeBoolean,
  refund_line_items: Type.Array(
    Type.Object({
      line_item_id: AnyId,
      quantity: Units,
      restock_type: MaybeText,
      ...fields(MaybeAmount, 'subtotal', 'total_tax'),
      ...fields(MaybeBag, 'subtotal_set', 'total_tax_set'),
      line_item: maybe(Line),
    }),
  ),
  transactions: list(RestTransaction),
})

export const RestFulfillment = Type.Object({
  id: AnyId,
  order_id: MaybeId,
  ...fields(MaybeText, 'status', 'created_at', 'tracking_company', 'tracking_number', 'tracking_url'),
  line_items: list(Type.Object({ id: AnyId, quantity: Units, sku: MaybeText })),
})

/** The order as webhooks carry it. Only what is read is named; what an old API version lacks may be absent. */
export const RestOrder = Type.Object({
  id: AnyId,
  order_number: MaybeId,
  ...fields(Type.String(), 'created_at', 'updated_at', 'currency'),
  ...fields(MaybeText, 'name', 'processed_at', 'cancelled_at', 'closed_at', 'financial_status'),
  ...fields(MaybeText, 'email', 'contact_email', 'phone'),
  ...fields(MaybeBoolean, 'taxes_included', 'test'),
  customer: maybe(Type.Object({ id: MaybeId, ...fields(MaybeText, 'first_name', 'last_name', 'email') })),
  ...fields(maybe(Address), 'billing_address', 'shipping_address'),
  shipping_lines: list(
    Type.Object({
      title: MaybeText,
      ...Priced.properties,
      is_removed: MaybeBoolean,
      discount_allocations: list(Allocation),
    }),
  ),
  line_items: Type.Array(Line),
  total_price: Amount,
  ...fields(MaybeAmount, 'subtotal_price', 'total_discounts', 'total_tax'),
  ...fields(MaybeBag, 'subtotal_price_set', 'total_discounts_set', 'total_tax_set', 'total_price_set'),
  fulfillments: list(RestFulfillment),
  refunds: list(RestRefund),
  transactions: list(RestTransaction),
})

export const Deleted = Type.Object({ id: AnyId })
export const OrderEdited = Type.Object({ order_edit: Type.Object({ order_id: AnyId }) })
export const InventoryLevel = Type.Object({
  ...fields(AnyId, 'inventory_item_id', 'location_id'),
  available: Type.Union([Type.Integer(), Type.Null()]),
  updated_at: Type.String(),
})
/** `customers/data_request`, `customers/redact` and `shop/redact` in one: each leaves out what it does not need. */
export const PrivacyMessage = Type.Object({
  shop_id: AnyId,
  customer: maybe(Type.Object({ id: MaybeId, email: MaybeText })),
  ...fields(list(AnyId), 'orders_requested', 'orders_to_redact'),
  data_request: maybe(Type.Object({ id: AnyId })),
})

export type RestOrder = Static<typeof RestOrder>
export type RestLine = Static<typeof Line>
export type RestRefund = Static<typeof RestRefund>
export type RestTransaction = Static<typeof RestTransaction>
export type RestAddress = Static<typeof Address>
export type RestBag = Static<typeof Bag>
