import { decideReservations } from '../inventory/rules.ts'
import { stockKey, type Allocation, type LineDemand, type OrderDemand } from '../inventory/rulesDemand.ts'
import type { RoutingRules } from '../model/routing.ts'
import { dayAt, nextDeparture } from './rulesCalendar.ts'
import type { Areas } from './rulesDistance.ts'
import { dayKey, planRouting, type RoutableOrder, type RoutablePlace, type RoutingWorld } from './rulesMatch.ts'
import type { PlannedPlace, RoutingPlan } from './rulesPlan.ts'
import { countParcel, newTally, type ReplayTally } from './rulesReplayTally.ts'

/** An order of the past as it first came: its wishes, and what routing may ask about it. */
export interface ReplayOrder {
  demand: OrderDemand
  routable: RoutableOrder
  /** It is cancelled (or expires) later in the window, unshipped: what it took has to be found again. */
  gives_back: boolean
}

/** What happened, in the order of time. Orders of one instant were decided together. */
export type ReplayEvent =
  | { kind: 'orders'; at_ms: number; orders: readonly ReplayOrder[] }
  | { kind: 'given_back'; at_ms: number; order_id: string }
  /** Sellable units that came (or went, below zero) other than by orders of the window. */
  | { kind: 'stock'; at_ms: number; item_id: number; location_id: string; units: number }

/** One run of the past under one set of rules. Its maps are changed as events come in. */
export interface ReplaySide {
  /** Null: every order is served by its connection's own ranking. */
  rules: { version: number; rules: RoutingRules } | null
  places: ReadonlyMap<string, RoutablePlace>
  areas: Areas
  /**
   * Sellable units by `stockKey`. Below zero where a count took units that this run has promised: later arrivals make up for them first.
   */
  left: Map<string, number>
  /** Parcels by place and day of its calendar. */
  given: Map<string, number>
  waiting: Map<string, Waiting>
  /** Who waits for an item. */
  waitingFor: Map<number, Set<string>>
  /** What orders took that give it back later, and the days that their parcels counted for. */
  taken: Map<string, Taken>
  tally: ReplayTally
}

interface Taken {
  allocations: Allocation[]
  days: string[]
}

interface Waiting {
  order: ReplayOrder
  served_from: Set<string>
  late: boolean
}

export function newSide(
  rules: ReplaySide['rules'],
  around: Pick<ReplaySide, 'places' | 'areas'>,
  stock: ReadonlyMap<string, number>,
): ReplaySide {
  return {
    rules,
    ...around,
    left: new Map(stock),
    given: new Map(),
    waiting: new Map(),
    waitingFor: new Map(),
    taken: new Map(),
    tally: newTally(),
  }
}

/** Lets one thing happen. Orders that miss units wait, and are asked again, by their turn, when units of their items come. */
export function replay(side: ReplaySide, event: ReplayEvent): void {
  if (event.kind === 'orders') placeNew(side, event.orders, event.at_ms)
  else if (event.kind === 'given_back') giveBack(side, event.order_id, event.at_ms)
  else {
    add(side.left, stockKey(event.item_id, event.location_id), event.units)
    if (event.units > 0) serveWaiting(side, [event.item_id], event.at_ms)
  }
}

/** Units of lines that still wait when the window ends. */
export function unitsWaiting(side: ReplaySide): number {
  let units = 0
  for (const { order } of side.waiting.values()) units += unitsOf(order.demand.lines)
  return units
}

function placeNew(side: ReplaySide, orders: readonly ReplayOrder[], at_ms: number): void {
  const asked = orders.filter(({ demand }) => demand.lines.length > 0)
  side.tally.orders += asked.length
  const missing = decide(side, asked, at_ms, moreUrgent(side, asked))
  for (const { order, lines, served_from, late } of missing) {
    if (served_from.size > 0) side.tally.orders_served += 1
    if (served_from.size > 1) side.tally.orders_split += 1
    if (late) side.tally.orders_late += 1
    const units = unitsOf(lines)
    if (units === 0) continue
    side.tally.orders_short += 1
    side.tally.units_short += units
    wait(side, { order: { ...order, demand: { ...order.demand, lines } }, served_from, late })
  }
}

/** Waiting orders of a more urgent class that want some of the same items: what they could use is not given away. */
function moreUrgent(side: ReplaySide, orders: readonly ReplayOrder[]): OrderDemand[] {
  if (side.waiting.size === 0) return []
  const least = Math.max(...orders.map(({ demand }) => demand.priority))
  return waitersOf(side, itemsOf(orders)).flatMap(({ order: { demand } }) => (demand.priority < least ? demand : []))
}

const itemsOf = (orders: readonly ReplayOrder[]): Set<number> =>
  new Set(orders.flatMap(({ demand }) => demand.lines.flatMap((line) => line.components.map(({ item_id }) => item_id))))

function waitersOf(side: ReplaySide, items: Iterable<number>): Waiting[] {
  const ids = new Set<string>()
  for (const item of items) for (const id of side.waitingFor.get(item) ?? []) ids.add(id)
  return [...ids].flatMap((id) => side.waiting.get(id) ?? [])
}

interface Decided {
  order: ReplayOrder
  /** What is still missing. */
  lines: LineDemand[]
  served_from: Set<string>
  late: boolean
}

/** One decision about all of these orders, its parcels counted and its units taken. */
function decide(
  side: ReplaySide,
  orders: readonly ReplayOrder[],
  at_ms: number,
  ghosts: readonly OrderDemand[],
): Decided[] {
  const world: RoutingWorld = { now_ms: at_ms, places: side.places, given: side.given, areas: side.areas }
  const demands = orders.map(({ demand, routable }) => ({ ...demand, plan: planOf(side, routable, world) }))
  for (const { plan } of demands) side.tally.capacity_refusals += refusedForCapacity(plan)
  const { allocations } = decideReservations(unitsFor(side.left, [...demands, ...ghosts]), demands, ghosts)
  const byOrder = Map.groupBy(allocations, (allocation) => allocation.order_id)
  return orders.map((order) => settle(side, order, byOrder.get(order.demand.order_id) ?? [], world))
}

const planOf = (side: ReplaySide, order: RoutableOrder, world: RoutingWorld): RoutingPlan | null =>
  side.rules === null ? null : planRouting(side.rules, order, world)

/** Places that the first rule to be asked left out because their day was full. */
function refusedForCapacity(plan: RoutingPlan | null): number {
  const [step] = plan?.steps ?? []
  return step?.left_out.filter(({ filter }) => filter === 'has_capacity').length ?? 0
}

/** Only the units that the decision can look at: the whole shelf may have a million rows. */
function unitsFor(left: ReadonlyMap<string, number>, demands: readonly OrderDemand[]): Map<string, number> {
  const units = new Map<string, number>()
  for (const { serves_from, lines } of demands) {
    for (const { components } of lines) {
      for (const { item_id } of components) {
        for (const location of serves_from) {
          const key = stockKey(item_id, location)
          units.set(key, Math.max(0, left.get(key) ?? 0))
        }
      }
    }
  }
  return units
}

function settle(side: ReplaySide, order: ReplayOrder, own: readonly Allocation[], world: RoutingWorld): Decided {
  const decided: Decided = { order, lines: [], served_from: new Set(), late: false }
  const parcels = new Map<string, number>()
  for (const allocation of own) {
    const { line, location_id, units } = allocation
    if (location_id === null) {
      decided.lines.push({ ...line, units })
      continue
    }
    move(side.left, allocation, -1)
    add(parcels, location_id, units)
    decided.served_from.add(location_id)
  }
  const days: string[] = []
  const seen = parcels.size === 0 ? [] : measure(order.routable, world)
  for (const [location_id, units] of parcels) {
    const place = side.places.get(location_id)
    const departure = nextDeparture(world.now_ms, place?.services.calendar, place?.timezone ?? null)
    const day = departure?.day ?? dayAt(world.now_ms, place?.timezone ?? 'UTC')
    add(side.given, dayKey(location_id, day), 1)
    days.push(dayKey(location_id, day))
    const planned = seen.find((one) => one.location_id === location_id) ?? null
    countParcel(side.tally, { location_id, day, units, planned, currency: place?.services.currency ?? null })
    const { ship_by_ms } = order.demand
    if (ship_by_ms !== null && (departure === null || departure.at_ms > ship_by_ms)) decided.late = true
  }
  if (order.gives_back) remember(side, order.demand.order_id, own, days)
  return decided
}

function remember(side: ReplaySide, order_id: string, own: readonly Allocation[], days: readonly string[]): void {
  const before = side.taken.get(order_id)
  const allocations = own.filter(({ location_id }) => location_id !== null)
  side.taken.set(order_id, {
    allocations: [...(before?.allocations ?? []), ...allocations],
    days: [...(before?.days ?? []), ...days],
  })
}

/** A rule that lets every place pass: what all of them cost, and how far they are. */
const EVERY_PLACE: RoutingRules = [
  {
    name: 'every place',
    filters: {
      serves_address: false,
      serves_service_level: false,
      accepts_items: false,
      has_capacity: false,
      in_time: false,
    },
    sort: ['rank'],
    strategy: 'single_location_first',
    split: { locations_max: 1 },
    otherwise: 'wait',
  },
]

const measure = (order: RoutableOrder, world: RoutingWorld): readonly PlannedPlace[] =>
  planRouting({ version: 0, rules: EVERY_PLACE }, order, world)?.steps[0]?.places ?? []

function wait(side: ReplaySide, waiting: Waiting): void {
  const { order_id } = waiting.order.demand
  side.waiting.set(order_id, waiting)
  for (const item of itemsOf([waiting.order])) {
    const ids = side.waitingFor.get(item) ?? new Set()
    side.waitingFor.set(item, ids.add(order_id))
  }
}

function stopWaiting(side: ReplaySide, order_id: string): void {
  const waiting = side.waiting.get(order_id)
  if (waiting === undefined) return
  side.waiting.delete(order_id)
  for (const item of itemsOf([waiting.order])) {
    const ids = side.waitingFor.get(item)
    ids?.delete(order_id)
    if (ids?.size === 0) side.waitingFor.delete(item)
  }
}

function serveWaiting(side: ReplaySide, items: Iterable<number>, at_ms: number): void {
  const asked = waitersOf(side, items)
  if (asked.length === 0) return
  const before = new Map(asked.map((waiting) => [waiting.order.demand.order_id, waiting]))
  const decided = decide(
    side,
    asked.map(({ order }) => order),
    at_ms,
    [],
  )
  for (const { order, lines, served_from, late } of decided) {
    const was = before.get(order.demand.order_id)
    if (was === undefined || served_from.size === 0) continue
    const all = new Set([...was.served_from, ...served_from])
    if (was.served_from.size === 0) side.tally.orders_served += 1
    if (was.served_from.size < 2 && all.size > 1) side.tally.orders_split += 1
    if (late && !was.late) side.tally.orders_late += 1
    stopWaiting(side, order.demand.order_id)
    if (lines.length === 0) continue
    const rest = { ...order, demand: { ...order.demand, lines } }
    wait(side, { order: rest, served_from: all, late: late || was.late })
  }
}

function giveBack(side: ReplaySide, order_id: string, at_ms: number): void {
  stopWaiting(side, order_id)
  const taken = side.taken.get(order_id)
  if (taken === undefined) return
  side.taken.delete(order_id)
  for (const allocation of taken.allocations) move(side.left, allocation, 1)
  for (const day of taken.days) add(side.given, day, -1)
  const lines = taken.allocations.map(({ line }) => line)
  serveWaiting(side, new Set(lines.flatMap((line) => line.components.map(({ item_id }) => item_id))), at_ms)
}

function move(left: Map<string, number>, { line, location_id, units }: Allocation, sign: 1 | -1): void {
  if (location_id === null) return
  for (const { item_id, per_unit } of line.components)
    add(left, stockKey(item_id, location_id), sign * per_unit * units)
}

const unitsOf = (lines: readonly LineDemand[]): number => lines.reduce((sum, line) => sum + line.units, 0)

function add(to: Map<string, number>, key: string, units: number): void {
  to.set(key, (to.get(key) ?? 0) + units)
}
