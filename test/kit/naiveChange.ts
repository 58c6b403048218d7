import { TAKES, type NaiveHub, type NaiveOrder, type Need, type Row, type Work } from './naiveHub.ts'

export type Given = { row: Row; units: number }
export interface Change {
  order: NaiveOrder
  needs: Need[]
  given: Given[]
  callBack: Set<Work>
  kept: Set<Row>
}

export const isLive = (work: Work | null): boolean => work !== null && !['closed', 'cancelled'].includes(work.state)
export const waitsForWork = (row: Row): boolean => row.state === 'missing' && isLive(row.lostFrom)
export const isUnsent = (work: Work | null): boolean =>
  work !== null && !work.calledBack && (work.state === 'open' || work.state === 'on_hold')
export const sum = (rows: readonly Row[], of: (row: Row) => number): number =>
  rows.reduce((all, row) => all + of(row), 0)
const promised = (row: Row): number => (row.state === 'missing' ? 0 : row.units)
const takesOf = (order: NaiveOrder, sku: string): Need['takes'] =>
  order.from === null ? (TAKES[sku] ?? []) : [[sku, 1]]

/** Compares what an order wants with what it has. `anew`: what has not left is put back on the table. */
export function changeOf(hub: NaiveHub, order: NaiveOrder, work: 'kept' | 'anew'): Change {
  const change: Change = { order, needs: [], given: [], callBack: new Set(), kept: new Set() }
  const own = hub.rows.filter((row) => row.order === order.id)
  const emptied = own.filter(
    (row) => work === 'anew' && row.state === 'committed' && row.units > 0 && isUnsent(row.work),
  )
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
      for (const item of items)
        giveBack(
          change,
          old.filter((row) => row.item === item),
          0,
          emptied,
        )
    }
    const current = rows.filter((row) => !isOther(row))
    const takes = takesOf(order, line.sku)
    const has = takes.map(([item]) =>
      there.reduce((all, one) => all + (one.row.sku === line.sku && one.row.item === item ? one.has : 0), 0),
    )
    // A multipack of which a part is there (or gone) has been begun; only the rest of it is asked for.
    const most = Math.min(units, Math.max(...takes.map(([, per], at) => Math.ceil((has[at] ?? 0) / per))))
    if (units > most) change.needs.push({ line: line.id, sku: line.sku, units: units - most, takes })
    for (const [at, one] of takes.entries()) {
      const [item, per] = one
      const lag = Math.max(0, most * per - (has[at] ?? 0))
      const [whole, rest] = [Math.floor(lag / per), lag % per]
      if (whole > 0) change.needs.push({ line: line.id, sku: line.sku, units: whole, takes: [one] })
      if (rest > 0) change.needs.push({ line: line.id, sku: line.sku, units: rest, takes: [[item, 1]] })
      giveBack(
        change,
        current.filter((row) => row.item === one[0]),
        units * one[1],
        emptied,
      )
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
