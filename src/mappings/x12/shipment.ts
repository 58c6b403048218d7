import type { Acknowledgement, Shipment } from '../../core/model/shipment.ts'
import type { Fact } from '../../core/model/fact.ts'
import { defineMapping, fromTable, type MappingContext } from '../define.ts'
import { SetRow } from './payload.ts'
import { profileOf, USUAL, type LineMeaning, type Profile } from './profile.ts'
import { all, el, maybe, one, type Node } from './structure.ts'
import { dayInstant, invalid, placeOf, rootOf, skuOf, textOf, unitsOf, type SetPayload } from './values.ts'

type ShipmentLine = Shipment['lines'][number]

/** One W12 with the carton (LX) that it lies in. */
interface Packed extends ShipmentLine {
  tracking: string | null
  /** Units that were asked for and did not leave. */
  missing: number
  meaning: LineMeaning
}

/**
 * 945 warehouse shipping advice: what left, and what of the order will not leave any more. Cartons with numbers of their own become
 * parcels of their own. A 945 without a single unit is the answer to the order: cancelled, or refused because nothing was there.
 */
export const shipment = defineMapping({
  from: SetRow,
  map: (payload, context) => {
    const profile = profileOf(context.settings)
    const root = rootOf(payload)
    const w06 = one(root, 'W06')
    const fulfillment_order = maybe(w06, 2)
    if (fulfillment_order === null) throw invalid('names no order of ours (depositor order number)', placeOf(w06, 2))
    const shipped_at = shippedAt(payload, root, profile)
    const lines = all(root, 'LX').flatMap((carton) =>
      all(carton, 'W12').map((node) => packedOf(root, carton, node, { profile, context })),
    )
    const left = lines.filter((line) => line.quantity > 0)
    const base = shipmentId(payload, w06, fulfillment_order)
    const answers = answersOf(lines, { fulfillment_order, at: shipped_at, reference: base })
    const parcels = [...Map.groupBy(left, ({ tracking }) => tracking)]
    const w27 = one(root, 'W27')
    const shipments = parcels.map(([tracking_number, group], index): Fact => ({
      kind: 'shipment',
      document: {
        external_id: parcels.length === 1 ? base : `${base}/${tracking_number ?? index + 1}`,
        fulfillment_order,
        shipped_at,
        carrier: carrierOf(w27, profile),
        tracking_number,
        tracking_url: null,
        lines: group.map(({ sku, quantity, line_reference, lot }) => ({ sku, quantity, line_reference, lot })),
      },
    }))
    return [...answers, ...shipments]
  },
})

/** One and the same advice has one name, whichever file brings it: the order with the warehouse's own shipment number. */
function shipmentId({ group, text, delimiters }: SetPayload, w06: Node | undefined, order: string): string {
  const [, , control = ''] = text.slice(0, 40).split(delimiters.segment)[0]?.split(delimiters.element) ?? []
  return `${order}/${maybe(w06, 4) ?? `${group.control}.${control.trim()}`}`.slice(0, 150)
}

/** G62*11 (shipped) with its time before the bare day of W0603. */
function shippedAt(payload: SetPayload, root: Node, profile: Profile): string {
  const g62 = all(root, 'G62').find((node) => el(node, 1) === '11' && maybe(node, 2) !== null)
  const w06 = one(root, 'W06')
  const shown = g62 === undefined ? { date: maybe(w06, 3), time: null } : { date: maybe(g62, 2), time: maybe(g62, 4) }
  const path = g62 === undefined ? placeOf(w06, 3) : placeOf(g62, 2)
  return dayInstant(payload, { ...shown, zone: maybe(g62, 5), path }, profile)
}

function carrierOf(w27: Node | undefined, profile: Profile): string | null {
  const code = maybe(w27, 2)
  if (code === null) return textOf(w27, 3, 100)
  return profile.carriers?.[code] ?? textOf(w27, 3, 100) ?? code
}

const SKU_PAIRS = [7, 17, 21]

function packedOf(
  root: Node,
  carton: Node,
  node: Node,
  { profile, context }: { profile: Profile; context: MappingContext },
): Packed {
  const quantity = unitsOf(node, { quantity: 3, unit: 5 }, profile)
  const ordered = unitsOf(node, { quantity: 2, unit: 5 }, profile)
  if (quantity < 0) throw invalid('is less than nothing', placeOf(node, 3))
  const meanings: Readonly<Record<string, LineMeaning>> = { ...USUAL.line_status, ...profile.line_status }
  const meaning = fromTable<LineMeaning>(meanings, el(node, 1), 'follows', context, 'line status W1201')
  if (meaning === 'substituted' && quantity > 0)
    context.warn(`${placeOf(node)}: another item than ordered was sent; it is booked as the item that is named`)
  return {
    sku: skuOf(node, SKU_PAIRS, profile),
    quantity,
    line_reference:
      all(node, 'N9')
        .map((n9) => (el(n9, 1) === 'LI' ? maybe(n9, 2) : null))
        .find((id) => id !== null) ?? null,
    lot: maybe(node, 9) ?? lotOf(node),
    tracking: trackingOf(root, carton, node, profile),
    missing: Math.max(0, ordered - quantity),
    meaning,
  }
}

const lotOf = (node: Node): string | null =>
  all(node, 'N9')
    .map((n9) => (el(n9, 1) === 'LT' ? maybe(n9, 2) : null))
    .find((id) => id !== null) ?? null

/** `MAN*CP`: the segment, and its qualifier. Looked for at the line, then its carton, then the whole advice. */
function trackingOf(root: Node, carton: Node, node: Node, profile: Profile): string | null {
  for (const place of profile.tracking ?? USUAL.tracking) {
    const [segment = '', qualifier = ''] = place.split('*')
    for (const level of [node, carton, root]) {
      const found = all(level, segment).find((one_) => el(one_, 1) === qualifier && maybe(one_, 2) !== null)
      if (found !== undefined) return textOf(found, 2, 100)
    }
  }
  return null
}

/**
 * What the advice says of units that stay: short ones were not on the shelf, cancelled ones are let go, those that follow are nothing to
 * say. Where nothing leaves at all, it is the answer to the whole order.
 */
function answersOf(
  lines: readonly Packed[],
  { fulfillment_order, at, reference }: { fulfillment_order: string; at: string; reference: string },
): Fact[] {
  const shipped = lines.some(({ quantity }) => quantity > 0)
  const gone = lines.filter(
    ({ missing, meaning }) =>
      missing > 0 && (meaning === 'short' || meaning === 'cancelled' || meaning === 'substituted'),
  )
  const answer = (document: Pick<Acknowledgement, 'verdict' | 'reason'> & Partial<Acknowledgement>): Fact[] => [
    { kind: 'acknowledgement', document: { fulfillment_order, at, ...document } },
  ]
  const nothing = lines.every(({ quantity, meaning }) => quantity === 0 && meaning !== 'follows')
  if (!shipped && nothing && lines.length > 0) {
    const called = lines.every(({ meaning }) => meaning === 'cancelled')
    return called
      ? answer({ verdict: 'cancelled', reason: null })
      : answer({ verdict: 'rejected', reason: 'nothing of it could be shipped' })
  }
  if (gone.length === 0) return []
  const units = Map.groupBy(gone, ({ sku }) => sku)
  const short = [...units].map(([sku, group]) => ({
    sku,
    quantity: group.reduce((sum, { missing }) => sum + missing, 0),
  }))
  return answer({ verdict: 'short', reason: null, lines: short, reference })
}
