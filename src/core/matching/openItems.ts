import type { Queryable } from '../../db/pool.ts'
import type { OpenItem, Part } from './rulesMatch.ts'
import { freeSql, partOfPaymentSql, partSql, paymentKindSql, signedSql } from './strategies.ts'

interface LineItemRow {
  connection_id: string
  part: Part
  order_id: string | null
  payment_id: number | null
  settlement_id: string
  line_ids: number[]
  amounts: number[]
  fx_amounts: number[] | null
  fx_currency: string | null
  currency: string
  expected_minor: number | null
  expected_currency: string | null
  matched_amounts: number[]
  failed_minor: number | null
  partly_sent: boolean
  at: string
  payment_key: string | null
  order_connection: string | null
  order_external_id: string | null
  settlement_external_id: string
  line_external_id: string
}

const NOW_OPEN = `
  open as materialized (
    select l.id, l.external_id, l.settlement_id, s.external_id as settlement_external_id, s.connection_id, ${partSql('l.kind')} as part,
      l.order_id, case when p.kind = ${paymentKindSql(partSql('l.kind'))} then l.payment_id end as payment_id, l.gross_minor, l.currency,
      l.fx_currency, l.fx_original_minor, l.at
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    left join payments p on p.id = l.payment_id
    where l.match_state = 'unmatched' and c.company_id = $1
  )`

/** Whoever pays out is expected to pay out; what a channel tells of money that a gateway moves is not missed at the channel. */
const settles = (connection: string): string =>
  `exists (select 1 from settlements paid where paid.connection_id = ${connection})`

const LINE_ITEMS = `
  with ${NOW_OPEN}, items as materialized (
    select connection_id, part, order_id, payment_id, currency, array_agg(id order by id) as line_ids, array_agg(gross_minor order by id) as amounts,
      case when bool_and(fx_currency is not null) and count(distinct fx_currency) = 1 then array_agg(fx_original_minor order by id) end as fx_amounts,
      case when bool_and(fx_currency is not null) and count(distinct fx_currency) = 1 then min(fx_currency) end as fx_currency,
      (array_agg(settlement_id order by id))[1] as settlement_id, (array_agg(settlement_external_id order by id))[1] as settlement_external_id,
      (array_agg(external_id order by id))[1] as line_external_id, min(at) as at
    from open group by connection_id, part, order_id, payment_id, currency, case when order_id is null then id end
  )
  select i.*, o.connection_id as order_connection, o.external_id as order_external_id,
    case when p.id is not null then concat_ws(':', p.connection_id, p.kind, p.external_id) end as payment_key,
    case when i.payment_id is not null then case when ${freeSql('p')} then ${signedSql('p')} end
         when t.known > 0 then t.free_minor
         when i.part = 'income' and m.order_id is null then o.total_minor
         when i.part = 'refund' and m.order_id is null and o.refunded_minor > 0 then -o.refunded_minor end as expected_minor,
    case when i.payment_id is not null then p.currency when t.known > 0 then t.currency else o.currency end as expected_currency,
    coalesce((select array_agg(x.gross_minor) from settlement_lines x where x.order_id = i.order_id and x.match_state = 'matched'
       and ${partSql('x.kind')} = i.part and (i.payment_id is null or x.payment_id = i.payment_id)), '{}') as matched_amounts,
    (select max(f.amount_minor) from payments f where f.order_id = i.order_id and f.kind = 'refund' and f.status in ('failed', 'cancelled'))
      as failed_minor,
    coalesce(o.lifecycle = 'open' and o.fulfillment_state in ('partial', 'unfulfilled'), false) as partly_sent
  from items i
  left join payments p on p.id = i.payment_id
  left join orders o on o.id = i.order_id
  left join match_order_totals m on m.order_id = i.order_id and m.part = i.part
  left join lateral (
    select count(*) as known, min(q.currency) as currency, (sum(${signedSql('q')}) filter (where ${freeSql('q')}
        and q.id not in (select payment_id from items where payment_id is not null)))::bigint as free_minor
    from payments q where i.payment_id is null and q.order_id = i.order_id and q.kind = ${paymentKindSql('i.part')} and q.status in ('succeeded', 'pending')
      and (q.connection_id = i.connection_id or not exists (
        select 1 from payments own where own.order_id = i.order_id and own.kind = q.kind and own.connection_id = i.connection_id
          and own.status in ('succeeded', 'pending')))
  ) t on true
  order by i.line_ids[1]`

interface ExpectedRow {
  connection_id: string
  key: string
  part: Part
  order_id: string | null
  payment_id: number | null
  expected_minor: number
  expected_currency: string
  partly_sent: boolean
  at: string
}

/** Captures, refunds and disputes without a line. The same money told by a second connection is not missed there. $2: only what happened before. */
const PAYMENTS = `
  with ${NOW_OPEN}
  select p.connection_id, concat_ws(':', 'payment', p.connection_id, p.kind, p.external_id) as key, ${partOfPaymentSql('p.kind')} as part, p.order_id,
    p.id as payment_id, ${signedSql('p')} as expected_minor, p.currency as expected_currency,
    coalesce(o.lifecycle = 'open' and o.fulfillment_state in ('partial', 'unfulfilled'), false) as partly_sent, p.at
  from payments p join connections c on c.id = p.connection_id left join orders o on o.id = p.order_id
  where c.company_id = $1 and p.kind in ('capture', 'refund', 'dispute') and p.status = 'succeeded' and p.amount_minor <> 0
    and ($2::timestamptz is null or p.at < $2) and ${settles('p.connection_id')}
    and not exists (select 1 from match_expected e where e.payment_id = p.id)
    and p.id not in (select payment_id from open where payment_id is not null)
    and (p.order_id is null or (p.order_id, ${partOfPaymentSql('p.kind')}) not in (
      select order_id, part from open where payment_id is null and order_id is not null))
    and not exists (select 1 from match_order_totals t where t.order_id = p.order_id and t.part = ${partOfPaymentSql('p.kind')})
    and not exists (select 1 from payments told join match_expected e on e.payment_id = told.id
      where told.order_id = p.order_id and told.kind = p.kind and told.connection_id <> p.connection_id
        and told.currency = p.currency and told.amount_minor = p.amount_minor)
  order by p.id`

/**
 * Paid orders of a connection that pays out, of which nobody told a payment: a marketplace keeps the buyer's money until the goods are
 * sent, so that one of which nothing has been sent is not due, and the days count from the last parcel.
 */
const ORDERS = `
  with ${NOW_OPEN}
  select o.connection_id, concat_ws(':', 'order', o.connection_id, o.external_id, 'income') as key, 'income' as part, o.id as order_id,
    null::bigint as payment_id, o.total_minor as expected_minor, o.currency as expected_currency,
    o.lifecycle = 'open' and o.fulfillment_state in ('partial', 'unfulfilled') as partly_sent, due.at
  from orders o join connections c on c.id = o.connection_id
  cross join lateral (
    select greatest(coalesce(o.placed_at, o.received_at), max(h.shipped_at)) as at from shipments h where h.order_id = o.id) due
  where c.company_id = $1 and o.total_minor > 0 and not o.is_test and o.payment_state in ('paid', 'partially_refunded', 'refunded')
    and ($2::timestamptz is null or due.at < $2) and ${settles('o.connection_id')}
    and not (o.lifecycle = 'open' and o.fulfillment_state = 'unfulfilled')
    and not exists (select 1 from payments p where p.order_id = o.id and p.kind = 'capture')
    and not exists (select 1 from match_order_totals t where t.order_id = o.id and t.part = 'income')
    and o.id not in (select order_id from open where part = 'income' and order_id is not null)
  order by o.id`

/**
 * Everything of a company that matching left open, on either side, in a stable order. `before`: of what was expected only what happened
 * earlier, so that money that is still under way need not be read.
 */
export async function loadOpenItems(
  q: Queryable,
  company_id: string,
  options: { before?: Date } = {},
): Promise<OpenItem[]> {
  // The lists of open lines are asked by hash only where they fit into memory; otherwise each payment would read them all.
  await q.query(`select set_config('work_mem', '64MB', true)`)
  const lines = await q.query<LineItemRow>(LINE_ITEMS, [company_id])
  const params = [company_id, options.before ?? null]
  const payments = await q.query<ExpectedRow>(PAYMENTS, params)
  const orders = await q.query<ExpectedRow>(ORDERS, params)
  return [
    ...lines.map((row) => itemOfLines(company_id, row)),
    ...[...payments, ...orders].map((row) => itemOfExpected(company_id, row)),
  ]
}

/** Lines with an exchange are shown in the currency of what was expected, where they name it. */
function itemOfLines(company_id: string, row: LineItemRow): OpenItem {
  const exchanged =
    row.fx_amounts !== null && row.fx_currency === row.expected_currency && row.currency !== row.expected_currency
  const line_amounts = exchanged ? (row.fx_amounts ?? []) : row.amounts
  return {
    company_id,
    connection_id: row.connection_id,
    key: keyOf(row, exchanged),
    part: row.part,
    order_id: row.order_id,
    payment_id: row.payment_id,
    settlement_id: row.settlement_id,
    line_ids: row.line_ids,
    line_amounts,
    lines_minor: line_amounts.reduce((sum, amount) => sum + amount, 0),
    lines_currency: exchanged ? row.fx_currency : row.currency,
    expected_minor: row.expected_minor,
    expected_currency: row.expected_minor === null ? null : row.expected_currency,
    matched_amounts: row.matched_amounts,
    failed_minor: row.failed_minor,
    partly_sent: row.partly_sent,
    at: instantText(row.at),
  }
}

/** A second currency or a second payer of the same order is an item of its own and has to have a name of its own. */
function keyOf(row: LineItemRow, exchanged: boolean): string {
  const foreign = row.expected_currency !== null && row.currency !== row.expected_currency && !exchanged
  const currency = foreign ? [row.currency] : []
  if (row.payment_key !== null) return ['payment', row.payment_key, ...currency].join(':')
  if (row.order_external_id === null)
    return ['line', row.connection_id, row.settlement_external_id, row.line_external_id].join(':')
  const payer = row.connection_id === row.order_connection ? [] : [row.connection_id]
  return ['order', row.order_connection, row.order_external_id, row.part, ...payer, ...currency].join(':')
}

const itemOfExpected = (company_id: string, row: ExpectedRow): OpenItem => ({
  company_id,
  connection_id: row.connection_id,
  key: row.key,
  part: row.part,
  order_id: row.order_id,
  payment_id: row.payment_id,
  settlement_id: null,
  line_ids: [],
  line_amounts: [],
  lines_minor: null,
  lines_currency: null,
  expected_minor: row.expected_minor,
  expected_currency: row.expected_currency,
  matched_amounts: [],
  failed_minor: null,
  partly_sent: row.partly_sent,
  at: instantText(row.at),
})

/** The database answers instants as dates or as text, by the pool's types. */
const instantText = (at: unknown): string => (at instanceof Date ? at.toISOString() : String(at))
