import { allocate, proportionOf } from './rulesAmounts.ts'

/** One delivery as its invoice states it, with what it cost to bring it here. */
export interface CostReceipt {
  /** What freight and duty are spread by. */
  allocate_by: 'value' | 'quantity'
  freight_minor: number
  duty_minor: number
  lines: readonly { sku: string; quantity: number; unit_minor: number }[]
}

/**
 * What each line of a delivery cost in all: its units plus its share of freight and duty, exact to the cent over the delivery. A
 * delivery that is worth nothing is spread by quantity.
 */
export function landedTotals(receipt: CostReceipt): number[] {
  const values = receipt.lines.map(({ quantity, unit_minor }) => quantity * unit_minor)
  const quantities = receipt.lines.map(({ quantity }) => quantity)
  const weights = receipt.allocate_by === 'value' && values.some((value) => value > 0) ? values : quantities
  const extra = allocate(receipt.freight_minor + receipt.duty_minor, weights)
  return values.map((value, index) => value + (extra?.[index] ?? 0))
}

/** Units that came, oldest first, and what all of them cost. */
export interface CostLayer {
  at: number
  quantity: number
  total_minor: number
}

/** Units that left, oldest first. */
export interface CostIssue {
  key: string
  at: number
  quantity: number
}

export interface IssuedCost {
  key: string
  cost_minor: number
  /** Units for which no receipt is known: they are in the figure with nothing. */
  units_without_cost: number
}

/**
 * Values what left. `fifo`: the oldest units first; parts of a receipt sum to its total, whatever pieces they leave in. `average`: what
 * is in the pool at that time. Units that leave before their receipt take the next ones that came, because papers are often late.
 */
export function issueCosts(
  method: 'fifo' | 'average',
  layers: readonly CostLayer[],
  issues: readonly CostIssue[],
): IssuedCost[] {
  return method === 'fifo' ? byFifo(layers, issues) : byAverage(layers, issues)
}

function byFifo(layers: readonly CostLayer[], issues: readonly CostIssue[]): IssuedCost[] {
  let index = 0
  let used = 0
  return issues.map(({ key, quantity }) => {
    let wanted = quantity
    let cost_minor = 0
    for (let layer = layers[index]; wanted > 0 && layer !== undefined; layer = layers[index]) {
      const taken = Math.min(wanted, layer.quantity - used)
      // Differences of running totals, so that the pieces of a layer sum to it.
      cost_minor += worth(layer, used + taken) - worth(layer, used)
      wanted -= taken
      used += taken
      if (used === layer.quantity) {
        index += 1
        used = 0
      }
    }
    return { key, cost_minor, units_without_cost: wanted }
  })
}

const worth = ({ total_minor, quantity }: CostLayer, units: number): number =>
  proportionOf(total_minor, units, quantity)

function byAverage(layers: readonly CostLayer[], issues: readonly CostIssue[]): IssuedCost[] {
  let next = 0
  let units = 0
  let value = 0
  const receive = (layer: CostLayer): void => {
    units += layer.quantity
    value += layer.total_minor
    next += 1
  }
  return issues.map(({ key, at, quantity }) => {
    for (let layer = layers[next]; layer !== undefined && (layer.at <= at || units < quantity); layer = layers[next])
      receive(layer)
    const taken = Math.min(units, quantity)
    const cost_minor = taken === 0 ? 0 : proportionOf(value, taken, units)
    units -= taken
    value -= cost_minor
    return { key, cost_minor, units_without_cost: quantity - taken }
  })
}
