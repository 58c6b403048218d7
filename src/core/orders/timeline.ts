import type { Tx } from '../../db/pool.ts'

/** One line of an order's history. `data` holds ids and numbers, never anything about a person. */
export interface TimelineFact {
  order_id: string
  kind: string
  at: Date
  source: string
  data: Readonly<Record<string, unknown>>
}

/** Appends to the histories of any number of orders. */
export async function recordTimeline(tx: Tx, facts: readonly TimelineFact[], now: Date): Promise<void> {
  if (facts.length === 0) return
  await tx.query(
    `insert into order_facts (order_id, kind, at, recorded_at, source, data)
     select f.order_id, f.kind, f.at, $6, f.source, f.data
     from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::jsonb[]) as f(order_id, kind, at, source, data)`,
    [
      facts.map((fact) => fact.order_id),
      facts.map((fact) => fact.kind),
      facts.map((fact) => fact.at.toISOString()),
      facts.map((fact) => fact.source),
      facts.map((fact) => JSON.stringify(fact.data)),
      now,
    ],
  )
}
