import type { Tx } from '../../db/pool.ts'
import type { FulfillmentOrderRow } from './shipments.ts'

/** What was said under the same key before, and whether it was the same. */
export interface Earlier {
  same: boolean
  summary: string
}

interface Units {
  sku: string
  quantity: number
}

/** A shipment that a person has reported under this key. `lines` null said "all that is left", which whatever was left then was. */
export async function earlierShipment(
  tx: Tx,
  connection_id: string,
  work: Pick<FulfillmentOrderRow, 'id' | 'number'>,
  said: {
    key: string
    carrier: string | null
    tracking_number: string | null
    tracking_url: string | null
    shipped_at: Date | null
    lines: readonly Units[] | null
  },
): Promise<Earlier | null> {
  const [known] = await tx.query<{
    fulfillment_order_id: string
    number: string
    carrier: string | null
    tracking_number: string | null
    tracking_url: string | null
    shipped_at: Date
    lines: Units[]
  }>(
    `select s.fulfillment_order_id, f.number, s.carrier, s.tracking_number, s.tracking_url, s.shipped_at,
       (select coalesce(jsonb_agg(jsonb_build_object('sku', i.sku, 'quantity', l.quantity)), '[]')
        from shipment_lines l join items i on i.id = l.item_id where l.shipment_id = s.id) as lines
     from shipments s join fulfillment_orders f on f.id = s.fulfillment_order_id
     where s.connection_id = $1 and s.external_id = $2`,
    [connection_id, said.key],
  )
  if (known === undefined) return null
  const same =
    known.fulfillment_order_id === work.id &&
    known.carrier === said.carrier &&
    known.tracking_number === said.tracking_number &&
    known.tracking_url === said.tracking_url &&
    (said.shipped_at === null || said.shipped_at.getTime() === known.shipped_at.getTime()) &&
    (said.lines === null || sameUnits(known.lines, said.lines))
  const units = known.lines.reduce((sum, line) => sum + line.quantity, 0)
  return { same, summary: `shipped ${units} units of ${known.number}` }
}

/** A short pick of this work that was reported under this key. */
export async function earlierShortPick(
  tx: Tx,
  work: Pick<FulfillmentOrderRow, 'order_id' | 'number'>,
  key: string,
  lines: readonly Units[],
): Promise<Earlier | null> {
  const [known] = await tx.query<{ said: Units[]; lost: Units[] }>(
    `select data -> 'said' as said, data -> 'lines' as lost from order_facts
     where order_id = $1 and kind = 'fulfillment_order.short' and data ->> 'number' = $2 and data ->> 'reference' = $3`,
    [work.order_id, work.number, key],
  )
  if (known === undefined) return null
  const units = known.lost.reduce((sum, line) => sum + line.quantity, 0)
  return { same: sameUnits(known.said, lines), summary: `${units} units of ${work.number} were not there` }
}

function sameUnits(a: readonly Units[], b: readonly Units[]): boolean {
  const [left, right] = [unitsBySku(a), unitsBySku(b)]
  return left.size === right.size && [...left].every(([sku, quantity]) => right.get(sku) === quantity)
}

function unitsBySku(lines: readonly Units[]): Map<string, number> {
  const units = new Map<string, number>()
  for (const { sku, quantity } of lines) {
    if (quantity > 0) units.set(sku, (units.get(sku) ?? 0) + quantity)
  }
  return units
}
