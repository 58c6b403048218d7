import type { Tx } from '../../db/pool.ts'

/** Places that have refused work of an order, by order id. */
export type Refusals = ReadonlyMap<string, ReadonlySet<string>>

/** The timeline is what remembers a refusal: the work itself is over, like any work that was called back in time. */
export async function loadRefusals(tx: Tx, order_ids: readonly string[]): Promise<Refusals> {
  if (order_ids.length === 0) return new Map()
  const rows = await tx.query<{ order_id: string; location_id: string }>(
    `select f.order_id, f.location_id from fulfillment_orders f
     join order_facts t on t.order_id = f.order_id and t.kind = 'fulfillment_order.rejected' and t.data ->> 'number' = f.number
     where f.order_id = any($1::uuid[]) and f.state = 'CANCELLED'`,
    [order_ids],
  )
  const byOrder = Map.groupBy(rows, (row) => row.order_id)
  return new Map([...byOrder].map(([order_id, own]) => [order_id, new Set(own.map((row) => row.location_id))]))
}

/** The places that may serve an order, best first, without those that have refused it. */
export function placesFor(refusals: Refusals, order_id: string, serves_from: readonly string[]): readonly string[] {
  const refused = refusals.get(order_id)
  return refused === undefined ? serves_from : serves_from.filter((location_id) => !refused.has(location_id))
}
