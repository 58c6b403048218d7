import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import { takeTurn } from '../turn.ts'
import type { Catalog } from './catalog.ts'

/**
 * The first step of bringing the catalog in: where units that are here already begin or cease to carry lots, the company is had alone,
 * because a movement that is under way would not know of the lots.
 */
export async function awaitLotChanges(tx: Tx, { items }: Catalog): Promise<void> {
  const changed = await tx.query<{ company_id: string }>(
    `select distinct i.company_id
     from unnest($1::text[], $2::text[], $3::boolean[]) as w(company_id, sku, tracks_lots)
     join items i on i.company_id = w.company_id and i.sku = w.sku
     where i.tracks_lots <> w.tracks_lots`,
    [...columns(items, ['company_id', 'sku']), items.map((item) => Boolean(item.lots))],
  )
  await takeTurn(
    tx,
    changed.map((row) => row.company_id),
    'alone',
  )
}

/**
 * Which items' units carry lots. Where that begins, every unit that is here belongs to the lot that nobody has named; where it ceases,
 * the lots are forgotten.
 */
export async function syncLots(tx: Tx, { items }: Catalog): Promise<void> {
  const changed = await tx.query<{ id: number; tracks_lots: boolean; tracked: boolean }>(
    `update items i set tracks_lots = w.tracks_lots, days_left_min = w.days_left_min
     from unnest($1::text[], $2::text[], $3::boolean[], $4::int[]) as w(company_id, sku, tracks_lots, days_left_min),
       items before
     where i.company_id = w.company_id and i.sku = w.sku and before.id = i.id
       and (i.tracks_lots, i.days_left_min) is distinct from (w.tracks_lots, w.days_left_min)
     returning i.id, i.tracks_lots, before.tracks_lots as tracked`,
    [
      ...columns(items, ['company_id', 'sku']),
      items.map((item) => Boolean(item.lots)),
      items.map((item) => item.lots?.days_left_min ?? 0),
    ],
  )
  const ids = changed.filter((row) => row.tracked !== row.tracks_lots).map((row) => row.id)
  if (ids.length === 0) return
  await tx.query('delete from stock_lots where item_id = any($1::bigint[])', [ids])
  await tx.query(
    `insert into stock_lots (item_id, location_id, lot, quantity, quarantined)
     select s.item_id, s.location_id, '', s.on_hand, s.quality_control from stock s join items i on i.id = s.item_id and i.tracks_lots
     where s.item_id = any($1::bigint[]) and s.on_hand > 0`,
    [ids],
  )
}

/** What the snapshots of each place count. */
export async function syncCountBasis(tx: Tx, { locations }: Catalog): Promise<void> {
  await tx.query(
    `update locations l set count_basis = w.count_basis
     from unnest($1::text[], $2::text[]) as w(id, count_basis) where l.id = w.id and l.count_basis <> w.count_basis`,
    [locations.map((location) => location.id), locations.map((location) => location.count_basis ?? 'on_hand')],
  )
}
