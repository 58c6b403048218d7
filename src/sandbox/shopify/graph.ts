import {
  buildSchema,
  execute,
  getDirectiveValues,
  GraphQLError,
  parse,
  validate,
  type DocumentNode,
  type GraphQLResolveInfo,
} from 'graphql'
import { createHash } from 'node:crypto'
import { decimalFromMinor } from '../../core/model/money.ts'
import { customerNumber, type Face } from './payloads.ts'
import { SDL } from './schema.ts'
import {
  financialStatus, linesTotal, taxIn, unitsOf, type Shop, type ShopEvent, type ShelfItem, type ShopFulfillment, type ShopLine, type ShopOrder, type ShopTransaction, type StockRow,
} from './shop.ts' // prettier-ignore

/** Shopify's side of the conversation: a real GraphQL server over the shop's memory. */
export interface GraphContext {
  shop: Shop
  face: Face
  location_id: string
  now: () => Date
  newId: () => string
  commit: (event: ShopEvent) => void
}

export interface GraphRequest {
  query: string
  variables: Record<string, unknown>
}

const schema = buildSchema(SDL)
const idempotent = schema.getDirective('idempotent')
const ROWS_MAX = 250

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Paging {
  first?: number
  after?: string | null
}

function pageOf<T>(all: readonly T[], keyOf: (item: T) => string, { first = 50, after }: Paging) {
  const start = after ? all.findIndex((item) => keyOf(item) > Buffer.from(after, 'base64').toString()) : 0
  const items = start < 0 ? [] : all.slice(start, start + first)
  const last = items.at(-1)
  return {
    items,
    pageInfo: {
      hasNextPage: start >= 0 && start + first < all.length,
      endCursor: last === undefined ? null : Buffer.from(keyOf(last)).toString('base64'),
    },
  }
}

const numberKey = (index: number): string => String(index).padStart(6, '0')

/** A connection over a list whose order never changes. */
function connection<T>(all: readonly T[], toNode: (item: T) => unknown) {
  return (paging: Paging) => {
    const page = pageOf([...all.entries()], ([index]) => numberKey(index), paging)
    return { pageInfo: page.pageInfo, nodes: page.items.map(([, item]) => toNode(item)) }
  }
}

const firstOf = <T>(all: readonly T[]) => ({ first = all.length }: Paging): T[] => all.slice(0, first) // prettier-ignore

function orderNode(order: ShopOrder, { face }: GraphContext, location_id: string) {
  const bag = (minor: number) => ({ shopMoney: { amount: decimalFromMinor(minor, face.currency) } })
  const gross = linesTotal(order, (line) => line.ordered)
  const taxes = order.lines.map((line) => taxIn(line.ordered * line.price_minor))
  const [firstName = '', ...rest] = order.buyer.name.split(' ')
  const number = customerNumber(order.buyer.email)
  const lineNode = (line: ShopLine) => ({
    id: `gid://shopify/LineItem/${line.id}`,
    sku: line.sku,
    name: line.title,
    variant: null,
    quantity: line.ordered,
    currentQuantity: unitsOf(order, line).current,
    unfulfilledQuantity: unitsOf(order, line).toShip,
    requiresShipping: true,
    originalUnitPriceSet: bag(line.price_minor),
    discountAllocations: [],
    taxLines: [{ priceSet: bag(taxIn(line.ordered * line.price_minor)) }],
  })
  const lineOf = (id: string): ShopLine => order.lines.find((line) => line.id === id) ?? fail(`no line ${id}`)
  const transactionNode = (transaction: ShopTransaction) => ({
    id: `gid://shopify/OrderTransaction/${transaction.id}`,
    kind: transaction.kind.toUpperCase(),
    status: 'SUCCESS',
    amountSet: bag(transaction.amount_minor),
    paymentId: transaction.payment_id,
    authorizationCode: transaction.payment_id,
    processedAt: transaction.at,
  })
  const address = {
    id: `gid://shopify/MailingAddress/${order.id}`,
    name: order.buyer.name,
    address1: 'Sandbox Street 1',
    city: 'Berlin',
    zip: '10115',
    countryCodeV2: order.buyer.country,
  }
  const open = order.cancelled_at === null && order.lines.some((line) => unitsOf(order, line).toShip > 0)
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
    email: order.buyer.email,
    phone: null,
    displayFinancialStatus: financialStatus(order).toUpperCase(),
    currencyCode: face.currency,
    taxesIncluded: true,
    test: false,
    subtotalPriceSet: bag(gross),
    totalDiscountsSet: bag(0),
    totalTaxSet: bag(taxes.reduce((total, tax) => total + tax, 0)),
    totalPriceSet: bag(gross + order.shipping_minor),
    customer: { id: `gid://shopify/Customer/${number}`, legacyResourceId: number, firstName, lastName: rest.join(' ') },
    billingAddress: address,
    shippingAddress: address,
    shippingLines: connection([order.shipping_minor], (price) => ({
      title: 'Standard',
      originalPriceSet: bag(price),
      discountAllocations: [],
    })),
    lineItems: connection(order.lines, lineNode),
    transactions: firstOf(order.transactions.map(transactionNode)),
    fulfillments: firstOf(
      order.fulfillments.map((fulfillment) => fulfillmentNode(fulfillment, (id) => lineNode(lineOf(id)))),
    ),
    fulfillmentOrders: () => ({
      nodes: [
        {
          id: `gid://shopify/FulfillmentOrder/${order.id}`,
          status: open ? 'OPEN' : 'CLOSED',
          assignedLocation: { location: { id: location_id } },
          lineItems: connection(order.lines, (line) => ({
            id: `gid://shopify/FulfillmentOrderLineItem/${line.id}`,
            remainingQuantity: order.cancelled_at === null ? unitsOf(order, line).toShip : 0,
            lineItem: lineNode(line),
          })),
        },
      ],
    }),
    refunds: firstOf(
      order.refunds.map((refund) => ({
        id: `gid://shopify/Refund/${refund.id}`,
        legacyResourceId: refund.id,
        createdAt: refund.at,
        processedAt: refund.at,
        note: null,
        refundLineItems: connection(refund.lines, ({ line_id, quantity, restock }) => ({
          quantity,
          restockType: restock.toUpperCase(),
          subtotalSet: bag(quantity * lineOf(line_id).price_minor),
          totalTaxSet: bag(taxIn(quantity * lineOf(line_id).price_minor)),
          lineItem: lineNode(lineOf(line_id)),
        })),
        transactions: connection(refund.transactions, transactionNode),
      })),
    ),
  }
}

function fulfillmentNode(fulfillment: ShopFulfillment, lineNode: (line_id: string) => unknown) {
  return {
    id: `gid://shopify/Fulfillment/${fulfillment.id}`,
    status: 'SUCCESS',
    trackingInfo: firstOf([{ number: fulfillment.tracking_number }]),
    fulfillmentLineItems: connection(fulfillment.lines, ({ line_id, quantity }) => ({
      id: `gid://shopify/FulfillmentLineItem/${fulfillment.id}${line_id}`,
      quantity,
      lineItem: lineNode(line_id),
    })),
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
  return { pageInfo: page.pageInfo, nodes: page.items.map((order) => orderNode(order, context, context.location_id)) }
}

// ── writing ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface QuantitiesInput {
  name: string
  quantities: { inventoryItemId: string; locationId: string; quantity: number; changeFromQuantity?: number | null }[]
}

/** All rows or none, each only if the shelf still shows what the caller thinks it shows; one key, one outcome, for ever. */
function setQuantities({ input }: { input: QuantitiesInput }, context: GraphContext, info: GraphQLResolveInfo) {
  const field = info.fieldNodes[0]
  const key = idempotent && field ? getDirectiveValues(idempotent, field, info.variableValues)?.['key'] : undefined
  if (typeof key !== 'string' || key === '')
    throw new GraphQLError('The @idempotent directive is required for this mutation')
  if (input.quantities.length > ROWS_MAX)
    throw new GraphQLError(`The input array size is greater than the maximum of ${ROWS_MAX}`)
  if (input.quantities.some((row) => row.changeFromQuantity === undefined))
    throw new GraphQLError('changeFromQuantity must be given')
  const parameters = createHash('sha256').update(JSON.stringify(input)).digest('hex')
  const before = context.shop.keys.get(key)
  if (before !== undefined && before.parameters !== parameters) {
    return {
      userErrors: [
        { code: 'IDEMPOTENCY_KEY_PARAMETER_MISMATCH', field: null, message: 'key used with other parameters' },
      ],
    }
  }
  if (before !== undefined) return before.answer
  const items = new Map(
    [...context.shop.shelf.values()].map((item) => [`gid://shopify/InventoryItem/${item.number}`, item]),
  )
  const faults = input.quantities.map((row) => rowFault(row, items.get(row.inventoryItemId), context))
  const userErrors = faults.flatMap((code, index) =>
    code === null ? [] : [{ code, field: ['input', 'quantities', String(index)], message: code.toLowerCase() }],
  )
  const rows = input.quantities.flatMap((row): StockRow[] => {
    const sku = items.get(row.inventoryItemId)?.sku
    return sku === undefined ? [] : [{ sku, quantity: row.quantity }]
  })
  const answer = { userErrors }
  const at = context.now().toISOString()
  context.commit({ type: 'stock_written', at, key, parameters, rows: userErrors.length === 0 ? rows : [], answer })
  return answer
}

function rowFault(
  row: QuantitiesInput['quantities'][number],
  item: ShelfItem | undefined,
  context: GraphContext,
): string | null {
  if (item === undefined) return 'INVALID_INVENTORY_ITEM'
  if (row.locationId !== context.location_id) return 'INVALID_LOCATION'
  if (row.quantity < 0) return 'INVALID_QUANTITY_NEGATIVE'
  const stale = typeof row.changeFromQuantity === 'number' && row.changeFromQuantity !== item.available
  return stale ? 'CHANGE_FROM_QUANTITY_STALE' : null
}

interface FulfillmentInput {
  lineItemsByFulfillmentOrder: {
    fulfillmentOrderId: string
    fulfillmentOrderLineItems?: { id: string; quantity: number }[]
  }[]
  trackingInfo?: { company?: string; number?: string }
}

function fulfill({ fulfillment: input }: { fulfillment: FulfillmentInput }, context: GraphContext) {
  const refuse = (message: string) => ({ fulfillment: null, userErrors: [{ field: ['fulfillment'], message }] })
  const orders = input.lineItemsByFulfillmentOrder.map((part) =>
    context.shop.orders.get(part.fulfillmentOrderId.split('/').at(-1) ?? ''),
  )
  const order = orders[0]
  if (order === undefined || orders.some((other) => other !== order)) return refuse('Fulfillment order does not exist.')
  if (order.cancelled_at !== null) return refuse('The fulfillment order is closed.')
  const wanted = input.lineItemsByFulfillmentOrder.flatMap((part) => part.fulfillmentOrderLineItems ?? [])
  const lines = wanted.map(({ id, quantity }) => ({ line_id: id.split('/').at(-1) ?? '', quantity }))
  for (const { line_id, quantity } of lines) {
    const line = order.lines.find((candidate) => candidate.id === line_id)
    if (line === undefined || quantity < 1 || quantity > unitsOf(order, line).toShip) {
      return refuse('Invalid fulfillment order line item quantity requested.')
    }
  }
  const { number = null, company = null } = input.trackingInfo ?? {}
  const at = context.now().toISOString()
  const fulfillment = { id: context.newId(), at, tracking_number: number, tracking_company: company, lines }
  context.commit({ type: 'fulfilled', at, order_id: order.id, fulfillment })
  return { fulfillment: fulfillmentNode(fulfillment, () => null), userErrors: [] }
}

// ── one request ───────────────────────────────────────────────────────────────────────────────────────────────────────────

const roots = {
  shop: (_: unknown, { face }: GraphContext) => ({ name: 'Crossdock sandbox', currencyCode: face.currency }),
  order: ({ id }: { id: string }, context: GraphContext) => {
    const order = context.shop.orders.get(id.split('/').at(-1) ?? '')
    return order === undefined ? null : orderNode(order, context, context.location_id)
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
