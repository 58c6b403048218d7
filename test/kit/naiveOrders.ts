import {
  channelOf,
  decide,
  HOLD_MINUTES,
  INTERNAL,
  keyOf,
  shelfOf,
  type Demand,
  type Gift,
  type Hold,
  type NaiveHub,
  type NaiveOrder,
  type Need,
  type Row,
  type Work,
} from './naiveHub.ts'
import { changeOf, isUnsent, sum, waitsForWork, type Given } from './naiveChange.ts'
import { modeOf } from './naiveShown.ts'

const placesFor = (hub: NaiveHub, order: NaiveOrder): string[] =>
  (order.from === null ? channelOf(hub, order.channel).places : [order.from]).filter(
    (place) => !order.refused.has(place),
  )

export function orderOf(hub: NaiveHub, id: string): NaiveOrder {
  const order = hub.orders.get(id)
  if (order === undefined) throw new Error(`no order ${id}`)
  return order
}

function demandOf(hub: NaiveHub, order: NaiveOrder, needs: readonly Need[], since: number, priority?: number): Demand {
  const { shortfall, priority: own } = channelOf(hub, order.channel)
  return {
    order: order.id,
    priority: priority ?? own,
    since,
    shortfall,
    places: placesFor(hub, order),
    needs,
    own: new Map(),
  }
}

/** What a decision looks at: these items where these orders may be served, and nothing elsewhere. */
export function available(
  hub: NaiveHub,
  demands: readonly Demand[],
  more: readonly string[] = [],
): Map<string, number> {
  const keys = new Set(more)
  for (const { needs, places } of demands)
    for (const [item] of needs.flatMap((need) => need.takes)) for (const place of places) keys.add(keyOf(item, place))
  return new Map([...hub.shelves].flatMap(([key, shelf]) => (keys.has(key) ? [[key, shelf.available]] : [])))
}

/** Orders that wait, as they would ask: components of a line that miss the same number of units are asked for together. */
function waitingDemands(hub: NaiveHub, rows: readonly Row[]): Demand[] {
  return [...Map.groupBy(rows, (row) => row.order)].map(([id, own]) => {
    const needs = new Map<string, { line: string; sku: string; units: number; takes: [string, number][] }>()
    for (const parts of Map.groupBy(own, (row) => `${row.line} ${row.item}`).values()) {
      const [{ line, sku, item } = { line: '', sku: '', item: '' }] = parts
      const per = Math.max(...parts.map((row) => row.per))
      const missing = sum(parts, (row) => row.units)
      const ask = (key: string, units: number, each: number): void => {
        if (units === 0) return
        const need = needs.get(key) ?? { line, sku, units, takes: [] }
        need.takes.push([item, each])
        needs.set(key, need)
      }
      const whole = Math.floor(missing / per)
      ask(`${line} ${whole}`, whole, per)
      ask(`${line} @ ${item}`, missing % per, 1)
    }
    const [priority, since] = [Math.min(...own.map((row) => row.priority)), Math.min(...own.map((row) => row.id))]
    return demandOf(hub, orderOf(hub, id), [...needs.values()], since, priority)
  })
}

const byQueue = (a: Row, b: Row): number => a.priority - b.priority || a.id - b.id

/** More urgent orders that wait for something these ask for. */
export function ghostsFor(hub: NaiveHub, demands: readonly Demand[]): Demand[] {
  const most = Math.min(...[...hub.channels.values()].map((channel) => channel.priority))
  const later = demands.filter((one) => one.priority > most)
  const items = new Set<string>()
  for (const { needs, places } of later)
    for (const [item] of needs.flatMap((need) => need.takes))
      if (places.some((place) => shelfOf(hub, item, place).available > 0)) items.add(item)
  const last = Math.max(...later.map((one) => one.priority))
  const rows = hub.rows.filter(
    (row) =>
      row.state === 'missing' && items.has(row.item) && row.priority < last && !waitsForWork(row) &&
      !demands.some((one) => one.order === row.order),
  ) // prettier-ignore
  return waitingDemands(hub, rows.sort(byQueue))
}

/** Brings what orders hold in line with what they want, gives what is free to whoever waits. */
export function settle(
  hub: NaiveHub,
  ids: readonly string[],
  options: { work?: 'kept' | 'anew'; holds?: readonly Hold[] } = {},
): void {
  const { work = 'kept', holds = [] } = options
  const changes = ids.map((id) => changeOf(hub, orderOf(hub, id), work))
  const given = changes.flatMap((change) => change.given)
  const paid = hub.rows.filter(
    (row) => row.state === 'held' && ids.includes(row.order) && !isHeld(orderOf(hub, row.order)),
  )
  const demands = changes.flatMap((change) => {
    if (change.needs.length === 0) return []
    const demand = demandOf(hub, change.order, change.needs, change.order.placed)
    const own = [
      ...change.given.map(({ row, units }) => ({ item: row.item, place: row.place ?? '', units })),
      ...holds.flatMap((hold) => (hold.order === change.order.id ? hold.taken : [])),
    ]
    for (const { item, place, units } of own)
      demand.own.set(keyOf(item, place), (demand.own.get(keyOf(item, place)) ?? 0) + units)
    return [demand]
  })
  const touched = [...given.map(({ row }) => row), ...paid, ...holds.flatMap((hold) => hold.taken)]
  const shelves = available(hub, demands, touched.map((one) => keyOf(one.item, one.place ?? ''))) // prettier-ignore
  const gifts = decide(shelves, demands, ghostsFor(hub, demands))
  const freed = new Set(given.map(({ row }) => row.item))
  for (const hold of holds) {
    hold.state = 'over'
    for (const { item, place, units } of hold.taken) {
      shelfOf(hub, item, place).available += units
      freed.add(item)
    }
  }
  const kept = new Set(changes.flatMap((change) => [...change.kept]))
  const missing = hub.rows.filter((row) => ids.includes(row.order) && row.state === 'missing' && !kept.has(row))
  for (const item of book(hub, { gifts, given, paid, missing, anew: work === 'anew' })) freed.add(item)
  for (const one of changes.flatMap((change) => [...change.callBack])) one.calledBack = true
  allocate(hub, freed)
}

/** Everything of an order is looked at again, and what it leaves of its items is offered to others. */
export function replan(hub: NaiveHub, id: string): void {
  settle(hub, [id])
  const order = orderOf(hub, id)
  const missing = hub.rows.filter((row) => row.order === id).map((row) => row.item)
  allocate(hub, new Set([...order.items, ...missing]))
}

const isHeld = (order: NaiveOrder): boolean => !order.paid && order.channel !== INTERNAL

interface Booking {
  gifts: readonly Gift[]
  given: readonly Given[]
  paid: readonly Row[]
  missing: readonly Row[]
  anew: boolean
}

/** Returns the items that somebody waited for and does not any more: what was kept for him is offered to others. */
function book(hub: NaiveHub, { gifts, given, paid, missing, anew }: Booking): Set<string> {
  const made = new Map<string, Work>()
  const workFor = (order: NaiveOrder, place: string): Work => {
    const key = `${order.id} ${place}`
    const open = anew
      ? undefined
      : hub.works.find((work) => work.order === order.id && work.place === place && isUnsent(work))
    const work = made.get(key) ?? open ?? newWork(hub, order, place)
    made.set(key, work)
    return work
  }
  const emptied = new Set<Work>()
  for (const { row, units } of given) {
    row.units -= units
    if (row.place !== null) shelfOf(hub, row.item, row.place).available += units
    if (row.work !== null) emptied.add(row.work)
  }
  for (const row of paid) {
    if (row.units === 0) continue
    row.state = 'committed'
    row.work = workFor(orderOf(hub, row.order), row.place ?? '')
  }
  const short = new Map<string, Row>()
  const added: Row[] = []
  for (const { order: id, need, place, units } of gifts) {
    const order = orderOf(hub, id)
    const { priority } = channelOf(hub, order.channel)
    for (const [item, per] of need.takes) {
      const row: Row = {
        id: 0, order: id, line: need.line, sku: need.sku, item, per, units: units * per, shipped: 0, state: 'missing', place, work: null,
        expires: hub.now + HOLD_MINUTES, priority, backordered: false, lostFrom: null,
      } // prettier-ignore
      if (place === null) {
        const key = `${id} ${need.line} ${item} ${need.sku}`
        const same = short.get(key)
        if (same === undefined) short.set(key, row)
        else Object.assign(same, { units: same.units + row.units, per: Math.max(same.per, row.per) })
        continue
      }
      row.state = isHeld(order) ? 'held' : 'committed'
      if (row.state === 'committed') row.work = workFor(order, place)
      shelfOf(hub, item, place).available -= row.units
      order.items.add(item)
      added.push(row)
    }
  }
  const givenUp = new Set<string>()
  for (const row of missing) {
    const key = `${row.order} ${row.line} ${row.item} ${row.sku}`
    const still = short.get(key)
    short.delete(key)
    const served = sum(
      added.filter((one) => `${one.order} ${one.line} ${one.item} ${one.sku}` === key),
      (one) => one.units,
    )
    if (row.units > (still?.units ?? 0) + served) givenUp.add(row.item)
    row.units = still?.units ?? 0
    if (still === undefined) continue
    row.priority = still.priority
    row.backordered = modeOf(hub, orderOf(hub, row.order).channel, row.item) !== 'deny'
  }
  for (const row of short.values()) row.backordered = modeOf(hub, orderOf(hub, row.order).channel, row.item) !== 'deny'
  for (const row of [...added, ...short.values()]) hub.rows.push({ ...row, id: (hub.ids += 1) })
  dropRows(hub)
  dropEmpty(hub, emptied)
  return givenUp
}

export const dropRows = (hub: NaiveHub): void => {
  hub.rows = hub.rows.filter((row) => row.units > 0 || row.shipped > 0)
}

/** Work that has not left and holds nothing any more is over. */
export function dropEmpty(hub: NaiveHub, works: Iterable<Work>): void {
  for (const work of works)
    if (isUnsent(work) && !hub.rows.some((row) => row.work === work && row.units > 0)) work.state = 'cancelled'
}

function newWork(hub: NaiveHub, order: NaiveOrder, place: string): Work {
  const state = order.onHold ? 'on_hold' : 'open'
  const work: Work = { order: order.id, place, state, calledBack: false, accepted: false }
  hub.works.push(work)
  return work
}

/** Units that came free go first to work that lost them to a count, then to whoever waits, by priority and age. */
export function allocate(hub: NaiveHub, items: ReadonlySet<string>): void {
  if (items.size === 0) return
  for (const row of hub.rows.filter((one) => waitsForWork(one) && items.has(one.item)).sort(byQueue)) {
    const work = row.lostFrom
    if (work === null) continue
    const shelf = shelfOf(hub, row.item, work.place)
    const units = Math.floor(Math.min(row.units, shelf.available) / row.per) * row.per
    if (units === 0) continue
    shelf.available -= units
    row.units -= units
    const back = { state: 'committed' as const, place: work.place, work, lostFrom: null, shipped: 0, units }
    hub.rows.push({ ...row, ...back, id: (hub.ids += 1) })
  }
  dropRows(hub)
  const queue = hub.rows.filter((row) => row.state === 'missing' && items.has(row.item) && !waitsForWork(row))
  const ids = new Set(queue.sort(byQueue).map((row) => row.order))
  // Nobody is asked where nothing of these items is there for anybody.
  const places = [...ids].flatMap((id) => placesFor(hub, orderOf(hub, id)))
  if (![...items].some((item) => places.some((place) => shelfOf(hub, item, place).available > 0))) return
  allocateTo(hub, ids)
}

/** What the sweeper does: whoever waits although something of it is there (all of it, who wants it whole) is asked once more. */
export function sweep(hub: NaiveHub): void {
  const waiting = hub.rows.filter((row) => row.state === 'missing' && !waitsForWork(row))
  const servable = [...Map.groupBy(waiting, (row) => row.order)].filter(([id, rows]) => {
    const order = orderOf(hub, id)
    const places = order.from === null ? channelOf(hub, order.channel).places : [order.from]
    const there = (row: Row): number => places.reduce((all, place) => all + shelfOf(hub, row.item, place).available, 0)
    const wanted = (row: Row): number => sum(rows.filter((one) => one.item === row.item), (one) => one.units) // prettier-ignore
    const isWhole = channelOf(hub, order.channel).shortfall === 'all_or_nothing'
    return isWhole ? rows.every((row) => there(row) >= wanted(row)) : rows.some((row) => there(row) >= row.per)
  })
  allocateTo(hub, new Set(servable.map(([id]) => id)))
}

function allocateTo(hub: NaiveHub, ids: ReadonlySet<string>): void {
  const rows = hub.rows.filter((row) => row.state === 'missing' && ids.has(row.order) && !waitsForWork(row))
  if (rows.length === 0) return
  const demands = waitingDemands(
    hub,
    rows.sort((a, b) => a.id - b.id),
  )
  const gifts = decide(available(hub, demands), demands, ghostsFor(hub, demands))
  const served = new Set(gifts.flatMap((gift) => (gift.place === null ? [] : gift.order)))
  const missing = rows.filter((row) => served.has(row.order))
  book(hub, { gifts: gifts.filter((gift) => served.has(gift.order)), given: [], paid: [], missing, anew: false })
}
