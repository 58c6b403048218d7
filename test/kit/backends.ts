import pino from 'pino'
import { inTransaction } from '../../src/db/transaction.ts'
import { openQueues, type OpenQueues } from '../../src/queues/bull.ts'
import type { TestDatabase } from './database.ts'
import { hasRedis, startRedis, type TestRedis } from './redis.ts'

/** The queue tests run on every backend that this machine has. */
export const BACKENDS: readonly ('postgres' | 'redis')[] = hasRedis() ? ['postgres', 'redis'] : ['postgres']

export interface TestBackend {
  redis_url: string
  open: () => Promise<OpenQueues>
  /** What an operator's mistake or a lost Redis does: every job, schedule and key is gone. */
  wipe: () => Promise<void>
  stop: () => Promise<void>
}

export async function startBackend(kind: 'postgres' | 'redis', database: TestDatabase): Promise<TestBackend> {
  const redis: TestRedis | undefined = kind === 'redis' ? await startRedis() : undefined
  const redisUrl = redis?.url ?? ''
  return {
    redis_url: redisUrl,
    open: () =>
      openQueues({
        database_url: database.url,
        redis_url: redisUrl,
        log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
        pool_max: 24,
      }),
    wipe: () => (redis === undefined ? truncateQueues(database) : redis.flushAll()),
    stop: async () => {
      await redis?.stop()
    },
  }
}

/** All of BullMQ's tables but the ledger of its own migrations. Running workers may make it a deadlock's victim: then once more. */
async function truncateQueues(database: TestDatabase): Promise<void> {
  const tables = await database.db.query<{ name: string }>(
    `select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables
     where schemaname = 'bullmq' and tablename <> 'migration'`,
  )
  const names = tables.map((table) => table.name).join(', ')
  await inTransaction(database.db, (tx) => tx.query(`truncate ${names} cascade`), { attempts_max: 50 })
}
