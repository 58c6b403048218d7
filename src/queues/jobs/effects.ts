import Type from 'typebox'
import { EFFECTS, type EffectKind } from '../../db/outbox.ts'
import { defineJob, type Job, type QueueName } from '../define.ts'
import { EFFECT_TIMEOUT_MS, runEffects } from '../effects.ts'

/** An ERP's workers are few, and what it is told must not take the processor from what buyers see. */
const CONCURRENCY: Readonly<Partial<Record<QueueName, number>>> = { erp: 2 }

/** What no buyer waits for in this second gives way to orders and to what the channels show of them. */
const PATIENCE_MS: Readonly<Partial<Record<QueueName, number>>> = { erp: 10_000, label: 2_000, partner: 2_000 }

/** One job literal for every kind of effect: what differs between them is in the table of effects and in the connector. */
export const effects: readonly Job[] = (Object.keys(EFFECTS) as EffectKind[]).map((kind) => {
  const { queue } = EFFECTS[kind]
  const patience_ms = PATIENCE_MS[queue] ?? 0
  return defineJob({
    name: kind,
    queue,
    data: Type.Object({ connection_id: Type.String(), batch_key: Type.String() }),
    timeout_ms: EFFECT_TIMEOUT_MS,
    concurrency: CONCURRENCY[queue] ?? 8,
    patience_ms: () => patience_ms,
    run: (hub, group, reporter) => runEffects(hub, group, reporter),
  })
})
