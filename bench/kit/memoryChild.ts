import { pino } from 'pino'
import { connectors } from '../../src/connectors/index.ts'
import { loadConfig } from '../../src/config.ts'
import { startHub } from '../../src/main.ts'
import { configFor } from './ground.ts'

/** What the parent hands over: where everything is, and when it is enough. */
export interface MemoryTask {
  config_file: string
  database_url: string
  queue_prefix: string
  channels: Readonly<Record<string, string>>
  /** Ends when no more than so many orders wait in the inbox. */
  until_left: number
  ms_max: number
}

export interface MemoryReport {
  rss_at_start: number
  rss_peak: number
  heap_peak: number
  seconds: number
}

const SAMPLE_EVERY_MS = 50

/** A worker as `crossdock start --role worker` runs it, in a process that holds nothing else. Sizes are bytes. */
async function work(task: MemoryTask): Promise<MemoryReport> {
  const config = loadConfig(task.config_file, { connectors, variables: {} })
  const running = await startHub({
    config: configFor(config, { channels: task.channels, release_after_seconds: 3_600 }),
    log: pino({ level: 'silent' }),
    database: { url: task.database_url, place: 'bench', stop: () => Promise.resolve() },
    queue_prefix: task.queue_prefix,
    role: 'worker',
  })
  const rss_at_start = process.memoryUsage.rss()
  const peak = { rss: rss_at_start, heap: 0 }
  const started = performance.now()
  const sample = setInterval(() => {
    const { rss, heapUsed } = process.memoryUsage()
    peak.rss = Math.max(peak.rss, rss)
    peak.heap = Math.max(peak.heap, heapUsed)
  }, SAMPLE_EVERY_MS)
  try {
    for (;;) {
      const [row] = await running.hub.db.query<{ left: number }>(
        `select count(*) as left from inbox where state = 'pending'`,
      )
      if ((row?.left ?? 0) <= task.until_left) break
      if (performance.now() - started > task.ms_max)
        throw new Error(`${row?.left} orders waited at the end of the time`)
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
    const seconds = (performance.now() - started) / 1_000
    return { rss_at_start, rss_peak: peak.rss, heap_peak: peak.heap, seconds }
  } finally {
    clearInterval(sample)
    await running.close()
  }
}

// A worker whose bench was stopped would go on draining a database that nobody looks at.
process.on('disconnect', () => process.exit())
process.on('message', (task: MemoryTask) => {
  work(task).then(
    (report) => process.send?.(report, () => process.disconnect()),
    (thrown: unknown) =>
      setImmediate(() => {
        throw thrown
      }),
  )
})
