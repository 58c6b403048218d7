import { sqlState, type Queryable, type Tx } from '../../db/pool.ts'
import { arrayText, columns } from '../columns.ts'
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
  /** What was asked for, beside the lines: a repetition is told from another wish by it, whatever has become of the hold. */
  minutes: number
  order_asked: string | null
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

const COLUMNS = `h.id, h.connection_id, h.key, h.api_key_id, h.batch_id, h.state, h.shortfall, h.skus, h.quantities, h.minutes,
  h.order_asked, h.order_external_id, h.expires_at, h.created_at, h.taken_lines, h.taken_items, h.taken_locations, h.taken_per_unit, h.taken_units`

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

/** Asked as one list of keys for each connection: the server then walks through the index once instead of once for each key. */
export async function loadByKeys(
  tx: Tx,
  keys: readonly { connection_id: string; key: string }[],
): Promise<StoredHold[]> {
  const rows = await tx.query<FlatHold>(
    `select ${COLUMNS}
     from (select connection_id, array_agg(key) as keys from unnest($1::text[], $2::text[]) as k(connection_id, key) group by 1) k
     join holds h on h.connection_id = k.connection_id and h.key = any(k.keys)`,
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

/** What many holds of a batch have in common travels once, and with each hold only the number of its kind. */
const INSERT_SQL = `
  insert into holds (id, connection_id, key, api_key_id, shortfall, skus, quantities, taken_lines, taken_items, taken_locations,
    taken_per_unit, taken_units, minutes, order_asked, order_external_id, expires_at, batch_id, state, created_at, changed_at)
  select n.id, ($7::text[])[n.kind], n.key, ($8::text[])[n.kind], ($9::text[])[n.kind],
    case when n.more is null then array[n.sku] else (n.more::text[])[1]::text[] end,
    case when n.more is null then array[n.quantity] else (n.more::text[])[2]::int[] end,
    case when n.more is null then '{0}'::smallint[] else (n.more::text[])[3]::smallint[] end,
    case when n.more is null then array[n.item_id] else (n.more::text[])[4]::bigint[] end,
    case when n.more is null then array[($10::text[])[n.kind]] else (n.more::text[])[5]::text[] end,
    case when n.more is null then array[($11::int[])[n.kind]] else (n.more::text[])[6]::int[] end,
    case when n.more is null then array[n.units] else (n.more::text[])[7]::int[] end,
    ($12::int[])[n.kind], n.order_asked, n.order_asked, ($13::timestamptz[])[n.kind], $14, 'held', $15, $15
  from unnest($1::uuid[], $2::text[], $3::int[], $4::text[], $5::int[], $6::bigint[], $16::int[], $17::text[], $18::text[])
    as n(id, key, kind, sku, quantity, item_id, units, more, order_asked)`

interface Kind extends Pick<StoredHold, 'connection_id' | 'api_key_id' | 'shortfall' | 'minutes' | 'expires_at'> {
  location_id: string
  per_unit: number
}

function columnsOf(rows: readonly StoredHold[]): unknown[] {
  const simple = rows.map(({ skus, taken }) => (skus.length === 1 && taken.length === 1 ? taken[0] : undefined))
  const { kinds, kindOf } = kindsOf(rows, simple)
  const [first] = rows
  return [
    rows.map((row) => row.id),
    rows.map((row) => row.key),
    kindOf,
    rows.map((row, index) => (simple[index] === undefined ? null : row.skus[0])),
    rows.map((row, index) => (simple[index] === undefined ? null : row.quantities[0])),
    simple.map((one) => one?.item_id ?? null),
    ...columns(kinds, ['connection_id', 'api_key_id', 'shortfall', 'location_id', 'per_unit', 'minutes']),
    kinds.map(({ expires_at }) => expires_at.toISOString()),
    first?.batch_id,
    first?.created_at,
    simple.map((one) => one?.units ?? null),
    // A column of which nothing is known is as good as no column.
    simple.includes(undefined) ? rows.map((row, index) => (simple[index] === undefined ? arraysOf(row) : null)) : null,
    rows.some((row) => row.order_asked !== null) ? rows.map((row) => row.order_asked) : null,
  ]
}

/** The kinds of these holds, and the kind of each: its position in the list, from 1. */
function kindsOf(
  rows: readonly StoredHold[],
  simple: readonly (HeldUnits | undefined)[],
): { kinds: Kind[]; kindOf: number[] } {
  const kinds: Kind[] = []
  const numbersByName = new Map<string, number>()
  const kindOf = rows.map(({ connection_id, api_key_id, shortfall, minutes, expires_at }, index) => {
    const { location_id, per_unit } = simple[index] ?? { location_id: '', per_unit: 1 }
    const name = `${connection_id} ${api_key_id} ${shortfall} ${minutes} ${per_unit} ${location_id}`
    const known = numbersByName.get(name)
    if (known !== undefined) return known
    const number = kinds.push({
      connection_id, api_key_id, shortfall, minutes, expires_at, location_id, per_unit,
    }) // prettier-ignore
    numbersByName.set(name, number)
    return number
  })
  return { kinds, kindOf }
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
  const channels = new Map<string, number>()
  const keys = new Map<string, number>()
  for (const { connection_id, api_key_id, taken } of holds) {
    let units = 0
    for (const one of taken) units += one.units
    channels.set(connection_id, (channels.get(connection_id) ?? 0) + units)
    if (api_key_id !== null) keys.set(api_key_id, (keys.get(api_key_id) ?? 0) + units)
  }
  if (channels.size === 0) return
  const counts = [
    [...[...channels.keys()].map(channelScope), ...[...keys.keys()].map(keyScope)],
    [...channels.values(), ...keys.values()],
  ]
  if (sign === 1) {
    await tx.query(
      `insert into hold_counts as c (scope, units)
       select scope, units from unnest($1::text[], $2::int[]) as n(scope, units) order by scope
       on conflict (scope) do update set units = c.units + excluded.units`,
      counts,
    )
    return
  }
  await tx.query(
    `with less as (
       select c.scope, n.units from unnest($1::text[], $2::int[]) as n(scope, units)
       join hold_counts c on c.scope = n.scope order by c.scope for no key update of c
     )
     update hold_counts c set units = c.units - l.units from less l where c.scope = l.scope`,
    counts,
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
