import { applyFacts } from '../../src/core/apply.ts'
import type { InboundFact } from '../../src/core/context.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { coreContext } from '../../src/queues/context.ts'
import type { BenchOrder } from './orders.ts'
import { LOCATION, STORE, WAREHOUSE } from './shop.ts'

/** What the drain takes at most at once is 400; the bench stays a little below, so that there is always a next batch. */
const BATCH = 250

/** Orders in batches, mapped as the drain maps them, before the clock starts. */
export function orderBatches(hub: Hub, orders: readonly BenchOrder[]): InboundFact[][] {
  const mapping = hub.connections.get(STORE)?.connector.inbound['order']
  if (mapping === undefined) throw new Error('the storefront maps no orders')
  const context = { observed_at: new Date().toISOString(), settings: {} }
  const facts = orders.flatMap((order) =>
    mapping
      .map(JSON.parse(order.body.toString('utf8')), context)
      .facts.map((fact): InboundFact => ({ connection_id: STORE, source: `inbox:${order.id}`, fact })),
  )
  return Array.from({ length: Math.ceil(facts.length / BATCH) }, (_, index) =>
    facts.slice(index * BATCH, (index + 1) * BATCH),
  )
}

/** Through the core, each batch in a transaction of its own, so many of them at once. */
export async function applyBatches(hub: Hub, batches: readonly InboundFact[][], lanes: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      const facts = batch
      await inTransaction(hub.db, (tx) => applyFacts(tx, coreContext(hub), facts))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

/** The warehouse counts an item: from now on there are so many units of it. */
export async function countItem(hub: Hub, sku: string, on_hand: number): Promise<void> {
  const ctx = coreContext(hub)
  const lines = [{ sku, on_hand, damaged: 0, quality_control: 0 }]
  const document = { external_id: `count-${sku}`, location_code: LOCATION, as_of: ctx.now.toISOString(), lines }
  const count: InboundFact = { connection_id: WAREHOUSE, source: 'bench', fact: { kind: 'stock_count', document } }
  await inTransaction(hub.db, (tx) => applyFacts(tx, ctx, [count]))
}
