import { PAYMENTS_SDL } from './schemaPayments.ts'

/**
 * The part of Shopify's Admin schema (2026-10) that the simulator speaks, written by hand. `scripts/check-graphql.ts` proves that
 * every type, field and argument here exists in the real one under the same type.
 */
export const SDL = /* GraphQL */ `
  directive @idempotent(key: String!) on FIELD

  scalar CountryCode
  scalar CurrencyCode
  scalar DateTime
  scalar Decimal
  scalar UnsignedInt64
  scalar BigInt
  scalar URL

  schema {
    query: QueryRoot
    mutation: Mutation
  }

  type QueryRoot {
    shop: Shop!
    order(id: ID!): Order
    orders(first: Int, after: String, sortKey: OrderSortKeys = PROCESSED_AT, query: String): OrderConnection!
    productVariants(first: Int, after: String): ProductVariantConnection!
    nodes(ids: [ID!]!): [Node]!
    shopifyPaymentsAccount: ShopifyPaymentsAccount
  }

  type Mutation {
    inventorySetQuantities(input: InventorySetQuantitiesInput!): InventorySetQuantitiesPayload
    fulfillmentCreate(fulfillment: FulfillmentInput!): FulfillmentCreatePayload
  }

  enum OrderSortKeys {
    PROCESSED_AT
    UPDATED_AT
  }
  interface Node {
    id: ID!
  }
  type Shop {
    name: String!
    currencyCode: CurrencyCode!
  }
  type PageInfo {
    hasNextPage: Boolean!
    endCursor: String
  }
  type MoneyV2 {
    amount: Decimal!
    currencyCode: CurrencyCode!
  }
  type MoneyBag {
    shopMoney: MoneyV2!
  }

  type OrderConnection {
    pageInfo: PageInfo!
    nodes: [Order!]!
  }
  type Order implements Node {
    id: ID!
    legacyResourceId: UnsignedInt64!
    name: String!
    createdAt: DateTime!
    processedAt: DateTime!
    updatedAt: DateTime!
    cancelledAt: DateTime
    closedAt: DateTime
    email: String
    phone: String
    displayFinancialStatus: OrderDisplayFinancialStatus
    currencyCode: CurrencyCode!
    taxesIncluded: Boolean!
    test: Boolean!
    subtotalPriceSet: MoneyBag
    totalDiscountsSet: MoneyBag
    totalTaxSet: MoneyBag
    totalPriceSet: MoneyBag!
    customer: Customer
    billingAddress: MailingAddress
    shippingAddress: MailingAddress
    shippingLines(first: Int): ShippingLineConnection!
    lineItems(first: Int, after: String): LineItemConnection!
    transactions(first: Int): [OrderTransaction!]!
    fulfillments(first: Int): [Fulfillment!]!
    fulfillmentOrders(first: Int): FulfillmentOrderConnection!
    refunds(first: Int): [Refund!]!
  }
  enum OrderDisplayFinancialStatus {
    PAID
    PARTIALLY_REFUNDED
    PENDING
    REFUNDED
    VOIDED
  }
  type Customer implements Node {
    id: ID!
    legacyResourceId: UnsignedInt64!
    firstName: String
    lastName: String
  }
  type MailingAddress implements Node {
    id: ID!
    name: String
    company: String
    address1: String
    address2: String
    city: String
    province: String
    provinceCode: String
    zip: String
    countryCodeV2: CountryCode
    phone: String
  }
  type DiscountAllocation {
    allocatedAmountSet: MoneyBag!
  }
  type TaxLine {
    priceSet: MoneyBag!
  }
  type ShippingLineConnection {
    pageInfo: PageInfo!
    nodes: [ShippingLine!]!
  }
  type ShippingLine {
    title: String!
    originalPriceSet: MoneyBag!
    discountAllocations: [DiscountAllocation!]!
  }
  type LineItemConnection {
    pageInfo: PageInfo!
    nodes: [LineItem!]!
  }
  type LineItem implements Node {
    id: ID!
    sku: String
    name: String!
    variant: ProductVariant
    quantity: Int!
    currentQuantity: Int!
    unfulfilledQuantity: Int!
    requiresShipping: Boolean!
    originalUnitPriceSet: MoneyBag!
    discountAllocations: [DiscountAllocation!]!
    taxLines: [TaxLine!]!
  }
  type OrderTransactionConnection {
    pageInfo: PageInfo!
    nodes: [OrderTransaction!]!
  }
  type OrderTransaction implements Node {
    id: ID!
    kind: OrderTransactionKind!
    status: OrderTransactionStatus!
    amountSet: MoneyBag!
    paymentId: String
    authorizationCode: String
    processedAt: DateTime
  }
  enum OrderTransactionKind {
    SALE
    REFUND
  }
  enum OrderTransactionStatus {
    SUCCESS
  }
  type Refund implements Node {
    id: ID!
    legacyResourceId: UnsignedInt64!
    createdAt: DateTime
    processedAt: DateTime!
    note: String
    refundLineItems(first: Int): RefundLineItemConnection!
    transactions(first: Int): OrderTransactionConnection!
  }
  type RefundLineItemConnection {
    pageInfo: PageInfo!
    nodes: [RefundLineItem!]!
  }
  type RefundLineItem {
    quantity: Int!
    restockType: RefundLineItemRestockType!
    subtotalSet: MoneyBag!
    totalTaxSet: MoneyBag!
    lineItem: LineItem!
  }
  enum RefundLineItemRestockType {
    CANCEL
    NO_RESTOCK
  }

  type Location implements Node {
    id: ID!
  }
  type FulfillmentOrderConnection {
    nodes: [FulfillmentOrder!]!
  }
  type FulfillmentOrder implements Node {
    id: ID!
    status: FulfillmentOrderStatus!
    assignedLocation: FulfillmentOrderAssignedLocation!
    lineItems(first: Int): FulfillmentOrderLineItemConnection!
  }
  enum FulfillmentOrderStatus {
    CANCELLED
    CLOSED
    IN_PROGRESS
    OPEN
  }
  type FulfillmentOrderAssignedLocation {
    location: Location
  }
  type FulfillmentOrderLineItemConnection {
    nodes: [FulfillmentOrderLineItem!]!
  }
  type FulfillmentOrderLineItem implements Node {
    id: ID!
    remainingQuantity: Int!
    lineItem: LineItem!
  }
  type Fulfillment implements Node {
    id: ID!
    status: FulfillmentStatus!
    trackingInfo(first: Int): [FulfillmentTrackingInfo!]!
    fulfillmentLineItems(first: Int): FulfillmentLineItemConnection!
  }
  enum FulfillmentStatus {
    SUCCESS
  }
  type FulfillmentTrackingInfo {
    number: String
  }
  type FulfillmentLineItemConnection {
    pageInfo: PageInfo!
    nodes: [FulfillmentLineItem!]!
  }
  type FulfillmentLineItem implements Node {
    id: ID!
    quantity: Int
    lineItem: LineItem!
  }
  input FulfillmentInput {
    lineItemsByFulfillmentOrder: [FulfillmentOrderLineItemsInput!]!
    notifyCustomer: Boolean = false
    trackingInfo: FulfillmentTrackingInput
  }
  input FulfillmentOrderLineItemsInput {
    fulfillmentOrderId: ID!
    fulfillmentOrderLineItems: [FulfillmentOrderLineItemInput!]
  }
  input FulfillmentOrderLineItemInput {
    id: ID!
    quantity: Int!
  }
  input FulfillmentTrackingInput {
    company: String
    number: String
    numbers: [String!]
    url: URL
    urls: [URL!]
  }
  type FulfillmentCreatePayload {
    fulfillment: Fulfillment
    userErrors: [UserError!]!
  }
  type UserError {
    field: [String!]
    message: String!
  }

  type ProductVariantConnection {
    pageInfo: PageInfo!
    nodes: [ProductVariant!]!
  }
  type ProductVariant implements Node {
    id: ID!
    legacyResourceId: UnsignedInt64!
    sku: String
    displayName: String!
    updatedAt: DateTime!
    inventoryItem: InventoryItem!
  }
  type InventoryItem implements Node {
    id: ID!
    inventoryLevel(locationId: ID!): InventoryLevel
  }
  type InventoryLevel implements Node {
    id: ID!
    updatedAt: DateTime!
    quantities(names: [String!]!): [InventoryQuantity!]!
  }
  type InventoryQuantity {
    name: String!
    quantity: Int!
  }
  input InventorySetQuantitiesInput {
    name: String!
    quantities: [InventoryQuantityInput!]!
    reason: String!
    referenceDocumentUri: String
  }
  input InventoryQuantityInput {
    changeFromQuantity: Int
    inventoryItemId: ID!
    locationId: ID!
    quantity: Int!
  }
  type InventorySetQuantitiesPayload {
    userErrors: [InventorySetQuantitiesUserError!]!
  }
  type InventorySetQuantitiesUserError {
    code: InventorySetQuantitiesUserErrorCode
    field: [String!]
    message: String!
  }
  enum InventorySetQuantitiesUserErrorCode {
    CHANGE_FROM_QUANTITY_STALE
    IDEMPOTENCY_KEY_PARAMETER_MISMATCH
    INVALID_INVENTORY_ITEM
    INVALID_LOCATION
    INVALID_NAME
    INVALID_QUANTITY_NEGATIVE
    NON_MUTABLE_INVENTORY_ITEM
    NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR
  }
  ${PAYMENTS_SDL}
`
