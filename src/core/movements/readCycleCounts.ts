import { isUuid, pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'

export const CYCLE_COUNT_STATES = ['open', 'waiting', 'posted', 'cancelled'] as const
export type CycleCountState = (typeof CYCLE_COUNT_STATES)[number]

export interface CycleCountSummary {
  id: string
  company_id: string
  key: string
  location_id: string
  state: CycleCountState
  items: number
  created_at: string
  created_by: string
  counted_at: string | null
  counted_by: string | null
  decided_at: string | null
  decided_by: string | null
}

/** Units. All but the SKU are null until the item was counted: a count is blind. */
export interface CycleCountLine {
  sku: string
  counted: number | null
  damaged: number | null
  expected: number | null
  variance: number | null
}

export type CycleCountShown = CycleCountSummary & { lines: CycleCountLine[] }

export interface CycleCountFilter extends PageRequest {
  state?: CycleCountState | undefined
  location?: string | undefined
}

const SELECT = `
  select c.id, c.company_id, c.key, c.location_id, c.state,
         (select count(*) from cycle_count_lines l where l.count_id = c.id)::int as items,
         c.created_at, c.created_by, c.counted_at, c.counted_by, c.decided_at, c.decided_by
  from cycle_counts c`

const KEYSET: Keyset<CycleCountSummary> = { kinds: ['uuid'], after: 'c.id < ?::uuid', keyOf: (row) => [row.id] }

/** Newest first: the ids grow with time. */
export async function listCycleCounts(q: Queryable, filter: CycleCountFilter): Promise<Page<CycleCountSummary>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['c.state = ?', filter.state],
    ['c.location_id = ?', filter.location],
  ])
  const rows = await q.query<CycleCountSummary>(`${SELECT}${where} order by c.id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

/** One count with its lines. What was expected is known only once something was counted. Faults: `not_found`. */
export async function readCycleCount(q: Queryable, id: string): Promise<CycleCountShown> {
  if (!isUuid(id)) throw new HubError('not_found', 'there is no such count')
  const [count] = plainRows<CycleCountSummary>(await q.query(`${SELECT} where c.id = $1`, [id]))
  if (count === undefined) throw new HubError('not_found', 'there is no such count')
  const lines = await q.query<CycleCountLine>(
    `select i.sku, l.counted_quantity as counted, l.counted_damaged as damaged, l.expected_quantity as expected,
       l.counted_quantity - l.expected_quantity as variance
     from cycle_count_lines l join items i on i.id = l.item_id where l.count_id = $1 order by i.sku`,
    [id],
  )
  return { ...count, lines }
}
