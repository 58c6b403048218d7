import { takeExchanges } from '../connectors/_kit/exchanges.ts'
import { asHubError, HubError } from '../core/errors.ts'
import { lockEffectOrders } from '../core/fulfillment/requests.ts'
import type { EffectResult } from '../core/model/effects.ts'
import { recordAttempt } from '../db/attempts.ts'
import { EFFECTS } from '../db/outbox.ts'
import { inTransaction } from '../db/transaction.ts'
import type { Connection, Hub } from '../hub.ts'
import type { JobReporter } from './define.ts'
import { announceDeadLetters } from './deadLetters.ts'
import {
  bindEffect,
  leadsOn,
  noteCalledOff,
  noteDead,
  noteDone,
  type BoundEffect,
  type DeadEffect,
  type DoneEffect,
} from './effectBodies.ts'
import {
  claimGroup,
  connectionState,
  failConnection,
  finishCancelled,
  finishDone,
  finishFault,
  leavesDoubt,
  unqueueGroup,
  type ClaimedEffect,
  type EffectEnd,
} from './effectRows.ts'
import { relayDue } from './relay.ts'

/** Longer than a job may run with its grace: while this lasts nobody else takes the group. */
export const EFFECT_TIMEOUT_MS = 60_000
const LEASE_MS = EFFECT_TIMEOUT_MS + 30_000
/** A delayed job must not look a moment before its rows are due. */
const DELAY_SLACK_MS = 25

export interface GroupRef {
  connection_id: string
  batch_key: string
}

/** How one attempt went, before anything is written down. */
type Attempt =
  | { kind: 'answered'; results: ReadonlyMap<number, EffectResult> }
  | { kind: 'confirmed' }
  | { kind: 'failed'; error: HubError }

/**
 * One attempt at telling a vendor one group of effects: claim (committed), read back when an earlier attempt ended without an answer,
 * call outside any transaction, write the outcome down under the fence. Returns the board's sentence.
 */
export async function runEffects(hub: Hub, group: GroupRef, reporter: JobReporter): Promise<string> {
  const connection = hub.connections.get(group.connection_id)
  const state = await connectionState(hub.db, group.connection_id)
  if (connection === undefined || state !== 'active') {
    await unqueueGroup(hub.db, group)
    return `${group.batch_key} waits: ${group.connection_id} is ${connection === undefined ? 'not configured' : (state ?? 'unknown')}`
  }
  const rows = await claimGroup(hub.db, group, hub.clock.now(), LEASE_MS)
  if (rows.length === 0) {
    // What is queued and was not free is due again with the next relay.
    await unqueueGroup(hub.db, group)
    return `${group.batch_key} has nothing due: it left already, waits for its time or is being changed`
  }
  const bound = await bindEffect(hub, connection, rows).catch((thrown: unknown) => asHubError(thrown))
  if (bound instanceof HubError) return notLoaded(hub, connection, { group, rows, error: bound, reporter })
  const present = rows.filter((row) => bound.ids.has(row.id))
  const ends = [
    ...(await endUntold(
      hub,
      connection,
      rows.filter((row) => !bound.ids.has(row.id)),
      bound.silent,
    )),
    ...(present.length === 0 ? [] : await attemptGroup(hub, connection, present, bound)),
  ]
  await settle(hub, group, rows, ends)
  return sentenceOf(group, ends, reporter)
}

/** The vendor was not called: what could not be read is the hub's own fault. A database that is gone leaves the group to its lease. */
async function notLoaded(
  hub: Hub,
  connection: Connection,
  failed: { group: GroupRef; rows: readonly ClaimedEffect[]; error: HubError; reporter: JobReporter },
): Promise<string> {
  if (failed.error.code === 'database_unavailable') throw failed.error
  const ends = await writeDown(hub, connection, failed.rows, { kind: 'failed', error: failed.error })
  await settle(hub, failed.group, failed.rows, ends)
  return sentenceOf(failed.group, ends, failed.reporter)
}

const SILENT = {
  external_id: null,
  silent: 'this parcel completes no unit of any line; its tracking number leaves with the one that does',
}

/** Effects of which there is nothing to tell: ids whose documents are gone, and parcels that another one speaks for. */
async function endUntold(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
  silent: ReadonlySet<number>,
): Promise<EffectEnd[]> {
  if (rows.length === 0) return []
  const now = hub.clock.now()
  return inTransaction(hub.db, async (tx) => {
    await lockEffectOrders(tx, connection.config.company, idsOf(rows))
    const ends: EffectEnd[] = []
    for (const row of rows) {
      const end = silent.has(row.id)
        ? await finishDone(tx, row, SILENT, now)
        : await finishCancelled(tx, row, 'taken back before it left')
      ends.push(end)
    }
    const off = new Set(ends.flatMap(({ id, end }) => (end === 'cancelled' ? id : [])))
    await noteCalledOff(tx, hub, rows.filter(({ id }) => off.has(id))) // prettier-ignore
    return ends
  })
}

const idsOf = (rows: readonly ClaimedEffect[]): number[] => rows.map((row) => row.id)

async function attemptGroup(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
  bound: BoundEffect,
): Promise<EffectEnd[]> {
  const { attempt, settled } = await callVendor(hub, connection, rows, bound)
  // What the read-back settled is no longer unknown, whatever happened after it.
  const known = settled ? rows.map((row) => ({ ...row, unknown_outcome: false })) : rows
  return writeDown(hub, connection, known, attempt)
}

async function callVendor(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
  bound: BoundEffect,
): Promise<{ attempt: Attempt; settled: boolean }> {
  const [first] = rows
  const key = first?.batch_key ?? ''
  let settled = false
  try {
    if (bound.confirm !== undefined && rows.some((row) => row.unknown_outcome)) {
      const log = { hub, connection, operation: `confirm ${bound.kind}`, key }
      const verdict = await logged(log, bound.confirm, (answer): string =>
        typeof answer === 'string' ? answer : countOutcomes(answer),
      )
      if (verdict === 'done') return { attempt: { kind: 'confirmed' }, settled: true }
      if (typeof verdict !== 'string') return { attempt: answered(verdict), settled: true }
      if (verdict === 'unknown')
        throw new HubError('outcome_unknown', 'whether the last call arrived cannot be told yet')
      settled = true
    }
    const log = { hub, connection, operation: `send ${bound.kind}`, key }
    const results = await logged(log, () => bound.send(hub.clock.now()), countOutcomes)
    return { attempt: answered(results), settled }
  } catch (thrown) {
    return { attempt: { kind: 'failed', error: asHubError(thrown) }, settled }
  }
}

const answered = (results: readonly EffectResult[]): Attempt => ({
  kind: 'answered',
  results: new Map(results.map((result) => [result.outbox_id, result])),
})

interface CallLog {
  hub: Hub
  connection: Connection
  operation: string
  key: string
}

/** Runs one call and appends it to the attempt log, whichever way it ends. A line that gets lost does not change how the call ended. */
async function logged<T>(log: CallLog, call: () => Promise<T>, outcomeOf: (answer: T) => string): Promise<T> {
  const { hub, connection, operation } = log
  const at = hub.clock.now()
  const started = performance.now()
  const write = async (outcome: string, error?: HubError): Promise<void> => {
    const line = {
      connection_id: connection.id,
      subject: `outbox:${log.key}`,
      operation,
      at,
      outcome,
      ...takeExchanges(),
    }
    const timed = { ...line, duration_ms: performance.now() - started, status: error?.status, error_code: error?.code }
    await recordAttempt(hub.db, timed).catch((thrown: unknown) => {
      hub.log.warn(
        { connection: connection.id, operation, reason: String(thrown) },
        'a line of the attempt log got lost',
      )
    })
  }
  try {
    const answer = await call()
    await write(outcomeOf(answer))
    return answer
  } catch (thrown) {
    const error = asHubError(thrown)
    await write(error.code === 'outcome_unknown' ? 'unknown' : 'failed', error)
    throw error
  }
}

function countOutcomes(results: readonly EffectResult[]): string {
  const done = results.filter((result) => result.outcome === 'done').length
  return done === results.length ? 'done' : `${done} done, ${results.length - done} refused`
}

async function writeDown(
  hub: Hub,
  connection: Connection,
  rows: readonly ClaimedEffect[],
  attempt: Attempt,
): Promise<EffectEnd[]> {
  const now = hub.clock.now()
  const chance = hub.random.next()
  return inTransaction(hub.db, async (tx) => {
    await lockEffectOrders(tx, connection.config.company, idsOf(rows))
    const ends: EffectEnd[] = []
    const done: DoneEffect[] = []
    const dead: DeadEffect[] = []
    for (const row of rows) {
      const verdict = verdictOf(row, attempt)
      const end =
        verdict.kind === 'done'
          ? await finishDone(tx, row, resultOf(verdict), now)
          : await finishFault(tx, row, verdict.error, { answered: verdict.answered, now, chance })
      if (end.end === 'done') done.push({ row, result: verdict.kind === 'done' ? verdict.result : undefined })
      if (end.end === 'dead' && verdict.kind === 'fault') {
        const { error } = verdict
        dead.push({ row, code: error.code, detail: error.message, in_doubt: leavesDoubt(row, error, verdict) })
      }
      ends.push(end)
    }
    await noteDone(tx, hub, done)
    await noteDead(tx, hub, dead)
    const verdicts = rows.map((row) => verdictOf(row, attempt))
    const pause = verdicts.find((verdict) => verdict.kind === 'fault' && verdict.error.next === 'pause')
    if (pause?.kind === 'fault') await failConnection(tx, connection.id, pause.error, now)
    return ends
  })
}

type DoneResult = Extract<EffectResult, { outcome: 'done' }>
type Done = { kind: 'done'; result: DoneResult | undefined }
type Verdict = Done | { kind: 'fault'; error: HubError; answered: boolean }

const resultOf = ({ result }: Done) => ({
  external_id: result?.external_id ?? null,
  ...(result?.note === undefined ? {} : { [result.note.kind]: true }),
})

/** Pure: what the attempt means for one of its rows. */
function verdictOf(row: ClaimedEffect, attempt: Attempt): Verdict {
  if (attempt.kind === 'confirmed') return { kind: 'done', result: undefined }
  if (attempt.kind === 'failed') return { kind: 'fault', error: attempt.error, answered: false }
  const result = attempt.results.get(row.id)
  if (result === undefined) {
    return {
      kind: 'fault',
      error: new HubError('vendor_response_invalid', 'the vendor did not answer for this effect'),
      answered: false,
    }
  }
  if (result.outcome === 'done') return { kind: 'done', result }
  return { kind: 'fault', error: new HubError(result.code, result.detail), answered: true }
}

/** After commit: dead letters go to the board, retries get a delayed job so that the board shows when they are due. */
async function settle(
  hub: Hub,
  group: GroupRef,
  rows: readonly ClaimedEffect[],
  ends: readonly EffectEnd[],
): Promise<void> {
  const dead = ends.flatMap((end) =>
    end.end === 'dead' && end.dead_letter_id !== undefined ? [{ id: end.dead_letter_id, code: end.code }] : [],
  )
  await announceDeadLetters(hub, dead)
  const again = ends.flatMap((end) => (end.end === 'again' ? [end.at.getTime()] : []))
  const [first] = rows
  if (first !== undefined && leadsOn(first.kind) && ends.some((end) => end.end === 'done')) await relayAtOnce(hub)
  if (again.length === 0 || first === undefined) return
  const delay = Math.max(...again) - hub.clock.now().getTime() + DELAY_SLACK_MS
  await hub.queues
    .add(EFFECTS[first.kind].queue, first.kind, group, { delay_ms: delay })
    .catch((thrown: unknown) =>
      hub.log.warn({ reason: String(thrown) }, 'a retry was not queued; the sweeper will do it'),
    )
}

async function relayAtOnce(hub: Hub): Promise<void> {
  await relayDue(hub).catch((thrown: unknown) =>
    hub.log.warn({ reason: String(thrown) }, 'what follows was not queued; the sweeper will do it'),
  )
}

function sentenceOf(group: GroupRef, ends: readonly EffectEnd[], reporter: JobReporter): string {
  const counts = new Map<string, number>()
  for (const end of ends) {
    const word =
      end.end === 'again' ? `to be tried again (${end.code})` : end.end === 'dead' ? `given up (${end.code})` : end.end
    counts.set(word, (counts.get(word) ?? 0) + 1)
    if (end.end === 'again') reporter.log(`outbox ${end.id}: ${end.code}, again at ${end.at.toISOString()}`)
    if (end.end === 'late') reporter.log(`outbox ${end.id}: a newer claim owns it, this outcome was not written`)
  }
  return `${group.batch_key}: ${[...counts].map(([word, count]) => `${count} ${word}`).join(', ')}`
}
