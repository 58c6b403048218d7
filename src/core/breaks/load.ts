import type { Queryable } from '../../db/pool.ts'
import { clearingProof } from '../books/close.ts'
import type { OpenItem } from '../matching/rulesMatch.ts'
import type {
  BankCoverage,
  BankLineFact,
  BreakFacts,
  DisputeFact,
  PayoutFact,
  PlainFact,
  ReserveFact,
} from './rulesBreaks.ts'

/** Reads what matching left of one company, in as many statements as there are kinds of facts. `today`: a date in UTC. */
export async function loadFacts(
  q: Queryable,
  { company_id, today }: { company_id: string; today: string },
  items: readonly OpenItem[],
): Promise<BreakFacts> {
  const others: PlainFact[] = await orphans(q, company_id, today)
  const rows = async <Row extends object>(sql: string): Promise<Row[]> => q.query<Row>(sql, [company_id])
  for (const sql of [UNKNOWN, FEES, TAXES, ROUNDING]) others.push(...(await rows<PlainFact>(sql)))
  return {
    items,
    others,
    payouts: await rows<PayoutFact>(PAYOUTS),
    bank_lines: await rows<BankLineFact>(BANK_LINES),
    coverage: await rows<BankCoverage>(COVERAGE),
    disputes: await rows<DisputeFact>(DISPUTES),
    reserves: await rows<ReserveFact>(RESERVES),
  }
}

/** What stands on a clearing account and belongs to no payout that is still open. */
async function orphans(q: Queryable, company_id: string, today: string): Promise<PlainFact[]> {
  const clearing = await clearingProof(q, { period: today.slice(0, 7), company_id })
  return clearing.map(({ connection_id, currency, difference_minor }) => ({
    type: 'orphan_clearing_balance',
    identity: [connection_id, currency],
    connection_id,
    currency,
    // What stands there too much was expected, and did not come.
    amount_minor: difference_minor === 0 ? 0 : -difference_minor,
    settlement_id: null,
    settlement_line_id: null,
    order_id: null,
    data: {},
  }))
}

const day = (instant: string): string => `(${instant} at time zone 'UTC')::date`

/** Payouts that the bank has not confirmed to the cent, that do not add up, or that came back. */
const PAYOUTS = `
  select s.id, s.connection_id, s.external_id, s.status, s.currency, s.payout_minor, s.difference_minor, s.proof = 'held' as held, s.was_paid,
         ${day('s.created_at')} as created_on, ${day('s.arrival_at')} as arrival_on, s.bank_reference,
         b.amount_minor as bank_minor, b.id as bank_line_id, s.bank_group_id is not null as bank_agrees
  from settlements s
  join connections c on c.id = s.connection_id
  left join lateral (
    select sum(l.amount_minor)::bigint as amount_minor, max(l.id) as id
    from bank_lines l where l.settlement_id = s.id and l.currency = s.currency having count(*) > 0
  ) b on s.bank_group_id is null
  where c.company_id = $1
    and (s.bank_group_id is null or s.status = 'failed' or (s.proof = 'held' and s.difference_minor <> 0))
  order by s.id`

const BANK_LINES = `
  select l.id, l.connection_id, l.external_id, l.booked_on, l.currency, l.amount_minor, l.references_found
  from bank_lines l join connections c on c.id = l.connection_id
  where c.company_id = $1 and l.match_state in ('unmatched', 'suggested') and l.settlement_id is null
  order by l.id`

const COVERAGE = `
  select s.currency, min(coalesce(${day('s.from_at')}, l.first)) as "from", max(greatest(${day('s.to_at')}, l.last)) as "to"
  from bank_statements s
  join connections c on c.id = s.connection_id
  left join lateral (select min(booked_on) as first, max(booked_on) as last from bank_lines b where b.statement_id = s.id) l on true
  where c.company_id = $1
  group by s.currency
  having min(coalesce(${day('s.from_at')}, l.first)) is not null and max(greatest(${day('s.to_at')}, l.last)) is not null`

const DISPUTES = `
  select p.id as payment_id, p.connection_id, p.external_id, p.order_id, p.currency, p.amount_minor, ${day('p.at')} as "on"
  from payments p join connections c on c.id = p.connection_id
  where c.company_id = $1 and p.kind = 'dispute' and p.status = 'pending'
  order by p.id`

/** What was released last is taken to be what was held first. */
const RESERVES = `
  with moves as (
    select s.connection_id, l.currency, l.at, l.id, -l.net_minor as held
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    where c.company_id = $1 and l.kind in ('reserve_hold', 'reserve_release') and s.status not in ('failed', 'cancelled')
  ), running as (
    select *, sum(greatest(held, 0)) over (partition by connection_id, currency order by at, id) as held_until,
           sum(greatest(-held, 0)) over (partition by connection_id, currency) as released
    from moves
  )
  select connection_id, currency, sum(held)::bigint as held_minor, ${day('min(at) filter (where held > 0 and held_until > released)')} as oldest_on
  from running group by connection_id, currency having sum(held) > 0`

/** Words of a vendor that nobody has a name for; what does not even find its order is missed there already. */
const UNKNOWN = `
  select 'unknown_type' as type, jsonb_build_array(s.connection_id, s.external_id, l.external_id) as identity, s.connection_id, l.currency,
         l.net_minor as amount_minor, s.id as settlement_id, l.id as settlement_line_id, l.order_id,
         jsonb_build_object('vendor_type', l.vendor_type, 'payout', s.external_id) as data
  from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
  where c.company_id = $1 and l.kind = 'other' and l.match_state <> 'unmatched'
  order by l.id`

/** One for each payout, clause and reason: the lines are in the claim list. What was charged too much is missing. */
const FEES = `
  select 'fee_variance' as type, jsonb_build_array(s.connection_id, s.external_id, coalesce(a.clause, ''), a.reason) as identity,
         s.connection_id, l.currency, -sum(a.variance_minor)::bigint as amount_minor, s.id as settlement_id,
         min(l.id) as settlement_line_id, null as order_id,
         jsonb_build_object('clause', a.clause, 'reason', a.reason, 'lines', count(*), 'payout', s.external_id) as data
  from fee_audits a join settlement_lines l on l.id = a.settlement_line_id
  join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
  where c.company_id = $1 and a.variance_minor <> 0 and a.reason <> 'rounding'
  group by s.id, l.currency, a.clause, a.reason
  order by min(l.id)`

/**
 * Tax that a marketplace collected and withheld has to be the same; tax of an order that has been sent and settled has to be the
 * order's. Rows of refunds stand with the other sign and are left out.
 */
const TAXES = `
  with sums as (
    select l.order_id, s.connection_id, l.currency, min(l.settlement_id::text)::uuid as settlement_id, min(l.id) as line_id,
           sum(l.gross_minor) filter (where l.kind = 'tax' and l.gross_minor > 0) as tax,
           sum(l.gross_minor) filter (where l.kind = 'facilitator_tax' and l.gross_minor < 0) as withheld,
           bool_and(l.match_state = 'matched') filter (where l.kind = 'tax') as settled
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    where c.company_id = $1 and l.kind in ('tax', 'facilitator_tax') and l.order_id is not null
    group by 1, 2, 3
  ), judged as (
    select u.*, o.external_id, o.connection_id as channel,
           case when u.withheld is not null then coalesce(u.tax, 0) + u.withheld
                when u.settled and o.fulfillment_state = 'fulfilled' and o.currency = u.currency and u.tax is not null
                then u.tax - o.tax_minor else 0 end as variance
    from sums u join orders o on o.id = u.order_id
  )
  select 'tax_variance' as type, jsonb_build_array(connection_id, channel, external_id, currency) as identity, connection_id, currency,
         variance::bigint as amount_minor, settlement_id, line_id as settlement_line_id, order_id,
         jsonb_build_object('tax_minor', coalesce(tax, 0), 'withheld_minor', withheld) as data
  from judged where variance <> 0 order by line_id`

/** Differences within a tolerance, added up for each payout: small, but not nothing. */
const ROUNDING = `
  with differences as (
    select coalesce(l.settlement_id, g.settlement_ids[1]) as settlement_id, g.currency, g.difference_minor
    from match_groups g left join settlement_lines l on l.id = g.line_ids[1]
    where g.company_id = $1 and g.state = 'matched' and g.difference_minor <> 0
  )
  select 'fx_rounding' as type, jsonb_build_array(s.connection_id, s.external_id, d.currency) as identity, s.connection_id, d.currency,
         sum(d.difference_minor)::bigint as amount_minor, s.id as settlement_id, null as settlement_line_id, null as order_id,
         jsonb_build_object('matches', count(*), 'payout', s.external_id) as data
  from differences d join settlements s on s.id = d.settlement_id
  group by s.id, d.currency having sum(d.difference_minor) <> 0
  order by s.id`
