import type { Shipment } from '../model/shipment.ts'

type Line = Shipment['lines'][number]

/** Units of a fulfillment order that are still to be packed, as one reservation holds them. */
export interface PackedRow {
  id: number
  order_line_id: number
  /** What the channel calls the line; it travels to the 3PL as `line_reference`. */
  line_external_id: string
  item_id: number
  sku: string
  quantity: number
  /** Not held any more: a count found these units missing. */
  counted_out: boolean
}

export interface Consumption {
  row: PackedRow
  quantity: number
  lot: string | null
}

export type ShipmentMatch =
  | { kind: 'matched'; consumed: Consumption[] }
  | { kind: 'unknown_line'; path: string; sku: string }
  | { kind: 'over_shipped'; path: string; sku: string; over_by: number }

/**
 * Which reserved units a shipment takes. A line reference narrows the choice where it is one of ours; many 3PLs send their own line
 * numbers or none, and then the SKU decides. Units are taken from the oldest reservation first. Nothing is matched in part: goods
 * that nobody ordered need a person.
 */
export function matchShipment(lines: readonly Line[], rows: readonly PackedRow[]): ShipmentMatch {
  const left = new Map(rows.map((row) => [row.id, row.quantity]))
  const consumed: Consumption[] = []
  for (const [index, line] of lines.entries()) {
    const path = `$.lines[${index}]`
    const candidates = candidatesFor(line, rows)
    if (candidates.length === 0) return { kind: 'unknown_line', path, sku: line.sku }
    let missing = line.quantity
    for (const row of candidates) {
      const quantity = Math.min(missing, left.get(row.id) ?? 0)
      if (quantity === 0) continue
      left.set(row.id, (left.get(row.id) ?? 0) - quantity)
      missing -= quantity
      consumed.push({ row, quantity, lot: line.lot })
    }
    if (missing > 0) return { kind: 'over_shipped', path, sku: line.sku, over_by: missing }
  }
  return { kind: 'matched', consumed }
}

function candidatesFor(line: Line, rows: readonly PackedRow[]): PackedRow[] {
  const bySku = rows.filter((row) => row.sku === line.sku).sort((a, b) => a.id - b.id)
  const byReference = bySku.filter((row) => row.line_external_id === line.line_reference)
  return byReference.length > 0 ? byReference : bySku
}

export interface PackedLine {
  order_line_id: number
  item_id: number
  quantity: number
  lot: string | null
}

/** Units by order line and item, as a shipment lists them; lots of the same goods are named together. */
export function packedLines(consumed: readonly Consumption[]): PackedLine[] {
  const groups = Map.groupBy(consumed, ({ row }) => `${row.order_line_id}@${row.item_id}`)
  return [...groups.values()].flatMap((group) => {
    const [first] = group
    if (first === undefined) return []
    const lots = [...new Set(group.flatMap(({ lot }) => lot ?? []))]
    return [
      {
        order_line_id: first.row.order_line_id,
        item_id: first.row.item_id,
        quantity: group.reduce((sum, { quantity }) => sum + quantity, 0),
        lot: lots.length === 0 ? null : lots.join(', '),
      },
    ]
  })
}

/** Units by item and lot, as they leave the shelf. */
export function packedGoods(
  consumed: readonly Consumption[],
): { item_id: number; quantity: number; lot: string | null }[] {
  const goods = new Map<string, { item_id: number; quantity: number; lot: string | null }>()
  for (const { row, quantity, lot } of consumed) {
    const key = JSON.stringify([row.item_id, lot])
    goods.set(key, { item_id: row.item_id, lot, quantity: quantity + (goods.get(key)?.quantity ?? 0) })
  }
  return [...goods.values()]
}

/** One order line as shipments see it: the items that a unit of it takes, and what each shipment carried of them, oldest first. */
export interface ShippedLine {
  line_external_id: string
  channel_sku: string
  /** Units that the order still wants in all, shipped ones included. */
  wanted: number
  components: readonly { item_id: number; per_unit: number }[]
  shipped: readonly { shipment_id: string; item_id: number; quantity: number }[]
}

export interface NoticeLines {
  lines: { line_external_id: string; channel_sku: string; quantity: number }[]
  units_remaining: number
  /** Earlier shipments that completed nothing by themselves, whose parcels this one completes. */
  carries: string[]
}

/**
 * What a channel is told of one shipment: whole units of its own lines. A unit counts for the shipment that completes it, so the
 * shipments of an order add up to its units even when a kit leaves in several parcels. A parcel that completes no unit of any line is
 * silent; the next one that completes a unit of a line it held speaks for it.
 */
export function noticeLines(
  lines: readonly ShippedLine[],
  shipment_ids: readonly string[],
  shipment_id: string,
): NoticeLines {
  const position = shipment_ids.indexOf(shipment_id)
  const until = new Set(shipment_ids.slice(0, position + 1))
  const completed = completedBy(lines, shipment_ids, position)
  const units_remaining = lines.reduce((sum, line) => sum + Math.max(0, line.wanted - completeUnits(line, until)), 0)
  const told = completed.map(({ line: { line_external_id, channel_sku }, quantity }) => {
    return { line_external_id, channel_sku, quantity }
  })
  const speaksFor = (silent: number): boolean => {
    if (completedBy(lines, shipment_ids, silent).length > 0) return false
    const held = new Set(lines.filter((line) => line.shipped.some((row) => row.shipment_id === shipment_ids[silent])))
    for (let later = silent + 1; later <= position; later += 1)
      if (completedBy(lines, shipment_ids, later).some(({ line }) => held.has(line))) return later === position
    return false
  }
  const carries = shipment_ids.slice(0, position).filter((_, index) => speaksFor(index))
  return { lines: told, units_remaining, carries }
}

/** The lines of which the shipment at this position completes units, and how many. */
function completedBy(
  lines: readonly ShippedLine[],
  shipment_ids: readonly string[],
  position: number,
): { line: ShippedLine; quantity: number }[] {
  const before = new Set(shipment_ids.slice(0, position))
  const until = new Set(shipment_ids.slice(0, position + 1))
  return lines.flatMap((line) => {
    const quantity = completeUnits(line, until) - completeUnits(line, before)
    return quantity > 0 ? [{ line, quantity }] : []
  })
}

function completeUnits(line: ShippedLine, shipments: ReadonlySet<string>): number {
  const units = line.components.map(({ item_id, per_unit }) => {
    const own = line.shipped.filter((row) => row.item_id === item_id && shipments.has(row.shipment_id))
    return Math.floor(own.reduce((sum, row) => sum + row.quantity, 0) / per_unit)
  })
  return units.length === 0 ? 0 : Math.min(...units)
}
