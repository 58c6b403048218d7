import { pageOf, pageQuery, plainRows, type Filter, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import { AGE_BUCKETS, type AgeBucket, type BreakState, type BreakType } from './rulesState.ts'

export interface BreakShown {
  id: number
  company_id: string
  connection_id: string | null
  type: BreakType
  state: BreakState
  currency: string
  /** What came less what was expected. */
  amount_minor: number
  owner: string | null
  reason_code: string | null
  /** Days past the expected date (past the day it was found, where nothing was expected), and their bucket. */
  age_days: number
  age: AgeBucket
  expected_on: string | null
  settlement_id: string | null
  settlement_line_id: number | null
  order_id: string | null
  payment_id: number | null
  bank_line_id: number | null
  data: Record<string, unknown>
  opened_at: string
  seen_at: string
  changed_at: string
  /** Since when the data no longer show it. */
  gone_at: string | null
  write_off_requested_by: string | null
  approved_by: string | null
}

export interface BreakComment {
  at: string
  by: string
  kind: string
  text: string
}

export interface BreakWithComments extends BreakShown {
  comments: BreakComment[]
}

export interface BreakFilter extends PageRequest {
  company?: string | undefined
  type?: BreakType | undefined
  /** `unfinished`: everything that is neither written off nor resolved. */
  state?: BreakState | 'unfinished' | undefined
  age?: AgeBucket | undefined
  connection?: string | undefined
  owner?: string | undefined
  settlement?: string | undefined
  order?: string | undefined
}

/** Days of a bucket, as they are asked for: from, up to. */
const AGE_DAYS: Readonly<Record<AgeBucket, readonly [from: number, to: number]>> = {
  '0-2': [-100_000, 2],
  '3-7': [3, 7],
  '8-14': [8, 14],
  '15-30': [15, 30],
  '31-60': [31, 60],
  '60+': [61, 1_000_000],
}

const KEYSET: Keyset<BreakShown> = { kinds: ['integer'], after: 'b.id < ?::bigint', keyOf: (row) => [row.id] }

const ageSql = (today: string): string => `greatest(0, ${today}::date - b.aged_from)`
const bucketSql = (today: string): string =>
  `case ${AGE_BUCKETS.slice(0, -1)
    .map((bucket) => `when ${ageSql(today)} <= ${AGE_DAYS[bucket][1]} then '${bucket}'`)
    .join(' ')} else '60+' end`

const columns = (today: string): string => `
  b.id, b.company_id, b.connection_id, b.type, b.state, b.currency, b.amount_minor, b.owner, b.reason_code,
  ${ageSql(today)} as age_days, ${bucketSql(today)} as age, b.expected_on, b.settlement_id, b.settlement_line_id, b.order_id, b.payment_id,
  b.bank_line_id, b.data, b.opened_at, b.seen_at, b.changed_at, b.gone_at, b.write_off_requested_by, b.approved_by`

const dayOf = (now: Date): string => `'${now.toISOString().slice(0, 10)}'`

/** The newest first. `now` decides the ages. */
export async function listBreaks(q: Queryable, filter: BreakFilter, now: Date): Promise<Page<BreakShown>> {
  const today = dayOf(now)
  const { state } = filter
  const states: Filter =
    state === 'unfinished' ? [`b.state not in ('resolved', 'written_off')`] : ['b.state = ?', state]
  const age = filter.age === undefined ? [undefined, undefined] : AGE_DAYS[filter.age]
  const { where, params, fetch } = pageQuery(filter, KEYSET, [
    ['b.company_id = ?', filter.company],
    ['b.type = ?', filter.type],
    states,
    [`${today}::date - b.aged_from between ?::int and ?::int`, ...age],
    ['b.connection_id = ?', filter.connection],
    ['b.owner = ?', filter.owner],
    ['b.settlement_id = ?::uuid', filter.settlement],
    ['b.order_id = ?::uuid', filter.order],
  ])
  const rows = await q.query<BreakShown>(
    `select ${columns(today)} from breaks b${where} order by b.id desc limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

/** One break and everything that was said about it, the oldest first. Faults: `not_found`. */
export async function showBreak(q: Queryable, id: number, now: Date): Promise<BreakWithComments> {
  const [row] = await q.query<BreakShown>(`select ${columns(dayOf(now))} from breaks b where b.id = $1`, [id])
  if (row === undefined) throw new HubError('not_found', `there is no break ${id}`)
  const comments = await q.query<BreakComment>(
    'select at, by, kind, text from break_comments where break_id = $1 order by id',
    [id],
  )
  const [shown = row] = plainRows<BreakShown>([row])
  return { ...shown, comments: plainRows(comments) }
}

export interface BreakTotal {
  type: BreakType
  currency: string
  age: AgeBucket
  breaks: number
  amount_minor: number
}

/** What is unfinished, by type, currency and age. */
export async function totalBreaks(q: Queryable, company_id: string | null, now: Date): Promise<BreakTotal[]> {
  return q.query<BreakTotal>(
    `select type, currency, ${bucketSql(dayOf(now))} as age, count(*)::int as breaks, sum(amount_minor)::bigint as amount_minor
     from breaks b where b.state not in ('resolved', 'written_off') and ($1::text is null or b.company_id = $1)
     group by 1, 2, 3 order by 1, 2, 3`,
    [company_id],
  )
}
