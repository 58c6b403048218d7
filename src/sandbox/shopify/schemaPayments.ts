/** Shopify Payments, as far as the simulator speaks of it: part of `SDL`. */
export const PAYMENTS_SDL = /* GraphQL */ `
  type ShopifyPaymentsAccount implements Node {
    id: ID!
    payouts(
      first: Int
      after: String
      sortKey: PayoutSortKeys = ISSUED_AT
      query: String
    ): ShopifyPaymentsPayoutConnection!
    balanceTransactions(
      first: Int
      after: String
      sortKey: BalanceTransactionSortKeys = PROCESSED_AT
      hideTransfers: Boolean = false
      query: String
    ): ShopifyPaymentsBalanceTransactionConnection!
  }
  enum PayoutSortKeys {
    ISSUED_AT
  }
  enum BalanceTransactionSortKeys {
    ID
    PROCESSED_AT
  }
  type ShopifyPaymentsPayoutConnection {
    pageInfo: PageInfo!
    nodes: [ShopifyPaymentsPayout!]!
  }
  type ShopifyPaymentsPayout implements Node {
    id: ID!
    legacyResourceId: UnsignedInt64!
    issuedAt: DateTime!
    status: ShopifyPaymentsPayoutStatus!
    transactionType: ShopifyPaymentsPayoutTransactionType!
    net: MoneyV2!
    externalTraceId: String
  }
  enum ShopifyPaymentsPayoutStatus {
    CANCELED
    FAILED
    IN_TRANSIT
    PAID
    SCHEDULED
  }
  enum ShopifyPaymentsPayoutTransactionType {
    DEPOSIT
    WITHDRAWAL
  }
  type ShopifyPaymentsBalanceTransactionConnection {
    pageInfo: PageInfo!
    nodes: [ShopifyPaymentsBalanceTransaction!]!
  }
  type ShopifyPaymentsBalanceTransaction implements Node {
    id: ID!
    type: ShopifyPaymentsTransactionType!
    test: Boolean!
    transactionDate: DateTime!
    amount: MoneyV2!
    fee: MoneyV2!
    net: MoneyV2!
    sourceType: ShopifyPaymentsSourceType
    sourceId: BigInt
    sourceOrderTransactionId: BigInt
    associatedOrder: ShopifyPaymentsAssociatedOrder
    associatedPayout: ShopifyPaymentsBalanceTransactionAssociatedPayout!
    adjustmentsOrders: [ShopifyPaymentsAdjustmentOrder!]!
  }
  enum ShopifyPaymentsTransactionType {
    CHARGE
    CHARGEBACK_FEE
    DISPUTE_REVERSAL
    DISPUTE_WITHDRAWAL
    REFUND
    RESERVED_FUNDS
    RESERVED_FUNDS_REVERSAL
    SHIPPING_LABEL
    TRANSFER
    TRANSFER_FAILURE
  }
  enum ShopifyPaymentsSourceType {
    ADJUSTMENT
    CHARGE
    DISPUTE
    REFUND
    TRANSFER
  }
  type ShopifyPaymentsAssociatedOrder {
    id: ID!
    name: String!
  }
  type ShopifyPaymentsBalanceTransactionAssociatedPayout {
    id: ID
    status: ShopifyPaymentsBalanceTransactionPayoutStatus
  }
  enum ShopifyPaymentsBalanceTransactionPayoutStatus {
    CANCELED
    FAILED
    IN_TRANSIT
    PAID
    PENDING
    SCHEDULED
  }
  type ShopifyPaymentsAdjustmentOrder {
    orderTransactionId: BigInt!
    name: String!
  }
`
