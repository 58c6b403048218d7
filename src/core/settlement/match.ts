import type { Db, Queryable } from '../../db/pool.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { CoreContext } from '../context.ts'

/** Lines looked at in one transaction, so that a large backlog holds no lock for long. */
const LINES_PER_TURN = 5_000

/**
 * Joins unmatched lines to what they pay, only ever within their company. In order of certainty:
 * 1. `payment`: a payment or refund of the gateway has the line's ids (or is named by them); a refund line prefers a refund.
 * 2. `order_payment_ids`: the order itself names one of the line's payment ids.
 * 3. `order_reference`: the order's external id or number, where exactly one order bears it.
 * A payment whose order is not known yet leaves the line unmatched, because it may become known. Two candidates of the same certainty
 * that are different orders are no match: a wrong match is worse than none.
 */
const MATCH = `
  with open as materialized (
    select l.id, l.kind, l.currency, l.order_external_id, l.order_number, l.payment_ids, c.company_id
    from settlement_lines l
    join settlements s on s.id = l.settlement_id
    join connections c on c.id = s.connection_id
    where l.match_state = 'unmatched' and ($1::uuid is null or l.settlement_id = $1) and l.id > $2
    order by l.id limit $3
  ), siblings as (
    select o.company_id, array_agg(c.id) as ids from (select distinct company_id from open) o
    join connections c on c.company_id = o.company_id group by 1
  ), candidates as (
    select o.id, p.order_id, p.id as payment_id, 'payment' as reason,
           case when (p.kind = 'refund') = (o.kind in ('refund', 'fee_returned')) then 1 else 2 end as certainty
    from open o join siblings b on b.company_id = o.company_id
    join payments p on p.external_id = any(o.payment_ids) and p.connection_id = any(b.ids)
    where p.order_id is not null and cardinality(o.payment_ids) > 0
    union all
    select o.id, p.order_id, p.id, 'payment',
           case when (p.kind = 'refund') = (o.kind in ('refund', 'fee_returned')) then 3 else 4 end
    from open o join siblings b on b.company_id = o.company_id
    join payments p on p.payment_ids && o.payment_ids and p.connection_id = any(b.ids)
    where p.order_id is not null and cardinality(o.payment_ids) > 0
    union all
    select o.id, r.id, null, 'order_payment_ids', 5
    from open o join siblings b on b.company_id = o.company_id
    join orders r on r.payment_ids && o.payment_ids and r.payment_ids <> '{}' and r.connection_id = any(b.ids)
    where cardinality(o.payment_ids) > 0
    union all
    select o.id, r.id, null, 'order_reference', 6
    from open o join siblings b on b.company_id = o.company_id
    join orders r on r.external_id = o.order_external_id and r.connection_id = any(b.ids)
    union all
    select o.id, r.id, null, 'order_reference', 7
    from open o join siblings b on b.company_id = o.company_id
    join orders r on r.number = coalesce(o.order_number, o.order_external_id) and r.connection_id = any(b.ids)
  ), best as (
    select id, min(certainty) as certainty from candidates group by id
  ), decided as (
    select c.id, (array_agg(c.order_id))[1] as order_id, min(c.payment_id) as payment_id, min(c.reason) as reason
    from candidates c join best b on b.id = c.id and b.certainty = c.certainty
    group by c.id having count(distinct c.order_id) = 1
  ), updated as (
    update settlement_lines l set match_state = 'matched', order_id = d.order_id, payment_id = d.payment_id, match_reason = d.reason
    from decided d where l.id = d.id returning l.id
  )
  select (select count(*) from open)::int as looked, (select max(id) from open) as last, (select count(*) from updated)::int as matched`

interface Turn {
  looked: number
  last: number | null
  matched: number
}

/** Matches the unmatched lines of one settlement (or of all, from a line id on). Returns the number matched. */
export async function matchLines(q: Queryable, scope: { settlement_id: string | null }): Promise<number> {
  let after = 0
  let matched = 0
  for (;;) {
    const turn = await matchTurn(q, scope.settlement_id, after)
    matched += turn.matched
    if (turn.last === null || turn.looked < LINES_PER_TURN) return matched
    after = turn.last
  }
}

/** Looks again at every unmatched line, because the order or the payment may have come after the payout. */
export async function matchUnmatched(
  db: Db,
  _ctx: Pick<CoreContext, 'now'>,
): Promise<{ matched: number; left: number }> {
  let after = 0
  let matched = 0
  for (;;) {
    const turn = await inTransaction(db, (tx) => matchTurn(tx, null, after))
    matched += turn.matched
    if (turn.last === null || turn.looked < LINES_PER_TURN) break
    after = turn.last
  }
  const [row] = await db.query<{ left: number }>(
    `select count(*)::int as left from settlement_lines where match_state = 'unmatched'`,
  )
  return { matched, left: row?.left ?? 0 }
}

async function matchTurn(q: Queryable, settlement_id: string | null, after: number): Promise<Turn> {
  const [turn] = await q.query<Turn>(MATCH, [settlement_id, after, LINES_PER_TURN])
  return turn ?? { looked: 0, last: null, matched: 0 }
}
