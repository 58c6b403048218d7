import type { Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import { columns } from '../columns.ts'
import type { CoreContext } from '../context.ts'
import { recordTimeline } from '../orders/timeline.ts'
import { erpThatIs } from './policy.ts'
import { tellErp } from './tell.ts'

/** An effect that has ended, as far as its document goes. */
export interface ErpEffect {
  id: number
  connection_id: string
  kind: string
  reference: Readonly<Record<string, string | number>>
}

export interface ErpDone {
  effect: ErpEffect
  /** What the ERP calls it; null when reading back showed only that it is there. */
  external_id: string | null
}

type Context = Pick<CoreContext, 'now' | 'erps' | 'policies'>

const documentOf = ({ kind }: ErpEffect): string => kind.replace(/^erp\./, '')
const caseSubject = (effect: ErpEffect): string => `${documentOf(effect)}:${String(effect.reference['subject'])}`

/**
 * Notes what an ERP has taken, and makes due what waited for it: deliveries after their order, invoices after their deliveries. The
 * orders are locked by the caller.
 */
export async function noteErpDone(tx: Tx, ctx: Context, done: readonly ErpDone[]): Promise<void> {
  const documents = done.filter(({ effect }) => effect.kind !== 'erp.stock')
  if (documents.length === 0) return
  const rows = documents.map(({ effect, external_id }) => ({
    connection_id: effect.connection_id,
    kind: documentOf(effect),
    subject: String(effect.reference['subject']),
    version: Number(effect.reference['version']),
    external_id,
    source: `outbox:${effect.id}`,
  }))
  const told = await tx.query<{
    kind: string
    subject: string
    order_id: string | null
    order_connection_id: string | null
    source: string
    version: number
  }>( // prettier-ignore
    `update erp_links k set told_version = greatest(coalesce(k.told_version, 0), n.version), told_at = $7,
       external_id = coalesce(n.external_id, k.external_id)
     from unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[], $6::text[]) as n(connection_id, kind, subject, version, external_id, source)
     where k.connection_id = n.connection_id and k.kind = n.kind and k.subject = n.subject
     returning k.kind, k.subject, k.order_id, n.source, n.version,
       (select o.connection_id from orders o where o.id = k.order_id) as order_connection_id`,
    [...columns(rows, ['connection_id', 'kind', 'subject', 'version', 'external_id', 'source']), ctx.now],
  )
  const facts = told.flatMap(({ kind, subject, order_id, source, version }) =>
    order_id === null ? [] : [{ order_id, kind: `erp.${kind}`, at: ctx.now, source, data: { subject, version } }],
  )
  await recordTimeline(tx, facts, ctx.now)
  const subjects = documents.map(({ effect }) => caseSubject(effect))
  await closeCases(tx, { kind: 'erp_refused', subjects }, 'hub', ctx.now)
  const orders = told.flatMap(({ order_id, order_connection_id }) =>
    order_id === null || order_connection_id === null ? [] : [{ id: order_id, connection_id: order_connection_id }],
  )
  await tellErp(tx, ctx, [...new Map(orders.map((order) => [order.id, order])).values()])
}

/** What is taken back by another document, if the ERP has it: an order is cancelled, a cancellation reopened. */
const TAKEN_BACK: ReadonlySet<string> = new Set(['erp.order', 'erp.cancellation'])

/**
 * Effects that were called off, because what they were about is not so any more. `begun`: after an attempt at them. An attempt takes several
 * calls, and one that was throttled half-way or died with its process has left something there of which the ERP never spoke. Such a document
 * counts as told, which makes due what takes it back; what it said counts as unknown, so that an order which is wanted again is told again.
 * The orders are locked by the caller, the effects ended.
 */
export async function noteErpCalledOff(
  tx: Tx,
  ctx: Context,
  effects: readonly (ErpEffect & { begun: boolean })[],
): Promise<void> {
  const off = effects.filter(({ kind }) => TAKEN_BACK.has(kind))
  if (off.length === 0) return
  const rows = off.flatMap((effect) =>
    effect.begun
      ? {
          connection_id: effect.connection_id,
          kind: documentOf(effect),
          subject: String(effect.reference['subject']),
          version: Number(effect.reference['version']),
        }
      : [],
  )
  await tx.query(
    `update erp_links k set told_version = greatest(coalesce(k.told_version, 0), n.version), told_at = $5,
       digest = case when k.kind = 'order' then null else k.digest end
     from unnest($1::text[], $2::text[], $3::text[], $4::int[]) as n(connection_id, kind, subject, version)
     where k.connection_id = n.connection_id and k.kind = n.kind and k.subject = n.subject`,
    [...columns(rows, ['connection_id', 'kind', 'subject', 'version']), ctx.now],
  )
  await tellOthers(tx, ctx, off.map(({ id }) => id)) // prettier-ignore
}

/** A document that the ERP will not take as it is: somebody has to look, here or there. */
export async function noteErpRefused(
  tx: Tx,
  ctx: Context,
  refused: readonly { effect: ErpEffect; code: string }[],
): Promise<void> {
  const cases = refused.flatMap(({ effect, code }) => {
    const company_id = erpThatIs(ctx, effect.connection_id)?.company_id
    if (company_id === undefined || effect.kind === 'erp.stock') return []
    const { connection_id, id } = effect
    return [
      {
        company_id,
        kind: 'erp_refused' as const,
        subject: caseSubject(effect),
        connection_id,
        data: { code, outbox_id: id },
      },
    ]
  })
  await openCases(tx, cases, ctx.now)
  await tellOthers(tx, ctx, refused.map(({ effect }) => effect.id)) // prettier-ignore
}

/** What does not hang on a document that was refused or called off goes on without it. The orders are locked by the caller. */
async function tellOthers(tx: Tx, ctx: Context, outbox_ids: readonly number[]): Promise<void> {
  const orders = await tx.query<{ id: string; connection_id: string }>(
    `select distinct o.id, o.connection_id from outbox x join orders o on o.id = x.order_id where x.id = any($1::bigint[])`,
    [outbox_ids],
  )
  await tellErp(tx, ctx, orders)
}
