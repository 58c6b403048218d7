import { PART_OF_KIND, type Part } from './rulesMatch.ts'

/**
 * The strategies that join what was expected to the lines of payouts, in the order in which they are tried: the surest first, and each
 * only on what those before it left open. They are data; `groupSql` and `exactSql` make one set-based statement of each.
 */
export interface Strategy {
  /** Stored with every match that it makes. */
  rule: string
  /** Lines that count as one. `shipment`: of one order and one shipment. */
  key: 'payment' | 'shipment' | 'order'
  /** What their sum must be. `one_payment`: exactly one open capture or refund of the order. `all_payments`: all the open ones together. */
  expected: 'payment' | 'one_payment' | 'all_payments' | 'order_total' | 'zero'
  /** `single`: just one line. `without_twins`: a row that stands there twice counts once; the second stays open. */
  lines: 'single' | 'all' | 'without_twins'
}

export const STRATEGIES: readonly Strategy[] = [
  { rule: 'payment_tolerance', key: 'payment', expected: 'payment', lines: 'single' },
  { rule: 'payment_group', key: 'payment', expected: 'payment', lines: 'all' },
  { rule: 'shipment_group', key: 'shipment', expected: 'one_payment', lines: 'all' },
  { rule: 'order_group', key: 'order', expected: 'all_payments', lines: 'all' },
  { rule: 'order_total', key: 'order', expected: 'order_total', lines: 'all' },
  { rule: 'payment_group', key: 'payment', expected: 'payment', lines: 'without_twins' },
  { rule: 'order_group', key: 'order', expected: 'all_payments', lines: 'without_twins' },
  { rule: 'order_total', key: 'order', expected: 'order_total', lines: 'without_twins' },
  { rule: 'cancels_out', key: 'payment', expected: 'zero', lines: 'all' },
]

const kindsOf = (...parts: Part[]): string =>
  Object.entries(PART_OF_KIND)
    .filter(([, part]) => parts.includes(part))
    .map(([kind]) => `'${kind}'`)
    .join(', ')

/** Kinds whose amount is compared with something. */
const COMPARED_KINDS = kindsOf('income', 'refund', 'dispute')
const LINKED_KINDS = kindsOf('linked')

/** The part of the kind in `column`, as SQL. */
export const partSql = (column: string): string =>
  `(case ${Object.entries(PART_OF_KIND)
    .map(([kind, part]) => `when ${column} = '${kind}' then '${part}'`)
    .join(' ')} end)`

/** The kind of payment that a part is compared with, and the sign of its amount. */
export const paymentKindSql = (part: string): string =>
  `(case ${part} when 'income' then 'capture' when 'refund' then 'refund' when 'dispute' then 'dispute' end)`
export const partOfPaymentSql = (kind: string): string =>
  `(case ${kind} when 'capture' then 'income' when 'refund' then 'refund' when 'dispute' then 'dispute' end)`
export const signedSql = (payment: string): string =>
  `(case when ${payment}.kind = 'capture' then ${payment}.amount_minor else -${payment}.amount_minor end)`

/** A payment that still waits for its line. A failed one is expected by nobody. */
export const freeSql = (payment: string): string =>
  `(${payment}.status in ('succeeded', 'pending') and not exists (select 1 from match_expected e where e.payment_id = ${payment}.id))`

/** Parameters of every statement below: the lines after $1 up to $2, of settlement $3 or of all, of connection $4 or of all, at $5. */
const inPage = (line: string, settlement: string): string =>
  `${line}.match_state = 'unmatched' and ${line}.id > $1 and ${line}.id <= $2
     and ($3::uuid is null or ${line}.settlement_id = $3) and ($4::text is null or ${settlement}.connection_id = $4)`

/** A single line that agrees to the cent with the payment that it names in a roundabout way is as sure as one that names it by its own id. */
const ruleSql = (rule: string): string =>
  rule === 'payment_tolerance'
    ? `case when h.difference_minor = 0 then 'payment_exact' else '${rule}' end`
    : `'${rule}'::text`

/** Reads `hits` (company_id, currency, line_ids, payment_ids, order_id, part, difference_minor, lines_minor, expected_minor, totals) and stores them. */
const store = (rule: string, key: string): string => `
  allowed as materialized (
    select nextval('match_groups_id_seq') as group_id, ${ruleSql(rule)} as rule, h.* from hits h
    where not exists (select 1 from match_rejections r where r.leg = 'orders_to_lines' and r.line_id = any(h.line_ids)
      and (r.payment_ids && h.payment_ids or (h.payment_ids = '{}' and r.payment_ids = '{}' and r.order_id = h.order_id)))
  ), groups as (
    insert into match_groups (id, company_id, leg, rule, state, currency, difference_minor, reason, line_ids, payment_ids, order_id, made_at)
    overriding system value
    select group_id, company_id, 'orders_to_lines', rule, 'matched', currency, difference_minor,
      jsonb_build_object('key', '${key}', 'part', part, 'lines_minor', lines_minor, 'expected_minor', expected_minor),
      line_ids, payment_ids, order_id, $5 from allowed
  ), taken as (
    insert into match_expected (payment_id, group_id) select unnest(payment_ids), group_id from allowed
  ), totals as (
    insert into match_order_totals (order_id, part, group_id, amount_minor)
    select order_id, part, group_id, expected_minor from allowed where by_total
  ), updated as (
    update settlement_lines l set match_state = 'matched', match_rule = n.rule, match_group_id = n.group_id, order_id = n.order_id,
      payment_id = coalesce(n.payment_id, l.payment_id), match_reason = coalesce(l.match_reason, 'payment')
    from (select group_id, rule, order_id, unnest(line_ids) as line_id,
            case when cardinality(payment_ids) = 1 then payment_ids[1] end as payment_id from allowed) n
    where l.id = n.line_id and l.match_state = 'unmatched' returning 1
  )
  select count(*)::int as matched from updated`

/**
 * Lines that name a payment or refund by its own id, of the same currency and amount. Several lines that would take the same payment:
 * the first does, the others are looked at again.
 */
export const exactSql = `
  with open as materialized (
    select l.id, ${paymentKindSql(partSql('l.kind'))} as wanted, l.currency, l.gross_minor, l.payment_ids, c.company_id
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    where ${inPage('l', 's')} and l.kind in (${COMPARED_KINDS}) and l.payment_ids <> '{}'
  ), candidates as materialized (
    select o.id, o.company_id, o.currency, o.gross_minor, p.id as payment_id, p.order_id, p.kind,
      (p.currency = o.currency and ${signedSql('p')} = o.gross_minor and ${freeSql('p')}) as fits
    from open o cross join lateral unnest(o.payment_ids) as k(external_id)
    join payments p on p.external_id = k.external_id and p.kind = o.wanted
    join connections pc on pc.id = p.connection_id and pc.company_id = o.company_id
    where p.order_id is not null
  ), decided as (
    select id, company_id, currency, gross_minor, min(order_id::text)::uuid as order_id, min(payment_id) filter (where fits) as payment_id,
      min(kind) as kind
    from candidates group by 1, 2, 3, 4 having count(distinct order_id) = 1 and bool_or(fits)
  ), hits as (
    select distinct on (payment_id) company_id, currency, array[id] as line_ids, array[payment_id] as payment_ids, order_id,
      ${partOfPaymentSql('kind')} as part, 0::bigint as difference_minor, gross_minor as lines_minor, gross_minor as expected_minor,
      false as by_total
    from decided order by payment_id, id
  ), ${store('payment_exact', 'payment')}`

const KEY_COLUMNS = { payment: 'payment_id', shipment: 'shipment_external_id', order: 'null::text' } as const

const EXPECTED: Readonly<Record<Strategy['expected'], string>> = {
  payment: `
    select g.*, array[p.id] as payment_ids, ${signedSql('p')} as expected_minor, p.currency as expected_currency, false as by_total, 0 as rank
    from groups_of_lines g join payments p on p.id = g.key where ${paymentKindSql('g.part')} = p.kind and ${freeSql('p')}`,
  one_payment: `
    select g.*, array[min(p.id)] as payment_ids, min(${signedSql('p')}) as expected_minor, min(p.currency) as expected_currency,
      false as by_total, 0 as rank
    from groups_of_lines g join payments p on p.order_id = g.order_id and p.kind = ${paymentKindSql('g.part')}
      and p.connection_id = g.connection_id and ${freeSql('p')}
      and ((p.currency = g.currency and ${signedSql('p')} = g.sum_minor) or (p.currency = g.fx_currency and ${signedSql('p')} = g.fx_minor))
    group by ${'g.company_id, g.order_id, g.connection_id, g.part, g.key, g.line_ids, g.currency, g.sum_minor, g.fx_currency, g.fx_minor, g.has_tax'}`,
  all_payments: `
    select g.*, e.payment_ids, e.expected_minor, e.expected_currency, false as by_total,
      case when e.connection_id = g.connection_id then 0 else 1 end as rank
    from groups_of_lines g join lateral (
      select p.connection_id, array_agg(p.id order by p.id) as payment_ids, sum(${signedSql('p')})::bigint as expected_minor,
        min(p.currency) as expected_currency
      from payments p where p.order_id = g.order_id and p.kind = ${paymentKindSql('g.part')} and ${freeSql('p')}
      group by p.connection_id having count(distinct p.currency) = 1
    ) e on true
    where e.connection_id = g.connection_id or not exists (
      select 1 from payments own where own.order_id = g.order_id and own.kind = ${paymentKindSql('g.part')}
        and own.connection_id = g.connection_id and own.status in ('succeeded', 'pending'))`,
  order_total: `
    select g.*, '{}'::bigint[] as payment_ids, t.expected_minor, o.currency as expected_currency, true as by_total, t.rank
    from groups_of_lines g join orders o on o.id = g.order_id
    cross join lateral (values
      (0, case when g.part = 'income' then o.total_minor when o.refunded_minor > 0 then -o.refunded_minor end),
      (1, case when g.part = 'income' and not g.has_tax and o.tax_minor > 0 then o.total_minor - o.tax_minor end)) as t(rank, expected_minor)
    where g.part in ('income', 'refund') and t.expected_minor is not null
      and not exists (select 1 from payments p where p.order_id = o.id and p.kind = ${paymentKindSql('g.part')}
        and p.status in ('succeeded', 'pending'))
      and not exists (select 1 from match_order_totals m where m.order_id = o.id and m.part = g.part)`,
  zero: `
    select g.*, '{}'::bigint[] as payment_ids, 0::bigint as expected_minor, g.currency as expected_currency, false as by_total, 0 as rank
    from groups_of_lines g where cardinality(g.line_ids) > 1
      and not exists (select 1 from payments p where p.id = g.key and ${freeSql('p')} and p.kind = ${paymentKindSql('g.part')})`,
}

const LINES: Readonly<Record<Strategy['lines'], { where: string; having: string }>> = {
  single: { where: 'true', having: 'count(*) = 1' },
  all: { where: 'true', having: 'true' },
  without_twins: { where: 'twin = 1', having: 'max(twins) > 1' },
}

/**
 * Sums of the open lines of a key against what is expected of it, for the orders that have an open line in the page: their lines
 * elsewhere count too. $6: tolerances by currency; $7: of the same currency; $8: of an exchange.
 */
export function groupSql({ rule, key, expected, lines }: Strategy): string {
  const { where, having } = LINES[lines]
  const keyColumn = KEY_COLUMNS[key]
  return `
  with scope as materialized (
    select distinct l.order_id from settlement_lines l join settlements s on s.id = l.settlement_id
    where ${inPage('l', 's')} and l.order_id is not null and l.kind in (${COMPARED_KINDS})
  ), open as (
    select l.id, l.order_id, l.payment_id, l.shipment_external_id, s.connection_id, c.company_id, ${partSql('l.kind')} as part, l.kind, l.currency,
      l.gross_minor, l.fx_currency, l.fx_original_minor,
      row_number() over same as twin, count(*) over (partition by l.order_id, l.payment_id, l.kind, l.vendor_type, l.gross_minor, l.currency,
        l.sku, l.order_line_external_id, l.shipment_external_id, l.at) as twins
    from scope join settlement_lines l on l.order_id = scope.order_id join settlements s on s.id = l.settlement_id
    join connections c on c.id = s.connection_id
    where l.match_state = 'unmatched' and l.kind in (${COMPARED_KINDS})
    window same as (partition by l.order_id, l.payment_id, l.kind, l.vendor_type, l.gross_minor, l.currency, l.sku,
      l.order_line_external_id, l.shipment_external_id, l.at order by l.id)
  ), groups_of_lines as (
    select company_id, order_id, connection_id, part, ${keyColumn} as key, array_agg(id order by id) as line_ids,
      case when count(distinct currency) = 1 then min(currency) end as currency, sum(gross_minor)::bigint as sum_minor,
      case when bool_and(fx_currency is not null) and count(distinct fx_currency) = 1 then min(fx_currency) end as fx_currency,
      sum(fx_original_minor)::bigint as fx_minor, bool_or(kind = 'tax') as has_tax
    from open where ${where}${key === 'order' ? '' : ` and ${keyColumn} is not null`}
    group by company_id, order_id, connection_id, part${key === 'order' ? '' : `, ${keyColumn}`} having ${having}
  ), compared as (${EXPECTED[expected]}
  ), near as (
    select c.*, case when c.currency = c.expected_currency then c.sum_minor - c.expected_minor else c.fx_minor - c.expected_minor end as difference_minor
    from compared c
    where (c.currency = c.expected_currency
        and abs(c.sum_minor - c.expected_minor) <= coalesce(($6::jsonb ->> c.expected_currency)::bigint, $7::bigint))
      or (c.currency <> c.expected_currency and c.fx_currency = c.expected_currency
        and abs(c.fx_minor - c.expected_minor) <= coalesce(($6::jsonb ->> c.expected_currency)::bigint, $8::bigint))
  ), best as (
    select distinct on (line_ids) * from near order by line_ids, rank, abs(difference_minor), payment_ids
  ), hits as (
    select distinct on (${expected === 'order_total' || expected === 'zero' ? 'order_id, part, key' : 'payment_ids'}) company_id,
      expected_currency as currency, line_ids, payment_ids, order_id, part, difference_minor,
      expected_minor + difference_minor as lines_minor, expected_minor, by_total
    from best order by ${expected === 'order_total' || expected === 'zero' ? 'order_id, part, key' : 'payment_ids'}, line_ids
  ), ${store(rule, key)}`
}

/**
 * Finds the order, and where it is clear the payment, of lines that have none. `state` 'unmatched': lines to be matched; one whose
 * amount is the processor's own business is done when its order is found. 'not_needed': lines that name an order all the same.
 * Evidence by strength: the payment named by its id, a shared gateway id, the ids that the order names, its own id or number. Two orders
 * with the same evidence are no evidence.
 */
export const linkSql = (state: 'unmatched' | 'not_needed'): string => `
  with open as materialized (
    select l.id, ${partSql('l.kind')} as part, ${paymentKindSql(partSql('l.kind'))} as wanted, l.order_external_id, l.order_number,
      l.payment_ids, c.company_id
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    where l.match_state = '${state}' and l.id > $1 and l.id <= $2 and ($3::uuid is null or l.settlement_id = $3)
      and ($4::text is null or s.connection_id = $4)
      and ${state === 'unmatched' ? `(l.order_id is null or (l.payment_id is null and l.payment_ids <> '{}'))` : `l.order_id is null and (l.order_external_id is not null or l.order_number is not null or l.payment_ids <> '{}')`}
  ), siblings as (
    select o.company_id, array_agg(c.id) as ids from (select distinct company_id from open) o
    join connections c on c.company_id = o.company_id group by 1
  ), named as (
    select o.id, p.order_id, p.id as payment_id, p.kind is not distinct from o.wanted as fits
    from open o join siblings b on b.company_id = o.company_id cross join lateral unnest(o.payment_ids) as k(external_id)
    join payments p on p.external_id = k.external_id and p.connection_id = any(b.ids) where p.order_id is not null
  ), shared as (
    select o.id, p.order_id, p.id as payment_id, p.kind is not distinct from o.wanted as fits
    from open o join siblings b on b.company_id = o.company_id
    join payments p on p.payment_ids && o.payment_ids and p.connection_id = any(b.ids)
    where p.order_id is not null and o.payment_ids <> '{}'
      and o.id not in (select id from named where fits)
  ), candidates as (
    select id, order_id, payment_id, 'payment' as reason, case when fits then 1 else 3 end as certainty from named
    union all select id, order_id, payment_id, 'payment', case when fits then 2 else 4 end from shared
    union all
    select o.id, r.id, null, 'order_payment_ids', 5
    from open o join siblings b on b.company_id = o.company_id
    join orders r on r.payment_ids && o.payment_ids and r.payment_ids <> '{}' and r.connection_id = any(b.ids)
    where o.payment_ids <> '{}' and o.id not in (select id from named)
    union all
    select o.id, r.id, null, 'order_reference', 6 from open o join siblings b on b.company_id = o.company_id
    join orders r on r.external_id = o.order_external_id and r.connection_id = any(b.ids)
    union all
    select o.id, r.id, null, 'order_reference', 7 from open o join siblings b on b.company_id = o.company_id
    join orders r on r.number = coalesce(o.order_number, o.order_external_id) and r.connection_id = any(b.ids)
  ), decided as (
    select c.id, min(c.order_id::text)::uuid as order_id, min(c.reason) as reason,
      case when count(distinct c.payment_id) = 1 then min(c.payment_id) end as payment_id
    from candidates c join (select id, min(certainty) as certainty from candidates group by id) b using (id, certainty)
    group by c.id having count(distinct c.order_id) = 1
  ), updated as (
    update settlement_lines l set order_id = d.order_id, payment_id = d.payment_id, match_reason = d.reason${
      state === 'unmatched'
        ? `,
      match_state = case when l.kind in (${LINKED_KINDS}) then 'matched' else l.match_state end,
      match_rule = case when l.kind in (${LINKED_KINDS}) then 'order_link' else l.match_rule end`
        : ''
    }
    from decided d where l.id = d.id and l.match_state = '${state}'
      and (l.order_id, l.payment_id) is distinct from (d.order_id, d.payment_id)
    returning l.match_state
  )
  select count(*) filter (where match_state = 'matched')::int as matched from updated`

/** Orders that were settled by their total before anybody told of their payments: the payments take the total's place when they agree. $1: now. */
export const ADOPT_LATE_PAYMENTS = `
  with late as (
    select t.order_id, t.part, t.group_id, array_agg(p.id order by p.id) as payment_ids
    from match_order_totals t join payments p on p.order_id = t.order_id and ${partOfPaymentSql('p.kind')} = t.part and ${freeSql('p')}
    group by t.order_id, t.part, t.group_id, t.amount_minor having sum(${signedSql('p')}) = t.amount_minor
  ), gone as (
    delete from match_order_totals t using late l where t.order_id = l.order_id and t.part = l.part
  ), put as (
    insert into match_expected (payment_id, group_id) select unnest(payment_ids), group_id from late
  ), told as (
    update match_groups g set payment_ids = l.payment_ids, reason = g.reason || '{"payments": "came later"}' from late l where g.id = l.group_id
    returning 1
  )
  select count(*)::int as matched from told`
