import Type from 'typebox'
import { defineJob } from '../define.ts'
import { drainConnection } from '../drain.ts'
import { wakeAll, wakeDrain } from '../wake.ts'

/** Orders move what every channel may show; scans, payments and parcels can wait for a moment. */
const PATIENCE_MS = 1_000

/** Empties the inbox of one connection. */
export const drain = defineJob({
  name: 'drain',
  queue: 'intake',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: 60_000,
  concurrency: 6,
  patience_ms: (hub, { connection_id }) =>
    hub.connections.get(connection_id)?.connector.pull?.orders === undefined ? PATIENCE_MS : 0,
  run: async (hub, { connection_id }, reporter) => (await drainConnection(hub, connection_id, reporter)).sentence,
  after: async (hub, { connection_id }) => {
    const now = hub.clock.now()
    // A run that is alive looks for itself when it ends.
    const [due] = await hub.db.query(
      `select 1 from inbox where connection_id = $1 and state = 'pending' and next_attempt_at <= $2
         and not exists (select 1 from drain_runs where connection_id = $1 and run_id is not null) limit 1`,
      [connection_id, now],
    )
    if (due !== undefined && hub.connections.has(connection_id)) await wakeAll(hub, [wakeDrain(connection_id)])
  },
})
