import type { Tx } from '../../db/pool.ts'
import { effectiveRule, type BackorderMode } from '../availability/rulesStock.ts'
import { loadStockRules, type StockRule } from '../availability/stockRules.ts'
import type { CoreContext } from '../context.ts'
import type { OrderDemand } from './rulesDemand.ts'

/** What is done for an item that a channel sells and no place has. */
export type ModeOf = (order_id: string, item_id: number) => BackorderMode

/** The connection that an order came from, by order id. */
export type ConnectionOf = (order_id: string) => string | undefined

/**
 * The modes of these items by the company's stock rules; where none speaks, the connection's own choice: an order policy of `backorder`
 * lets everything wait, any other nothing. One statement, so it is asked only where something is missing or may be drop-shipped.
 */
export async function loadModes(
  tx: Tx,
  ctx: CoreContext,
  connectionOf: ConnectionOf,
  wanted: { order_ids: readonly string[]; item_ids: readonly number[] },
): Promise<ModeOf> {
  const policies = wanted.order_ids.flatMap((order_id) => ctx.policies.get(connectionOf(order_id) ?? '') ?? [])
  const company_ids = [...new Set(policies.map((policy) => policy.company_id))]
  const rules: readonly StockRule[] =
    wanted.item_ids.length === 0 || company_ids.length === 0
      ? []
      : await loadStockRules(tx, { company_ids, item_ids: [...new Set(wanted.item_ids)] })
  const known = new Map<string, BackorderMode>()
  return (order_id, item_id) => {
    const policy = ctx.policies.get(connectionOf(order_id) ?? '')
    if (policy === undefined) return 'deny'
    const { company_id, connection_id } = policy
    const key = `${connection_id}@${item_id}`
    const mode =
      known.get(key) ??
      effectiveRule(rules, { company_id, connection_id, item_id, location_id: null }).backorder ??
      (policy.shortfall === 'backorder' ? 'backorder' : 'deny')
    known.set(key, mode)
    return mode
  }
}

/**
 * Marks the lines that the places of last resort may serve: those whose every item may be drop-shipped. Asks nothing of the database
 * where no channel has such a place.
 */
export async function withLastResort(
  tx: Tx,
  ctx: CoreContext,
  connectionOf: ConnectionOf,
  demands: readonly OrderDemand[],
): Promise<readonly OrderDemand[]> {
  const asked = demands.filter((order) => order.last_resort.length > 0)
  if (asked.length === 0) return demands
  const modeOf = await loadModes(tx, ctx, connectionOf, {
    order_ids: asked.map((order) => order.order_id),
    item_ids: itemsOf(asked),
  })
  return demands.map((order) => {
    if (order.last_resort.length === 0) return order
    const lines = order.lines.map((line) => {
      const dropShips = line.components.every(({ item_id }) => modeOf(order.order_id, item_id) === 'drop_ship')
      return dropShips ? { ...line, last_resort: true } : line
    })
    return { ...order, lines }
  })
}

/** The items that demands ask for. */
export function itemsOf(demands: readonly Pick<OrderDemand, 'lines'>[]): number[] {
  return [
    ...new Set(demands.flatMap(({ lines }) => lines.flatMap((line) => line.components.map(({ item_id }) => item_id)))),
  ]
}
