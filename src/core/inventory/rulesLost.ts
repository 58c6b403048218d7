import type { LineTarget, LiveReservation } from './rulesChange.ts'

/**
 * Which missing units go on waiting for the work that lost them to a count: they come back to it or not at all, for whoever packs may
 * have them in hand. A row waits as a whole, and only as far as its line still wants more than the line's other units; what is wanted no
 * more is given up before any work is called back. Returns the ids of the rows.
 */
export function keptForWork(targets: readonly LineTarget[], live: readonly LiveReservation[]): Set<number> {
  const kept = new Set<number>()
  const wanted = new Map(targets.map((target) => [target.line_id, target.units]))
  const lost = live.filter((row) => row.waits_for_work === true)
  for (const rows of Map.groupBy(lost, (row) => `${row.line_id}@${row.item_id}`).values()) {
    const [first] = rows
    if (first === undefined) continue
    const own = live.filter((row) => row.line_id === first.line_id && row.item_id === first.item_id)
    const served = own.reduce(
      (sum, row) => sum + row.consumed_quantity + (row.state === 'shortfall' ? 0 : row.quantity),
      0,
    )
    let room = (wanted.get(first.line_id) ?? 0) * first.per_unit - served
    for (const row of rows.toSorted((a, b) => a.id - b.id)) {
      if (row.quantity > room) continue
      room -= row.quantity
      kept.add(row.id)
    }
  }
  return kept
}

/** For the comparison with what lines want these units count as served: demanded anew elsewhere they would be packed twice. */
export function asServed(live: readonly LiveReservation[], kept: ReadonlySet<number>): LiveReservation[] {
  return live.map((row) =>
    kept.has(row.id) ? { ...row, state: 'consumed', quantity: 0, consumed_quantity: row.quantity } : row,
  )
}
