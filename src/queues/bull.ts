import {
  createPostgresBackend,
  createRedisBackend,
  Queue,
  runMigrations,
  Worker,
  type BackendFactory,
  type IQueueBackend,
  type Job as BullJob,
  type JobProgress,
  type JobsOptions,
} from 'bullmq'
import { Redis } from 'ioredis'
import type { Hub } from '../hub.ts'
import { HubError } from '../core/errors.ts'
import { checker } from '../core/model/validate.ts'
import { rawPool, type Log } from '../db/pool.ts'
import { QUEUES, type AddOptions, type Job, type QueueName, type Queues } from './define.ts'
import { runOne, type Runnable } from './runOne.ts'

/** Jobs kept for the people who look at the board; the truth of what happened is in our own tables. */
const KEEP_COMPLETED = { count: 200 }
const KEEP_FAILED = { count: 500 }
const KEEP_LOG_LINES = 100
const LOCK_MS = 30_000
const STALLED_INTERVAL_MS = 15_000
/** Our own attempt counts decide when something is given up; the queue must never decide it for us. */
const STALLED_MAX = 1_000_000
/** A wake-up is a hint: rather give it up (the sweeper re-drives) than keep a caller waiting for a queue that is down. */
const ADD_TIMEOUT_MS = 5_000
const CLOSE_TIMEOUT_MS = 20_000
/** One pooled connection is pinned by every worker for LISTEN; the rest does the work. */
const POOL_MAX = Object.keys(QUEUES).length + 10
const PREFIX = 'crossdock'
const SCHEMA = 'bullmq'

type BullQueue = Queue<object, string, string, object, string, string, IQueueBackend, unknown>
type BullWorker = Worker<object, string, string, IQueueBackend, JobProgress, unknown>

export interface QueueOptions {
  database_url: string
  /** Empty: the queues live in PostgreSQL, beside the truth that they point at. */
  redis_url: string
  log: Log
  pool_max?: number
  /** A prefix of its own keeps hubs apart that share one Redis (a demo beside a running hub); its queues are removed at the end. */
  temporary_prefix?: string
}

export interface WorkerOptions {
  /** Only these queues are worked on; all by default. */
  only?: readonly QueueName[]
  lock_ms?: number
  stalled_interval_ms?: number
}

export interface Workers {
  /** Takes no new jobs, tells the running ones to stop at their next safe point and waits for them. */
  close: () => Promise<void>
}

export interface OpenQueues extends Queues {
  startWorkers: (hub: Hub, jobs: readonly Job[], options?: WorkerOptions) => Promise<Workers>
  /** BullMQ's own queue objects, for the board's adapters and for nothing else. */
  readonly bullQueues: ReadonlyMap<QueueName, unknown>
}

/** Where the queues live. Queues fail fast, workers wait for ever, so with Redis they do not share a client. */
interface Backend {
  prefix: string
  kind: 'postgres' | 'redis'
  factory: BackendFactory<IQueueBackend, unknown>
  queueConnection: unknown
  workerConnection: unknown
  close: () => Promise<void>
}

/** Opens every queue on PostgreSQL (BullMQ's schema is brought up to date first) or on Redis. Nothing is worked on yet. */
export async function openQueues(options: QueueOptions): Promise<OpenQueues> {
  const backend = options.redis_url === '' ? await postgresBackend(options) : await redisBackend(options)
  const queues = new Map<QueueName, BullQueue>()
  for (const name of Object.keys(QUEUES) as QueueName[]) queues.set(name, openQueue(name, backend, options.log))
  const queueOf = (name: QueueName): BullQueue => {
    const queue = queues.get(name)
    if (queue === undefined) throw new HubError('internal', `there is no queue ${name}`)
    return queue
  }
  const workers = new Set<Workers>()
  let closing: Promise<void> | undefined
  return {
    backend: backend.kind,
    bullQueues: queues,
    add: (queue, name, data, add) => answered(queueOf(queue).add(name, data, jobOptions(add))),
    addMany: async (queue, jobs) => {
      if (jobs.length === 0) return
      await answered(
        queueOf(queue).addBulk(jobs.map((job) => ({ name: job.name, data: job.data, opts: jobOptions(job.options) }))),
      )
    },
    schedule: (queue, name, key, everyMs, data) => answered(scheduleOnce(queueOf(queue), name, key, everyMs, data)),
    remove: (queue, jobIds) => answered(Promise.all(jobIds.map((id) => queueOf(queue).remove(id)))),
    counts: () => countAll(queues),
    startWorkers: async (hub, jobs, workerOptions = {}) => {
      const started = await startWorkers(backend, hub, jobs, workerOptions)
      workers.add(started)
      return started
    },
    // Workers before queues before the connections: the other way round a worker would report every lost connection on its way out.
    close: () =>
      (closing ??= (async () => {
        await Promise.all([...workers].map((group) => group.close()))
        if (options.temporary_prefix !== undefined) await wipe([...queues.values()])
        await Promise.allSettled([...queues.values()].map((queue) => queue.close()))
        await backend.close()
      })()),
  }
}

async function postgresBackend(options: QueueOptions): Promise<Backend> {
  const pool = rawPool({
    url: options.database_url,
    pool_max: options.pool_max ?? POOL_MAX,
    application_name: 'crossdock-queues',
    search_path: SCHEMA,
    log: options.log,
  })
  try {
    const client = await pool.connect()
    try {
      await runMigrations(client, SCHEMA)
    } finally {
      client.release()
    }
  } catch (thrown) {
    await pool.end()
    throw new HubError('queue_unavailable', 'the queues in PostgreSQL could not be opened', { cause: thrown })
  }
  const factory = createPostgresBackend as unknown as BackendFactory<IQueueBackend, unknown>
  return {
    prefix: options.temporary_prefix ?? PREFIX,
    kind: 'postgres',
    factory,
    queueConnection: pool,
    workerConnection: pool,
    close: () => pool.end(),
  }
}

async function redisBackend(options: QueueOptions): Promise<Backend> {
  const open = (retriesMax: number | null): Redis => {
    const client = new Redis(options.redis_url, {
      maxRetriesPerRequest: retriesMax,
      connectTimeout: ADD_TIMEOUT_MS,
      lazyConnect: true,
    })
    client.on('error', (error: Error) => options.log.warn({ reason: error.message }, 'redis connection failed'))
    client.setMaxListeners(0)
    return client
  }
  const producer = open(1)
  const worker = open(null)
  const close = async (): Promise<void> => {
    await Promise.allSettled(
      [producer, worker].map((client) =>
        client.status === 'ready' ? client.quit() : Promise.resolve(client.disconnect()),
      ),
    )
  }
  try {
    await Promise.all([producer.connect(), worker.connect()])
    await refuseEviction(producer)
  } catch (thrown) {
    producer.disconnect()
    worker.disconnect()
    throw thrown instanceof HubError
      ? thrown
      : new HubError('queue_unavailable', 'the queues in Redis could not be opened', { cause: thrown })
  }
  const factory = createRedisBackend as unknown as BackendFactory<IQueueBackend, unknown>
  return {
    prefix: options.temporary_prefix ?? PREFIX,
    kind: 'redis',
    factory,
    queueConnection: producer,
    workerConnection: worker,
    close,
  }
}

/** A Redis that evicts keys tears holes into the queues' structures. Hosted ones hide the setting; they are taken at their word. */
async function refuseEviction(client: Redis): Promise<void> {
  const answer: unknown = await client.config('GET', 'maxmemory-policy').catch(() => undefined)
  const policy = Array.isArray(answer) ? String(answer[1]) : 'noeviction'
  if (policy === 'noeviction') return
  throw new HubError('config_invalid', `Redis evicts keys (maxmemory-policy is ${policy})`, {
    hint: 'set maxmemory-policy to noeviction, the only one that keeps queues whole',
  })
}

function openQueue(name: QueueName, backend: Backend, log: Log): BullQueue {
  const queue: BullQueue = new Queue(
    name,
    {
      connection: backend.queueConnection,
      prefix: backend.prefix,
      defaultJobOptions: {
        attempts: 1,
        removeOnComplete: KEEP_COMPLETED,
        removeOnFail: KEEP_FAILED,
        keepLogs: KEEP_LOG_LINES,
        stackTraceLimit: 1,
      },
    },
    backend.factory,
  )
  queue.on('error', (error) => log.warn({ queue: name, reason: error.message }, 'queue error'))
  return queue
}

function jobOptions(options: AddOptions = {}): JobsOptions {
  return {
    ...(options.delay_ms === undefined ? {} : { delay: Math.max(0, Math.ceil(options.delay_ms)) }),
    ...(options.coalesce_key === undefined ? {} : { deduplication: { id: options.coalesce_key } }),
    ...(options.job_id === undefined ? {} : { jobId: options.job_id }),
  }
}

const wipe = (queues: readonly BullQueue[]): Promise<unknown> =>
  Promise.allSettled(queues.map((queue) => queue.obliterate({ force: true })))

/** BullMQ parks a command for ever while its connection is closing or down; here it becomes a coded fault after a while. */
async function answered(work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new HubError('queue_unavailable', 'the queue did not answer')), ADD_TIMEOUT_MS)
  })
  try {
    await Promise.race([work, late])
  } catch (thrown) {
    throw thrown instanceof HubError
      ? thrown
      : new HubError('queue_unavailable', 'the queue refused a command', { cause: thrown })
  } finally {
    clearTimeout(timer)
  }
}

/** A scheduler that runs as wished is left alone: an upsert moves its next run. One whose next run got lost is made anew. */
async function scheduleOnce(queue: BullQueue, name: string, key: string, everyMs: number, data: object): Promise<void> {
  const present = await queue.getJobScheduler(key)
  const asWished =
    present?.name === name &&
    present.every === everyMs &&
    JSON.stringify(present.template?.data) === JSON.stringify(data)
  if (asWished && present.next !== undefined && present.next > Date.now() - Math.max(everyMs, LOCK_MS)) return
  if (present !== undefined) await queue.removeJobScheduler(key)
  await queue.upsertJobScheduler(key, { every: everyMs }, { name, data })
}

async function countAll(queues: ReadonlyMap<QueueName, BullQueue>): Promise<Record<QueueName, Record<string, number>>> {
  const entries = await Promise.all(
    [...queues].map(async ([name, queue]) => [name, await queue.getJobCounts()] as const),
  )
  return Object.fromEntries(entries) as Record<QueueName, Record<string, number>>
}

// ── workers ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function startWorkers(
  backend: Backend,
  hub: Hub,
  jobs: readonly Job[],
  options: WorkerOptions,
): Promise<Workers> {
  const stop = new AbortController()
  const byQueue = Map.groupBy(jobs, (job) => job.queue)
  const wanted = [...byQueue.keys()].filter((name) => options.only?.includes(name) ?? true)
  const workers = wanted.map((name) =>
    startWorker(backend, hub, name, byQueue.get(name) ?? [], { ...options, stop: stop.signal }),
  )
  await Promise.all(workers.map((worker) => worker.waitUntilReady()))
  let closing: Promise<void> | undefined
  return {
    close: () =>
      (closing ??= (async () => {
        stop.abort(new HubError('internal', 'the worker is shutting down'))
        await Promise.allSettled(workers.map((worker) => closeWorker(worker)))
      })()),
  }
}

/** A job that ignores its signal must not hold the process back; its lock runs out and the sweeper re-drives its work. */
async function closeWorker(worker: BullWorker): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(() => resolve(worker.close(true)), CLOSE_TIMEOUT_MS)
  })
  await Promise.race([worker.close(), late])
  clearTimeout(timer)
}

function startWorker(
  backend: Backend,
  hub: Hub,
  name: QueueName,
  jobs: readonly Job[],
  options: WorkerOptions & { stop: AbortSignal },
): BullWorker {
  const runnables = new Map<string, Runnable>(
    jobs.map((job) => [job.name, { job, check: checker(job.data, 'internal') }]),
  )
  const worker: BullWorker = new Worker(
    name,
    async (bullJob: BullJob<object, string>, _token, signal) => {
      const runnable = runnables.get(bullJob.name)
      if (runnable === undefined) throw new HubError('internal', `no job is called ${bullJob.name} in queue ${name}`)
      return runOne(hub, runnable, bullJob, signal === undefined ? [options.stop] : [options.stop, signal])
    },
    {
      connection: backend.workerConnection,
      prefix: backend.prefix,
      concurrency: Math.max(1, ...jobs.map((job) => job.concurrency)),
      lockDuration: options.lock_ms ?? LOCK_MS,
      stalledInterval: options.stalled_interval_ms ?? STALLED_INTERVAL_MS,
      maxStalledCount: STALLED_MAX,
    },
    backend.factory,
  )
  worker.on('error', (error) => hub.log.warn({ queue: name, reason: error.message }, 'worker error'))
  worker.on('completed', (bullJob) => {
    const after = runnables.get(bullJob.name)?.job.after
    if (after === undefined || options.stop.aborted) return
    after(hub, bullJob.data).catch((thrown: unknown) =>
      hub.log.warn({ queue: name, reason: String(thrown) }, 'no look after a job'),
    )
  })
  // Nothing looks after a failed job: what it left is re-driven by the sweeper, at the sweeper's pace and not in a loop.
  worker.on('failed', (bullJob, error) => {
    hub.log.warn(
      {
        queue: name,
        job: bullJob?.name,
        code: error instanceof HubError ? error.code : 'internal',
        reason: error.message,
      },
      'job failed',
    )
  })
  return worker
}
