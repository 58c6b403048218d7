import { pageOf, pageQuery, type Keyset, type Page, type PageRequest } from './page.ts'
import type { Queryable } from './pool.ts'

export interface ConnectionFilter extends PageRequest {
  id?: string | undefined
  state?: string | undefined
}

/** One account of a vendor: is it alive, how far has it been read, how much waits, and what went wrong last. */
export interface ConnectionRow {
  id: string
  connector: string
  company_id: string
  state: string
  state_reason: string | null
  state_at: string | null
  last_received_at: string | null
  last_pulled_at: string | null
  last_pushed_at: string | null
  breaker_open_until: string | null
  cursors: { stream: string; cursor: string | null; updated_at: string }[]
  lag: {
    inbox_pending: number
    inbox_oldest_at: string | null
    inbox_parked: number
    outbox_waiting: number
    dead_letters_open: number
    availability_due: number
    availability_oldest_at: string | null
  }
  last_errors: { operation: string; at: string; status: number | null; error_code: string }[]
}

const KEYSET: Keyset<ConnectionRow> = { kinds: ['text'], after: 'c.id > ?', keyOf: (row) => [row.id] }
const LAST_ERRORS_MAX = 5
/** How far back in the attempt log errors are looked for. */
const ATTEMPTS_LOOKED_AT = 200

/** Connections by id. `now` decides what is due. */
export async function listConnections(q: Queryable, filter: ConnectionFilter, now: Date): Promise<Page<ConnectionRow>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    // A company's connection to itself carries its transfers; there is nothing behind it to look at.
    ['c.connector <> ?', 'internal'],
    ['c.id = ?', filter.id],
    ['c.state = ?', filter.state],
  ])
  const due = `$${params.length + 1}`
  const rows = await q.query<ConnectionRow>(
    `select c.id, c.connector, c.company_id, c.state, c.state_reason, c.state_at, c.last_received_at, c.last_pulled_at, c.last_pushed_at,
            (select open_until from breakers b where b.connection_id = c.id and b.open_until > ${due}) as breaker_open_until,
            coalesce((select jsonb_agg(jsonb_build_object('stream', k.stream, 'cursor', k.cursor, 'updated_at', k.updated_at) order by k.stream)
                      from cursors k where k.connection_id = c.id), '[]') as cursors,
            jsonb_build_object(
              'inbox_pending', (select count(*) from inbox i where i.connection_id = c.id and i.state = 'pending'),
              'inbox_oldest_at', (select min(received_at) from inbox i where i.connection_id = c.id and i.state = 'pending'),
              'inbox_parked', (select count(*) from inbox i where i.connection_id = c.id and i.state = 'parked'),
              'outbox_waiting', (select count(*) from outbox o where o.connection_id = c.id and o.state in ('pending', 'queued', 'sending')),
              'dead_letters_open', (select count(*) from dead_letters d where d.connection_id = c.id and d.state = 'open'),
              'availability_due', (select count(*) from availability a where a.connection_id = c.id and a.due
                                   and a.next_attempt_at <= ${due}),
              'availability_oldest_at', (select min(dirty_at) from availability a where a.connection_id = c.id and a.due)
            ) as lag,
            coalesce((select jsonb_agg(jsonb_build_object('operation', e.operation, 'at', e.at, 'status', e.status, 'error_code', e.error_code)
                                       order by e.id desc)
                      from (select * from (select * from attempts t where t.connection_id = c.id order by t.id desc limit ${ATTEMPTS_LOOKED_AT}) recent
                            where recent.error_code is not null order by recent.id desc limit ${LAST_ERRORS_MAX}) e), '[]') as last_errors
     from connections c${where} order by c.id limit ${fetch}`,
    [...params, now],
  )
  return pageOf(filter, KEYSET, rows)
}
