import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'

/** What of whom was forgotten. */
export interface Erased {
  orders: number
  people: number
  subjects: number
  /** Raw messages that told of these orders. */
  bodies: number
}

interface Due {
  id: string
  person_id: string | null
}

/**
 * When the clock of an order starts: with its delivery; where nobody tells of that, with its last parcel, which is earlier and therefore
 * never too late; and where nothing of ours was shipped, with its end. An order that is still to be served has no clock.
 */
const STARTED_AT = `case
  when o.lifecycle = 'cancelled' then coalesce(o.cancelled_at, o.version_updated_at)
  when o.fulfillment_state = 'fulfilled' then coalesce(o.delivered_at,
    (select max(s.shipped_at) from shipments s where s.order_id = o.id), o.version_updated_at)
  when o.lifecycle = 'closed' then coalesce(o.delivered_at, o.version_updated_at) end`

/**
 * Forgets the people of orders whose connection may keep them only for so many days after delivery (`personal_data_days`): who bought, where
 * it went, their documents, and the raw messages. A subject's key is destroyed with its last order; orders, stock and money stay. Messages
 * that came after an order was forgotten lose their bodies, too. At most `limit` orders at once; safe to repeat.
 */
export async function eraseDelivered(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'policies'>,
  limit: number,
): Promise<Erased> {
  const clocks = [...ctx.policies.values()].flatMap(({ connection_id, personal_data_days }) =>
    typeof personal_data_days === 'number' ? [{ connection_id, days: personal_data_days }] : [],
  )
  if (clocks.length === 0) return { orders: 0, people: 0, subjects: 0, bodies: 0 }
  const due = await lockDue(tx, ctx.now, clocks, limit)
  const late = await ordersWithLateBodies(tx, clocks.map(({ connection_id }) => connection_id), limit) // prettier-ignore
  const person_ids = due.flatMap(({ person_id }) => person_id ?? [])
  const people = await erasePeople(tx, person_ids)
  const subjects = await destroyKeys(tx, ctx.now, person_ids)
  const ids = due.map(({ id }) => id)
  const bodies = await eraseBodies(tx, [...ids, ...late])
  await tx.query('update orders set personal_data_erased_at = $2 where id = any($1::uuid[])', [ids, ctx.now])
  const erased = { orders: due.length, people, subjects, bodies }
  if (erased.orders + bodies > 0) await audit(tx, ctx.now, erased)
  return erased
}

type Clocks = readonly { connection_id: string; days: number }[]

function lockDue(tx: Tx, now: Date, clocks: Clocks, limit: number): Promise<Due[]> {
  return tx.query<Due>(
    `select o.id, o.person_id from unnest($1::text[], $2::int[]) as c(connection_id, days)
     join orders o on o.connection_id = c.connection_id
     where o.personal_data_erased_at is null and ${STARTED_AT} <= $3::timestamptz - c.days * interval '1 day'
     order by o.id limit $4 for no key update of o skip locked`,
    [...columns(clocks, ['connection_id', 'days']), now, limit],
  )
}

/** A message about an order that was forgotten already: a late picture, or one that said nothing new. */
async function ordersWithLateBodies(tx: Tx, connection_ids: readonly string[], limit: number): Promise<string[]> {
  const rows = await tx.query<{ id: string }>(
    `select distinct o.id from orders o
     join lateral (
       select f.source from order_facts f where f.order_id = o.id and f.recorded_at >= o.personal_data_erased_at
       union all select r.source from order_repeats r where r.order_id = o.id) s on s.source ~ '^inbox:[0-9]+$'
     join inbox i on i.id = substr(s.source, 7)::bigint and i.body is not null
     where o.connection_id = any($1::text[]) and o.personal_data_erased_at is not null limit $2`,
    [connection_ids, limit],
  )
  return rows.map(({ id }) => id)
}

async function erasePeople(tx: Tx, person_ids: readonly string[]): Promise<number> {
  if (person_ids.length === 0) return 0
  await tx.query('delete from documents where person_id = any($1::uuid[])', [person_ids])
  const rows = await tx.query(
    'update people set sealed = null, digest = null where id = any($1::uuid[]) and sealed is not null returning 1',
    [person_ids],
  )
  return rows.length
}

/** The keys are locked before their people are counted: an order that comes in meanwhile either counts or finds no key any more. */
async function destroyKeys(tx: Tx, now: Date, person_ids: readonly string[]): Promise<number> {
  if (person_ids.length === 0) return 0
  const locked = await tx.query<{ subject_id: string }>(
    `select k.subject_id from people_keys k
     where k.erased_at is null and k.subject_id in (select p.subject_id from people p where p.id = any($1::uuid[]))
     order by k.subject_id for update of k`,
    [person_ids],
  )
  const rows = await tx.query(
    `update people_keys k set wrapped_key = null, erased_at = $2, email_lookup = null,
       lookup = decode(replace(k.subject_id::text, '-', ''), 'hex')
     where k.subject_id = any($1::uuid[])
       and not exists (select 1 from people p where p.subject_id = k.subject_id and p.sealed is not null)
     returning 1`,
    [locked.map(({ subject_id }) => subject_id), now],
  )
  return rows.length
}

/** The hash of each stays as proof of what was received. One that waits parked is dropped: without a body nothing can be applied. */
async function eraseBodies(tx: Tx, order_ids: readonly string[]): Promise<number> {
  if (order_ids.length === 0) return 0
  const rows = await tx.query<{ id: number }>(
    `with theirs as (select id, connection_id, external_id from orders where id = any($1::uuid[])),
     sources as (
       select substr(f.source, 7)::bigint as id from order_facts f join theirs t on t.id = f.order_id where f.source ~ '^inbox:[0-9]+$'
       union select substr(r.source, 7)::bigint from order_repeats r join theirs t on t.id = r.order_id where r.source ~ '^inbox:[0-9]+$'
       union select w.id from inbox w join theirs t on w.connection_id = t.connection_id and w.order_external_id = t.external_id
     )
     update inbox i set body = null, state = case when i.state = 'parked' then 'dropped' else i.state end
     from sources s where i.id = s.id and i.body is not null and i.state <> 'pending' returning i.id`,
    [order_ids],
  )
  await tx.query('delete from inbox_conflicts where inbox_id = any($1::bigint[])', [rows.map(({ id }) => id)])
  return rows.length
}

async function audit(tx: Tx, now: Date, erased: Erased): Promise<void> {
  await tx.query('insert into audit_log (at, actor, action, subject, data) values ($1, $2, $3, $4, $5)', [
    now,
    'system:personal_data',
    'privacy.time_is_over',
    'orders',
    JSON.stringify(erased),
  ])
}
