import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import type { RoutingRules } from '../model/routing.ts'
import { activeRules } from './active.ts'
import { loadAreas, loadPlaces } from './load.ts'
import type { Point } from './rulesDistance.ts'
import { newSide, replay, unitsWaiting, type ReplayEvent, type ReplayOrder, type ReplaySide } from './rulesReplay.ts'
import { figuresOf, type SimulationFigures } from './rulesReplayTally.ts'
import { loadStockAt, streamMoves, streamOrders, type OrderBatch, type Window } from './simulateLoad.ts'

export interface SimulationRequest {
  company_id: string
  /** The draft. */
  rules: RoutingRules
  days: number
}

export interface Simulation {
  company_id: string
  days: number
  from: string
  to: string
  /** Orders of connections that are not configured any more; they were not replayed. */
  orders_left_out: number
  /** What holds now. Version null: no rules, every connection's own ranking. */
  today: SimulationFigures & { version: number | null }
  draft: SimulationFigures
}

const DAY_MS = 86_400_000

/**
 * Replays the orders of the past days through draft rules and through those that hold today, side by side, from the same stock and with
 * the same arrivals. Reads only, in one snapshot, page by page: its memory depends on stock, backlog and places, not on the number of
 * orders. Places, kits and policies are those of today. Faults: `not_found` when the window has no orders.
 */
export async function simulateRouting(tx: Tx, ctx: CoreContext, request: SimulationRequest): Promise<Simulation> {
  const { company_id, days, rules } = request
  const window: Window = { company_id, from: new Date(ctx.now.getTime() - days * DAY_MS), to: ctx.now }
  const active = (await activeRules(tx, ctx)).get(company_id) ?? null
  const areas = new Map<string, Point>()
  const places = await loadPlaces(tx, placesOf(ctx, company_id))
  await addAreas(tx, areas, [...places.values()])
  const stock = await loadStockAt(tx, window)
  const around = { places, areas }
  const today = newSide(active, around, stock)
  const draft = newSide({ version: 0, rules }, around, stock)
  const orders_left_out = await play(tx, ctx, window, { sides: [today, draft], areas })
  if (today.tally.orders === 0) throw noOrders(request)
  return {
    company_id,
    days,
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    orders_left_out,
    today: { version: active?.version ?? null, ...figuresOf(today.tally, unitsWaiting(today)) },
    draft: figuresOf(draft.tally, unitsWaiting(draft)),
  }
}

const noOrders = ({ company_id, days }: SimulationRequest): HubError =>
  new HubError('not_found', `${company_id} has no orders of the last ${days} day${days === 1 ? '' : 's'} to replay`, {
    hint: 'look further back with --days, or name another company with --company',
  })

const placesOf = (ctx: CoreContext, company_id: string): string[] => [
  ...new Set(
    [...ctx.policies.values()].flatMap((policy) => (policy.company_id === company_id ? policy.serves_from : [])),
  ),
]

async function addAreas(
  tx: Tx,
  areas: Map<string, Point>,
  wanted: readonly { country: string | null; postcode_area: string | null }[],
): Promise<void> {
  for (const [key, point] of await loadAreas(tx, wanted)) areas.set(key, point)
}

interface Stage {
  sides: readonly ReplaySide[]
  /** Filled as orders to new areas come in; the sides look into the same map. */
  areas: Map<string, Point>
}

/** Merges the streams by time. At one instant units that come are there before the orders that want them. */
async function play(tx: Tx, ctx: CoreContext, window: Window, { sides, areas }: Stage): Promise<number> {
  const orders = streamOrders(tx, ctx, window)
  const moves = streamMoves(tx, window)
  const ends = newAgenda()
  const asked = new Set<string>()
  const tell = (event: ReplayEvent): void => {
    for (const side of sides) replay(side, event)
  }
  let left_out = 0
  let batch = (await orders.next()).value as OrderBatch | undefined
  let move = (await moves.next()).value as Extract<ReplayEvent, { kind: 'stock' }> | undefined
  while (batch !== undefined || move !== undefined || ends.next() !== undefined) {
    const end = ends.next()
    const at = [move?.at_ms, end?.at_ms, batch?.at_ms].map((at_ms) => at_ms ?? Number.POSITIVE_INFINITY)
    const first = Math.min(...at)
    if (move !== undefined && move.at_ms === first) {
      tell(move)
      move = (await moves.next()).value as typeof move
    } else if (end !== undefined && end.at_ms === first) {
      tell({ kind: 'given_back', at_ms: end.at_ms, order_id: end.order_id })
      ends.drop()
    } else if (batch !== undefined) {
      await addAreas(tx, areas, newAreas(batch.orders, asked))
      tell({ kind: 'orders', at_ms: batch.at_ms, orders: batch.orders })
      for (const one of batch.ends) if (one.at_ms <= window.to.getTime()) ends.add(one)
      left_out += batch.left_out
      batch = (await orders.next()).value as typeof batch
    }
  }
  return left_out
}

/** Areas that no order before these went to. */
function newAreas(orders: readonly ReplayOrder[], asked: Set<string>): ReplayOrder['routable'][] {
  return orders.flatMap(({ routable }) => {
    const key = `${routable.country ?? ''}:${routable.postcode_area ?? ''}`
    if (asked.has(key)) return []
    asked.add(key)
    return [routable]
  })
}

interface End {
  order_id: string
  at_ms: number
}

/** Orders that will end, the next one last: only those that have come and are still to end are in it. */
function newAgenda(): { next: () => End | undefined; drop: () => void; add: (end: End) => void } {
  const ends: End[] = []
  return {
    next: () => ends.at(-1),
    drop: () => void ends.pop(),
    add: (end) => {
      let [low, high] = [0, ends.length]
      while (low < high) {
        const middle = (low + high) >> 1
        if ((ends[middle]?.at_ms ?? 0) > end.at_ms) low = middle + 1
        else high = middle
      }
      ends.splice(low, 0, end)
    },
  }
}
