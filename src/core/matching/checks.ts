import type { Check } from '../checks.ts'

/** What must hold of matches, as SQL over the stored data alone. */
export const MATCHING: readonly Check[] = [
  {
    name: 'matches_have_their_members',
    checked: `select count(*) from match_groups where state = 'matched'`,
    broken: `
      select format('settlement line %s', l.id) from settlement_lines l
      where (l.match_state = 'matched' and l.match_rule <> 'order_link') <> (l.match_group_id is not null)
        or (l.match_group_id is not null and not exists (
          select 1 from match_groups g where g.id = l.match_group_id and g.state = 'matched' and l.id = any(g.line_ids)))
      union all
      select format('match %s', g.id) from match_groups g cross join lateral unnest(g.line_ids) as m(line_id)
      left join settlement_lines l on l.id = m.line_id and l.match_group_id = g.id
      where g.state = 'matched' and l.id is null
      union all
      select format('match %s', g.id) from match_groups g cross join lateral unnest(g.payment_ids) as m(payment_id)
      left join match_expected e on e.payment_id = m.payment_id and e.group_id = g.id
      where g.state = 'matched' and e.payment_id is null
      union all
      select format('payment %s', e.payment_id) from match_expected e left join match_groups g on g.id = e.group_id
      where g.id is null or g.state <> 'matched' or not e.payment_id = any(g.payment_ids)
      union all
      select format('order %s', t.order_id) from match_order_totals t left join match_groups g on g.id = t.group_id
      where g.id is null or g.state <> 'matched'
      union all
      select format('match %s', g.id) from match_groups g
      where g.state = 'matched' and g.rule = 'order_total' and g.payment_ids = '{}'
        and not exists (select 1 from match_order_totals t where t.order_id = g.order_id and t.group_id = g.id)
      union all
      select format('settlement %s', s.id) from settlements s left join match_groups g on g.id = s.bank_group_id
      where s.bank_group_id is not null and (g.id is null or g.state <> 'matched' or not s.id = any(g.settlement_ids))`,
  },
  {
    name: 'matches_add_up',
    checked: `select count(*) from match_groups where state = 'matched'`,
    broken: `
      select format('match %s', g.id) from match_groups g
      join lateral (
        select case when bool_and(l.currency = g.currency) then sum(l.gross_minor) else sum(l.fx_original_minor) end as minor
        from settlement_lines l where l.id = any(g.line_ids)) lines on true
      left join lateral (
        select sum(case when p.kind = 'capture' then p.amount_minor else -p.amount_minor end) as minor
        from payments p where p.id = any(g.payment_ids)) paid on cardinality(g.payment_ids) > 0
      left join lateral (select sum(t.amount_minor) as minor from match_order_totals t where t.order_id = g.order_id and t.group_id = g.id) total on true
      where g.state = 'matched' and g.leg = 'orders_to_lines'
        and lines.minor - coalesce(paid.minor, total.minor, 0) is distinct from g.difference_minor
      union all
      select format('match %s', g.id) from match_groups g
      join lateral (select sum(b.amount_minor) as minor from bank_lines b where b.id = any(g.bank_line_ids)) bank on true
      join lateral (select sum(s.payout_minor) as minor from settlements s where s.id = any(g.settlement_ids)) payouts on true
      where g.state = 'matched' and g.leg = 'payouts_to_bank' and bank.minor - payouts.minor is distinct from g.difference_minor`,
  },
]
