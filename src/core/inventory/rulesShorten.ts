/** Units at one place that are promised to somebody although they are not there. */
export interface Shortage {
  item_id: number
  location_id: string
  units: number
  /** The work whose picker says so: the units were its own, and nobody else's promise is broken for them. */
  fulfillment_order_id?: string
}

/** A reservation that holds units at a place. `sent`: the work has left the house, the 3PL may be packing it. */
export interface PromisedRow {
  id: number
  order_id: string
  order_line_id: number
  item_id: number
  location_id: string
  per_unit: number
  quantity: number
  consumed_quantity: number
  state: 'held' | 'committed'
  fulfillment_order_id: string | null
  /** Lower is served first, so higher is broken first. */
  priority: number
  /** When its goods have to leave; null or left out: nothing was promised, which is broken before any date is. */
  ship_by?: Date | null
  sent: boolean
}

export interface BrokenPromise<S extends Shortage> {
  row: PromisedRow
  quantity: number
  shortage: S
}

/**
 * Which promises are broken when goods turn out to be missing: work that has not been sent before work that has, the least urgent
 * first, the youngest first. Whole units of the order line are taken, because half a kit or half a multipack serves nobody; so up to
 * `per_unit - 1` units more than the shortage may become free.
 */
export function choosePromisesToBreak<S extends Shortage>(
  rows: readonly PromisedRow[],
  shortages: readonly S[],
): BrokenPromise<S>[] {
  return shortages.flatMap((shortage) => {
    const own = rows.filter((row) => concerns(shortage, row))
    const broken: BrokenPromise<S>[] = []
    let missing = shortage.units
    for (const row of own.toSorted(byLeastHarm)) {
      if (missing <= 0) break
      const quantity = Math.min(row.quantity, Math.ceil(missing / row.per_unit) * row.per_unit)
      if (quantity === 0) continue
      missing -= quantity
      broken.push({ row, quantity, shortage })
    }
    return broken
  })
}

function concerns({ item_id, location_id, fulfillment_order_id }: Shortage, row: PromisedRow): boolean {
  if (row.item_id !== item_id || row.location_id !== location_id) return false
  return fulfillment_order_id === undefined || row.fulfillment_order_id === fulfillment_order_id
}

function byLeastHarm(a: PromisedRow, b: PromisedRow): number {
  const byLatest = dueAt(b) - dueAt(a)
  return Number(a.sent) - Number(b.sent) || b.priority - a.priority || byLatest || b.id - a.id
}

const dueAt = ({ ship_by }: PromisedRow): number => ship_by?.getTime() ?? Number.MAX_SAFE_INTEGER
