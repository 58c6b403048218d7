import type { Tx } from './pool.ts'

/** Every kind of effect the hub can have on the outside, and the capability of a connector that carries it out. */
export const EFFECTS = {
  'fulfillment.new': { capability: 'fulfillment', queue: 'fulfillment', attempts_max: 10 },
  'fulfillment.cancel': { capability: 'fulfillment', queue: 'fulfillment', attempts_max: 10 },
  'shipment.send': { capability: 'shipments', queue: 'shipment', attempts_max: 10 },
  'label.rates': { capability: 'rates', queue: 'label', attempts_max: 10 },
  'label.buy': { capability: 'labels', queue: 'label', attempts_max: 10 },
  'label.void': { capability: 'labels', queue: 'label', attempts_max: 10 },
  'supply.announce': { capability: 'announcements', queue: 'partner', attempts_max: 10 },
  'order.answer': { capability: 'orderAnswers', queue: 'partner', attempts_max: 10 },
  'invoice.send': { capability: 'invoices', queue: 'partner', attempts_max: 10 },
  'erp.order': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.cancellation': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.delivery': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.return': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.invoice': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.credit': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.journal': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.bank_statement': { capability: 'erp', queue: 'erp', attempts_max: 20 },
  'erp.stock': { capability: 'erp', queue: 'erp', attempts_max: 20 },
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
     select e.*, $7 from unnest($1::text[], $2::text[], $3::text[], $4::jsonb[], $5::uuid[], $6::timestamptz[]) as e
     on conflict (key) do nothing`,
    [
      effects.map((effect) => effect.connection_id),
      effects.map((effect) => effect.kind),
      effects.map((effect) => effect.key),
      effects.map((effect) => JSON.stringify(effect.reference)),
      effects.map((effect) => effect.order_id),
      effects.map((effect) => effect.not_before.toISOString()),
      now,
    ],
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

/** Effects that were given up for good are due again under their old keys, because somebody has decided otherwise. */
export async function reviveEffects(tx: Tx, keys: readonly string[], now: Date): Promise<void> {
  await tx.query(
    `update outbox set state = 'pending', attempts = 0, next_attempt_at = $2, created_at = $2, error_code = null, error_detail = null
     where key = any($1) and state = 'cancelled'`,
    [keys, now],
  )
}
