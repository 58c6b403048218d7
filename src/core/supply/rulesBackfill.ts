/** Units that somebody waits for and that may be brought from another place. */
export interface Uncovered {
  company_id: string
  item_id: number
  sku: string
  units: number
  to_location_id: string
  /** Places that may serve it anyway: what they have is not brought from there. */
  serves_from: readonly string[]
}

/** Units at a place that nobody has been promised. */
export interface Spare {
  item_id: number
  location_id: string
  company_id: string
  units: number
}

interface PlannedTransfer {
  company_id: string
  from_location_id: string
  to_location_id: string
  lines: { sku: string; quantity: number }[]
}

/**
 * One transfer for each pair of places. Needs of one item and destination are met together, from the place that has most left of the item (the first by name on a tie) and
 * does not serve the channel anyway, then from the next; what nobody has is not asked for.
 */
export function planBackfill(needs: readonly Uncovered[], spare: readonly Spare[]): PlannedTransfer[] {
  const left = spare.map((one) => ({ ...one }))
  const planned = new Map<string, PlannedTransfer>()
  for (const need of summed(needs)) {
    let missing = need.units
    const places = left
      .filter((one) => one.item_id === need.item_id && one.company_id === need.company_id && one.units > 0)
      .filter((one) => !need.serves_from.includes(one.location_id) && one.location_id !== need.to_location_id)
      .sort((a, b) => b.units - a.units || (a.location_id < b.location_id ? -1 : 1))
    for (const place of places) {
      const units = Math.min(missing, place.units)
      if (units === 0) break
      missing -= units
      place.units -= units
      add(planned, need, place.location_id, units)
    }
  }
  return [...planned.values()]
}

function summed(needs: readonly Uncovered[]): Uncovered[] {
  const sums = new Map<string, Uncovered>()
  for (const need of needs) {
    const key = JSON.stringify([need.company_id, need.item_id, need.to_location_id, need.serves_from])
    sums.set(key, { ...need, units: need.units + (sums.get(key)?.units ?? 0) })
  }
  return [...sums.values()]
}

function add(planned: Map<string, PlannedTransfer>, need: Uncovered, from_location_id: string, units: number): void {
  const { company_id, to_location_id, sku } = need
  const key = JSON.stringify([from_location_id, to_location_id])
  const transfer = planned.get(key) ?? { company_id, from_location_id, to_location_id, lines: [] }
  planned.set(key, transfer)
  const line = transfer.lines.find((one) => one.sku === sku)
  if (line === undefined) transfer.lines.push({ sku, quantity: units })
  else line.quantity += units
}
