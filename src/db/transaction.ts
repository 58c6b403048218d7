import { randomInt } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { HubError } from '../core/errors.ts'
import { sqlState, type Connection, type Db, type Tx } from './pool.ts'

const ATTEMPTS_MAX = 5
const BACKOFF_BASE_MS = 5
const BACKOFF_MAX_MS = 200
/** serialization_failure and deadlock_detected: the server rolled back a victim and asks for the same work again. */
const RETRYABLE_STATES = new Set(['40001', '40P01'])

/**
 * Runs `work` in one READ COMMITTED transaction and returns its value after the commit. A throw rolls back. A deadlock or a
 * serialisation failure runs the whole work again (so it must have no effect outside the transaction), at most `attempts_max` times.
 * A lost connection is `HubError('database_unavailable')` and is never retried here: whether a lost COMMIT took place is unknown.
 */
export async function inTransaction<T>(
  db: Db,
  work: (tx: Tx) => Promise<T>,
  options: { attempts_max?: number } = {},
): Promise<T> {
  const attemptsMax = options.attempts_max ?? ATTEMPTS_MAX
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await db.withClient((client) => once(client, work))
    } catch (thrown) {
      if (attempt >= attemptsMax || !RETRYABLE_STATES.has(sqlState(thrown) ?? '')) throw thrown
      await sleep(backoffMs(attempt))
    }
  }
}

async function once<T>(client: Connection, work: (tx: Tx) => Promise<T>): Promise<T> {
  await client.command('begin isolation level read committed')
  let open = true
  const tx: Tx = {
    inTransaction: true,
    query: (sql, params) =>
      open
        ? client.query(sql, params)
        : Promise.reject(new HubError('internal', 'a query was sent after its transaction had ended')),
  }
  try {
    const value = await work(tx)
    open = false
    // A statement that failed and was caught leaves the transaction aborted; the server then answers COMMIT with ROLLBACK.
    const tag = await client.command('commit')
    if (tag !== 'COMMIT')
      throw new HubError('internal', 'the transaction had already failed, so its commit became a rollback')
    return value
  } catch (thrown) {
    open = false
    await rollback(client, thrown)
    throw thrown
  }
}

/** A rollback that fails means the connection is gone: it is thrown so that the pool discards it, with the first fault as its cause. */
async function rollback(client: Connection, reason: unknown): Promise<void> {
  if (reason instanceof HubError && reason.code === 'database_unavailable') return
  try {
    await client.command('rollback')
  } catch {
    throw new HubError('database_unavailable', 'the connection was lost while a transaction was rolled back', {
      cause: reason,
    })
  }
}

/** Full jitter: two deadlocked transactions that wait equally long would meet again. */
function backoffMs(attempt: number): number {
  return randomInt(1, Math.min(BACKOFF_MAX_MS, BACKOFF_BASE_MS * 2 ** attempt) + 1)
}
