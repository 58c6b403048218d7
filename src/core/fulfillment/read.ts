import { isUuid, pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { spellings } from '../orders/read.ts'

export const WORK_STATES = ['OPEN', 'SCHEDULED', 'IN_PROGRESS', 'ON_HOLD', 'INCOMPLETE', 'CLOSED', 'CANCELLED'] as const

export interface WorkFilter extends PageRequest {
  location?: string | undefined
  state?: string | undefined
  /** The hub's id of an order, or its number. */
  order?: string | undefined
}

/** Work at a place. Whose work it is: `connection_id` names the system that was sent it; null: it is done by hand. */
export interface WorkRow {
  id: string
  number: string
  order_id: string
  order_number: string | null
  location_id: string
  connection_id: string | null
  state: string
  units_to_pack: number
  cancel_requested_at: string | null
  created_at: string
  changed_at: string
}

const COLUMNS = `
  f.id, f.number, f.order_id, o.number as order_number, f.location_id, f.connection_id, f.state,
  (select coalesce(sum(r.quantity), 0)::int from reservations r where r.fulfillment_order_id = f.id and r.state = 'committed') as units_to_pack,
  f.cancel_requested_at, f.created_at, f.changed_at`

/** Ids grow with time. */
const KEYSET: Keyset<WorkRow> = { kinds: ['uuid'], after: 'f.id < ?::uuid', keyOf: (row) => [row.id] }

/** Work, the newest first. */
export async function listWork(q: Queryable, filter: WorkFilter): Promise<Page<WorkRow>> {
  const { order } = filter
  const isId: boolean = isUuid(order)
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['f.location_id = ?', filter.location],
    ['f.state = ?', filter.state],
    ['f.order_id = ?::uuid', isId ? order : undefined],
    [
      'f.order_id in (select id from orders where number = any(?))',
      isId || order === undefined ? undefined : spellings(order),
    ],
  ])
  const rows = await q.query<WorkRow>(
    `select ${COLUMNS} from fulfillment_orders f join orders o on o.id = f.order_id${where} order by f.id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

export interface WorkShown extends WorkRow {
  /** The order's own connection. */
  order_connection_id: string
  shipping_method: string | null
  ship_by: string | null
  /** For `readPerson`; who may see the person is the caller's matter. */
  person_id: string | null
  lines: {
    order_line_id: number
    line_reference: string
    sku: string
    name: string | null
    title: string | null
    quantity: number
    shipped_quantity: number
  }[]
  /** What was said of it, with the words of whoever does the work. */
  reasons: { at: string; kind: string; text: string }[]
  shipments: {
    id: string
    connection_id: string
    external_id: string
    carrier: string | null
    tracking_number: string | null
    tracking_url: string | null
    shipped_at: string
    lines: { sku: string; quantity: number }[]
  }[]
}

/** One fulfillment order by its number, with what is to be packed and what has left. Faults: `not_found`. */
export async function showWork(q: Queryable, number: string): Promise<WorkShown> {
  const [work] = await q.query<WorkRow>(
    `select ${COLUMNS}, o.connection_id as order_connection_id, o.shipping_method, o.ship_by, o.person_id, f.reasons
     from fulfillment_orders f join orders o on o.id = f.order_id where f.number = $1`,
    [number],
  )
  if (work === undefined) throw new HubError('not_found', `there is no fulfillment order ${number}`)
  const [lines, shipments] = await Promise.all([
    q.query(
      `select l.id as order_line_id, l.external_id as line_reference, i.sku, i.name, l.title,
         sum(case when r.state = 'committed' then r.quantity else 0 end)::int as quantity,
         sum(r.consumed_quantity)::int as shipped_quantity
       from reservations r join order_lines l on l.id = r.order_line_id join items i on i.id = r.item_id
       where r.fulfillment_order_id = $1 group by l.id, i.id
       having sum(case when r.state = 'committed' then r.quantity else 0 end + r.consumed_quantity) > 0
       order by l.id, i.sku`,
      [work.id],
    ),
    q.query(
      `select s.id, s.connection_id, s.external_id, s.carrier, s.tracking_number, s.tracking_url, s.shipped_at,
         (select coalesce(jsonb_agg(jsonb_build_object('sku', g.sku, 'quantity', g.quantity) order by g.sku), '[]')
          from (select i.sku, sum(l.quantity)::int as quantity from shipment_lines l join items i on i.id = l.item_id
                where l.shipment_id = s.id group by i.sku) g) as lines
       from shipments s where s.order_id = $1 and s.fulfillment_order_id = $2 order by s.shipped_at, s.id`,
      [work.order_id, work.id],
    ),
  ])
  return { ...plainRows<WorkShown>([work])[0], lines: plainRows(lines), shipments: plainRows(shipments) } as WorkShown
}
