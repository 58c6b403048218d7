import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'

export interface SettlementLineRow {
  id: number
  external_id: string
  kind: string
  fee_type: string | null
  vendor_type: string
  at: string
  currency: string
  gross_minor: number
  fee_minor: number
  net_minor: number
  sku: string | null
  quantity: number | null
  order_id: string | null
  order_external_id: string | null
  order_number: string | null
  payment_id: number | null
  match_state: string
  match_rule: string | null
  match_reason: string | null
  /** Explains why it was joined to what; null: a link to its order is all there is. */
  match_id: number | null
  /** The row of the file it came from, as an editor counts. */
  file_row: number | null
}

export interface SettlementLineFilter extends PageRequest {
  match_state?: string | undefined
}

const KEYSET: Keyset<SettlementLineRow> = { kinds: ['integer'], after: 'l.id > ?::bigint', keyOf: (row) => [row.id] }

/** Lines of one payout in the order of their source, each with the order it was found to be about. */
export async function listLines(
  q: Queryable,
  settlement_id: string,
  filter: SettlementLineFilter,
): Promise<Page<SettlementLineRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['l.settlement_id = ?::uuid', settlement_id],
    ['l.match_state = ?', filter.match_state],
  ])
  const rows = await q.query<SettlementLineRow>(
    `select l.id, l.external_id, l.kind, l.fee_type, l.vendor_type, l.at, l.currency, l.gross_minor, l.fee_minor, l.net_minor, l.sku, l.quantity,
            l.order_id, l.order_external_id, coalesce(o.number, l.order_number) as order_number, l.payment_id, l.match_state, l.match_rule,
            l.match_reason, l.match_group_id as match_id, l.file_row
     from settlement_lines l left join orders o on o.id = l.order_id${where} order by l.id limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}
