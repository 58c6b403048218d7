import type { Tx } from './pool.ts'

/** Every kind of effect the hub can have on the outside, and the capability of a connector that carries it out. */
export const EFFECTS = {
  'fulfillment.new': { capability: 'fulfillment', queue: 'fulfillment', attempts_max: 10 },
  'fulfillment.cancel': { capability: 'fulfillment', queue: 'fulfillment', attempts_max: 10 },
  'shipment.send': { capability: 'shipments', queue: 'shipment', attempts_max: 10 },
} as const
export type EffectKind = keyof typeof EFFECTS

export interface NewEffect {
  connection_id: string
  kind: EffectKind
  /** Business identity: `fulfillment.new:<fulfillment order number>`. The same effect can never be two rows. */
  key: string
  /** Ids only, read again when the effect is sent. */
  reference: Readonly<Record<string, string | number>>
  order_id: string | null
  not_before: Date
}

/** Written in the transaction that made the effect due. A key that exists already is left as it is. */
export async function addEffects(tx: Tx, effects: readonly NewEffect[], now: Date): Promise<void> {
  if (effects.length === 0) return
  await tx.query(
    `insert into outbox (connection_id, kind, key, reference, order_id, next_attempt_at, created_at)
     select e.connection_id, e.kind, e.key, e.reference, e.order_id, e.not_before, $2
     from jsonb_to_recordset($1::jsonb)
       as e(connection_id text, kind text, key text, reference jsonb, order_id uuid, not_before timestamptz)
     on conflict (key) do nothing`,
    [JSON.stringify(effects), now],
  )
}

/** Takes effects back that have not left yet. Returns the keys that were caught in time. */
export async function cancelEffects(tx: Tx, keys: readonly string[]): Promise<string[]> {
  if (keys.length === 0) return []
  const rows = await tx.query<{ key: string }>(
    `update outbox set state = 'cancelled' where key = any($1) and state = 'pending' and attempts = 0 returning key`,
    [keys],
  )
  return rows.map((row) => row.key)
}

/**
 * Locks these effects until the transaction ends and tells which exist: `waiting` ones have not left and cannot leave before the
 * commit, so what they will carry may still be changed; `left` ones have been handed to a worker at least once.
 */
export async function holdEffects(tx: Tx, keys: readonly string[]): Promise<Map<string, 'waiting' | 'left'>> {
  if (keys.length === 0) return new Map()
  const rows = await tx.query<{ key: string; waiting: boolean }>(
    `select key, state = 'pending' and attempts = 0 as waiting from outbox where key = any($1) order by key for no key update`,
    [keys],
  )
  return new Map(rows.map((row) => [row.key, row.waiting ? 'waiting' : 'left']))
}
