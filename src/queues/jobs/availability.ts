import Type from 'typebox'
import { judgeSources } from '../../core/availability/distrust.ts'
import { measureRisk } from '../../core/availability/measure.ts'
import { reassertStale } from '../../core/availability/proofs.ts'
import { inTransaction } from '../../db/transaction.ts'
import { coreContext } from '../context.ts'
import { defineJob } from '../define.ts'
import { PUSH_TIMEOUT_MS, pushAvailability } from '../push.ts'
import { readBackSample } from '../readBack.ts'
import { connectionsToPush, wakeAll, wakePush, wakePushes } from '../wake.ts'
import { upkeep } from './upkeep.ts'

/** Tells one channel what may be sold. */
export const availability = defineJob({
  name: 'push',
  queue: 'availability',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: PUSH_TIMEOUT_MS,
  concurrency: 16,
  run: (hub, { connection_id }, reporter) => pushAvailability(hub, connection_id, reporter),
  after: async (hub, { connection_id }) => {
    const due = await connectionsToPush(hub.db, [connection_id], hub.clock.now())
    await wakeAll(hub, due.filter((id) => hub.connections.get(id)?.config.availability.push === true).map(wakePush))
  },
})

/** Asks one channel what it shows of a few listings. */
export const readBack = defineJob({
  name: 'read_back',
  queue: 'availability',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: PUSH_TIMEOUT_MS,
  concurrency: 16,
  run: (hub, { connection_id }) => readBackSample(hub, connection_id),
})

/** Which places have fallen silent, and which speak again. */
export const trust = upkeep({
  name: 'trust',
  run: async (hub) => {
    const { distrusted, healed } = await inTransaction(hub.db, (tx) => judgeSources(tx, hub.clock.now()))
    if (distrusted + healed > 0) await wakePushes(hub)
    return `${distrusted} place(s) are no longer trusted, ${healed} are again`
  },
})

/** Sales by channel and the lag of each, for the adaptive buffer. */
export const measure = upkeep({
  name: 'measure',
  run: async (hub) => {
    const minutes = hub.config.inventory.velocity_minutes
    const { items, listings } = await inTransaction(hub.db, (tx) => measureRisk(tx, coreContext(hub), minutes))
    if (listings > 0) await wakePushes(hub)
    return `measured ${items} item(s); the buffer of ${listings} listing(s) moved`
  },
})

/** Old proofs are asserted again, although nothing has moved. */
export const reassert = upkeep({
  name: 'reassert',
  run: async (hub) => {
    const told = [...hub.connections.values()].filter(
      ({ connector, config }) => connector.availability !== undefined && config.availability.push,
    )
    const ids = told.map(({ id }) => id)
    const due = await inTransaction(hub.db, (tx) => reassertStale(tx, ids, hub.clock.now()))
    if (due > 0) await wakePushes(hub)
    return `${due} listing(s) are told again, because their proof is old`
  },
})
