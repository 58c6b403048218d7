import type { StockState } from '../model/stock.ts'

/** Units by condition, as somebody counted them or as the ledger moved them since. */
export interface Counted {
  on_hand: number
  damaged: number
  quality_control: number
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
