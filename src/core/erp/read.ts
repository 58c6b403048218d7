import { writeAudit } from '../../db/audit.ts'
import { pageOf, pageQuery, plainRows, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable, Tx } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { putDue, type DueDocument } from './tell.ts'

export const ERP_KINDS = ['order', 'cancellation', 'delivery', 'return', 'invoice', 'credit', 'journal', 'bank_statement'] as const // prettier-ignore
export const ERP_STATES = ['waiting', 'told', 'refused', 'dropped'] as const

/** A document that an ERP was told, or has to be. */
export interface ErpDocument {
  id: number
  connection_id: string
  kind: string
  subject: string
  /** The name under which the ERP can find it. */
  key: string
  state: (typeof ERP_STATES)[number]
  order_id: string | null
  order_number: string | null
  version: number
  told_version: number | null
  external_id: string | null
  due_at: string
  told_at: string | null
  /** Of the last attempt, while it is not there. */
  error_code: string | null
}

export interface ErpDocumentShown extends ErpDocument {
  /** Every version that left or is to leave, newest first. */
  effects: {
    outbox_id: number
    state: string
    attempts: number
    error_code: string | null
    error_detail: string | null
    created_at: string
    done_at: string | null
  }[]
}

export interface ErpFilter extends PageRequest {
  connection?: string | undefined
  kind?: string | undefined
  state?: string | undefined
  order?: string | undefined
}

const NAME = `'erp.' || k.kind || ':' || k.connection_id || ':' || k.subject || ':'`
const DOCUMENTS = `
  select k.id, k.connection_id, k.kind, k.subject, k.key, k.order_id, coalesce(o.number, o.external_id) as order_number, k.version,
    k.told_version, k.external_id, k.due_at, k.told_at, case when k.told_version = k.version then null else x.error_code end as error_code,
    case when k.told_version = k.version then 'told' when x.state = 'dead' then 'refused' when x.state = 'cancelled' then 'dropped'
      else 'waiting' end as state
  from erp_links k left join orders o on o.id = k.order_id left join outbox x on x.key = ${NAME} || k.version`
const KEYSET: Keyset<ErpDocument> = { kinds: ['integer'], after: 'id < ?::bigint', keyOf: (row) => [row.id] }

/** The newest first. */
export async function listErpDocuments(q: Queryable, filter: ErpFilter): Promise<Page<ErpDocument>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['connection_id = ?', filter.connection],
    ['kind = ?', filter.kind],
    ['state = ?', filter.state],
    ['(order_number = ? or order_id::text = ?)', filter.order, filter.order],
  ])
  const rows = await q.query<ErpDocument>(
    `select * from (${DOCUMENTS}) d${where} order by id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

/** Fault: `not_found`. */
export async function showErpDocument(q: Queryable, id: number): Promise<ErpDocumentShown> {
  const [found] = await q.query<ErpDocument>(`select * from (${DOCUMENTS}) d where id = $1`, [id])
  if (found === undefined) throw new HubError('not_found', `there is no ERP document ${id}`)
  const effects = await q.query<ErpDocumentShown['effects'][number]>(
    `select x.id as outbox_id, x.state, x.attempts, x.error_code, x.error_detail, x.created_at, x.done_at
     from erp_links k, generate_series(1, k.version) as v join outbox x on true
     where k.id = $1 and x.key = ${NAME} || v order by x.id desc`,
    [id],
  )
  const [document = found] = plainRows<ErpDocument>([found])
  return { ...document, effects: plainRows(effects) }
}

export interface ResendAnswer {
  id: number
  version: number
  /** False: it is on its way already. */
  resent: boolean
}

/**
 * Has a document told again, in its newest state and under its old name, whatever became of it before. Asking again while it is on its
 * way changes nothing. Faults: `not_found`, and `conflict` while another document of the same order is on its way.
 */
export async function resendErpDocument(tx: Tx, id: number, by: string, now: Date): Promise<ResendAnswer> {
  const [order] = await tx.query<{ order_id: string | null }>('select order_id from erp_links where id = $1', [id])
  // Orders before what hangs on them, as everybody locks.
  if (order !== undefined && order.order_id !== null)
    await tx.query('select 1 from orders where id = $1 for no key update', [order.order_id])
  const [row] = await tx.query<DueDocument & { connection_id: string; is_on_its_way: boolean }>(
    `select k.connection_id, k.kind, k.subject, k.key, k.order_id, k.version, k.digest,
       coalesce(k.told_version <> k.version, true) and coalesce(x.state in ('pending', 'queued', 'sending'), false) as is_on_its_way
     from erp_links k left join outbox x on x.key = ${NAME} || k.version where k.id = $1 for no key update of k`,
    [id],
  )
  if (row === undefined) throw new HubError('not_found', `there is no ERP document ${id}`)
  const { connection_id, is_on_its_way, ...document } = row
  if (is_on_its_way) return { id, version: document.version, resent: false }
  await refuseWhileMoving(tx, connection_id, document.order_id)
  const version = document.version + 1
  await putDue(tx, now, connection_id, [{ ...document, version }])
  await writeAudit(tx, { at: now, actor: by, action: 'erp.resend', subject: `erp_document:${id}`, data: { version } })
  return { id, version, resent: true }
}

/** The documents of an order are told one after the other. */
async function refuseWhileMoving(tx: Tx, connection_id: string, order_id: string | null): Promise<void> {
  if (order_id === null) return
  const moving = await tx.query<{ kind: string }>(
    `select k.kind from erp_links k join outbox x on x.key = ${NAME} || k.version
     where k.connection_id = $1 and k.order_id = $2 and x.state in ('pending', 'queued', 'sending') limit 1`,
    [connection_id, order_id],
  )
  const [first] = moving
  if (first !== undefined)
    throw new HubError('conflict', `the ${first.kind} of the same order is on its way`, {
      hint: 'ask again when it is told',
    })
}
