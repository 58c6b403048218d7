import { isUuid, pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import type { MovementEnd, MovementKindName } from './rulesMovement.ts'

export const MOVEMENT_STATES = ['applied', 'waiting', 'rejected'] as const
export type MovementState = (typeof MOVEMENT_STATES)[number]

export interface MovementRow {
  id: string
  company_id: string
  key: string
  kind: MovementKindName
  item_id: number
  sku: string
  location_id: string
  from_state: MovementEnd
  to_state: MovementEnd
  quantity: number
  reason: string
  reference: string | null
  lot: string | null
  expires_on: string | null
  state: MovementState
  occurred_at: Date
  requested_by: string
  requested_at: Date
  decided_by: string | null
  decided_at: Date | null
}

/** The same row as lists and answers show it: instants are ISO text. */
export type MovementShown = Omit<MovementRow, 'occurred_at' | 'requested_at' | 'decided_at'> & {
  occurred_at: string
  requested_at: string
  decided_at: string | null
}

const SELECT = `
  select m.id, m.company_id, m.key, m.kind, m.item_id, i.sku, m.location_id, m.from_state, m.to_state, m.quantity, m.reason, m.reference,
         m.lot, m.expires_on, m.state, m.occurred_at, m.requested_by, m.requested_at, m.decided_by, m.decided_at
  from stock_movements m join items i on i.id = m.item_id`

/** False when the company has a movement of that key. */
export async function insertMovement(tx: Tx, row: MovementRow): Promise<boolean> {
  const made = await tx.query(
    `insert into stock_movements (id, company_id, key, kind, item_id, location_id, from_state, to_state, quantity, reason, reference, lot,
       expires_on, state, occurred_at, requested_by, requested_at)
     values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
     on conflict (company_id, key) do nothing returning id`,
    [
      row.id,
      row.company_id,
      row.key,
      row.kind,
      row.item_id,
      row.location_id,
      row.from_state,
      row.to_state,
      row.quantity,
      row.reason,
      row.reference,
      row.lot,
      row.expires_on,
      row.state,
      row.occurred_at,
      row.requested_by,
      row.requested_at,
    ],
  )
  return made.length > 0
}

export async function findMovement(
  q: Queryable,
  by: string | { company_id: string; key: string },
): Promise<MovementRow | undefined> {
  if (typeof by === 'string' && !isUuid(by)) return undefined
  const [row] =
    typeof by === 'string'
      ? await q.query<MovementRow>(`${SELECT} where m.id = $1`, [by])
      : await q.query<MovementRow>(`${SELECT} where m.company_id = $1 and m.key = $2`, [by.company_id, by.key])
  return row
}

export async function lockMovement(tx: Tx, id: string): Promise<MovementRow> {
  await tx.query('select 1 from stock_movements where id = $1 for update', [id])
  const row = await findMovement(tx, id)
  if (row === undefined) throw new HubError('not_found', 'there is no such movement')
  return row
}

export interface MovementFilter extends PageRequest {
  state?: MovementState | undefined
  sku?: string | undefined
  location?: string | undefined
}

const KEYSET: Keyset<MovementRow> = { kinds: ['uuid'], after: 'm.id < ?::uuid', keyOf: (row) => [row.id] }

/** Newest first: the ids grow with time. */
export async function listMovements(q: Queryable, filter: MovementFilter): Promise<Page<MovementShown>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['m.state = ?', filter.state],
    ['i.sku = ?', filter.sku],
    ['m.location_id = ?', filter.location],
  ])
  const rows = await q.query<MovementRow>(`${SELECT}${where} order by m.id desc limit ${fetch}`, params)
  const page = pageOf(filter, KEYSET, rows)
  return { rows: rows.slice(0, page.rows.length).map(shownMovement), next_cursor: page.next_cursor }
}

export const shownMovement = (row: MovementRow): MovementShown => ({
  ...row,
  occurred_at: row.occurred_at.toISOString(),
  requested_at: row.requested_at.toISOString(),
  decided_at: row.decided_at?.toISOString() ?? null,
})
