import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { moveStock, stockKey, touchOnce, type StockKey } from '../inventory/ledger.ts'
import { policyOf } from '../inventory/reserve.ts'
import { settleOrders, soldByListing } from '../orders/settle.ts'
import { loadLines, lockOrders, orderKey } from '../orders/sql.ts'
import { takeTurn } from '../turn.ts'
import { keysOf } from './end.ts'
import { addToCounts, findHeldOfOrders, loadHolds, lockHeld, movesOf, type StoredHold } from './sql.ts'

/** Units that became free for one order: by `stockKey`, and the items that they are of. By order id. */
export type Given = ReadonlyMap<string, { units: ReadonlyMap<string, number>; item_ids: readonly number[] }>

/** Holds that orders take over within the decision about their stock. */
export interface HandOver {
  /** Stock rows of the holds' units; whoever decides has to lock them with its own. */
  keys: readonly StockKey[]
  /**
   * Ends the holds and frees their units under the caller's lock, which nobody else can get between. What is free by this is for the
   * hold's own order first (`OrderDemand.own`); the answer is by order id.
   */
  take: () => Promise<Given>
}

interface OrderWithHolds {
  id: string
  connection_id: string
  external_id: string
}

/** The holds that wait for one of these orders. Null (the rule) when there are none: one look into an index that holds only such. */
export async function handOverOf(
  tx: Tx,
  ctx: CoreContext,
  orders: readonly OrderWithHolds[],
): Promise<HandOver | null> {
  const seen = await findHeldOfOrders(tx, orders)
  const orderOf = new Map(orders.map((order) => [orderKey(order), order.id]))
  const owners = new Map(
    seen.map((hold) => [
      hold.id,
      orderOf.get(orderKey({ connection_id: hold.connection_id, external_id: hold.order_external_id ?? '' })) ?? '',
    ]),
  )
  return handOver(tx, ctx, seen, owners)
}

function handOver(
  tx: Tx,
  ctx: CoreContext,
  seen: readonly StoredHold[],
  owners: ReadonlyMap<string, string>,
): HandOver | null {
  if (seen.length === 0) return null
  return {
    keys: keysOf(seen),
    take: async () => {
      const holds = await lockHeld(
        tx,
        seen.map(({ id }) => id),
      )
      await consume(tx, ctx, holds)
      return new Map(
        [...Map.groupBy(holds, ({ id }) => owners.get(id) ?? '')].map(([order_id, own]) => [order_id, unitsOf(own)]),
      )
    },
  }
}

function unitsOf(holds: readonly StoredHold[]): { units: Map<string, number>; item_ids: number[] } {
  const units = new Map<string, number>()
  const rows = holds.flatMap(({ taken }) => taken)
  for (const row of rows) {
    const key = stockKey(row.item_id, row.location_id)
    units.set(key, (units.get(key) ?? 0) + row.units)
  }
  return { units, item_ids: [...new Set(rows.map((row) => row.item_id))] }
}

async function consume(tx: Tx, ctx: CoreContext, holds: readonly StoredHold[]): Promise<void> {
  const [first] = holds
  if (first === undefined) return
  const ids = holds.map(({ id }) => id)
  await tx.query(`update holds set state = 'consumed', changed_at = $2 where id = any($1::uuid[])`, [ids, ctx.now])
  await addToCounts(tx, holds, -1)
  const source = holds.length === 1 ? `hold:${first.id}` : `holds:${ctx.newId()}`
  const moves = movesOf(holds, {
    from: 'reserved',
    to: 'available',
    reason: 'hold_consumed',
    source,
    occurred_at: ctx.now,
  })
  await moveStock(tx, moves, ctx.now)
}

export type Bound =
  /** The order is awaited; its units stay with the hold until it comes. */
  | { kind: 'bound' }
  /** The order was there already and has taken the units over. */
  | { kind: 'consumed' }
  | { kind: 'over'; state: 'released' | 'expired' | 'consumed' }
  | { kind: 'other_order' }
  | { kind: 'not_found' }

/** Says which order of the channel takes a hold over. An order that came before takes it over at once. */
export async function bindHold(tx: Tx, ctx: CoreContext, id: string, order_external_id: string): Promise<Bound> {
  const [hold] = await loadHolds(tx, [id])
  if (hold === undefined) return { kind: 'not_found' }
  await takeTurn(tx, [policyOf(ctx, hold.connection_id).company_id], 'side_by_side')
  return touchOnce(tx, ctx.now, () => bind(tx, ctx, hold, order_external_id))
}

async function bind(tx: Tx, ctx: CoreContext, seen: StoredHold, external_id: string): Promise<Bound> {
  const key = { connection_id: seen.connection_id, external_id }
  const order = (await lockOrders(tx, [key])).get(orderKey(key))
  if (seen.order_external_id !== null && seen.order_external_id !== external_id) return { kind: 'other_order' }
  if (seen.state !== 'held')
    return seen.state === 'consumed' && seen.order_external_id === external_id
      ? { kind: 'consumed' }
      : { kind: 'over', state: seen.state }
  // What an order takes over is locked with its stock; a hold whose order is still to come is written by itself.
  if (order === undefined || order.content_sha256 === null) return bindAhead(tx, ctx, seen.id, external_id)
  const lines = await loadLines(tx, [order.id])
  const given = handOver(tx, ctx, [seen], new Map([[seen.id, order.id]]))
  const changed = {
    order,
    source: `hold:${seen.id}`,
    sold_before: soldByListing(order, lines),
    fresh: null,
    paid: false,
  }
  await settleOrders(tx, ctx, [changed], [], { hand_over: given })
  const [after] = await loadHolds(tx, [seen.id])
  if (after === undefined || after.state === 'held')
    throw new HubError('invariant_broken', 'an order did not take over the hold that was bound to it')
  if (after.state !== 'consumed') return { kind: 'over', state: after.state }
  await tx.query('update holds set order_external_id = $2 where id = $1', [seen.id, external_id])
  return { kind: 'consumed' }
}

async function bindAhead(tx: Tx, ctx: CoreContext, id: string, external_id: string): Promise<Bound> {
  const bound = await tx.query(
    `update holds set order_external_id = $2, changed_at = $3
     where id = $1 and state = 'held' and (order_external_id is null or order_external_id = $2) returning 1`,
    [id, external_id, ctx.now],
  )
  if (bound.length > 0) return { kind: 'bound' }
  const [now] = await loadHolds(tx, [id])
  if (now === undefined) return { kind: 'not_found' }
  return now.state === 'held' ? { kind: 'other_order' } : { kind: 'over', state: now.state }
}

/**
 * Holds whose order came in the very moment in which they were bound to it, so that neither saw the other. Returns their ids; each is
 * then bound once more.
 */
export async function findMissedBindings(
  tx: Tx,
  holds_max: number,
): Promise<{ id: string; order_external_id: string }[]> {
  return tx.query(
    `select h.id, h.order_external_id from holds h
     join orders o on o.connection_id = h.connection_id and o.external_id = h.order_external_id and o.content_sha256 is not null
     where h.state = 'held' and h.order_external_id is not null order by h.id limit $1`,
    [holds_max],
  )
}
