import { NAMED_MAX, type WarehouseLedger } from './evidence.ts'
import type { SoldLabel } from './easypostLedger.ts'
import type { SoldOrder } from './simulator.ts'

/** A place whose parcels leave with labels that the hub has bought, as its people and its carrier remember it. */
export interface LabelledPlace {
  location_id: string
  ledger: Pick<WarehouseLedger, 'shipped'> & {
    labels_given: Readonly<Record<string, string>>
    labels_missing: readonly string[]
  }
  sold: readonly SoldLabel[]
}

/** What the hub says of parcels and their labels. */
export interface LabelStatement {
  /** Labels that it calls given back, and those that it calls bought, by their numbers. */
  voided: readonly string[]
  bought: readonly string[]
  /** Parcels that it calls delivered. */
  delivered: readonly string[]
}

export interface LabelsJudged {
  labels_bought: number
  labels_refunded: number
  /** Pieces of work for which more than one label was paid and not given back. */
  labels_twice: number
  /** Labels that were paid, not given back, and not on any parcel. */
  labels_idle: number
  /** Labels that the hub says it gave back and the carrier knows nothing of, or the other way round. */
  refunds_missed: number
  /** Parcels that left without the label that was sent along, and labels whose file did not arrive. */
  labels_not_used: number
  /** Numbers of such parcels that no channel was told, or that it was told and no parcel bears. */
  numbers_told_wrong: number
  /** Parcels that the carrier has delivered, and how many of them the hub does not know of. */
  delivered: number
  deliveries_missed: number
  label_faults: string[]
}

/** The work that a label was bought for: the reference is its number with a count behind it. */
const workOf = (reference: string | null): string => (reference ?? '').replace(/-\d+$/, '')

/**
 * Holds the books of carriers, warehouses and storefronts against each other and against what the hub says: every parcel of a place with
 * labels left with one that was bought once, what was of no use was paid back, and channels were told the numbers that are on the parcels.
 */
export function judgeLabels(
  places: readonly LabelledPlace[],
  orders: readonly Pick<SoldOrder, 'notices' | 'cancelled'>[],
  hub: LabelStatement,
): LabelsJudged {
  const sold = [
    ...new Map(places.flatMap((place) => place.sold.map((label) => [label.tracking_code, label] as const))).values(),
  ]
  const paid = sold.filter(({ refunded }) => !refunded)
  const shipped = places.flatMap(({ ledger }) => ledger.shipped)
  const onParcels = new Set(shipped.map(({ tracking_number }) => tracking_number))
  const told = new Set(orders.flatMap(({ notices }) => notices.map(({ tracking_number }) => tracking_number)))
  const known = new Set(sold.map(({ tracking_code }) => tracking_code))

  const twice = [...Map.groupBy(paid, ({ reference }) => workOf(reference))].filter(([, labels]) => labels.length > 1)
  const idle = paid.filter(({ tracking_code }) => !onParcels.has(tracking_code))
  const refunds = [
    ...sold.filter(({ refunded, tracking_code }) => refunded !== hub.voided.includes(tracking_code)),
    ...hub.voided.filter((number) => !known.has(number)).map((tracking_code) => ({ tracking_code })),
  ]
  const notUsed = places.flatMap(({ ledger }) => [
    ...ledger.shipped.flatMap(({ fulfillment_order, tracking_number }) => {
      const given = ledger.labels_given[fulfillment_order]
      return given !== undefined && given !== tracking_number ? fulfillment_order : []
    }),
    ...ledger.labels_missing,
  ])
  // A parcel may be silent (half of a kit) or its order cancelled; but what is told has to be on a parcel.
  const wrong = [...told].filter((number) => known.has(number) && !onParcels.has(number))
  const delivered = sold.filter((label) => label.delivered)
  const missed = delivered.filter(({ tracking_code }) => !hub.delivered.includes(tracking_code))
  const faults = [
    ...twice.map(([work]) => `${work} has more than one label`),
    ...idle.map(({ reference }) => `the label ${reference ?? ''} is on no parcel`),
    ...refunds.map(({ tracking_code }) => `the refund of ${tracking_code} is told otherwise`),
    ...notUsed.map((name) => `${name} left without its label`),
    ...wrong.map((number) => `${number} was told and is on no parcel`),
    ...missed.map(({ tracking_code }) => `${tracking_code} was delivered unnoticed`),
  ]
  return {
    labels_bought: sold.length,
    labels_refunded: sold.length - paid.length,
    labels_twice: twice.length,
    labels_idle: idle.length,
    refunds_missed: refunds.length,
    labels_not_used: notUsed.length,
    numbers_told_wrong: wrong.length + untold(shipped, known, hub),
    delivered: delivered.length,
    deliveries_missed: missed.length,
    label_faults: faults.slice(0, NAMED_MAX),
  }
}

/** Parcels on which there is a label that the hub does not call bought: nobody could be told its number. */
function untold(
  shipped: readonly { tracking_number: string }[],
  known: ReadonlySet<string>,
  hub: LabelStatement,
): number {
  const bought = new Set(hub.bought)
  return shipped.filter(({ tracking_number }) => known.has(tracking_number) && !bought.has(tracking_number)).length
}

export const labelsAreWhole = (judged: LabelsJudged): boolean =>
  judged.labels_twice +
    judged.labels_idle +
    judged.refunds_missed +
    judged.labels_not_used +
    judged.numbers_told_wrong +
    judged.deliveries_missed ===
  0
