import {
  channelOf,
  decide,
  HOLD_MINUTES,
  INTERNAL,
  keyOf,
  shelfOf,
  TAKES,
  type Demand,
  type Gift,
  type Hold,
  type NaiveHub,
  type NaiveOrder,
  type Need,
  type Row,
  type Work,
} from './naiveHub.ts'
import { modeOf } from './naiveShown.ts'

type Given = { row: Row; units: number }
interface Change {
  order: NaiveOrder
  needs: Need[]
  given: Given[]
  callBack: Set<Work>
  kept: Set<Row>
}

export const isLive = (work: Work | null): boolean => work !== null && !['closed', 'cancelled'].includes(work.state)
const waitsForWork = (row: Row): boolean => row.state === 'missing' && isLive(row.lostFrom)
const isUnsent = (work: Work | null): boolean =>
  work !== null && !work.calledBack && (work.state === 'open' || work.state === 'on_hold')
const sum = (rows: readonly Row[], of: (row: Row) => number): number => rows.reduce((all, row) => all + of(row), 0)
const promised = (row: Row): number => (row.state === 'missing' ? 0 : row.units)
const takesOf = (order: NaiveOrder, sku: string): Need['takes'] => (order.from === null ? (TAKES[sku] ?? []) : [[sku, 1]])

/** Compares what an order wants with what it has. `anew`: what has not left is put back on the table. */
function changeOf(hub: NaiveHub, order: NaiveOrder, work: 'kept' | 'anew'): Change {
  const change: Change = { order, needs: [], given: [], callBack: new Set(), kept: new Set() }
  const own = hub.rows.filter((row) => row.order === order.id)
  const emptied = own.filter((row) => work === 'anew' && row.state === 'committed' && row.units > 0 && isUnsent(row.work))
  for (const line of order.lines) {
    const rows = own.filter((row) => row.line === line.id)
    let units = order.open ? line.quantity : 0
    keepLost(change, rows, units)
    const there = rows
      .filter((row) => row.state !== 'missing' || change.kept.has(row))
      .map((row) => ({ row, has: emptied.includes(row) ? row.shipped : row.shipped + row.units }))
    const isOther = (row: Row): boolean => row.sku !== line.sku
    for (const sku of new Set(rows.filter(isOther).map((row) => row.sku))) {
      const old = rows.filter((row) => row.sku === sku)
      const items = [...new Set(old.map((row) => row.item))]
      const whole = items.map((item) => {
        const parts = old.filter((row) => row.item === item)
        const kept = sum(parts, (row) => row.shipped + (change.kept.has(row) ? row.units : 0))
        return Math.floor(kept / (parts[0]?.per ?? 1))
      })
      units = Math.max(0, units - Math.min(...whole))
      for (const item of items) giveBack(change, old.filter((row) => row.item === item), 0, emptied)
    }
    const current = rows.filter((row) => !isOther(row))
    const takes = takesOf(order, line.sku)
    const has = takes.map(([item, per]) =>
      Math.floor(there.reduce((all, one) => all + (one.row.sku === line.sku && one.row.item === item ? one.has : 0), 0) / per),
    )
    const most = Math.min(units, Math.max(...has))
    if (units > most) change.needs.push({ line: line.id, sku: line.sku, units: units - most, takes })
    for (const [at, one] of takes.entries()) {
      const lag = most - (has[at] ?? 0)
      if (lag > 0) change.needs.push({ line: line.id, sku: line.sku, units: lag, takes: [one] })
      giveBack(change, current.filter((row) => row.item === one[0]), units * one[1], emptied)
    }
  }
  for (const row of emptied) change.given.push({ row, units: row.units })
  return change
}

/** What a count took from work that is out comes back to that work or not at all, as long as its line still wants it. */
function keepLost(change: Change, rows: readonly Row[], wanted: number): void {
  for (const item of new Set(rows.map((row) => row.item))) {
    const own = rows.filter((row) => row.item === item)
    const lost = own.filter(waitsForWork).sort((a, b) => a.id - b.id)
    let room = wanted * (lost[0]?.per ?? 1) - sum(own, (row) => row.shipped + promised(row))
    for (const row of lost) {
      if (row.units > room) continue
      room -= row.units
      change.kept.add(row)
    }
  }
}

/** Where giving back costs least first: held, without work, work that has not left, work that is called back, work that is out. */
function giveBack(change: Change, rows: readonly Row[], wanted: number, emptied: readonly Row[]): void {
  const rank = ({ state, work }: Row): number =>
    state === 'held' ? 0 : work === null ? 1 : isUnsent(work) ? 2 : work.calledBack ? 3 : 4
  const free = (row: Row): number => (emptied.includes(row) || row.state === 'missing' ? 0 : row.units)
  let surplus = sum(rows, (row) => row.shipped + free(row) + (change.kept.has(row) ? row.units : 0)) - wanted
  for (const row of rows.toSorted((a, b) => rank(a) - rank(b) || b.id - a.id)) {
    const units = Math.min(surplus, free(row))
    if (units <= 0) continue
    surplus -= units
    if (rank(row) <= 2) change.given.push({ row, units })
    else if (rank(row) === 4 && row.work !== null) change.callBack.add(row.work)
  }
}

const placesFor = (hub: NaiveHub, order: NaiveOrder): string[] =>
  (order.from === null ? channelOf(hub, order.channel).places : [order.from]).filter((place) => !order.refused.has(place))

export function orderOf(hub: NaiveHub, id: string): NaiveOrder {
  const order = hub.orders.get(id)
  if (order === undefined) throw new Error(`no order ${id}`)
  return order
}

function demandOf(hub: NaiveHub, order: NaiveOrder, needs: readonly Need[], since: number, priority?: number): Demand {
  const { shortfall, priority: own } = channelOf(hub, order.channel)
  return { order: order.id, priority: priority ?? own, since, shortfall, places: placesFor(hub, order), needs, own: new Map() }
}

const available = (hub: NaiveHub): Map<string, number> =>
  new Map([...hub.shelves].map(([key, shelf]) => [key, shelf.available]))

/** Orders that wait, as they would ask: components of a line that miss the same number of units are asked for together. */
function waitingDemands(hub: NaiveHub, rows: readonly Row[]): Demand[] {
  return [...Map.groupBy(rows, (row) => row.order)].map(([id, own]) => {
    const needs = new Map<string, { line: string; sku: string; units: number; takes: [string, number][] }>()
    for (const parts of Map.groupBy(own, (row) => `${row.line} ${row.item}`).values()) {
      const [{ line, sku, item, per } = { line: '', sku: '', item: '', per: 1 }] = parts
      const units = Math.floor(sum(parts, (row) => row.units) / per)
      if (units === 0) continue
      const need = needs.get(`${line} ${units}`) ?? { line, sku, units, takes: [] }
      need.takes.push([item, per])
      needs.set(`${line} ${units}`, need)
    }
    const [priority, since] = [Math.min(...own.map((row) => row.priority)), Math.min(...own.map((row) => row.id))]
    return demandOf(hub, orderOf(hub, id), [...needs.values()], since, priority)
  })
}

const byQueue = (a: Row, b: Row): number => a.priority - b.priority || a.id - b.id

/** More urgent orders that wait for something these ask for. */
function ghostsFor(hub: NaiveHub, demands: readonly Demand[]): Demand[] {
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
  const paid = hub.rows.filter((row) => row.state === 'held' && ids.includes(row.order) && !isHeld(orderOf(hub, row.order)))
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
  const gifts = decide(available(hub), demands, ghostsFor(hub, demands))
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
  book(hub, { gifts, given, paid, missing, anew: work === 'anew' })
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

function book(hub: NaiveHub, { gifts, given, paid, missing, anew }: Booking): void {
  const made = new Map<string, Work>()
  const workFor = (order: NaiveOrder, place: string): Work => {
    const key = `${order.id} ${place}`
    const open = anew ? undefined : hub.works.find((work) => work.order === order.id && work.place === place && isUnsent(work))
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
        else same.units += row.units
        continue
      }
      row.state = isHeld(order) ? 'held' : 'committed'
      if (row.state === 'committed') row.work = workFor(order, place)
      shelfOf(hub, item, place).available -= row.units
      order.items.add(item)
      added.push(row)
    }
  }
  for (const row of missing) {
    const key = `${row.order} ${row.line} ${row.item} ${row.sku}`
    const still = short.get(key)
    short.delete(key)
    row.units = still?.units ?? 0
    if (still === undefined) continue
    row.priority = still.priority
    row.backordered = modeOf(hub, orderOf(hub, row.order).channel, row.item) !== 'deny'
  }
  for (const row of short.values()) row.backordered = modeOf(hub, orderOf(hub, row.order).channel, row.item) !== 'deny'
  for (const row of [...added, ...short.values()]) hub.rows.push({ ...row, id: (hub.ids += 1) })
  dropRows(hub)
  dropEmpty(hub, emptied)
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
  allocateTo(hub, new Set(queue.sort(byQueue).map((row) => row.order)))
}

/** What the sweeper does: everybody who waits is asked once more. */
export function sweep(hub: NaiveHub): void {
  allocateTo(hub, new Set(hub.rows.filter((row) => row.state === 'missing').map((row) => row.order)))
}

function allocateTo(hub: NaiveHub, ids: ReadonlySet<string>): void {
  const rows = hub.rows.filter((row) => row.state === 'missing' && ids.has(row.order) && !waitsForWork(row))
  if (rows.length === 0) return
  const demands = waitingDemands(hub, rows.sort((a, b) => a.id - b.id))
  const gifts = decide(available(hub), demands, ghostsFor(hub, demands))
  const served = new Set(gifts.flatMap((gift) => (gift.place === null ? [] : gift.order)))
  const missing = rows.filter((row) => served.has(row.order))
  book(hub, { gifts: gifts.filter((gift) => served.has(gift.order)), given: [], paid: [], missing, anew: false })
}
