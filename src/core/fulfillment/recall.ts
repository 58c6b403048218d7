import { addEffects, cancelEffects } from '../../db/outbox.ts'
import type { Tx } from '../../db/pool.ts'
import type { CoreContext, InboundFact } from '../context.ts'
import type { FulfillmentOrderRow } from './shipments.ts'
import { cancelKey, newKey } from './work.ts'

/** Somebody else than the place's own system speaks of the work: a person, whose word counts for more. */
export const isByHand = ({ connection_id }: InboundFact, work: Pick<FulfillmentOrderRow, 'carrier_id'>): boolean =>
  work.carrier_id !== connection_id

/**
 * Keeps work that a person has taken in hand from leaving as well. What has left by then is the matter of whoever calls: the system
 * there may be the very one whose word the person passes on. Returns whether it has.
 */
export async function keepFromLeaving(tx: Tx, work: FulfillmentOrderRow): Promise<'kept' | 'left'> {
  if (work.carrier_id === null) return 'kept'
  const [effect] = await tx.query<{ state: string; attempts: number }>(
    'select state, attempts from outbox where key = $1 for no key update',
    [newKey(work.number)],
  )
  if (effect === undefined) return 'kept'
  if (effect.attempts > 0 || !['pending', 'cancelled'].includes(effect.state)) return 'left'
  await cancelEffects(tx, [newKey(work.number)])
  return 'kept'
}

/** Work that a person has ended although the place's own system may have it: it never leaves, or is asked back. */
export async function recallFrom(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  work: FulfillmentOrderRow,
): Promise<void> {
  const { carrier_id, order_id, number, id } = work
  if (carrier_id === null || !isByHand(inbound, work)) return
  if ((await keepFromLeaving(tx, work)) === 'kept') return
  if (ctx.policies.get(carrier_id)?.takes_fulfillment_orders !== true) return
  const reference = { fulfillment_order_id: id }
  const effect = { connection_id: carrier_id, kind: 'fulfillment.cancel' as const, key: cancelKey(number) }
  await addEffects(tx, [{ ...effect, reference, order_id, not_before: ctx.now }], ctx.now)
}
