import { addEffects, type EffectKind, type NewEffect } from '../../db/outbox.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { erpOfConnection, type ErpPolicy } from './policy.ts'
import { dueDocuments, plannedGoods, type Due, type OrderState } from './rulesDue.ts'

/** Under which key an effect stands in the outbox. */
const effectKeyOf = (kind: string, connection_id: string, subject: string, version: number): string =>
  `erp.${kind}:${connection_id}:${subject}:${version}`

const EFFECT = `from outbox x where x.key = 'erp.' || k.kind || ':' || k.connection_id || ':' || k.subject || ':' || k.version`

/** SQL: units of a line that the ERP's order has: never fewer than have left, which is all that stays of a cancelled order. */
export const ERP_UNITS = `case when o.lifecycle = 'cancelled' then l.shipped_quantity else greatest(l.shipped_quantity, l.quantity - l.cancelled_quantity) end`

const STATE = `
  select o.id as order_id, o.connection_id, o.external_id, o.lifecycle, o.payment_state, o.fulfillment_state,
    o.content_sha256 is not null as is_known, to_char(coalesce(o.placed_at, o.received_at), 'YYYY-MM-DD') as placed_on,
    md5(concat_ws('|', o.currency, o.number, o.shipping_minor, o.tax_minor, o.total_minor, (
      select string_agg(concat_ws(':', l.external_id, l.channel_sku, ${ERP_UNITS}, l.unit_price_minor, l.discount_minor, l.tax_minor), ',' order by l.id)
      from order_lines l where l.order_id = o.id))) as digest,
    (select encode(p.digest, 'hex') from people p where p.id = o.person_id) as person,
    coalesce((select jsonb_agg(s.id order by s.recorded_at, s.id) from shipments s
              where s.order_id = o.id and exists (select 1 from shipment_lines l where l.shipment_id = s.id)), '[]') as shipments,
    coalesce((select jsonb_agg(r.id order by r.recorded_at, r.id) from returns r where r.order_id = o.id), '[]') as returns,
    coalesce((select jsonb_agg(jsonb_build_object('id', p.id::text, 'connection_id', p.connection_id, 'external_id', p.external_id,
                'amount_minor', p.amount_minor, 'cancelled_minor', c.minor) order by p.at, p.id)
              from payments p, lateral (
                select case when coalesce(sum(amount_minor + tax_minor), 0) <= p.amount_minor then coalesce(sum(amount_minor + tax_minor), 0)
                       else least(p.amount_minor, sum(amount_minor)) end::bigint as minor
                from refund_lines where payment_id = p.id and restock = 'cancel') c
              where p.order_id = o.id and p.kind = 'refund' and p.status = 'succeeded' and p.currency = o.currency), '[]') as refunds,
    coalesce((select jsonb_agg(jsonb_build_object('kind', k.kind, 'subject', k.subject, 'version', k.version, 'digest', k.digest,
                'told_version', k.told_version,
                'moving', exists (select 1 ${EFFECT} and x.state in ('pending', 'queued', 'sending')),
                'stuck', exists (select 1 ${EFFECT} and x.state = 'dead'),
                'dropped', exists (select 1 ${EFFECT} and x.state = 'cancelled' and exists (
                  select 1 from dead_letters d where d.source = 'outbox' and d.source_id = x.id and d.state = 'dropped'))))
              from erp_links k where k.order_id = o.id and k.connection_id = $2), '[]') as told
  from orders o
  where o.id = any($1::uuid[]) and o.kind = 'order' and not o.is_test
  order by o.id`

/** What is so of these orders, and what the ERP has been told of them. */
export function loadOrderStates(q: Queryable, erp: ErpPolicy, order_ids: readonly string[]): Promise<OrderState[]> {
  return q.query<OrderState>(STATE, [order_ids, erp.connection_id])
}

/**
 * Makes due what the ERP of these orders' companies has to hear of them, in the transaction that changed them. The orders are locked by
 * the caller, so that a document which is told and one that hangs on it cannot pass each other unseen. Costs one statement a company
 * that has an ERP, two more where something is due, and nothing where there is none.
 */
export async function tellErp(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'erps' | 'policies'>,
  orders: readonly { id: string; connection_id: string }[],
): Promise<number> {
  if (ctx.erps === undefined || ctx.erps.size === 0) return 0
  let count = 0
  const byErp = Map.groupBy(orders, ({ connection_id }) => erpOfConnection(ctx, connection_id))
  for (const [erp, own] of byErp) {
    if (erp === undefined) continue
    const states = await loadOrderStates(
      tx,
      erp,
      own.map(({ id }) => id),
    )
    count += await writeDue(tx, ctx.now, erp, states)
  }
  return count
}

async function writeDue(tx: Tx, now: Date, erp: ErpPolicy, states: readonly OrderState[]): Promise<number> {
  await plan(tx, now, erp, states)
  const due = states.flatMap((state) =>
    dueDocuments(state, erp).map((document) => ({ ...document, order_id: state.order_id })),
  )
  await putDue(tx, now, erp.connection_id, due)
  return due.length
}

/** Notes goods that have moved, and whose turn may be later. */
async function plan(
  tx: Tx,
  now: Date,
  { connection_id, ...policy }: ErpPolicy,
  states: readonly OrderState[],
): Promise<void> {
  const planned = states.flatMap((state) =>
    plannedGoods(state, policy).map((goods) => ({ ...goods, order_id: state.order_id })),
  )
  if (planned.length === 0) return
  await tx.query(
    `insert into erp_links (connection_id, kind, subject, key, order_id, due_at)
     select $1, d.*, $6 from unnest($2::text[], $3::text[], $4::text[], $5::uuid[]) as d on conflict do nothing`,
    [connection_id, ...columns(planned, ['kind', 'subject', 'key', 'order_id']), now],
  )
}

/** A document that has to be told; `order_id` where it is about one. */
export interface DueDocument extends Omit<Due, 'kind'> {
  kind: Due['kind'] | 'journal' | 'bank_statement'
  order_id: string | null
}

/** Notes what is due and writes its effects: together, or a crash would leave one without the other. */
export async function putDue(tx: Tx, now: Date, connection_id: string, due: readonly DueDocument[]): Promise<void> {
  if (due.length === 0) return
  await tx.query(
    `insert into erp_links (connection_id, kind, subject, key, order_id, version, digest, due_at)
     select $1, d.*, $8 from unnest($2::text[], $3::text[], $4::text[], $5::uuid[], $6::int[], $7::text[]) as d
     on conflict (connection_id, kind, subject) do update
     set version = excluded.version, digest = excluded.digest, due_at = excluded.due_at`,
    [connection_id, ...columns(due, ['kind', 'subject', 'key', 'order_id', 'version', 'digest']), now],
  )
  const effects = due.map(({ kind, subject, version, order_id }): NewEffect => ({
    connection_id,
    kind: `erp.${kind}` as EffectKind,
    key: effectKeyOf(kind, connection_id, subject, version),
    reference: { subject, version },
    order_id,
    not_before: now,
  }))
  await addEffects(tx, effects, now)
}
