/** Every GraphQL document that is sent, as text; `scripts/check-graphql.ts` validates them against Shopify's own schema. */

const MONEY = '{ shopMoney { amount } }'
const ADDRESS = '{ name company address1 address2 city province provinceCode zip countryCodeV2 phone }'
const TRANSACTION = `{ id kind status amountSet ${MONEY} paymentId authorizationCode processedAt }`
const PAGE_INFO = 'pageInfo { hasNextPage endCursor }'

/** The sizes are variables: a list of orders asks for little of each, a single order for all of it. */
const ORDER_FIELDS = `
  id legacyResourceId name createdAt processedAt updatedAt cancelledAt closedAt email phone
  displayFinancialStatus currencyCode taxesIncluded test
  subtotalPriceSet ${MONEY} totalDiscountsSet ${MONEY} totalTaxSet ${MONEY} totalPriceSet ${MONEY}
  customer { legacyResourceId firstName lastName }
  billingAddress ${ADDRESS} shippingAddress ${ADDRESS}
  shippingLines(first: 5) { ${PAGE_INFO} nodes { title originalPriceSet ${MONEY} discountAllocations { allocatedAmountSet ${MONEY} } } }
  lineItems(first: $lines, after: $after_line) { ${PAGE_INFO} nodes {
    id sku name variant { legacyResourceId } quantity currentQuantity unfulfilledQuantity requiresShipping
    originalUnitPriceSet ${MONEY} discountAllocations { allocatedAmountSet ${MONEY} } taxLines { priceSet ${MONEY} }
  } }
  transactions(first: 10) ${TRANSACTION}
  fulfillments(first: $parts) {
    status fulfillmentLineItems(first: $part_lines) { ${PAGE_INFO} nodes { quantity lineItem { id } } }
  }
  refunds(first: $parts) {
    legacyResourceId createdAt processedAt note
    refundLineItems(first: $part_lines) { ${PAGE_INFO} nodes {
      quantity restockType subtotalSet ${MONEY} totalTaxSet ${MONEY} lineItem { id }
    } }
    transactions(first: 5) { ${PAGE_INFO} nodes ${TRANSACTION} }
  }`

export const ORDERS = `query orders($first: Int!, $after: String, $query: String!, $lines: Int!, $after_line: String, $parts: Int!, $part_lines: Int!) {
  orders(first: $first, after: $after, sortKey: UPDATED_AT, query: $query) { ${PAGE_INFO} nodes { ${ORDER_FIELDS} } }
}`

export const ORDER = `query order($id: ID!, $lines: Int!, $after_line: String, $parts: Int!, $part_lines: Int!) {
  order(id: $id) { ${ORDER_FIELDS} }
}`

export const VARIANTS = `query productVariants($first: Int!, $after: String, $location: ID!) {
  productVariants(first: $first, after: $after) { ${PAGE_INFO} nodes {
    id legacyResourceId sku displayName updatedAt
    inventoryItem { id inventoryLevel(locationId: $location) { updatedAt quantities(names: ["available"]) { quantity } } }
  } }
}`

export const SET_QUANTITIES = `mutation inventorySetQuantities($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) { userErrors { code field message } }
}`

export const LEVELS = `query inventoryLevels($ids: [ID!]!, $location: ID!) {
  nodes(ids: $ids) { ... on InventoryItem {
    id inventoryLevel(locationId: $location) { quantities(names: ["available"]) { quantity } }
  } }
}`

export const FULFILLMENT_ORDERS = `query fulfillmentOrders($id: ID!) {
  order(id: $id) {
    fulfillmentOrders(first: 10) { nodes {
      id status assignedLocation { location { id } }
      lineItems(first: 50) { nodes { id remainingQuantity lineItem { id } } }
    } }
    fulfillments(first: 25) {
      id status trackingInfo(first: 25) { number } fulfillmentLineItems(first: 20) { nodes { quantity lineItem { id } } }
    }
  }
}`

export const FULFILL = `mutation fulfillmentCreate($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) { fulfillment { id } userErrors { field message } }
}`

export const SHOP = 'query shop { shop { name currencyCode } }'

const AMOUNT = '{ amount currencyCode }'

export const PAYOUTS = `query payouts($first: Int!, $after: String, $query: String!) {
  shopifyPaymentsAccount { payouts(first: $first, after: $after, sortKey: ISSUED_AT, query: $query) { ${PAGE_INFO} nodes {
    id legacyResourceId issuedAt status transactionType net ${AMOUNT} externalTraceId
  } } }
}`

export const BALANCE_TRANSACTIONS = `query balanceTransactions($first: Int!, $after: String, $query: String!) {
  shopifyPaymentsAccount { balanceTransactions(first: $first, after: $after, sortKey: ID, hideTransfers: true, query: $query) {
    ${PAGE_INFO} nodes {
      id type test transactionDate amount ${AMOUNT} fee ${AMOUNT} net ${AMOUNT} sourceType sourceId sourceOrderTransactionId
      associatedOrder { id name } associatedPayout { id status } adjustmentsOrders { orderTransactionId name }
    }
  } }
}`
