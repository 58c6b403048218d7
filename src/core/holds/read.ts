import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { heldLines } from './reserve.ts'
import { loadHolds, type HoldState, type StoredHold } from './sql.ts'
import type { HoldLine } from './wishes.ts'

/** A hold as people and programs are shown it. */
export interface HoldShown {
  id: string
  connection_id: string
  key: string
  state: HoldState
  shortfall: string
  order_external_id: string | null
  expires_at: string
  created_at: string
  lines: HoldLine[]
  /** Where the units are. What they were, when the hold is over. */
  units: { item_id: number; location_id: string; units: number }[]
}

export function shownHold(hold: StoredHold): HoldShown {
  return {
    id: hold.id,
    connection_id: hold.connection_id,
    key: hold.key,
    state: hold.state,
    shortfall: hold.shortfall,
    order_external_id: hold.order_external_id,
    expires_at: hold.expires_at.toISOString(),
    created_at: hold.created_at.toISOString(),
    lines: heldLines(hold),
    units: hold.taken.map(({ item_id, location_id, units }) => ({ item_id, location_id, units })),
  }
}

/** One hold, or undefined. */
export async function showHold(q: Queryable, id: string): Promise<HoldShown | undefined> {
  const [hold] = await loadHolds(q, [id])
  return hold === undefined ? undefined : shownHold(hold)
}

export interface HoldFilters extends PageRequest {
  connection?: string | undefined
  state?: HoldState | undefined
  key?: string | undefined
  order?: string | undefined
}

const KEYSET: Keyset<{ id: string }> = { kinds: ['uuid'], after: 'id < ?', keyOf: (row) => [row.id] }

/** Holds, the newest first. */
export async function listHolds(q: Queryable, request: HoldFilters): Promise<Page<HoldShown>> {
  const { where, params, fetch } = pageQuery(request, KEYSET, [
    ['connection_id = ?', request.connection],
    ['state = ?', request.state],
    ['key = ?', request.key],
    ['order_external_id = ?', request.order],
  ])
  const ids = await q.query<{ id: string }>(`select id from holds${where} order by id desc limit ${fetch}`, params)
  const page = pageOf(request, KEYSET, ids)
  const holds = await loadHolds(
    q,
    page.rows.map(({ id }) => id),
  )
  return { rows: holds.toReversed().map(shownHold), next_cursor: page.next_cursor }
}
