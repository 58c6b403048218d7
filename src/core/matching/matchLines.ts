import type { Db, Queryable } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import { TOLERANCES, type Tolerances } from './rulesMatch.ts'
import { ADOPT_LATE_PAYMENTS, exactSql, groupSql, linkSql, STRATEGIES } from './strategies.ts'

/** Lines looked at in one transaction, so that a large backlog holds no lock for long and a crash loses one page. */
const LINES_PER_PAGE = 10_000
/** Lines that would take the same payment are looked at again so often; what is left then are duplicates. */
const EXACT_ROUNDS_MAX = 5
/** One matcher at a time: two would each be right and together join a payment twice. */
const LOCK = `select pg_advisory_xact_lock(hashtext('crossdock.matching'))`

export interface MatchScope {
  settlement_id?: string
  connection_id?: string
}

export interface LinesMatched {
  looked: number
  matched: number
  left: number
}

interface PageOf {
  last: number | null
  looked: number
}

const GROUP_STATEMENTS = STRATEGIES.map((strategy) => groupSql(strategy))
const LINK_UNMATCHED = linkSql('unmatched')
const LINK_NOT_NEEDED = linkSql('not_needed')

/**
 * Matches the open lines of one settlement within the caller's transaction, as an import does. Returns how many became matched.
 * The same again changes nothing.
 */
export async function matchSettlement(
  q: Queryable,
  now: Date,
  scope: { settlement_id: string },
  tolerances: Tolerances = TOLERANCES,
): Promise<number> {
  await q.query(LOCK)
  let after = 0
  let matched = 0
  for (;;) {
    const page = await matchPage(q, now, scope, tolerances, after)
    matched += page.matched
    if (page.last === null || page.looked < LINES_PER_PAGE) break
    after = page.last
  }
  let from: number | null = 0
  while (from !== null) from = await linkOthers(q, scope, from)
  return matched
}

/**
 * Looks again at every open line, page by page, because the payment or the order may have come after the payout. Each page is a
 * transaction of its own: a run that was cut off is continued by the next one.
 */
export async function matchOpenLines(
  db: Db,
  now: Date,
  options: { scope?: MatchScope; tolerances?: Tolerances; signal?: AbortSignal } = {},
): Promise<LinesMatched> {
  const { scope = {}, tolerances = TOLERANCES, signal } = options
  let after = 0
  let looked = 0
  let matched = 0
  for (;;) {
    const page = await inTransaction(db, async (tx) => {
      await tx.query(LOCK)
      return matchPage(tx, now, scope, tolerances, after)
    })
    looked += page.looked
    matched += page.matched
    if (page.last === null || page.looked < LINES_PER_PAGE || signal?.aborted === true) break
    after = page.last
  }
  await inTransaction(db, async (tx) => {
    await tx.query(LOCK)
    await tx.query(ADOPT_LATE_PAYMENTS)
  })
  let from: number | null = 0
  while (from !== null && signal?.aborted !== true) {
    const start: number = from
    from = await inTransaction(db, (tx) => linkOthers(tx, scope, start))
  }
  const [row] = await db.query<{ left: number }>(
    `select count(*)::int as left from settlement_lines l join settlements s on s.id = l.settlement_id
     where l.match_state = 'unmatched' and ($1::uuid is null or l.settlement_id = $1) and ($2::text is null or s.connection_id = $2)`,
    [scope.settlement_id ?? null, scope.connection_id ?? null],
  )
  return { looked, matched, left: row?.left ?? 0 }
}

async function matchPage(
  q: Queryable,
  now: Date,
  scope: MatchScope,
  tolerances: Tolerances,
  after: number,
): Promise<PageOf & { matched: number }> {
  const within = [scope.settlement_id ?? null, scope.connection_id ?? null]
  const [page = { last: null, looked: 0 }] = await q.query<PageOf>(
    `select max(id) as last, count(*)::int as looked from (
       select l.id from settlement_lines l ${scope.connection_id === undefined ? '' : 'join settlements s on s.id = l.settlement_id'}
       where l.match_state = 'unmatched' and l.id > $1 and ($2::uuid is null or l.settlement_id = $2)
         and ($3::text is null ${scope.connection_id === undefined ? '' : 'or s.connection_id = $3'})
       order by l.id limit ${LINES_PER_PAGE}) page`,
    [after, ...within],
  )
  if (page.last === null) return { ...page, matched: 0 }
  const range = [after, page.last, ...within]
  const count = async (sql: string, params: readonly unknown[]): Promise<number> =>
    (await q.query<{ matched: number }>(sql, params))[0]?.matched ?? 0
  let matched = 0
  for (let round = 0; round < EXACT_ROUNDS_MAX; round += 1) {
    const now_matched = await count(exactSql, [...range, now])
    matched += now_matched
    if (now_matched === 0 || matched >= page.looked) break
  }
  if (matched >= page.looked) return { ...page, matched }
  matched += await count(LINK_UNMATCHED, range)
  const { by_currency, same_currency_minor, fx_minor } = tolerances
  for (const sql of GROUP_STATEMENTS) {
    matched += await count(sql, [...range, now, JSON.stringify(by_currency), same_currency_minor, fx_minor])
  }
  return { ...page, matched }
}

/**
 * Fees and other lines that need no order, but name one: what they cost counts for it. One page from `after` on; returns where the next
 * one begins.
 */
async function linkOthers(q: Queryable, scope: MatchScope, after: number): Promise<number | null> {
  const within = [scope.settlement_id ?? null, scope.connection_id ?? null]
  const [page = { last: null, looked: 0 }] = await q.query<PageOf>(
    `select max(id) as last, count(*)::int as looked from (
       select l.id from settlement_lines l join settlements s on s.id = l.settlement_id
       where l.match_state = 'not_needed' and l.order_id is null and l.id > $1
         and (l.order_external_id is not null or l.order_number is not null or l.payment_ids <> '{}')
         and ($2::uuid is null or l.settlement_id = $2) and ($3::text is null or s.connection_id = $3)
       order by l.id limit ${LINES_PER_PAGE}) page`,
    [after, ...within],
  )
  if (page.last === null) return null
  await q.query(LINK_NOT_NEEDED, [after, page.last, ...within])
  return page.looked < LINES_PER_PAGE ? null : page.last
}
