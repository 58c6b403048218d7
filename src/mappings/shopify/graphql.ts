import Type, { type Static, type TSchema } from 'typebox'
import { HubError } from '../../core/errors.ts'
import { defineMapping } from '../define.ts'
import { clip, orderDocument } from './order.ts'
import type { RestAddress, RestOrder, RestTransaction } from './payloads.ts'

const Text = Type.String()
const MaybeText = Type.Union([Text, Type.Null()])
/** `UnsignedInt64` is text in JSON; numbers are taken as well. */
const BigId = Type.Union([Text, Type.Integer()])
const Bag = Type.Object({ shopMoney: Type.Object({ amount: Text }) })
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()])
const connection = <T extends TSchema>(node: T) =>
  Type.Object({ pageInfo: Type.Object({ hasNextPage: Type.Boolean() }), nodes: Type.Array(node) })
const texts = <K extends string>(...names: K[]) =>
  Object.fromEntries(names.map((name) => [name, MaybeText])) as Record<K, typeof MaybeText>

const Address = Type.Object({
  ...texts(
    'name',
    'company',
    'address1',
    'address2',
    'city',
    'province',
    'provinceCode',
    'zip',
    'countryCodeV2',
    'phone',
  ),
})
const Transaction = Type.Object({
  id: Text,
  kind: Text,
  status: Text,
  amountSet: Bag,
  ...texts('paymentId', 'authorizationCode', 'processedAt'),
})
const Allocations = Type.Array(Type.Object({ allocatedAmountSet: Bag }))
const Units = Type.Integer({ minimum: 0 })
const LineRef = Type.Object({ id: Text })

const OrderNode = Type.Object({
  legacyResourceId: BigId,
  name: Text,
  createdAt: Text,
  updatedAt: Text,
  ...texts('processedAt', 'cancelledAt', 'closedAt', 'email', 'phone', 'displayFinancialStatus'),
  currencyCode: Text,
  taxesIncluded: Type.Boolean(),
  test: Type.Boolean(),
  subtotalPriceSet: nullable(Bag),
  totalDiscountsSet: nullable(Bag),
  totalTaxSet: nullable(Bag),
  totalPriceSet: Bag,
  customer: nullable(Type.Object({ legacyResourceId: BigId, ...texts('firstName', 'lastName') })),
  billingAddress: nullable(Address),
  shippingAddress: nullable(Address),
  shippingLines: connection(Type.Object({ title: Text, originalPriceSet: Bag, discountAllocations: Allocations })),
  lineItems: connection(
    Type.Object({
      id: Text,
      ...texts('sku', 'name'),
      variant: nullable(Type.Object({ legacyResourceId: BigId })),
      quantity: Units,
      currentQuantity: Units,
      unfulfilledQuantity: Type.Integer(),
      requiresShipping: Type.Boolean(),
      originalUnitPriceSet: Bag,
      discountAllocations: Allocations,
      taxLines: Type.Array(Type.Object({ priceSet: Bag })),
    }),
  ),
  transactions: Type.Array(Transaction),
  fulfillments: Type.Array(
    Type.Object({
      status: Text,
      fulfillmentLineItems: connection(Type.Object({ quantity: nullable(Units), lineItem: LineRef })),
    }),
  ),
  refunds: Type.Array(
    Type.Object({
      legacyResourceId: BigId,
      ...texts('createdAt', 'processedAt', 'note'),
      refundLineItems: connection(
        Type.Object({ quantity: Units, restockType: Text, subtotalSet: Bag, totalTaxSet: Bag, lineItem: LineRef }),
      ),
      transactions: connection(Transaction),
    }),
  ),
})
type OrderNode = Static<typeof OrderNode>
type Allocated = { allocatedAmountSet: Static<typeof Bag> }

/** How many refunds and fulfillments one read of an order asks for: these lists have no pages, so a full one may be cut off. */
export const UNPAGED_MAX = 25

/** `gid://shopify/LineItem/123` → `123`, the id under which webhooks name the same thing. */
export const legacyId = (gid: string): string => (gid.split('/').at(-1) ?? gid).replace(/\?.*$/, '')
const word = (value: string | null): string | null => value?.toLowerCase() ?? null
const allocations = (of: readonly Allocated[]) => of.map((d) => ({ amount: d.allocatedAmountSet.shopMoney.amount }))

/** A list that was cut off would make a wrong order, so the order is parked instead. */
function whole<T>(list: { pageInfo: { hasNextPage: boolean }; nodes: T[] }, path: string): T[] {
  if (list.pageInfo.hasNextPage)
    throw new HubError('payload_invalid', 'the list is longer than one read holds', { path })
  return list.nodes
}

function uncut<T>(list: T[], path: string): T[] {
  return whole({ nodes: list, pageInfo: { hasNextPage: list.length >= UNPAGED_MAX } }, path)
}

const address = (of: Static<typeof Address> | null): RestAddress | null =>
  of && { ...of, province_code: of.provinceCode, country_code: of.countryCodeV2 }

const transaction = (of: Static<typeof Transaction>): RestTransaction => ({
  id: legacyId(of.id),
  kind: of.kind.toLowerCase(),
  status: word(of.status),
  amount: of.amountSet.shopMoney.amount,
  payment_id: of.paymentId,
  authorization: of.authorizationCode,
})

/** The GraphQL node in the REST shape, so that one function decides what either means. */
function restOrder(node: OrderNode): RestOrder {
  return {
    id: String(node.legacyResourceId),
    name: node.name,
    created_at: node.createdAt,
    processed_at: node.processedAt,
    updated_at: node.updatedAt,
    cancelled_at: node.cancelledAt,
    closed_at: node.closedAt,
    currency: node.currencyCode,
    financial_status: word(node.displayFinancialStatus),
    taxes_included: node.taxesIncluded,
    test: node.test,
    email: node.email,
    phone: node.phone,
    customer: node.customer && {
      id: String(node.customer.legacyResourceId),
      first_name: node.customer.firstName,
      last_name: node.customer.lastName,
    },
    billing_address: address(node.billingAddress),
    shipping_address: address(node.shippingAddress),
    shipping_lines: whole(node.shippingLines, '$.shippingLines').map((line) => ({
      title: line.title,
      price: line.originalPriceSet.shopMoney.amount,
      discount_allocations: allocations(line.discountAllocations),
    })),
    line_items: whole(node.lineItems, '$.lineItems').map((line) => ({
      id: legacyId(line.id),
      sku: line.sku,
      name: line.name,
      variant_id: line.variant && String(line.variant.legacyResourceId),
      quantity: line.quantity,
      current_quantity: line.currentQuantity,
      fulfillable_quantity: line.unfulfilledQuantity,
      price: line.originalUnitPriceSet.shopMoney.amount,
      requires_shipping: line.requiresShipping,
      discount_allocations: allocations(line.discountAllocations),
      tax_lines: line.taxLines.map((tax) => ({ price: tax.priceSet.shopMoney.amount })),
    })),
    subtotal_price: node.subtotalPriceSet?.shopMoney.amount ?? null,
    total_discounts: node.totalDiscountsSet?.shopMoney.amount ?? null,
    total_tax: node.totalTaxSet?.shopMoney.amount ?? null,
    total_price: node.totalPriceSet.shopMoney.amount,
    transactions: node.transactions.map(transaction),
    fulfillments: uncut(node.fulfillments, '$.fulfillments').map((fulfillment, i) => ({
      id: i,
      status: word(fulfillment.status),
      line_items: whole(fulfillment.fulfillmentLineItems, '$.fulfillments').map((line) => ({
        id: legacyId(line.lineItem.id),
        quantity: line.quantity ?? 0,
      })),
    })),
    refunds: uncut(node.refunds, '$.refunds').map((refund) => ({
      id: String(refund.legacyResourceId),
      created_at: refund.createdAt,
      processed_at: refund.processedAt,
      note: refund.note,
      refund_line_items: whole(refund.refundLineItems, '$.refunds').map((item) => ({
        line_item_id: legacyId(item.lineItem.id),
        quantity: item.quantity,
        restock_type: word(item.restockType),
        subtotal: item.subtotalSet.shopMoney.amount,
        total_tax: item.totalTaxSet.shopMoney.amount,
      })),
      transactions: whole(refund.transactions, '$.refunds').map(transaction),
    })),
  }
}

/** A polled order, whole. */
export const orderGraphql = defineMapping({
  from: OrderNode,
  map: (node, context) => [{ kind: 'order', document: orderDocument(restOrder(node), context) }],
})

const InventoryLevel = Type.Object({ quantities: Type.Array(Type.Object({ quantity: Type.Integer() })) })

/** A product variant as something for sale; `external` holds what the stock write needs. */
export const listing = defineMapping({
  from: Type.Object({
    id: Text,
    legacyResourceId: BigId,
    sku: MaybeText,
    displayName: Text,
    inventoryItem: Type.Object({ id: Text, inventoryLevel: nullable(InventoryLevel) }),
  }),
  map: (variant) => {
    const shown = variant.inventoryItem.inventoryLevel?.quantities[0]?.quantity
    const document = {
      channel_sku: clip(variant.sku) ?? `variant-${variant.legacyResourceId}`,
      title: clip(variant.displayName, 500),
      external: { inventory_item_id: variant.inventoryItem.id, variant_id: variant.id },
      quantity: shown === undefined ? null : Math.max(0, shown),
    }
    return [{ kind: 'listing', document }]
  },
})
