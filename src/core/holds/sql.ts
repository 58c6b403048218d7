import { sqlState, type Queryable, type Tx } from '../../db/pool.ts'
import { arrayText } from '../columns.ts'
import type { StockMove } from '../inventory/ledger.ts'
import { stockKey } from '../inventory/rulesDemand.ts'
import { startAnew } from '../turn.ts'
import { channelScope, keyScope, type HeldUnits } from './rulesHold.ts'

export const HOLD_STATES = ['held', 'consumed', 'released', 'expired'] as const
export type HoldState = (typeof HOLD_STATES)[number]
export type HoldShortfall = 'all_or_nothing' | 'partial'

interface HoldRow {
  id: string
  connection_id: string
  key: string
  api_key_id: string | null
  batch_id: string
  state: HoldState
  shortfall: HoldShortfall
  skus: string[]
  quantities: number[]
  request_sha256: Buffer
  order_external_id: string | null
  expires_at: Date
  created_at: Date
}

interface FlatHold extends HoldRow {
  taken_lines: number[]
  taken_items: number[]
  taken_locations: string[]
  taken_per_unit: number[]
  taken_units: number[]
}

/** A hold as it is kept. */
export interface StoredHold extends HoldRow {
  taken: HeldUnits[]
}

const COLUMNS = `h.id, h.connection_id, h.key, h.api_key_id, h.batch_id, h.state, h.shortfall, h.skus, h.quantities, h.request_sha256,
  h.order_external_id, h.expires_at, h.created_at, h.taken_lines, h.taken_items, h.taken_locations, h.taken_per_unit, h.taken_units`

function stored({
  taken_lines,
  taken_items,
  taken_locations,
  taken_per_unit,
  taken_units,
  ...row
}: FlatHold): StoredHold {
  const taken = taken_lines.map((line, index) => ({
    line,
    item_id: taken_items[index] ?? 0,
    location_id: taken_locations[index] ?? '',
    per_unit: taken_per_unit[index] ?? 1,
    units: taken_units[index] ?? 0,
  }))
  return { ...row, taken }
}

export async function loadByKeys(
  tx: Tx,
  keys: readonly { connection_id: string; key: string }[],
): Promise<StoredHold[]> {
  const rows = await tx.query<FlatHold>(
    `select ${COLUMNS} from unnest($1::text[], $2::text[]) as k(connection_id, key)
     join holds h on h.connection_id = k.connection_id and h.key = k.key`,
    [keys.map(({ connection_id }) => connection_id), keys.map(({ key }) => key)],
  )
  return rows.map(stored)
}

export async function loadHolds(q: Queryable, ids: readonly string[]): Promise<StoredHold[]> {
  const rows = await q.query<FlatHold>(`select ${COLUMNS} from holds h where h.id = any($1::uuid[]) order by h.id`, [
    ids,
  ])
  return rows.map(stored)
}

/** Those of these holds that still keep units, locked. The caller has locked the stock rows of their units, so those stay as they are. */
export async function lockHeld(tx: Tx, ids: readonly string[]): Promise<StoredHold[]> {
  if (ids.length === 0) return []
  const rows = await tx.query<FlatHold>(
    `select ${COLUMNS} from holds h where h.id = any($1::uuid[]) and h.state = 'held' order by h.id for no key update`,
    [ids],
  )
  return rows.map(stored)
}

/** Holds that keep one of these items at one of these places, locked. Few ask for this, so no index is kept for it. */
export async function lockHeldAt(
  tx: Tx,
  item_ids: readonly number[],
  location_ids: readonly string[],
): Promise<StoredHold[]> {
  const rows = await tx.query<FlatHold>(
    `select ${COLUMNS} from holds h
     where h.state = 'held' and h.taken_items && $1::bigint[] and h.taken_locations && $2::text[] order by h.id for no key update`,
    [item_ids, location_ids],
  )
  return rows.map(stored)
}

/** Holds that wait for one of these orders, as they are now. */
export async function findHeldOfOrders(
  tx: Tx,
  orders: readonly { connection_id: string; external_id: string }[],
): Promise<StoredHold[]> {
  if (orders.length === 0) return []
  const rows = await tx.query<FlatHold>(
    `select ${COLUMNS} from unnest($1::text[], $2::text[]) as o(connection_id, external_id)
     join holds h on h.connection_id = o.connection_id and h.order_external_id = o.external_id and h.state = 'held'`,
    [orders.map(({ connection_id }) => connection_id), orders.map(({ external_id }) => external_id)],
  )
  return rows.map(stored)
}

const KEY_TAKEN = '23505'

/**
 * New holds. Two processes that are asked for the same key at once are told apart by the unique key: the later one has to begin anew.
 * A hold of one line from one place, as most are, travels in plain columns; only others as texts that are read as arrays.
 */
export async function insertHolds(tx: Tx, holds: readonly StoredHold[]): Promise<void> {
  if (holds.length === 0) return
  // By key, so that two batches that share keys wait for each other instead of deadlocking.
  const rows = holds.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  try {
    await tx.query(INSERT_SQL, columnsOf(rows))
  } catch (thrown) {
    if (sqlState(thrown) === KEY_TAKEN) throw startAnew('a hold of the same key has been made by another transaction')
    throw thrown
  }
}

const INSERT_SQL = `
  insert into holds (id, connection_id, key, api_key_id, request_sha256, shortfall, skus, quantities, taken_lines, taken_items,
    taken_locations, taken_per_unit, taken_units, order_external_id, expires_at, batch_id, state, created_at, changed_at)
  select n.id, n.connection_id, n.key, n.api_key_id, n.request_sha256, n.shortfall,
    case when n.more is null then array[n.sku] else (n.more::text[])[1]::text[] end,
    case when n.more is null then array[n.quantity] else (n.more::text[])[2]::int[] end,
    case when n.more is null then '{0}'::smallint[] else (n.more::text[])[3]::smallint[] end,
    case when n.more is null then array[n.item_id] else (n.more::text[])[4]::bigint[] end,
    case when n.more is null then array[n.location_id] else (n.more::text[])[5]::text[] end,
    case when n.more is null then array[n.per_unit] else (n.more::text[])[6]::int[] end,
    case when n.more is null then array[n.units] else (n.more::text[])[7]::int[] end,
    n.order_external_id, n.expires_at, $15, 'held', $16, $16
  from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bytea[], $6::text[], $7::text[], $8::int[], $9::bigint[], $10::text[],
      $11::int[], $12::int[], $13::text[], $14::text[], $17::timestamptz[])
    as n(id, connection_id, key, api_key_id, request_sha256, shortfall, sku, quantity, item_id, location_id, per_unit, units, more,
      order_external_id, expires_at)`

function columnsOf(rows: readonly StoredHold[]): unknown[] {
  const simple = rows.map(({ skus, taken }) => (skus.length === 1 && taken.length === 1 ? taken[0] : undefined))
  const instants = new Map<number, string>()
  const iso = (at: Date): string => {
    const known = instants.get(at.getTime()) ?? at.toISOString()
    instants.set(at.getTime(), known)
    return known
  }
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.connection_id),
    rows.map((row) => row.key),
    rows.map((row) => row.api_key_id),
    rows.map((row) => row.request_sha256),
    rows.map((row) => row.shortfall),
    rows.map((row, index) => (simple[index] === undefined ? null : row.skus[0])),
    rows.map((row, index) => (simple[index] === undefined ? null : row.quantities[0])),
    simple.map((one) => one?.item_id ?? null),
    simple.map((one) => one?.location_id ?? null),
    simple.map((one) => one?.per_unit ?? null),
    simple.map((one) => one?.units ?? null),
    rows.map((row, index) => (simple[index] === undefined ? arraysOf(row) : null)),
    rows.map((row) => row.order_external_id),
    rows[0]?.batch_id,
    rows[0]?.created_at,
    rows.map((row) => iso(row.expires_at)),
  ]
}

const numbers = (values: readonly number[]): string => `{${values.join(',')}}`

/** A text[] of arrays, each as its own text. */
const arraysOf = ({ skus, quantities, taken }: StoredHold): string =>
  arrayText([
    arrayText(skus),
    numbers(quantities),
    numbers(taken.map((one) => one.line)),
    numbers(taken.map((one) => one.item_id)),
    arrayText(taken.map((one) => one.location_id)),
    numbers(taken.map((one) => one.per_unit)),
    numbers(taken.map((one) => one.units)),
  ])

/** Units that are held now in all, by row of hold_counts. */
export interface CountRow {
  scope: string
  units: number
}

/** Locks the counts of these channels and keys until the transaction ends. One that is missing is made. */
export async function lockCounts(tx: Tx, scopes: readonly string[]): Promise<CountRow[]> {
  const select = (): Promise<CountRow[]> =>
    tx.query<CountRow>(
      'select scope, units from hold_counts where scope = any($1::text[]) order by scope for no key update',
      [scopes],
    )
  const rows = await select()
  if (rows.length === scopes.length) return rows
  await tx.query(
    `insert into hold_counts (scope, units) select scope, 0 from unnest($1::text[]) as s(scope) order by scope on conflict do nothing`,
    [scopes],
  )
  return select()
}

/** Units of these items that channels hold now. The caller has locked the items' stock, so that nobody can add to them. */
export async function sumByItem(
  tx: Tx,
  connection_ids: readonly string[],
  item_ids: readonly number[],
): Promise<{ connection_id: string; item_id: number; units: number }[]> {
  return tx.query(
    `select h.connection_id, t.item_id, sum(t.units)::int as units
     from holds h, unnest(h.taken_items, h.taken_units) as t(item_id, units)
     where h.state = 'held' and h.connection_id = any($1::text[]) and t.item_id = any($2::bigint[]) group by 1, 2`,
    [connection_ids, item_ids],
  )
}

/** Adds units that are held now to the counts, or takes them off. Rows are written in one order. */
export async function addToCounts(
  tx: Tx,
  holds: readonly Pick<StoredHold, 'connection_id' | 'api_key_id' | 'taken'>[],
  sign: 1 | -1,
): Promise<void> {
  const counts = new Map<string, number>()
  for (const { connection_id, api_key_id, taken } of holds) {
    const units = taken.reduce((sum, one) => sum + one.units, 0)
    const scopes = [channelScope(connection_id), ...(api_key_id === null ? [] : [keyScope(api_key_id)])]
    for (const scope of scopes) counts.set(scope, (counts.get(scope) ?? 0) + units)
  }
  if (counts.size === 0) return
  const columns = [[...counts.keys()], [...counts.values()]]
  if (sign === 1) {
    await tx.query(
      `insert into hold_counts as c (scope, units)
       select scope, units from unnest($1::text[], $2::int[]) as n(scope, units) order by scope
       on conflict (scope) do update set units = c.units + excluded.units`,
      columns,
    )
    return
  }
  await tx.query(
    `with less as (
       select c.scope, n.units from unnest($1::text[], $2::int[]) as n(scope, units)
       join hold_counts c on c.scope = n.scope order by c.scope for no key update of c
     )
     update hold_counts c set units = c.units - l.units from less l where c.scope = l.scope`,
    columns,
  )
}

/** Units of holds as movements, summed by item and place: a batch writes one ledger line for each. */
export function movesOf(
  holds: readonly Pick<StoredHold, 'taken'>[],
  move: Pick<StockMove, 'from' | 'to' | 'reason' | 'source' | 'occurred_at'>,
): StockMove[] {
  const moves = new Map<string, StockMove>()
  for (const { taken } of holds) {
    for (const { item_id, location_id, units } of taken) {
      if (units === 0) continue
      const key = stockKey(item_id, location_id)
      const known = moves.get(key)
      if (known === undefined) moves.set(key, { ...move, item_id, location_id, quantity: units })
      else known.quantity += units
    }
  }
  return [...moves.values()]
}
