import { getDirectiveValues, GraphQLError, type GraphQLResolveInfo } from 'graphql'
import { createHash } from 'node:crypto'
import type { GraphContext } from './graph.ts'
import { unitsOf, type ShelfItem, type StockRow } from './shop.ts'

const ROWS_MAX = 250

interface QuantitiesInput {
  name: string
  quantities: { inventoryItemId: string; locationId: string; quantity: number; changeFromQuantity?: number | null }[]
}

/** All rows or none, each only if the shelf still shows what the caller thinks it shows; one key, one outcome, for ever. */
export function setQuantities({ input }: { input: QuantitiesInput }, context: GraphContext, info: GraphQLResolveInfo) {
  const idempotent = info.schema.getDirective('idempotent')
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
  trackingInfo?: { company?: string; number?: string; numbers?: string[] }
}

export function fulfill({ fulfillment: input }: { fulfillment: FulfillmentInput }, context: GraphContext) {
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
  const { number, numbers = [], company = null } = input.trackingInfo ?? {}
  if (number !== undefined && numbers.length > 0) return refuse('Give either number or numbers.')
  const at = context.now().toISOString()
  const fulfillment = {
    id: context.newId(),
    at,
    tracking_numbers: number === undefined ? numbers : [number],
    tracking_company: company,
    lines,
  }
  context.commit({ type: 'fulfilled', at, order_id: order.id, fulfillment })
  return { fulfillment: { id: `gid://shopify/Fulfillment/${fulfillment.id}` }, userErrors: [] }
}
