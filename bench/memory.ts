import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Db } from '../src/db/pool.ts'
import { verify } from '../src/core/verify.ts'
import type { Hub } from '../src/hub.ts'
import { startClient, type Client } from './kit/client.ts'
import { inRounds, rowOf, type Bench, type BenchOptions, type Row, type Size } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import type { MemoryReport, MemoryTask } from './kit/memoryChild.ts'
import { makeOrders, zipf } from './kit/orders.ts'
import { preload } from './kit/preload.ts'
import { SKUS, STOCK_OF_EACH } from './kit/shop.ts'

const QUEUED: Readonly<Record<Size, readonly number[]>> = {
  quick: [2_000, 5_000],
  usual: [10_000, 100_000],
  full: [10_000, 1_000_000],
}
/** The same for every length of queue, so that all processes have done the same work when they are compared. */
const DRAINED = { quick: 1_000, usual: 8_000, full: 8_000 } as const
const DRAIN_MS_MAX = 60_000
const CHUNK = 5_000
const MEGABYTE = 1024 * 1024
/** Goal G10. */
const TARGET = { megabytes: 300, ratio: 1.2 }

interface Queue {
  length: number
  db: Db
  hub: Hub
  url: string
  /** Orders that were ever put into it. */
  filled: number
  /** How many it lacks. */
  missing: number
  close: () => Promise<void>
}

async function openQueue(ground: Ground, length: number): Promise<Queue> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  return { length, db: hub.db, hub, url: hub.db.url, filled: 0, missing: length, close }
}

/** Up to its length again with orders that nobody has seen, without the filler that real ones have: a million have to fit. */
async function fill(queue: Queue): Promise<void> {
  const rank = zipf(SKUS)
  while (queue.missing > 0) {
    const count = Math.min(CHUNK, queue.missing)
    const first = queue.filled
    await preload(queue.hub, makeOrders({ count, first, seed: 1 + first, rank, lines_max: 1, body_bytes: 0 }))
    queue.filled += count
    queue.missing -= count
  }
  await queue.db.query('vacuum (analyze) inbox')
}

/** A worker of its own drains a part of the queue. */
async function drainInChild(task: MemoryTask): Promise<MemoryReport> {
  const child = fork(fileURLToPath(new URL('./kit/memoryChild.ts', import.meta.url)), { execPath: process.execPath })
  const { promise, resolve, reject } = Promise.withResolvers<MemoryReport>()
  child.once('message', (report) => resolve(report as MemoryReport))
  child.once('error', reject)
  const ended = new Promise<void>((done) => child.once('exit', () => done()))
  void ended.then(() => reject(new Error('the worker ended without a report')))
  child.send(task)
  try {
    return await promise
  } finally {
    await ended
  }
}

/** Every order is still waiting or applied once, and what was promised is what the applied ones asked for. */
async function auditQueue({ db, filled, length }: Queue): Promise<void> {
  const [found] = await db.query<Record<string, number>>(
    `select (select count(*) from inbox) as messages, (select count(*) from inbox where state = 'done') as done,
       (select count(*) from inbox where state = 'pending') as waiting,
       (select count(*) from orders where reservation_state = 'committed') as committed, (select count(*) from orders) as orders,
       (select sum(quantity)::bigint from order_lines) as wanted,
       (select sum(quantity)::bigint from reservations where state = 'committed') as promised,
       (select sum(available)::bigint from stock) as available`,
  )
  const { messages, done = 0, waiting = 0, committed, orders, wanted = 0, promised, available } = found ?? {}
  const { ok } = await verify(db)
  if (!ok || messages !== filled || done + waiting !== filled || committed !== done || orders !== done)
    throw new Error(`of ${filled} orders in a queue of ${length} there are ${JSON.stringify(found)}`)
  if (promised !== wanted || available !== SKUS * STOCK_OF_EACH - wanted)
    throw new Error(`units were lost or sold twice: ${JSON.stringify(found)}`)
}

async function measureQueue(queue: Queue, client: Client, { ground, size }: BenchOptions): Promise<MemoryReport> {
  await fill(queue)
  const report = await drainInChild({
    config_file: ground.config_file,
    database_url: queue.url,
    queue_prefix: `${ground.queue_prefix}-${queue.length}`,
    channels: client.channels,
    until_left: queue.length - DRAINED[size],
    ms_max: DRAIN_MS_MAX,
  })
  // A worker that stops finishes the batch it is at; what is missing then is put back before the next one.
  const [row] = await queue.db.query<{ waiting: number }>(
    `select count(*) as waiting from inbox where state = 'pending'`,
  )
  queue.missing = queue.length - (row?.waiting ?? 0)
  return report
}

export const memory: Bench = {
  name: 'memory',
  what: 'a worker with a long queue of orders',
  run: async (options) => {
    const client = await startClient()
    const queues: Queue[] = []
    try {
      for (const length of QUEUED[options.size]) queues.push(await openQueue(options.ground, length))
      const { rounds, control } = await inRounds(options, async () => {
        const reports: MemoryReport[] = []
        for (const queue of queues) reports.push(await measureQueue(queue, client, options))
        return reports
      })
      for (const queue of queues) await auditQueue(queue)
      return { rows: rowsOf(options.size, rounds), rounds: rounds.length, control }
    } finally {
      for (const { close } of queues) await close()
      await client.close()
    }
  },
}

function rowsOf(size: Size, rounds: readonly MemoryReport[][]): Row[] {
  const [short = 0, long = 0] = QUEUED[size]
  const megabytesOf = (place: number): number[] =>
    rounds.map((reports) => (reports[place]?.rss_peak ?? Number.NaN) / MEGABYTE)
  const seen = rounds.map((reports) => reports[1])
  const started = seen.map((report) => Math.round((report?.rss_at_start ?? 0) / MEGABYTE)).join(', ')
  const heaps = seen.map((report) => Math.round((report?.heap_peak ?? 0) / MEGABYTE)).join(', ')
  const note = `highest resident size of a worker process while it drains ${DRAINED[size]} of ${long} queued orders`
  return [
    rowOf({
      figure: 'worker_rss_peak',
      unit: 'MB',
      samples: megabytesOf(1),
      target: TARGET.megabytes,
      better: 'less',
      note: `${note}; before the first of them ${started} MB, highest heap ${heaps} MB`,
    }),
    rowOf({
      figure: 'worker_rss_growth',
      unit: 'MB',
      samples: megabytesOf(1),
      baseline: megabytesOf(0),
      target: TARGET.ratio,
      better: 'less',
      note: `the same against as many drained out of a queue of ${short}`,
    }),
  ]
}
