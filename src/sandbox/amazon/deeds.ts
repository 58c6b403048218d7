import type { Storefront } from '../simulator.ts'
import { shippedOf, soldOrder, type Account, type AccountOrder } from './account.ts'

/** What buyers do on the marketplace, and the marketplace itself. */
export type Deeds = Pick<Storefront, 'products' | 'sell' | 'pay' | 'edit' | 'cancel' | 'refund'> & {
  /** Sells goods out of the marketplace's own warehouses. */
  sellByAmazon: (sku: string, quantity: number) => string
  /** The buyer asks for a cancellation, which the seller has to answer. */
  askToCancel: (external_id: string) => boolean
}

const STORE_NUMBER = 303
const BY_AMAZON_BUYER = { name: '', email: '', country: 'DE' }

/** Order ids look like the marketplace's: three, seven and seven digits. */
const orderId = (number: number): string =>
  `${STORE_NUMBER}-${String(number).padStart(7, '0')}-${String((number * 7_919) % 10_000_000).padStart(7, '0')}`

export function createDeeds(account: Account, now: () => Date): Deeds {
  return { ...createCheckout(account, now), ...createAfterwards(account, now) }
}

function createCheckout(account: Account, now: () => Date): Pick<Deeds, 'products' | 'sell' | 'sellByAmazon' | 'pay'> {
  const newOrder = (
    lines: readonly { sku: string; quantity: number }[],
    rest: Pick<AccountOrder, 'status' | 'by' | 'buyer'>,
  ): AccountOrder => {
    const at_ms = now().getTime()
    return {
      id: orderId(account.nextId()),
      ...rest,
      created_ms: at_ms,
      updated_ms: at_ms,
      lines: lines.map(({ sku, quantity }) => {
        const { title = sku, price_minor = 0 } = account.listings.find((listing) => listing.sku === sku) ?? {}
        return { id: String(account.nextId() + 10_000_000), sku, title, price_minor, quantity, cancel_asked: false }
      }),
      packages: [],
      refunds: [],
    }
  }

  return {
    products: () =>
      account.listings
        .filter(({ by }) => by === 'MERCHANT')
        .map(({ sku, title, price_minor }) => ({
          sku,
          title,
          price_minor,
          quantity: Math.max(0, account.shownOf(sku)),
        })),

    // Units leave the offer while the payment is still looked into: until then the order is pending.
    sell: ({ lines, buyer, paid }) => {
      const wanted = Map.groupBy(lines, ({ sku }) => sku)
      const moves = [...wanted].map(([sku, group]) => ({
        sku,
        by: -group.reduce((units, line) => units + line.quantity, 0),
      }))
      if (lines.length === 0 || moves.some(({ sku, by }) => account.shownOf(sku) + by < 0)) return undefined
      const order = newOrder(lines, { status: paid ? 'UNSHIPPED' : 'PENDING', by: 'MERCHANT', buyer })
      return soldOrder(account.save(order, moves), account.currency)
    },

    sellByAmazon: (sku, quantity) =>
      account.save(newOrder([{ sku, quantity }], { status: 'SHIPPED', by: 'AMAZON', buyer: BY_AMAZON_BUYER })).id,

    pay: (external_id) => {
      const order = account.order(external_id)
      if (order?.status === 'PENDING') account.save({ ...order, status: 'UNSHIPPED' })
    },
  }
}

function createAfterwards(
  account: Account,
  now: () => Date,
): Pick<Deeds, 'edit' | 'cancel' | 'refund' | 'askToCancel'> {
  /** An order whose goods are all still here. */
  const untouched = (external_id: string): AccountOrder | undefined => {
    const order = account.order(external_id)
    const waits = order?.by === 'MERCHANT' && (order.status === 'PENDING' || order.status === 'UNSHIPPED')
    return waits && order.packages.length === 0 ? order : undefined
  }
  return {
    // Nobody can change what an order of this marketplace asks for.
    edit: () => false,

    cancel: (external_id) => {
      const order = untouched(external_id)
      if (order === undefined) return false
      account.save({ ...order, status: 'CANCELLED' }, order.lines.map(({ sku, quantity }) => ({ sku, by: quantity }))) // prettier-ignore
      return true
    },

    askToCancel: (external_id) => {
      const order = untouched(external_id)
      if (order === undefined) return false
      account.save({ ...order, lines: order.lines.map((line) => ({ ...line, cancel_asked: true })) })
      return true
    },

    // Money alone: units are never taken off an order one by one.
    refund: (external_id, line_id, quantity, restock) => {
      const order = account.order(external_id)
      const line = order?.lines.find(({ id }) => id === line_id)
      if (order === undefined || line === undefined || restock === 'cancel') return false
      if (quantity < 1 || quantity > shippedOf(order, line_id)) return false
      const refund = {
        id: String(account.nextId()),
        line_id,
        amount_minor: line.price_minor * quantity,
        at_ms: now().getTime(),
      }
      account.save({ ...order, refunds: [...order.refunds, refund] })
      return true
    },
  }
}
