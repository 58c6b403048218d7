import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'

export interface ListingFilter extends PageRequest {
  connection?: string | undefined
  channel_sku?: string | undefined
  /** `unmapped`: nothing behind it yet, so nothing is pushed and orders for it wait. */
  mapping?: 'mapped' | 'unmapped' | undefined
}

export interface ListingRow {
  id: number
  connection_id: string
  channel_sku: string
  title: string | null
  active: boolean
  items: { sku: string; quantity: number }[]
  /** What the channel was last seen to show; null: nothing proven. */
  proven_quantity: number | null
  proven_at: string | null
  push_state: string | null
  push_due: boolean
  error_code: string | null
  error_detail: string | null
}

const KEYSET: Keyset<ListingRow> = { kinds: ['integer'], after: 'l.id > ?::bigint', keyOf: (row) => [row.id] }

const MAPPED = 'exists (select 1 from listing_items li where li.listing_id = l.id)'
const MAPPINGS = { mapped: MAPPED, unmapped: `not ${MAPPED}` } as const

/** What the channels offer, in the order in which the hub learnt of it. */
export async function listListings(q: Queryable, filter: ListingFilter): Promise<Page<ListingRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['l.connection_id = ?', filter.connection],
    ['l.channel_sku = ?', filter.channel_sku],
    ...(filter.mapping === undefined ? [] : [[MAPPINGS[filter.mapping]] as const]),
  ])
  const rows = await q.query<ListingRow>(
    `select l.id, l.connection_id, l.channel_sku, l.title, l.active, a.proven_quantity, a.proven_at, a.state as push_state,
            coalesce(a.dirty_seq > a.sent_seq, false) as push_due, a.error_code, a.error_detail,
            coalesce((select jsonb_agg(jsonb_build_object('sku', i.sku, 'quantity', li.quantity) order by i.sku)
                      from listing_items li join items i on i.id = li.item_id where li.listing_id = l.id), '[]') as items
     from listings l left join availability a on a.listing_id = l.id${where} order by l.id limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}
