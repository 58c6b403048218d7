import { openDb } from '../../src/db/pool.ts'
import { openQueues } from '../../src/queues/bull.ts'
import { jobs } from '../../src/queues/jobs/index.ts'
import { startSweeper } from '../../src/queues/sweep.ts'
import { fixtureConnections } from './queueFixture.ts'
import { testHub } from './testHub.ts'
import type { WorkerProcessOptions } from './workerProcess.ts'

const options = JSON.parse(process.argv[2] ?? '{}') as WorkerProcessOptions
const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
const db = openDb({ url: options.database_url, pool_max: 8, application_name: 'test-worker', log })
const queues = await openQueues({ database_url: options.database_url, redis_url: options.redis_url, log, pool_max: 20 })
const hub = testHub({ db, queues, connections: fixtureConnections(options) })
await queues.startWorkers(hub, jobs, { lock_ms: 3_000, stalled_interval_ms: 1_000 })
const sweeper = startSweeper(hub, { every_ms: 300 })
process.on('SIGTERM', () => {
  void sweeper
    .close()
    .then(() => queues.close())
    .then(() => db.close())
    .then(() => process.exit(0))
})
process.send?.('ready')
