import Type from 'typebox'
import { defineJob } from '../define.ts'
import { pullStream } from '../pull.ts'

/** Asks one connection for one stream: on a schedule, and at once when a signal says that something moved over there. */
export const pull = defineJob({
  name: 'pull',
  queue: 'pull',
  data: Type.Object({ connection_id: Type.String(), stream: Type.String() }),
  timeout_ms: 10 * 60_000,
  concurrency: 4,
  run: (hub, { connection_id, stream }, reporter) => pullStream(hub, connection_id, stream, reporter),
})
