import {
  createPostgresBackend,
  createRedisBackend,
  Queue,
  Worker,
  type BackendFactory,
  type IQueueBackend,
  type JobProgress,
} from 'bullmq'
import { Redis } from 'ioredis'
import { rawPool } from '../src/db/pool.ts'
import { inRounds, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'

const CONCURRENCY = 8
/** A second or two of work on each backend. */
const JOBS = { postgres: 2_000, redis: 12_000 } as const
const PAYLOAD = { filler: 'x'.repeat(400 - '{"filler":""}'.length) }

type Factory = BackendFactory<IQueueBackend, unknown>
type BareQueue = Queue<object, string, string, object, string, string, IQueueBackend, unknown>
type BareWorker = Worker<object, string, string, IQueueBackend, JobProgress, unknown>

interface Backend {
  factory: Factory
  connection: unknown
  close: () => Promise<void>
}

/**
 * How many jobs that do nothing BullMQ alone works off in a second, on the same backend, in the same run: what a hub would reach at most
 * that makes a job of every order.
 */
export async function bareJobsPerSecond(ground: Ground): Promise<number> {
  const { url, drop } = await ground.database()
  const backend = ground.redis_url === '' ? postgresBackend(url) : redisBackend(ground.redis_url)
  const name = `bench-bare-${process.pid}`
  const queue: BareQueue = new Queue(name, { connection: backend.connection }, backend.factory)
  const count = JOBS[ground.backend]
  try {
    const jobs = Array.from({ length: count }, () => ({
      name: 'noop',
      data: PAYLOAD,
      opts: { removeOnComplete: true },
    }))
    for (let from = 0; from < count; from += 500) await queue.addBulk(jobs.slice(from, from + 500))
    return await workOff(name, backend, count)
  } finally {
    await queue.obliterate({ force: true })
    await queue.close()
    await backend.close()
    await drop()
  }
}

async function workOff(name: string, backend: Backend, count: number): Promise<number> {
  const done = Promise.withResolvers<void>()
  let left = count
  const work = (): Promise<string> => {
    left -= 1
    if (left === 0) done.resolve()
    return Promise.resolve('')
  }
  const options = { connection: backend.connection, concurrency: CONCURRENCY, autorun: false }
  const worker: BareWorker = new Worker(name, work, options, backend.factory)
  worker.on('error', done.reject)
  await worker.waitUntilReady()
  const started = performance.now()
  const running = worker.run()
  await done.promise
  const seconds = (performance.now() - started) / 1_000
  await worker.close()
  await running
  return count / seconds
}

function postgresBackend(url: string): Backend {
  const pool = rawPool({ url, pool_max: 20, application_name: 'bench-bare', search_path: 'bullmq' })
  return { factory: createPostgresBackend as unknown as Factory, connection: pool, close: () => pool.end() }
}

function redisBackend(url: string): Backend {
  const client = new Redis(url, { maxRetriesPerRequest: null })
  client.setMaxListeners(0)
  return {
    factory: createRedisBackend as unknown as Factory,
    connection: client,
    close: async () => void (await client.quit()),
  }
}

export const bare: Bench = {
  name: 'bare',
  what: 'BullMQ alone: jobs that do nothing',
  run: async (options) => {
    const { rounds, control } = await inRounds(options, () => bareJobsPerSecond(options.ground))
    const note = `concurrency ${CONCURRENCY}, 400 B, removeOnComplete, one process`
    return {
      rows: [rowOf({ figure: 'bare_bullmq', unit: 'jobs/s', samples: rounds, note })],
      rounds: rounds.length,
      control,
    }
  },
}
