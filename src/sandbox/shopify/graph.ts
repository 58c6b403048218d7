import { buildSchema, execute, GraphQLError, parse, validate, type DocumentNode } from 'graphql'
import { decimalFromMinor } from '../../core/model/money.ts'
import { customerNumber, type Face } from './payloads.ts'
import type { PaymentsOptions } from './payments.ts'
import { accountNode } from './paymentsGraph.ts'
import { connection, pageOf, type Paging } from './paging.ts'
import { SDL } from './schema.ts'
import { fulfill, setQuantities } from './writes.ts'
import { financialStatus, linesTotal, secondOf, taxIn, unitsOf } from './shop.ts'
import type {
  ShelfItem,
  Shop,
  ShopEvent,
  ShopFulfillment,
  ShopLine,
  ShopOrder,
  ShopRefund,
  ShopTransaction,
} from './shop.ts'

/** Shopify's side of the conversation: a real GraphQL server over the shop's memory. */
export interface GraphContext {
  shop: Shop
  face: Face
  location_id: string
  now: () => Date
  newId: () => string
  commit: (event: ShopEvent) => void
  /** Undefined: the shop has no Shopify Payments. */
  payments: PaymentsOptions | undefined
}

export interface GraphRequest {
  query: string
  variables: Record<string, unknown>
}

const schema = buildSchema(SDL)

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

const firstOf = <T>(all: readonly T[]) => ({ first = all.length }: Paging): T[] => all.slice(0, first) // prettier-ignore

const bagOf = (face: Face) => (minor: number) => ({ shopMoney: { amount: decimalFromMinor(minor, face.currency) } })

function lineNode(order: ShopOrder, line: ShopLine, face: Face) {
  const bag = bagOf(face)
  const units = unitsOf(order, line)
  return {
    id: `gid://shopify/LineItem/${line.id}`,
    sku: line.sku,
    name: line.title,
    variant: null,
    quantity: line.ordered,
    currentQuantity: units.current,
    unfulfilledQuantity: units.toShip,
    requiresShipping: true,
    originalUnitPriceSet: bag(line.price_minor),
    discountAllocations: [],
    taxLines: [{ priceSet: bag(taxIn(line.ordered * line.price_minor)) }],
  }
}

function transactionNode(transaction: ShopTransaction, face: Face) {
  return {
    id: `gid://shopify/OrderTransaction/${transaction.id}`,
    kind: transaction.kind.toUpperCase(),
    status: 'SUCCESS',
    amountSet: bagOf(face)(transaction.amount_minor),
    paymentId: transaction.payment_id,
    authorizationCode: transaction.payment_id,
    processedAt: secondOf(transaction.at),
  }
}

function refundNode(order: ShopOrder, refund: ShopRefund, face: Face) {
  const bag = bagOf(face)
  return {
    id: `gid://shopify/Refund/${refund.id}`,
    legacyResourceId: refund.id,
    createdAt: secondOf(refund.at),
    processedAt: secondOf(refund.at),
    note: null,
    refundLineItems: connection(refund.lines, ({ line_id, quantity, restock }) => {
      const line = lineOf(order, line_id)
      return {
        quantity,
        restockType: restock.toUpperCase(),
        subtotalSet: bag(quantity * line.price_minor),
        totalTaxSet: bag(taxIn(quantity * line.price_minor)),
        lineItem: lineNode(order, line, face),
      }
    }),
    transactions: connection(refund.transactions, (transaction) => transactionNode(transaction, face)),
  }
}

function fulfillmentNode(order: ShopOrder, fulfillment: ShopFulfillment, face: Face) {
  return {
    id: `gid://shopify/Fulfillment/${fulfillment.id}`,
    status: 'SUCCESS',
    trackingInfo: firstOf(fulfillment.tracking_numbers.map((number) => ({ number }))),
    fulfillmentLineItems: connection(fulfillment.lines, ({ line_id, quantity }) => ({
      id: `gid://shopify/FulfillmentLineItem/${fulfillment.id}${line_id}`,
      quantity,
      lineItem: lineNode(order, lineOf(order, line_id), face),
    })),
  }
}

/** The order's work: one fulfillment order at the one location there is. */
function workNode(order: ShopOrder, { face, location_id }: GraphContext) {
  const left = (line: ShopLine): number => (order.cancelled_at === null ? unitsOf(order, line).toShip : 0)
  return {
    id: `gid://shopify/FulfillmentOrder/${order.id}`,
    status: order.lines.some((line) => left(line) > 0) ? 'OPEN' : 'CLOSED',
    assignedLocation: { location: { id: location_id } },
    lineItems: connection(order.lines, (line) => ({
      id: `gid://shopify/FulfillmentOrderLineItem/${line.id}`,
      remainingQuantity: left(line),
      lineItem: lineNode(order, line, face),
    })),
  }
}

function peopleOf(order: ShopOrder) {
  const [firstName = '', ...rest] = order.buyer.name.split(' ')
  const number = customerNumber(order.buyer.email)
  const address = {
    id: `gid://shopify/MailingAddress/${order.id}`,
    name: order.buyer.name,
    address1: 'Sandbox Street 1',
    city: 'Berlin',
    zip: '10115',
    countryCodeV2: order.buyer.country,
  }
  return {
    email: order.buyer.email,
    phone: null,
    customer: { id: `gid://shopify/Customer/${number}`, legacyResourceId: number, firstName, lastName: rest.join(' ') },
    billingAddress: address,
    shippingAddress: address,
  }
}

function orderNode(order: ShopOrder, context: GraphContext) {
  const { face } = context
  const bag = bagOf(face)
  const gross = linesTotal(order, (line) => line.ordered)
  const shipping = { title: 'Standard', originalPriceSet: bag(order.shipping_minor), discountAllocations: [] }
  return {
    __typename: 'Order',
    id: `gid://shopify/Order/${order.id}`,
    legacyResourceId: order.id,
    name: order.name,
    createdAt: order.created_at,
    processedAt: order.created_at,
    updatedAt: order.updated_at,
    cancelledAt: order.cancelled_at,
    closedAt: null,
    displayFinancialStatus: financialStatus(order).toUpperCase(),
    currencyCode: face.currency,
    taxesIncluded: true,
    test: false,
    ...peopleOf(order),
    subtotalPriceSet: bag(gross),
    totalDiscountsSet: bag(0),
    totalTaxSet: bag(order.lines.reduce((total, line) => total + taxIn(line.ordered * line.price_minor), 0)),
    totalPriceSet: bag(gross + order.shipping_minor),
    shippingLines: connection([shipping], (line) => line),
    lineItems: connection(order.lines, (line) => lineNode(order, line, face)),
    transactions: firstOf(order.transactions.map((transaction) => transactionNode(transaction, face))),
    fulfillments: firstOf(order.fulfillments.map((fulfillment) => fulfillmentNode(order, fulfillment, face))),
    fulfillmentOrders: () => ({ nodes: [workNode(order, context)] }),
    refunds: firstOf(order.refunds.map((refund) => refundNode(order, refund, face))),
  }
}

function itemNode(item: ShelfItem, context: GraphContext) {
  return {
    __typename: 'InventoryItem',
    id: `gid://shopify/InventoryItem/${item.number}`,
    inventoryLevel: ({ locationId }: { locationId: string }) =>
      locationId === context.location_id
        ? {
            id: `gid://shopify/InventoryLevel/${item.number}`,
            updatedAt: item.updated_at,
            quantities: ({ names }: { names: string[] }) => names.map((name) => ({ name, quantity: item.available })),
          }
        : null,
  }
}

const variantNode = (item: ShelfItem, context: GraphContext) => ({
  id: `gid://shopify/ProductVariant/${item.number}`,
  legacyResourceId: item.number,
  sku: item.sku,
  displayName: item.title,
  updatedAt: item.updated_at,
  inventoryItem: itemNode(item, context),
})

const lineOf = (order: ShopOrder, id: string): ShopLine =>
  order.lines.find((line) => line.id === id) ?? fail(`no line ${id}`)

function fail(message: string): never {
  throw new GraphQLError(message, { extensions: { code: 'INTERNAL_SERVER_ERROR' } })
}

const orderKey = (order: ShopOrder): string => `${order.updated_at}|${order.id}`

function listOrders(args: Paging & { query?: string }, context: GraphContext) {
  const since = /^updated_at:>='([^']+)'$/.exec(args.query ?? '')?.[1]
  if (since === undefined) fail('only updated_at:>= is understood here')
  const all = [...context.shop.orders.values()]
    .filter((order) => Date.parse(order.updated_at) >= Date.parse(since))
    .toSorted((a, b) => (orderKey(a) < orderKey(b) ? -1 : 1))
  const page = pageOf(all, orderKey, args)
  return { pageInfo: page.pageInfo, nodes: page.items.map((order) => orderNode(order, context)) }
}

// ── one request ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const roots = {
  shop: (_: unknown, { face }: GraphContext) => ({ name: 'Crossdock sandbox', currencyCode: face.currency }),
  order: ({ id }: { id: string }, context: GraphContext) => {
    const order = context.shop.orders.get(id.split('/').at(-1) ?? '')
    return order === undefined ? null : orderNode(order, context)
  },
  orders: listOrders,
  productVariants: (paging: Paging, context: GraphContext) =>
    connection([...context.shop.shelf.values()], (item) => variantNode(item, context))(paging),
  nodes: ({ ids }: { ids: string[] }, context: GraphContext) =>
    ids.map((id) => {
      const item = [...context.shop.shelf.values()].find(
        (candidate) => id === `gid://shopify/InventoryItem/${candidate.number}`,
      )
      return item === undefined ? null : itemNode(item, context)
    }),
  shopifyPaymentsAccount: (_: unknown, context: GraphContext) =>
    context.payments === undefined ? null : accountNode(context),
  inventorySetQuantities: setQuantities,
  fulfillmentCreate: fulfill,
}

/** Points that a request is charged: writes cost ten, lists by what they may return. */
export function costOf(query: string, variables: Record<string, unknown>): number {
  if (query.trimStart().startsWith('mutation')) return 10
  const [first, lines] = [variables['first'], variables['lines']].map((value) =>
    typeof value === 'number' ? value : 0,
  )
  return 2 + (first ?? 0) * (1 + Math.ceil((lines ?? 0) / 4)) + (first === 0 ? (lines ?? 0) : 0)
}

export async function answerGraph({ query, variables }: GraphRequest, context: GraphContext): Promise<unknown> {
  let document: DocumentNode
  try {
    document = parse(query)
  } catch (thrown) {
    return { errors: [{ message: thrown instanceof Error ? thrown.message : String(thrown) }] }
  }
  const faults = validate(schema, document)
  if (faults.length > 0) return { errors: faults.map((fault) => fault.toJSON()) }
  return await execute({ schema, document, rootValue: roots, contextValue: context, variableValues: variables })
}
