import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { explainListings, type ExplainedListing } from '../availability/explain.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { expectedUnits, type ExpectedUnits } from '../supply/promiseDates.ts'
import { TO_COME } from '../supply/read.ts'

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
  /** Places whose numbers cannot be trusted now. */
  distrusted: { location_id: string; since: string; because: string }[]
  promises: SkuPromise[]
  holds: SkuHold[]
  supplies: SkuSupply[]
  movements: SkuMovement[]
  listings: ExplainedListing[]
}

export interface SkuPromise {
  reservation_id: number
  order_id: string
  order_number: string | null
  connection_id: string
  location_id: string | null
  quantity: number
  state: string
  /** A missing unit that was accepted knowingly. */
  backordered: boolean
  expires_at: string | null
  created_at: string
  /** Of missing units: which supply will bring how many of them, and when. */
  expected: ExpectedUnits[]
}

/** Units that a checkout keeps for a buyer. */
export interface SkuHold {
  hold_id: string
  connection_id: string
  location_id: string
  quantity: number
  expires_at: string
}

/** Units that are still to come of an open purchase or transfer. */
export interface SkuSupply {
  reference: string
  kind: string
  location_id: string
  expected_at: string | null
  quantity: number
  received_quantity: number
  open_quantity: number
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

const PROMISES_MAX = 200
const MOVEMENTS_MAX = 50
const HOLDS_MAX = 200
const SUPPLIES_MAX = 100

/**
 * Why a SKU has the numbers it has: stock, who its units are promised to and held for, what is on its way, the last movements, and the sum
 * behind every channel's number with its rules and what was published.
 */
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
  const [stock, promises, movements, listings, distrusted, holds, supplies] = await Promise.all([
    q.query(`${SELECT} where s.item_id = any($1::bigint[]) order by s.item_id, s.location_id`, [ids]),
    q.query(
      `select r.id as reservation_id, r.order_id, o.number as order_number, o.connection_id, r.location_id, r.quantity, r.state,
              r.backordered, r.expires_at, r.created_at
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
    q.query(
      `select l.id as location_id, l.distrusted_since as since, l.distrusted_because as because from locations l
       where l.distrusted_since is not null and l.id in (select s.location_id from stock s where s.item_id = any($1::bigint[]))
       order by l.id`,
      [ids],
    ),
    q.query(
      `select u.hold_id, u.connection_id, u.location_id, sum(u.units)::int as quantity, h.expires_at
       from holds h join hold_units u on u.hold_id = h.id
       where h.state = 'held' and h.taken_items && $1::bigint[] and u.item_id = any($1::bigint[])
       group by 1, 2, 3, 5 order by h.expires_at, u.hold_id, u.location_id limit ${HOLDS_MAX}`,
      [ids],
    ),
    q.query(
      `select s.reference, s.kind, s.location_id, s.expected_at, sum(l.quantity)::int as quantity,
              sum(l.received_quantity)::int as received_quantity,
              sum(${TO_COME})::int as open_quantity
       from supply_lines l join supplies s on s.id = l.supply_id
       where l.item_id = any($1::bigint[]) and s.state = 'open'
       group by s.id order by s.expected_at nulls last, s.reference limit ${SUPPLIES_MAX}`,
      [ids],
    ),
  ])
  const expected = await expectedUnits(q, ctx, { item_ids: ids })
  return {
    sku,
    items,
    stock: plainRows(stock),
    distrusted: plainRows(distrusted),
    promises: plainRows<Omit<SkuPromise, 'expected'>>(promises).map((row) => ({
      ...row,
      expected: expected.get(row.reservation_id) ?? [],
    })),
    holds: plainRows(holds),
    supplies: plainRows(supplies),
    movements: plainRows(movements),
    listings,
  }
}
