import Type, { type Static } from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import type { EffectNote, EffectResult, ShipmentNotice } from '../../core/model/effects.ts'
import { legacyId } from '../../mappings/shopify/graphql.ts'
import type { Port } from '../_kit/define.ts'
import { FULFILL, FULFILLMENT_ORDERS } from './_graphql.ts'
import { answer, ask, type Settings } from './client.ts'

type ShopPort = Port<Settings>
const MaybeText = Type.Union([Type.String(), Type.Null()])
const nodes = <T extends Parameters<typeof Type.Array>[0]>(node: T) => Type.Object({ nodes: Type.Array(node) })
const LineRef = Type.Object({ id: Type.String() })
const Work = Type.Object({
  id: Type.String(),
  status: Type.String(),
  assignedLocation: Type.Object({ location: Type.Union([LineRef, Type.Null()]) }),
  lineItems: nodes(Type.Object({ id: Type.String(), remainingQuantity: Type.Integer(), lineItem: LineRef })),
})
const Booked = Type.Object({
  id: Type.String(),
  status: Type.String(),
  trackingInfo: Type.Array(Type.Object({ number: MaybeText })),
  fulfillmentLineItems: nodes(Type.Object({ quantity: Type.Union([Type.Integer(), Type.Null()]), lineItem: LineRef })),
})
const WorkAnswer = answer(
  Type.Object({
    order: Type.Union([Type.Null(), Type.Object({ fulfillmentOrders: nodes(Work), fulfillments: Type.Array(Booked) })]),
  }),
)
const FulfillAnswer = answer(
  Type.Object({
    fulfillmentCreate: Type.Object({
      fulfillment: Type.Union([LineRef, Type.Null()]),
      userErrors: Type.Array(Type.Object({ message: Type.String() })),
    }),
  }),
)
const WORKABLE = ['OPEN', 'IN_PROGRESS']
const HELD_BACK = ['ON_HOLD', 'SCHEDULED']

interface Standing {
  work: Static<typeof Work>[]
  /** Units per line that are not booked under this tracking number yet, and the fulfillment that holds those that are. */
  missing: Map<string, number>
  booked: string | null
}

/** The parcel's own number first, then those of the parcels that it completes. */
const numbersOf = ({ tracking_number, more_tracking_numbers }: ShipmentNotice): string[] => [
  ...(tracking_number === null ? [] : [tracking_number]),
  ...more_tracking_numbers,
]

async function standingOf(port: ShopPort, notice: ShipmentNotice): Promise<Standing | null> {
  const variables = { id: `gid://shopify/Order/${notice.order_external_id}` }
  const { order } = await ask(port, WorkAnswer, {
    operation: 'fulfillmentOrders',
    query: FULFILLMENT_ORDERS,
    variables,
  })
  if (order === null) return null
  const missing = new Map<string, number>()
  for (const line of notice.lines)
    missing.set(line.line_external_id, (missing.get(line.line_external_id) ?? 0) + line.quantity)
  const numbers = numbersOf(notice)
  const ours = order.fulfillments.filter(
    ({ status, trackingInfo }) =>
      status !== 'CANCELLED' && trackingInfo.some(({ number }) => number !== null && numbers.includes(number)),
  )
  for (const { quantity, lineItem } of ours.flatMap((fulfillment) => fulfillment.fulfillmentLineItems.nodes)) {
    const id = legacyId(lineItem.id)
    if (missing.has(id)) missing.set(id, (missing.get(id) ?? 0) - (quantity ?? 0))
  }
  return { work: order.fulfillmentOrders.nodes, missing, booked: ours[0]?.id ?? null }
}

const isBooked = ({ booked, missing }: Standing): boolean =>
  booked !== null && [...missing.values()].every((units) => units <= 0)

interface Allotment {
  byLocation: Map<
    string,
    { fulfillmentOrderId: string; fulfillmentOrderLineItems: { id: string; quantity: number }[] }[]
  >
  /** Units that the shop does not want any more. */
  note: EffectNote | null
  /** The shop still wants some of the units left over, but not now. */
  held: boolean
}

/**
 * Spreads the missing units over open work, one mutation per location, because Shopify takes only one location at a time. Units that
 * the shop no longer wants (an edit, refund or cancellation after the parcel left) find no work and are noted: the rest still gets its
 * number.
 */
function allocate({ work, missing }: Standing): Allotment {
  const left = new Map(missing)
  const byLocation: Allotment['byLocation'] = new Map()
  for (const { id, status, assignedLocation, lineItems } of work) {
    if (!WORKABLE.includes(status)) continue
    const taken = lineItems.nodes.flatMap((line) => {
      const wanted = left.get(legacyId(line.lineItem.id)) ?? 0
      const quantity = Math.min(wanted, line.remainingQuantity)
      if (quantity <= 0) return []
      left.set(legacyId(line.lineItem.id), wanted - quantity)
      return [{ id: line.id, quantity }]
    })
    const place = assignedLocation.location?.id ?? ''
    if (taken.length > 0)
      byLocation.set(place, [
        ...(byLocation.get(place) ?? []),
        { fulfillmentOrderId: id, fulfillmentOrderLineItems: taken },
      ])
  }
  const lines = [...left].flatMap(([line_external_id, quantity]) =>
    quantity > 0 ? [{ line_external_id, quantity }] : [],
  )
  const held = work.some(
    ({ status, lineItems }) =>
      HELD_BACK.includes(status) &&
      lineItems.nodes.some((line) => line.remainingQuantity > 0 && (left.get(legacyId(line.lineItem.id)) ?? 0) > 0),
  )
  return { byLocation, held, note: lines.length === 0 ? null : { kind: 'over_shipped', lines } }
}

/** Books a shipment against the order's open work. What stands under the tracking number already is not booked again. */
export async function sendShipments(port: ShopPort, notices: readonly ShipmentNotice[]): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const notice of notices) results.push({ outbox_id: notice.outbox_id, ...(await sendShipment(port, notice)) })
  return results
}

type Ending =
  | { outcome: 'done'; external_id: string | null; note?: EffectNote }
  | { outcome: 'refused'; code: ErrorCode; detail: string }

async function sendShipment(port: ShopPort, notice: ShipmentNotice): Promise<Ending> {
  const standing = await standingOf(port, notice)
  if (standing === null)
    return { outcome: 'refused', code: 'vendor_not_found', detail: 'the shop does not know the order' }
  if (isBooked(standing)) return { outcome: 'done', external_id: standing.booked }
  const { byLocation, note, held } = allocate(standing)
  const noted = note === null ? {} : { note }
  const trackingInfo = trackingOf(notice)
  let external_id = standing.booked
  for (const lineItemsByFulfillmentOrder of byLocation.values()) {
    const variables = { fulfillment: { lineItemsByFulfillmentOrder, trackingInfo, notifyCustomer: true } }
    const call = { operation: 'fulfillmentCreate', query: FULFILL, variables, repeat: 'once' } as const
    const { fulfillmentCreate } = await ask(port, FulfillAnswer, call)
    const fault = fulfillmentCreate.userErrors[0]
    if (fault !== undefined) return { outcome: 'refused', code: 'vendor_rejected', detail: fault.message.slice(0, 200) }
    external_id ??= fulfillmentCreate.fulfillment?.id ?? null
  }
  // Asked again after the hold, this books the rest: what stands under the number is not booked twice.
  if (held) return { outcome: 'refused', code: 'vendor_conflict', detail: 'the shop holds back the work of some units' }
  return { outcome: 'done', external_id, ...noted }
}

/** Shopify takes either one number with its address or several with theirs, matched by position. */
function trackingOf(notice: ShipmentNotice): Record<string, string | string[]> {
  const [number, ...more] = numbersOf(notice)
  const url = notice.tracking_number === null ? null : notice.tracking_url
  const told =
    more.length === 0 || number === undefined
      ? { number: number ?? null, url }
      : { numbers: [number, ...more], urls: url === null ? null : [url] }
  const all = Object.entries({ company: notice.carrier, ...told })
  return Object.fromEntries(all.flatMap(([key, value]) => (value === null ? [] : [[key, value]])))
}

/** Read back after an unknown outcome. Without a tracking number two shipments cannot be told apart. */
export async function confirmShipments(
  port: ShopPort,
  notices: readonly ShipmentNotice[],
): Promise<'done' | 'not_done' | 'unknown'> {
  if (notices.some((notice) => numbersOf(notice).length === 0)) return 'unknown'
  for (const notice of notices) {
    const standing = await standingOf(port, notice)
    if (standing === null || !isBooked(standing)) return 'not_done'
  }
  return 'done'
}
