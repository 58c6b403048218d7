import type { Order } from '../model/order.ts'

/** Which picture of an order is newer. `content` breaks ties, so that every order of arrival ends with the same picture. */
export interface PictureVersion {
  updated_at_ms: number
  observed_at_ms: number
  /** Hex SHA-256 of the picture without its version. */
  content: string
}

/** Negative when `a` is the older one. */
export function compareVersions(a: PictureVersion, b: PictureVersion): number {
  return (
    a.updated_at_ms - b.updated_at_ms ||
    a.observed_at_ms - b.observed_at_ms ||
    (a.content === b.content ? 0 : a.content < b.content ? -1 : 1)
  )
}

/**
 * What to do with a picture that arrives. `confirm`: the same content seen later. Nothing changes but the version, which has to advance,
 * or else a picture taken in between would win.
 */
export function judgePicture(
  known: PictureVersion | null,
  arriving: PictureVersion,
): 'apply' | 'confirm' | 'same' | 'older' {
  if (known === null) return 'apply'
  const newer = compareVersions(known, arriving) < 0
  if (known.content === arriving.content) return newer ? 'confirm' : 'same'
  return newer ? 'apply' : 'older'
}

export type Lifecycle = Order['lifecycle']
export type PaymentState = Order['payment_state']

/** A cancellation that came by itself holds until a picture says otherwise that is newer. */
export function lifecycleOf(
  picture: { lifecycle: Lifecycle; updated_at_ms: number; observed_at_ms: number } | null,
  tombstone: { updated_at_ms: number; observed_at_ms: number } | null,
): Lifecycle {
  if (picture === null) return tombstone === null ? 'open' : 'cancelled'
  if (tombstone === null) return picture.lifecycle
  const newer = picture.updated_at_ms - tombstone.updated_at_ms || picture.observed_at_ms - tombstone.observed_at_ms
  return newer > 0 ? picture.lifecycle : 'cancelled'
}

/** Units of a line that still have to be served: after edits, less what was cancelled by refund. */
const wantedUnits = (line: { quantity: number; cancelled_quantity: number }): number =>
  Math.max(0, line.quantity - line.cancelled_quantity)

/** Units to hold stock for. A test order, an order that is over, and a line that is not shipped take none. */
export function stockUnits(
  order: { lifecycle: Lifecycle; is_test: boolean },
  line: { quantity: number; cancelled_quantity: number; requires_shipping: boolean },
): number {
  return order.lifecycle === 'open' && !order.is_test && line.requires_shipping ? wantedUnits(line) : 0
}

/** Units the channel has taken off its own number for this line. It does not put them back when an order is merely closed. */
export function soldUnits(
  order: { lifecycle: Lifecycle },
  line: { quantity: number; cancelled_quantity: number },
): number {
  return order.lifecycle === 'cancelled' ? 0 : wantedUnits(line)
}

export interface LinkedPayment {
  connection_id: string
  kind: 'authorization' | 'capture' | 'dispute' | 'refund'
  amount_minor: number
}

const UNPAID: readonly PaymentState[] = ['pending', 'authorized', 'partially_paid']
const GIVEN_BACK: readonly PaymentState[] = ['partially_paid', 'paid', 'partially_refunded']

/**
 * The payment axis: what the channel's picture says, moved on by succeeded payments and refunds that others report. A channel and a
 * gateway may both report the same money, so each connection is summed by itself and the largest sum counts.
 */
export function paymentStateOf(
  picture: PaymentState,
  total_minor: number,
  payments: readonly LinkedPayment[],
): PaymentState {
  const captured = largestSum(payments, 'capture')
  const refunded = largestSum(payments, 'refund')
  const paid = UNPAID.includes(picture)
    ? paidState(picture, total_minor, captured, largestSum(payments, 'authorization'))
    : picture
  if (refunded === 0 || !GIVEN_BACK.includes(paid)) return paid
  return refunded >= total_minor ? 'refunded' : 'partially_refunded'
}

function paidState(picture: PaymentState, total_minor: number, captured: number, authorized: number): PaymentState {
  if (captured > 0) return captured >= total_minor ? 'paid' : 'partially_paid'
  return picture === 'pending' && authorized > 0 && authorized >= total_minor ? 'authorized' : picture
}

function largestSum(payments: readonly LinkedPayment[], kind: LinkedPayment['kind']): number {
  const sums = new Map<string, number>()
  for (const payment of payments) {
    if (payment.kind === kind)
      sums.set(payment.connection_id, (sums.get(payment.connection_id) ?? 0) + payment.amount_minor)
  }
  return Math.max(0, ...sums.values())
}

export type FulfillmentState = 'unfulfilled' | 'partial' | 'fulfilled' | 'not_needed'

export function fulfillmentStateOf(
  lines: readonly {
    quantity: number
    cancelled_quantity: number
    shipped_quantity: number
    requires_shipping: boolean
  }[],
): FulfillmentState {
  const goods = lines.filter((line) => line.requires_shipping)
  if (goods.length === 0) return 'not_needed'
  if (goods.every((line) => line.shipped_quantity === 0)) return 'unfulfilled'
  return goods.every((line) => line.shipped_quantity >= wantedUnits(line)) ? 'fulfilled' : 'partial'
}

export type ReservationState = 'none' | 'held' | 'committed' | 'partial' | 'shortfall' | 'released' | 'consumed'

/** From the units of an order in each reservation state. */
export function reservationStateOf(
  units: { held: number; committed: number; consumed: number; shortfall: number; expired: number },
  lifecycle: Lifecycle,
): ReservationState {
  const covered = units.held + units.committed + units.consumed
  if (units.shortfall > 0) return covered > 0 ? 'partial' : 'shortfall'
  if (units.held > 0) return 'held'
  if (units.committed > 0) return 'committed'
  if (units.consumed > 0) return 'consumed'
  return lifecycle === 'cancelled' || units.expired > 0 ? 'released' : 'none'
}

/** Whether stock is only held until the money comes. A payment that was seen once is not taken back by a later word. */
export const isUnpaid = (state: PaymentState): boolean => state === 'pending'

export interface LineFields {
  external_id: string
  quantity: number
}

/** Lines by what a newer picture does to them. A line that the newer picture does not show is wanted no more. */
export function diffLines<Known extends LineFields, Shown extends LineFields>(
  known: readonly Known[],
  shown: readonly Shown[],
): { added: Shown[]; kept: { known: Known; shown: Shown }[]; removed: Known[] } {
  const byId = new Map(known.map((line) => [line.external_id, line]))
  const shownIds = new Set(shown.map((line) => line.external_id))
  return {
    added: shown.filter((line) => !byId.has(line.external_id)),
    kept: shown.flatMap((line) => {
      const before = byId.get(line.external_id)
      return before === undefined ? [] : [{ known: before, shown: line }]
    }),
    removed: known.filter((line) => line.quantity > 0 && !shownIds.has(line.external_id)),
  }
}

const UNITS_MAX = 1_000_000_000

/** Faults of a picture that the schema cannot see and the database would refuse for the whole batch. Null when there is none. */
export function pictureFault(order: Order): { path: string; message: string } | null {
  const seen = new Set<string>()
  let units = 0
  for (const [index, line] of order.lines.entries()) {
    if (seen.has(line.external_id))
      return { path: `$.lines[${index}].external_id`, message: 'two lines have the same id' }
    seen.add(line.external_id)
    units += line.quantity
  }
  return units > UNITS_MAX ? { path: '$.lines', message: `more than ${UNITS_MAX} units in one order` } : null
}
