import Type from 'typebox'
import { defineJob } from '../define.ts'
import { PUSH_TIMEOUT_MS, pushAvailability } from '../push.ts'
import { connectionsToPush, wakeAll, wakePush } from '../wake.ts'

/** Tells one channel what may be sold. */
export const availability = defineJob({
  name: 'push',
  queue: 'availability',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: PUSH_TIMEOUT_MS,
  concurrency: 4,
  run: (hub, { connection_id }, reporter) => pushAvailability(hub, connection_id, reporter),
  after: async (hub, { connection_id }) => {
    const due = await connectionsToPush(hub.db, [connection_id], hub.clock.now())
    await wakeAll(hub, due.filter((id) => hub.connections.get(id)?.config.availability.push === true).map(wakePush))
  },
})
