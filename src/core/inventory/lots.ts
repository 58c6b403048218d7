import type { Queryable, Tx } from '../../db/pool.ts'
import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import { columns } from '../columns.ts'
import type { StockKey, StockMove } from './ledger.ts'
import { stockKey } from './rulesDemand.ts'
import { lotsAfter, type Lot, type LotMove } from './rulesLots.ts'

/** `lot` is null where a tracked item has no lots yet. */
type LotRow = StockKey & Omit<Lot, 'lot'> & { lot: string | null; quality_control: number }

const isBeyond = (place: StockMove['from']): boolean => place === 'outside' || place === 'incoming'
const seen = (place: StockMove['from']): LotMove['from'] =>
  isBeyond(place) ? 'outside' : place === 'quality_control' ? place : 'shelf'

/** Whether a movement concerns lots at all. What orders do to units never does, until the goods leave. */
const concernsLots = ({ from, to }: StockMove): boolean =>
  isBeyond(from) !== isBeyond(to) || from === 'quality_control' || to === 'quality_control'

/**
 * Keeps the lots of items that have them in step with their counters: Σ of an item's lots at a place is its on_hand there. Called by
 * `moveStock` after the counters were moved; the locked stock row guards its lots as well. Only movements that cross our walls, or
 * go in or out of quality control, ask the database anything. A lot is too old by the day of `now`, in UTC.
 */
export async function moveLots(tx: Tx, moves: readonly StockMove[], now: Date): Promise<void> {
  const concerned = moves.filter(concernsLots)
  if (concerned.length === 0) return
  const rows = await loadLots(tx, concerned, now)
  if (rows.length === 0) return
  const byKey = Map.groupBy(concerned, (move) => stockKey(move.item_id, move.location_id))
  const changed = [...Map.groupBy(rows, (row) => stockKey(row.item_id, row.location_id))].flatMap(([key, own]) => {
    const [first] = own
    if (first === undefined) return []
    const { item_id, location_id, quality_control } = first
    const before = own.flatMap(lotOf)
    const after = lotsAfter(before, (byKey.get(key) ?? []).map(lotMove), quality_control)
    return after.map((lot) => ({ ...lot, item_id, location_id }))
  })
  await tx.query(
    `insert into stock_lots as l (item_id, location_id, lot, expires_on, quantity, quarantined)
     select * from unnest($1::bigint[], $2::text[], $3::text[], $4::date[], $5::int[], $6::int[])
     on conflict (item_id, location_id, lot) do update
       set expires_on = excluded.expires_on, quantity = excluded.quantity, quarantined = excluded.quarantined
       where (l.expires_on, l.quantity, l.quarantined) is distinct from (excluded.expires_on, excluded.quantity, excluded.quarantined)`,
    columns(changed, ['item_id', 'location_id', 'lot', 'expires_on', 'quantity', 'quarantined']),
  )
}

const lotOf = ({ lot, expires_on, quantity, quarantined, too_old }: LotRow): Lot[] =>
  lot === null ? [] : [{ lot, expires_on, quantity, quarantined, too_old }]

const lotMove = ({ from, to, quantity, lot, expires_on }: StockMove): LotMove => ({
  from: seen(from),
  to: seen(to),
  quantity,
  lot: lot ?? null,
  expires_on: expires_on ?? null,
})

/** The lots of the tracked ones among these items, with units or named; a tracked item without any is one row whose lot is null. */
async function loadLots(tx: Tx, moves: readonly StockMove[], now: Date): Promise<LotRow[]> {
  const named = moves.flatMap((move) => move.lot ?? [])
  return tx.query<LotRow>(
    `select s.item_id, s.location_id, s.quality_control, l.lot, l.expires_on, l.quantity, l.quarantined,
       coalesce(l.expires_on < $3::date + i.days_left_min, false) as too_old
     from (select distinct item_id, location_id from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)) k
     join items i on i.id = k.item_id and i.tracks_lots
     join stock s on s.item_id = k.item_id and s.location_id = k.location_id
     left join stock_lots l on l.item_id = k.item_id and l.location_id = k.location_id
       and (l.quantity > 0 or l.lot = any($4::text[]))`,
    [...columns(moves, ['item_id', 'location_id']), dayOf(now), named],
  )
}

/** The calendar day of an instant, in UTC. */
export const dayOf = (now: Date): string => now.toISOString().slice(0, 10)

export interface LotShown {
  item_id: number
  sku: string
  location_id: string
  lot: string
  expires_on: string | null
  quantity: number
  quarantined: number
  /** Fewer days are left than the item needs to be sold. */
  too_old: boolean
}

export interface LotFilter extends PageRequest {
  sku?: string | undefined
  location?: string | undefined
}

const KEYSET: Keyset<LotShown> = {
  kinds: ['integer', 'text', 'text'],
  after: '(l.item_id, l.location_id, l.lot) > (?::bigint, ?, ?)',
  keyOf: (row) => [row.item_id, row.location_id, row.lot],
}

/** Lots that have units, by item and place. */
export async function listLots(q: Queryable, filter: LotFilter, now: Date): Promise<Page<LotShown>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['l.quantity > 0'],
    ['i.sku = ?', filter.sku],
    ['l.location_id = ?', filter.location],
  ])
  const rows = await q.query<LotShown>(
    `select l.item_id, i.sku, l.location_id, l.lot, l.expires_on, l.quantity, l.quarantined,
       coalesce(l.expires_on < $${params.length + 1}::date + i.days_left_min, false) as too_old
     from stock_lots l join items i on i.id = l.item_id${where} order by l.item_id, l.location_id, l.lot limit ${fetch}`,
    [...params, dayOf(now)],
  )
  return pageOf(filter, KEYSET, rows)
}
