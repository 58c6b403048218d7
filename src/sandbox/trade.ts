import type { Offer } from './assortment.ts'
import { itemUnits, sellable } from './assortment.ts'
import { pick } from './prng.ts'
import type { SoldOrder, Storefront } from './simulator.ts'

/** A storefront with what it offers, as the buyers see it. */
export interface Shop {
  storefront: Storefront
  offers: readonly Offer[]
  currency: string
}

/** The gateway as the buyers see it: they pay, and sometimes get money back. */
export interface Till {
  charge: (payment: { amount_minor: number; currency: string; order_number: string; order_external_id: string }) => { id: string }
  refund: (charge_id: string, amount_minor: number) => void
}

/** A moment at which the true number of a shelf changed: from `since_ms` on, `sku` at `connection_id` may show at most `at_most`. */
export interface ShelfMove {
  connection_id: string
  sku: string
  at_most: number
  since_ms: number
  /** A sale elsewhere lowered it (the shelf has to be told), or units came free again. */
  cause: 'sale' | 'freed'
}

export interface TradeOptions {
  shops: readonly Shop[]
  till: Till
  random: () => number
  now: () => Date
  orders_per_second: number
  /** Physical units per item before the first sale: what is free is this minus what was ordered. */
  stock: Readonly<Record<string, number>>
}

export interface Trade {
  /** Sells for so long; resolves when the last follow-up (edit, cancellation, refund, late payment) has been made. */
  run: (milliseconds: number, signal: AbortSignal) => Promise<void>
  moves: () => readonly ShelfMove[]
}

const FOLLOW_UP_SHARES = { edit: 0.06, cancel: 0.05, refund: 0.04, pay_late: 0.1 } as const
const FOLLOW_UP_DELAY_MS_MAX = 1_500

/** Buyers on all storefronts at once: they buy what is shown, pay now or later, change their minds, and want money back. */
export function createTrade(options: TradeOptions): Trade {
  const { random, now } = options
  const moves: ShelfMove[] = []
  const wanted = new Map<string, number>()
  const pending = new Set<Promise<void>>()
  let buyers = 0

  const free = (): Map<string, number> =>
    new Map(Object.entries(options.stock).map(([item, units]) => [item, units - (wanted.get(item) ?? 0)]))

  const take = (shop: Shop, lines: readonly { sku: string; quantity: number }[], sign: 1 | -1): void => {
    const units = itemUnits(shop.offers, lines)
    const before = free()
    for (const [item, count] of units) wanted.set(item, (wanted.get(item) ?? 0) + sign * count)
    const after = free()
    const since_ms = now().getTime()
    for (const { storefront, offers } of options.shops) {
      for (const offer of offers) {
        const at_most = sellable(offer, after)
        // A shelf whose number stays (a three-pack after one unit) has nothing to be told; the selling shelf knows by itself.
        if (at_most === sellable(offer, before) || (sign === 1 && storefront === shop.storefront)) continue
        moves.push({ connection_id: storefront.connection_id, sku: offer.sku, at_most, since_ms, cause: sign === 1 ? 'sale' : 'freed' })
      }
    }
  }

  const basket = (shop: Shop): { sku: string; quantity: number }[] => {
    const shelf = shop.storefront.products().filter((product) => product.quantity > 0)
    if (shelf.length === 0) return []
    const lines = new Map<string, number>()
    const count = 1 + Math.floor(random() * 2)
    for (let line = 0; line < count; line += 1) {
      const product = pick(random, shelf)
      lines.set(product.sku, Math.min(product.quantity, (lines.get(product.sku) ?? 0) + 1 + Math.floor(random() * 2)))
    }
    return [...lines].map(([sku, quantity]) => ({ sku, quantity }))
  }

  const collect = (order: SoldOrder): string =>
    options.till.charge({
      amount_minor: order.total_minor,
      currency: order.currency,
      order_number: order.number,
      order_external_id: order.external_id,
    }).id

  const followUps: Record<keyof typeof FOLLOW_UP_SHARES, (shop: Shop, order: SoldOrder, charge: string | null) => void> = {
    edit: (shop, order) => {
      const line = order.lines[0]
      if (line === undefined || line.quantity < 2) return
      if (shop.storefront.edit(order.external_id, line.line_id, line.quantity - 1)) take(shop, [{ sku: line.sku, quantity: 1 }], -1)
    },
    cancel: (shop, order, charge) => {
      if (!shop.storefront.cancel(order.external_id)) return
      take(shop, order.lines, -1)
      if (charge !== null) options.till.refund(charge, order.total_minor)
    },
    refund: (shop, order, charge) => {
      const line = order.lines[0]
      if (line === undefined || charge === null) return
      if (!shop.storefront.refund(order.external_id, line.line_id, 1, 'cancel')) return
      take(shop, [{ sku: line.sku, quantity: 1 }], -1)
      const price = shop.offers.find((offer) => offer.sku === line.sku)?.price_minor ?? 0
      options.till.refund(charge, price)
    },
    pay_late: (shop, order, charge) => {
      if (charge === null) shop.storefront.pay(order.external_id, collect(order))
    },
  }

  const later = (work: () => void): void => {
    const delay = new Promise<void>((resolve) => setTimeout(resolve, random() * FOLLOW_UP_DELAY_MS_MAX)).then(work)
    pending.add(delay)
    void delay.finally(() => pending.delete(delay))
  }

  const buyOnce = (): void => {
    const shop = pick(random, options.shops)
    const lines = basket(shop)
    if (lines.length === 0) return
    buyers += 1
    const late = random() < FOLLOW_UP_SHARES.pay_late
    const buyer = { name: `Buyer ${buyers}`, email: `buyer${buyers}@sandbox.example`, country: 'DE' }
    const order = shop.storefront.sell({ lines, buyer, paid: false, payment_id: null })
    if (order === undefined) return
    take(shop, lines, 1)
    if (late) return later(() => followUps.pay_late(shop, order, null))
    const charge = collect(order)
    shop.storefront.pay(order.external_id, charge)
    const roll = random()
    let threshold = 0
    for (const kind of ['edit', 'cancel', 'refund'] as const) {
      threshold += FOLLOW_UP_SHARES[kind]
      if (roll < threshold) return later(() => followUps[kind](shop, order, charge))
    }
  }

  return {
    run: async (milliseconds, signal) => {
      const end = now().getTime() + milliseconds
      const pause_ms = 1_000 / options.orders_per_second
      let due = now().getTime()
      while (now().getTime() < end && !signal.aborted) {
        // Catches up after a hiccup instead of drifting, so that the asked rate is the offered rate.
        while (due <= now().getTime()) {
          buyOnce()
          due += pause_ms
        }
        await new Promise((resolve) => setTimeout(resolve, Math.min(20, Math.max(1, due - now().getTime()))))
      }
      while (pending.size > 0) await Promise.all(pending)
    },
    moves: () => moves,
  }
}
