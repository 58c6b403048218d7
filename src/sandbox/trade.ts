import { itemUnits, sellable, type Offer } from './assortment.ts'
import { pick } from './prng.ts'
import { backorderUnits, type ShelfRules } from './shelf.ts'
import type { SoldOrder, Storefront } from './simulator.ts'

/** A storefront with what it offers, as the buyers see it. */
export interface Shop {
  storefront: Storefront
  offers: readonly Offer[]
  currency: string
  /** Who takes the buyers' money: a marketplace keeps it and pays out by itself. */
  paid_to: 'gateway' | 'channel'
  /** People buy a piece or two of what they see; businesses buy tens, and wait for what is not there. */
  buyers: 'people' | 'businesses'
  /** Lower is served first. */
  priority: number
  shelf: ShelfRules
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
  /** A sale elsewhere lowered it (the shelf has to be told), or units came free again or arrived. */
  cause: 'sale' | 'freed'
}

export interface TradeOptions {
  shops: readonly Shop[]
  till: Till
  random: () => number
  now: () => Date
  orders_per_second: number
  /** Physical units per item, all places together, before the first sale: what is free is this minus what was ordered. */
  stock: Readonly<Record<string, number>>
}

export interface Trade {
  /** Sells for so long; resolves when the last follow-up (edit, cancellation, refund, late payment) has been made. */
  run: (milliseconds: number, signal: AbortSignal) => Promise<void>
  moves: () => readonly ShelfMove[]
  /** Of each item that may be waited for: by how many units what was ordered exceeds what was there; negative: so many are free. */
  short: () => Map<string, number>
  /** Goods have come in: so much more of each item is there. */
  arrived: (lines: readonly Line[]) => void
}

const FOLLOW_UP_SHARES = { edit: 0.06, cancel: 0.05, refund: 0.04 } as const
const PAID_LATE_SHARE = 0.1
const FOLLOW_UP_DELAY_MS_MAX = 1_500
/** One order in so many is a business's, of tens of units; every second one of those asks for what may be waited for. */
const BUSINESS_EVERY = 12
const BUSINESS_UNITS = { least: 10, most: 30 } as const
const COUNTRIES = ['DE', 'DE', 'DE', 'AT', 'NL'] as const

export interface Line {
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
  let turns = 0

  const later = (work: () => void, signal: AbortSignal): void => {
    const delay = sleep(random() * FOLLOW_UP_DELAY_MS_MAX).then(() => (signal.aborted ? undefined : work()))
    pending.add(delay)
    void delay.finally(() => pending.delete(delay))
  }

  const buyOnce = (signal: AbortSignal): void => {
    turns += 1
    const shop = shopOf(options, turns)
    const lines = shop.buyers === 'people' ? basketOf(shop, random) : cratesOf(shop, random, turns)
    if (lines.length === 0) return
    buyers += 1
    const country = pick(random, COUNTRIES)
    const buyer = { name: `Buyer ${buyers}`, email: `buyer${buyers}@sandbox.example`, country }
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
    short: shelves.short,
    arrived: shelves.arrive,
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

function shopOf({ shops, random }: TradeOptions, turn: number): Shop {
  const business = turn % BUSINESS_EVERY === 1
  const own = shops.filter(({ buyers }) => (buyers === 'businesses') === business)
  return pick(random, own.length === 0 ? shops : own)
}

/** One line of anything, and every second time one of what may be waited for; tens of units, never more than the shop shows. */
function cratesOf({ storefront, shelf, offers }: Shop, random: () => number, turn: number): Line[] {
  const shown = storefront.products().filter((product) => product.quantity > 0)
  const waitable = shown.filter(({ sku }) => backorderUnits(shelf, sku) > 0)
  const wanted = turn % (2 * BUSINESS_EVERY) === 1 && waitable.length > 0 ? [pick(random, waitable)] : []
  if (shown.length > 0) wanted.push(pick(random, shown))
  const { least, most } = BUSINESS_UNITS
  const lines = new Map<string, number>()
  for (const { sku, quantity } of wanted)
    lines.set(sku, Math.min(quantity, least + Math.floor(random() * (most - least + 1))))
  return offers.flatMap(({ sku }) => (lines.has(sku) ? [{ sku, quantity: lines.get(sku) ?? 0 }] : []))
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
  const free = new Map(Object.entries(stock))
  const note = (before: ReadonlyMap<string, number>, cause: ShelfMove['cause'], seller?: Shop): void => {
    const since_ms = now().getTime()
    for (const { storefront, offers, shelf } of shops) {
      for (const offer of offers) {
        const at_most = sellable(offer, free)
        // A shelf whose number stays (a three-pack after one unit) has nothing to be told; the selling shelf knows by itself. What
        // may be waited for has no bound in what is there.
        if (at_most === sellable(offer, before) || (cause === 'sale' && storefront === seller?.storefront)) continue
        if (Object.keys(offer.takes).some((item) => backorderUnits(shelf, item) > 0)) continue
        moves.push({ connection_id: storefront.connection_id, sku: offer.sku, at_most, since_ms, cause })
      }
    }
  }
  const change = (shop: Shop, lines: readonly Line[], cause: ShelfMove['cause']): void => {
    const before = new Map(free)
    for (const [item, count] of itemUnits(shop.offers, lines))
      free.set(item, (free.get(item) ?? 0) + (cause === 'sale' ? -count : count))
    note(before, cause, shop)
  }
  return {
    moves,
    short: (): Map<string, number> => {
      const waitable = [...free].filter(([item]) => shops.some(({ shelf }) => backorderUnits(shelf, item) > 0))
      return new Map(waitable.map(([item, units]) => [item, -units]))
    },
    arrive: (lines: readonly Line[]): void => {
      const before = new Map(free)
      for (const { sku, quantity } of lines) free.set(sku, (free.get(sku) ?? 0) + quantity)
      note(before, 'freed')
    },
    take: (shop: Shop, lines: readonly Line[]) => change(shop, lines, 'sale'),
    free: (shop: Shop, lines: readonly Line[]) => change(shop, lines, 'freed'),
  }
}

/** What buyers do after they bought. Each does nothing when it comes too late for the storefront. */
function createActions({ till }: TradeOptions, shelves: ReturnType<typeof createShelves>) {
  /** What the gateway knows the payment by; null when the channel keeps the money. */
  const pay = (shop: Shop, order: SoldOrder): string | null => {
    if (shop.paid_to === 'channel') {
      shop.storefront.pay(order.external_id, null)
      return null
    }
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
  const giveBack = (charge: string | null, amount_minor: number): void => {
    if (charge !== null) till.refund(charge, amount_minor)
  }
  const followUps: Record<
    keyof typeof FOLLOW_UP_SHARES,
    (shop: Shop, order: SoldOrder, charge: string | null) => void
  > = {
    edit: (shop, order) => {
      const line = order.lines[0]
      if (line === undefined || line.quantity < 2) return
      if (shop.storefront.edit(order.external_id, line.line_id, line.quantity - 1))
        shelves.free(shop, [{ sku: line.sku, quantity: 1 }])
    },
    cancel: (shop, order, charge) => {
      if (!shop.storefront.cancel(order.external_id)) return
      shelves.free(shop, order.lines)
      giveBack(charge, order.total_minor)
    },
    refund: (shop, order, charge) => {
      const line = order.lines[0]
      if (line === undefined || !shop.storefront.refund(order.external_id, line.line_id, 1, 'cancel')) return
      shelves.free(shop, [{ sku: line.sku, quantity: 1 }])
      giveBack(charge, shop.offers.find((offer) => offer.sku === line.sku)?.price_minor ?? 0)
    },
  }
  return { pay, followUps }
}
