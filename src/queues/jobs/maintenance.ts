import Type from 'typebox'
import { defineJob } from '../define.ts'
import { newSweep, sweepOnce } from '../sweep.ts'

/** What the in-process sweeper does every second, as a job that a person can start and watch. */
export const sweep = defineJob({
  name: 'sweep',
  queue: 'maintenance',
  data: Type.Object({}),
  timeout_ms: 60_000,
  concurrency: 1,
  run: async (hub) => (await sweepOnce(hub, newSweep())).sentence,
})
