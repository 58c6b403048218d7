import { writeAudit } from '../../db/audit.ts'
import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import { internalConnectionId, type CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { touchOnce } from '../inventory/ledger.ts'
import { postcodeAreaOf } from '../orders/rulesPromise.ts'
import { settleOrders } from '../orders/settle.ts'
import { lockOrdersById, type StoredOrder } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { takeTurn } from '../turn.ts'
import { moveIncoming, type PutResult } from './put.ts'
import { settledState, withMissing, type SupplyUnits } from './rulesSupply.ts'
import {
  findSupply,
  insertSupply,
  lockSupply,
  placeOf,
  refuseTwice,
  resolveUnits,
  saveSupply,
  supplySource,
  type NamedUnits,
  type PlaceRow,
  type ResolvedUnits,
  type StoredSupply,
  type SupplyName,
} from './sql.ts'

/** Units that one of our places is to send to another. */
export interface TransferWish {
  reference: string
  from_location_id: string
  to_location_id: string
  expected_at: Date | null
  lines: readonly NamedUnits[]
}

/**
 * Makes a transfer: an order of our own that is served from the one place, and a supply at the other. Units that are not there now are
 * waited for, like those of any order. The same wish under the same reference is answered with the transfer that there is. Faults:
 * `unknown_location`, `unknown_sku`, `bad_request` (each with its path), `conflict` for the same reference with another wish.
 */
export async function createTransfer(tx: Tx, ctx: CoreContext, wish: TransferWish, by: string): Promise<PutResult> {
  const from = await placeOf(tx, wish.from_location_id, '$.from')
  const to = await placeOf(tx, wish.to_location_id, '$.to')
  if (from.id === to.id)
    throw new HubError('bad_request', 'a transfer has to go from one place to another', { path: '$.to' })
  if (from.company_id !== to.company_id)
    throw new HubError('bad_request', `${from.id} and ${to.id} belong to different companies`, { path: '$.to' })
  if (wish.lines.length === 0) throw new HubError('bad_request', 'name at least one line', { path: '$.lines' })
  refuseTwice(wish.lines)
  await takeTurn(tx, [from.company_id], 'side_by_side')
  return touchOnce(tx, ctx.now, () => create(tx, ctx, wish, { from, to, by }))
}

interface Route {
  from: PlaceRow
  to: PlaceRow
  by: string
}

async function create(tx: Tx, ctx: CoreContext, wish: TransferWish, { from, to, by }: Route): Promise<PutResult> {
  const { company_id } = from
  const lines = await resolveUnits(tx, company_id, wish.lines, 1)
  const order_id = await insertOrder(tx, ctx, wish, to)
  if (order_id === null) return known(tx, wish, lines, company_id)
  await insertLines(tx, order_id, lines)
  const id = ctx.newId()
  const { reference, expected_at, from_location_id, to_location_id: location_id } = wish
  const supply = {
    id,
    company_id,
    kind: 'transfer' as const,
    reference,
    location_id,
    expected_at,
    from_location_id,
    order_id,
  }
  if (!(await insertSupply(tx, supply, by, ctx.now)))
    throw new HubError('conflict', `the reference ${reference} is taken`, { path: '$.reference' })
  const stored = await lockSupply(tx, id)
  const none = { received_quantity: 0, shipped_quantity: 0, missing_quantity: 0 }
  await saveSupply(
    tx,
    { ...stored, lines: lines.map(({ item_id, quantity }) => ({ item_id, quantity, ...none })) },
    ctx.now,
  )
  await settle(tx, ctx, order_id, 'transfer.created', supplySource(id))
  await writeAudit(tx, {
    at: ctx.now,
    actor: by,
    action: 'transfer.create',
    subject: supplySource(id),
    data: { reference, from: from.id, to: to.id, lines: wish.lines },
  })
  return { id, outcome: 'created' }
}

/** Null when the reference is taken; whoever takes it at the same moment is waited for. */
async function insertOrder(tx: Tx, ctx: CoreContext, wish: TransferWish, to: PlaceRow): Promise<string | null> {
  const [row] = await tx.query<{ id: string }>(
    `insert into orders (id, company_id, connection_id, external_id, number, version_updated_at, version_observed_at, picture_lifecycle,
       picture_payment_state, placed_at, lifecycle, payment_state, ship_country, ship_postcode_area, kind, received_at, changed_at)
     values ($1, $2, $3, $4, $4, $5, $5, 'open', 'paid', $5, 'open', 'paid', $6, $7, 'transfer', $5, $5)
     on conflict (connection_id, external_id) do nothing returning id`,
    [
      ctx.newId(),
      to.company_id,
      internalConnectionId(to.company_id),
      wish.reference,
      ctx.now,
      to.country,
      postcodeAreaOf(to.postcode),
    ],
  )
  return row?.id ?? null
}

async function insertLines(tx: Tx, order_id: string, lines: readonly ResolvedUnits[]): Promise<void> {
  await tx.query(
    `insert into order_lines (order_id, external_id, channel_sku, quantity, unit_price_minor, discount_minor, tax_minor, total_minor)
     select $1, n.sku, n.sku, n.quantity, 0, 0, 0, 0 from unnest($2::text[], $3::int[]) as n(sku, quantity)`,
    [order_id, ...columns(lines, ['sku', 'quantity'])],
  )
}

async function known(
  tx: Tx,
  wish: TransferWish,
  lines: readonly ResolvedUnits[],
  company_id: string,
): Promise<PutResult> {
  const found = await findSupply(tx, { company_id, kind: 'transfer', reference: wish.reference })
  const supply = await lockSupply(tx, found.id)
  const units = new Map(supply.lines.map((line) => [line.item_id, line.quantity]))
  const isSame =
    supply.location_id === wish.to_location_id &&
    supply.from_location_id === wish.from_location_id &&
    supply.expected_at?.getTime() === wish.expected_at?.getTime() &&
    units.size === lines.length &&
    lines.every((line) => units.get(line.item_id) === line.quantity)
  if (!isSame)
    throw new HubError('conflict', `there is another transfer ${wish.reference}`, {
      path: '$.reference',
      hint: 'a transfer is not changed: cancel it and make another',
    })
  return { id: supply.id, outcome: 'same' }
}

/** Brings the transfer's order in line with what it wants now. */
async function settle(tx: Tx, ctx: CoreContext, order_id: string, kind: string, source: string): Promise<void> {
  const orders = await lockOrdersById(tx, [order_id])
  await settleOrders(
    tx,
    ctx,
    orders.map((order) => ({ order, source, sold_before: new Map(), fresh: null, paid: false })),
    [{ order_id, kind, at: ctx.now, source, data: {} }],
  )
}

/**
 * Ends a transfer as far as it has not left: units go back to the shelf, work that was sent is asked back. What is on its way still has
 * to be received. Cancelling it again changes nothing. Faults: `not_found`, `bad_request` for a purchase, `conflict` when all has left.
 */
export async function cancelTransfer(tx: Tx, ctx: CoreContext, name: SupplyName, by: string): Promise<PutResult> {
  const { id, company_id, kind, order_id } = await findSupply(tx, name)
  if (kind !== 'transfer' || order_id === null)
    throw new HubError('bad_request', 'this is a purchase', { hint: 'cancel it as a purchase' })
  await takeTurn(tx, [company_id], 'side_by_side')
  return touchOnce(tx, ctx.now, async (): Promise<PutResult> => {
    const [order] = await lockOrdersById(tx, [order_id])
    const supply = await lockSupply(tx, id)
    if (order === undefined || order.lifecycle === 'cancelled') return { id, outcome: 'same' }
    if (supply.lines.every((line) => line.shipped_quantity >= line.quantity)) {
      throw new HubError('conflict', `${supply.reference} has left whole; there is nothing left to cancel`, {
        hint: 'receive it; close it if something of it does not come',
      })
    }
    await endOrder(tx, ctx, order, supplySource(id))
    await saveSupply(tx, { ...supply, state: settledState(supply, 'leaves_no_more') }, ctx.now)
    await writeAudit(tx, { at: ctx.now, actor: by, action: 'transfer.cancel', subject: supplySource(id) })
    return { id, outcome: 'changed' }
  })
}

/** Nothing more leaves. What it has shipped stays shipped. */
async function endOrder(tx: Tx, ctx: CoreContext, order: StoredOrder, source: string): Promise<void> {
  await tx.query(
    `update orders set lifecycle = 'cancelled', picture_lifecycle = 'cancelled', cancelled_at = coalesce(cancelled_at, $2), changed_at = $2
     where id = $1`,
    [order.id, ctx.now],
  )
  await settle(tx, ctx, order.id, 'order.cancelled', source)
}

/**
 * Somebody says that nothing more of a transfer will come: what has not left stays where it is, what is under way is given up, and a
 * difference between what left and what came is a case for people. The caller has the company to itself, has locked the order and the
 * supply, and writes what is returned.
 */
export async function closeTransfer(tx: Tx, ctx: CoreContext, supply: StoredSupply, by: string): Promise<StoredSupply> {
  const [order] = supply.order_id === null ? [] : await lockOrdersById(tx, [supply.order_id])
  const isLeaving = supply.lines.some((line) => line.shipped_quantity < line.quantity)
  if (order !== undefined && order.lifecycle === 'open' && isLeaving)
    await endOrder(tx, ctx, order, supplySource(supply.id))
  const closed = withMissing(supply)
  await moveIncoming(tx, ctx, supply, { before: supply, after: closed, reason: 'transfer_difference' })
  const after = { ...closed, state: settledState(closed, 'leaves_no_more') }
  const differing = after.lines.filter((line) => line.shipped_quantity !== line.received_quantity)
  if (differing.length > 0) await openCase(tx, ctx, supply, { differing, by })
  return after
}

async function openCase(
  tx: Tx,
  ctx: CoreContext,
  supply: StoredSupply,
  { differing, by }: { differing: readonly SupplyUnits[]; by: string },
): Promise<void> {
  const lines = await tx.query(
    `select i.sku, n.shipped, n.received from unnest($1::bigint[], $2::int[], $3::int[]) as n(item_id, shipped, received)
     join items i on i.id = n.item_id order by i.sku`,
    columns(differing, ['item_id', 'shipped_quantity', 'received_quantity']),
  )
  const { reference, from_location_id: from, location_id: to } = supply
  await tx.query(
    `insert into cases (company_id, kind, subject, data, opened_at, seen_at) values ($1, 'transfer_difference', $2, $3::jsonb, $4, $4)
     on conflict (kind, subject) where state = 'open' do update set times = cases.times + 1, seen_at = excluded.seen_at, data = excluded.data`,
    [
      supply.company_id,
      supplySource(supply.id),
      JSON.stringify({ reference, from, to, lines, closed_by: by }),
      ctx.now,
    ],
  )
  if (supply.order_id === null) return
  const fact = { order_id: supply.order_id, kind: 'transfer.difference', at: ctx.now, source: supplySource(supply.id) }
  await recordTimeline(tx, [{ ...fact, data: { lines } }], ctx.now)
}
