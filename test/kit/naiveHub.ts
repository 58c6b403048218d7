/**
 * What the hub ought to do, said a second time as plainly as possible: lists, loops and no SQL. Nothing of the product's rules is used
 * here. Time is in whole minutes. Rules that the product documents (which place, whose promise is broken) are followed; their words are
 * in docs/guides/inventory.md.
 */
export interface Shelf {
  available: number
  damaged: number
  quality_control: number
  safety_stock: number
  incoming: number
  counted: number | null
}

/** Units of one item that one line of an order was promised, has been sent, or misses. */
export interface Row {
  id: number
  order: string
  line: string
  sku: string
  item: string
  per: number
  units: number
  shipped: number
  state: 'held' | 'committed' | 'missing'
  place: string | null
  work: Work | null
  expires: number
  priority: number
  backordered: boolean
  lostFrom: Work | null
}

export interface Work {
  order: string
  place: string
  state: 'open' | 'on_hold' | 'sent' | 'closed' | 'cancelled'
  calledBack: boolean
  accepted: boolean
}

export interface NaiveOrder {
  id: string
  channel: string
  placed: number
  paid: boolean
  open: boolean
  onHold: boolean
  /** In the order in which they were first seen; a line that is gone wants nothing. */
  lines: { id: string; sku: string; quantity: number }[]
  refused: Set<string>
  items: Set<string>
  /** Of a transfer. */
  from: string | null
}

export interface Channel {
  id: string
  priority: number
  shortfall: 'partial' | 'all_or_nothing' | 'backorder'
  places: readonly string[]
}

export interface Hold {
  id: number
  channel: string
  order: string | null
  state: 'held' | 'over'
  made: number
  expires: number
  taken: { item: string; place: string; per: number; units: number }[]
}

export interface Supply {
  reference: string
  kind: 'purchase' | 'transfer'
  place: string
  cancelled: boolean
  lines: { item: string; quantity: number; shipped: number; received: number; missing: number }[]
}

export interface StockRuleSaid {
  channel: string | null
  item: string | null
  place: string | null
  fields: Record<string, number | string | null>
}

export interface NaiveHub {
  now: number
  ids: number
  shelves: Map<string, Shelf>
  rows: Row[]
  works: Work[]
  orders: Map<string, NaiveOrder>
  channels: Map<string, Channel>
  holds: Hold[]
  supplies: Supply[]
  rules: StockRuleSaid[]
  /** Everything that crossed the walls or changed condition, by its own time. */
  crossings: { key: string; at: number; on_hand: number; damaged: number; quality_control: number }[]
}

/** What one unit of each listing takes; items in the order of their names. */
export const TAKES: Readonly<Record<string, readonly (readonly [item: string, per: number])[]>> = {
  A: [['A', 1]],
  B: [['B', 1]],
  C: [['C', 1]],
  KIT: [['A', 1], ['B', 2]],
  DUO: [['B', 1], ['C', 1]],
  A3: [['A', 3]],
} // prettier-ignore

export const PLACES = ['north', 'south', 'west'] as const
export const INTERNAL = 'internal-acme'
export const HOLD_MINUTES = 60

export function newHub(channels: readonly Channel[]): NaiveHub {
  const hub: NaiveHub = {
    now: 0, ids: 0, shelves: new Map(), rows: [], works: [], orders: new Map(), channels: new Map(), holds: [], supplies: [], rules: [],
    crossings: [],
  } // prettier-ignore
  for (const channel of channels) hub.channels.set(channel.id, channel)
  return hub
}

export const keyOf = (item: string, place: string): string => `${item}@${place}`

export function shelfOf(hub: NaiveHub, item: string, place: string): Shelf {
  const key = keyOf(item, place)
  const shelf = hub.shelves.get(key) ?? {
    available: 0, damaged: 0, quality_control: 0, safety_stock: 0, incoming: 0, counted: null,
  } // prettier-ignore
  hub.shelves.set(key, shelf)
  return shelf
}

export function channelOf(hub: NaiveHub, id: string): Channel {
  const channel = hub.channels.get(id)
  if (channel === undefined) throw new Error(`no channel ${id}`)
  return channel
}

export function promisedAt(hub: NaiveHub, item: string, place: string, state: 'held' | 'committed'): number {
  let units = 0
  for (const row of hub.rows) if (row.item === item && row.place === place && row.state === state) units += row.units
  if (state === 'committed') return units
  for (const hold of hub.holds)
    if (hold.state === 'held')
      for (const part of hold.taken) if (part.item === item && part.place === place) units += part.units
  return units
}

export function onHandAt(hub: NaiveHub, item: string, place: string): number {
  const { available, damaged, quality_control, safety_stock } = shelfOf(hub, item, place)
  const promised = promisedAt(hub, item, place, 'held') + promisedAt(hub, item, place, 'committed')
  return available + promised + damaged + quality_control + safety_stock
}

export function cross(
  hub: NaiveHub,
  item: string,
  place: string,
  at: number,
  change: { on_hand?: number; damaged?: number; quality_control?: number },
): void {
  hub.crossings.push({ key: keyOf(item, place), at, on_hand: 0, damaged: 0, quality_control: 0, ...change })
}

/** A line's wish for units that it has not. */
export interface Need {
  line: string
  sku: string
  units: number
  takes: readonly (readonly [item: string, per: number])[]
}

export interface Demand {
  order: string
  priority: number
  since: number
  shortfall: Channel['shortfall']
  places: readonly string[]
  needs: readonly Need[]
  own: Map<string, number>
}

export interface Gift {
  order: string
  need: Need
  place: string | null
  units: number
}

type Left = Map<string, number>
const unitsAt = (left: Left, item: string, place: string): number => left.get(keyOf(item, place)) ?? 0

function grab(left: Left, need: Need, place: string, units: number): void {
  for (const [item, per] of need.takes) left.set(keyOf(item, place), unitsAt(left, item, place) - units * per)
}

function servesAll(left: Left, needs: readonly Need[], place: string): boolean {
  const trial = new Map(left)
  for (const need of needs) grab(trial, need, place, need.units)
  return needs.every((need) => need.takes.every(([item]) => unitsAt(trial, item, place) >= 0))
}

/** The first place that has everything; else every line for itself, place after place. Takes what it gives off `left`. */
function give(left: Left, demand: Demand): Gift[] {
  const gifts: Gift[] = []
  const single = demand.places.find((place) => servesAll(left, demand.needs, place))
  const places = single === undefined ? demand.places : [single]
  for (const need of demand.needs) {
    let open = need.units
    for (const place of places) {
      const whole = Math.min(...need.takes.map(([item, per]) => Math.floor(unitsAt(left, item, place) / per)))
      const units = Math.min(open, Math.max(0, whole))
      if (units === 0) continue
      grab(left, need, place, units)
      gifts.push({ order: demand.order, need, place, units })
      open -= units
    }
    if (open > 0) gifts.push({ order: demand.order, need, place: null, units: open })
  }
  if (demand.shortfall !== 'all_or_nothing' || gifts.every((gift) => gift.place !== null)) return gifts
  for (const { need, place, units } of gifts) if (place !== null) grab(left, need, place, -units)
  return demand.needs.map((need) => ({ order: demand.order, need, place: null, units: need.units }))
}

/** Units that a more urgent order waits for stay on the shelf: whole units of its lines, then its single components. */
function keepFor(left: Left, waiting: Demand): void {
  for (const { need, place, units } of give(left, { ...waiting, shortfall: 'partial' })) {
    if (place !== null) continue
    for (const [item, per] of need.takes) {
      let open = units * per
      for (const from of waiting.places) {
        const kept = Math.max(0, Math.min(open, unitsAt(left, item, from)))
        left.set(keyOf(item, from), unitsAt(left, item, from) - kept)
        open -= kept
      }
    }
  }
}

const byTurn = (a: Demand, b: Demand): number => a.priority - b.priority || a.since - b.since

/** Who gets what: classes by urgency, each class by age; nobody gets what a more urgent one waits for. */
export function decide(shelf: ReadonlyMap<string, number>, demands: readonly Demand[], waiting: Demand[]): Gift[] {
  const left = new Map(shelf)
  const gifts: Gift[] = []
  let ghosts = waiting
  for (const priority of [...new Set(demands.map((one) => one.priority))].sort((a, b) => a - b)) {
    for (const ghost of ghosts.filter((one) => one.priority < priority).sort(byTurn)) keepFor(left, ghost)
    ghosts = ghosts.filter((one) => one.priority >= priority)
    for (const demand of demands.filter((one) => one.priority === priority).sort(byTurn)) {
      const before = new Map([...demand.own.keys()].map((key) => [key, left.get(key) ?? 0]))
      for (const [key, units] of demand.own) left.set(key, (left.get(key) ?? 0) + units)
      const own = give(left, demand)
      for (const [key, units] of before) left.set(key, Math.min(units, left.get(key) ?? 0))
      gifts.push(...own)
      const needs = own.flatMap((gift) => (gift.place === null ? [{ ...gift.need, units: gift.units }] : []))
      if (needs.length > 0) ghosts.push({ ...demand, needs })
    }
  }
  return gifts
}
