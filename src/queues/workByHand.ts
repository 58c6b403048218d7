import { sayByHand, type HandDone, type Word } from '../core/fulfillment/byHand.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { relayDue } from './relay.ts'
import { wakePushes } from './wake.ts'

/** A person's word about work, and what hangs on it: the channel hears of a shipment, other places of new work. Faults: see `sayByHand`. */
export async function workByHand(hub: Hub, said: { number: string; actor: string; word: Word }): Promise<HandDone> {
  const ctx = coreContext(hub)
  const done = await inTransaction(hub.db, (tx) => sayByHand(tx, ctx, said))
  if (done.outcome === 'unchanged') return done
  try {
    await relayDue(hub)
    await wakePushes(hub)
  } catch (thrown) {
    hub.log.warn({ reason: String(thrown) }, 'channels and effects were not woken; the sweeper will do it')
  }
  return done
}
