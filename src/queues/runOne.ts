import { withExchanges } from '../connectors/_kit/exchanges.ts'
import { HubError } from '../core/errors.ts'
import type { Check } from '../core/model/validate.ts'
import type { Hub } from '../hub.ts'
import { waitForBreath } from './breath.ts'
import type { Job, JobReporter } from './define.ts'

/** After its time a job is told to stop; after this grace its slot is freed and what it still writes meets a fence. */
const STOP_GRACE_MS = 10_000

export interface Runnable {
  job: Job
  check: Check<unknown>
}

/** What running a job needs of the queue library's own job. */
export interface QueuedJob {
  name: string
  data: object
  log: (line: string) => Promise<unknown>
  updateProgress: (percent: number) => Promise<unknown>
}

/** Runs one job within its time, with its vendor exchanges gathered and its words written to the board in order. */
export async function runOne(
  hub: Hub,
  runnable: Runnable,
  queued: QueuedJob,
  stops: readonly AbortSignal[],
): Promise<string> {
  const { job, check } = runnable
  const data = check(queued.data)
  const board = boardOf(hub, queued)
  const patience_ms = job.patience_ms?.(hub, data) ?? 0
  if (patience_ms > 0) await waitForBreath(patience_ms, () => hub.random.next(), AbortSignal.any([...stops]))
  const timeout = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const overdue = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      timeout.abort(new HubError('internal', `${job.name} took longer than ${job.timeout_ms} ms`))
      timer = setTimeout(() => reject(new HubError('internal', `${job.name} did not stop in time`)), STOP_GRACE_MS)
    }, job.timeout_ms)
  })
  const reporter: JobReporter = { ...board.write, signal: AbortSignal.any([...stops, timeout.signal]) }
  try {
    return await Promise.race([withExchanges(() => job.run(hub, data, reporter)), overdue])
  } finally {
    clearTimeout(timer)
    await board.written()
  }
}

/** What a job tells the board is written in order and never fails the job. */
function boardOf(hub: Hub, queued: QueuedJob): { write: Omit<JobReporter, 'signal'>; written: () => Promise<void> } {
  let chain = Promise.resolve()
  const enqueue = (write: () => Promise<unknown>): void => {
    chain = chain.then(write).then(
      () => undefined,
      (thrown: unknown) => hub.log.warn({ job: queued.name, reason: String(thrown) }, 'a line for the board got lost'),
    )
  }
  return {
    write: {
      log: (line) => enqueue(() => queued.log(line)),
      progress: (percent) => enqueue(() => queued.updateProgress(Math.round(percent))),
    },
    written: () => chain,
  }
}
