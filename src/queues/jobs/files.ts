import Type from 'typebox'
import { connectionState } from '../effectRows.ts'
import { defineJob } from '../define.ts'
import { readFiles } from '../fileReader.ts'

/** Reads the incoming folder of one file connection. */
export const files = defineJob({
  name: 'read',
  queue: 'files',
  data: Type.Object({ connection_id: Type.String() }),
  timeout_ms: 5 * 60_000,
  concurrency: 2,
  run: async (hub, { connection_id }, reporter) => {
    const connection = hub.connections.get(connection_id)
    if (connection?.connector.files === undefined) return `${connection_id} has no files to read`
    const state = await connectionState(hub.db, connection_id)
    if (state !== 'active') return `${connection_id} is ${state ?? 'unknown'}; its files wait`
    const { read, rejected, held, duplicates, rows } = await readFiles(hub, connection, reporter)
    await hub.db.query('update connections set last_pulled_at = $2 where id = $1', [connection_id, hub.clock.now()])
    return `read ${read} file(s) with ${rows} rows of ${connection_id}, ${rejected} rejected, ${held} held, ${duplicates} seen before`
  },
})
