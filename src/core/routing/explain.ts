import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { loadRefusals, placesFor } from '../fulfillment/refusals.ts'
import { withLastResort } from '../inventory/modes.ts'
import { policyOf, toRoute } from '../inventory/reserve.ts'
import { stockKey, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'
import { loadComponents } from '../orders/resolve.ts'
import { loadLines, type StoredLine } from '../orders/sql.ts'
import { activeRules } from './active.ts'
import { planOrders } from './load.ts'
import { placeOrder } from './rulesPlace.ts'
import type { PlacementReasons } from './rulesPlan.ts'
import { showRules } from './versions.ts'

/** What rules would do with an order now, as if nothing of it were reserved yet. */
export interface RoutingExplained extends Omit<PlacementReasons, 'version'> {
  order_id: string
  order_number: string | null
  connection_id: string
  /** Of the rules; null: none holds for the order, and its connection's own ranking decides. */
  version: number | null
  lines: { line_id: number; channel_sku: string; location_id: string | null; units: number }[]
}

interface OrderRow {
  id: string
  number: string | null
  connection_id: string
  lifecycle: string
  ship_by: Date | null
  kind: string
}

/**
 * Asks the active rules (or another version) about one order and the stock there is, its own promises included. Nothing is written or
 * locked. Faults: `not_found` for an order or a version that does not exist, `unsupported` for an order that takes no stock any more.
 */
export async function explainRouting(
  tx: Tx,
  ctx: CoreContext,
  { order_id, version }: { order_id: string; version?: number | undefined },
): Promise<RoutingExplained> {
  const [order] = await tx.query<OrderRow>(
    'select id, number, connection_id, lifecycle, ship_by, kind from orders where id = $1',
    [order_id],
  )
  if (order === undefined) throw new HubError('not_found', 'there is no such order')
  const stored = await loadLines(tx, [order_id])
  const demand = await demandNow(tx, ctx, order, stored)
  if (demand.lines.length === 0) throw new HubError('unsupported', 'nothing of this order is to be sent any more')
  const { company_id } = policyOf(ctx, order.connection_id)
  const rules =
    version === undefined
      ? await activeRules(tx, ctx)
      : new Map([[company_id, { version, rules: (await showRules(tx, company_id, version)).rules }]])
  const plans = await planOrders(tx, ctx, [toRoute(demand, order.connection_id)], rules)
  const left = await loadLeft(tx, demand)
  const placed = placeOrder(left, { ...demand, plan: plans.get(order_id) ?? null })
  const skus = new Map(stored.map((line) => [line.id, line.channel_sku]))
  const chosen = [...new Set(placed.allocations.flatMap((one) => one.location_id ?? []))]
  return {
    order_id,
    order_number: order.number,
    connection_id: order.connection_id,
    ...(placed.reasons ?? {
      version: null,
      rule: 'own ranking',
      outcome: 'no rule speaks of this order',
      chosen,
      considered: [],
      passed_over: [],
    }),
    lines: placed.allocations.map(({ line, location_id, units }) => {
      return { line_id: line.line_id, channel_sku: skus.get(line.line_id) ?? '', location_id, units }
    }),
  }
}

async function demandNow(
  tx: Tx,
  ctx: CoreContext,
  order: OrderRow,
  stored: readonly StoredLine[],
): Promise<OrderDemand> {
  const policy = policyOf(ctx, order.connection_id)
  const components = await loadComponents(
    tx,
    stored.flatMap((line) => line.listing_id ?? []),
  )
  const lines = stored.flatMap((line): LineDemand[] => {
    const units = line.quantity - line.cancelled_quantity - line.shipped_quantity
    const own = line.listing_id === null ? undefined : components.get(line.listing_id)
    const isWanted = order.lifecycle === 'open' && line.requires_shipping && units > 0
    return isWanted && own !== undefined ? [{ line_id: line.id, units, components: own }] : []
  })
  const demand: OrderDemand = {
    order_id: order.id,
    priority: policy.priority,
    placed_at_ms: 0,
    serves_from: placesFor(await loadRefusals(tx, [order.id]), order.id, policy.serves_from),
    last_resort: policy.last_resort,
    shortfall: policy.shortfall,
    ship_by_ms: order.ship_by?.getTime() ?? null,
    plan: null,
    lines,
  }
  const [marked] = await withLastResort(tx, ctx, () => order.connection_id, [demand])
  return marked ?? demand
}

/** What is free, and what the order itself has been promised and not been sent. */
async function loadLeft(tx: Tx, { order_id, serves_from, lines }: OrderDemand): Promise<Map<string, number>> {
  const items = [...new Set(lines.flatMap(({ components }) => components.map(({ item_id }) => item_id)))]
  const rows = await tx.query<{ item_id: number; location_id: string; units: number }>(
    `select s.item_id, s.location_id, (s.available + coalesce((select sum(r.quantity) from reservations r
       where r.order_id = $3 and r.item_id = s.item_id and r.location_id = s.location_id and r.state in ('held', 'committed')), 0))::int as units
     from stock s where s.item_id = any($1::bigint[]) and s.location_id = any($2::text[])`,
    [items, serves_from, order_id],
  )
  return new Map(rows.map((row) => [stockKey(row.item_id, row.location_id), row.units]))
}
