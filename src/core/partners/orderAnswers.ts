import { addEffects, cancelEffects, type NewEffect } from '../../db/outbox.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import type { EffectRef } from '../fulfillment/requests.ts'
import type { OrderAnswer } from '../model/effects.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { readPromiseDates } from '../supply/promiseDates.ts'
import { answerLine, sayTheSame, verdictOf, type PartUnits } from './rulesAnswer.ts'

interface DueOrder {
  id: string
  connection_id: string
  changed_at: Date
  told: OrderAnswer['lines'] | null
  revision: number
}

const answerKey = (order_id: string, revision: number): string => `order.answer:${order_id}:${revision}`

/** Connections whose connector can be told such a thing. */
export const connectionsThat = (
  ctx: CoreContext,
  takes: 'takes_order_answers' | 'takes_invoices' | 'takes_announcements',
): string[] => [...ctx.policies.values()].flatMap((policy) => (policy[takes] ? [policy.connection_id] : []))

/**
 * Finds orders of partners who want to hear what becomes of them, and writes down what they are to be told: once when the order is settled, and
 * again, as a replacement, whenever the answer changes. An order that nobody has promised yet (unpaid, on hold) waits. Returns how many
 * answers became due.
 */
export async function answerOrders(tx: Tx, ctx: CoreContext, limit: number): Promise<number> {
  const connections = connectionsThat(ctx, 'takes_order_answers')
  if (connections.length === 0) return 0
  const due = await tx.query<DueOrder>(
    `select o.id, o.connection_id, greatest(o.changed_at, coalesce(r.changed_at, o.changed_at)) as changed_at, a.lines as told,
       coalesce(a.revision, 0) as revision
     from orders o
     left join order_answers a on a.order_id = o.id
     left join lateral (select max(changed_at) as changed_at, bool_or(state = 'held' and quantity > 0) as held from reservations where order_id = o.id) r on true
     where o.connection_id = any($1::text[]) and o.lifecycle = 'open' and o.content_sha256 is not null and not o.is_test
       and o.hold_reason is null and o.kind = 'order' and coalesce(r.held, false) = false
       and (a.order_id is null or greatest(o.changed_at, coalesce(r.changed_at, o.changed_at)) > a.seen_at)
     order by o.received_at, o.id limit $2 for no key update of o skip locked`,
    [connections, limit],
  )
  if (due.length === 0) return 0
  const lines = await answeredLines(
    tx,
    ctx,
    due.map(({ id }) => id),
  )
  const answers = due.flatMap((order) => {
    const own = lines.get(order.id) ?? []
    return own.length === 0 || (order.told !== null && sayTheSame(order.told, own)) ? [] : [{ order, lines: own }]
  })
  await tx.query(
    `update order_answers a set seen_at = n.changed_at from unnest($1::uuid[], $2::timestamptz[]) as n(id, changed_at) where a.order_id = n.id`,
    columns(due, ['id', 'changed_at']),
  )
  await writeAnswers(tx, ctx, answers)
  return answers.length
}

interface NewAnswer {
  order: DueOrder
  lines: OrderAnswer['lines']
}

async function writeAnswers(tx: Tx, ctx: CoreContext, answers: readonly NewAnswer[]): Promise<void> {
  if (answers.length === 0) return
  const rows = answers.map(({ order, lines }) => ({
    order_id: order.id,
    revision: order.revision + 1,
    verdict: verdictOf(lines),
    lines: JSON.stringify(lines),
    seen_at: order.changed_at,
  }))
  await tx.query(
    `insert into order_answers (order_id, revision, verdict, lines, seen_at, answered_at)
     select n.*, $6 from unnest($1::uuid[], $2::int[], $3::text[], $4::jsonb[], $5::timestamptz[]) as n
     on conflict (order_id) do update set revision = excluded.revision, verdict = excluded.verdict, lines = excluded.lines,
       seen_at = excluded.seen_at, answered_at = excluded.answered_at`,
    [...columns(rows, ['order_id', 'revision', 'verdict', 'lines', 'seen_at']), ctx.now],
  )
  // An answer that has not left yet says what is no longer true.
  await cancelEffects(
    tx,
    rows.filter(({ revision }) => revision > 1).map(({ order_id, revision }) => answerKey(order_id, revision - 1)),
  )
  const effects = answers.map(({ order }, index): NewEffect => {
    const revision = rows[index]?.revision ?? 1
    const reference = { order_id: order.id, revision }
    return {
      connection_id: order.connection_id,
      kind: 'order.answer',
      key: answerKey(order.id, revision),
      reference,
      order_id: order.id,
      not_before: ctx.now,
    }
  })
  await addEffects(tx, effects, ctx.now)
  const facts = rows.map(({ order_id, revision, verdict }) => {
    return { order_id, kind: 'order.answered', at: ctx.now, source: 'partners', data: { revision, verdict } }
  })
  await recordTimeline(tx, facts, ctx.now)
}

interface PartRow extends PartUnits {
  order_id: string
  line_id: number
  line_external_id: string
  channel_sku: string
  ordered: number
  wanted: number
  unit_price_minor: number
  item_id: number | null
}

async function answeredLines(
  q: Queryable,
  ctx: CoreContext,
  order_ids: readonly string[],
): Promise<Map<string, OrderAnswer['lines']>> {
  const parts = await q.query<PartRow>(
    `select l.order_id, l.id as line_id, l.external_id as line_external_id, l.channel_sku, l.quantity as ordered, l.unit_price_minor,
       greatest(0, l.quantity - l.cancelled_quantity) as wanted, r.item_id, coalesce(r.per_unit, 1) as per_unit,
       coalesce(r.promised, 0)::int as promised, coalesce(r.consumed, 0)::int as consumed, coalesce(r.missing, 0)::int as missing
     from order_lines l
     left join lateral (
       select item_id, max(per_unit) as per_unit, sum(case when state in ('held', 'committed') then quantity else 0 end) as promised,
         sum(consumed_quantity) as consumed, sum(case when state = 'shortfall' then quantity else 0 end) as missing
       from reservations where order_line_id = l.id and (state not in ('released', 'expired') or consumed_quantity > 0) group by item_id) r on true
     where l.order_id = any($1::uuid[]) and l.requires_shipping order by l.id, r.item_id`,
    [order_ids],
  )
  const dates = await readPromiseDates(q, ctx, { order_ids })
  const expected = new Map<number, string>()
  for (const { order_line_id, expected_at } of dates) {
    const known = expected.get(order_line_id)
    if (expected_at !== null && (known === undefined || known < expected_at)) expected.set(order_line_id, expected_at)
  }
  const unknown = new Set(
    dates.flatMap(({ order_line_id, expected_at }) => (expected_at === null ? [order_line_id] : [])),
  )
  const byOrder = Map.groupBy(parts, (part) => part.order_id)
  return new Map(
    [...byOrder].map(([order_id, own]) => [
      order_id,
      [...Map.groupBy(own, (part) => part.line_id)].flatMap(([line_id, group]) => {
        const [first] = group
        if (first === undefined || (first.wanted === 0 && first.ordered === 0)) return []
        const present = group.filter((part) => part.item_id !== null)
        // The whole of what follows comes when its last part does, and if nobody knows when that is, nobody has said it.
        const expected_at = unknown.has(line_id) ? null : (expected.get(line_id) ?? null)
        return [answerLine({ ...first, parts: present, expected_at })]
      }),
    ]),
  )
}

/** What a buyer is told, as it was written down. An answer that a later one has replaced is left out. */
export async function loadOrderAnswers(q: Queryable, effects: readonly EffectRef[]): Promise<OrderAnswer[]> {
  const rows = await q.query<{
    order_id: string
    revision: number
    verdict: OrderAnswer['verdict']
    lines: OrderAnswer['lines']
    answered_at: Date
    external_id: string
    number: string
    placed_at: Date
    currency: string | null
  }>(
    `select a.order_id, a.revision, a.verdict, a.lines, a.answered_at, o.external_id, coalesce(o.number, o.external_id) as number,
       coalesce(o.placed_at, o.received_at) as placed_at, o.currency
     from order_answers a join orders o on o.id = a.order_id where a.order_id = any($1::uuid[])`,
    [effects.map(({ reference }) => String(reference['order_id']))],
  )
  const byOrder = new Map(rows.map((row) => [row.order_id, row]))
  return effects.flatMap(({ id, reference }): OrderAnswer[] => {
    const row = byOrder.get(String(reference['order_id']))
    if (row === undefined || row.revision !== reference['revision']) return []
    const { verdict, revision, lines } = row
    return [
      {
        outbox_id: id,
        order_external_id: row.external_id,
        order_number: row.number,
        placed_at: row.placed_at.toISOString(),
        answered_at: row.answered_at.toISOString(),
        revision,
        verdict,
        lines,
        currency: row.currency ?? 'XXX',
      },
    ]
  })
}
