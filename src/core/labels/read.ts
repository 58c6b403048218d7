import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import type { ParcelState } from '../model/label.ts'
import type { Offer } from './rulesService.ts'

export interface LabelFilter extends PageRequest {
  state?: string | undefined
  connection?: string | undefined
  location?: string | undefined
  /** The number of a fulfillment order. */
  fulfillment_order?: string | undefined
  tracking_number?: string | undefined
}

export interface LabelRow {
  id: string
  reference: string
  connection_id: string
  fulfillment_order: string
  order_id: string
  order_number: string | null
  location_id: string
  state: ParcelState
  weight_g: number
  carrier: string | null
  service: string | null
  currency: string | null
  amount_minor: number | null
  tracking_number: string | null
  fault: string | null
  created_at: string
  bought_at: string | null
  voided_at: string | null
}

const COLUMNS = `
  p.id, p.reference, p.connection_id, f.number as fulfillment_order, p.order_id, o.number as order_number, f.location_id, p.state, p.weight_g,
  p.carrier, p.service, p.currency, p.amount_minor, p.tracking_number, p.fault, p.created_at, p.bought_at, p.voided_at`
const FROM = `
  from parcels p join fulfillment_orders f on f.id = p.fulfillment_order_id join orders o on o.id = p.order_id`
const KEYSET: Keyset<LabelRow> = { kinds: ['uuid'], after: 'p.id < ?::uuid', keyOf: (row) => [row.id] }

/** Parcels with their labels, the newest first. */
export async function listLabels(q: Queryable, filter: LabelFilter): Promise<Page<LabelRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['p.state = ?', filter.state],
    ['p.connection_id = ?', filter.connection],
    ['f.location_id = ?', filter.location],
    ['f.number = ?', filter.fulfillment_order],
    ['p.tracking_number = ?', filter.tracking_number],
  ])
  const rows = await q.query<LabelRow>(`select ${COLUMNS}${FROM}${where} order by p.id desc limit ${fetch}`, params)
  return pageOf(filter, KEYSET, rows)
}

export interface LabelShown extends LabelRow {
  size_mm: number[] | null
  external_id: string | null
  tracking_url: string | null
  /** What was offered and why which was taken; null: nobody has been asked yet. */
  choice: { by: 'rules' | 'hand'; rule: string; rate: string | null; offered: Offer[] } | null
  files: { name: string; content_type: string; bytes: number; sha256: string }[]
  /** Scans of its parcel, the newest first. */
  scans: { at: string; status: string; code: string; place: string | null; connection_id: string }[]
}

/** One parcel by its reference, or the newest of a fulfillment order by that one's number. Faults: `not_found`. */
export async function showLabel(q: Queryable, name: string): Promise<LabelShown> {
  const [row] = await q.query<LabelShown>(
    `select ${COLUMNS}, p.size_mm, p.external_id, p.tracking_url, p.choice,
       (select coalesce(jsonb_agg(jsonb_build_object('name', d.name, 'content_type', d.content_type, 'bytes', d.bytes, 'sha256', d.sha256)
                                  order by d.name), '[]') from documents d where d.parcel_id = p.id) as files
     ${FROM} where p.reference = $1 or f.number = $1 order by p.reference = $1 desc, p.id desc limit 1`,
    [name],
  )
  if (row === undefined)
    throw new HubError('not_found', `there is no parcel ${name}`, { hint: 'crossdock labels list' })
  const scans = await q.query(
    `select e.at, e.status, e.code, e.place, e.connection_id from tracking_events e
     join connections c on c.id = e.connection_id join connections mine on mine.id = $2 and mine.company_id = c.company_id
     where e.tracking_number = $1 order by e.at desc, e.id desc limit 200`,
    [row.tracking_number, row.connection_id],
  )
  return { ...plainRows<LabelShown>([row])[0], scans: plainRows(scans) } as LabelShown
}
