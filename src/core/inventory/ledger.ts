import type { Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { moveLots } from './lots.ts'
import { stockKey } from './rulesDemand.ts'
import { STOCK_STATES, type StockState } from '../model/stock.ts'

/** Where a unit can be. `outside` is the world beyond our walls; a unit that is `incoming` is not on hand yet. */
export type Place = StockState | 'incoming' | 'outside'

/** One movement of `quantity` units (more than zero) of an item at a location, from one place to another. */
export interface StockMove {
  item_id: number
  location_id: string
  from: Place
  to: Place
  quantity: number
  reason: string
  /** What caused it: `order:<uuid>`, `inbox:99`, `file:12`. */
  source: string
  occurred_at: Date
  /** Of items whose units carry one: the lot that the units belong to. Undefined or null: nobody has said. */
  lot?: string | null
  /** Of units that come in: until when their lot may be used, a date (`2026-12-24`). */
  expires_on?: string | null
}

export interface StockKey {
  item_id: number
  location_id: string
}

export interface StockRow extends StockKey {
  available: number
  reserved: number
  committed: number
  damaged: number
  quality_control: number
  safety_stock: number
  incoming: number
  counted_as_of: Date | null
}

const COUNTED = [...STOCK_STATES, 'incoming'] as const

export { stockKey }

/**
 * Locks the stock rows of these keys until the transaction ends, in (item_id, location_id) order so that batches that share items queue up
 * instead of deadlocking. A row that does not exist is made with zeros. Returns them by `stockKey`.
 */
export async function lockStock(tx: Tx, keys: readonly StockKey[], _now: Date): Promise<Map<string, StockRow>> {
  const wanted = new Map(keys.map((key) => [stockKey(key.item_id, key.location_id), key]))
  if (wanted.size === 0) return new Map()
  const rows = await selectForUpdate(tx, [...wanted.values()])
  const found = new Map(rows.map((row) => [stockKey(row.item_id, row.location_id), row]))
  if (found.size === wanted.size) return found
  // Made in the same order; a concurrent maker of the same row is waited for, and its row is then locked like any other.
  await tx.query(
    `insert into stock (item_id, location_id)
     select item_id, location_id from unnest($1::bigint[], $2::text[]) as k(item_id, location_id) order by item_id, location_id
     on conflict do nothing`,
    columns([...wanted.values()].filter((key) => !found.has(stockKey(key.item_id, key.location_id)))),
  )
  const all = await selectForUpdate(tx, [...wanted.values()])
  return new Map(all.map((row) => [stockKey(row.item_id, row.location_id), row]))
}

/**
 * Locks those of these rows that nobody else has locked, and never waits: for work that was not foreseen when the transaction took its
 * locks in order. Rows that this transaction has locked already are among them.
 */
export async function tryLockStock(tx: Tx, keys: readonly StockKey[]): Promise<Map<string, StockRow>> {
  const unique = new Map(keys.map((key) => [stockKey(key.item_id, key.location_id), key]))
  const rows = unique.size === 0 ? [] : await selectForUpdate(tx, [...unique.values()], 'skip locked')
  return new Map(rows.map((row) => [stockKey(row.item_id, row.location_id), row]))
}

/** What these rows say now, without locking them: good enough to foresee what a decision under the lock will need. */
export async function peekStock(tx: Tx, keys: readonly StockKey[]): Promise<Map<string, StockRow>> {
  const rows =
    keys.length === 0
      ? []
      : await tx.query<StockRow>(
          `select distinct s.item_id, s.location_id, s.available, s.reserved, s.committed, s.damaged, s.quality_control, s.safety_stock,
             s.incoming, s.counted_as_of
           from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)
           join stock s on s.item_id = k.item_id and s.location_id = k.location_id`,
          columns(keys),
        )
  return new Map(rows.map((row) => [stockKey(row.item_id, row.location_id), row]))
}

async function selectForUpdate(tx: Tx, keys: readonly StockKey[], wait: '' | 'skip locked' = ''): Promise<StockRow[]> {
  return tx.query<StockRow>(
    `select s.item_id, s.location_id, s.available, s.reserved, s.committed, s.damaged, s.quality_control, s.safety_stock, s.incoming,
       s.counted_as_of
     from unnest($1::bigint[], $2::text[]) as k(item_id, location_id)
     join stock s on s.item_id = k.item_id and s.location_id = k.location_id
     order by s.item_id, s.location_id for no key update of s ${wait}`,
    columns(keys),
  )
}

const columns = (keys: readonly StockKey[]): [number[], string[]] => [
  keys.map((key) => key.item_id),
  keys.map((key) => key.location_id),
]

/**
 * Moves units between states: one update of the counters, one insert into the ledger, and every listing that sells an item whose
 * `available` changed is marked dirty. The caller has locked the rows with `lockStock`. `sold` adds units to what a channel has
 * already taken off its own number since the last proof (by listing id); it is part of this call because availability rows have to be
 * locked once, in one order. Faults: `invariant_broken` when a stock row is missing; a counter below zero is the database's own refusal.
 */
export async function moveStock(
  tx: Tx,
  moves: readonly StockMove[],
  now: Date,
  sold: ReadonlyMap<number, number> = new Map(),
): Promise<void> {
  const touched = new Set(
    moves.filter((move) => move.from === 'available' || move.to === 'available').map((move) => move.item_id),
  )
  // None waits for what another answers, so they are sent together; the server works them off in this order.
  await Promise.all([
    ...(moves.length > 0 ? [updateCounters(tx, moves), insertLedger(tx, moves, now), moveLots(tx, moves, now)] : []),
    touchListings(tx, [...touched], sold, now),
  ])
}

interface Touches {
  items: Set<number>
  sold: Map<number, number>
}

/** What an open transaction still has to mark. The entry lives as long as `touchOnce` runs. */
const postponed = new WeakMap<Tx, Touches>()

/**
 * Runs work of many steps and marks the listings it touched once, at its end. Availability rows are then locked in one order whatever
 * the steps were, so that two batches never wait for each other, and a listing that was touched by a hundred facts is written once.
 */
export async function touchOnce<T>(tx: Tx, now: Date, work: () => Promise<T>): Promise<T> {
  const touches: Touches = { items: new Set(), sold: new Map() }
  postponed.set(tx, touches)
  try {
    const result = await work()
    await updateAvailability(tx, [...touches.items], touches.sold, now)
    return result
  } finally {
    postponed.delete(tx)
  }
}

/** Listings that sell one of the items, directly or through a kit, are due on their channel. */
export async function markDirty(tx: Tx, item_ids: readonly number[], now: Date): Promise<void> {
  await touchListings(tx, item_ids, new Map(), now)
}

type Delta = StockKey & Record<(typeof COUNTED)[number], number>

async function updateCounters(tx: Tx, moves: readonly StockMove[]): Promise<void> {
  const deltas = new Map<string, Delta>()
  for (const move of moves) {
    if (move.quantity <= 0 || move.from === move.to)
      throw new HubError('invariant_broken', 'a stock move has to move something')
    const key = stockKey(move.item_id, move.location_id)
    const delta = deltas.get(key) ?? emptyDelta(move)
    deltas.set(key, delta)
    if (move.from !== 'outside') delta[move.from] -= move.quantity
    if (move.to !== 'outside') delta[move.to] += move.quantity
  }
  const rows = [...deltas.values()]
  const updated = await tx.query(
    `update stock s set available = s.available + d.available, reserved = s.reserved + d.reserved, committed = s.committed + d.committed,
       damaged = s.damaged + d.damaged, quality_control = s.quality_control + d.quality_control,
       safety_stock = s.safety_stock + d.safety_stock, incoming = s.incoming + d.incoming
     from unnest($1::bigint[], $2::text[], $3::int[], $4::int[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[])
       as d(item_id, location_id, available, reserved, committed, damaged, quality_control, safety_stock, incoming)
     where s.item_id = d.item_id and s.location_id = d.location_id
     returning 1`,
    [...columns(rows), ...COUNTED.map((state) => rows.map((row) => row[state]))],
  )
  if (updated.length !== rows.length)
    throw new HubError('invariant_broken', 'stock was moved where no stock row exists')
}

function emptyDelta({ item_id, location_id }: StockKey): Delta {
  return {
    item_id, location_id,
    available: 0, reserved: 0, committed: 0, damaged: 0, quality_control: 0, safety_stock: 0, incoming: 0,
  } // prettier-ignore
}

async function insertLedger(tx: Tx, moves: readonly StockMove[], now: Date): Promise<void> {
  const [first] = moves
  // The movements of a batch mostly happened at one moment, which then travels once: instants are dear to read.
  const isOneMoment = moves.every(({ occurred_at }) => occurred_at.getTime() === first?.occurred_at.getTime())
  await tx.query(
    `insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
     select m.item_id, m.location_id, m.from_state, m.to_state, m.quantity, m.reason, m.source, coalesce(m.occurred_at, $10), $9
     from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::int[], $6::text[], $7::text[], $8::timestamptz[])
       as m(item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at)`,
    [
      ...columns(moves),
      moves.map((move) => move.from),
      moves.map((move) => move.to),
      moves.map((move) => move.quantity),
      moves.map((move) => move.reason),
      moves.map((move) => move.source),
      isOneMoment ? null : moves.map((move) => move.occurred_at.toISOString()),
      now,
      first?.occurred_at,
    ],
  )
}

/**
 * Makes the listings due. A row that was due before keeps the moment it became so: the age of what is due is measured from there.
 *
 * A row that is due at once and that no push has claimed is locked, but not written again: writing is most of what a batch of many items
 * costs. Nothing is lost by that. What a push covers is the `dirty_seq` that it read when it claimed the row, and it claims only rows
 * that it can lock (`for update skip locked`), before it looks at any stock. So long as this transaction keeps its lock the row cannot
 * be claimed; whoever claims it afterwards sees what this transaction has changed. A push that claimed it before has committed when the
 * lock is granted, and the row is then read as it left it: claimed, with a `dirty_seq` that has to be passed, or settled and not due.
 * A claim whose time is over counts as well, because its answer may still come.
 */
async function updateAvailability(
  tx: Tx,
  item_ids: readonly number[],
  sold: ReadonlyMap<number, number>,
  now: Date,
): Promise<void> {
  if (item_ids.length === 0 && sold.size === 0) return
  await tx.query(
    `with sold as (
       select * from unnest($2::bigint[], $3::int[]) as s(listing_id, units)
     ), touched as (
       select listing_id from listing_items where item_id = any($1::bigint[])
       union
       select li.listing_id from kit_components k join listing_items li on li.item_id = k.kit_item_id
       where k.component_item_id = any($1::bigint[])
       union
       select listing_id from sold
     ), locked as materialized (
       select a.listing_id, a.due and a.claimed_until is null and a.next_attempt_at <= $4 as is_marked
       from availability a join touched t on t.listing_id = a.listing_id
       order by a.listing_id for no key update of a
     )
     update availability a
     set dirty_seq = a.dirty_seq + 1,
       dirty_at = case when a.dirty_seq > a.sent_seq then a.dirty_at else $4 end,
       next_attempt_at = least(a.next_attempt_at, $4),
       -- Sales that the last push had noticed on the channel's own number are in it already (availability/push.ts).
       unseen = a.unseen - least(a.unseen, greatest(coalesce(sold.units, 0), 0)),
       sold_since_proof = a.sold_since_proof + coalesce(sold.units, 0) - least(a.unseen, greatest(coalesce(sold.units, 0), 0))
     from locked l left join sold on sold.listing_id = l.listing_id
     where a.listing_id = l.listing_id and (not l.is_marked or sold.units is not null)`,
    [item_ids, [...sold.keys()], [...sold.values()], now],
  )
}

async function touchListings(
  tx: Tx,
  item_ids: readonly number[],
  sold: ReadonlyMap<number, number>,
  now: Date,
): Promise<void> {
  const later = postponed.get(tx)
  if (later === undefined) return updateAvailability(tx, item_ids, sold, now)
  for (const item_id of item_ids) later.items.add(item_id)
  for (const [listing_id, units] of sold) later.sold.set(listing_id, (later.sold.get(listing_id) ?? 0) + units)
}
