import type { Units } from './assortment.ts'
import type { SoldOrder } from './simulator.ts'
import type { ShelfMove, Shop } from './trade.ts'

/** What a warehouse remembers. */
export interface WarehouseLedger {
  received: {
    fulfillment_order: string
    order_number: string
    times: number
    lines: { sku: string; quantity: number }[]
    received_ms: number
  }[]
  /** Goods that came in, with what lay there before. */
  arrived: {
    at_ms: number
    lines: { sku: string; quantity: number }[]
    before: Readonly<Record<string, number>>
  }[]
  shipped: {
    shipment_id: string
    fulfillment_order: string
    tracking_number: string
    lines: { sku: string; quantity: number }[]
  }[]
  /** Fulfillment orders that it sent back. */
  rejected: string[]
  on_hand: Record<string, number>
  /** Units it was asked to ship but physically did not have. */
  refused_units: number
}

/** A place, what lay there before the first sale, and what its people remember. */
export interface PlaceEvidence {
  location_id: string
  stock: Readonly<Record<string, number>>
  ledger: WarehouseLedger
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
  /** Units it has promised from a place and that have not left it. */
  open: { location_id: string; sku: string; units: number }[]
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
  places: readonly PlaceEvidence[]
  gateway: GatewayLedger
  /** Payouts that the gateway told wrongly on purpose: what the hub makes of them is judged by its breaks. */
  misstated: readonly string[]
  hub: HubStatement
  moves: readonly ShelfMove[]
  trade_seconds: number
}

/** One order of a storefront with everything the judge holds against it. */
export interface JudgedOrder {
  shop: Shop
  order: SoldOrder
  /** Units of items that it wants now. */
  wanted: Units
  shipped: Units
  statement: HubStatement['orders'][number] | undefined
}

/** A list of faults is for a person to begin with, not to be complete. */
export const NAMED_MAX = 20
export const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0)
