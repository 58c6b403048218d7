import { HubError, asHubError } from '../core/errors.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import type { JobReporter } from './define.ts'
import { announceDeadLetters } from './deadLetters.ts'
import {
  applyNext,
  applyRows,
  claimDueRows,
  claimRow,
  finishFailedRow,
  type BatchEnd,
  type InboxRow,
} from './drainBatch.ts'
import { beginRun, countRowDeath, endRun, type CarefulRows, type DrainRun } from './drainRun.ts'
import { PUSH_EVERY_MS } from './push.ts'
import { relayDue } from './relay.ts'
import { wakeAll, wakePull, wakePushes, type Wake } from './wake.ts'

const BATCH_MIN = 20
const BATCH_START = 50
const BATCH_MAX = 400
/** Two lanes: while PostgreSQL commits one batch, Node maps the next. More gained nothing on two cores. */
const LANES = 2
/** A drain gives its slot back after this; what is left is woken again, so that busy connections do not keep others waiting. */
const SLICE_MS = 500
/** Rows that are taken one by one, because a process died, are not interrupted for others so soon: the cause is among them. */
const CAREFUL_SLICE_MS = 20_000
/** After a death, as many rows as the dead run can have had in its hands are taken one by one. */
const CAREFUL_ROWS = LANES * BATCH_MAX
/**
 * A row during which the process died this often, alone, is the cause. Twice happens by chance to a row under twenty kills from outside
 * (a release, the system's memory running out), and it would wait for a person for nothing.
 */
const POISON_DEATHS = 3
/** A process that has not lived so long may be dying of something else, in a row, and would blame whatever it has in its hands. */
const SUSPECTS_AFTER_MS = 5_000
/** Channels hear of moved stock at most this often while a long drain runs. */
const PUSH_WAKE_EVERY_MS = PUSH_EVERY_MS

export interface DrainResult {
  drained: number
  parked: number
  /** `busy`: another run is at it. `more`: the time slice ended before the rows did. */
  ended: 'empty' | 'busy' | 'more' | 'unknown_connection'
  sentence: string
}

interface Drain {
  hub: Hub
  connection: Connection
  run: DrainRun
  reporter: JobReporter
  deadline: number
  byTopic: Map<string, number>
  parked: number
  pushesWokenAt: number
}

/**
 * Empties the inbox of one connection: batches in transactions of their own until nothing is due. Every row ends as done, ignored or
 * parked with its cause; one that breaks its batch is isolated. Throws only when the database is gone; what is left stays due.
 */
export async function drainConnection(
  hub: Hub,
  connectionId: string,
  reporter: JobReporter,
  options: { suspects_after_ms?: number } = {},
): Promise<DrainResult> {
  const connection = hub.connections.get(connectionId)
  if (connection === undefined)
    return nothing('unknown_connection', `${connectionId} is not configured; its messages wait`)
  const run = await beginRun(hub, connectionId)
  if (run === undefined) return nothing('busy', `${connectionId} is being drained already`)
  const drain: Drain = {
    hub,
    connection,
    run,
    reporter,
    deadline: 0,
    byTopic: new Map(),
    parked: 0,
    pushesWokenAt: 0,
  }
  try {
    const empty = await drainAll(drain, options.suspects_after_ms ?? SUSPECTS_AFTER_MS)
    return resultOf(drain, empty ? 'empty' : 'more')
  } finally {
    await endRun(hub, run)
    await afterCommit(drain, 'last')
  }
}

/**
 * True when nothing is due any more. Suspects come last, in a process that has lived for a while: what kills must not keep the rest
 * waiting, and what only was there when a process died is not there by chance again. Those that wait are found by the sweeper.
 */
async function drainAll(drain: Drain, suspectsAfterMs: number): Promise<boolean> {
  if (drain.run.deaths > 0)
    drain.reporter.log(`${drain.run.deaths} earlier run(s) died with their process: rows are taken one by one`)
  const empty = (drain.run.deaths > 0 && (await carefulLane(drain, 'fresh', CAREFUL_ROWS))) || (await fastLanes(drain))
  if (!empty || performance.now() < suspectsAfterMs) return empty
  return carefulLane(drain, 'suspect', Number.POSITIVE_INFINITY)
}

async function fastLanes(drain: Drain): Promise<boolean> {
  drain.deadline = performance.now() + SLICE_MS
  const lanes = await Promise.allSettled(Array.from({ length: LANES }, () => lane(drain)))
  const failed = lanes.find((result) => result.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return lanes.every((result) => result.status === 'fulfilled' && result.value)
}

const timeIsUp = (drain: Drain): boolean => drain.reporter.signal.aborted || performance.now() > drain.deadline

/** True when nothing is due any more. The batch grows while there is a backlog and shrinks again, so that a lone order is not kept waiting. */
async function lane(drain: Drain): Promise<boolean> {
  let limit = BATCH_START
  while (!timeIsUp(drain)) {
    const taken = await drainBatch(drain, limit)
    if (taken === 0) return true
    limit = taken === limit ? Math.min(BATCH_MAX, limit * 2) : Math.max(BATCH_MIN, taken)
    await afterCommit(drain, 'between')
  }
  return false
}

async function drainBatch(drain: Drain, limit: number): Promise<number> {
  const { hub, connection } = drain
  let rows: InboxRow[] = []
  try {
    const end = await inTransaction(hub.db, async (tx) => {
      rows = await claimDueRows(tx, connection.id, hub.clock.now(), limit)
      return rows.length === 0 ? undefined : applyNext(tx, hub, connection, rows)
    })
    if (end === undefined) return 0
    if ('each' in end) return await drainEach(drain, end.each)
    await settle(drain, end)
    return end.ends.length
  } catch (thrown) {
    if (asHubError(thrown).code === 'database_unavailable') throw thrown
    hub.log.error(
      { connection: connection.id, rows: rows.length, err: thrown },
      'a batch failed; its rows are taken one by one',
    )
    for (const row of rows) await drainRow(drain, row.id)
  }
  return rows.length
}

/** At least one, however late it is: a drain that never gets on would be woken for ever. */
async function drainEach(drain: Drain, ids: readonly number[]): Promise<number> {
  let taken = 0
  for (const id of ids) {
    await drainRow(drain, id)
    taken += 1
    if (timeIsUp(drain)) break
  }
  return taken
}

/** One row in a transaction of its own; when even that fails, the row itself is the cause and is parked or put off. */
async function drainRow(drain: Drain, id: number): Promise<void> {
  const { hub, connection } = drain
  try {
    const end = await inTransaction(hub.db, async (tx) => {
      const rows = await claimRow(tx, id)
      return rows.length === 0 ? undefined : applyRows(tx, hub, connection, rows)
    })
    if (end !== undefined) await settle(drain, end)
  } catch (thrown) {
    if (asHubError(thrown).code === 'database_unavailable') throw thrown
    hub.log.error({ connection: connection.id, inbox_id: id, err: thrown }, 'a message could not be applied')
    const end = await inTransaction(hub.db, async (tx) => {
      const [row] = await claimRow(tx, id)
      return row === undefined ? undefined : finishFailedRow(tx, hub, row, thrown)
    })
    if (end !== undefined) await settle(drain, end)
  }
}

/** The attempt is committed before the row is worked on, so that a process that dies of it leaves a trace that counts. */
async function carefulLane(drain: Drain, which: CarefulRows, rowsMax: number): Promise<boolean> {
  drain.deadline = performance.now() + CAREFUL_SLICE_MS
  for (let taken = 0; taken < rowsMax && !timeIsUp(drain); taken += 1) {
    const row = await countRowDeath(drain.hub, drain.connection.id, which)
    if (row === undefined) return true
    if (row.deaths > POISON_DEATHS) await parkPoison(drain, row.id)
    else await drainRow(drain, row.id)
  }
  return false
}

async function parkPoison(drain: Drain, id: number): Promise<void> {
  const { hub } = drain
  const error = new HubError('poison', `the process died ${POISON_DEATHS} times while this message was worked on`, {
    hint: 'fix what kills the process, then replay the dead letter',
  })
  const end = await inTransaction(hub.db, async (tx) => {
    const [row] = await claimRow(tx, id)
    return row === undefined ? undefined : finishFailedRow(tx, hub, row, error)
  })
  if (end !== undefined) await settle(drain, end)
}

/** What may only happen once the batch is committed. A pull that gets lost here is made good by the next scheduled one. */
async function settle(drain: Drain, end: BatchEnd): Promise<void> {
  for (const { row, state } of end.ends) {
    if (state === 'parked') drain.parked += 1
    if (state === 'done' || state === 'ignored') drain.byTopic.set(row.topic, (drain.byTopic.get(row.topic) ?? 0) + 1)
  }
  const pulls = new Map<string, Wake>()
  for (const { connection_id, signal } of end.signals) {
    const wake = wakePull(connection_id, signal.stream)
    pulls.set(wake.key, wake)
  }
  await wakeAll(drain.hub, [...pulls.values()])
  await announceDeadLetters(drain.hub, end.dead)
  const received = Math.max(...end.ends.map(({ row }) => row.received_at.getTime()))
  if (Number.isFinite(received))
    drain.run.lastReceivedAt = new Date(Math.max(received, drain.run.lastReceivedAt?.getTime() ?? 0))
}

async function afterCommit(drain: Drain, moment: 'between' | 'last'): Promise<void> {
  if (moment === 'between' && performance.now() - drain.pushesWokenAt < PUSH_WAKE_EVERY_MS) return
  drain.pushesWokenAt = performance.now()
  try {
    await wakePushes(drain.hub)
    if (moment === 'last') await relayDue(drain.hub)
  } catch (thrown) {
    drain.hub.log.warn({ reason: String(thrown) }, 'channels and effects were not woken; the sweeper will do it')
  }
}

function nothing(ended: DrainResult['ended'], sentence: string): DrainResult {
  return { drained: 0, parked: 0, ended, sentence }
}

/** `1 order`, `238 orders`, `3 stock`: topics are words of the trade, and the board is read by people. */
const countable = (topic: string, count: number): string =>
  count === 1 || topic === 'stock' ? topic.replaceAll('_', ' ') : `${topic.replaceAll('_', ' ')}s`

function resultOf(drain: Drain, ended: 'empty' | 'more'): DrainResult {
  const drained = [...drain.byTopic.values()].reduce((sum, count) => sum + count, 0)
  const topics = [...drain.byTopic]
    .toSorted(([, a], [, b]) => b - a)
    .map(([topic, count]) => `${count} ${countable(topic, count)}`)
  const what = topics.length === 0 ? 'nothing' : topics.slice(0, 5).join(', ')
  const tail = [drain.parked > 0 ? `${drain.parked} parked` : '', ended === 'more' ? 'more to come' : ''].filter(
    (part) => part !== '',
  )
  return {
    drained,
    parked: drain.parked,
    ended,
    sentence: [`drained ${what} of ${drain.connection.id}`, ...tail].join(', '),
  }
}
