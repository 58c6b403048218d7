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
  shipping_method: string | null
  ship_to: Address | null
  lines: { sku: string; quantity: number; line_reference: string; title: string | null }[]
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

export type EffectResult = { outbox_id: number } & (
  | { outcome: 'done'; external_id: string | null; note?: EffectNote }
  | { outcome: 'refused'; code: ErrorCode; detail: string }
)
