import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { QUEUES } from '../queues/define.ts'
import type { Hub } from '../hub.ts'

export interface Metrics {
  registry: Registry
  /** Counted where it happens: the only figure that is not read from the database. */
  webhooks: Counter<'connection' | 'result'>
  /** Brings every gauge up to date. Called once for each scrape. */
  collect: () => Promise<void>
}

const LAG_BUCKETS_S = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900]

/** Gauges that are one grouped count each: the columns of the statement are the labels and `value`. */
const GAUGES: readonly { name: string; help: string; labels: readonly string[]; sql: string }[] = [
  {
    name: 'crossdock_inbox_rows',
    help: 'Messages that wait (pending) or need a fix (parked).',
    labels: ['connection', 'state'],
    sql: `select connection_id as connection, state, count(*)::int as value from inbox where state = 'pending' group by 1, 2
          union all select connection_id, state, count(*)::int from inbox where state = 'parked' group by 1, 2`,
  },
  {
    name: 'crossdock_outbox_due',
    help: 'Effects that are due and have not left.',
    labels: ['connection'],
    sql: `select connection_id as connection, count(*)::int as value from outbox where state = 'pending' and next_attempt_at <= $1 group by 1`,
  },
  {
    name: 'crossdock_dead_letters_open',
    help: 'What the hub gave up on and nobody has decided yet.',
    labels: ['connection', 'source'],
    sql: `select connection_id as connection, source, count(*)::int as value from dead_letters where state = 'open' group by 1, 2`,
  },
  {
    name: 'crossdock_availability_due',
    help: 'Listings whose number has moved and has not been told to the channel.',
    labels: ['connection'],
    sql: `select connection_id as connection, count(*)::int as value from availability where due group by 1`,
  },
  {
    name: 'crossdock_availability_oldest_seconds',
    help: 'Age of the oldest of them.',
    labels: ['connection'],
    sql: `select connection_id as connection, greatest(0, extract(epoch from $1::timestamptz - min(dirty_at)))::float8 as value
          from availability where due group by 1`,
  },
  {
    name: 'crossdock_connection_active',
    help: '1 for a connection that works, 0 for one that is paused or failing.',
    labels: ['connection', 'state'],
    sql: `select id as connection, state, (state = 'active')::int as value from connections where connector <> 'internal'`,
  },
]

/** Every figure of the hub in a registry of its own, so that two servers in one process do not meet. */
export function createMetrics(hub: Hub): Metrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const webhooks = new Counter({
    name: 'crossdock_webhooks_total',
    help: 'Deliveries by how they ended.',
    labelNames: ['connection', 'result'] as const,
    registers,
  })
  const lag = new Histogram({
    name: 'crossdock_push_lag_seconds',
    help: 'From the moment a number moved to the proof that the channel shows it; pushes proven since the scrape before.',
    labelNames: ['connection'] as const,
    buckets: LAG_BUCKETS_S,
    registers,
  })
  const queues = new Gauge({
    name: 'crossdock_queue_jobs',
    help: 'Jobs by queue and state.',
    labelNames: ['queue', 'state'] as const,
    registers,
  })
  const gauges = GAUGES.map(({ sql, ...row }) => ({
    sql,
    gauge: new Gauge({ ...row, labelNames: [...row.labels], registers }),
    labels: row.labels,
  }))
  let observedUntil = hub.clock.now()
  return {
    registry,
    webhooks,
    collect: async () => {
      const now = hub.clock.now()
      await Promise.all([
        ...gauges.map(async ({ sql, gauge, labels }) =>
          fill(gauge, labels, await hub.db.query<GaugeRow>(sql, sql.includes('$1') ? [now] : [])),
        ),
        observeLag(hub, lag, observedUntil, now),
        countJobs(hub, queues),
      ])
      observedUntil = now
    },
  }
}

type GaugeRow = Record<string, string | number>

/** A connection that has nothing left must not keep its last value. */
function fill(gauge: Gauge, labels: readonly string[], rows: readonly GaugeRow[]): void {
  gauge.reset()
  for (const row of rows)
    gauge.set(Object.fromEntries(labels.map((label) => [label, String(row[label])])), Number(row['value']))
}

/** Read from the proofs themselves, because they may have been made by other processes. */
async function observeLag(hub: Hub, lag: Histogram<'connection'>, since: Date, until: Date): Promise<void> {
  const rows = await hub.db.query<{ connection_id: string; seconds: number }>(
    `select connection_id, extract(epoch from proven_at - dirty_at)::float8 as seconds from availability
     where proven_at > $1 and proven_at <= $2 and proven_at >= dirty_at and dirty_seq <= sent_seq`,
    [since, until],
  )
  for (const row of rows) lag.observe({ connection: row.connection_id }, row.seconds)
}

/** A queue that does not answer must not take the other figures with it. */
async function countJobs(hub: Hub, gauge: Gauge<'queue' | 'state'>): Promise<void> {
  gauge.reset()
  try {
    for (const [queue, counts] of Object.entries(await hub.queues.counts())) {
      if (!Object.hasOwn(QUEUES, queue)) continue
      for (const [state, count] of Object.entries(counts)) gauge.set({ queue, state }, count)
    }
  } catch (thrown) {
    hub.log.warn({ reason: thrown instanceof Error ? thrown.name : 'unknown' }, 'the queues could not be counted')
  }
}
