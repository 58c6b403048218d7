import { STREAMS } from '../core/model/fact.ts'
import { EFFECTS, type EffectKind } from '../db/outbox.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import { announceDeadLetters, openDeadLetters, reconcileDeadLetters, type NewDeadLetter } from './deadLetters.ts'
import type { QueueName } from './define.ts'
import { canPull } from './pull.ts'
import { relayDue } from './relay.ts'
import { connectionsToPush, forceAll, wakeDrain, wakePush, type Wake } from './wake.ts'

const SWEEP_EVERY_MS = 1_000
/** Younger rows have a wake-up of their own on the way. */
const OVERDUE_MS = 2_000
const DRAIN_ALIVE_MS = 6_000
/** The same thing is not woken again before this: its job may simply be waiting for a free slot. */
const WAKE_AGAIN_AFTER_MS = 3_000
/** A queue with this much waiting has no lack of wake-ups. */
const WAITING_MAX = 200
/** After a wipe nothing is polled before this; a schedule that is there costs one look. */
const SCHEDULES_EVERY_MS = 10_000
const MATCH_EVERY_MS = 60_000
const BREAKS_EVERY_MS = 180_000
const POST_EVERY_MS = 60_000
const EXPIRE_EVERY_MS = 15_000
const BACKFILL_EVERY_MS = 15_000
const WAKE_MISSED_EVERY_MS = 30_000
const PARTNERS_EVERY_MS = 5_000
const ALLOCATE_WAITING_EVERY_MS = 30_000
const TRUST_EVERY_MS = 30_000
const MEASURE_EVERY_MS = 30_000
const REASSERT_EVERY_MS = 60_000
const READ_BACK_EVERY_MS = 60_000
const FORGET_EVERY_MS = 3_600_000
const EXPIRED_LOTS_EVERY_MS = 60_000
/** The finest pace at which stock can be told; each company has its own. */
const ERP_STOCK_EVERY_MS = 5_000
const ERP_CATCH_UP_EVERY_MS = 5 * 60_000
const PRUNE_EVERY_MS = 3_600_000
const SELF_TEST_EVERY_MS = 86_400_000

/** What the sweeper remembers between its rounds: nothing that may not be forgotten. */
export interface SweepMemory {
  wokenAt: Map<string, number>
  scheduledAt: number
}

export interface Swept {
  woken: number
  groups: number
  recovered: number
  sentence: string
}

export interface Sweeper {
  /** Starts no further round and waits for the one that runs. */
  close: () => Promise<void>
}

export const newSweep = (): SweepMemory => ({ wokenAt: new Map(), scheduledAt: Number.NEGATIVE_INFINITY })

/**
 * Re-drives, in every worker process, whatever is due and has no job: this is what makes the queue expendable. It runs outside the
 * queue, because a wiped queue cannot wake itself.
 */
export function startSweeper(hub: Hub, options: { every_ms?: number } = {}): Sweeper {
  const memory = newSweep()
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= sweepOnce(hub, memory)
      .then(
        () => undefined,
        (thrown: unknown) => hub.log.warn({ reason: String(thrown) }, 'a sweep failed; the next one follows'),
      )
      .finally(() => {
        running = undefined
      })
  }, options.every_ms ?? SWEEP_EVERY_MS)
  return {
    close: async () => {
      clearInterval(timer)
      await running
    },
  }
}

/** One round. Two processes that sweep at once only wake twice. */
export async function sweepOnce(hub: Hub, memory: SweepMemory): Promise<Swept> {
  const recovered = await recoverLeases(hub)
  const groups = await relayDue(hub)
  const wakes = [...(await overdueDrains(hub)), ...(await overduePushes(hub))]
  const woken = await wakeOverdue(hub, memory, wakes)
  const now = hub.clock.now().getTime()
  if (now - memory.scheduledAt >= SCHEDULES_EVERY_MS) {
    memory.scheduledAt = now
    await upsertSchedules(hub)
    await reconcileDeadLetters(hub)
  }
  return {
    woken,
    groups,
    recovered,
    sentence: `woke ${woken}, relayed ${groups} group(s), took back ${recovered} effect(s)`,
  }
}

/** Connections with rows that are due for a while and that no living run is draining. */
async function overdueDrains(hub: Hub): Promise<Wake[]> {
  const now = hub.clock.now()
  const rows = await hub.db.query<{ id: string }>(
    `select c.id from unnest($1::text[]) as c (id)
     where exists (select 1 from inbox where connection_id = c.id and state = 'pending' and next_attempt_at <= $2)
       and not exists (select 1 from drain_runs r where r.connection_id = c.id and r.run_id is not null and r.alive_at > $3)`,
    [[...hub.connections.keys()], earlier(now, OVERDUE_MS), earlier(now, DRAIN_ALIVE_MS)],
  )
  return rows.map((row) => wakeDrain(row.id))
}

/** Units held back for unseen sales are given up by a claim, so those connections need one too. */
async function overduePushes(hub: Hub): Promise<Wake[]> {
  const now = hub.clock.now()
  const channels = [...hub.connections.values()].filter(
    ({ connector, config }) => connector.availability !== undefined && config.availability.push,
  )
  const ids = channels.map((connection) => connection.id)
  if (ids.length === 0) return []
  const due = await connectionsToPush(hub.db, ids, now)
  const held = await hub.db.query<{ connection_id: string }>(
    `select distinct connection_id from availability where unseen > 0 and unseen_until <= $1 and connection_id = any($2)`,
    [now, ids],
  )
  return [...new Set([...due, ...held.map((row) => row.connection_id)])].map(wakePush)
}

async function wakeOverdue(hub: Hub, memory: SweepMemory, wakes: readonly Wake[]): Promise<number> {
  const now = hub.clock.now().getTime()
  for (const [key, at] of memory.wokenAt) if (now - at >= WAKE_AGAIN_AFTER_MS) memory.wokenAt.delete(key)
  const fresh = wakes.filter((wake) => !memory.wokenAt.has(wake.key))
  if (fresh.length === 0) return 0
  const counts = await hub.queues.counts()
  const chosen = fresh.filter((wake) => (counts[wake.queue]['waiting'] ?? 0) < WAITING_MAX)
  for (const wake of chosen) memory.wokenAt.set(wake.key, now)
  await forceAll(hub, chosen)
  return chosen.length
}

interface LostEffect {
  id: number
  connection_id: string
  kind: EffectKind
  attempts: number
  was: 'queued' | 'sending'
}

/**
 * Effects whose job got lost are due again. One that was being sent when its process died may have arrived: the next attempt looks
 * first. One that used up its attempts in this way kills processes, and waits for a person.
 */
async function recoverLeases(hub: Hub): Promise<number> {
  const now = hub.clock.now()
  const patient = await kindsWithBacklog(hub, now)
  const { lost, dead } = await inTransaction(hub.db, async (tx) => {
    const found = await tx.query<LostEffect>(
      `select id, connection_id, kind, attempts, state as was from outbox
       where lease_until < $1 and (state = 'sending' or (state = 'queued' and kind <> all($2)))
       order by id limit 1000 for update skip locked`,
      [now, patient],
    )
    if (found.length === 0) return { lost: found, dead: [] }
    const spent = found.filter(
      (effect) => effect.was === 'sending' && effect.attempts >= EFFECTS[effect.kind].attempts_max,
    )
    await tx.query(
      `update outbox set state = case when id = any($2) then 'dead' else 'pending' end, lease_until = null, next_attempt_at = $3,
              unknown_outcome = unknown_outcome or state = 'sending',
              error_code = case when id = any($2) then 'poison' else error_code end
       where id = any($1)`,
      // Retries are relayed only after a grace in which their own delayed job may come; these have none.
      [found.map((effect) => effect.id), spent.map((effect) => effect.id), earlier(now, OVERDUE_MS)],
    )
    const letters = spent.map((effect): NewDeadLetter => ({
      connection_id: effect.connection_id,
      source: 'outbox',
      source_id: effect.id,
      kind: effect.kind,
      code: 'poison',
      detail: `the process died in each of ${effect.attempts} attempts`,
    }))
    return { lost: found, dead: await openDeadLetters(tx, letters, now) }
  })
  await announceDeadLetters(hub, dead)
  return lost.length
}

/** A group that waits long in a long queue has lost nothing; after a wipe its queue would be empty. */
async function kindsWithBacklog(hub: Hub, now: Date): Promise<EffectKind[]> {
  const kinds = await hub.db.query<{ kind: EffectKind }>(
    `select distinct kind from outbox where state = 'queued' and lease_until < $1`,
    [now],
  )
  if (kinds.length === 0) return []
  const counts = await hub.queues.counts()
  return kinds.map((row) => row.kind).filter((kind) => (counts[EFFECTS[kind].queue]['waiting'] ?? 0) >= WAITING_MAX)
}

const earlier = (now: Date, ms: number): Date => new Date(now.getTime() - ms)

// ── schedules ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Schedule {
  queue: QueueName
  name: string
  key: string
  every_ms: number
  data: object
}

/** Where the configuration names no pace. Webhooks are the fast path; polling repairs what they missed. */
const DEFAULT_SECONDS = {
  orders: 300,
  payments: 900,
  listings: 3_600,
  settlements: 3_600,
  notifications: 5,
  items: 3_600,
  stock: 900,
  shipments: 300,
  tracking: 3_600,
  returns: 900,
  reports: 3_600,
  files: 30,
} as const

/** Creates what is missing, corrects what has changed: after the queue was wiped this brings every repeating job back. */
async function upsertSchedules(hub: Hub): Promise<void> {
  const hasErp = hub.config.companies.some(({ erp }) => erp !== undefined)
  const schedules = [
    ...[...hub.connections.values()].flatMap(schedulesOf),
    ...HUB_SCHEDULES,
    ...(hasErp ? ERP_SCHEDULES : []),
  ]
  for (const { queue, name, key, every_ms, data } of schedules)
    await hub.queues.schedule(queue, name, key, every_ms, data)
}

/** What repeats where a company has an ERP. */
const ERP_SCHEDULES: readonly Schedule[] = [
  { queue: 'maintenance', name: 'erp_stock', key: 'maintenance-erp-stock', every_ms: ERP_STOCK_EVERY_MS, data: {} },
  {
    queue: 'maintenance',
    name: 'erp_catch_up',
    key: 'maintenance-erp-catch-up',
    every_ms: ERP_CATCH_UP_EVERY_MS,
    data: {},
  },
]

/** What repeats whatever is connected. */
const HUB_SCHEDULES: readonly Schedule[] = [
  { queue: 'settlement', name: 'match', key: 'settlement-match', every_ms: MATCH_EVERY_MS, data: {} },
  { queue: 'settlement', name: 'breaks', key: 'settlement-breaks', every_ms: BREAKS_EVERY_MS, data: {} },
  { queue: 'settlement', name: 'post', key: 'settlement-post', every_ms: POST_EVERY_MS, data: {} },
  { queue: 'maintenance', name: 'expire', key: 'maintenance-expire', every_ms: EXPIRE_EVERY_MS, data: {} },
  { queue: 'maintenance', name: 'backfill', key: 'maintenance-backfill', every_ms: BACKFILL_EVERY_MS, data: {} },
  {
    queue: 'maintenance',
    name: 'wake_missed',
    key: 'maintenance-wake-missed',
    every_ms: WAKE_MISSED_EVERY_MS,
    data: {},
  },
  {
    queue: 'maintenance',
    name: 'allocate_waiting',
    key: 'maintenance-allocate-waiting',
    every_ms: ALLOCATE_WAITING_EVERY_MS,
    data: {},
  },
  { queue: 'maintenance', name: 'partners', key: 'maintenance-partners', every_ms: PARTNERS_EVERY_MS, data: {} },
  { queue: 'maintenance', name: 'trust', key: 'maintenance-trust', every_ms: TRUST_EVERY_MS, data: {} },
  { queue: 'maintenance', name: 'measure', key: 'maintenance-measure', every_ms: MEASURE_EVERY_MS, data: {} },
  { queue: 'maintenance', name: 'reassert', key: 'maintenance-reassert', every_ms: REASSERT_EVERY_MS, data: {} },
  {
    queue: 'maintenance',
    name: 'expired_lots',
    key: 'maintenance-expired-lots',
    every_ms: EXPIRED_LOTS_EVERY_MS,
    data: {},
  },
  { queue: 'maintenance', name: 'prune', key: 'maintenance-prune', every_ms: PRUNE_EVERY_MS, data: {} },
  {
    queue: 'maintenance',
    name: 'forget_people',
    key: 'maintenance-forget-people',
    every_ms: FORGET_EVERY_MS,
    data: {},
  },
]

/** Pure: the repeating jobs that one connection asks for. */
export function schedulesOf({ id, connector, config }: Pick<Connection, 'id' | 'connector' | 'config'>): Schedule[] {
  const pulls = STREAMS.filter((stream) => canPull(connector, stream)).map((stream): Schedule => {
    const seconds = config.pull[`${stream}_every_seconds`] ?? DEFAULT_SECONDS[stream]
    return {
      queue: 'pull',
      name: 'pull',
      key: `pull-${id}-${stream}`,
      every_ms: seconds * 1_000,
      data: { connection_id: id, stream },
    }
  })
  const readable = connector.availability?.read !== undefined && config.availability.push
  const data = { connection_id: id }
  const reads: Schedule[] = readable
    ? [{ queue: 'availability', name: 'read_back', key: `read-back-${id}`, every_ms: READ_BACK_EVERY_MS, data }]
    : []
  const tests: Schedule[] =
    connector.selfTest === undefined
      ? []
      : [{ queue: 'pull', name: 'self_test', key: `self-test-${id}`, every_ms: SELF_TEST_EVERY_MS, data }]
  if (connector.files === undefined) return [...pulls, ...reads, ...tests]
  const seconds = config.pull.files_every_seconds ?? DEFAULT_SECONDS.files
  return [
    ...pulls,
    ...reads,
    ...tests,
    { queue: 'files', name: 'read', key: `files-${id}`, every_ms: seconds * 1_000, data: { connection_id: id } },
  ]
}
