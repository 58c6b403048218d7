import type { Queryable } from '../../db/pool.ts'
import { clearingProofs, unpostedOf, type ClearingItem, type ClearingSum, type Unposted } from './rulesClose.ts'
import { readPeriod } from './rulesPeriod.ts'

export interface CloseCheck {
  /** Every difference is zero, every journal balances, and nothing waits without a reason. Open breaks and held payouts are listed. */
  ok: boolean
  period: string
  locked: boolean
  /** By connection and currency, at the end of the period: what its clearing account says against what has not reached the bank. */
  clearing: (ClearingSum & { difference_minor: number; items: ClearingItem[] })[]
  journals: { posted: number; unbalanced: { journal_id: string; currency: string; difference_minor: number }[] }
  /** Payouts of the period (and older ones) that are not in the books of the period, each with its reason. */
  unposted: Unposted[]
  breaks: { type: string; currency: string; count: number; amount_minor: number }[]
  /** Every account: what moved in the period and where it stands at its end. */
  accounts: {
    connection_id: string
    account: string
    currency: string
    movement_minor: number
    balance_minor: number
  }[]
}

export interface CloseOptions {
  period: string
  /** Null: all companies together. */
  company_id: string | null
  timezone: string
}

/**
 * The books as they stood at the end of a period: journals of that period and before it, without what later ones took back. $1 the
 * period, $2 the company.
 */
const POSTED = `
  posted as materialized (
    select j.* from journals j
    where j.kind <> 'reversal' and j.period <= $1 and ($2::text is null or j.company_id = $2)
      and not exists (select 1 from journals r where r.reverses = j.id and r.period <= $1)
  )`

/**
 * What each of them should do to the clearing account, from the payouts and the bank lines themselves. Where those have changed since,
 * what the journal said of them when it was written.
 */
const STATED = `
  stated as (
    select p.connection_id, p.currency, p.settlement_id, p.kind, p.break_id,
      case when p.kind = 'settlement' and p.version = s.version and p.returned = (s.status in ('failed', 'cancelled'))
             then case when p.returned then 0 else s.payout_minor end
           when p.kind = 'bank' then coalesce(-b.clearing_minor, p.clearing_minor)
           else p.clearing_minor end as minor
    from posted p left join settlements s on s.id = p.settlement_id
    left join bank_parts b on b.bank_line_id = p.bank_line_id and b.settlement_id = p.settlement_id
  )`

/** The proof of a month end. Reads only; faults: `bad_request` for a period that is none. */
export async function closeCheck(q: Queryable, options: CloseOptions): Promise<CloseCheck> {
  const period = readPeriod(options.period)
  const scope = [period, options.company_id]
  const [items, balances, journals, unposted, breaks, accounts, locks] = await Promise.all([
    itemsOf(q, scope),
    balancesOf(q, scope),
    journalsOf(q, scope),
    notPosted(q, scope, options.timezone),
    breaksOf(q, options.company_id),
    accountsOf(q, scope),
    q.query(
      'select period from period_locks where period = $1 and ($2::text is null or company_id = $2) limit 1',
      scope,
    ),
  ])
  const clearing = clearingProofs(balances, items)
  const ok =
    clearing.every(({ difference_minor }) => difference_minor === 0) &&
    journals.unbalanced.length === 0 &&
    unposted.every(({ reason }) => reason !== 'not_posted_yet')
  return { ok, period, locked: locks.length > 0, clearing, journals, unposted, breaks, accounts }
}

const itemsOf = (q: Queryable, scope: unknown[]) =>
  q.query<ClearingItem & { connection_id: string; currency: string }>(
    `with ${POSTED}, ${STATED}
     select t.connection_id, t.currency, t.settlement_id, s.external_id, s.status,
       coalesce(sum(t.minor) filter (where t.kind = 'settlement'), 0)::bigint as payout_minor,
       coalesce(-sum(t.minor) filter (where t.kind = 'bank'), 0)::bigint as received_minor,
       coalesce(-sum(t.minor) filter (where t.kind = 'write_off'), 0)::bigint as written_off_minor,
       sum(t.minor)::bigint as open_minor
     from stated t left join settlements s on s.id = t.settlement_id
     group by 1, 2, 3, 4, 5 having sum(t.minor) <> 0 order by 1, 2, 4, 3`,
    scope,
  )

const balancesOf = (q: Queryable, scope: unknown[]) =>
  q.query<{ connection_id: string; currency: string; balance_minor: number }>(
    `select j.connection_id, e.currency, sum(e.amount_minor)::bigint as balance_minor
     from journals j join journal_entries e on e.journal_id = j.id and e.account = 'clearing:' || j.connection_id
     where j.period <= $1 and ($2::text is null or j.company_id = $2) group by 1, 2 order by 1, 2`,
    scope,
  )

async function journalsOf(q: Queryable, scope: unknown[]): Promise<CloseCheck['journals']> {
  const inPeriod = 'j.period = $1 and ($2::text is null or j.company_id = $2)'
  const [count] = await q.query<{ posted: number }>(
    `select count(*)::int as posted from journals j where ${inPeriod}`,
    scope,
  )
  const unbalanced = await q.query<CloseCheck['journals']['unbalanced'][number]>(
    `select j.id as journal_id, e.currency, sum(e.amount_minor)::bigint as difference_minor
     from journals j join journal_entries e on e.journal_id = j.id where ${inPeriod}
     group by 1, 2 having sum(e.amount_minor) <> 0 order by 1, 2`,
    scope,
  )
  return { posted: count?.posted ?? 0, unbalanced }
}

async function notPosted(q: Queryable, scope: unknown[], timezone: string): Promise<Unposted[]> {
  const rows = await q.query<Parameters<typeof unpostedOf>[0]>(
    `with ${POSTED}
     select s.id as settlement_id, s.connection_id, s.external_id, s.currency, s.payout_minor, s.version, s.proof,
       (s.created_at at time zone $3)::date as due_on, p.version as posted_version,
       (select min(j.period) from journals j where j.settlement_id = s.id and j.kind = 'settlement' and j.version = s.version
          and j.period > $1) as posted_in
     from settlements s join connections c on c.id = s.connection_id
     left join posted p on p.settlement_id = s.id and p.kind = 'settlement'
     where to_char(s.created_at at time zone $3, 'YYYY-MM') <= $1 and ($2::text is null or c.company_id = $2)
       and (p.id is null or p.version <> s.version or p.returned <> (s.status in ('failed', 'cancelled')))
     order by s.connection_id, s.external_id`,
    [...scope, timezone],
  )
  return rows.map(unpostedOf)
}

const breaksOf = (q: Queryable, company_id: string | null) =>
  q.query<CloseCheck['breaks'][number]>(
    `select type, currency, count(*)::int as count, sum(amount_minor)::bigint as amount_minor from breaks
     where state not in ('resolved', 'written_off') and ($1::text is null or company_id = $1) group by 1, 2 order by 1, 2`,
    [company_id],
  )

const accountsOf = (q: Queryable, scope: unknown[]) =>
  q.query<CloseCheck['accounts'][number]>(
    `select j.connection_id, e.account, e.currency,
       coalesce(sum(e.amount_minor) filter (where j.period = $1), 0)::bigint as movement_minor, sum(e.amount_minor)::bigint as balance_minor
     from journals j join journal_entries e on e.journal_id = j.id
     where j.period <= $1 and ($2::text is null or j.company_id = $2) group by 1, 2, 3 order by 1, 2, 3`,
    scope,
  )

/** The clearing accounts alone, by one statement after the other: for use inside a transaction. */
export async function clearingProof(
  q: Queryable,
  { period, company_id }: Pick<CloseOptions, 'period' | 'company_id'>,
): Promise<CloseCheck['clearing']> {
  const scope = [period, company_id]
  const items = await itemsOf(q, scope)
  return clearingProofs(await balancesOf(q, scope), items)
}
