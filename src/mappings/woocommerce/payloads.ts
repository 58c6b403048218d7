import Type, { type TSchema } from 'typebox'

/** Only what is read; the shop may send more. WooCommerce writes money as decimal text and ids as JSON integers. */
const open = { additionalProperties: true } as const
const maybe = <T extends TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const WooId = Type.Integer({ minimum: 0, maximum: 9_007_199_254_740_991 })
const Text = Type.String()

const MetaEntry = Type.Object({ key: Type.String(), value: Type.Unknown() }, open)

const WooAddress = Type.Object(
  {
    first_name: maybe(Text),
    last_name: maybe(Text),
    company: maybe(Text),
    address_1: maybe(Text),
    address_2: maybe(Text),
    city: maybe(Text),
    state: maybe(Text),
    postcode: maybe(Text),
    country: maybe(Text),
    email: maybe(Text),
    phone: maybe(Text),
  },
  open,
)
export type WooAddress = Type.Static<typeof WooAddress>

/** `price` stands in every line too: a float that the shop computes, so it is never read. */
const WooLine = Type.Object(
  {
    id: WooId,
    name: maybe(Text),
    product_id: WooId,
    variation_id: WooId,
    quantity: Type.Integer({ minimum: 0 }),
    subtotal: Text,
    subtotal_tax: Text,
    total: Text,
    total_tax: Text,
    sku: maybe(Text),
    meta_data: Type.Optional(Type.Array(MetaEntry)),
  },
  open,
)
export type WooLine = Type.Static<typeof WooLine>

const WooFee = Type.Object({ total: Text, total_tax: Text }, open)

const RefundedLine = Type.Object(
  {
    id: WooId,
    quantity: Type.Integer({ maximum: 0 }),
    total: Text,
    total_tax: Text,
    meta_data: Type.Optional(Type.Array(MetaEntry)),
  },
  open,
)

/** One entry of GET /orders/{id}/refunds. It names its order only by a link (and, in newer shops, by `parent_id`). */
export const WooRefund = Type.Object(
  {
    id: WooId,
    parent_id: Type.Optional(WooId),
    date_created_gmt: Text,
    amount: Text,
    reason: maybe(Text),
    line_items: Type.Array(RefundedLine),
    currency: Type.Optional(Text),
    _links: Type.Optional(Type.Object({ up: Type.Optional(Type.Array(Type.Object({ href: Text }, open))) }, open)),
  },
  open,
)
export type WooRefund = Type.Static<typeof WooRefund>

export const WooOrder = Type.Object(
  {
    id: WooId,
    number: Text,
    status: Text,
    currency: Type.String({ pattern: '^[A-Z]{3}$' }),
    date_created_gmt: maybe(Text),
    date_modified_gmt: maybe(Text),
    date_paid_gmt: maybe(Text),
    date_completed_gmt: maybe(Text),
    prices_include_tax: Type.Boolean(),
    customer_id: WooId,
    transaction_id: maybe(Text),
    discount_total: Text,
    discount_tax: Text,
    shipping_total: Text,
    shipping_tax: Text,
    total: Text,
    total_tax: Text,
    billing: WooAddress,
    shipping: WooAddress,
    line_items: Type.Array(WooLine),
    fee_lines: Type.Array(WooFee),
    shipping_lines: Type.Array(Type.Object({ method_title: maybe(Text), method_id: maybe(Text) }, open)),
    refunds: Type.Array(Type.Object({ id: WooId, total: Text }, open)),
    meta_data: Type.Optional(Type.Array(MetaEntry)),
    /** Not the shop's: the pull adds what GET /orders/{id}/refunds answered, because an order shows no refunded lines. */
    refund_details: Type.Optional(Type.Array(WooRefund)),
  },
  open,
)
export type WooOrder = Type.Static<typeof WooOrder>

/** All that order.deleted carries. */
export const WooDeleted = Type.Object({ id: WooId }, open)

/** A product, or a variation to which the pull has added its parent's id where the shop left it out. */
export const WooProduct = Type.Object(
  {
    id: WooId,
    parent_id: Type.Optional(WooId),
    name: maybe(Text),
    type: Type.Optional(Text),
    /** Always there, empty or not; it tells a product from an order or a webhook, which have an id and perhaps a name, too. */
    sku: Type.Union([Text, Type.Null()]),
    manage_stock: Type.Optional(Type.Union([Type.Boolean(), Type.Literal('parent')])),
    stock_quantity: maybe(Type.Number()),
  },
  open,
)
export type WooProduct = Type.Static<typeof WooProduct>
