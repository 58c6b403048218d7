import type { Queryable } from '../../db/pool.ts'
import { HubError } from '../errors.ts'
import {
  contributionBy,
  type Charge,
  type ContributionOrder,
  type ContributionRow,
  type View,
} from './rulesContribution.ts'
import { issueCosts, type CostIssue, type CostLayer } from './rulesCosts.ts'

export interface ContributionRequest {
  company_id: string
  by: View
  /** First and last day (UTC) on which the orders were placed. */
  from: string
  to: string
  connection?: string | undefined
  cost_method: 'fifo' | 'average'
}

export interface Contribution {
  by: View
  from: string
  to: string
  /** The best first; the last one of each currency (key null) is what belongs to no order or no SKU. */
  rows: ContributionRow[]
  orders: number
  /** Shipped units for which no cost is known: they make the figures look better than they are. */
  units_without_cost: number
}

/** More orders than this are asked for in parts, because their figures are made in memory; nothing of them is read then. */
const ORDERS_MAX = 500_000

/**
 * What the orders of a period brought. Income, tax and promotions are the order's own; commission, fees and what was refunded come from
 * the payouts, whenever they were posted (refunds from the order, until a payout shows them); goods are valued when they leave. Money of
 * payouts in the period that names no known order stands apart. Faults: `limit_exceeded`.
 */
export async function contribution(
  q: Queryable,
  request: ContributionRequest,
  orders_max = ORDERS_MAX,
): Promise<Contribution> {
  const { company_id, from, to, connection } = request
  const scope = [company_id, from, to, connection ?? null]
  const [counted] = await q.query<{ orders: number }>(COHORT_COUNT, [...scope, orders_max + 1])
  if ((counted?.orders ?? 0) > orders_max)
    throw new HubError('limit_exceeded', `more than ${orders_max} orders`, { hint: 'ask for a shorter period' })
  const lines = await q.query<OrderLineRow>(COHORT_LINES, scope)
  const orders = ordersOf(await q.query<OrderRow>(COHORT, scope), lines)
  const money = [...(await q.query<ChargeRow>(ORDER_MONEY, scope)), ...(await q.query<ChargeRow>(PAYOUT_MONEY, scope))]
  const costs = await costsOf(q, scope, request.cost_method, orders)
  const strays = await q.query<ChargeRow>(STRAYS, scope)
  const charges = [
    ...money.map((row) => placed(row, orders)),
    ...costs.charges,
    ...strays.map((row) => ({ ...row, line: null })),
  ]
  return {
    by: request.by,
    from,
    to,
    rows: contributionBy(request.by, orders, charges),
    orders: orders.size,
    units_without_cost: costs.units_without_cost,
  }
}

interface OrderRow {
  id: string
  channel: string
}

interface OrderLineRow {
  order_id: string
  id: string
  external_id: string
  channel_sku: string
  sku: string
  quantity: number
  total_minor: number
}

interface CohortOrder extends ContributionOrder {
  lines: readonly (OrderLineRow & ContributionOrder['lines'][number])[]
}

function ordersOf(orders: readonly OrderRow[], lines: readonly OrderLineRow[]): Map<string, CohortOrder> {
  const byOrder = new Map<string, OrderLineRow[]>()
  for (const line of lines) byOrder.set(line.order_id, [...(byOrder.get(line.order_id) ?? []), line])
  return new Map(orders.map((order) => [order.id, { ...order, lines: byOrder.get(order.id) ?? [] }]))
}

interface ChargeRow extends Omit<Charge, 'line'> {
  line_external_id: string | null
  sku: string | null
}

/** Finds the order line that a payout names, by its id or, where just one line has it, by its SKU. */
function placed(row: ChargeRow, orders: ReadonlyMap<string, CohortOrder>): Charge {
  const lines = orders.get(row.order ?? '')?.lines ?? []
  const byId = lines.find((line) => line.external_id === row.line_external_id)
  const bySku = lines.filter((line) => row.sku !== null && (line.channel_sku === row.sku || line.sku === row.sku))
  return { ...row, line: byId?.id ?? (bySku.length === 1 ? (bySku[0]?.id ?? null) : null) }
}

/** Paid orders of the period that nobody cancelled whole; what was only tried (tests, voided) brought nothing. */
const IS_COHORT = `
  o.company_id = $1 and o.placed_at >= ($2::date at time zone 'UTC') and o.placed_at < (($3::date + 1) at time zone 'UTC')
  and ($4::text is null or o.connection_id = $4) and not o.is_test and o.payment_state not in ('pending', 'voided')`

const COHORT = `select o.id, o.connection_id as channel from orders o where ${IS_COHORT} order by o.id`

/** Counts no further than $5. */
const COHORT_COUNT = `select count(*)::int as orders from (select 1 from orders o where ${IS_COHORT} limit $5) cohort`

/** The item's own SKU where a line is one item, else the channel's. */
const COHORT_LINES = `
  select l.order_id, l.id::text as id, l.external_id, l.channel_sku, coalesce(i.sku, l.channel_sku) as sku, l.quantity, l.total_minor
  from orders o join order_lines l on l.order_id = o.id
  left join lateral (select min(item_id) as item_id from listing_items m where m.listing_id = l.listing_id having count(*) = 1) m on true
  left join items i on i.id = m.item_id
  where ${IS_COHORT} order by l.order_id, l.id`

/** Refunds of the order count until a payout shows refunds of its own. */
const ORDER_MONEY = `
  select m.measure, o.currency, m.amount_minor, o.id as "order", o.connection_id as channel, null as line_external_id, null as sku
  from orders o
  left join lateral (
    select coalesce(sum(r.tax_minor), 0)::bigint as tax from payments p join refund_lines r on r.payment_id = p.id
    where p.order_id = o.id and p.kind = 'refund' and p.status = 'succeeded') back on true
  cross join lateral (values
    ('sales', case when o.lifecycle = 'cancelled' then 0 else o.total_minor + o.discount_minor end),
    ('tax', case when o.lifecycle = 'cancelled' then 0 else o.tax_minor - back.tax end),
    ('promotions', case when o.lifecycle = 'cancelled' then 0 else o.discount_minor end),
    ('refunds', case when o.lifecycle = 'cancelled' or exists (
        select 1 from settlement_lines l where l.order_id = o.id and l.kind = 'refund') then 0 else o.refunded_minor end)
  ) as m(measure, amount_minor)
  where ${IS_COHORT} and m.amount_minor <> 0 and o.currency is not null`

/** What a row of a payout costs (or gives), by part. Income rows are the order's own figures again; only their fees count. */
const MEASURES = (line: string): string => `
  cross join lateral (values
    (case when ${line}.kind = 'fee' and ${line}.fee_type in ('shipping_label', 'fulfilment') then 'shipping'
          when ${line}.kind in ('fee', 'dispute_fee', 'adjustment', 'other') then 'fees' else 'commission' end, ${line}.fee_minor),
    (case when ${line}.kind in ('refund', 'dispute') then 'refunds' when ${line}.kind in ('adjustment', 'other') then 'fees' end,
     -${line}.gross_minor)
  ) as m(measure, amount_minor)`

const PAYOUT_MONEY = `
  select m.measure, l.currency, m.amount_minor, o.id as "order", o.connection_id as channel, l.order_line_external_id as line_external_id, l.sku
  from orders o join settlement_lines l on l.order_id = o.id ${MEASURES('l')}
  where ${IS_COHORT} and m.measure is not null and m.amount_minor <> 0
    and not (o.lifecycle = 'cancelled' and m.measure = 'refunds' and l.kind = 'refund')`

/** Rows of the period's payouts that name no known order. Money that only changes places, and tax that is owed on, is nobody's income. */
const STRAYS = `
  select x.measure, x.currency, sum(x.amount_minor)::bigint as amount_minor, null as "order", x.channel, null as line_external_id, null as sku
  from (
    select m.measure, l.currency, m.amount_minor, s.connection_id as channel
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id ${MEASURES('l')}
    where c.company_id = $1 and l.order_id is null and l.at >= ($2::date at time zone 'UTC') and l.at < (($3::date + 1) at time zone 'UTC')
      and ($4::text is null or s.connection_id = $4)
      and l.kind not in ('transfer', 'reserve_hold', 'reserve_release', 'carry_over', 'loan')
      and m.measure is not null and m.amount_minor <> 0
    union all
    select case when l.kind = 'promotion' then 'promotions' else 'sales' end, l.currency,
      case when l.kind = 'promotion' then -l.gross_minor else l.gross_minor end, s.connection_id
    from settlement_lines l join settlements s on s.id = l.settlement_id join connections c on c.id = s.connection_id
    where c.company_id = $1 and l.order_id is null and l.at >= ($2::date at time zone 'UTC') and l.at < (($3::date + 1) at time zone 'UTC')
      and ($4::text is null or s.connection_id = $4)
      and l.kind in ('sale', 'shipping', 'promotion') and l.gross_minor <> 0
  ) x group by x.measure, x.currency, x.channel`

// ── goods ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface LayerRow extends CostLayer {
  item_id: number
  currency: string
}

interface IssueRow extends CostIssue {
  item_id: number
  order_id: string
  line_id: string
  channel: string
}

/** Every unit that ever left of these items, because what is left of a receipt depends on all of them. */
const ISSUES = `
  with wanted as (
    select distinct sl.item_id from orders o join order_lines l on l.order_id = o.id join shipment_lines sl on sl.order_line_id = l.id
    where ${IS_COHORT}
  )
  select sl.item_id, h.order_id, sl.order_line_id::text as line_id, o.connection_id as channel,
         h.id || ':' || sl.order_line_id || ':' || sl.item_id as key, extract(epoch from h.shipped_at)::float8 as at, sl.quantity
  from shipment_lines sl join shipments h on h.id = sl.shipment_id join orders o on o.id = h.order_id
  where sl.item_id in (select item_id from wanted)
  order by sl.item_id, h.shipped_at, h.id, sl.order_line_id`

const LAYERS = `
  select item_id, currency, extract(epoch from received_at)::float8 as at, quantity, landed_minor as total_minor
  from item_costs where item_id = any($1) order by item_id, received_at, id`

async function costsOf(
  q: Queryable,
  scope: readonly unknown[],
  method: 'fifo' | 'average',
  orders: ReadonlyMap<string, CohortOrder>,
): Promise<{ charges: Charge[]; units_without_cost: number }> {
  const issues = await q.query<IssueRow>(ISSUES, scope)
  const items = [...new Set(issues.map(({ item_id }) => item_id))]
  const layers = await q.query<LayerRow>(LAYERS, [items])
  const layersOf = Map.groupBy(layers, ({ item_id }) => item_id)
  const charges: Charge[] = []
  let units_without_cost = 0
  for (const [item_id, own] of Map.groupBy(issues, (issue) => issue.item_id)) {
    const itemLayers = layersOf.get(item_id) ?? []
    const currency = itemLayers[0]?.currency ?? ''
    for (const [index, cost] of issueCosts(method, itemLayers, own).entries()) {
      const issue = own[index]
      if (issue === undefined || !orders.has(issue.order_id)) continue
      units_without_cost += cost.units_without_cost
      const { order_id, channel, line_id } = issue
      charges.push({
        measure: 'landed',
        currency,
        amount_minor: cost.cost_minor,
        order: order_id,
        channel,
        line: line_id,
      })
    }
  }
  return { charges, units_without_cost }
}
