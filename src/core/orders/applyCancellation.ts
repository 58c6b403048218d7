import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { policyOf } from '../inventory/reserve.ts'
import { lifecycleOf } from './rules.ts'
import { settleOrders, soldByListing } from './settle.ts'
import { loadLines, lockOrders, type StoredOrder } from './sql.ts'
import { recordTimeline, type TimelineFact } from './timeline.ts'
import { tombstoneOf } from './pictures.ts'

/**
 * A bare word that an order is gone. It may come before the order: then the row waits with no details, and a picture that is older
 * than the cancellation is kept but reserves nothing. A picture that is newer brings the order back.
 */
export async function applyCancellation(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  if (inbound.fact.kind !== 'cancellation') return { kind: 'ignored', reason: 'not_ours' }
  const { external_id, version } = inbound.fact.document
  const key = { connection_id: inbound.connection_id, external_id }
  const { company_id } = policyOf(ctx, inbound.connection_id)
  // Made first, so that two transactions that hear of the same order agree on one row.
  const made = await tx.query<{ id: string }>(
    `insert into orders (id, company_id, connection_id, external_id, version_updated_at, version_observed_at, tombstone_updated_at,
       tombstone_observed_at, lifecycle, reservation_state, cancelled_at, received_at, changed_at)
     values ($1, $2, $3, $4, $5, $6, $5, $6, 'cancelled', 'released', $5, $7, $7)
     on conflict (connection_id, external_id) do nothing returning id`,
    [ctx.newId(), company_id, inbound.connection_id, external_id, version.updated_at, version.observed_at, ctx.now],
  )
  const at = new Date(version.updated_at)
  const fact = (order_id: string): TimelineFact => ({
    order_id,
    kind: 'order.cancelled',
    at,
    source: inbound.source,
    data: {},
  })
  const [fresh] = made
  if (fresh !== undefined) {
    await recordTimeline(tx, [fact(fresh.id)], ctx.now)
    return { kind: 'applied', summary: `order ${external_id}: cancelled before it came` }
  }
  const [order] = (await lockOrders(tx, [key])).values()
  if (order === undefined) return { kind: 'ignored', reason: 'older' }
  const before = tombstoneOf(order)
  const arriving = { updated_at_ms: at.getTime(), observed_at_ms: Date.parse(version.observed_at) }
  const newer =
    before === null || arriving.updated_at_ms - before.updated_at_ms || arriving.observed_at_ms - before.observed_at_ms
  if (newer !== true && newer <= 0) return { kind: 'ignored', reason: newer === 0 ? 'same' : 'older' }
  return entomb(tx, ctx, inbound, { order, fact: fact(order.id), version })
}

interface Tombstone {
  order: StoredOrder
  fact: TimelineFact
  version: { updated_at: string; observed_at: string }
}

async function entomb(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  { order, fact, version }: Tombstone,
): Promise<FactOutcome> {
  const lines = await loadLines(tx, [order.id])
  const after: StoredOrder = {
    ...order,
    tombstone_updated_at: new Date(version.updated_at),
    tombstone_observed_at: new Date(version.observed_at),
  }
  const lifecycle = lifecycleOf(pictureOf(order), tombstoneOf(after))
  await tx.query(
    `update orders set tombstone_updated_at = $2, tombstone_observed_at = $3, lifecycle = $4, changed_at = $5,
       cancelled_at = case when $4 = 'cancelled' then coalesce(cancelled_at, $2) else cancelled_at end
     where id = $1`,
    [order.id, version.updated_at, version.observed_at, lifecycle, ctx.now],
  )
  if (lifecycle === order.lifecycle) return { kind: 'ignored', reason: lifecycle === 'cancelled' ? 'same' : 'older' }
  const changed = {
    order: { ...after, lifecycle },
    source: inbound.source,
    sold_before: soldByListing(order, lines),
    fresh: null,
    paid: true,
  }
  await settleOrders(tx, ctx, [changed], [fact])
  return { kind: 'applied', summary: `order ${order.number ?? order.external_id}: cancelled` }
}

function pictureOf(order: StoredOrder): Parameters<typeof lifecycleOf>[0] {
  if (order.picture_lifecycle === null) return null
  return {
    lifecycle: order.picture_lifecycle,
    updated_at_ms: order.version_updated_at.getTime(),
    observed_at_ms: order.version_observed_at.getTime(),
  }
}
