import Type from 'typebox'
import { runSelfTest } from '../connections.ts'
import { defineJob } from '../define.ts'
import { connectionState } from '../effectRows.ts'

/** Looks once a day whether a connection still has what it needs. A paused one is left alone, as somebody has seen to it. */
export const selfTests = defineJob({
  name: 'self_test',
  // Beside the pulls, because a vendor that takes its time must not hold up what looks after the hub.
  queue: 'pull',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: 5 * 60_000,
  concurrency: 2,
  run: async (hub, { connection_id }) => {
    if (hub.connections.get(connection_id)?.connector.selfTest === undefined) return `${connection_id} has no self test`
    const state = await connectionState(hub.db, connection_id)
    if (state !== 'active') return `${connection_id} is ${state ?? 'unknown'}; it is not tested`
    const checks = await runSelfTest(hub, connection_id)
    return `${checks.filter(({ ok }) => !ok).length} of ${checks.length} check(s) of ${connection_id} failed`
  },
})
