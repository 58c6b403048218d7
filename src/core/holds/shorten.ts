import type { Tx } from '../../db/pool.ts'
import { moveStock, stockKey, type StockMove, type StockRow } from '../inventory/ledger.ts'
import type { Shortage } from '../inventory/rulesShorten.ts'
import { chooseHoldsToShorten, type HoldLoss } from './rulesHold.ts'
import { addToCounts, lockHeldAt, type StoredHold } from './sql.ts'

interface Caused extends Shortage {
  source: string
  occurred_at: Date
}

/**
 * Takes missing units from cart holds, before any order's promise has to be broken: they go to `available`, from where the caller takes
 * them out. A hold that keeps nothing any more is released. The caller has locked the stock rows, which keeps the holds at these places
 * as they are; `stock` (by `stockKey`) is brought up to date. Returns what is missing beyond that.
 */
export async function shortenHolds<S extends Caused>(
  tx: Tx,
  now: Date,
  shortages: readonly S[],
  stock: ReadonlyMap<string, StockRow>,
): Promise<S[]> {
  const wanted = shortages.filter(
    ({ item_id, location_id, units }) => units > 0 && (stock.get(stockKey(item_id, location_id))?.reserved ?? 0) > 0,
  )
  if (wanted.length === 0) return [...shortages]
  const holds = await lockHeldAt(
    tx,
    wanted.map(({ item_id }) => item_id),
    wanted.map(({ location_id }) => location_id),
  )
  const losses = chooseHoldsToShorten(holds, wanted)
  if (losses.length === 0) return [...shortages]
  const byId = new Map(holds.map((hold) => [hold.id, hold]))
  await writeLosses(tx, now, byId, losses)
  await addToCounts(
    tx,
    losses.flatMap(({ hold_id, index, units }) => {
      const hold = byId.get(hold_id)
      const row = hold?.taken[index]
      return hold === undefined || row === undefined ? [] : [{ ...hold, taken: [{ ...row, units }] }]
    }),
    -1,
  )
  await moveStock(tx, losses.map(freed), now)
  for (const { shortage, units } of losses) {
    const row = stock.get(stockKey(shortage.item_id, shortage.location_id))
    if (row === undefined) continue
    row.reserved -= units
    row.available += units
  }
  return shortages.map((shortage) => {
    const given = losses.filter((loss) => loss.shortage === shortage).reduce((sum, { units }) => sum + units, 0)
    return { ...shortage, units: Math.max(0, shortage.units - given) }
  })
}

function freed({ shortage, units }: HoldLoss<Caused>): StockMove {
  const { item_id, location_id, source, occurred_at } = shortage
  return {
    item_id,
    location_id,
    from: 'reserved',
    to: 'available',
    quantity: units,
    reason: 'shortfall',
    source,
    occurred_at,
  }
}

async function writeLosses(
  tx: Tx,
  now: Date,
  holds: ReadonlyMap<string, StoredHold>,
  losses: readonly HoldLoss<Caused>[],
): Promise<void> {
  const rows = [...Map.groupBy(losses, ({ hold_id }) => hold_id)].map(([id, own]) => {
    const lost = new Map<number, number>()
    for (const { index, units } of own) lost.set(index, (lost.get(index) ?? 0) + units)
    const units = (holds.get(id)?.taken ?? []).map((row, index) => row.units - (lost.get(index) ?? 0))
    return { id, units: `{${units.join(',')}}`, state: units.every((count) => count === 0) ? 'released' : 'held' }
  })
  await tx.query(
    `update holds h set taken_units = n.units::int[], state = n.state, changed_at = $4
     from unnest($1::uuid[], $2::text[], $3::text[]) as n(id, units, state) where h.id = n.id`,
    [rows.map(({ id }) => id), rows.map(({ units }) => units), rows.map(({ state }) => state), now],
  )
}
