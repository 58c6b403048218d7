import type { Return } from '../../core/model/return.ts'
import { defineMapping, fromTable } from '../define.ts'
import { AckRow, ReceiptRows, ReturnRows, ShipmentRows, StockRows } from './payloads.ts'

export const shipment = defineMapping({
  from: ShipmentRows,
  map: ({ shipment_id, fulfillment_order, shipped_at, carrier, tracking_number, tracking_url, lines }) => {
    const document = { external_id: shipment_id, fulfillment_order, shipped_at, carrier, tracking_number, tracking_url }
    const packed = lines.map(({ sku, quantity, line_reference, lot }) => ({ sku, quantity, line_reference, lot }))
    return [{ kind: 'shipment', document: { ...document, lines: packed } }]
  },
})

/** A count is absolute and true at its `as_of`; a file that names no damaged units says that there are none. */
export const stock = defineMapping({
  from: StockRows,
  map: ({ location_code, as_of, part, lines }) => {
    const counted = lines.map(({ sku, on_hand, damaged, quality_control }) => ({
      sku,
      on_hand,
      damaged: damaged ?? 0,
      quality_control: quality_control ?? 0,
    }))
    return [{ kind: 'stock_count', document: { external_id: part, location_code, as_of, lines: counted } }]
  },
})

/** One movement per SKU of the receipt: pallets of one SKU on several rows are one arrival. */
export const receipt = defineMapping({
  from: ReceiptRows,
  map: ({ receipt_id, location_code, received_at, reference, lines }) => {
    const units = new Map<string, number>()
    for (const { sku, quantity } of lines) units.set(sku, (units.get(sku) ?? 0) + quantity)
    return [...units].map(([sku, delta]) => ({
      kind: 'stock_change',
      document: {
        external_id: `${receipt_id}/${sku}`,
        location_code,
        sku,
        delta,
        reason: 'received',
        at: received_at,
        reference,
      },
    }))
  },
})

export const ack = defineMapping({
  from: AckRow,
  map: ({ fulfillment_order, verdict, reason, at }) => [
    { kind: 'acknowledgement', document: { fulfillment_order, verdict, reason, at } },
  ],
})

type Disposition = Return['lines'][number]['disposition']
const DISPOSITIONS: Readonly<Record<string, Disposition>> = {
  restock: 'restock',
  sellable: 'restock',
  good: 'restock',
  quality_control: 'quality_control',
  inspect: 'quality_control',
  hold: 'quality_control',
  damaged: 'damaged',
  defective: 'damaged',
  discard: 'discard',
  scrapped: 'discard',
}

/** Goods in a state nobody understands are looked at by a person before they are sold again. */
export const returned = defineMapping({
  from: ReturnRows,
  map: ({ return_id, order_external_id, fulfillment_order, location_code, received_at, lines }, context) => {
    const judged = lines.map(({ sku, quantity, line_reference, disposition }) => ({
      sku,
      quantity,
      line_reference,
      disposition: fromTable<Disposition>(
        DISPOSITIONS,
        disposition ?? 'quality_control',
        'quality_control',
        context,
        'disposition',
      ),
    }))
    const document = { external_id: return_id, order_external_id, fulfillment_order, location_code, received_at }
    return [{ kind: 'return', document: { ...document, lines: judged } }]
  },
})
