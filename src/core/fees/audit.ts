import { pageOf, pageQuery, type Filter, type Keyset, type Page, type PageRequest } from '../../db/page.ts'
import type { Db, Queryable, Tx } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { CoreContext } from '../context.ts'
import { auditLines, type Audited, type AuditLine, type AuditReason } from './rulesAudit.ts'
import { tariffsOf } from './tariffs.ts'

/** Of the tariffs of settlement `s`: the same as long as they say the same. Null: it has never had any. */
const STAMP = `
  select md5(string_agg(concat_ws(' ', t.id, t.active, t.valid_to, t.document::text), ',' order by t.id)) as state
  from tariffs t where t.connection_id = s.connection_id`

/**
 * Judges the fees of every payout that has changed, or whose tariffs have, since it was judged; each payout in a transaction of its own.
 * `connection_id` null: of all. Returns how many payouts there were.
 */
export async function auditFees(
  db: Db,
  ctx: Pick<CoreContext, 'now'>,
  connection_id: string | null,
  signal?: AbortSignal,
): Promise<number> {
  const due = await db.query<{ id: string; connection_id: string }>(
    `select s.id, s.connection_id from settlements s
     join lateral (${STAMP}) t on t.state is not null
     where ($1::text is null or s.connection_id = $1) and s.fees_audited_of is distinct from s.version || ' ' || t.state
     order by s.id`,
    [connection_id],
  )
  let done = 0
  for (const settlement of due) {
    if (signal?.aborted === true) break
    await inTransaction(db, (tx) => auditSettlement(tx, ctx, settlement))
    done += 1
  }
  return done
}

async function auditSettlement(
  tx: Tx,
  { now }: Pick<CoreContext, 'now'>,
  { id, connection_id }: { id: string; connection_id: string },
): Promise<void> {
  // Against an import of the same payout: its lines must not change between reading and writing.
  const [locked] = await tx.query<{ version: number }>(
    'select version from settlements where id = $1 for no key update',
    [id],
  )
  const [stamp] = await tx.query<{ state: string }>(
    `select t.state from settlements s, lateral (${STAMP}) t where s.id = $1`,
    [id],
  )
  const tariffs = await tariffsOf(tx, connection_id)
  const byVolume = tariffs.some(({ document }) => document.clauses.some(({ tiers }) => tiers?.by === 'month_volume'))
  const lines = await tx.query<AuditLine>(byVolume ? LINES_WITH_VOLUME : LINES, [id])
  await putAudits(tx, id, auditLines(lines, tariffs), now)
  await tx.query('update settlements set fees_audited_of = $2 where id = $1', [
    id,
    `${locked?.version} ${stamp?.state}`,
  ])
}

const ORDER_KEY = (line: string): string =>
  `coalesce(${line}.order_id::text, ${line}.order_external_id, ${line}.order_number, ${line}.payment_ids[1])`

/** What was sold of the same order and item in all payouts of the connection: a refund often comes weeks later. */
const linesSql = (volume: string): string => `
  select l.id, l.kind, l.fee_type, ${ORDER_KEY('l')} as order_key, coalesce(l.order_line_external_id, l.sku) as item_key, l.sku, l.quantity,
         l.currency, (l.at at time zone 'UTC')::date as "on", l.gross_minor, l.fee_minor, ${volume} as month_volume_minor,
         case when l.kind = 'refund' then (
           select sum(b.gross_minor)::bigint from settlement_lines b join settlements t on t.id = b.settlement_id
           where t.connection_id = s.connection_id and b.kind = 'sale' and b.currency = l.currency
             and (b.order_id = l.order_id or (l.order_id is null and b.order_external_id = l.order_external_id))
             and coalesce(b.order_line_external_id, b.sku) is not distinct from coalesce(l.order_line_external_id, l.sku)
         ) end as sold_minor
  from settlement_lines l join settlements s on s.id = l.settlement_id
  where l.settlement_id = $1 order by l.id`

const LINES = linesSql('0')
const LINES_WITH_VOLUME = linesSql(`coalesce((
  select sum(v.gross_minor)::bigint from settlement_lines v join settlements t on t.id = v.settlement_id
  where t.connection_id = s.connection_id and v.kind = 'sale' and v.currency = l.currency
    and v.at >= date_trunc('month', l.at, 'UTC') and (v.at, v.id) < (l.at, l.id)
    and ${ORDER_KEY('v')} is distinct from ${ORDER_KEY('l')}), 0)`)

async function putAudits(tx: Tx, settlement_id: string, audited: readonly Audited[], now: Date): Promise<void> {
  await tx.query(
    `with wanted as (
       select * from jsonb_to_recordset($2::jsonb) as w(settlement_line_id bigint, tariff_id bigint, clause text, basis_minor bigint,
         expected_minor bigint, charged_minor bigint, variance_minor bigint, reason text)
     ), gone as (
       delete from fee_audits a using settlement_lines l where l.id = a.settlement_line_id and l.settlement_id = $1
         and not exists (select 1 from wanted w where w.settlement_line_id = a.settlement_line_id)
     )
     insert into fee_audits as a (settlement_line_id, tariff_id, clause, basis_minor, expected_minor, charged_minor, variance_minor, reason,
       computed_at)
     select settlement_line_id, tariff_id, clause, basis_minor, expected_minor, charged_minor, variance_minor, reason, $3 from wanted
     on conflict (settlement_line_id) do update set tariff_id = excluded.tariff_id, clause = excluded.clause,
       basis_minor = excluded.basis_minor, expected_minor = excluded.expected_minor, charged_minor = excluded.charged_minor,
       variance_minor = excluded.variance_minor, reason = excluded.reason, computed_at = excluded.computed_at`,
    [settlement_id, JSON.stringify(audited), now],
  )
}

// ── reading ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

export interface AuditFilter extends PageRequest {
  connection?: string | undefined
  /** First and last day (UTC) of the lines. */
  from?: string | undefined
  to?: string | undefined
  reason?: AuditReason | undefined
}

/** One charge with its evidence. */
export interface AuditShown {
  settlement_line_id: number
  connection_id: string
  settlement: string
  line: string
  on: string
  order: string | null
  sku: string | null
  kind: string
  fee_type: string | null
  currency: string
  basis_minor: number
  expected_minor: number
  charged_minor: number
  variance_minor: number
  reason: AuditReason
  tariff: string
  clause: string | null
}

const KEYSET: Keyset<AuditShown> = {
  kinds: ['integer'],
  after: 'a.settlement_line_id > ?::bigint',
  keyOf: (row) => [row.settlement_line_id],
}

const FROM = `
  from fee_audits a join settlement_lines l on l.id = a.settlement_line_id
  join settlements s on s.id = l.settlement_id join tariffs t on t.id = a.tariff_id`

const filtersOf = ({ connection, from, to, reason }: AuditFilter): Filter[] => [
  ['s.connection_id = ?', connection],
  [`l.at >= (?::date at time zone 'UTC')`, from],
  [`l.at < ((?::date + 1) at time zone 'UTC')`, to],
  ['a.reason = ?', reason],
]

/** Judged charges in the order of their lines. */
export async function listAudits(q: Queryable, filter: AuditFilter): Promise<Page<AuditShown>> {
  const { where, params, fetch } = pageQuery(filter, KEYSET, filtersOf(filter))
  const rows = await q.query<AuditShown>(
    `select a.settlement_line_id, s.connection_id, s.external_id as settlement, l.external_id as line, (l.at at time zone 'UTC')::date as "on",
       coalesce(l.order_number, l.order_external_id) as "order", l.sku, l.kind, l.fee_type, l.currency, a.basis_minor, a.expected_minor,
       a.charged_minor, a.variance_minor, a.reason, t.name as tariff, a.clause
     ${FROM}${where} order by a.settlement_line_id limit ${fetch}`,
    params,
  )
  return pageOf(filter, KEYSET, rows)
}

export interface AuditTotal {
  connection_id: string
  currency: string
  clause: string | null
  reason: AuditReason
  charges: number
  expected_minor: number
  charged_minor: number
  variance_minor: number
}

/** Sums by connection, currency, clause and reason. */
export async function totalAudits(q: Queryable, filter: AuditFilter): Promise<AuditTotal[]> {
  const { where, params } = pageQuery({}, KEYSET, filtersOf(filter))
  return q.query<AuditTotal>(
    `select s.connection_id, l.currency, a.clause, a.reason, count(*)::int as charges, sum(a.expected_minor)::bigint as expected_minor,
       sum(a.charged_minor)::bigint as charged_minor, sum(a.variance_minor)::bigint as variance_minor
     ${FROM}${where} group by 1, 2, 3, 4 order by 1, 2, 3, 4`,
    params,
  )
}

const CLAIMED: ReadonlySet<AuditReason> = new Set(['overcharged', 'not_returned', 'unlisted'])

/** What to claim back: every charge that was too much, page by page. */
export async function* claims(q: Queryable, filter: AuditFilter): AsyncGenerator<AuditShown> {
  let cursor: string | undefined
  do {
    const page = await listAudits(q, { ...filter, limit: 200, cursor })
    yield* page.rows.filter((row) => CLAIMED.has(row.reason) && row.variance_minor > 0)
    cursor = page.next_cursor ?? undefined
  } while (cursor !== undefined)
}
