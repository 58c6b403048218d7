import { setTimeout as sleep } from 'node:timers/promises'
import { asHubError, HubError, type ErrorCode } from '../core/errors.ts'
import { claimDue, recordResults, releaseClaims, releaseUnsent, type ClaimedLine } from '../core/availability/push.ts'
import type { AvailabilityLine, AvailabilityResult } from '../core/model/effects.ts'
import { takeExchanges } from '../connectors/_kit/exchanges.ts'
import { recordAttempt } from '../db/attempts.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import type { JobReporter } from './define.ts'
import { connectionState, failConnection } from './effectRows.ts'
import { connectionsToPush, wakePush } from './wake.ts'

export const PUSH_TIMEOUT_MS = 60_000
/** Longer than a job may run: nobody else sends for these listings meanwhile. */
const LEASE_MS = PUSH_TIMEOUT_MS + 30_000
const BATCHES_MAX = 200
/**
 * Batches of one connection that were not full begin this far apart. While orders pour in, the same listings are dirtied again and
 * again: a batch for every few of them costs more than the orders do, and the channel is told numbers that are old at once.
 */
export const PUSH_EVERY_MS = 100

interface PushCount {
  set: number
  stale: number
  refused: number
  missing: number
}

/** When the next batch of a connection may begin, on the process's own clock. Kept across jobs: a burst is a chain of many short ones. */
const paces = new WeakMap<Hub['connections'], Map<string, number>>()

function paceOf({ connections }: Hub): Map<string, number> {
  const present = paces.get(connections)
  if (present !== undefined) return present
  const fresh = new Map<string, number>()
  paces.set(connections, fresh)
  return fresh
}

/** The first batch of a quiet connection never waits. False when the job was stopped meanwhile. */
async function turnCame(hub: Hub, connectionId: string, signal: AbortSignal): Promise<boolean> {
  const wait = (paceOf(hub).get(connectionId) ?? 0) - performance.now()
  if (wait > 0) await sleep(wait, undefined, { signal }).catch(() => undefined)
  return !signal.aborted
}

/**
 * Tells one channel every number that is due, newest value at the moment of sending, until nothing is due. A lost compare is due again
 * at once and is sent in the next round with what the channel showed.
 */
export async function pushAvailability(hub: Hub, connectionId: string, reporter: JobReporter): Promise<string> {
  const connection = hub.connections.get(connectionId)
  const capability = connection?.connector.availability
  if (connection === undefined || capability === undefined) return `${connectionId} cannot be told what may be sold`
  const state = await connectionState(hub.db, connectionId)
  if (state !== 'active') return `${connectionId} is ${state ?? 'unknown'}; nothing is pushed`
  const total: PushCount = { set: 0, stale: 0, refused: 0, missing: 0 }
  for (let batch = 0; batch < BATCHES_MAX && (await turnCame(hub, connectionId, reporter.signal)); batch += 1) {
    const began = performance.now()
    const request = { connection_id: connectionId, limit: capability.batch_max, lease_ms: LEASE_MS }
    const claimed = await claimDue(hub.db, coreContext(hub), request)
    // A full batch would not get any fuller by waiting: a backlog is told without a pause.
    if (claimed.length < capability.batch_max) paceOf(hub).set(connectionId, began + PUSH_EVERY_MS)
    // Lines whose last push was refused travel by themselves: one that the channel cannot read would take the others with it again.
    const [suspect = [], clean = []] = [true, false].map((is) => claimed.filter((line) => line.is_suspect === is))
    for (const lines of [clean, suspect].filter(({ length }) => length > 0)) {
      const sent = await pushSifted(hub, connection, lines, reporter.signal)
      addCount(total, sent.count)
      if (sent.fault === undefined) continue
      if (lines === clean) await giveBack(hub, suspect, sent.fault)
      return afterFault(hub, connection, sent.fault, total)
    }
    // Also after a claim of nothing: it may have settled rows that were right already and left others for the next round.
    const more = await connectionsToPush(hub.db, [connectionId], hub.clock.now())
    if (more.length === 0) break
  }
  if (total.set > 0)
    await hub.db.query('update connections set last_pushed_at = $2 where id = $1', [connectionId, hub.clock.now()])
  return `told ${connectionId} ${sentenceOf(total)}`
}

/** Faults of the numbers themselves: the channel read the call and wanted none of it. A call that may have arrived is never among them. */
const REJECTED = new Set<ErrorCode>([
  'vendor_rejected',
  'vendor_not_found',
  'vendor_conflict',
  'payload_invalid',
  'payload_too_large',
  'mapping_broken',
  'bad_request',
])
/** Calls that one batch may cost while the line is looked for that spoils it. One bad line of 250 takes 17. */
const SIFT_CALLS_MAX = 64
/** Lines refused one by one, and nothing taken: then it is not the lines. */
const HOPELESS_AFTER = 8

interface Sent {
  count: PushCount
  fault?: HubError
}

/**
 * Sends a batch. One that the channel rejects as a whole is halved until the lines that spoil it are alone: those are refused with the
 * channel's words, all others go through. Bounded: what is left when the calls are used up is given back and is due again later.
 */
async function pushSifted(
  hub: Hub,
  connection: Connection,
  claimed: readonly ClaimedLine[],
  signal: AbortSignal,
): Promise<Sent> {
  const count: PushCount = { set: 0, stale: 0, refused: 0, missing: 0 }
  const open: (readonly ClaimedLine[])[] = [claimed]
  let last: HubError | undefined
  for (let calls = 0; ; calls += 1) {
    const lines = open.pop()
    if (lines === undefined) return { count }
    const isHopeless = count.refused >= HOPELESS_AFTER && count.set + count.stale === 0
    if (last !== undefined && (calls >= SIFT_CALLS_MAX || isHopeless || signal.aborted)) {
      await giveBack(hub, [...lines, ...open.flat()], last)
      return { count, fault: last }
    }
    const sent = await pushBatch(hub, connection, lines)
    addCount(count, sent.count)
    if (sent.fault === undefined) continue
    last = sent.fault
    if (!REJECTED.has(last.code)) {
      await giveBack(hub, open.flat(), last)
      return { count, fault: last }
    }
    // One line alone was refused with the fault and is written down; of more the first half is next.
    const half = Math.ceil(lines.length / 2)
    if (lines.length > 1) open.push(lines.slice(half), lines.slice(0, half))
  }
}

function addCount(total: PushCount, some: PushCount): void {
  for (const key of ['set', 'stale', 'refused', 'missing'] as const) total[key] += some[key]
}

/** Lines of which the channel has taken nothing: they were not sent, or turned away with others. */
async function giveBack(hub: Hub, lines: readonly ClaimedLine[], fault: HubError): Promise<void> {
  if (lines.length > 0) await inTransaction(hub.db, (tx) => releaseUnsent(tx, coreContext(hub), lines, fault))
}

async function pushBatch(hub: Hub, connection: Connection, claimed: readonly ClaimedLine[]): Promise<Sent> {
  const capability = connection.connector.availability
  if (capability === undefined) throw new HubError('unsupported', `${connection.id} cannot be told what may be sold`)
  const key = `${connection.id}:${hub.ids.uuid()}`
  const at = hub.clock.now()
  const started = performance.now()
  const log = (outcome: string, error?: HubError): Promise<void> =>
    recordAttempt(hub.db, {
      ...takeExchanges(),
      connection_id: connection.id,
      subject: `availability:${key}`,
      operation: 'push availability',
      at,
      duration_ms: performance.now() - started,
      outcome,
      status: error?.status,
      error_code: error?.code,
      request: {
        listings: claimed.length,
        lines: claimed.slice(0, 50).map(({ listing_id, quantity, expected }) => ({ listing_id, quantity, expected })),
      },
    })
  let results: AvailabilityResult[]
  try {
    results = await capability.push(connection.port, claimed.map(toLine), key)
  } catch (thrown) {
    const fault = asHubError(thrown)
    await log(fault.code === 'outcome_unknown' ? 'unknown' : 'failed', fault)
    if (!REJECTED.has(fault.code)) return { count: await recover(hub, connection, claimed, fault), fault }
    return { count: claimed.length === 1 ? await refuse(hub, claimed, fault) : NOTHING, fault }
  }
  const count = await inTransaction(hub.db, (tx) => recordResults(tx, coreContext(hub), claimed, results))
  await log(sentenceOf(count))
  return { count }
}

const NOTHING: PushCount = { set: 0, stale: 0, refused: 0, missing: 0 }

/** The channel wants none of a call with one line in it: that is an answer about the line. */
async function refuse(hub: Hub, claimed: readonly ClaimedLine[], { code, message }: HubError): Promise<PushCount> {
  const results = claimed.map(({ listing_id }) => {
    return { listing_id, outcome: 'refused' as const, code, detail: message }
  })
  return inTransaction(hub.db, (tx) => recordResults(tx, coreContext(hub), claimed, results))
}

/** What the connector sees of a claim: nothing of our bookkeeping. */
function toLine({ listing_id, channel_sku, external, quantity, expected }: ClaimedLine): AvailabilityLine {
  return { listing_id, channel_sku, external, quantity, expected }
}

/**
 * After a call without an answer. A channel that cannot compare is read back: showing the number proves it. One that compares is not:
 * there the same number may also be the outcome of sales that we have not seen, and giving the claim back reckons with both.
 */
async function recover(
  hub: Hub,
  connection: Connection,
  claimed: readonly ClaimedLine[],
  fault: HubError,
): Promise<PushCount> {
  const { availability } = connection.connector
  const proven =
    fault.code === 'outcome_unknown' && availability?.compare_and_set === false
      ? await readBack(connection, claimed)
      : new Set<number>()
  const settled = claimed.filter((line) => proven.has(line.listing_id))
  const open = claimed.filter((line) => !proven.has(line.listing_id))
  return inTransaction(hub.db, async (tx) => {
    const ctx = coreContext(hub)
    const results = settled.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const }))
    await releaseClaims(tx, ctx, open, fault)
    const count = await recordResults(tx, ctx, settled, results)
    if (fault.next === 'pause') await failConnection(tx, connection.id, fault, ctx.now)
    return count
  })
}

async function readBack(connection: Connection, claimed: readonly ClaimedLine[]): Promise<Set<number>> {
  const read = connection.connector.availability?.read
  if (read === undefined) return new Set()
  const wanted = new Map(claimed.map((line) => [line.listing_id, line.quantity]))
  try {
    const shown = await read(connection.port, claimed.map(toLine))
    return new Set(shown.filter((line) => wanted.get(line.listing_id) === line.quantity).map((line) => line.listing_id))
  } catch {
    // Not readable either: the outcome stays open and the claims are given back.
    return new Set()
  }
}

/** The rows carry their own next time. A job that fails is shown as failed, and the sweeper wakes the next one. */
async function afterFault(hub: Hub, connection: Connection, fault: HubError, total: PushCount): Promise<string> {
  if (fault.retry_after_ms === undefined) throw fault
  const wake = wakePush(connection.id)
  await hub.queues.add(wake.queue, wake.name, wake.data, { delay_ms: fault.retry_after_ms })
  return `told ${connection.id} ${sentenceOf(total)}; it asks to wait ${fault.retry_after_ms} ms (${fault.code})`
}

function sentenceOf(count: PushCount): string {
  const parts = (['set', 'stale', 'refused', 'missing'] as const)
    .filter((key) => count[key] > 0)
    .map((key) => `${count[key]} ${key}`)
  return parts.length === 0 ? 'nothing new' : parts.join(', ')
}
