import type { Arrival, Ledger, Units, WorkLine } from './threeplLedger.ts'

/** What a simulated 3PL remembers, for the judge. */
export interface ThreePlLedger {
  received: {
    fulfillment_order: string
    order_number: string
    lines: Units[]
    times: number
    received_ms: number
  }[]
  /** Goods that came in, in their order. */
  arrived: Arrival[]
  shipped: { shipment_id: string; fulfillment_order: string; tracking_number: string; lines: Units[] }[]
  cancelled: string[]
  rejected: string[]
  on_hand: Record<string, number>
  /** Units it was asked to ship but physically did not have. */
  refused_units: number
  acks_read: { name: string; accepted: number; rejected: number }[]
  refused_files: string[]
  /** Files that it sent with wrong totals and then again under another name. */
  wrong_files: string[]
  /** Labels that it was told of and whose file was not in the folder, or was none. */
  labels_missing: string[]
  /** Fulfillment orders that came with a label, and its number. */
  labels_given: Record<string, string>
}

export function statement(ledger: Ledger, labels_missing: ReadonlySet<string>): ThreePlLedger {
  const work = [...ledger.work.values()]
  const plain = (lines: readonly WorkLine[]): Units[] => lines.map(({ sku, quantity }) => ({ sku, quantity }))
  return {
    received: work
      .filter(({ times }) => times > 0)
      .map(({ fulfillment_order, order_number, lines, times, received_ms }) => ({
        fulfillment_order,
        order_number,
        lines: plain(lines),
        times,
        received_ms,
      })),
    arrived: [...ledger.arrivals],
    shipped: ledger.parcels.map(({ shipment_id, fulfillment_order, tracking_number, lines }) => ({
      shipment_id,
      fulfillment_order,
      tracking_number,
      lines: plain(lines),
    })),
    cancelled: work.filter(({ state }) => state === 'cancelled').map(({ fulfillment_order }) => fulfillment_order),
    rejected: work.filter(({ state }) => state === 'rejected').map(({ fulfillment_order }) => fulfillment_order),
    on_hand: Object.fromEntries(ledger.on_hand),
    refused_units: ledger.refused_units,
    acks_read: [...ledger.acks],
    refused_files: [...ledger.refused_files],
    wrong_files: [...ledger.wrong_files],
    labels_missing: [...labels_missing],
    labels_given: Object.fromEntries(
      work.flatMap(({ fulfillment_order, label }) =>
        label === undefined ? [] : [[fulfillment_order, label.tracking_number]],
      ),
    ),
  }
}
