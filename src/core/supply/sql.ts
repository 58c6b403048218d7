import { createHash } from 'node:crypto'
import type { Queryable, Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import { HubError } from '../errors.ts'
import { stockKey, type StockRow } from '../inventory/ledger.ts'
import type { SupplyKind, SupplyPicture, SupplyUnits } from './rulesSupply.ts'

/** A supply with its lines, locked. */
export interface StoredSupply extends SupplyPicture {
  id: string
  company_id: string
  reference: string
  expected_at: Date | null
  from_location_id: string | null
  order_id: string | null
  lines: readonly SupplyUnits[]
}

/** Whoever names a supply: by the hub's id, or by company, kind and reference. */
export type SupplyName = { id: string } | { company_id: string; kind: SupplyKind; reference: string }

const COLUMNS =
  's.id, s.company_id, s.kind, s.reference, s.location_id, s.state, s.expected_at, s.from_location_id, s.order_id'

const unknownSupply = (): HubError => new HubError('not_found', 'there is no such supply')

/** Faults: `not_found`. */
export async function findSupply(q: Queryable, name: SupplyName): Promise<Omit<StoredSupply, 'lines'>> {
  const [row] =
    'id' in name
      ? await q.query<StoredSupply>(`select ${COLUMNS} from supplies s where s.id = $1`, [name.id])
      : await q.query<StoredSupply>(
          `select ${COLUMNS} from supplies s where s.company_id = $1 and s.kind = $2 and s.reference = $3`,
          [name.company_id, name.kind, name.reference],
        )
  if (row === undefined) throw unknownSupply()
  return row
}

/** Locks a supply and reads its lines. It hangs on its order, which is locked before, and comes before any stock. */
export async function lockSupply(tx: Tx, id: string): Promise<StoredSupply> {
  const [row] = await tx.query<StoredSupply>(`select ${COLUMNS} from supplies s where s.id = $1 for no key update`, [
    id,
  ])
  if (row === undefined) throw unknownSupply()
  const lines = await tx.query<SupplyUnits>(
    `select item_id, quantity, received_quantity, shipped_quantity, missing_quantity from supply_lines where supply_id = $1 order by item_id`,
    [id],
  )
  return { ...row, lines }
}

const LINE_KEYS = ['item_id', 'quantity', 'received_quantity', 'shipped_quantity', 'missing_quantity'] as const

/** Writes what a supply is from now on. */
export async function saveSupply(tx: Tx, supply: StoredSupply, now: Date): Promise<void> {
  await tx.query('update supplies set location_id = $2, state = $3, expected_at = $4, changed_at = $5 where id = $1', [
    supply.id,
    supply.location_id,
    supply.state,
    supply.expected_at,
    now,
  ])
  await tx.query(
    `insert into supply_lines (supply_id, ${LINE_KEYS.join(', ')})
     select $1, n.* from unnest($2::bigint[], $3::int[], $4::int[], $5::int[], $6::int[]) as n
     on conflict (supply_id, item_id) do update set ${LINE_KEYS.slice(1)
       .map((key) => `${key} = excluded.${key}`)
       .join(', ')}`,
    [supply.id, ...columns(supply.lines, LINE_KEYS)],
  )
}

interface NewSupply {
  id: string
  company_id: string
  kind: SupplyKind
  reference: string
  location_id: string
  expected_at: Date | null
  from_location_id: string | null
  order_id: string | null
}

/** False when the reference is taken; whoever takes it at the same moment is waited for. */
export async function insertSupply(tx: Tx, supply: NewSupply, by: string, now: Date): Promise<boolean> {
  const rows = await tx.query(
    `insert into supplies (id, company_id, kind, reference, location_id, state, expected_at, from_location_id, order_id, source, created_at, changed_at)
     values ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $10) on conflict (company_id, kind, reference) do nothing returning 1`,
    [
      supply.id,
      supply.company_id,
      supply.kind,
      supply.reference,
      supply.location_id,
      supply.expected_at,
      supply.from_location_id,
      supply.order_id,
      by,
      now,
    ],
  )
  return rows.length > 0
}

/** Units of an item as people write them down. */
export interface NamedUnits {
  sku: string
  quantity: number
}

export interface ResolvedUnits extends NamedUnits {
  item_id: number
  tracks_lots: boolean
}

const UNITS_MAX = 1_000_000_000

/**
 * The items of these lines. Faults: `bad_request` for a quantity that is no whole number from `least` to `UNITS_MAX` and for a kit,
 * `unknown_sku`; each with the path of the line.
 */
export async function resolveUnits(
  q: Queryable,
  company_id: string,
  lines: readonly NamedUnits[],
  least: 0 | 1,
): Promise<ResolvedUnits[]> {
  for (const [index, { quantity }] of lines.entries()) {
    if (!Number.isInteger(quantity) || quantity < least || quantity > UNITS_MAX)
      throw new HubError('bad_request', `a quantity has to be a whole number from ${least} to ${UNITS_MAX}`, {
        path: `$.lines[${index}].quantity`,
      })
  }
  const items = await q.query<{ sku: string; item_id: number; tracks_lots: boolean; is_kit: boolean }>(
    `select i.sku, i.id as item_id, i.tracks_lots, exists (select 1 from kit_components k where k.kit_item_id = i.id) as is_kit
     from items i where i.company_id = $1 and i.sku = any($2::text[])`,
    [company_id, [...new Set(lines.map((line) => line.sku))]],
  )
  const bySku = new Map(items.map((item) => [item.sku, item]))
  return lines.map((line, index) => {
    const item = bySku.get(line.sku)
    const path = `$.lines[${index}].sku`
    if (item === undefined)
      throw new HubError('unknown_sku', `no item of ${company_id} has the SKU ${line.sku}`, { path })
    if (item.is_kit)
      throw new HubError('bad_request', `${line.sku} is a kit and has no stock of its own`, {
        path,
        hint: 'name its components',
      })
    return { ...line, item_id: item.item_id, tracks_lots: item.tracks_lots }
  })
}

/** Faults: `bad_request` when two lines name one item. */
export function refuseTwice(lines: readonly NamedUnits[]): void {
  const seen = new Set<string>()
  for (const [index, { sku }] of lines.entries()) {
    if (seen.has(sku)) throw new HubError('bad_request', `two lines name ${sku}`, { path: `$.lines[${index}].sku` })
    seen.add(sku)
  }
}

export interface PlaceRow {
  id: string
  company_id: string
  country: string
  postcode: string | null
}

/** Faults: `unknown_location`, with the path. */
export async function placeOf(q: Queryable, location_id: string, path: string): Promise<PlaceRow> {
  const [row] = await q.query<PlaceRow>(
    'select id, company_id, country, postcode from locations where id = $1 and active',
    [location_id],
  )
  if (row === undefined) throw new HubError('unknown_location', `there is no location ${location_id}`, { path })
  return row
}

/** The most units of an item that one place can count: what the database's integers hold. */
const COUNTER_MAX = 2_147_483_647

/** Faults: `bad_request` where a counter would become larger than the database can hold. Judged under the lock of the rows. */
export function refuseOverflow(
  stock: ReadonlyMap<string, StockRow>,
  added: readonly { item_id: number; location_id: string; quantity: number }[],
): void {
  const sums = new Map<string, number>()
  for (const { item_id, location_id, quantity } of added) {
    const key = stockKey(item_id, location_id)
    const row = stock.get(key)
    const { available = 0, reserved = 0, committed = 0, damaged = 0 } = row ?? {}
    const before = available + reserved + committed + damaged + (row?.quality_control ?? 0) + (row?.safety_stock ?? 0)
    const sum = (sums.get(key) ?? before + (row?.incoming ?? 0)) + quantity
    sums.set(key, sum)
    if (sum > COUNTER_MAX)
      throw new HubError('bad_request', `${location_id} cannot count more than ${COUNTER_MAX} units of an item`, {
        path: '$.lines',
      })
  }
}

/** Stands for a wish: the same key with another wish can be told from a repetition. */
export const wishHash = (wish: object): Buffer => createHash('sha256').update(JSON.stringify(wish)).digest()

export const supplySource = (id: string): string => `supply:${id}`
