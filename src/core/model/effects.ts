import type { ErrorCode } from '../errors.ts'
import type { Address } from './party.ts'

/**
 * What the hub tells the outside, and what it hears back: the shapes in which the core hands work to a connector. They are built
 * when a call is made and never stored, so that they always carry the newest state.
 */

export interface AvailabilityLine {
  listing_id: number
  channel_sku: string
  external: Readonly<Record<string, string>>
  quantity: number
  /** What the channel should show now if nothing happened there that we have not seen; null when nothing is proven. */
  expected: number | null
}

export type AvailabilityResult = { listing_id: number } & (
  | { outcome: 'set' }
  /** Compare-and-set lost: the channel shows `actual` (null: could not be read). */
  | { outcome: 'stale'; actual: number | null }
  | { outcome: 'refused'; code: ErrorCode; detail: string }
)

export interface FulfillmentRequest {
  outbox_id: number
  action: 'new' | 'cancel'
  fulfillment_order: string
  order_number: string
  location_code: string
  placed_at: string
  /** When the work (or its recall) came up: the same each time it is told. Left out: unknown. */
  requested_at?: string
  shipping_method: string | null
  ship_to: Address | null
  lines: { sku: string; quantity: number; line_reference: string; title: string | null }[]
  /** What the parcel is to leave with, where the hub has bought a label for it. */
  label?: FulfillmentLabel
}

export interface FulfillmentLabel {
  carrier: string
  service: string
  tracking_number: string
  tracking_url: string | null
  /** Read when they are asked for, one request at a time: they are large. None where the person was erased. */
  files: () => Promise<LabelFile[]>
}

export interface LabelFile {
  name: string
  content_type: string
  bytes: Buffer
}

export interface ShipmentNotice {
  outbox_id: number
  shipment_id: string
  order_external_id: string
  order_number: string
  carrier: string | null
  tracking_number: string | null
  /** Numbers of earlier parcels that completed no unit by themselves (a part of a kit) and belong to these units. */
  more_tracking_numbers: string[]
  tracking_url: string | null
  shipped_at: string
  lines: { line_external_id: string; channel_sku: string; quantity: number }[]
  /** Units of the order that are still to be shipped after this one. */
  units_remaining: number
}

/** What an operator should know of an effect that is done: it goes to the order's timeline. */
export interface EffectNote {
  /** The parcel held more than the channel still wants: an edit, a refund or a cancellation came after it had left. */
  kind: 'over_shipped'
  /** The units too many, by the channel's own line ids. */
  lines: { line_external_id: string; quantity: number }[]
}

/** What a vendor gave us beside its word that it is done. */
export type EffectAnswer =
  | { kind: 'rates'; parcel_external_id: string; rates: Rate[] }
  | { kind: 'label'; label: BoughtLabel }

/** Somebody has to answer what we sent; who does not in time becomes a case. `reference` is what the answer will name. */
export interface AwaitedAnswer {
  reference: string
  what: string
  within_ms: number
}

export type EffectResult = { outbox_id: number } & (
  | {
      outcome: 'done'
      external_id: string | null
      note?: EffectNote
      answer?: EffectAnswer
      awaits?: readonly AwaitedAnswer[]
    }
  | { outcome: 'refused'; code: ErrorCode; detail: string }
)

// ── carriers ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface Parcel {
  weight_g: number
  /** Length, width, height; null: unknown. */
  size_mm: readonly [number, number, number] | null
}

export interface RateRequest {
  outbox_id: number
  /** Our name of the parcel, under which the vendor's record can be found again. */
  reference: string
  ship_from: Address
  ship_to: Address
  parcel: Parcel
  /** For customs, where the parcel leaves its union. */
  currency: string
  lines: { sku: string; title: string | null; quantity: number; value_minor: number; origin_country: string | null }[]
}

/** One offer of a carrier. */
export interface Rate {
  external_id: string
  carrier: string
  service: string
  currency: string
  amount_minor: number
  /** Business or calendar days as the vendor says; null: it promises nothing. */
  days: number | null
  guaranteed: boolean
}

export interface LabelRequest {
  outbox_id: number
  action: 'buy' | 'void'
  reference: string
  /** The vendor's record that the rates came with, and the chosen one of them. */
  parcel_external_id: string
  rate_external_id: string
  /** Of a void. */
  tracking_number: string | null
}

export interface BoughtLabel {
  carrier: string
  service: string
  tracking_number: string
  tracking_url: string | null
  currency: string
  amount_minor: number
  files: LabelFile[]
}

// ── partners ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Goods on their way to a place that somebody else works in. */
export interface SupplyAnnouncement {
  outbox_id: number
  supply_id: string
  reference: string
  location_code: string
  expected_at: string | null
  /** When the goods were announced, or what was announced of them last changed. */
  announced_at: string
  /** `withdraw`: nothing of it comes any more; the lines then have no units. */
  action: 'announce' | 'withdraw'
  /** What is expected in all, whatever of it has come. */
  lines: { sku: string; quantity: number; lot: string | null }[]
}

/** What became of a buyer's order, line by line. */
export interface OrderAnswer {
  outbox_id: number
  order_external_id: string
  order_number: string
  placed_at: string
  answered_at: string
  /** 1 for the first answer to the order; a later one replaces those before it. */
  revision: number
  verdict: 'accepted' | 'changed' | 'rejected'
  lines: {
    line_external_id: string
    channel_sku: string
    ordered: number
    accepted: number
    backordered: number
    unit_price_minor: number
    /** When the backordered units are expected; null: nobody has said. */
    expected_at: string | null
  }[]
  currency: string
}

/** What a buyer owes for one shipment. */
export interface InvoiceRequest {
  outbox_id: number
  number: string
  order_external_id: string
  order_number: string
  order_placed_at: string
  invoiced_at: string
  currency: string
  /** Without tax. `amount_minor` is what these units cost, which discounts may have made less than their prices. */
  lines: {
    line_external_id: string
    channel_sku: string
    title: string | null
    quantity: number
    unit_price_minor: number
    amount_minor: number
  }[]
  shipping_minor: number
  tax_minor: number
  total_minor: number
}

// ── ERP ───────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface ErpOrderLine {
  /** Stable over edits: the ERP's record is found by it. */
  line_external_id: string
  sku: string
  title: string | null
  quantity: number
  unit_price_minor: number
  /** Off the line as a whole. */
  discount_minor: number
  tax_minor: number
}

export interface ErpOrder {
  order_id: string
  channel: string
  order_external_id: string
  order_number: string
  placed_at: string
  currency: string
  lines: ErpOrderLine[]
  shipping_minor: number
  shipping_tax_minor: number
  total_minor: number
  prices_include_tax: boolean
  customer: {
    external_id: string
    name: string | null
    email: string | null
    ship_to: Address | null
    bill_to: Address | null
  }
  warehouse_code: string | null
}

/** What an ERP is told, one shape a kind of document. Every one carries the key under which it is known there, so that it exists once. */
export type ErpRequest = { outbox_id: number; key: string } & (
  | { kind: 'order'; order: ErpOrder }
  | { kind: 'cancellation'; order_external_key: string }
  | {
      kind: 'delivery'
      order_external_key: string
      shipment_id: string
      carrier: string | null
      tracking_number: string | null
      shipped_at: string
      warehouse_code: string | null
      lines: { sku: string; line_external_id: string; quantity: number; lot: string | null }[]
      units_remaining: number
    }
  | {
      kind: 'return'
      order_external_key: string
      return_id: string
      received_at: string
      warehouse_code: string | null
      lines: { sku: string; quantity: number; disposition: string }[]
    }
  | { kind: 'invoice'; order_external_key: string; at: string }
  | {
      kind: 'credit'
      order_external_key: string
      refund_id: string
      at: string
      currency: string
      amount_minor: number
      lines: { sku: string; quantity: number; amount_minor: number }[]
    }
  | {
      kind: 'journal'
      /** Account names of our books; the connection's settings say which account of the ERP each one is. */
      reference: string
      at: string
      currency: string
      lines: { account: string; debit_minor: number; credit_minor: number; text: string }[]
    }
  | {
      kind: 'bank_statement'
      reference: string
      at: string
      currency: string
      begin_minor: number
      end_minor: number
      lines: { external_id: string; at: string; text: string; amount_minor: number }[]
    }
  | { kind: 'stock'; as_of: string; warehouse_code: string; lines: { sku: string; on_hand: number }[] }
)
