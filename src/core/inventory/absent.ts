import type { Queryable } from '../../db/pool.ts'
import { resolveNames } from './places.ts'

/** SKUs that we have at a place, as a connection calls it, and that a list of everything there does not name. Unknown places have none. */
export async function absentSkus(
  q: Queryable,
  connection_id: string,
  location_code: string,
  named: readonly string[],
): Promise<string[]> {
  const names = await resolveNames(q, [{ connection_id, location_code, skus: [] }])
  const location_id = names.location(connection_id, location_code)
  if (location_id === undefined) return []
  const rows = await q.query<{ sku: string }>(
    `select i.sku from stock s join items i on i.id = s.item_id
     where s.location_id = $1 and s.on_hand > 0 and not i.sku = any($2::text[]) order by i.sku`,
    [location_id, named],
  )
  return rows.map((row) => row.sku)
}
