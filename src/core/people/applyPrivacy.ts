import type { Tx } from '../../db/pool.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import type { PrivacyRequest } from '../model/fact.ts'
import { lookupsOf } from './people.ts'

/**
 * A data-protection request. `redact_person` destroys the subject's key, the sealed rows and the raw bodies that fed its orders;
 * `redact_connection` the same for everybody of the connection; `data_request` is written down for the operator to answer. Orders,
 * stock and money stay: they hold no person. What was asked and done is in the audit log, by counts and ids.
 */
export async function applyPrivacy(tx: Tx, ctx: CoreContext, inbound: InboundFact): Promise<FactOutcome> {
  if (inbound.fact.kind !== 'privacy') return { kind: 'ignored', reason: 'not_ours' }
  const request = inbound.fact.document
  const { connection_id } = inbound
  const subjects = await findSubjects(tx, ctx, connection_id, request)
  if (request.action === 'data_request') {
    await audit(tx, ctx, inbound, request, { subject_ids: subjects })
    return { kind: 'applied', summary: 'data request recorded' }
  }
  const whole = request.action === 'redact_connection'
  const bodies = whole ? await eraseAllBodies(tx, connection_id) : await eraseBodies(tx, inbound, subjects, request)
  const people = await eraseSubjects(tx, ctx, subjects)
  await audit(tx, ctx, inbound, request, { subjects: subjects.length, people, bodies })
  return { kind: 'applied', summary: `${request.action}: ${subjects.length} subjects, ${bodies} messages` }
}

async function findSubjects(
  tx: Tx,
  ctx: CoreContext,
  connection_id: string,
  request: PrivacyRequest,
): Promise<string[]> {
  const whole = request.action === 'redact_connection'
  const rows = await tx.query<{ subject_id: string }>(
    `select k.subject_id from people_keys k
     where k.connection_id = $1 and ($2 or k.lookup = any($3::bytea[]) or k.email_lookup = any($3::bytea[]) or k.subject_id in (
       select p.subject_id from orders o join people p on p.id = o.person_id
       where o.connection_id = $1 and o.external_id = any($4::text[])))
     order by k.subject_id for update of k`,
    [connection_id, whole, lookupsOf(ctx.vault, connection_id, request), request.order_external_ids],
  )
  return rows.map((row) => row.subject_id)
}

/** The lookup is overwritten, too: it would still tell whether a given person was ever here. Files about them are thrown away. */
async function eraseSubjects(tx: Tx, ctx: CoreContext, subject_ids: readonly string[]): Promise<number> {
  await tx.query(
    `update people_keys set wrapped_key = null, erased_at = $2, email_lookup = null,
       lookup = decode(replace(subject_id::text, '-', ''), 'hex')
     where subject_id = any($1::uuid[]) and erased_at is null`,
    [subject_ids, ctx.now],
  )
  await tx.query(
    'delete from documents where person_id in (select id from people where subject_id = any($1::uuid[])) or subject_id = any($1::uuid[])',
    [subject_ids],
  )
  const rows = await tx.query<{ id: string }>(
    'update people set sealed = null, digest = null where subject_id = any($1::uuid[]) and sealed is not null returning id',
    [subject_ids],
  )
  return rows.length
}

/**
 * Raw messages about the orders of these subjects, those that wait parked for a fix (they are dropped: without a body nothing can be
 * applied), and the request itself, which names the person. The hash of each stays as proof of what was received.
 */
async function eraseBodies(
  tx: Tx,
  { connection_id, source }: InboundFact,
  subject_ids: readonly string[],
  request: PrivacyRequest,
): Promise<number> {
  const rows = await tx.query<{ id: number }>(
    `with theirs as (
       select o.id from orders o left join people p on p.id = o.person_id
       where o.connection_id = $1 and (o.external_id = any($2::text[]) or p.subject_id = any($3::uuid[]))
     ), sources as (
       select f.source from order_facts f join theirs t on t.id = f.order_id
       union select r.source from order_repeats r join theirs t on t.id = r.order_id
       union select 'inbox:' || w.id from inbox w where w.connection_id = $1 and w.order_external_id = any($2::text[])
       union select $4
     )
     update inbox i set body = null, state = case when i.state = 'parked' then 'dropped' else i.state end
     from (select substr(source, 7)::bigint as id from sources where source ~ '^inbox:[0-9]+$') s
     where i.id = s.id and i.connection_id = $1 and i.body is not null returning i.id`,
    [connection_id, request.order_external_ids, subject_ids, source],
  )
  return rows.length
}

async function eraseAllBodies(tx: Tx, connection_id: string): Promise<number> {
  const rows = await tx.query<{ id: number }>(
    `update inbox set body = null, state = case when state in ('pending', 'parked') then 'dropped' else state end
     where connection_id = $1 and body is not null and topic <> 'privacy' returning id`,
    [connection_id],
  )
  return rows.length
}

async function audit(
  tx: Tx,
  ctx: CoreContext,
  inbound: InboundFact,
  request: PrivacyRequest,
  data: Readonly<Record<string, unknown>>,
): Promise<void> {
  await tx.query('insert into audit_log (at, actor, action, subject, data) values ($1, $2, $3, $4, $5)', [
    ctx.now,
    `connection:${inbound.connection_id}`,
    `privacy.${request.action}`,
    inbound.source,
    JSON.stringify({ ...data, request: request.external_id, orders: request.order_external_ids.length }),
  ])
}
