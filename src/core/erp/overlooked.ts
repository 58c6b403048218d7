import type { Queryable, Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { ErpPolicy } from './policy.ts'
import { tellErp } from './tell.ts'
import { tellJournals, type WrittenJournal } from './tellBooks.ts'

/** Journals of a company that its ERP has no document of. */
export function untoldJournals(
  q: Queryable,
  erp: ErpPolicy,
  { since, limit }: { since: Date | null; limit: number },
): Promise<WrittenJournal[]> {
  return q.query<WrittenJournal>(
    `select j.id, j.company_id, j.key, j.kind, j.bank_line_id, e.entries
     from journals j, lateral (
       select jsonb_agg(jsonb_build_object('account', account, 'currency', currency)) as entries, array_agg(distinct currency) as currencies
       from journal_entries where journal_id = j.id) e
     where j.company_id = $1 and ($2::timestamptz is null or j.created_at >= $2)
       and case when j.bank_line_id is not null and $5 then e.entries @> '[{"account": "bank"}]' else $4 end
       and not exists (select 1 from erp_links k where k.connection_id = $3 and k.kind in ('journal', 'bank_statement')
         and k.subject = any(select j.id || ':' || c from unnest(e.currencies) as c))
     order by j.id limit $6`,
    [erp.company_id, since, erp.connection_id, erp.journals, erp.bank_statements, limit],
  )
}

/**
 * Tells what may have been overlooked lately: documents that two transactions left to each other, and those that were written where
 * nobody knew of the ERP. Returns how many became due.
 */
export async function tellOverlooked(
  tx: Tx,
  ctx: Pick<CoreContext, 'now' | 'erps' | 'policies'>,
  erp: ErpPolicy,
  { since, documents_max }: { since: Date; documents_max: number },
): Promise<number> {
  const orders = await tx.query<{ id: string; connection_id: string }>(
    `select o.id, o.connection_id from orders o
     where o.company_id = $1 and o.kind = 'order' and (o.changed_at >= $2 or exists (
       select 1 from returns r where r.order_id = o.id and r.recorded_at >= $2))
     order by o.id limit $3 for no key update of o skip locked`,
    [erp.company_id, since, documents_max],
  )
  const journals = await untoldJournals(tx, erp, { since, limit: documents_max })
  await tellJournals(tx, ctx, journals)
  return (await tellErp(tx, ctx, orders)) + journals.length
}
