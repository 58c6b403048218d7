import type { StockState } from '../model/stock.ts'

// Why a snapshot counts nothing twice and forgets nothing.
//
// Let P(t) be the units that are on the shelf at t by the 3PL's own clock, and let every event that changes P (goods came, left, were
// found, were lost) carry the time at which it happened. A snapshot taken at T and applied at any later time has to end in P(now).
//
// On hand. The snapshot says P(T). P(now) = P(T) + everything that happened after T. What we have been told of is in the ledger under
// its own time: the sum of what crossed our walls with occurred_at > T is added (`after`). What we are told of later is judged when it
// comes: at or before T it is in P(T) already and changes nothing, after T it is booked as it is. So each event counts exactly once,
// whichever of the two messages comes first, because the one question "did it happen after T?" decides in both places, and its answer
// does not depend on when it is asked. A shipment at or before T that is told of later has to end its promise all the same: its units
// leave `committed`, and as many come back as `available`, because P(T) was without them.
//
// Available. The snapshot says R(T) = P(T) - Q(T), where Q(T) are the units that the 3PL's system had promised to our work at T: work
// that had reached it by T, less what of it had left or been given back by T. So P(T) = R(T) + Q(T), and the rest is as above. We know
// for certain which work had reached it (the time at which its sending ended is at or before T), but what left or was given back by T
// may be told of later. Until then Q(T) is taken too high by these units; they are all still `committed` here, so `available` is
// P - committed = R all the while: nothing can be sold twice. When the message comes (at or before T, of work that had reached the 3PL
// by T), its units are the very ones that were added, so they leave our walls once and nothing comes back: on hand is P(now) again.
// Work that had not reached it by T is in neither R nor Q, and is promised here out of P like any other. So the two bases differ only
// in who is asked: `wasAdded` of the message's work decides what `on hand` decides by the time alone.
//
// A count by hand is a count of P whatever its place sends, so each stock row remembers on which basis its last count was taken.

/** What the figures of a count mean: everything on the shelf, or only what the system of the place has not promised to our work. */
export type CountBasis = 'on_hand' | 'available'

/** Units by condition, as somebody counted them or as the ledger moved them since. */
export interface Counted {
  on_hand: number
  damaged: number
  quality_control: number
}

/** Units of our work at a place that its own system had promised when a count was taken, as far as we have been told. */
export interface PromisedThere {
  /** Of work that had reached it: still to be packed now. */
  unshipped: number
  /** Of the same work: packed and gone after the count. */
  shipped_since: number
  /** Of the same work: given back after the count. */
  given_back_since: number
  /** Of the same work: taken from it by an earlier count of ours, of which the place knows nothing. */
  counted_out: number
}

/** What was on the shelf when a place reported what it had not promised. */
export function onShelf(reported: Counted, promised: PromisedThere): Counted {
  const { unshipped, shipped_since, given_back_since, counted_out } = promised
  return { ...reported, on_hand: reported.on_hand + unshipped + shipped_since + given_back_since + counted_out }
}

/**
 * Whether the last count of a row had put these units of work on top of what was reported, although they had left by then. `sent_at`:
 * when the work had reached the place. Where it had not, or the count was one of the whole shelf, the units were not in it.
 */
export function wasAdded(count: { basis: CountBasis; as_of_ms: number }, sent_at_ms: number | null): boolean {
  return count.basis === 'available' && sent_at_ms !== null && sent_at_ms <= count.as_of_ms
}

export type StateUnits = Readonly<Record<StockState, number>>

export interface StateMove {
  from: StockState | 'outside'
  to: StockState | 'outside'
  quantity: number
}

export interface CountTarget {
  /** Units that are promised but not there: so many must be freed first. */
  broken: number
  damaged: number
  quality_control: number
  safety_stock: number
  /** What is left for `available` and for promises together. */
  rest: number
}

/**
 * What a count means for the counters. It was true at its own time, so what the ledger says happened `after` is added: a shipment that
 * left since does not come back, goods that arrived since do not vanish. What is missing is taken from available first, then from
 * the safety stock, and from promises only when nothing else is left. Counts that contradict themselves are brought into range.
 */
export function targetOfCount(row: StateUnits, counted: Counted, after: Counted): CountTarget {
  const onHand = Math.max(0, counted.on_hand + after.on_hand)
  const damaged = clamp(counted.damaged + after.damaged, onHand)
  const quality_control = clamp(counted.quality_control + after.quality_control, onHand - damaged)
  const sellable = onHand - damaged - quality_control
  const promised = row.reserved + row.committed
  const safety_stock = clamp(row.safety_stock, sellable - promised)
  return {
    broken: Math.max(0, promised - sellable),
    damaged,
    quality_control,
    safety_stock,
    rest: sellable - safety_stock,
  }
}

/** The movements from `row` (after the broken promises were freed) to the target. States exchange units directly where they can. */
export function movesToTarget(row: StateUnits, target: CountTarget): StateMove[] {
  const available = Math.max(0, target.rest - row.reserved - row.committed)
  const deltas: [StockState, number][] = [
    ['available', available - row.available],
    ['safety_stock', target.safety_stock - row.safety_stock],
    ['damaged', target.damaged - row.damaged],
    ['quality_control', target.quality_control - row.quality_control],
  ]
  const givers = deltas.filter(([, delta]) => delta < 0).map(([state, delta]) => ({ state, units: -delta }))
  const takers = deltas.filter(([, delta]) => delta > 0).map(([state, delta]) => ({ state, units: delta }))
  const moves: StateMove[] = []
  for (const taker of takers) {
    for (const giver of givers) {
      const quantity = Math.min(taker.units, giver.units)
      if (quantity === 0) continue
      moves.push({ from: giver.state, to: taker.state, quantity })
      taker.units -= quantity
      giver.units -= quantity
    }
    if (taker.units > 0) moves.push({ from: 'outside', to: taker.state, quantity: taker.units })
  }
  for (const { state, units } of givers) if (units > 0) moves.push({ from: state, to: 'outside', quantity: units })
  return moves
}

const clamp = (value: number, max: number): number => Math.max(0, Math.min(value, max))
