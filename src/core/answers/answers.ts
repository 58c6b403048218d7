import { columns } from '../columns.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import { closeCases, openCases, type NewCase } from '../cases/cases.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { HubError } from '../errors.ts'
import type { Answer } from '../model/answer.ts'
import type { AwaitedAnswer } from '../model/effects.ts'
import { lockOrdersById } from '../orders/sql.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { wakeParked } from '../inventory/wake.ts'

/** An answer that came before what it answers was written down waits for this. */
const messageWakeKey = (connection_id: string, reference: string): string => `message:${connection_id}:${reference}`

/** A message that was sent, and what its receiver owes us for it. */
export interface NewAwaited extends AwaitedAnswer {
  connection_id: string
  outbox_id: number
}

/** Written in the transaction that ends the effects. The same message again is the same debt, which keeps its first date. */
export async function awaitAnswers(tx: Tx, awaited: readonly NewAwaited[], now: Date): Promise<void> {
  if (awaited.length === 0) return
  const rows = awaited.map((one) => ({ ...one, due_at: new Date(now.getTime() + one.within_ms) }))
  await tx.query(
    `insert into awaited_answers (connection_id, reference, what, outbox_id, sent_at, due_at)
     select n.connection_id, n.reference, n.what, n.outbox_id, $6, n.due_at
     from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::timestamptz[]) as n(connection_id, reference, what, outbox_id, due_at)
     on conflict (connection_id, reference) do nothing`,
    [...columns(rows, ['connection_id', 'reference', 'what', 'outbox_id', 'due_at']), now],
  )
  const keys = rows.flatMap(({ connection_id, reference }) => [
    messageWakeKey(connection_id, reference),
    messageWakeKey(connection_id, messageOf(reference)),
  ])
  await wakeParked(tx, [...new Set(keys)], now)
}

/** `27` of `27/0003`. */
const messageOf = (reference: string): string => reference.split('/', 1)[0] ?? reference

interface OpenRow {
  id: number
  reference: string
  what: string
  outbox_id: number | null
  company_id: string
}

/**
 * Applies what a receiver says of a message: it closes what was waited for. A refusal is a case, and is written to the work that the message
 * was about; nothing is taken back by itself, because what the receiver could not read, it has not done. An answer to nothing that was
 * sent waits for it.
 */
export async function applyAnswer(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  const { connection_id, fact } = inbound
  if (fact.kind !== 'answer') return { kind: 'ignored', reason: 'not_ours' }
  const answer = fact.document
  const { reference, verdict, extent } = answer
  if (extent === 'receipt' && verdict !== 'rejected') return { kind: 'ignored', reason: 'same' }
  // What a refusal is written to hangs on orders, and those are locked before anything else.
  if (verdict === 'rejected') await lockOrdersById(tx, await ordersOf(tx, connection_id, answer))
  const open = await lockOpen(tx, connection_id, answer)
  if (open.length === 0) return unanswered(tx, connection_id, answer)
  await tx.query(
    `update awaited_answers set answered_at = $2, verdict = $3, faults = $4::jsonb where id = any($1::bigint[])`,
    [open.map(({ id }) => id), answer.at, verdict, JSON.stringify(answer.faults)],
  )
  const subjects = open.map((row) => subjectOf(connection_id, row.reference))
  await closeCases(tx, { kind: 'answer_overdue', subjects }, 'hub', ctx.now)
  if (verdict === 'rejected') await noteRefusal(tx, ctx, inbound, { open, answer })
  const units = open.length === 1 ? (open[0]?.what ?? reference) : `${open.length} messages`
  return { kind: 'applied', summary: `${units}: ${verdict.replaceAll('_', ' ')}` }
}

const subjectOf = (connection_id: string, reference: string): string => `message:${connection_id}:${reference}`

async function ordersOf(tx: Tx, connection_id: string, { reference, extent }: Answer): Promise<string[]> {
  const rows = await tx.query<{ order_id: string }>(
    `select distinct x.order_id from awaited_answers a join outbox x on x.id = a.outbox_id
     where a.connection_id = $1 and x.order_id is not null and (a.reference = $2 or ($3 and starts_with(a.reference, $2 || '/')))`,
    [connection_id, reference, extent !== 'document'],
  )
  return rows.map((row) => row.order_id)
}

async function lockOpen(tx: Tx, connection_id: string, { reference, extent }: Answer): Promise<OpenRow[]> {
  return tx.query<OpenRow>(
    `select a.id, a.reference, a.what, a.outbox_id, c.company_id from awaited_answers a join connections c on c.id = a.connection_id
     where a.connection_id = $1 and a.answered_at is null and (a.reference = $2 or ($3 and starts_with(a.reference, $2 || '/')))
     order by a.id for update of a`,
    [connection_id, reference, extent !== 'document'],
  )
}

/** Answered already (one by one, or by an earlier copy of the answer), or not sent as far as anybody knows. */
async function unanswered(tx: Tx, connection_id: string, { reference, extent }: Answer): Promise<FactOutcome> {
  const known = await tx.query(
    `select 1 from awaited_answers where connection_id = $1 and (reference = $2 or ($3 and starts_with(reference, $2 || '/'))) limit 1`,
    [connection_id, reference, extent !== 'document'],
  )
  if (known.length > 0) return { kind: 'ignored', reason: 'same' }
  return {
    kind: 'parked',
    error: new HubError('unknown_message', `nothing that was sent is called ${reference}`, {
      path: '$.reference',
      wake_key: messageWakeKey(connection_id, reference),
    }),
  }
}

interface Refusal {
  open: readonly OpenRow[]
  answer: Answer
}

async function noteRefusal(
  tx: Tx,
  ctx: CoreContext,
  { connection_id, source }: InboundFact,
  { open, answer }: Refusal,
): Promise<void> {
  const faults = answer.faults.slice(0, 10)
  const cases = open.map((row): NewCase => ({
    company_id: row.company_id,
    kind: 'answer_rejected',
    subject: subjectOf(connection_id, row.reference),
    connection_id,
    data: { what: row.what, reference: row.reference, outbox_id: row.outbox_id, faults },
  }))
  await openCases(tx, cases, ctx.now)
  const effects = await tx.query<{
    id: number
    order_id: string | null
    reference: Record<string, string | number>
    kind: string
  }>(
    `update outbox set result = coalesce(result, '{}') || jsonb_build_object('answer', 'rejected') where id = any($1::bigint[])
     returning id, order_id, reference, kind`,
    [open.flatMap(({ outbox_id }) => outbox_id ?? [])],
  )
  const works = effects.flatMap(({ reference }) => reference['fulfillment_order_id'] ?? [])
  await tx.query(
    `update fulfillment_orders set changed_at = $2,
       reasons = reasons || jsonb_build_array(jsonb_build_object('at', $2::timestamptz, 'kind', 'fulfillment_order.not_read', 'text', $3::text))
     where id = any($1::uuid[])`,
    [
      works,
      ctx.now,
      `the message was refused: ${faults.map(({ text, place }) => [text, place].join(' at ')).join('; ')}`.slice(
        0,
        500,
      ),
    ],
  )
  const facts = effects.flatMap(({ order_id, reference, kind }) =>
    order_id === null
      ? []
      : [{ order_id, kind: 'message.refused', at: new Date(answer.at), source, data: { ...reference, message: kind } }],
  )
  await recordTimeline(tx, facts, ctx.now)
}

/** Opens a case for every message whose answer is overdue. Returns how many are. */
export async function watchAnswers(tx: Tx, now: Date, limit: number): Promise<number> {
  const rows = await tx.query<OpenRow & { connection_id: string; due_at: Date }>(
    `select a.id, a.reference, a.what, a.outbox_id, a.connection_id, a.due_at, c.company_id
     from awaited_answers a join connections c on c.id = a.connection_id
     where a.answered_at is null and a.due_at <= $1 and not exists (
       select 1 from cases k where k.kind = 'answer_overdue' and k.subject = 'message:' || a.connection_id || ':' || a.reference)
     order by a.due_at, a.id limit $2`,
    [now, limit],
  )
  const cases = rows.map(({ company_id, connection_id, reference, what, outbox_id, due_at }): NewCase => ({
    company_id,
    kind: 'answer_overdue',
    subject: subjectOf(connection_id, reference),
    connection_id,
    data: { what, reference, outbox_id, due_at: due_at.toISOString() },
  }))
  await openCases(tx, cases, now)
  return rows.length
}

// ── shown ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

export const ANSWER_STATES = ['open', 'overdue', 'accepted', 'accepted_with_faults', 'rejected'] as const

export interface AwaitedRow {
  id: number
  connection_id: string
  reference: string
  what: string
  outbox_id: number | null
  state: (typeof ANSWER_STATES)[number]
  sent_at: string
  due_at: string
  answered_at: string | null
  faults: Answer['faults']
}

export interface AwaitedFilter extends PageRequest {
  connection?: string | undefined
  state?: (typeof ANSWER_STATES)[number] | undefined
}

const KEYSET: Keyset<AwaitedRow> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** Messages that somebody has to acknowledge, the newest first. */
export async function listAwaited(q: Queryable, filter: AwaitedFilter, now: Date): Promise<Page<AwaitedRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['connection_id = ?', filter.connection],
    ['state = ?', filter.state],
  ])
  const rows = await q.query<AwaitedRow>(
    `select * from (
       select id, connection_id, reference, what, outbox_id,
         coalesce(verdict, case when due_at <= $${params.length + 1} then 'overdue' else 'open' end) as state,
         sent_at, due_at, answered_at, coalesce(faults, '[]') as faults
       from awaited_answers) a${where} order by id desc limit ${fetch}`,
    [...params, now],
  )
  return pageOf(filter, KEYSET, rows)
}
