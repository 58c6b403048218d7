import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases, type NewCase } from '../cases/cases.ts'
import type { CoreContext } from '../context.ts'
import { takeTurn } from '../turn.ts'
import { lockStock, moveStock, stockKey, touchOnce, type StockKey, type StockMove, type StockRow } from './ledger.ts'
import { dayOf } from './lots.ts'
import { quarantinePlan, type Lot } from './rulesLots.ts'

const CASE = 'lot_expired_promised'

type Found = StockKey & { company_id: string }

export interface Quarantined {
  /** Items by place that were looked at: as many as `limit` means that there may be more. */
  places: number
  units: number
}

/**
 * Takes units of lots that are too old to be sold out of sale: as many as are promised to nobody go to quality control, the rest when a
 * later sweep finds them free. Promises are never broken for it; where only such lots are left to serve one, the case
 * `lot_expired_promised` says so until it is over.
 */
export async function quarantineExpired(tx: Tx, ctx: CoreContext, limit: number): Promise<Quarantined> {
  await takeTurn(
    tx,
    [...ctx.policies.values()].map((policy) => policy.company_id),
    'side_by_side',
  )
  return touchOnce(tx, ctx.now, async () => {
    const found = await findExpired(tx, ctx.now, limit)
    const stock = await lockStock(tx, found, ctx.now)
    const lots = await loadLots(tx, found, ctx.now)
    const plans = found.flatMap((key) => {
      const row = stock.get(stockKey(key.item_id, key.location_id))
      const own = lots.get(stockKey(key.item_id, key.location_id)) ?? []
      return row === undefined ? [] : [{ key, row, ...quarantinePlan(own, row) }]
    })
    const moves = plans.flatMap(({ row, moves: own }) => own.map((move) => expiredMove(ctx.now, row, move)))
    await moveStock(tx, moves, ctx.now)
    const cases = plans.filter(({ promised }) => promised > 0)
    await openCases(
      tx,
      cases.map(({ key, promised }) => caseOf(key, promised)),
      ctx.now,
    )
    await closeCases(tx, { kind: CASE, subjects: await overdueCases(tx, ctx.now) }, 'hub', ctx.now)
    return { places: found.length, units: moves.reduce((sum, { quantity }) => sum + quantity, 0) }
  })
}

function expiredMove(
  now: Date,
  { item_id, location_id }: StockRow,
  move: { from: 'available' | 'safety_stock'; lot: string; quantity: number },
): StockMove {
  return {
    ...move,
    item_id,
    location_id,
    to: 'quality_control',
    reason: 'expired',
    source: 'sweep:lots',
    occurred_at: now,
  }
}

const OLDER = `l.quantity > l.quarantined and l.expires_on < $1::date + i.days_left_min`

/** Those with units to move first; those that only wait for promised units to leave, after them. */
async function findExpired(tx: Tx, now: Date, limit: number): Promise<Found[]> {
  return tx.query<Found>(
    `select s.item_id, s.location_id, i.company_id
     from (
       select l.item_id, l.location_id from stock_lots l join items i on i.id = l.item_id and i.tracks_lots
       where ${OLDER} and l.expires_on < $1::date + (select max(days_left_min) from items where tracks_lots)
       group by 1, 2
     ) e
     join stock s on s.item_id = e.item_id and s.location_id = e.location_id
     join items i on i.id = s.item_id
     order by (s.available + s.safety_stock = 0), s.item_id, s.location_id limit $2`,
    [dayOf(now), limit],
  )
}

async function loadLots(tx: Tx, keys: readonly StockKey[], now: Date): Promise<Map<string, Lot[]>> {
  const rows = await tx.query<Lot & StockKey>(
    `select l.item_id, l.location_id, l.lot, l.expires_on, l.quantity, l.quarantined,
       coalesce(l.expires_on < $3::date + i.days_left_min, false) as too_old
     from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)
     join stock_lots l on l.item_id = k.item_id and l.location_id = k.location_id and l.quantity > 0
     join items i on i.id = l.item_id`,
    [keys.map((key) => key.item_id), keys.map((key) => key.location_id), dayOf(now)],
  )
  return Map.groupBy(rows, (row) => stockKey(row.item_id, row.location_id))
}

const subjectOf = ({ item_id, location_id }: StockKey): string => `stock:${item_id}@${location_id}`

function caseOf(key: Found, units: number): NewCase {
  const { company_id, item_id, location_id } = key
  return {
    company_id,
    kind: CASE,
    subject: subjectOf(key),
    connection_id: null,
    data: { item_id, location_id, units },
  }
}

/** What needs no old unit any more: the order was cancelled, the goods left, or fresh ones came. */
async function overdueCases(tx: Tx, now: Date): Promise<string[]> {
  const rows = await tx.query<{ subject: string }>(
    `select c.subject from cases c
     where c.kind = $1 and c.state = 'open' and not exists (
       select 1 from stock s join items i on i.id = s.item_id and i.tracks_lots
       where s.item_id = (c.data ->> 'item_id')::bigint and s.location_id = c.data ->> 'location_id'
         and s.reserved + s.committed > (
           select coalesce(sum(l.quantity - l.quarantined), 0) from stock_lots l
           where l.item_id = s.item_id and l.location_id = s.location_id
             and coalesce(l.expires_on >= $2::date + i.days_left_min, true)))`,
    [CASE, dayOf(now)],
  )
  return rows.map((row) => row.subject)
}
