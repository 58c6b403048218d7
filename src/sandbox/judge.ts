import { itemUnits, sellable, type Offer } from './assortment.ts'
import type { Shop, ShelfMove } from './trade.ts'
import type { SoldOrder, StorefrontLedger } from './simulator.ts'

/** What the 3PL remembers. */
export interface WarehouseLedger {
  received: {
    fulfillment_order: string
    order_number: string
    times: number
    lines: { sku: string; quantity: number }[]
  }[]
  shipped: {
    shipment_id: string
    fulfillment_order: string
    tracking_number: string
    lines: { sku: string; quantity: number }[]
  }[]
  on_hand: Record<string, number>
  /** Units it was asked to ship but physically did not have. */
  refused_units: number
}

/** What the gateway remembers. */
export interface GatewayLedger {
  payouts: { id: string; amount_minor: number; rows: { id: string; net_minor: number }[] }[]
}

/** What the hub itself says; the ledgers of the others judge it. */
export interface HubStatement {
  /** Orders the hub holds, with what it promised and what it said it could not promise, per item SKU. */
  orders: {
    connection_id: string
    external_id: string
    promised: Record<string, number>
    shortfall: Record<string, number>
  }[]
  settlements: {
    external_id: string
    payout_minor: number
    lines: number
    unmatched: number
    difference_minor: number
  }[]
}

export interface Evidence {
  shops: readonly Shop[]
  warehouse: WarehouseLedger
  gateway: GatewayLedger
  hub: HubStatement
  /** Physical units per item before the first sale. */
  stock: Readonly<Record<string, number>>
  moves: readonly ShelfMove[]
  trade_seconds: number
}

export interface Judgement {
  ok: boolean
  orders_sent: number
  orders_accepted: number
  orders_lost: number
  orders_doubled: number
  units_oversold: number
  units_undersold: number
  availability_wrong: number
  shipments_lost: number
  payouts: { count: number; lines: number; unmatched: number; difference_minor: number }
  push_lag_ms: { p50: number; p99: number; samples: number }
  orders_per_second: number
}

type Units = Map<string, number>
const add = (units: Units, key: string, count: number): void => void units.set(key, (units.get(key) ?? 0) + count)
const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)

/** Lines of an order as they stand now: edits done, cancelled units off. A cancelled order wants nothing. */
function wantedLines(order: SoldOrder): { sku: string; quantity: number }[] {
  if (order.cancelled) return []
  return order.lines.map((line) => ({ sku: line.sku, quantity: line.quantity - line.cancelled }))
}

/**
 * Holds what the storefronts, the 3PL and the gateway remember against each other and against what the hub states. Every zero
 * in the result is counted from the vendors' own ledgers; the hub's tables only say which orders it took and what it refused.
 */
export function judge(evidence: Evidence): Judgement {
  const ledgers = evidence.shops.map((shop) => ({ shop, ledger: shop.storefront.ledger() }))
  const orders = ledgers.flatMap(({ shop, ledger }) => ledger.orders.map((order) => ({ shop, order })))
  const stated = new Map(evidence.hub.orders.map((order) => [`${order.connection_id} ${order.external_id}`, order]))
  const shippedByOrder = shippedUnits(evidence.warehouse)

  let lost = 0
  const demand: Units = new Map()
  const promised: Units = new Map()
  let doubled = evidence.warehouse.received.filter((work) => work.times > 1).length
  for (const { shop, order } of orders) {
    const wanted = itemUnits(shop.offers, wantedLines(order))
    const statement = stated.get(`${shop.storefront.connection_id} ${order.external_id}`)
    const shipped = shippedByOrder.get(order.number) ?? new Map<string, number>()
    if (statement === undefined || !isServed(order, wanted, statement, shipped)) lost += 1
    // An order that the 3PL had shipped before its cancellation reached it is a recall that came too late, not a double.
    if (!order.cancelled && [...shipped].some(([item, units]) => units > mostEverWanted(shop.offers, order, item)))
      doubled += 1
    for (const [item, units] of wanted) add(demand, item, units)
    for (const [item, units] of Object.entries(statement?.promised ?? {})) add(promised, item, units)
  }
  doubled += sum(ledgers.map(({ ledger }) => doubledNotices(ledger)))

  const { oversold, undersold } = balance(evidence, demand, promised)
  const payouts = judgePayouts(evidence)
  const verdict = {
    orders_sent: orders.length,
    orders_accepted: orders.filter(({ shop, order }) =>
      stated.has(`${shop.storefront.connection_id} ${order.external_id}`),
    ).length,
    orders_lost: lost,
    orders_doubled: doubled,
    units_oversold: oversold,
    units_undersold: undersold,
    availability_wrong: wrongShelves(evidence, promised),
    shipments_lost: lostShipments(evidence, ledgers),
    payouts,
    push_lag_ms: lag(evidence.moves, ledgers),
    orders_per_second: Math.round((orders.length / evidence.trade_seconds) * 10) / 10,
  }
  const zero =
    verdict.orders_lost + verdict.orders_doubled + oversold + undersold + verdict.availability_wrong + verdict.shipments_lost +
    payouts.unmatched + Math.abs(payouts.difference_minor) // prettier-ignore
  return { ok: zero === 0 && verdict.orders_sent > 0, ...verdict }
}

/** Served = every wanted unit of every item was shipped, is promised, or was openly refused. */
function isServed(order: SoldOrder, wanted: Units, statement: HubStatement['orders'][number], shipped: Units): boolean {
  if (order.cancelled) return true
  return [...wanted].every(([item, units]) => {
    const promised = statement.promised[item] ?? 0
    const refused = statement.shortfall[item] ?? 0
    // What the hub says it promised must at least cover what the 3PL says it shipped.
    return promised + refused >= units && promised >= Math.min(units, shipped.get(item) ?? 0)
  })
}

function shippedUnits(warehouse: WarehouseLedger): Map<string, Units> {
  const orderOf = new Map(warehouse.received.map((work) => [work.fulfillment_order, work.order_number]))
  const byOrder = new Map<string, Units>()
  for (const shipment of warehouse.shipped) {
    const number = orderOf.get(shipment.fulfillment_order) ?? `unknown ${shipment.fulfillment_order}`
    const units = byOrder.get(number) ?? new Map<string, number>()
    for (const line of shipment.lines) add(units, line.sku, line.quantity)
    byOrder.set(number, units)
  }
  return byOrder
}

/** Units of an item that the order asked for before any unit was cancelled: the most that may ever be shipped for it. */
function mostEverWanted(offers: readonly Offer[], order: SoldOrder, item: string): number {
  return (
    itemUnits(
      offers,
      order.lines.map((line) => ({ sku: line.sku, quantity: line.most_quantity })),
    ).get(item) ?? 0
  )
}

function doubledNotices(ledger: StorefrontLedger): number {
  return sum(
    ledger.orders.map(
      (order) => order.notices.length - new Set(order.notices.map((notice) => notice.tracking_number)).size,
    ),
  )
}

/** Promised beyond what physically exists, and left lying while somebody was refused. */
function balance(evidence: Evidence, demand: Units, promised: Units): { oversold: number; undersold: number } {
  let oversold = evidence.warehouse.refused_units
  let undersold = 0
  for (const [item, physical] of Object.entries(evidence.stock)) {
    const given = promised.get(item) ?? 0
    oversold += Math.max(0, given - physical)
    undersold += Math.max(0, Math.min(demand.get(item) ?? 0, physical) - given)
  }
  return { oversold, undersold }
}

function wrongShelves(evidence: Evidence, promised: Units): number {
  const free = new Map(Object.entries(evidence.stock).map(([item, units]) => [item, units - (promised.get(item) ?? 0)]))
  return sum(
    evidence.shops.map(({ storefront, offers }) => {
      const { shown } = storefront.ledger()
      return offers.filter((offer) => (shown[offer.sku] ?? -1) !== sellable(offer, free)).length
    }),
  )
}

/**
 * Parcels whose number no storefront was told. One for an order that the storefront has cancelled, or of which it wants no more units
 * (an edit or refund after the parcel left), cannot be booked there: that is a return to come, not a lost notice.
 */
function lostShipments(evidence: Evidence, ledgers: readonly { ledger: StorefrontLedger }[]): number {
  const orders = new Map(ledgers.flatMap(({ ledger }) => ledger.orders.map((order) => [order.number, order] as const)))
  const orderOf = new Map(evidence.warehouse.received.map((work) => [work.fulfillment_order, work.order_number]))
  return evidence.warehouse.shipped.filter((shipment) => {
    const order = orders.get(orderOf.get(shipment.fulfillment_order) ?? '')
    if (order === undefined) return true
    if (order.cancelled || order.notices.some((notice) => notice.tracking_number === shipment.tracking_number))
      return false
    return order.lines.some((line) => line.quantity - line.cancelled - line.shipped > 0)
  }).length
}

function judgePayouts({ gateway, hub }: Evidence): Judgement['payouts'] {
  const known = new Map(hub.settlements.map((settlement) => [settlement.external_id, settlement]))
  let unmatched = 0
  let difference_minor = 0
  for (const payout of gateway.payouts) {
    const settlement = known.get(payout.id)
    unmatched +=
      settlement === undefined
        ? payout.rows.length
        : settlement.unmatched + Math.abs(settlement.lines - payout.rows.length)
    difference_minor +=
      Math.abs(payout.amount_minor - (settlement?.payout_minor ?? 0)) + Math.abs(settlement?.difference_minor ?? 0)
  }
  return {
    count: gateway.payouts.length,
    lines: sum(gateway.payouts.map((payout) => payout.rows.length)),
    unmatched,
    difference_minor,
  }
}

/**
 * From the sale on one storefront to the first write on another that no longer shows more than is left. Units that came free in
 * between raise what may be shown. Sales that the end of the trade cut off from their write are not among the samples.
 */
function lag(
  moves: readonly ShelfMove[],
  ledgers: readonly { shop: Shop; ledger: StorefrontLedger }[],
): Judgement['push_lag_ms'] {
  const writesOf = new Map<string, StorefrontLedger['stock_writes']>(
    ledgers.flatMap(({ shop, ledger }) =>
      [...Map.groupBy(ledger.stock_writes, (write) => write.sku)].map(
        ([sku, writes]) => [`${shop.storefront.connection_id} ${sku}`, writes] as const,
      ),
    ),
  )
  const samples = [...Map.groupBy(moves, (move) => `${move.connection_id} ${move.sku}`)].flatMap(
    ([shelf, shelfMoves]) =>
      shelfMoves.flatMap((move, index) =>
        move.cause === 'sale' ? lagOf(shelfMoves.slice(index), writesOf.get(shelf) ?? []) : [],
      ),
  )
  samples.sort((a, b) => a - b)
  const at = (share: number): number => samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99), samples: samples.length }
}

function lagOf(
  [sale, ...later]: readonly ShelfMove[],
  writes: readonly { quantity: number; at_ms: number }[],
): number[] {
  if (sale === undefined) return []
  let may_show = sale.at_most
  let next = 0
  for (const write of writes) {
    if (write.at_ms < sale.since_ms) continue
    for (let move = later[next]; move !== undefined && move.since_ms <= write.at_ms; move = later[next]) {
      may_show = Math.max(may_show, move.at_most)
      next += 1
    }
    if (write.quantity <= may_show) return [write.at_ms - sale.since_ms]
  }
  return []
}
