import { arrayText } from '../columns.ts'
import { listingWakeKey } from '../inventory/listings.ts'
import type { Order } from '../model/order.ts'
import type { Arrival } from './arrivals.ts'
import type { ResolvedListing } from './resolve.ts'
import {
  fulfillmentStateOf,
  lifecycleOf,
  paymentStateOf,
  stockUnits,
  type Lifecycle,
  type ReservationState,
} from './rules.ts'
import { postcodeAreaOf, serviceLevelOf, shipByOf } from './rulesPromise.ts'
import type { LineRow, OrderRow, StoredOrder } from './sql.ts'

/** What an order's lifecycle is once this picture is kept, given a cancellation that may have come by itself. */
export function lifecycleAfter(order: Order, known: StoredOrder | null): Lifecycle {
  const { updated_at, observed_at } = order.version
  const picture = {
    lifecycle: order.lifecycle,
    updated_at_ms: Date.parse(updated_at),
    observed_at_ms: Date.parse(observed_at),
  }
  return lifecycleOf(picture, tombstoneOf(known))
}

export function tombstoneOf(order: StoredOrder | null): { updated_at_ms: number; observed_at_ms: number } | null {
  if (order === null || order.tombstone_updated_at === null || order.tombstone_observed_at === null) return null
  return { updated_at_ms: order.tombstone_updated_at.getTime(), observed_at_ms: order.tombstone_observed_at.getTime() }
}

/** The row of an order as its newest picture has it. States that hang on other rows are what they are when there are none. */
export function orderRow(
  arrival: Arrival,
  made: { id: string; person_id: string | null; lines: readonly LineRow[]; promise: 'held' | 'committed' },
): OrderRow {
  const { order, policy, connection_id, known } = arrival
  const lifecycle = lifecycleAfter(order, known)
  const wantsStock = made.lines.some((line) => stockUnits({ lifecycle, is_test: order.test }, line) > 0)
  const idle: ReservationState = lifecycle === 'cancelled' ? 'released' : 'none'
  return {
    id: made.id,
    company_id: policy.company_id,
    connection_id,
    external_id: order.external_id,
    number: order.number,
    version_updated_at: order.version.updated_at,
    version_observed_at: order.version.observed_at,
    content_sha256: arrival.content_sha256,
    picture_lifecycle: order.lifecycle,
    picture_payment_state: order.payment_state,
    placed_at: order.placed_at,
    currency: order.currency,
    lifecycle,
    payment_state: pictureWithRefunds(connection_id, order),
    fulfillment_state: fulfillmentStateOf(made.lines.map((line) => ({ ...line, shipped_quantity: 0 }))),
    reservation_state: wantsStock ? made.promise : idle,
    cancelled_at:
      order.cancelled_at ?? (lifecycle === 'cancelled' ? (known?.tombstone_updated_at?.toISOString() ?? null) : null),
    is_test: order.test,
    person_id: made.person_id,
    ship_country: order.ship_to?.country ?? null,
    shipping_method: order.shipping_method,
    service_level: serviceLevelOf(order.shipping_method, policy.service_levels),
    ship_by: shipByOf(order, policy.ship_within_hours),
    deliver_by: order.deliver_by ?? null,
    ship_postcode_area: postcodeAreaOf(order.ship_to?.postcode ?? null),
    ...order.totals,
    payment_ids: arrayText(paymentIds(known, order)),
  }
}

/** A picture that leaves payment ids out says nothing about those that are known. */
export function paymentIds(known: Pick<StoredOrder, 'payment_ids'> | null, order: Order): string[] {
  return [...new Set([...(known?.payment_ids ?? []), ...order.payment_ids])]
}

function pictureWithRefunds(connection_id: string, order: Order): OrderRow['payment_state'] {
  const refunds = order.refunds.filter((refund) => refund.status === 'succeeded' && refund.currency === order.currency)
  const sums = refunds.map((refund) => ({ connection_id, kind: 'refund' as const, amount_minor: refund.amount_minor }))
  return paymentStateOf(order.payment_state, order.totals.total_minor, sums)
}

/** The listing that a line is, and what one unit of it takes where that is several items. */
function takesOf(listing: ResolvedListing | undefined): Pick<LineRow, 'listing_id' | 'takes_items' | 'takes_units'> {
  if (listing === undefined || listing.components.length < 2)
    return { listing_id: listing?.listing_id ?? null, takes_items: null, takes_units: null }
  const { listing_id, components } = listing
  const list = (values: readonly number[]): string => `{${values.join(',')}}`
  return {
    listing_id,
    takes_items: list(components.map(({ item_id }) => item_id)),
    takes_units: list(components.map(({ per_unit }) => per_unit)),
  }
}

/** The lines as the picture shows them, with what its own refunds have cancelled. */
export function lineRows(
  arrival: Arrival,
  order_id: string,
  listings: ReadonlyMap<string, ResolvedListing>,
): LineRow[] {
  const { order, connection_id } = arrival
  const cancelled = new Map<string, number>()
  for (const refund of order.refunds) {
    if (refund.status === 'cancelled') continue
    for (const line of refund.lines) {
      if (line.restock !== 'cancel') continue
      cancelled.set(line.line_external_id, (cancelled.get(line.line_external_id) ?? 0) + line.quantity)
    }
  }
  return order.lines.map((line) => ({
    order_id,
    external_id: line.external_id,
    ...takesOf(listings.get(listingWakeKey(connection_id, line.channel_sku))),
    channel_sku: line.channel_sku,
    title: line.title,
    quantity: line.quantity,
    cancelled_quantity: cancelled.get(line.external_id) ?? 0,
    unit_price_minor: line.unit_price_minor,
    discount_minor: line.discount_minor,
    tax_minor: line.tax_minor,
    total_minor: line.total_minor,
    requires_shipping: line.requires_shipping,
  }))
}
