import {
  channelOf,
  cross,
  decide,
  keyOf,
  promisedAt,
  shelfOf,
  TAKES,
  type Demand,
  type Hold,
  type NaiveHub,
  type Row,
  type Supply,
  type Work,
} from './naiveHub.ts'
import { allocate, available, dropEmpty, dropRows, ghostsFor, orderOf, replan } from './naiveOrders.ts'

/** Moves units onto (or off) the shelf at an instant of their own. */
function arrive(
  hub: NaiveHub,
  goods: { item: string; place: string; units: number; at: number },
  state: 'available' | 'damaged' | 'quality_control' = 'available',
): void {
  const { item, place, units, at } = goods
  shelfOf(hub, item, place)[state] += units
  cross(hub, item, place, at, { on_hand: units, ...(state === 'available' ? {} : { [state]: units }) })
}

const isCounted = (hub: NaiveHub, item: string, place: string, at: number): boolean =>
  at <= (shelfOf(hub, item, place).counted ?? -1)

/**
 * Frees promised units that are not there: cart holds first, the youngest first; then orders, those whose work is still here, the least
 * urgent, the youngest. Whole units of a line, so that a few more may come free. `of`: only this work's, because its picker says so.
 */
function breakPromises(hub: NaiveHub, item: string, place: string, units: number, of: Work | null): void {
  let missing = units
  const shelf = shelfOf(hub, item, place)
  const holds = of === null ? hub.holds.filter((hold) => hold.state === 'held').sort((a, b) => b.id - a.id) : []
  for (const hold of holds) {
    for (const part of hold.taken) {
      if (missing <= 0 || part.item !== item || part.place !== place || part.units === 0) continue
      const lost = Math.min(part.units, Math.ceil(missing / part.per) * part.per)
      part.units -= lost
      missing -= lost
      shelf.available += lost
      if (hold.taken.every((one) => one.units === 0)) hold.state = 'over'
    }
  }
  const isOut = ({ work }: Row): number =>
    work !== null && (work.calledBack || !['open', 'on_hold'].includes(work.state)) ? 1 : 0
  const rows = hub.rows.filter(
    (row) =>
      row.item === item &&
      row.place === place &&
      row.state !== 'missing' &&
      row.units > 0 &&
      (of === null || row.work === of),
  )
  const touched = new Set<Work>()
  for (const row of rows.sort((a, b) => isOut(a) - isOut(b) || b.priority - a.priority || b.id - a.id)) {
    if (missing <= 0) break
    const lost = Math.min(row.units, Math.ceil(missing / row.per) * row.per)
    missing -= lost
    shelf.available += lost
    const lostFrom = of === null && isOut(row) === 1 ? row.work : null
    if (row.work !== null) touched.add(row.work)
    const bare = { state: 'missing' as const, place: null, work: null, lostFrom }
    if (lost === row.units && row.shipped === 0) Object.assign(row, bare)
    else {
      row.units -= lost
      hub.rows.push({ ...row, ...bare, id: (hub.ids += 1), units: lost, shipped: 0, backordered: false })
    }
  }
  for (const row of rows) giveUpUnwanted(hub, row)
  dropRows(hub)
  dropEmpty(hub, touched)
}

/** Nothing is missing that nobody wants: work that was called back held more than its line still asks for. */
function giveUpUnwanted(hub: NaiveHub, { order: id, line, item }: Row): void {
  const order = orderOf(hub, id)
  const wanted = order.open ? (order.lines.find((one) => one.id === line)?.quantity ?? 0) : 0
  const own = hub.rows.filter((row) => row.order === id && row.line === line && row.item === item)
  const per = Math.max(...own.map((row) => row.per))
  let excess = own.reduce((all, row) => all + row.units + row.shipped, 0) - wanted * per
  for (const row of own.filter(({ state }) => state === 'missing').sort((a, b) => b.id - a.id)) {
    const gone = Math.max(0, Math.min(excess, row.units))
    excess -= gone
    row.units -= gone
  }
}

/** A count was true at its own time; what happened later comes on top. */
export function count(
  hub: NaiveHub,
  said: { item: string; place: string; at: number; on_hand: number; damaged: number; quality_control: number },
): void {
  const { item, place, at } = said
  const shelf = shelfOf(hub, item, place)
  if (shelf.counted !== null && at < shelf.counted) return
  const later = { on_hand: 0, damaged: 0, quality_control: 0 }
  for (const event of hub.crossings.filter((one) => one.key === keyOf(item, place) && one.at > at)) {
    later.on_hand += event.on_hand
    later.damaged += event.damaged
    later.quality_control += event.quality_control
  }
  const within = (units: number, most: number): number => Math.max(0, Math.min(units, most))
  const on_hand = Math.max(0, said.on_hand + later.on_hand)
  const damaged = within(said.damaged + later.damaged, on_hand)
  const quality_control = within(said.quality_control + later.quality_control, on_hand - damaged)
  const sellable = on_hand - damaged - quality_control
  const promised = (): number => promisedAt(hub, item, place, 'held') + promisedAt(hub, item, place, 'committed')
  const before = {
    ...shelf,
    all: shelf.available + promised() + shelf.damaged + shelf.quality_control + shelf.safety_stock,
  }
  const safety_stock = within(shelf.safety_stock, sellable - promised())
  if (promised() > sellable) breakPromises(hub, item, place, promised() - sellable, null)
  const from = { ...shelf }
  Object.assign(shelf, { damaged, quality_control, safety_stock, counted: at })
  shelf.available = sellable - safety_stock - promised()
  cross(hub, item, place, at, {
    on_hand: on_hand - before.all,
    damaged: damaged - before.damaged,
    quality_control: quality_control - before.quality_control,
  })
  const states = ['available', 'damaged', 'quality_control', 'safety_stock'] as const
  if (states.some((state) => from[state] !== shelf[state])) allocate(hub, new Set([item]))
}

type Condition = 'available' | 'damaged' | 'quality_control' | 'safety_stock' | 'outside'

/** A movement by hand. Facts take promised units where they must, wishes never do. Returns whether it could be done. */
export function moveByHand(
  hub: NaiveHub,
  move: { item: string; place: string; from: Condition; to: Condition; units: number; fact: boolean },
): boolean {
  const { item, place, from, to, units, fact } = move
  const shelf = shelfOf(hub, item, place)
  if (from !== 'outside') {
    const missing = Math.max(0, units - shelf[from])
    const promised = promisedAt(hub, item, place, 'held') + promisedAt(hub, item, place, 'committed')
    if (missing > (fact && from === 'available' ? promised : 0)) return false
    if (missing > 0) breakPromises(hub, item, place, missing, null)
    shelf[from] -= units
  }
  if (to !== 'outside') shelf[to] += units
  const change = { on_hand: 0, damaged: 0, quality_control: 0 }
  const step = (state: Condition, by: number): void => {
    if (state === 'outside') change.on_hand -= by
    else if (state === 'damaged' || state === 'quality_control') change[state] += by
  }
  step(from, -units)
  step(to, units)
  cross(hub, item, place, hub.now, change)
  allocate(hub, new Set([item]))
  return true
}

export function heldBy(hub: NaiveHub, work: Work): Map<string, number> {
  const units = new Map<string, number>()
  for (const row of hub.rows)
    if (row.work === work && row.state === 'committed' && row.units > 0)
      units.set(row.item, (units.get(row.item) ?? 0) + row.units)
  return units
}

/** Goods left. A count that was taken since has left them out already. */
export function ship(hub: NaiveHub, work: Work, goods: ReadonlyMap<string, number>, at: number): void {
  const recounted = new Set<string>()
  for (const [item, units] of goods) {
    let open = units
    for (const row of hub.rows.filter((one) => one.work === work && one.item === item).sort((a, b) => a.id - b.id)) {
      const part = Math.min(open, row.units)
      row.units -= part
      row.shipped += part
      open -= part
    }
    if (isCounted(hub, item, work.place, at)) {
      shelfOf(hub, item, work.place).available += units
      recounted.add(item)
    } else cross(hub, item, work.place, at, { on_hand: -units })
  }
  allocate(hub, recounted)
  const transfer = hub.supplies.find((supply) => supply.kind === 'transfer' && supply.reference === work.order)
  for (const line of transfer?.lines ?? []) {
    line.shipped += goods.get(line.item) ?? 0
    if (transfer !== undefined) shelfOf(hub, line.item, transfer.place).incoming += goods.get(line.item) ?? 0
  }
  work.state = heldBy(hub, work).size > 0 ? 'sent' : 'closed'
  // Goods that were to come back have served their line: what was planned in their place is too much.
  if (work.calledBack) replan(hub, work.order)
}

/** Work ends without the units that it still holds. */
export function giveBackWork(hub: NaiveHub, work: Work, verdict: 'cancelled' | 'rejected'): void {
  const refuses = verdict === 'rejected' || !work.calledBack
  work.state = 'cancelled'
  for (const row of hub.rows.filter((one) => one.work === work && one.state === 'committed')) {
    if (row.place !== null) shelfOf(hub, row.item, row.place).available += row.units
    row.units = 0
  }
  dropRows(hub)
  if (refuses) orderOf(hub, work.order).refused.add(work.place)
  replan(hub, work.order)
}

/** The picker did not find them: they leave the work and the shelf, and the order looks elsewhere. */
export function shortPick(hub: NaiveHub, work: Work, item: string, units: number): void {
  breakPromises(hub, item, work.place, units, work)
  shelfOf(hub, item, work.place).available -= units
  cross(hub, item, work.place, hub.now, { on_hand: -units })
  const shipped = hub.rows.some((row) => row.work === work && row.shipped > 0)
  if (heldBy(hub, work).size > 0) work.state = 'sent'
  else work.state = shipped ? 'closed' : 'cancelled'
  replan(hub, work.order)
}

/** Null: nothing is kept. */
export function makeHold(
  hub: NaiveHub,
  wish: { channel: string; order: string | null; minutes: number; whole: boolean; lines: [string, number][] },
): Hold | null {
  const { places, priority } = channelOf(hub, wish.channel)
  const needs = wish.lines.map(([sku, units], at) => ({ line: String(at), sku, units, takes: TAKES[sku] ?? [] }))
  const demand: Demand = { order: '', priority, since: 0, shortfall: 'partial', places, needs, own: new Map() }
  const gifts = decide(available(hub, [demand]), [demand], ghostsFor(hub, [demand]))
  const taken = gifts.flatMap(({ need, place, units }) =>
    place === null ? [] : need.takes.map(([item, per]) => ({ item, place, per, units: units * per })),
  )
  if (taken.length === 0 || (wish.whole && gifts.some((gift) => gift.place === null))) return null
  for (const { item, place, units } of taken) shelfOf(hub, item, place).available -= units
  const { channel, order, minutes } = wish
  const hold: Hold = {
    id: (hub.ids += 1),
    channel,
    order,
    state: 'held',
    made: hub.now,
    expires: hub.now + minutes,
    taken,
  }
  hub.holds.push(hold)
  return hold
}

export function endHolds(hub: NaiveHub, holds: readonly Hold[]): void {
  const items = new Set<string>()
  for (const hold of holds) {
    hold.state = 'over'
    for (const { item, place, units } of hold.taken) {
      shelfOf(hub, item, place).available += units
      items.add(item)
    }
  }
  allocate(hub, items)
}

/** Orders whose money did not come, and carts that were left. */
export function expire(hub: NaiveHub): void {
  const late = new Set(hub.rows.filter((row) => row.state === 'held' && row.expires <= hub.now).map((row) => row.order))
  const items = new Set<string>()
  for (const row of hub.rows.filter((one) => one.state === 'held' && late.has(one.order))) {
    if (orderOf(hub, row.order).onHold) continue
    if (row.place !== null) shelfOf(hub, row.item, row.place).available += row.units
    row.units = 0
    items.add(row.item)
  }
  dropRows(hub)
  allocate(hub, items)
  endHolds(
    hub,
    hub.holds.filter((hold) => hold.state === 'held' && hold.expires <= hub.now),
  )
}

/** Units on their way. */
export function toCome({ kind, cancelled }: Supply, line: Supply['lines'][number]): number {
  if (kind === 'transfer') return Math.max(0, line.shipped - line.received - line.missing)
  return cancelled ? 0 : Math.max(0, line.quantity - line.received)
}

export function receive(
  hub: NaiveHub,
  supply: Supply,
  item: string,
  units: number,
  to: 'available' | 'quality_control',
): void {
  const line = supply.lines.find((one) => one.item === item)
  if (line === undefined) throw new Error(`${supply.reference} has no ${item}`)
  shelfOf(hub, item, supply.place).incoming -= Math.min(units, toCome(supply, line))
  line.received += units
  arrive(hub, { item, place: supply.place, units, at: hub.now }, to)
  if (to === 'available') allocate(hub, new Set([item]))
}

/** Goods that came back; a count that was taken since has them. */
export function takeBack(
  hub: NaiveHub,
  goods: { item: string; place: string; units: number; at: number },
  disposition: string,
): void {
  const { item, place, at } = goods
  const state = { restock: 'available', quality_control: 'quality_control', damaged: 'damaged' }[disposition]
  if (state === undefined || isCounted(hub, item, place, at)) return
  arrive(hub, goods, state as 'available' | 'damaged' | 'quality_control')
  if (state === 'available') allocate(hub, new Set([item]))
}
