import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { allocateShortfalls } from '../inventory/allocate.ts'
import { lockStock, moveStock, touchOnce, type StockKey } from '../inventory/ledger.ts'
import { takeTurn } from '../turn.ts'
import { addToCounts, loadHolds, lockHeld, movesOf, type StoredHold } from './sql.ts'

/**
 * Gives back the units of these holds and offers them to whoever waits for them. Holds that are over already are left as they are.
 * Returns the ids of those that were ended. The caller has taken its turn.
 */
async function endHolds(
  tx: Tx,
  ctx: CoreContext,
  seen: readonly StoredHold[],
  state: 'released' | 'expired',
): Promise<string[]> {
  if (seen.length === 0) return []
  // Stock before holds: whoever has locked the stock of a hold's units may rely on them. They never move to another place.
  await lockStock(tx, keysOf(seen), ctx.now)
  const held = await lockHeld(
    tx,
    seen.map(({ id }) => id),
  )
  // One that was extended a moment ago is not overdue any more.
  const holds = state === 'expired' ? held.filter(({ expires_at }) => expires_at <= ctx.now) : held
  const [only] = holds
  if (only === undefined) return []
  const ids = holds.map(({ id }) => id)
  await tx.query('update holds set state = $2, changed_at = $3 where id = any($1::uuid[])', [ids, state, ctx.now])
  await addToCounts(tx, holds, -1)
  const source = holds.length === 1 ? `hold:${only.id}` : `holds:${ctx.newId()}`
  const moves = movesOf(holds, {
    from: 'reserved',
    to: 'available',
    reason: `hold_${state}`,
    source,
    occurred_at: ctx.now,
  })
  await moveStock(tx, moves, ctx.now)
  await allocateShortfalls(tx, ctx, [...new Set(moves.map(({ item_id }) => item_id))])
  return ids
}

export function keysOf(holds: readonly Pick<StoredHold, 'taken'>[]): StockKey[] {
  return holds.flatMap(({ taken }) => taken.map(({ item_id, location_id }) => ({ item_id, location_id })))
}

async function ownTurn<T>(tx: Tx, ctx: CoreContext, work: () => Promise<T>): Promise<T> {
  const companies = [...ctx.policies.values()].map(({ company_id }) => company_id)
  await takeTurn(tx, companies, 'side_by_side')
  return touchOnce(tx, ctx.now, work)
}

/** Gives holds back before their time. Returns the ids of those that still kept units. */
export async function releaseHolds(tx: Tx, ctx: CoreContext, ids: readonly string[]): Promise<string[]> {
  return ownTurn(tx, ctx, async () => endHolds(tx, ctx, await loadHolds(tx, ids), 'released'))
}

/** Gives back at most `holds_max` holds whose time is over. Returns how many there were. */
export async function expireCartHolds(tx: Tx, ctx: CoreContext, holds_max: number): Promise<number> {
  return ownTurn(tx, ctx, async () => {
    const overdue = await tx.query<{ id: string }>(
      `select id from holds where state = 'held' and expires_at <= $1 order by expires_at limit $2`,
      [ctx.now, holds_max],
    )
    const seen = await loadHolds(
      tx,
      overdue.map(({ id }) => id),
    )
    return (await endHolds(tx, ctx, seen, 'expired')).length
  })
}

const KEPT_DAYS = 8
const DAY_MS = 86_400_000

/** Removes holds that are over and older than any repetition of their key. Their ids sort by time. Returns how many. */
export async function pruneHolds(tx: Tx, now: Date, holds_max: number): Promise<number> {
  const ms = Math.max(0, now.getTime() - KEPT_DAYS * DAY_MS)
  const hex = ms.toString(16).padStart(12, '0')
  const oldest = `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-000000000000`
  const gone = await tx.query(
    `delete from holds where id in (select id from holds where id < $1::uuid and state <> 'held' order by id limit $2) returning 1`,
    [oldest, holds_max],
  )
  return gone.length
}
