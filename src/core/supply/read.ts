import { isUuid, pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import type { SupplyKind, SupplyState } from './rulesSupply.ts'

export interface SupplyFilter extends PageRequest {
  kind?: SupplyKind | undefined
  state?: SupplyState | undefined
  /** The place where it is expected. */
  location?: string | undefined
  reference?: string | undefined
  sku?: string | undefined
}

/** A purchase or transfer with its lines; units in the items' base unit. */
export interface SupplyShown {
  id: string
  company_id: string
  kind: SupplyKind
  reference: string
  state: SupplyState
  location_id: string
  from_location_id: string | null
  order_id: string | null
  expected_at: string | null
  created_at: string
  changed_at: string
  lines: {
    sku: string
    quantity: number
    received_quantity: number
    shipped_quantity: number
    missing_quantity: number
    /** Units that are in `incoming` because of this line. */
    to_come: number
  }[]
  receipts: { key: string; received_at: string; recorded_by: string; units: number }[]
}

/** SQL: units of line `l` of supply `s` that are in `incoming`; the same as `unitsToCome`. */
export const TO_COME = `greatest(0, case s.kind
  when 'transfer' then l.shipped_quantity - l.received_quantity - l.missing_quantity
  else case when s.state = 'open' then l.quantity - l.received_quantity else 0 end end)`

const SELECT = `
  select s.id, s.company_id, s.kind, s.reference, s.state, s.location_id, s.from_location_id, s.order_id, s.expected_at, s.created_at,
    s.changed_at, s.created_at::text as sort_at,
    coalesce((select jsonb_agg(jsonb_build_object('sku', i.sku, 'quantity', l.quantity, 'received_quantity', l.received_quantity,
                                 'shipped_quantity', l.shipped_quantity, 'missing_quantity', l.missing_quantity, 'to_come', ${TO_COME})
                               order by i.sku)
              from supply_lines l join items i on i.id = l.item_id where l.supply_id = s.id), '[]') as lines,
    coalesce((select jsonb_agg(jsonb_build_object('key', r.key, 'received_at', r.received_at, 'recorded_by', r.recorded_by,
                                 'units', (select coalesce(sum((x ->> 'quantity')::int), 0) from jsonb_array_elements(r.lines) x))
                               order by r.recorded_at, r.key)
              from supply_receipts r where r.supply_id = s.id), '[]') as receipts
  from supplies s`

type Keyed = SupplyShown & { sort_at: string }

const KEYSET: Keyset<Keyed> = {
  kinds: ['instant', 'uuid'],
  after: '(s.created_at < ?::timestamptz or (s.created_at = ?::timestamptz and s.id > ?::uuid))',
  places: [0, 0, 1],
  keyOf: (row) => [row.sort_at, row.id],
}

/** Supplies, the newest first. */
export async function listSupplies(q: Queryable, filter: SupplyFilter): Promise<Page<SupplyShown>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['s.kind = ?', filter.kind],
    ['s.state = ?', filter.state],
    ['s.location_id = ?', filter.location],
    ['s.reference = ?', filter.reference],
    [
      'exists (select 1 from supply_lines l join items i on i.id = l.item_id where l.supply_id = s.id and i.sku = ?)',
      filter.sku,
    ],
  ])
  const rows = await q.query<Keyed>(`${SELECT}${where} order by s.created_at desc, s.id limit ${fetch}`, params)
  const page = pageOf(filter, KEYSET, rows)
  return { rows: page.rows.map(withoutSort), next_cursor: page.next_cursor }
}

function withoutSort(row: Keyed): SupplyShown {
  const { sort_at, ...supply } = row
  void sort_at
  return supply
}

/** By the hub's id or by reference. Faults: `not_found`; `conflict` when several supplies bear the reference. */
export async function showSupply(q: Queryable, idOrReference: string, kind?: SupplyKind): Promise<SupplyShown> {
  const own = isUuid(idOrReference) ? 's.id = $1::uuid' : 's.reference = $1'
  const rows = await q.query<Keyed>(
    `${SELECT} where ${own} and ($2::text is null or s.kind = $2) order by s.id limit 10`,
    [idOrReference, kind ?? null],
  )
  const [first, ...others] = plainRows<Keyed>(rows)
  if (first === undefined) throw new HubError('not_found', 'there is no such supply')
  if (others.length > 0) {
    const ids = [first, ...others].map((row) => `${row.id} (${row.kind}, ${row.company_id})`).join(', ')
    throw new HubError('conflict', 'several supplies bear this reference', { hint: `name one by its id: ${ids}` })
  }
  return withoutSort(first)
}
