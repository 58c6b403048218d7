import type { Queryable } from '../../db/pool.ts'
import { untoldJournals } from './overlooked.ts'
import type { ErpPolicy } from './policy.ts'
import { dueDocuments } from './rulesDue.ts'
import { loadOrderStates } from './tell.ts'

const ORDERS_PER_PAGE = 500
const NAMED_MAX = 100

/** What of our documents the ERP has, by kind. */
export interface ErpProof {
  company_id: string
  connection_id: string
  orders_looked_at: number
  kinds: Record<string, { told: number; waiting: number; refused: number; dropped: number }>
  /** Due by the company's rules, and written down nowhere: nothing would ever tell them. */
  missing: { kind: string; subject: string; order_id: string | null }[]
  missing_count: number
  ok: boolean
}

/**
 * Goes through every order and journal of a company and asks of each what its ERP ought to have been told. Nothing is taken from what was
 * noted on the way: what is due is decided anew. `ok`: nothing is missing or refused (what waits is on its way).
 */
export async function checkErp(q: Queryable, erp: ErpPolicy): Promise<ErpProof> {
  const missing: ErpProof['missing'] = []
  let looked = 0
  let count = 0
  for (let after = '00000000-0000-0000-0000-000000000000'; ;) {
    const page = await q.query<{ id: string }>(
      `select id from orders where company_id = $1 and kind = 'order' and id > $2 order by id limit ${ORDERS_PER_PAGE}`,
      [erp.company_id, after],
    )
    const ids = page.map(({ id }) => id)
    const states = await loadOrderStates(q, erp, ids)
    const due = states.flatMap((state) => dueDocuments(state, erp).map((one) => ({ ...one, order_id: state.order_id })))
    count += due.length
    missing.push(
      ...due.slice(0, NAMED_MAX - missing.length).map(({ kind, subject, order_id }) => ({ kind, subject, order_id })),
    )
    looked += ids.length
    const last = ids.at(-1)
    if (ids.length < ORDERS_PER_PAGE || last === undefined) break
    after = last
  }
  const journals = await untoldJournals(q, erp, { since: null, limit: 100_000 })
  missing.push(
    ...journals
      .slice(0, NAMED_MAX - missing.length)
      .map(({ id }) => ({ kind: 'journal', subject: id, order_id: null })),
  )
  const kinds = await countKinds(q, erp.connection_id)
  const missing_count = count + journals.length
  const refused = Object.values(kinds).reduce((sum, kind) => sum + kind.refused, 0)
  const { company_id, connection_id } = erp
  return {
    company_id,
    connection_id,
    orders_looked_at: looked,
    kinds,
    missing,
    missing_count,
    ok: missing_count + refused === 0,
  }
}

async function countKinds(q: Queryable, connection_id: string): Promise<ErpProof['kinds']> {
  const rows = await q.query<{ kind: string; told: number; waiting: number; refused: number; dropped: number }>(
    `select k.kind, count(*) filter (where k.told_version = k.version) as told,
       count(*) filter (where k.told_version is distinct from k.version and coalesce(x.state in ('pending', 'queued', 'sending'), true)) as waiting,
       count(*) filter (where k.told_version is distinct from k.version and x.state = 'dead') as refused,
       count(*) filter (where k.told_version is distinct from k.version and x.state = 'cancelled') as dropped
     from erp_links k
     left join outbox x on x.key = 'erp.' || k.kind || ':' || k.connection_id || ':' || k.subject || ':' || k.version
     where k.connection_id = $1 group by k.kind order by k.kind`,
    [connection_id],
  )
  return Object.fromEntries(rows.map(({ kind, ...counts }) => [kind, counts]))
}
