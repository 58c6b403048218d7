import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { computeAvailability, type ListingAvailability } from '../availability/load.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'

export interface StockFilter extends PageRequest {
  sku?: string | undefined
  location?: string | undefined
}

/** Units of one item at one place, in the item's base unit, by state. */
export interface StockRow {
  item_id: number
  company_id: string
  sku: string
  location_id: string
  on_hand: number
  available: number
  reserved: number
  committed: number
  damaged: number
  quality_control: number
  safety_stock: number
  incoming: number
  counted_as_of: string | null
}

const SELECT = `
  select s.item_id, i.company_id, i.sku, s.location_id, s.on_hand, s.available, s.reserved, s.committed, s.damaged, s.quality_control,
         s.safety_stock, s.incoming, s.counted_as_of
  from stock s join items i on i.id = s.item_id`

const KEYSET: Keyset<StockRow> = {
  kinds: ['integer', 'text'],
  after: '(s.item_id, s.location_id) > (?::bigint, ?)',
  keyOf: (row) => [row.item_id, row.location_id],
}

/** Stock by item and location, in the order in which the items were made. */
export async function listStock(q: Queryable, filter: StockFilter): Promise<Page<StockRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['i.sku = ?', filter.sku],
    ['s.location_id = ?', filter.location],
  ])
  const rows = await q.query<StockRow>(`${SELECT}${where} order by s.item_id, s.location_id limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

export interface SkuExplained {
  sku: string
  items: {
    id: number
    company_id: string
    name: string | null
    active: boolean
    components: { sku: string; quantity: number }[]
  }[]
  stock: StockRow[]
  promises: SkuPromise[]
  movements: SkuMovement[]
  listings: ExplainedListing[]
}

export interface SkuPromise {
  order_id: string
  order_number: string | null
  connection_id: string
  location_id: string | null
  quantity: number
  state: string
  expires_at: string | null
  created_at: string
}

export interface SkuMovement {
  id: number
  location_id: string
  from_state: string
  to_state: string
  quantity: number
  reason: string
  source: string
  occurred_at: string
}

interface ListingFacts {
  id: number
  connection_id: string
  channel_sku: string
  title: string | null
  proven_quantity: number | null
  proven_at: string | null
  state: string | null
}

/** What a listing shows on the channel, what it should show, and the sum that says why. */
export type ExplainedListing = ListingFacts & { due_quantity: number | null; terms: ListingAvailability['terms'] }

const PROMISES_MAX = 200
const MOVEMENTS_MAX = 50
const LISTINGS_MAX = 200

/** Why a SKU has the numbers it has: stock, who its units are promised to, the last movements, and the sum behind every channel's number. */
export async function explainSku(q: Queryable, ctx: Pick<CoreContext, 'policies'>, sku: string): Promise<SkuExplained> {
  const items = await q.query<SkuExplained['items'][number]>(
    `select i.id, i.company_id, i.name, i.active,
            coalesce((select jsonb_agg(jsonb_build_object('sku', c.sku, 'quantity', k.quantity) order by c.sku)
                      from kit_components k join items c on c.id = k.component_item_id where k.kit_item_id = i.id), '[]') as components
     from items i where i.sku = $1 order by i.id`,
    [sku],
  )
  if (items.length === 0) throw new HubError('not_found', `no item has the SKU ${sku}`)
  const ids = items.map((item) => item.id)
  const [stock, promises, movements, listings] = await Promise.all([
    q.query(`${SELECT} where s.item_id = any($1::bigint[]) order by s.item_id, s.location_id`, [ids]),
    q.query(
      `select r.order_id, o.number as order_number, o.connection_id, r.location_id, r.quantity, r.state, r.expires_at, r.created_at
       from reservations r join orders o on o.id = r.order_id
       where r.item_id = any($1::bigint[]) and r.state in ('held', 'committed', 'shortfall') order by r.id desc limit ${PROMISES_MAX}`,
      [ids],
    ),
    q.query(
      `select id, location_id, from_state, to_state, quantity, reason, source, occurred_at
       from stock_ledger where item_id = any($1::bigint[]) order by id desc limit ${MOVEMENTS_MAX}`,
      [ids],
    ),
    explainListings(q, ctx, ids),
  ])
  return {
    sku,
    items,
    stock: plainRows(stock),
    promises: plainRows(promises),
    movements: plainRows(movements),
    listings,
  }
}

/** Listings that take the item itself, or a kit that it is part of. */
async function explainListings(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  itemIds: readonly number[],
): Promise<ExplainedListing[]> {
  const rows = await q.query(
    `select l.id, l.connection_id, l.channel_sku, l.title, a.proven_quantity, a.proven_at, a.state
     from listings l left join availability a on a.listing_id = l.id
     where l.id in (
       select li.listing_id from listing_items li where li.item_id = any($1::bigint[])
       union select li.listing_id from listing_items li join kit_components k on k.kit_item_id = li.item_id
       where k.component_item_id = any($1::bigint[]))
     order by l.id limit ${LISTINGS_MAX}`,
    [itemIds],
  )
  const facts = plainRows<ListingFacts>(rows)
  // A connection that left the configuration has no rules to compute by; its listings are shown without a number.
  const known = facts.filter((row) => ctx.policies.has(row.connection_id))
  const computed = await computeAvailability(q, ctx, { listing_ids: known.map((row) => row.id) })
  const byListing = new Map(computed.map((entry) => [entry.listing_id, entry]))
  return facts.map((row) => {
    const entry = byListing.get(row.id)
    return { ...row, due_quantity: entry?.quantity ?? null, terms: entry?.terms ?? [] }
  })
}
