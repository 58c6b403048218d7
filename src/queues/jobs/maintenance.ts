import Type from 'typebox'
import { wakeMissed } from '../../core/inventory/wakeMissed.ts'
import { expireHolds } from '../../core/orders/expireHolds.ts'
import { prune } from '../../db/prune.ts'
import { inTransaction } from '../../db/transaction.ts'
import { coreContext } from '../context.ts'
import { defineJob } from '../define.ts'
import { newSweep, sweepOnce } from '../sweep.ts'
import { wakeAll, wakeDrain, wakePushes } from '../wake.ts'

/** What the in-process sweeper does every second, as a job that a person can start and watch. */
export const sweep = defineJob({
  name: 'sweep',
  queue: 'maintenance',
  data: Type.Object({}),
  timeout_ms: 60_000,
  concurrency: 1,
  run: async (hub) => (await sweepOnce(hub, newSweep())).sentence,
})

/** Rows that parked in the very moment in which their cause was fixed. */
export const wakeMissedRows = defineJob({
  name: 'wake_missed',
  queue: 'maintenance',
  data: Type.Object({}),
  timeout_ms: 60_000,
  concurrency: 1,
  run: async (hub) => {
    const woken = await inTransaction(hub.db, (tx) => wakeMissed(tx, hub.clock.now()))
    if (woken > 0) await wakeAll(hub, [...hub.connections.keys()].map(wakeDrain))
    return `${woken} parked row(s) found their cause fixed`
  },
})

const EXPIRE_ORDERS_MAX = 200
const EXPIRE_ROUNDS_MAX = 100

/** Gives back what was held for money that did not come, and tells the channels that it may be sold again. */
export const expire = defineJob({
  name: 'expire',
  queue: 'maintenance',
  data: Type.Object({}),
  timeout_ms: 60_000,
  concurrency: 1,
  run: async (hub, _data, reporter) => {
    let expired = 0
    for (let round = 0; round < EXPIRE_ROUNDS_MAX && !reporter.signal.aborted; round += 1) {
      const some = await inTransaction(hub.db, (tx) => expireHolds(tx, coreContext(hub), EXPIRE_ORDERS_MAX))
      expired += some
      if (some < EXPIRE_ORDERS_MAX) break
    }
    if (expired > 0) await wakePushes(hub)
    return `${expired} order(s) lost their hold`
  },
})

/** Keeps the attempt log and the sessions from growing for ever. */
export const pruneOld = defineJob({
  name: 'prune',
  queue: 'maintenance',
  data: Type.Object({}),
  timeout_ms: 60_000,
  concurrency: 1,
  run: async (hub) => {
    const { attempts, sessions } = await prune(hub.db, hub.clock.now())
    return `removed ${attempts} old attempt(s) and ${sessions} ended session(s)`
  },
})
