import { itemUnits, type Offer, type Units } from './assortment.ts'
import { NAMED_MAX, sum, type Evidence, type JudgedOrder, type WarehouseLedger } from './evidence.ts'
import { pushLag } from './judgeLag.ts'
import { judgeStock, waitingLines, type StockJudged } from './judgeStock.ts'
import type { SoldOrder, StorefrontLedger } from './simulator.ts'
import type { Shop } from './trade.ts'

export interface Judgement extends StockJudged {
  ok: boolean
  orders_sent: number
  orders_accepted: number
  orders_lost: number
  /** Which orders those are, and what became of their units. */
  lost_orders: string[]
  orders_doubled: number
  shipments_lost: number
  /** Orders that left from more than one place, and works that one place sent back and another took over. */
  split_orders: number
  rerouted: number
  /** Units that left each place. */
  locations: Record<string, number>
  /** Those that the gateway told as they are have to come to zero; `misstated` ones are not in these figures. */
  payouts: { count: number; lines: number; unmatched: number; difference_minor: number; misstated: number }
  push_lag_ms: { p50: number; p99: number; samples: number }
  orders_per_second: number
}

const add = (units: Units, key: string, count: number): void => void units.set(key, (units.get(key) ?? 0) + count)

/**
 * Holds what the storefronts, the warehouses and the gateway remember against each other and against what the hub states. Every zero
 * in the result is counted from the vendors' own ledgers; the hub's tables only say which orders it took and what it refused.
 */
export function judge(evidence: Evidence): Judgement {
  const ledgers = evidence.shops.map((shop) => ({ shop, ledger: shop.storefront.ledger() }))
  const orders = judgedOrders(evidence, ledgers)
  const stock = judgeStock(evidence, ledgers, orders)
  const payouts = judgePayouts(evidence)
  const lost = orders.filter((judged) => !isServed(judged))
  const verdict = {
    orders_sent: orders.length,
    orders_accepted: orders.filter(({ statement }) => statement !== undefined).length,
    orders_lost: lost.length,
    lost_orders: lost.slice(0, NAMED_MAX).map(fateOf),
    orders_doubled: doubled(evidence, ledgers, orders),
    ...stock,
    shipments_lost: lostShipments(evidence, ledgers),
    ...wherefrom(evidence),
    payouts,
    push_lag_ms: pushLag(evidence.moves, ledgers),
    orders_per_second: Math.round((orders.length / evidence.trade_seconds) * 10) / 10,
  }
  const zero =
    verdict.orders_lost + verdict.orders_doubled + stock.units_oversold + stock.units_undersold + stock.availability_wrong +
    stock.priority_inversions + verdict.shipments_lost + payouts.unmatched + Math.abs(payouts.difference_minor) // prettier-ignore
  return { ok: zero === 0 && verdict.orders_sent > 0, ...verdict }
}

type Ledgers = readonly { shop: Shop; ledger: StorefrontLedger }[]

function judgedOrders({ places, hub }: Evidence, ledgers: Ledgers): JudgedOrder[] {
  const stated = new Map(hub.orders.map((order) => [`${order.connection_id} ${order.external_id}`, order]))
  const shippedByOrder = shippedUnits(places)
  return ledgers.flatMap(({ shop, ledger }) =>
    ledger.orders.map((order) => ({
      shop,
      order,
      wanted: itemUnits(shop.offers, wantedLines(order)),
      shipped: shippedByOrder.get(order.number) ?? new Map<string, number>(),
      statement: stated.get(`${shop.storefront.connection_id} ${order.external_id}`),
    })),
  )
}

/** Lines of an order as they stand now: edits done, cancelled units off. A cancelled order wants nothing. */
function wantedLines(order: SoldOrder): { sku: string; quantity: number }[] {
  if (order.cancelled) return []
  return order.lines.map((line) => ({ sku: line.sku, quantity: line.quantity - line.cancelled }))
}

/**
 * Served = every wanted unit of every item was shipped, is promised to somebody who has not paid yet, or was openly refused or put off.
 * What the hub says it promised must at least cover what the warehouses say they shipped.
 */
function isServed({ order, wanted, shipped, statement }: JudgedOrder): boolean {
  if (statement === undefined) return false
  if (order.cancelled) return true
  return [...wanted].every(([item, units]) => {
    const promised = statement.promised[item] ?? 0
    const refused = statement.shortfall[item] ?? 0
    const left = Math.min(units, shipped.get(item) ?? 0)
    return promised + refused >= units && promised >= left && (!order.paid || left + refused >= units)
  })
}

function fateOf({ shop, order, wanted, shipped, statement }: JudgedOrder): string {
  const units = (count: Iterable<readonly [string, number]>): string =>
    [...count].map(([item, number]) => `${number} ${item}`).join(', ') || 'nothing'
  const said =
    statement === undefined
      ? 'the hub does not know it'
      : `promised ${units(Object.entries(statement.promised))}, short ${units(Object.entries(statement.shortfall))}`
  return `${shop.storefront.connection_id} ${order.number} wants ${units(wanted)}, shipped ${units(shipped)}, ${said}`
}

function shippedUnits(places: Evidence['places']): Map<string, Units> {
  const byOrder = new Map<string, Units>()
  for (const { ledger } of places) {
    const orderOf = new Map(ledger.received.map((work) => [work.fulfillment_order, work.order_number]))
    for (const shipment of ledger.shipped) {
      const number = orderOf.get(shipment.fulfillment_order) ?? `unknown ${shipment.fulfillment_order}`
      const units = byOrder.get(number) ?? new Map<string, number>()
      for (const line of shipment.lines) add(units, line.sku, line.quantity)
      byOrder.set(number, units)
    }
  }
  return byOrder
}

/** Work sent twice, shipped beyond what was ever ordered, or told twice. */
function doubled({ places }: Evidence, ledgers: Ledgers, orders: readonly JudgedOrder[]): number {
  const works = places.flatMap(({ ledger }) => ledger.received.filter((work) => work.times > 1)).length
  // An order that a warehouse had shipped before its cancellation reached it is a recall that came too late, not a double.
  const beyond = orders.filter(
    ({ shop, order, shipped }) =>
      !order.cancelled && [...shipped].some(([item, units]) => units > mostEverWanted(shop.offers, order, item)),
  ).length
  return works + beyond + sum(ledgers.map(({ ledger }) => doubledNotices(ledger)))
}

/** Units of an item that the order asked for before any unit was cancelled: the most that may ever be shipped for it. */
function mostEverWanted(offers: readonly Offer[], order: SoldOrder, item: string): number {
  const most = order.lines.map((line) => ({ sku: line.sku, quantity: line.most_quantity }))
  return itemUnits(offers, most).get(item) ?? 0
}

function doubledNotices(ledger: StorefrontLedger): number {
  const twice = (order: SoldOrder): number =>
    order.notices.length - new Set(order.notices.map((notice) => notice.tracking_number)).size
  return sum(ledger.orders.map(twice))
}

/**
 * Parcels whose number no storefront was told. One for an order that the storefront has cancelled, or of which it wants no more units
 * (an edit or refund after the parcel left), cannot be booked there: that is a return to come, not a lost notice.
 */
function lostShipments({ places }: Evidence, ledgers: Ledgers): number {
  const orders = new Map(ledgers.flatMap(({ ledger }) => ledger.orders.map((order) => [order.number, order] as const)))
  const lost = ({ received, shipped }: WarehouseLedger): number => {
    const orderOf = new Map(received.map((work) => [work.fulfillment_order, work.order_number]))
    return shipped.filter((shipment) => {
      const order = orders.get(orderOf.get(shipment.fulfillment_order) ?? '')
      if (order === undefined) return true
      const told = order.notices.some((notice) => notice.tracking_number === shipment.tracking_number)
      return !order.cancelled && !told && waitingLines(order).length > 0
    }).length
  }
  return sum(places.map(({ ledger }) => lost(ledger)))
}

function wherefrom({ places }: Evidence): Pick<Judgement, 'split_orders' | 'rerouted' | 'locations'> {
  const shippedFrom = new Map<string, Set<string>>()
  const rejectedBy = new Map<string, Set<string>>()
  for (const { location_id, ledger } of places) {
    const left = new Set(ledger.shipped.map((parcel) => parcel.fulfillment_order))
    const rejected = new Set(ledger.rejected)
    for (const { fulfillment_order, order_number } of ledger.received) {
      for (const [where, has] of [[shippedFrom, left], [rejectedBy, rejected]] as const) {
        if (has.has(fulfillment_order)) where.set(order_number, (where.get(order_number) ?? new Set()).add(location_id))
      } // prettier-ignore
    }
  }
  const takenOver = ([number, places_]: [string, Set<string>]): boolean =>
    [...(shippedFrom.get(number) ?? [])].some((place) => !places_.has(place))
  const units = ({ shipped }: WarehouseLedger): number =>
    sum(shipped.flatMap((parcel) => parcel.lines.map((line) => line.quantity)))
  return {
    split_orders: [...shippedFrom.values()].filter((from) => from.size > 1).length,
    rerouted: [...rejectedBy].filter(takenOver).length,
    locations: Object.fromEntries(places.map(({ location_id, ledger }) => [location_id, units(ledger)])),
  }
}

function judgePayouts({ gateway, hub, misstated }: Evidence): Judgement['payouts'] {
  const known = new Map(hub.settlements.map((settlement) => [settlement.external_id, settlement]))
  const payouts = gateway.payouts.filter(({ id }) => !misstated.includes(id))
  let unmatched = 0
  let difference_minor = 0
  for (const payout of payouts) {
    const settlement = known.get(payout.id)
    unmatched +=
      settlement === undefined
        ? payout.rows.length
        : settlement.unmatched + Math.abs(settlement.lines - payout.rows.length)
    difference_minor +=
      Math.abs(payout.amount_minor - (settlement?.payout_minor ?? 0)) + Math.abs(settlement?.difference_minor ?? 0)
  }
  const lines = sum(payouts.map((payout) => payout.rows.length))
  return { count: payouts.length, lines, unmatched, difference_minor, misstated: misstated.length }
}
