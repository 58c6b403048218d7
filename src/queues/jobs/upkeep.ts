import Type from 'typebox'
import type { Hub } from '../../hub.ts'
import { defineJob, type JobReporter } from '../define.ts'

/** A job that looks after the whole hub from time to time: one at a time, within a minute. */
export const upkeep = (job: {
  name: string
  run: (hub: Hub, data: object, reporter: JobReporter) => Promise<string>
}) => defineJob({ ...job, queue: 'maintenance', data: Type.Object({}), timeout_ms: 60_000, concurrency: 1 })
