import type { Component, LineDemand } from './rulesDemand.ts'

/** A reservation row that still counts: units held, committed or missing, and what of it was shipped. */
export interface LiveReservation {
  id: number
  order_id: string
  line_id: number
  item_id: number
  location_id: string | null
  per_unit: number
  quantity: number
  consumed_quantity: number
  state: 'held' | 'committed' | 'consumed' | 'shortfall'
  fulfillment_order_id: string | null
  /** The listing that the line was when the row was made; null or left out: the one it is now. */
  listing_id?: number | null
  /** Missing units that work which is still at its place lost to a count. */
  waits_for_work?: boolean
}

/**
 * What one order line asks of stock now. `components` are the listing's; rows that exist keep the ones they were made with, as long as
 * the line is still that listing.
 */
export interface LineTarget {
  line_id: number
  units: number
  components: readonly Component[]
  listing_id?: number | null
  /** What one unit took when the line was sold, where that is several items: it asks for each of them, whichever has rows. */
  takes?: readonly Component[]
}

/** How far the work on a fulfillment order has gone: `open` has not left the house, `sent` has, `cancelling` was called back. */
export type WorkState = 'open' | 'sent' | 'cancelling'

export interface DemandChange {
  /** Units that need stock, those that were missing before included. */
  needs: LineDemand[]
  releases: { reservation: LiveReservation; quantity: number }[]
  /** Work that has left and holds more than is wanted: it has to be called back, and planned anew once that is answered. */
  call_back: string[]
}

/**
 * Compares what lines ask for with what is reserved. Units are given back where it costs least: held, then committed without work, then
 * work that has not been sent. Units in work that was sent stay committed until the answer to its cancellation; until then they count
 * as served, so that they are never promised twice.
 */
export function planChange(
  targets: readonly LineTarget[],
  live: readonly LiveReservation[],
  workState: (fulfillment_order_id: string) => WorkState,
): DemandChange {
  const change: DemandChange = { needs: [], releases: [], call_back: [] }
  const calledBack = new Set<string>()
  const byLine = Map.groupBy(live, (row) => row.line_id)
  for (const target of targets) {
    const all = byLine.get(target.line_id) ?? []
    const rows = all.filter((row) => isOf(target, row))
    const others = Map.groupBy(
      all.filter((row) => !isOf(target, row)),
      (row) => row.listing_id,
    )
    let units = target.units
    // What was shipped while the line was another listing has served it; whatever else is reserved for that listing is too much.
    for (const old of others.values()) {
      const components = madeWith(old)
      const shipped = Math.min(...components.map(({ item_id, per_unit }) => shippedUnits(old, item_id, per_unit)))
      units = Math.max(0, units - shipped)
      for (const component of components) release(change, calledBack, { rows: old, component, units: 0, workState })
    }
    const components = componentsOf(rows, { ...target, units })
    change.needs.push(...missing({ ...target, units }, components, rows))
    for (const component of madeWith(rows)) release(change, calledBack, { rows, component, units, workState })
  }
  change.call_back = [...calledBack]
  return change
}

/**
 * As `planChange`, for an order whose work is to be planned anew: what has not left gives all its units back and asks for them again in
 * the same decision.
 */
export function planAnew(
  targets: readonly LineTarget[],
  live: readonly LiveReservation[],
  workState: (fulfillment_order_id: string) => WorkState,
): DemandChange {
  const unsent = live.filter(
    ({ state, quantity, fulfillment_order_id: id }) =>
      state === 'committed' && quantity > 0 && id !== null && workState(id) === 'open',
  )
  const emptied = new Set(unsent)
  const rest = live.map((row) => (emptied.has(row) ? { ...row, quantity: 0, state: 'consumed' as const } : row))
  const change = planChange(targets, rest, workState)
  const given = unsent.map((reservation) => ({ reservation, quantity: reservation.quantity }))
  return { ...change, releases: [...change.releases, ...given] }
}

const isOf = (target: LineTarget, { listing_id = null }: LiveReservation): boolean =>
  listing_id === null || (target.listing_id ?? null) === null || listing_id === target.listing_id

function shippedUnits(rows: readonly LiveReservation[], item_id: number, per_unit: number): number {
  const own = rows.filter((row) => row.item_id === item_id)
  return Math.floor(own.reduce((sum, row) => sum + row.consumed_quantity, 0) / per_unit)
}

function componentsOf(rows: readonly LiveReservation[], target: LineTarget): readonly Component[] {
  if (target.takes !== undefined) return target.units === 0 ? [] : target.takes
  if (rows.length === 0) return target.units === 0 ? [] : target.components
  return madeWith(rows)
}

/** What the rows were made of. The rest of a broken multipack has a row of single units; the largest says what it was. */
function madeWith(rows: readonly LiveReservation[]): Component[] {
  const made = new Map<number, Component>()
  for (const { item_id, per_unit } of rows)
    if (per_unit > (made.get(item_id)?.per_unit ?? 0)) made.set(item_id, { item_id, per_unit })
  return [...made.values()].sort((a, b) => a.item_id - b.item_id)
}

/** Units of an item that have been found for the line: reserved, or gone. */
function foundUnits(rows: readonly LiveReservation[], { item_id }: Component): number {
  const own = rows.filter((row) => row.item_id === item_id)
  return own.reduce((sum, row) => sum + row.consumed_quantity + (row.state === 'shortfall' ? 0 : row.quantity), 0)
}

/**
 * Whole units of the line first; a component that lags behind the others (lost, say) is asked for by itself, and so is the rest of a
 * multipack of which a part has left.
 */
function missing(target: LineTarget, components: readonly Component[], rows: readonly LiveReservation[]): LineDemand[] {
  if (components.length === 0) return []
  const found = components.map((component) => foundUnits(rows, component))
  const begun = components.map(({ per_unit }, index) => Math.ceil((found[index] ?? 0) / per_unit))
  const most = Math.min(target.units, Math.max(...begun))
  const needs: LineDemand[] = []
  const { line_id, listing_id } = target
  const of = listing_id === undefined ? { line_id } : { line_id, listing_id }
  if (target.units > most) needs.push({ ...of, units: target.units - most, components })
  for (const [index, component] of components.entries()) {
    const { item_id, per_unit } = component
    const lag = most * per_unit - (found[index] ?? 0)
    const whole = Math.floor(Math.max(0, lag) / per_unit)
    if (whole > 0) needs.push({ ...of, units: whole, components: [component] })
    const rest = Math.max(0, lag) - whole * per_unit
    if (rest > 0) needs.push({ ...of, units: rest, components: [{ item_id, per_unit: 1 }] })
  }
  return needs
}

interface Surplus {
  rows: readonly LiveReservation[]
  component: Component
  units: number
  workState: (fulfillment_order_id: string) => WorkState
}

function release(change: DemandChange, calledBack: Set<string>, { rows, component, units, workState }: Surplus): void {
  const own = rows.filter((row) => row.item_id === component.item_id && row.state !== 'shortfall')
  const total = own.reduce((sum, row) => sum + row.consumed_quantity + row.quantity, 0)
  let surplus = total - units * component.per_unit
  const work = (row: LiveReservation): WorkState | null =>
    row.fulfillment_order_id === null ? null : workState(row.fulfillment_order_id)
  const rank = (row: LiveReservation): number =>
    row.state === 'held' ? 0 : work(row) === null ? 1 : { open: 2, cancelling: 3, sent: 4 }[work(row) ?? 'open']
  for (const row of own.toSorted((a, b) => rank(a) - rank(b) || b.id - a.id)) {
    if (surplus <= 0) return
    const quantity = Math.min(surplus, row.quantity)
    if (quantity === 0) continue
    surplus -= quantity
    const id = row.fulfillment_order_id
    if (id === null || workState(id) === 'open') change.releases.push({ reservation: row, quantity })
    else if (workState(id) === 'sent') calledBack.add(id)
  }
}
