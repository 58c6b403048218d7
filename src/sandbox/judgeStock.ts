import { itemUnits, sellable, type Offer, type Units } from './assortment.ts'
import { NAMED_MAX, sum, type Evidence, type JudgedOrder } from './evidence.ts'
import { shelfNumber } from './shelf.ts'
import type { SoldLine, SoldOrder, StorefrontLedger } from './simulator.ts'
import type { Shop } from './trade.ts'

export interface StockJudged {
  units_oversold: number
  units_undersold: number
  availability_wrong: number
  /** Which shelves those are, and what they show instead. */
  wrong_shelves: string[]
  /** Units of a restock that went to a less urgent, later order while a more urgent one still waits. */
  priority_inversions: number
  /** Units that had to wait for supply, and those of them that have left by now. */
  backorders: { units: number; filled: number }
  restocked_units: number
  /** Things of which people saw "sold out" on their storefront. */
  sold_out_skus: number
}

type Ledgers = readonly { shop: Shop; ledger: StorefrontLedger }[]
/** Units by place and item. */
type Lying = Map<string, Units>

const add = (units: Units, key: string, count: number): void => void units.set(key, (units.get(key) ?? 0) + count)

/** Everything about units: the warehouses' shelves against the orders and against what the storefronts show. */
export function judgeStock(evidence: Evidence, ledgers: Ledgers, orders: readonly JudgedOrder[]): StockJudged {
  const free = freeUnits(evidence)
  const wrong_shelves = wrongShelves(ledgers, free)
  return {
    units_oversold: oversold(evidence, orders, free),
    units_undersold: undersold(evidence, orders, free),
    availability_wrong: wrong_shelves.length,
    wrong_shelves: wrong_shelves.slice(0, NAMED_MAX),
    priority_inversions: inversions(evidence, orders),
    backorders: backorders(evidence, orders),
    restocked_units: sum(arrivals(evidence).map(({ quantity }) => quantity)),
    sold_out_skus: soldOut(ledgers),
  }
}

/** Lines of which the storefront still waits for units, with how many. */
export function waitingLines(order: SoldOrder): { line: SoldLine; units: number }[] {
  if (order.cancelled) return []
  return order.lines
    .map((line) => ({ line, units: line.quantity - line.cancelled - line.shipped }))
    .filter(({ units }) => units > 0)
}

/** What lies in each place and is promised to nobody. Negative: promised from there but not there. */
function freeUnits({ places, hub }: Evidence): Lying {
  const free: Lying = new Map(
    places.map(({ location_id, ledger }) => [location_id, new Map(Object.entries(ledger.on_hand))]),
  )
  for (const { location_id, sku, units } of hub.open) {
    const held = free.get(location_id) ?? new Map<string, number>()
    add(held, sku, -units)
    free.set(location_id, held)
  }
  return free
}

/** Promised beyond what physically exists: in all, from a place, or in the words of a warehouse that was asked for it. */
function oversold({ places }: Evidence, orders: readonly JudgedOrder[], free: Lying): number {
  const physical: Units = new Map()
  for (const { stock, ledger } of places) {
    for (const [item, units] of Object.entries(stock)) add(physical, item, units)
    for (const { lines } of ledger.arrived) for (const { sku, quantity } of lines) add(physical, sku, quantity)
  }
  const promised: Units = new Map()
  for (const { statement } of orders)
    for (const [item, units] of Object.entries(statement?.promised ?? {})) add(promised, item, units)
  const beyond = sum([...promised].map(([item, units]) => Math.max(0, units - (physical.get(item) ?? 0))))
  const absent = sum([...free.values()].flatMap((units) => [...units.values()].map((count) => Math.max(0, -count))))
  return beyond + absent + sum(places.map(({ ledger }) => ledger.refused_units))
}

/** Left lying while somebody waits who may be served from there. A place that sent an order's work back is not asked for it again. */
function undersold(evidence: Evidence, orders: readonly JudgedOrder[], free: Lying): number {
  const refused = refusals(evidence)
  const lying: Lying = new Map([...free].map(([place, units]) => [place, new Map(units)]))
  let found = 0
  for (const { shop, order, statement } of orders.toSorted((a, b) => a.shop.priority - b.shop.priority)) {
    // Units that are promised and have not left are unpaid, late or lost, which is another fault.
    const short = statement?.shortfall ?? {}
    for (const { line, units } of waitingLines(order)) {
      const offer = shop.offers.find(({ sku }) => sku === line.sku)
      if (offer === undefined) continue
      const missing = Math.max(
        0,
        ...Object.entries(offer.takes).map(([item, each]) => Math.ceil((short[item] ?? 0) / each)),
      )
      const places = shop.shelf.serves_from.filter((place) => !refused.has(`${order.number} ${place}`))
      found += take(offer, Math.min(units, missing), places, lying)
    }
  }
  return found
}

function take(offer: Offer, wanted: number, places: readonly string[], lying: Lying): number {
  let left = wanted
  for (const place of places) {
    const units = lying.get(place)
    if (units === undefined) continue
    const given = Math.min(left, sellable(offer, units))
    for (const [item, each] of Object.entries(offer.takes)) add(units, item, -each * given)
    left -= given
  }
  return wanted - left
}

function refusals({ places }: Evidence): Set<string> {
  return new Set(
    places.flatMap(({ location_id, ledger }) => {
      const rejected = new Set(ledger.rejected)
      return ledger.received
        .filter(({ fulfillment_order }) => rejected.has(fulfillment_order))
        .map(({ order_number }) => `${order_number} ${location_id}`)
    }),
  )
}

function wrongShelves(ledgers: Ledgers, free: Lying): string[] {
  return ledgers.flatMap(({ shop, ledger }) => {
    const waiting: Units = new Map()
    for (const order of ledger.orders) {
      const lines = waitingLines(order).map(({ line, units }) => ({ sku: line.sku, quantity: units }))
      for (const [item, units] of itemUnits(shop.offers, lines)) add(waiting, item, units)
    }
    return shop.offers.flatMap((offer) => {
      const [due, shown] = [shelfNumber(offer, shop.shelf, free, waiting), ledger.shown[offer.sku]]
      return due === shown ? [] : [`${shop.storefront.connection_id} ${offer.sku} shows ${shown}, ${due} are due`]
    })
  })
}

interface Arrived {
  location_id: string
  at_ms: number
  sku: string
  quantity: number
  before: number
}

function arrivals({ places }: Evidence): Arrived[] {
  return places.flatMap(({ location_id, ledger }) =>
    ledger.arrived.flatMap(({ at_ms, lines, before }) =>
      lines.map(({ sku, quantity }) => ({ location_id, at_ms, sku, quantity, before: before[sku] ?? 0 })),
    ),
  )
}

/** Units of the arrived item that left its place for this order, in work that came after the arrival. */
function servedAfter({ places }: Evidence, { location_id, at_ms, sku }: Arrived, number: string): number {
  const ledger = places.find((place) => place.location_id === location_id)?.ledger
  const works = ledger?.received.filter((work) => work.order_number === number && work.received_ms > at_ms) ?? []
  const names = new Set(works.map((work) => work.fulfillment_order))
  const parcels = ledger?.shipped.filter((parcel) => names.has(parcel.fulfillment_order)) ?? []
  return sum(parcels.flatMap(({ lines }) => lines.filter((line) => line.sku === sku).map((line) => line.quantity)))
}

const waitingFor = ({ shop, order }: JudgedOrder, item: string): number =>
  itemUnits(
    shop.offers,
    waitingLines(order).map(({ line, units }) => ({ sku: line.sku, quantity: units })),
  ).get(item) ?? 0

/**
 * Units that lay there when the goods came may have been promised to anybody before, so only what left beyond them is of the restock.
 */
function inversions(evidence: Evidence, orders: readonly JudgedOrder[]): number {
  return sum(
    arrivals(evidence).map((arrived) => {
      const waiting = orders
        .map((judged) => ({ judged, units: waitingFor(judged, arrived.sku) }))
        .filter(({ judged, units }) => units > 0 && judged.order.placed_ms < arrived.at_ms)
      const first = Math.min(...waiting.map(({ judged }) => judged.shop.priority))
      const oldest = waiting.filter(({ judged }) => judged.shop.priority === first)
      const since = Math.min(...oldest.map(({ judged }) => judged.order.placed_ms))
      const later = orders.filter(({ shop, order }) => shop.priority > first && order.placed_ms > since)
      const given = sum(later.map(({ order }) => servedAfter(evidence, arrived, order.number)))
      return Math.min(sum(oldest.map(({ units }) => units)), Math.max(0, given - arrived.before))
    }),
  )
}

/** Businesses' units that were ordered before the goods came and left after, and those that wait still. */
function backorders(evidence: Evidence, orders: readonly JudgedOrder[]): StockJudged['backorders'] {
  const business = orders.filter(({ shop }) => shop.buyers === 'businesses')
  const filled = arrivals(evidence).map((arrived) => {
    const before = business.filter(({ order }) => order.placed_ms < arrived.at_ms)
    return Math.min(arrived.quantity, sum(before.map(({ order }) => servedAfter(evidence, arrived, order.number))))
  })
  const waiting = business.flatMap(({ order }) => waitingLines(order).map(({ units }) => units))
  return { units: sum(filled) + sum(waiting), filled: sum(filled) }
}

/** A shelf is empty before its first number comes; what had units once and then none was sold out. */
function soldOut(ledgers: Ledgers): number {
  const shelves = ledgers.filter(({ shop }) => shop.buyers === 'people')
  const empty = shelves.flatMap(({ ledger }) =>
    [...Map.groupBy(ledger.stock_writes, ({ sku }) => sku)].flatMap(([sku, writes]) => {
      const filled = writes.findIndex(({ quantity }) => quantity > 0)
      const numbers = [...writes.slice(filled + 1).map(({ quantity }) => quantity), ledger.shown[sku] ?? 0]
      return filled >= 0 && numbers.some((quantity) => quantity <= 0) ? [sku] : []
    }),
  )
  return new Set(empty).size
}
