/** Units of one item that a fulfillment order still has to pack; zero where it once held some. */
export interface PickedRow {
  item_id: number
  sku: string
  quantity: number
}

export interface ShortLine extends PickedRow {}

export type MissingAtPick =
  | { kind: 'missing'; units: ShortLine[] }
  | { kind: 'no_lines' }
  | { kind: 'unknown_line'; path: string; sku: string }

/**
 * Which units of the work a picker did not find. Lines of one SKU are summed, and never more is missing than the work still holds: the
 * rest was found missing before, or has left.
 */
export function missingAtPick(
  lines: readonly { sku: string; quantity: number }[],
  rows: readonly PickedRow[],
): MissingAtPick {
  if (lines.length === 0) return { kind: 'no_lines' }
  const held = new Map(rows.map((row) => [row.sku, row]))
  const units = new Map<string, ShortLine>()
  for (const [index, { sku, quantity }] of lines.entries()) {
    const row = held.get(sku)
    if (row === undefined) return { kind: 'unknown_line', path: `$.lines[${index}].sku`, sku }
    const sum = (units.get(sku)?.quantity ?? 0) + quantity
    units.set(sku, { ...row, quantity: Math.min(sum, row.quantity) })
  }
  return { kind: 'missing', units: [...units.values()].filter(({ quantity }) => quantity > 0) }
}
