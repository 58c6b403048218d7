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
  charge: (payment: { amount_minor: number; currency: string; order_number: string; order_external_id: string }) => {
    id: string
  }
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

const FOLLOW_UP_SHARES = { edit: 0.06, cancel: 0.05, refund: 0.04 } as const
const PAID_LATE_SHARE = 0.1
const FOLLOW_UP_DELAY_MS_MAX = 1_500

interface Line {
  sku: string
  quantity: number
}

/** Buyers on all storefronts at once: they buy what is shown, pay now or later, change their minds, and want money back. */
export function createTrade(options: TradeOptions): Trade {
  const { random, now } = options
  const shelves = createShelves(options)
  const actions = createActions(options, shelves)
  const pending = new Set<Promise<void>>()
  let buyers = 0

  const later = (work: () => void, signal: AbortSignal): void => {
    const delay = sleep(random() * FOLLOW_UP_DELAY_MS_MAX).then(() => (signal.aborted ? undefined : work()))
    pending.add(delay)
    void delay.finally(() => pending.delete(delay))
  }

  const buyOnce = (signal: AbortSignal): void => {
    const shop = pick(random, options.shops)
    const lines = basketOf(shop, random)
    if (lines.length === 0) return
    buyers += 1
    const buyer = { name: `Buyer ${buyers}`, email: `buyer${buyers}@sandbox.example`, country: 'DE' }
    const order = shop.storefront.sell({ lines, buyer, paid: false, payment_id: null })
    if (order === undefined) return
    shelves.take(shop, lines)
    if (random() < PAID_LATE_SHARE) return later(() => void actions.pay(shop, order), signal)
    const charge = actions.pay(shop, order)
    const kind = followUpOf(random())
    if (kind !== undefined) later(() => actions.followUps[kind](shop, order, charge), signal)
  }

  return {
    run: async (milliseconds, signal) => {
      const end = now().getTime() + milliseconds
      const pause_ms = 1_000 / options.orders_per_second
      let due = now().getTime()
      while (now().getTime() < end && !signal.aborted) {
        // Catches up after a hiccup instead of drifting, so that the asked rate is the offered rate.
        for (; due <= now().getTime(); due += pause_ms) buyOnce(signal)
        await sleep(Math.min(20, Math.max(1, due - now().getTime())))
      }
      while (pending.size > 0) await Promise.all(pending)
    },
    moves: () => shelves.moves,
  }
}

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

function followUpOf(roll: number): keyof typeof FOLLOW_UP_SHARES | undefined {
  let threshold = 0
  for (const kind of ['edit', 'cancel', 'refund'] as const) {
    threshold += FOLLOW_UP_SHARES[kind]
    if (roll < threshold) return kind
  }
  return undefined
}

/** One or two lines of what the shop shows, never more than it shows. */
function basketOf(shop: Shop, random: () => number): Line[] {
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

/** Keeps count of what is truly left of each item, and notes every moment at which a shelf has to show another number. */
function createShelves({ shops, stock, now }: TradeOptions) {
  const moves: ShelfMove[] = []
  const wanted = new Map<string, number>()
  const free = (): Map<string, number> =>
    new Map(Object.entries(stock).map(([item, units]) => [item, units - (wanted.get(item) ?? 0)]))
  const change = (shop: Shop, lines: readonly Line[], cause: ShelfMove['cause']): void => {
    const before = free()
    for (const [item, count] of itemUnits(shop.offers, lines))
      wanted.set(item, (wanted.get(item) ?? 0) + (cause === 'sale' ? count : -count))
    const after = free()
    const since_ms = now().getTime()
    for (const { storefront, offers } of shops) {
      for (const offer of offers) {
        const at_most = sellable(offer, after)
        // A shelf whose number stays (a three-pack after one unit) has nothing to be told; the selling shelf knows by itself.
        if (at_most === sellable(offer, before) || (cause === 'sale' && storefront === shop.storefront)) continue
        moves.push({ connection_id: storefront.connection_id, sku: offer.sku, at_most, since_ms, cause })
      }
    }
  }
  return {
    moves,
    take: (shop: Shop, lines: readonly Line[]) => change(shop, lines, 'sale'),
    free: (shop: Shop, lines: readonly Line[]) => change(shop, lines, 'freed'),
  }
}

/** What buyers do after they bought. Each does nothing when it comes too late for the storefront. */
function createActions({ till }: TradeOptions, shelves: ReturnType<typeof createShelves>) {
  const pay = (shop: Shop, order: SoldOrder): string => {
    const { total_minor, currency, number, external_id } = order
    const { id } = till.charge({
      amount_minor: total_minor,
      currency,
      order_number: number,
      order_external_id: external_id,
    })
    shop.storefront.pay(external_id, id)
    return id
  }
  const followUps: Record<keyof typeof FOLLOW_UP_SHARES, (shop: Shop, order: SoldOrder, charge: string) => void> = {
    edit: (shop, order) => {
      const line = order.lines[0]
      if (line === undefined || line.quantity < 2) return
      if (shop.storefront.edit(order.external_id, line.line_id, line.quantity - 1))
        shelves.free(shop, [{ sku: line.sku, quantity: 1 }])
    },
    cancel: (shop, order, charge) => {
      if (!shop.storefront.cancel(order.external_id)) return
      shelves.free(shop, order.lines)
      till.refund(charge, order.total_minor)
    },
    refund: (shop, order, charge) => {
      const line = order.lines[0]
      if (line === undefined || !shop.storefront.refund(order.external_id, line.line_id, 1, 'cancel')) return
      shelves.free(shop, [{ sku: line.sku, quantity: 1 }])
      till.refund(charge, shop.offers.find((offer) => offer.sku === line.sku)?.price_minor ?? 0)
    },
  }
  return { pay, followUps }
}
