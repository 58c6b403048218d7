import type { Storefront } from './simulator.ts'
import { soldOrder, type Shop, type ShopLine, type ShopOrder } from './woocommerceShop.ts'

/** What buyers and the merchant do in the shop itself. */
export type Deeds = Pick<Storefront, 'products' | 'sell' | 'pay' | 'edit' | 'cancel' | 'refund'> & {
  /** Moves an order to the trash: the shop announces it with its id alone. */
  trash: (external_id: string) => boolean
  restore: (external_id: string) => boolean
}

export function createDeeds(shop: Shop, now: () => Date): Deeds {
  return { ...createCheckout(shop, now), ...createOffice(shop, now) }
}

/** What buyers do. */
function createCheckout(shop: Shop, now: () => Date): Pick<Deeds, 'products' | 'sell' | 'pay'> {
  return {
    products: () =>
      shop.catalogue.map(({ sku, title, price_minor }) => ({
        sku,
        title,
        price_minor,
        quantity: Math.max(0, shop.shownOf(sku)),
      })),

    sell: ({ lines, buyer, paid, payment_id }) => {
      const wanted = Map.groupBy(lines, ({ sku }) => sku)
      const moves = [...wanted].map(([sku, group]) => ({
        sku,
        by: -group.reduce((units, line) => units + line.quantity, 0),
      }))
      if (lines.length === 0 || moves.some(({ sku, by }) => shop.shownOf(sku) + by < 0)) return undefined
      const at_ms = now().getTime()
      const order: ShopOrder = {
        id: shop.nextId(),
        // A bank transfer waits "on hold": like a paid order it has taken its units off the shelf.
        status: paid ? 'processing' : 'on-hold',
        status_before: 'on-hold',
        created_ms: at_ms,
        modified_ms: at_ms,
        paid_ms: paid ? at_ms : null,
        completed_ms: null,
        payment_id: payment_id ?? '',
        buyer,
        lines: lines.flatMap(({ sku, quantity }) => {
          const product = shop.catalogue.find((candidate) => candidate.sku === sku)
          const { title = sku, price_minor = 0 } = product ?? {}
          return [{ id: shop.nextId(), sku, title, price_minor, quantity, most_quantity: quantity, cancelled: 0 }]
        }),
        refunds: [],
        meta: [],
      }
      shop.save(order, 'order.created', moves)
      return soldOrder(order, shop.currency)
    },

    pay: (external_id, payment_id) => {
      const order = shop.order(Number(external_id))
      if (order === undefined || order.status !== 'on-hold') return
      shop.save(
        { ...order, status: 'processing', paid_ms: now().getTime(), payment_id: payment_id ?? order.payment_id },
        'order.updated',
      )
    },
  }
}

/** What the merchant does to orders that are there. */
function createOffice(shop: Shop, now: () => Date): Omit<Deeds, 'products' | 'sell' | 'pay'> {
  const find = (external_id: string): ShopOrder | undefined => shop.order(Number(external_id))
  /** An order whose goods are all still here. */
  const untouched = (external_id: string): ShopOrder | undefined => {
    const order = find(external_id)
    const waiting = order !== undefined && (order.status === 'on-hold' || order.status === 'processing')
    return waiting && soldOrder(order, shop.currency).lines.every((line) => line.shipped === 0) ? order : undefined
  }
  const kept = (line: ShopLine): number => line.quantity - line.cancelled

  return {
    edit: (external_id, line_id, quantity) => {
      const order = untouched(external_id)
      const line = order?.lines.find((candidate) => String(candidate.id) === line_id)
      if (order === undefined || line === undefined || quantity < line.cancelled) return false
      const by = line.quantity - quantity
      if (shop.shownOf(line.sku) + by < 0) return false
      const edited = { ...line, quantity, most_quantity: Math.max(line.most_quantity, quantity) }
      // The line of quantity 0 is kept for the ledger; the API shows it no more, as the shop deletes such a line.
      shop.save({ ...order, lines: order.lines.map((each) => (each === line ? edited : each)) }, 'order.updated', [
        { sku: line.sku, by },
      ])
      return true
    },

    cancel: (external_id) => {
      const order = untouched(external_id)
      if (order === undefined) return false
      shop.save({ ...order, status: 'cancelled' }, 'order.updated', order.lines.map((line) => ({ sku: line.sku, by: kept(line) }))) // prettier-ignore
      return true
    },

    refund: (external_id, line_id, quantity, restock) => {
      const order = find(external_id)
      const line = order?.lines.find((candidate) => String(candidate.id) === line_id)
      if (order === undefined || line === undefined || order.status === 'cancelled' || order.status === 'trash')
        return false
      const shipped = soldOrder(order, shop.currency).lines.find((sold) => sold.line_id === line_id)?.shipped ?? 0
      const taken = restock === 'cancel' ? quantity : 0
      if (quantity < 1 || taken > kept(line) - shipped || (taken > 0 && order.status === 'completed')) return false
      const refund = {
        id: shop.nextId(),
        at_ms: now().getTime(),
        // Money alone is refunded on a line of quantity 0.
        lines: [{ line_id: line.id, quantity: taken, amount_minor: line.price_minor * quantity }],
      }
      const lines = order.lines.map((each) => (each === line ? { ...line, cancelled: line.cancelled + taken } : each))
      shop.save({ ...order, lines, refunds: [...order.refunds, refund] }, 'order.updated', [
        { sku: line.sku, by: taken },
      ])
      return true
    },

    trash: (external_id) => {
      const order = untouched(external_id)
      if (order === undefined) return false
      const moves = order.lines.map((line) => ({ sku: line.sku, by: kept(line) }))
      shop.save({ ...order, status: 'trash', status_before: order.status }, 'order.deleted', moves)
      return true
    },

    restore: (external_id) => {
      const order = find(external_id)
      if (order === undefined || order.status !== 'trash') return false
      const moves = order.lines.map((line) => ({ sku: line.sku, by: -kept(line) }))
      if (moves.some(({ sku, by }) => shop.shownOf(sku) + by < 0)) return false
      shop.save({ ...order, status: order.status_before }, 'order.restored', moves)
      return true
    },
  }
}
