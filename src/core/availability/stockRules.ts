import type { Queryable } from '../../db/pool.ts'
import type { StockRule } from './rulesStock.ts'

export type { StockRule } from './rulesStock.ts'

export interface RuleSelection {
  company_ids?: readonly string[]
  /** Rules that name one of these items, or no item at all. */
  item_ids?: readonly number[]
}

/** The columns of a stock rule `r`, named as `StockRule` has them. */
export const RULE_COLUMNS = `r.company_id, r.connection_id, r.item_id, r.location_id, r.safety_units, r.buffer_units, r.buffer_percent,
  r.share_percent, r.cap, r.zero_below, r.backorder, r.backorder_units_max`

/** The rules that may speak of these companies and items, to be asked by `effectiveRule`. One statement. */
export async function loadStockRules(q: Queryable, selection: RuleSelection): Promise<StockRule[]> {
  return q.query<StockRule>(
    `select ${RULE_COLUMNS} from stock_rules r
     where ($1::text[] is null or r.company_id = any($1)) and ($2::bigint[] is null or r.item_id is null or r.item_id = any($2))
     order by r.id`,
    [selection.company_ids ?? null, selection.item_ids ?? null],
  )
}
