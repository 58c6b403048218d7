import { allocateWaiting } from '../../core/inventory/allocate.ts'
import { expireCartHolds, pruneHolds } from '../../core/holds/end.ts'
import { bindHold, findMissedBindings } from '../../core/holds/handOver.ts'
import { quarantineExpired } from '../../core/inventory/expiredLots.ts'
import { wakeMissed } from '../../core/inventory/wakeMissed.ts'
import { expireHolds } from '../../core/orders/expireHolds.ts'
import { backfillByTransfer } from '../../core/supply/backfill.ts'
import { prune } from '../../db/prune.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../context.ts'
import { newSweep, sweepOnce } from '../sweep.ts'
import { wakeAll, wakeDrain, wakePushes } from '../wake.ts'
import { upkeep } from './upkeep.ts'

/** What the in-process sweeper does every second, as a job that a person can start and watch. */
export const sweep = upkeep({
  name: 'sweep',
  run: async (hub) => (await sweepOnce(hub, newSweep())).sentence,
})

/** Rows that parked in the very moment in which their cause was fixed. */
export const wakeMissedRows = upkeep({
  name: 'wake_missed',
  run: async (hub) => {
    const woken = await inTransaction(hub.db, (tx) => wakeMissed(tx, hub.clock.now()))
    if (woken > 0) await wakeAll(hub, [...hub.connections.keys()].map(wakeDrain))
    return `${woken} parked row(s) found their cause fixed`
  },
})

const EXPIRE_ORDERS_MAX = 200
const EXPIRE_ROUNDS_MAX = 100

/** Gives back what was held for money that did not come, and tells the channels that it may be sold again. */
export const expire = upkeep({
  name: 'expire',
  run: async (hub, _data, reporter) => {
    let expired = 0
    for (let round = 0; round < EXPIRE_ROUNDS_MAX && !reporter.signal.aborted; round += 1) {
      const some = await inTransaction(hub.db, (tx) => expireHolds(tx, coreContext(hub), EXPIRE_ORDERS_MAX))
      expired += some
      if (some < EXPIRE_ORDERS_MAX) break
    }
    const carts = await expireCarts(hub, reporter.signal)
    if (expired + carts > 0) await wakePushes(hub)
    return `${expired} order(s) lost their hold, ${carts} cart hold(s) are over`
  },
})

const WAITING_ORDERS_MAX = 500

/** Serves orders that were passed over when their units came, because somebody had them in hand. */
export const allocateWaitingOrders = upkeep({
  name: 'allocate_waiting',
  run: async (hub) => {
    const served = await inTransaction(hub.db, (tx) => allocateWaiting(tx, coreContext(hub), WAITING_ORDERS_MAX))
    if (served > 0) await wakePushes(hub)
    return `${served} waiting order(s) were served`
  },
})

const EXPIRE_CARTS_MAX = 1_000

/** Hands over what an order took over unseen, before its time is over; then gives back what nobody bought. */
async function expireCarts(hub: Hub, signal: AbortSignal): Promise<number> {
  const missed = await inTransaction(hub.db, (tx) => findMissedBindings(tx, EXPIRE_CARTS_MAX))
  for (const { id, order_external_id } of missed)
    await inTransaction(hub.db, (tx) => bindHold(tx, coreContext(hub), id, order_external_id))
  let expired = 0
  for (let round = 0; round < EXPIRE_ROUNDS_MAX && !signal.aborted; round += 1) {
    const some = await inTransaction(hub.db, (tx) => expireCartHolds(tx, coreContext(hub), EXPIRE_CARTS_MAX))
    expired += some
    if (some < EXPIRE_CARTS_MAX) break
  }
  return expired + missed.length
}

const PRUNE_HOLDS_MAX = 20_000

const EXPIRED_PLACES_MAX = 500

/** Takes units whose lots are too old out of sale, and tells the channels. */
export const expiredLots = upkeep({
  name: 'expired_lots',
  run: async (hub) => {
    const { units } = await inTransaction(hub.db, (tx) => quarantineExpired(tx, coreContext(hub), EXPIRED_PLACES_MAX))
    if (units > 0) await wakePushes(hub)
    return `${units} unit(s) of old lots left sale`
  },
})

/** Keeps the attempt log and the sessions from growing for ever. */
export const pruneOld = upkeep({
  name: 'prune',
  run: async (hub) => {
    const { attempts, sessions, publications, cases } = await prune(hub.db, hub.clock.now())
    const holds = await inTransaction(hub.db, (tx) => pruneHolds(tx, hub.clock.now(), PRUNE_HOLDS_MAX))
    return `removed ${attempts} old attempt(s), ${publications} publication(s), ${cases} resolved case(s), ${sessions} ended session(s) and ${holds} old cart hold(s)`
  },
})

const BACKFILL_TRANSFERS_MAX = 100

/** Has units brought from places that do not serve a channel, for orders that were told so. */
export const backfill = upkeep({
  name: 'backfill',
  run: async (hub) => {
    const made = await inTransaction(hub.db, (tx) => backfillByTransfer(tx, coreContext(hub), BACKFILL_TRANSFERS_MAX))
    if (made > 0) await wakePushes(hub)
    return `made ${made} transfer(s) for orders that wait`
  },
})
