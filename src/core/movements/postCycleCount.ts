import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { loadMovementsAfter, postCounts, type CountedLine } from '../inventory/counts.ts'
import { stockKey, touchOnce } from '../inventory/ledger.ts'

interface Believed {
  on_hand: number
  quality_control: number
}

/** What we believed to be there at the time of counting: what is there now, without what the ledger says happened since. */
export async function believedAt(
  tx: Tx,
  lines: readonly { item_id: number; location_id: string; as_of: Date }[],
): Promise<Map<number, Believed>> {
  const rows = await tx.query<Believed & { item_id: number; location_id: string }>(
    `select s.item_id, s.location_id, s.on_hand, s.quality_control
     from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)
     join stock s on s.item_id = k.item_id and s.location_id = k.location_id`,
    columns(lines, ['item_id', 'location_id']),
  )
  const since = await loadMovementsAfter(tx, lines)
  return new Map(
    rows.map(({ item_id, location_id, on_hand, quality_control }) => {
      const after = since.get(stockKey(item_id, location_id))
      const before = quality_control - (after?.quality_control ?? 0)
      return [item_id, { on_hand: on_hand - (after?.on_hand ?? 0), quality_control: Math.max(0, before) }]
    }),
  )
}

/** Posting is a count like any other. Who counts a shelf does not judge what is in quality control: that stays as it was believed. */
export async function post(
  tx: Tx,
  ctx: CoreContext,
  count: { id: string; location_id: string; counted_at: Date | null },
): Promise<void> {
  const { id, location_id } = count
  const as_of = count.counted_at ?? ctx.now
  const rows = await tx.query<{ item_id: number; counted: number; damaged: number }>(
    `select item_id, counted_quantity as counted, counted_damaged as damaged from cycle_count_lines where count_id = $1`,
    [id],
  )
  const believed = await believedAt(
    tx,
    rows.map(({ item_id }) => ({ item_id, location_id, as_of })),
  )
  const lines = rows.map(({ item_id, counted, damaged }): CountedLine => ({
    index: 0,
    basis: 'on_hand',
    item_id,
    location_id,
    source: `cycle_count:${id}`,
    as_of,
    on_hand: counted,
    damaged,
    quality_control: Math.min(believed.get(item_id)?.quality_control ?? 0, counted - damaged),
  }))
  await touchOnce(tx, ctx.now, () => postCounts(tx, ctx, lines))
}
