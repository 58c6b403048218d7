import type { Hub } from '../../src/hub.ts'
import type { RunningHub } from '../../src/main.ts'
import type { Job } from '../../src/queues/define.ts'
import { jobs } from '../../src/queues/jobs/index.ts'
import { startSweeper } from '../../src/queues/sweep.ts'
import type { Client } from './client.ts'
import type { Ground } from './ground.ts'

/** The whole product in this process, as `crossdock start` runs it, with every job counted. */
export interface WholeHub {
  hub: Hub
  url: string
  /** Jobs that the workers have run since the start, by name. */
  jobsRun: () => ReadonlyMap<string, number>
  close: () => Promise<void>
}

export async function startWhole(ground: Ground, client: Client, release_after_seconds: number): Promise<WholeHub> {
  const running = await ground.startApi({ channels: client.channels, release_after_seconds })
  const counts = new Map<string, number>()
  const parts: { close: () => Promise<void> }[] = []
  const close = async (): Promise<void> => {
    for (const part of parts.toReversed()) await part.close()
    await running.close()
  }
  try {
    parts.push(
      await running.queues.startWorkers(
        running.hub,
        jobs.map((job) => counted(job, counts)),
      ),
    )
    parts.push(startSweeper(running.hub))
    return { hub: running.hub, url: addressOf(running), jobsRun: () => new Map(counts), close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

function counted(job: Job, counts: Map<string, number>): Job {
  return {
    ...job,
    run: (hub, data, reporter) => {
      counts.set(job.name, (counts.get(job.name) ?? 0) + 1)
      return job.run(hub, data, reporter)
    },
  }
}

function addressOf({ url }: RunningHub): string {
  if (url === undefined) throw new Error('the hub has no address')
  return url
}

/** Waits until the numbers that moved have been told and nothing is on its way out. */
export async function waitUntilQuiet(hub: Hub, ms_max: number): Promise<void> {
  const end = performance.now() + ms_max
  while (performance.now() < end) {
    const busy = await hub.db.query(
      `select 1 where exists (select 1 from inbox where state = 'pending') or exists (select 1 from availability where dirty_seq > sent_seq)
         or exists (select 1 from outbox where state in ('queued', 'sending') or (state = 'pending' and next_attempt_at <= now()))`,
    )
    if (busy.length === 0) return
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error(`the hub had not come to rest after ${ms_max} ms`)
}
