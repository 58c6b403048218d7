import type { SoldOrder, Storefront } from '../simulator.ts'
import type { GraphContext } from './graph.ts'
import { collected, secondOf, soldOrder, unitsOf, type ShopLine, type ShopOrder, type ShopRefund } from './shop.ts'

type Verbs = Pick<Storefront, 'sell' | 'pay' | 'edit' | 'cancel' | 'refund'>
type Basket = Parameters<Verbs['sell']>[0]

const SHIPPING_MINOR = 490

/** What buyers and merchant can do, each one event of the shop, or a refusal where Shopify would refuse. */
export function verbsOf(context: GraphContext): Verbs {
  return {
    sell: (basket) => sell(context, basket),
    pay: (external_id, payment_id) => {
      const order = openOrder(context, external_id)
      if (order === undefined || order.transactions.length > 0) return
      const at = context.now().toISOString()
      context.commit({ type: 'paid', at, order_id: order.id, transaction: saleOf(context, order, payment_id, at) })
    },
    edit: (external_id, line_id, quantity) => edit(context, external_id, line_id, quantity),
    cancel: (external_id) => cancel(context, external_id),
    refund: (external_id, line_id, quantity, restock) => {
      const order = openOrder(context, external_id)
      const line = order?.lines.find((candidate) => candidate.id === line_id)
      if (order === undefined || line === undefined || quantity < 1) return false
      const lines = refundLines(order, line, quantity, restock)
      if (lines === null) return false
      const at = context.now().toISOString()
      const refund = giveBack(context, order, lines, quantity * line.price_minor, at)
      context.commit({ type: 'refunded', at, order_id: order.id, refund, cancels_order: false })
      return true
    },
  }
}

function openOrder({ shop }: GraphContext, external_id: string): ShopOrder | undefined {
  const order = shop.orders.get(external_id)
  return order === undefined || order.cancelled_at !== null ? undefined : order
}

function saleOf({ newId, face }: GraphContext, order: ShopOrder, payment_id: string | null, at: string) {
  const amount_minor = soldOrder(order, face.currency).total_minor
  return { id: newId(), kind: 'sale' as const, amount_minor, payment_id, at }
}

/** A refund of these lines; never more money than was taken, and none where none was. */
function giveBack(
  context: GraphContext,
  order: ShopOrder,
  lines: ShopRefund['lines'],
  amount_minor: number,
  at: string,
): ShopRefund {
  const paid = Math.min(amount_minor, collected(order))
  const payment_id = order.transactions[0]?.payment_id ?? null
  const money = { kind: 'refund' as const, amount_minor: paid, payment_id, at }
  return { id: context.newId(), at, lines, transactions: paid > 0 ? [{ id: context.newId(), ...money }] : [] }
}

function sell(context: GraphContext, { lines, buyer, paid, payment_id }: Basket): SoldOrder | undefined {
  const { shop, newId } = context
  const wanted = new Map<string, number>()
  for (const { sku, quantity } of lines) wanted.set(sku, (wanted.get(sku) ?? 0) + quantity)
  const short = [...wanted].some(([sku, units]) => units < 1 || units > (shop.shelf.get(sku)?.available ?? 0))
  if (wanted.size === 0 || short) return undefined
  const at = context.now().toISOString()
  const order: ShopOrder = {
    id: newId(),
    name: `#${10_001 + shop.orders.size}`,
    created_at: secondOf(at),
    updated_at: secondOf(at),
    cancelled_at: null,
    buyer,
    lines: [...wanted].map(([sku, ordered]): ShopLine => {
      const item = shop.shelf.get(sku)
      return { id: newId(), sku, title: item?.title ?? sku, price_minor: item?.price_minor ?? 0, ordered, removed: 0 }
    }),
    shipping_minor: SHIPPING_MINOR,
    transactions: [],
    refunds: [],
    fulfillments: [],
  }
  if (paid) order.transactions.push(saleOf(context, order, payment_id, at))
  context.commit({ type: 'sold', at, order })
  return soldOrder(order, context.face.currency)
}

function edit(context: GraphContext, external_id: string, line_id: string, quantity: number): boolean {
  const order = openOrder(context, external_id)
  const line = order?.lines.find((candidate) => candidate.id === line_id)
  if (order === undefined || line === undefined) return false
  const units = unitsOf(order, line)
  const more = quantity - units.quantity
  const room = context.shop.shelf.get(line.sku)?.available ?? 0
  const fits = more > 0 ? more <= room : quantity >= units.shipped + units.takenOff
  if (more === 0 || !fits) return false
  const ordered = line.ordered + Math.max(0, more)
  const removed = line.removed + Math.max(0, -more)
  context.commit({ type: 'edited', at: context.now().toISOString(), order_id: order.id, line_id, ordered, removed })
  return true
}

function cancel(context: GraphContext, external_id: string): boolean {
  const order = openOrder(context, external_id)
  if (order === undefined || order.fulfillments.length > 0) return false
  const at = context.now().toISOString()
  const rest = order.lines.map((line) => ({ line_id: line.id, quantity: unitsOf(order, line).current }))
  const lines = rest
    .filter((item) => item.quantity > 0)
    .map((item) => ({ ...item, restock: 'cancel' as const, shipped: false }))
  const refund = giveBack(context, order, lines, collected(order), at)
  context.commit({ type: 'refunded', at, order_id: order.id, refund, cancels_order: true })
  return true
}

/** Units that the buyer keeps are shipped ones first; all others are taken off the work. Null: there are not so many. */
function refundLines(
  order: ShopOrder,
  line: ShopLine,
  quantity: number,
  restock: 'cancel' | 'none',
): ShopRefund['lines'] | null {
  const units = unitsOf(order, line)
  const kept = restock === 'none' ? Math.min(quantity, units.current - units.toShip) : 0
  if (quantity - kept > units.toShip) return null
  const word = restock === 'none' ? ('no_restock' as const) : ('cancel' as const)
  const parts = [
    { line_id: line.id, quantity: kept, restock: word, shipped: true },
    { line_id: line.id, quantity: quantity - kept, restock: word, shipped: false },
  ]
  return parts.filter((part) => part.quantity > 0)
}
