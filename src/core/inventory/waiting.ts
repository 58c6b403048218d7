import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { loadRefusals, placesFor, type Refusals } from '../fulfillment/refusals.ts'
import { loadSources } from '../supply/transferOrders.ts'
import { withLastResort } from './modes.ts'
import { LOST_FROM_LIVE_WORK } from './reattach.ts'
import { stockKey, type LineDemand, type OrderDemand } from './rulesDemand.ts'
import type { StoredReservation } from './sql.ts'

/** Missing units of an order line, and the channel that the order came from. */
export interface Waiting extends StoredReservation {
  connection_id: string
}

const COLUMNS = `r.id, r.order_id, r.order_line_id as line_id, r.item_id, r.location_id, r.per_unit, r.quantity, r.consumed_quantity, r.state,
  r.fulfillment_order_id, r.priority, r.ship_by, r.backordered, r.listing_id, o.connection_id`

/** Far more than one decision gives out; beyond it units are given by priority when they arrive, but not kept back. */
const GHOSTS_MAX = 5_000

/** All that these orders miss. What sent work has lost is not among it: it waits for that work alone. */
export async function loadWaitingOf(tx: Tx, order_ids: readonly string[]): Promise<Waiting[]> {
  return tx.query<Waiting>(
    `select ${COLUMNS} from reservations r join orders o on o.id = r.order_id
     where r.order_id = any($1::uuid[]) and r.state = 'shortfall' and not (${LOST_FROM_LIVE_WORK}) order by r.id`,
    [order_ids],
  )
}

/**
 * Orders that wait for units which less urgent demands are about to be asked for: `decideReservations` keeps the units for them. Nothing is
 * asked of the database unless a demand is less urgent than some channel is, and something it wants is there. `available` has been read
 * under the lock of the stock, so who began to wait before is seen.
 */
export async function loadMoreUrgent(
  tx: Tx,
  ctx: CoreContext,
  available: ReadonlyMap<string, number>,
  demands: readonly OrderDemand[],
): Promise<readonly OrderDemand[]> {
  const mostUrgent = Math.min(...[...ctx.policies.values()].map((policy) => policy.priority))
  const later = demands.filter((order) => order.priority > mostUrgent)
  const items = new Set(later.flatMap((order) => freeItems(order, available)))
  if (items.size === 0) return []
  const rows = await tx.query<Waiting>(
    `select ${COLUMNS} from reservations r join orders o on o.id = r.order_id
     where r.state = 'shortfall' and r.item_id = any($1::bigint[]) and r.priority < $2 and r.order_id <> all($3::uuid[])
       and not (${LOST_FROM_LIVE_WORK})
     order by r.priority, coalesce(r.ship_by, 'infinity'), r.id limit ${GHOSTS_MAX}`,
    [[...items], Math.max(...later.map((order) => order.priority)), demands.map((order) => order.order_id)],
  )
  if (rows.length === 0) return []
  const refused = await loadRefusals(tx, [...new Set(rows.map((row) => row.order_id))])
  return withLastResort(tx, ctx, connectionOfRows(rows), await waitingDemands(tx, ctx, rows, refused))
}

/** Items of the order of which a place that serves it has something. */
function freeItems(order: OrderDemand, available: ReadonlyMap<string, number>): number[] {
  const items = order.lines.flatMap((line) => line.components.map(({ item_id }) => item_id))
  return items.filter((item_id) =>
    order.serves_from.some((location) => (available.get(stockKey(item_id, location)) ?? 0) > 0),
  )
}

/** The channel of each order that rows are of. */
export function connectionOfRows(rows: readonly Waiting[]): (order_id: string) => string | undefined {
  const connections = new Map(rows.map((row) => [row.order_id, row.connection_id]))
  return (order_id) => connections.get(order_id)
}

/**
 * What waiting orders ask for. The older the wish, the earlier its turn: the row's id takes the place of the order's date. A place that
 * has refused the order's work is not asked again.
 */
export async function waitingDemands(
  tx: Tx,
  ctx: CoreContext,
  rows: readonly Waiting[],
  refused: Refusals,
): Promise<OrderDemand[]> {
  const sources = await loadSources(
    tx,
    rows.map(({ order_id, connection_id }) => ({ id: order_id, connection_id })),
  )
  return [...Map.groupBy(rows, (row) => row.order_id)].flatMap(([order_id, own]): OrderDemand[] => {
    const first = own[0]
    const policy = first === undefined ? undefined : ctx.policies.get(first.connection_id)
    if (first === undefined || policy === undefined) return []
    return [
      {
        order_id,
        priority: Math.min(...own.map((row) => row.priority)),
        ship_by_ms: first.ship_by?.getTime() ?? null,
        placed_at_ms: Math.min(...own.map((row) => row.id)),
        serves_from: placesFor(refused, order_id, sources.get(order_id) ?? policy.serves_from),
        last_resort: policy.last_resort,
        shortfall: policy.shortfall,
        plan: null,
        lines: linesOf(own),
      },
    ]
  })
}

/**
 * Components of a line that miss the same number of whole units are a kit again; any other stands for itself. Rows of one item are
 * summed first: named twice in a kit, an item would be promised twice.
 */
function linesOf(rows: readonly Waiting[]): LineDemand[] {
  const lines = new Map<string, LineDemand & { components: { item_id: number; per_unit: number }[] }>()
  for (const own of Map.groupBy(rows, (row) => `${row.line_id}@${row.item_id}`).values()) {
    const [first] = own
    if (first === undefined) continue
    const { line_id, item_id, listing_id = null } = first
    const missing = own.reduce((sum, row) => sum + row.quantity, 0)
    const per_unit = Math.max(...own.map((row) => row.per_unit))
    const units = Math.floor(missing / per_unit)
    // The rest of a multipack of which a part has left is missing by the piece.
    for (const part of [
      { units, per_unit, key: `${line_id}x${units}` },
      { units: missing - units * per_unit, per_unit: 1, key: `${line_id}@${item_id}` },
    ]) {
      if (part.units === 0) continue
      const { key } = part
      const line = lines.get(key) ?? { line_id, units: part.units, listing_id, components: [] }
      lines.set(key, line)
      line.components.push({ item_id, per_unit: part.per_unit })
    }
  }
  return [...lines.values()]
}
