import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { RoutingPlan } from './rulesPlan.ts'

/** An order as far as routing rules may ask about it. */
export interface OrderToRoute {
  id: string
  connection_id: string
  serves_from: readonly string[]
  line_ids: readonly number[]
}

/** What the active rules say of these orders, by order id. An order that no rule fits is not in it. */
export async function loadPlans(
  _tx: Tx,
  _ctx: CoreContext,
  _orders: readonly OrderToRoute[],
): Promise<ReadonlyMap<string, RoutingPlan>> {
  return new Map()
}
