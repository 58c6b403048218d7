import { setTimeout as sleep } from 'node:timers/promises'
import {
  BrokenCircuitError,
  CircuitState,
  circuitBreaker,
  ConsecutiveBreaker,
  DelegateBackoff,
  handleWhen,
} from 'cockatiel'
import {
  RateLimiterMemory,
  RateLimiterPostgres,
  RateLimiterRedis,
  RateLimiterRes,
  type RateLimiterAbstract,
} from 'rate-limiter-flexible'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import type { CallLimit } from './define.ts'

/** Waits until one more call is within the vendor's limits, or throws `vendor_throttled` with `retry_after_ms`. */
export interface Limiter {
  take: (lane: Lane, operation?: string) => Promise<void>
  /** What the vendor has just said of one operation's limit; it holds in this process from now on, and in those that start later. */
  learn: (operation: string, limit: CallLimit) => void
}

/** `realtime`: what must be told within a second (availability). `bulk`: everything that can wait for the next window. */
export type Lane = 'realtime' | 'bulk'

/** The part of the database that is needed here; it is handed in by the composition root. */
export interface LimitDb {
  query: (sql: string, params: readonly unknown[]) => Promise<object[]>
}

/** Where the counters live. `memory` is for one process without neighbours: tests and dry runs. */
export type LimitStore = { kind: 'postgres'; db: LimitDb } | { kind: 'redis'; client: unknown } | { kind: 'memory' }

const WAIT_MS_MAX = 2_000
/** Added to each wait so that it ends after the window has, not with it. */
const WAIT_MARGIN_MS = 5

/** Bulk work never takes the whole window, so that a back-fill cannot hold up a number that must be told now. */
const BULK_SHARE = 0.6

/**
 * One limit per connection and one for each operation that has its own, shared by all processes through the store. Short waits happen
 * here; a longer one is the job's business, which must not sit on a worker's slot for it.
 */
export function createLimiter(options: {
  connection_id: string
  limit: CallLimit
  /** By operation. */
  limits?: Readonly<Record<string, CallLimit>>
  store: LimitStore
}): Limiter {
  const { connection_id, store } = options
  const all = openWindow(store, connection_id, options.limit)
  const own = new Map<string, Window & { limit: CallLimit }>()
  for (const [operation, limit] of Object.entries(options.limits ?? {}))
    own.set(operation, { ...openWindow(store, `${connection_id}/${operation}`, limit), limit })
  // Counted apart from what was counted under another limit: whoever is given a thousand calls a second has not used up an hour's twenty.
  const believe = (operation: string, limit: CallLimit): void => {
    const key = `${connection_id}/${operation}@${limit.calls}/${limit.per_ms}`
    own.set(operation, { ...openWindow(store, key, limit), limit })
  }
  const isNew = (operation: string, { calls, per_ms }: CallLimit): boolean => {
    const known = own.get(operation)?.limit
    return known?.calls !== calls || known.per_ms !== per_ms
  }
  const remember = async (): Promise<void> => {
    for (const { operation, limit } of await toldBefore(store, connection_id))
      if (isNew(operation, limit)) believe(operation, limit)
  }
  let remembered: Promise<void> | undefined
  const forget = (): void => {
    remembered = undefined
  }
  return {
    take: async (lane, operation) => {
      remembered ??= remember()
      await remembered.catch((thrown: unknown) => {
        forget()
        throw thrown
      })
      const windows = [operation === undefined ? undefined : own.get(operation), all]
      let waited_ms = 0
      for (const window of windows.flatMap((found) => (found === undefined ? [] : found[lane]))) {
        for (let wait_ms = await window(); wait_ms > 0; wait_ms = await window()) {
          if (waited_ms + wait_ms > WAIT_MS_MAX) {
            // Another process may be told meanwhile that more is allowed.
            forget()
            throw new HubError('vendor_throttled', `${connection_id} has used up its calls`, {
              retry_after_ms: wait_ms,
            })
          }
          await sleep(wait_ms)
          waited_ms += wait_ms
        }
      }
    },
    learn: (operation, limit) => {
      const sound = limit.calls >= 1 && limit.per_ms > 0 && Number.isFinite(limit.calls / limit.per_ms)
      if (!sound || !isNew(operation, limit)) return
      believe(operation, limit)
      // One that gets lost is told again to the next process.
      keepTold(store, connection_id, { operation, limit }).catch(() => undefined)
    },
  }
}

interface ToldLimit {
  operation: string
  limit: CallLimit
}

const TOLD = 'told'

/**
 * What earlier processes were told of this connection's limits. A process that only knew the configured ones would find their window
 * used up by calls that were made under the others, and could not make the call that tells it better: for an hour, where twenty calls
 * an hour are usual and the account has been given more.
 */
async function toldBefore(store: LimitStore, connection_id: string): Promise<ToldLimit[]> {
  if (store.kind !== 'postgres') return []
  const prefix = `${TOLD}:${connection_id}/`
  const rows = await store.db.query('select key, points, expire from rate_limits where starts_with(key, $1)', [prefix])
  return (rows as { key: string; points: number; expire: number }[]).map(({ key, points, expire }) => ({
    operation: key.slice(prefix.length),
    limit: { calls: Number(points), per_ms: Number(expire) },
  }))
}

/** In the counters' own table: `points` calls in `expire` milliseconds. */
async function keepTold(store: LimitStore, connection_id: string, { operation, limit }: ToldLimit): Promise<void> {
  if (store.kind !== 'postgres') return
  await store.db.query(
    `insert into rate_limits (key, points, expire) values ($1, $2, $3)
     on conflict (key) do update set points = excluded.points, expire = excluded.expire`,
    [`${TOLD}:${connection_id}/${operation}`, Math.floor(limit.calls), Math.round(limit.per_ms)],
  )
}

/** Milliseconds until one more call is allowed; zero when this one was, and has been counted. */
type Window = Record<Lane, readonly (() => Promise<number>)[]>

function openWindow(store: LimitStore, key: string, limit: CallLimit): Window {
  const counter = (points: number, keyPrefix: string): (() => Promise<number>) => {
    const limiter = openLimiter(store, { points, duration: limit.per_ms / 1000, keyPrefix })
    return () => msUntilAllowed(limiter, key)
  }
  const all = counter(Math.floor(limit.calls), 'calls')
  return { realtime: [all], bulk: [counter(Math.max(1, Math.floor(limit.calls * BULK_SHARE)), 'bulk'), all] }
}

async function msUntilAllowed(limiter: RateLimiterAbstract, key: string): Promise<number> {
  try {
    await limiter.consume(key, 1)
    return 0
  } catch (thrown) {
    if (thrown instanceof RateLimiterRes) return Math.max(0, Math.ceil(thrown.msBeforeNext)) + WAIT_MARGIN_MS
    throw thrown
  }
}

function openLimiter(
  store: LimitStore,
  options: { points: number; duration: number; keyPrefix: string },
): RateLimiterAbstract {
  switch (store.kind) {
    case 'memory':
      return new RateLimiterMemory(options)
    case 'redis':
      return new RateLimiterRedis({ ...options, storeClient: store.client })
    case 'postgres':
      return new RateLimiterPostgres({
        ...options,
        storeClient: storeClientOf(store.db),
        storeType: 'pool',
        tableName: 'rate_limits',
        // The table belongs to our migrations, and has few rows: one per connection, limited operation and limit. Nothing to create or clear.
        tableCreated: true,
        clearExpiredByTimeout: false,
      })
  }
}

/** The library speaks node-postgres. Its expiry times may carry a fraction of a millisecond, which a bigint column refuses. */
function storeClientOf(db: LimitDb): object {
  return {
    query: async ({ text, values }: { text: string; values: unknown[] }) => {
      const rows = await db.query(text, values.map((value) => (typeof value === 'number' ? Math.round(value) : value))) // prettier-ignore
      return { rows, rowCount: rows.length }
    },
  }
}

// ── breaker ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Faults that say the vendor is not well. A refusal or a throttle is an answer, so it says the opposite. */
const HEALTH_FAULTS: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'vendor_timeout',
  'vendor_unreachable',
  'vendor_unavailable',
  'vendor_response_invalid',
  'outcome_unknown',
])
const FAILURES_MAX = 5
const OPEN_MS_MIN = 10_000
const OPEN_MS_MAX = 60_000

export interface BreakerState {
  failures: number
  open_until: Date | null
}

export interface Breaker {
  /** Throws `circuit_open` while open; for looking before a call's turn in the limit is spent. */
  check: () => void
  run: <T>(work: () => Promise<T>) => Promise<T>
}

/** How long the breaker stays open the n-th time in a row: 10 s, then twice as long each time, at most 60 s. */
export function openMs(timesInARow: number): number {
  return Math.min(OPEN_MS_MAX, OPEN_MS_MIN * 2 ** Math.max(0, timesInARow - 1))
}

/**
 * Stops calling a vendor that fails, so that a dead vendor costs nothing. After five faults in a row it opens; when its time is up
 * one call goes through as a trial. Each process learns by itself; `mirror` is told of every change, for the operator's screens.
 */
export function createBreaker(options: {
  connection_id: string
  now: () => Date
  mirror: (state: BreakerState) => void
}): Breaker {
  let timesInARow = 0
  let open_until: Date | null = null
  const policy = circuitBreaker(
    handleWhen((error) => error instanceof HubError && HEALTH_FAULTS.has(error.code)),
    {
      breaker: new ConsecutiveBreaker(FAILURES_MAX),
      halfOpenAfter: new DelegateBackoff(({ attempt }) => openMs(attempt)),
    },
  )
  policy.onBreak(() => {
    timesInARow += 1
    open_until = new Date(options.now().getTime() + openMs(timesInARow))
    options.mirror({ failures: timesInARow, open_until })
  })
  policy.onReset(() => {
    timesInARow = 0
    open_until = null
    options.mirror({ failures: 0, open_until })
  })
  const refused = (): HubError => {
    const retry_after_ms = Math.max(0, (open_until?.getTime() ?? 0) - options.now().getTime())
    return new HubError('circuit_open', `${options.connection_id} is not called for a while because it kept failing`, {
      retry_after_ms,
    })
  }
  return {
    check: () => {
      if (policy.state === CircuitState.Open && open_until !== null && open_until > options.now()) throw refused()
    },
    run: async (work) => {
      try {
        return await policy.execute(work)
      } catch (thrown) {
        throw thrown instanceof BrokenCircuitError ? refused() : thrown
      }
    },
  }
}

/** Writes a breaker's state where operators see it. Whether that worked must not matter to the call, so a fault goes to `onFault`. */
export function breakerMirror(
  db: LimitDb,
  connection_id: string,
  onFault: (thrown: unknown) => void,
): (state: BreakerState) => void {
  return ({ failures, open_until }) => {
    db.query(
      `insert into breakers (connection_id, failures, open_until, changed_at) values ($1, $2, $3, now())
       on conflict (connection_id) do update set failures = excluded.failures, open_until = excluded.open_until, changed_at = now()`,
      [connection_id, failures, open_until],
    ).catch(onFault)
  }
}
