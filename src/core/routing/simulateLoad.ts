import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { withLastResort } from '../inventory/modes.ts'
import { stockKey, type Component, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'
import { loadComponents } from '../orders/resolve.ts'
import { loadRoutable } from './load.ts'
import type { ReplayEvent, ReplayOrder } from './rulesReplay.ts'

/** The past that is replayed: everything from `from` (included) to `to`. */
export interface Window {
  company_id: string
  from: Date
  to: Date
}

const ORDERS_PER_PAGE = 1_000
const MOVES_PER_PAGE = 5_000

/**
 * Sellable units when the window began, by `stockKey`: what the ledger says of `available`, which is what was on hand less everything
 * promised (or damaged, or kept for safety) then.
 */
export async function loadStockAt(tx: Tx, { company_id, from }: Window): Promise<Map<string, number>> {
  const rows = await tx.query<{ item_id: number; location_id: string; units: number }>(
    `select l.item_id, l.location_id, sum(case when l.to_state = 'available' then l.quantity else -l.quantity end)::int as units
     from stock_ledger l join items i on i.id = l.item_id
     where i.company_id = $1 and l.recorded_at < $2 and 'available' in (l.from_state, l.to_state)
       -- What carts hold comes back: the replay knows of orders only.
       and l.source not like 'hold%'
     group by 1, 2`,
    [company_id, from],
  )
  return new Map(rows.map(({ item_id, location_id, units }) => [stockKey(item_id, location_id), units]))
}

type StockEvent = Extract<ReplayEvent, { kind: 'stock' }>

/**
 * Every movement of the window that changed sellable units and was not made by one of its orders (those are replayed), page by page.
 * Orders from before the window that give units back or get some are among them. Cart holds are not: their orders are.
 */
export async function* streamMoves(tx: Tx, { company_id, from, to }: Window): AsyncGenerator<StockEvent> {
  let after = 0
  for (;;) {
    const rows = await tx.query<{ id: number; at: Date; item_id: number; location_id: string; units: number }>(
      `select l.id, l.recorded_at as at, l.item_id, l.location_id,
         case when l.to_state = 'available' then l.quantity else -l.quantity end as units
       from stock_ledger l join items i on i.id = l.item_id and i.company_id = $1
       where l.id > $4 and l.recorded_at >= $2 and l.recorded_at <= $3 and 'available' in (l.from_state, l.to_state)
         and l.source not like 'hold%'
         and not exists (
           select 1 from orders o where o.id = case when l.source like 'order:%' then substr(l.source, 7)::uuid end
             and o.kind = 'order' and o.received_at >= $2)
       order by l.id limit ${MOVES_PER_PAGE}`,
      [company_id, from, to, after],
    )
    for (const { at, item_id, location_id, units } of rows)
      yield { kind: 'stock', at_ms: at.getTime(), item_id, location_id, units }
    const last = rows.at(-1)
    if (last === undefined || rows.length < MOVES_PER_PAGE) return
    after = last.id
  }
}

/** Orders that one transaction of the past decided together, and when those among them that ended unshipped gave their units back. */
export interface OrderBatch {
  at_ms: number
  orders: ReplayOrder[]
  ends: { order_id: string; at_ms: number }[]
  /** Orders of connections that are not configured any more: nothing says how they would be served. */
  left_out: number
}

interface OrderRow {
  id: string
  connection_id: string
  received_at: Date
  received_key: string
  placed_at: Date | null
  ship_by: Date | null
  ended_at: Date | null
}

/** The window's orders, oldest first, page by page and instant by instant. Test orders and transfers take no part. */
export async function* streamOrders(tx: Tx, ctx: CoreContext, window: Window): AsyncGenerator<OrderBatch> {
  const components = new Map<number, readonly Component[]>()
  let after: { key: string; id: string } | null = null
  let open: OrderBatch | null = null
  for (;;) {
    const rows: OrderRow[] = await loadPage(tx, window, after)
    const orders = await asReplayed(tx, ctx, rows, components)
    for (const row of rows) {
      const at_ms = row.received_at.getTime()
      if (open !== null && open.at_ms !== at_ms) yield open
      if (open === null || open.at_ms !== at_ms) open = { at_ms, orders: [], ends: [], left_out: 0 }
      const order = orders.get(row.id)
      if (order === undefined) open.left_out += ctx.policies.has(row.connection_id) ? 0 : 1
      else open.orders.push(order)
      if (order?.gives_back === true && row.ended_at !== null)
        open.ends.push({ order_id: row.id, at_ms: row.ended_at.getTime() })
    }
    const last = rows.at(-1)
    if (last === undefined || rows.length < ORDERS_PER_PAGE) break
    after = { key: last.received_key, id: last.id }
  }
  if (open !== null) yield open
}

/** An order that has shipped anything never gives its units back, whatever became of it. */
async function loadPage(
  tx: Tx,
  { company_id, from, to }: Window,
  after: { key: string; id: string } | null,
): Promise<OrderRow[]> {
  return tx.query<OrderRow>(
    `select o.id, o.connection_id, o.received_at, o.received_at::text as received_key, o.placed_at, o.ship_by,
       case when exists (select 1 from order_lines l where l.order_id = o.id and l.shipped_quantity > 0) then null
            when o.lifecycle = 'cancelled' then coalesce(o.cancelled_at, o.changed_at)
            when o.reservation_state = 'released'
              then (select max(r.changed_at) from reservations r where r.order_id = o.id and r.state = 'expired') end as ended_at
     from orders o
     where o.received_at >= coalesce($4::timestamptz, $2) and o.received_at <= $3
       and ($4::timestamptz is null or o.received_at > $4::timestamptz or o.id < $5::uuid)
       and o.company_id = $1 and o.kind = 'order' and not o.is_test and o.content_sha256 is not null
     order by o.received_at, o.id desc limit ${ORDERS_PER_PAGE}`,
    [company_id, from, to, after?.key ?? null, after?.id ?? null],
  )
}

interface LineRow {
  id: number
  order_id: string
  listing_id: number
  units: number
}

async function asReplayed(
  tx: Tx,
  ctx: CoreContext,
  rows: readonly OrderRow[],
  components: Map<number, readonly Component[]>,
): Promise<Map<string, ReplayOrder>> {
  const known = rows.filter((row) => ctx.policies.has(row.connection_id))
  if (known.length === 0) return new Map()
  const lines = await loadFirstLines(
    tx,
    known.map((row) => row.id),
  )
  const unseen = [...new Set(lines.map((line) => line.listing_id))].filter((id) => !components.has(id))
  for (const [id, own] of await loadComponents(tx, unseen)) components.set(id, own)
  const linesOf = Map.groupBy(lines, (line) => line.order_id)
  const plain = known.map((row) => demandOf(ctx, row, linesOf.get(row.id) ?? [], components))
  const connectionOf = new Map(known.map((row) => [row.id, row.connection_id]))
  const demands = await withLastResort(tx, ctx, (id) => connectionOf.get(id), plain)
  const routable = await loadRoutable(
    tx,
    ctx,
    demands.map(({ order_id, serves_from, lines: own }) => {
      const line_ids = own.map((line) => line.line_id)
      return { id: order_id, connection_id: connectionOf.get(order_id) ?? '', serves_from, line_ids }
    }),
  )
  const asked = new Map(routable.map((order) => [order.id, order]))
  const ends = new Map(known.map((row) => [row.id, row.ended_at]))
  return new Map(
    demands.flatMap((demand): [string, ReplayOrder][] => {
      const order = asked.get(demand.order_id)
      if (order === undefined) return []
      return [[demand.order_id, { demand, routable: order, gives_back: (ends.get(demand.order_id) ?? null) !== null }]]
    }),
  )
}

/** Lines as they were first wanted: before any edit that the timeline tells of. */
async function loadFirstLines(tx: Tx, order_ids: readonly string[]): Promise<LineRow[]> {
  return tx.query<LineRow>(
    `with edited as (
       select distinct on (f.order_id, e.line) f.order_id, e.line, e."from" as units
       from order_facts f, jsonb_to_recordset(f.data -> 'lines') as e(line text, "from" int)
       where f.order_id = any($1::uuid[]) and f.kind = 'order.updated' order by f.order_id, e.line, f.id
     )
     select l.id, l.order_id, l.listing_id, coalesce(e.units, l.quantity) as units
     from order_lines l left join edited e on e.order_id = l.order_id and e.line = l.external_id
     where l.order_id = any($1::uuid[]) and l.requires_shipping and l.listing_id is not null and coalesce(e.units, l.quantity) > 0
     order by l.id`,
    [order_ids],
  )
}

/** An order that came when it was over already wanted nothing. */
function demandOf(
  ctx: CoreContext,
  row: OrderRow,
  own: readonly LineRow[],
  components: ReadonlyMap<number, readonly Component[]>,
): OrderDemand {
  const policy = ctx.policies.get(row.connection_id)
  const wasOver = row.ended_at !== null && row.ended_at <= row.received_at
  const lines = own.flatMap(({ id, listing_id, units }): LineDemand[] => {
    const parts = components.get(listing_id) ?? []
    return parts.length === 0 || wasOver ? [] : [{ line_id: id, listing_id, units, components: parts }]
  })
  return {
    order_id: row.id,
    priority: policy?.priority ?? 0,
    placed_at_ms: (row.placed_at ?? row.received_at).getTime(),
    serves_from: policy?.serves_from ?? [],
    last_resort: policy?.last_resort ?? [],
    shortfall: policy?.shortfall ?? 'partial',
    ship_by_ms: row.ship_by?.getTime() ?? null,
    plan: null,
    lines,
  }
}
