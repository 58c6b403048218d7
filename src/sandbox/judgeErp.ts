import { itemUnits } from './assortment.ts'
import { NAMED_MAX, sum, type WarehouseLedger } from './evidence.ts'
import type { ErpLedger } from './odoo/ledger.ts'
import type { SoldOrder } from './simulator.ts'
import type { Shop } from './trade.ts'

/** What the others remember of what the ERP ought to know. */
export interface ErpEvidence {
  erp: ErpLedger
  shops: readonly Shop[]
  /** With the code under which the ERP knows the place. */
  places: readonly { erp_code: string; ledger: WarehouseLedger }[]
  hub: {
    /** `connection external id` of every order that the hub took. */
    orders: readonly string[]
    /** Keys of the journals that were posted and go there as entries, and names of payouts whose arrival goes there as a statement. */
    journals: readonly string[]
    arrivals: readonly string[]
    /** What it believes of places itself, `code sku`: it can tell no more than it knows. */
    on_hand: ReadonlyMap<string, number>
  }
}

export interface ErpJudged {
  erp_orders: number
  /** Paid orders that are not there, that are there twice, and totals or units that are not what was sold. */
  erp_orders_lost: number
  erp_orders_doubled: number
  erp_orders_wrong: number
  /** Parcels that left and are no delivery there, are two, or hold other units. */
  erp_deliveries: number
  erp_deliveries_wrong: number
  erp_invoices: number
  erp_entries: number
  /** Journals and statements that are missing, doubled, unposted or do not come to their sums. */
  erp_books_wrong: number
  /** Places and items of which the ERP believes another number than lies there. */
  erp_stock_wrong: number
  erp_faults: string[]
}

/** Holds the ERP's own books against those of storefronts and warehouses. */
export function judgeErp(evidence: ErpEvidence): ErpJudged {
  const orders = judgeOrders(evidence)
  const deliveries = judgeDeliveries(evidence)
  const books = judgeBooks(evidence)
  const stock = judgeStock(evidence)
  const faults = [...orders.lost, ...orders.doubled, ...orders.wrong, ...deliveries, ...books, ...stock]
  const { erp } = evidence
  return {
    erp_orders: erp.orders.length,
    erp_orders_lost: orders.lost.length,
    erp_orders_doubled: orders.doubled.length,
    erp_orders_wrong: orders.wrong.length,
    erp_deliveries: erp.deliveries.length,
    erp_deliveries_wrong: deliveries.length,
    erp_invoices: erp.invoices.filter(({ state }) => state === 'posted').length,
    erp_entries: erp.entries.length,
    erp_books_wrong: books.length,
    erp_stock_wrong: stock.length,
    erp_faults: faults.slice(0, NAMED_MAX),
  }
}

export const erpIsWhole = (judged: ErpJudged): boolean =>
  judged.erp_orders_lost +
    judged.erp_orders_doubled +
    judged.erp_orders_wrong +
    judged.erp_deliveries_wrong +
    judged.erp_books_wrong +
    judged.erp_stock_wrong ===
  0

function judgeOrders({ erp, shops, places, hub }: ErpEvidence) {
  const taken = new Set(hub.orders)
  const known = Map.groupBy(erp.orders, ({ origin }) => origin)
  const shipped = unitsByOrder(places)
  const found = { lost: [] as string[], doubled: [] as string[], wrong: [] as string[] }
  for (const shop of shops) {
    for (const order of shop.storefront.ledger().orders) {
      const name = `${shop.storefront.connection_id} ${order.external_id}`
      const own = known.get(name) ?? []
      const left = shipped.get(order.number) ?? new Map<string, number>()
      if (own.length > 1) found.doubled.push(`${name} is ${own.length} orders in the ERP`)
      const [there] = own
      const isWanted = taken.has(name) && order.paid && (!order.cancelled || left.size > 0)
      if (there === undefined && isWanted) found.lost.push(`${name} is not in the ERP`)
      if (there === undefined) continue
      if (order.cancelled && left.size === 0 && there.state !== 'cancel')
        found.wrong.push(`${name} is not cancelled in the ERP`)
      if (isWanted && there.state !== 'sale') found.wrong.push(`${name} is ${there.state} in the ERP`)
      if (isWanted) found.wrong.push(...differences(name, { shop, order, left, there }))
    }
  }
  return found
}

interface Compared {
  shop: Shop
  order: SoldOrder
  /** Units by item that left for it. */
  left: ReadonlyMap<string, number>
  there: ErpLedger['orders'][number]
}

/** Units are compared always, the total where no unit was taken off: what that does to discounts and taxes is the channel's secret. */
function differences(name: string, { shop, order, left, there }: Compared): string[] {
  const lines = order.lines.map((line) => ({
    sku: line.sku,
    quantity: order.cancelled ? 0 : line.quantity - line.cancelled,
  }))
  const wanted = itemUnits(shop.offers, lines)
  const told = itemUnits(shop.offers, there.lines)
  const items = [...new Set([...wanted.keys(), ...told.keys(), ...left.keys()])]
  const units = items.flatMap((item) => {
    const due = Math.max(wanted.get(item) ?? 0, left.get(item) ?? 0)
    return (told.get(item) ?? 0) === due
      ? []
      : [`${name} has ${told.get(item) ?? 0} ${item} in the ERP and sold ${due}`]
  })
  const isWhole =
    !order.cancelled && order.lines.every((line) => line.cancelled === 0 && line.quantity === line.most_quantity)
  if (units.length > 0 || !isWhole || there.total_minor === order.total_minor) return units
  return [`${name} comes to ${there.total_minor} in the ERP and to ${order.total_minor} at the channel`]
}

function unitsByOrder(places: ErpEvidence['places']): Map<string, Map<string, number>> {
  const byOrder = new Map<string, Map<string, number>>()
  for (const { ledger } of places) {
    const orderOf = new Map(ledger.received.map((work) => [work.fulfillment_order, work.order_number]))
    for (const { fulfillment_order, lines } of ledger.shipped) {
      const number = orderOf.get(fulfillment_order) ?? ''
      const units = byOrder.get(number) ?? new Map<string, number>()
      for (const { sku, quantity } of lines) units.set(sku, (units.get(sku) ?? 0) + quantity)
      byOrder.set(number, units)
    }
  }
  return byOrder
}

const unitsOf = (lines: readonly { sku: string; quantity: number }[]): string =>
  [...Map.groupBy(lines, ({ sku }) => sku)]
    .map(([sku, own]) => `${sum(own.map(({ quantity }) => quantity))} ${sku}`)
    .toSorted()
    .join(', ')

/** Every parcel is one delivery, with its number and its units; and there is no delivery without a parcel. */
function judgeDeliveries({ erp, places }: ErpEvidence): string[] {
  const parcels = places.flatMap(({ ledger }) => ledger.shipped.filter(({ lines }) => lines.length > 0))
  const told = Map.groupBy(erp.deliveries, ({ tracking }) => tracking)
  const wrong = parcels.flatMap(({ tracking_number, lines }) => {
    const own = told.get(tracking_number) ?? []
    const [delivery] = own
    if (delivery === undefined) return [`parcel ${tracking_number} is no delivery in the ERP`]
    if (own.length > 1) return [`parcel ${tracking_number} is ${own.length} deliveries in the ERP`]
    const [there, here] = [unitsOf(delivery.lines), unitsOf(lines)]
    return there === here ? [] : [`parcel ${tracking_number} held ${here}, its delivery says ${there}`]
  })
  const numbers = new Set(parcels.map(({ tracking_number }) => tracking_number))
  return [
    ...wrong,
    ...erp.deliveries.filter(({ tracking }) => !numbers.has(tracking)).map(({ name }) => `${name} is no parcel`),
  ]
}

function judgeBooks({ erp, hub }: ErpEvidence): string[] {
  const entries = erp.entries.filter(({ journal }) => journal === 'MISC')
  const off = erp.entries.filter(({ off_minor, state }) => off_minor !== 0 || state !== 'posted')
  const statements = erp.statements.filter(({ end_minor, declared_minor }) => end_minor !== declared_minor)
  return [
    ...off.map(({ name, reference }) => `entry ${name} ${reference} does not balance or is not posted`),
    ...statements.map(({ name }) => `statement ${name} does not come to its end`),
    ...unlike('journal', hub.journals, entries.map(({ reference }) => reference)), // prettier-ignore
    ...unlike('statement', hub.arrivals, erp.statements.map(({ name }) => name)), // prettier-ignore
  ]
}

/** Each name as often here as there. */
function unlike(what: string, here: readonly string[], there: readonly string[]): string[] {
  const count = (names: readonly string[], name: string): number => names.filter((one) => one === name).length
  return [...new Set([...here, ...there])].flatMap((name) =>
    count(here, name) === count(there, name)
      ? []
      : [`${what} ${name} is there ${count(there, name)} times instead of ${count(here, name)}`],
  )
}

function judgeStock({ erp, places, hub }: ErpEvidence): string[] {
  return places.flatMap(({ erp_code, ledger }) =>
    Object.entries(ledger.on_hand).flatMap(([sku, units]) => {
      const believed = erp.stock[erp_code]?.[sku] ?? 0
      if (believed === units) return []
      const said = hub.on_hand.get(`${erp_code} ${sku}`) ?? 0
      return [`${erp_code} has ${units} ${sku}, the ERP believes ${believed}, the hub ${said}`]
    }),
  )
}
