import Type from 'typebox'
import { EFFECTS, type EffectKind } from '../../db/outbox.ts'
import { defineJob, type Job, type QueueName } from '../define.ts'
import { EFFECT_TIMEOUT_MS, runEffects } from '../effects.ts'

/** An ERP's workers are few, and what it is told must not take the processor from what buyers see. */
const CONCURRENCY: Readonly<Partial<Record<QueueName, number>>> = { erp: 2 }

/** One job literal for every kind of effect: what differs between them is in the table of effects and in the connector. */
export const effects: readonly Job[] = (Object.keys(EFFECTS) as EffectKind[]).map((kind) =>
  defineJob({
    name: kind,
    queue: EFFECTS[kind].queue,
    data: Type.Object({ connection_id: Type.String(), batch_key: Type.String() }),
    timeout_ms: EFFECT_TIMEOUT_MS,
    concurrency: CONCURRENCY[EFFECTS[kind].queue] ?? 8,
    run: (hub, group, reporter) => runEffects(hub, group, reporter),
  }),
)
