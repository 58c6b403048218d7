import { HubError, asHubError } from '../core/errors.ts'
import { applyFacts, roundsOf } from '../core/apply.ts'
import { arrayText, columns } from '../core/columns.ts'
import type { FactOutcome, InboundFact } from '../core/context.ts'
import type { Signal } from '../core/model/fact.ts'
import { announceReports } from '../core/settlement/reports.ts'
import { readBody } from '../db/inbox.ts'
import type { Tx } from '../db/pool.ts'
import { unwrapped } from '../connectors/_kit/envelopes.ts'
import type { Connection, Hub } from '../hub.ts'
import { coreContext } from './context.ts'
import { openDeadLetters, type NewDeadLetter } from './deadLetters.ts'
import { OWN_TOPICS } from './ownTopics.ts'
import { fullJitterMs } from './backoff.ts'

/** A fault that may pass by itself (a bug that hits some states only) is given this many tries before a person is asked. */
const TRIES_MAX = 5
const RETRY_BASE_MS = 1_000
const RETRY_MAX_MS = 60_000
const OUTCOME_CHARS_MAX = 500
const WARNINGS_MAX = 20

export interface InboxRow {
  id: number
  connection_id: string
  topic: string
  dedupe_key: string
  body: Buffer | null
  observed_at: Date
  received_at: Date
  attempts: number
  deaths: number
}

export type RowState = 'done' | 'ignored' | 'parked' | 'pending'

/** What becomes of one row. */
export interface RowEnd {
  row: InboxRow
  state: RowState
  outcome: string
  error: HubError | undefined
  warnings: readonly string[]
  next_attempt_at: Date
  /** The order that a message at fault speaks of. */
  order: OrderName | undefined
}

interface OrderName {
  external_id: string
  number: string | null
}

export interface BatchEnd {
  ends: RowEnd[]
  signals: { connection_id: string; signal: Signal }[]
  dead: { id: number; code: string }[]
}

const ROW_COLUMNS = 'id, connection_id, topic, dedupe_key, body, observed_at, received_at, attempts, deaths'

/** Locks due rows of a connection, oldest first. Rows that another lane or process holds are passed over, suspects are not for batches. */
export function claimDueRows(tx: Tx, connectionId: string, now: Date, limit: number): Promise<InboxRow[]> {
  return tx.query<InboxRow>(
    `select ${ROW_COLUMNS} from inbox
     where connection_id = $1 and state = 'pending' and deaths = 0 and next_attempt_at <= $2
     order by id limit $3 for update skip locked`,
    [connectionId, now, limit],
  )
}

export function claimRow(tx: Tx, id: number): Promise<InboxRow[]> {
  return tx.query<InboxRow>(
    `select ${ROW_COLUMNS} from inbox where id = $1 and state = 'pending' for update skip locked`,
    [id],
  )
}

/** Maps, applies and finishes locked rows inside the caller's transaction. A throw is a bug or an invariant, and undoes it all. */
export function applyRows(tx: Tx, hub: Hub, connection: Connection, rows: readonly InboxRow[]): Promise<BatchEnd> {
  return applyMapped(tx, hub, connection, mapRows(hub, connection, rows))
}

/** Rows that are left for a transaction of their own, one after the other. */
export interface OneByOne {
  each: number[]
}
const EACH_MAX = 25

/**
 * The same with as many of the rows as go through the order of locks once, together: those of the oldest row's kind. The others stay due.
 * Where that kind is applied fact by fact nothing is done, and the rows are named: each goes into a transaction of its own, because one
 * for all of them would have the company to itself for as long as it takes.
 */
export async function applyNext(
  tx: Tx,
  hub: Hub,
  connection: Connection,
  rows: readonly InboxRow[],
): Promise<BatchEnd | OneByOne> {
  const mapped = mapRows(hub, connection, rows)
  const steps = mapped.map(stepOf)
  const first = steps.find((step) => step !== 'any')
  const own = mapped.filter((_, index) => steps[index] === first || (first !== 'each' && steps[index] === 'any'))
  if (first === 'each' && own.length > 1) return { each: own.slice(0, EACH_MAX).map(({ row }) => row.id) }
  return applyMapped(tx, hub, connection, own)
}

/** The set-based step that a row belongs to; `any`: it takes no lock; `each`: its facts are applied one by one. */
function stepOf({ facts }: MappedRow): string {
  const rounds = roundsOf(facts.map((fact) => ({ fact })))
  const [first = 'any'] = rounds
  return rounds.size > 1 || typeof first !== 'string' ? 'each' : first
}

const mapRows = (hub: Hub, connection: Connection, rows: readonly InboxRow[]): MappedRow[] => {
  const settings = plainSettings(connection)
  return rows.map((row) => mapRow(hub, connection, row, settings))
}

async function applyMapped(tx: Tx, hub: Hub, connection: Connection, mapped: readonly MappedRow[]): Promise<BatchEnd> {
  const ctx = coreContext(hub)
  const facts: InboundFact[] = mapped.flatMap(({ row, facts: own }) =>
    own.map((fact) => ({ connection_id: connection.id, source: `inbox:${row.id}`, fact })),
  )
  const applied = facts.length === 0 ? { outcomes: [], signals: [] } : await applyFacts(tx, ctx, facts)
  await announceReports(tx, ctx.now, applied.signals)
  let next = 0
  const ends = mapped.map((one): RowEnd => {
    const own = applied.outcomes.slice(next, next + one.facts.length)
    next += one.facts.length
    return endOf(hub, one, own, ctx.now)
  })
  const dead = await finishRows(tx, ends, ctx.now)
  return { ends, signals: applied.signals, dead }
}

/** Parks (or puts off) a row whose own transaction failed, in a new one. */
export async function finishFailedRow(tx: Tx, hub: Hub, row: InboxRow, thrown: unknown): Promise<BatchEnd> {
  const now = hub.clock.now()
  const ends = [endOf(hub, { row, facts: [], warnings: [], error: asHubError(thrown) }, [], now)]
  return { ends, signals: [], dead: await finishRows(tx, ends, now) }
}

interface MappedRow {
  row: InboxRow
  facts: InboundFact['fact'][]
  warnings: readonly string[]
  error?: HubError
}

/** Pure but for the vault: bytes → payload → facts. Whatever is wrong with the payload is the row's own fault and nobody else's. */
function mapRow(
  hub: Hub,
  connection: Connection,
  row: InboxRow,
  settings: Readonly<Record<string, unknown>>,
): MappedRow {
  try {
    const topics = Object.hasOwn(OWN_TOPICS, row.topic) ? OWN_TOPICS : connection.connector.inbound
    const mapping = Object.hasOwn(topics, row.topic) ? topics[row.topic] : undefined
    if (mapping === undefined) {
      throw new HubError('unsupported', `nothing maps the topic ${row.topic.slice(0, 100)}`, {
        hint: 'add it to the connector, then replay',
      })
    }
    const payload = unwrapped(parseJson(readBody(hub.vault, row)), connection.connector.envelopes?.[row.topic] ?? [])
    return {
      row,
      ...mapping.map(payload, { observed_at: row.observed_at.toISOString(), settings }),
    }
  } catch (thrown) {
    const error =
      thrown instanceof HubError
        ? thrown
        : new HubError('mapping_broken', 'the mapping failed on this payload', { cause: thrown })
    return { row, facts: [], warnings: [], error }
  }
}

/** The parser's own message quotes the text, which may be personal. */
function parseJson(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'))
  } catch {
    throw new HubError('payload_invalid', 'the body is not JSON', { path: '$' })
  }
}

/** A mapping may know the shop's currency, never its password. */
export function plainSettings(connection: Connection): Readonly<Record<string, unknown>> {
  const properties =
    (connection.connector.settings as { properties?: Record<string, { secret?: boolean }> }).properties ?? {}
  return Object.fromEntries(
    Object.entries(connection.config.settings).filter(([name]) => properties[name]?.secret !== true),
  )
}

function endOf(hub: Hub, mapped: MappedRow, outcomes: readonly FactOutcome[], now: Date): RowEnd {
  const { row, warnings, error } = mapped
  const parked = error ?? outcomes.find((outcome) => outcome.kind === 'parked')?.error
  if (parked !== undefined) return faultEnd(hub, mapped, parked, now)
  const summaries = outcomes.flatMap((outcome) => (outcome.kind === 'applied' ? [outcome.summary] : []))
  const reasons = outcomes.flatMap((outcome) => (outcome.kind === 'ignored' ? [outcome.reason] : []))
  const state = summaries.length > 0 ? 'done' : 'ignored'
  const sentence =
    state === 'done'
      ? summaries.join('; ')
      : reasons.length > 0
        ? `ignored: ${reasons.join(', ')}`
        : 'ignored: says nothing we keep'
  const outcome = sentence.slice(0, OUTCOME_CHARS_MAX)
  return { row, state, outcome, error: undefined, warnings, next_attempt_at: now, order: undefined }
}

function faultEnd(hub: Hub, { row, facts, warnings }: MappedRow, error: HubError, now: Date): RowEnd {
  const again = error.next === 'retry' && row.attempts + 1 < TRIES_MAX
  const wait = again
    ? fullJitterMs(hub.random.next(), row.attempts + 1, { base_ms: RETRY_BASE_MS, max_ms: RETRY_MAX_MS })
    : 0
  return {
    row,
    state: again ? 'pending' : 'parked',
    outcome: again ? `will be tried again: ${error.code}` : `parked: ${error.code}`,
    error,
    warnings,
    next_attempt_at: new Date(now.getTime() + wait),
    order: facts.flatMap(orderName)[0],
  }
}

/** A person asks for an order by its number also while its message waits for something. */
function orderName({ kind, document }: InboundFact['fact']): OrderName[] {
  if (kind === 'order') return [{ external_id: document.external_id, number: document.number }]
  return kind === 'cancellation' ? [{ external_id: document.external_id, number: null }] : []
}

/** What `finishRows` writes of a row, with its type: one array each. */
const END_COLUMNS = {
  id: 'bigint', state: 'text', outcome: 'text', cause_code: 'text', cause_path: 'text', cause_detail: 'text', wake_key: 'text',
  warnings: 'text', next_attempt_at: 'timestamptz', order_external_id: 'text', order_number: 'text',
} as const // prettier-ignore
type EndRecord = Record<keyof typeof END_COLUMNS, string | number | Date | null>
const END_KEYS = Object.keys(END_COLUMNS) as (keyof EndRecord)[]
const ENDS = `unnest(${END_KEYS.map((key, index) => `$${index + 1}::${END_COLUMNS[key]}[]`).join(', ')}) as e (${END_KEYS.join(', ')})`
const NOW = `$${END_KEYS.length + 1}::timestamptz`
const FINISH = `
  update inbox set state = e.state, outcome = e.outcome, cause_code = e.cause_code, cause_path = e.cause_path,
    cause_detail = e.cause_detail, wake_key = e.wake_key, warnings = e.warnings::text[], next_attempt_at = coalesce(e.next_attempt_at, ${NOW}),
    order_external_id = coalesce(e.order_external_id, inbox.order_external_id),
    order_number = coalesce(e.order_number, inbox.order_number), attempts = inbox.attempts + 1, deaths = 0,
    processed_at = case when e.state = 'pending' then null else ${NOW} end
  from ${ENDS} where inbox.id = e.id`
/** The same for rows of which there is nothing to say but the outcome: nearly all of them. */
const FINISH_PLAIN = `
  update inbox set state = e.state, outcome = e.outcome, cause_code = null, cause_path = null, cause_detail = null, wake_key = null,
    warnings = null, next_attempt_at = $4, attempts = inbox.attempts + 1, deaths = 0, processed_at = $4
  from unnest($1::bigint[], $2::text[], $3::text[]) as e (id, state, outcome) where inbox.id = e.id`

const isPlain = ({ error, warnings }: RowEnd): boolean => error === undefined && warnings.length === 0

/** Two updates for the whole batch at most, and a dead letter for what nothing in the hub will ever wake. */
async function finishRows(tx: Tx, ends: readonly RowEnd[], now: Date): Promise<{ id: number; code: string }[]> {
  const plain = ends.filter(isPlain)
  const others = ends.filter((end) => !isPlain(end)).map((end) => toRecord(end, now))
  if (plain.length > 0) {
    const ids = plain.map(({ row }) => row.id)
    await tx.query(FINISH_PLAIN, [ids, plain.map((end) => end.state), plain.map((end) => end.outcome), now])
  }
  if (others.length > 0) await tx.query(FINISH, [...columns(others, END_KEYS), now])
  return openDeadLetters(tx, ends.flatMap(deadLetterOf), now)
}

function toRecord({ row, state, outcome, error, warnings, next_attempt_at, order }: RowEnd, now: Date): EndRecord {
  return {
    id: row.id,
    state,
    outcome,
    cause_code: error?.code ?? null,
    cause_path: error?.path ?? null,
    cause_detail: error === undefined ? null : detailOf(error),
    wake_key: state === 'parked' ? (error?.wake_key ?? null) : null,
    warnings: warnings.length === 0 ? null : arrayText(warnings.slice(0, WARNINGS_MAX)),
    // Null is now. Writing an instant as text is dear, and all but the few that wait have the same one.
    next_attempt_at: next_attempt_at.getTime() === now.getTime() ? null : next_attempt_at,
    order_external_id: order?.external_id ?? null,
    order_number: order?.number ?? null,
  }
}

/** Messages of our own faults name fields and ids; those of anything else may quote what they choked on and stay in the log. */
function detailOf(error: HubError): string {
  return error.code === 'internal'
    ? 'an unexpected fault; its text is in the log'
    : error.message.slice(0, OUTCOME_CHARS_MAX)
}

function deadLetterOf({ row, state, error }: RowEnd): NewDeadLetter[] {
  if (state !== 'parked' || error === undefined || error.wake_key !== undefined) return []
  return [
    {
      connection_id: row.connection_id,
      source: 'inbox',
      source_id: row.id,
      kind: row.topic,
      code: error.code,
      detail: detailOf(error),
    },
  ]
}
