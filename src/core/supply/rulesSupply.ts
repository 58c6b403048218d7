import { stockKey } from '../inventory/rulesDemand.ts'

export type SupplyKind = 'purchase' | 'transfer'
export type SupplyState = 'open' | 'received' | 'cancelled'

/** Units of one item on their way in, as a supply knows them. */
export interface SupplyUnits {
  item_id: number
  /** Expected in all. */
  quantity: number
  received_quantity: number
  /** Of a transfer: units that have left the other place. */
  shipped_quantity: number
  /** Of a transfer: units that left and were given up. */
  missing_quantity: number
}

export interface SupplyPicture {
  kind: SupplyKind
  state: SupplyState
  location_id: string
  lines: readonly SupplyUnits[]
}

/** Units that the counter `incoming` holds for a line: what is bought and has not come, or has left and has not arrived. */
export function unitsToCome({ kind, state }: Pick<SupplyPicture, 'kind' | 'state'>, line: SupplyUnits): number {
  if (kind === 'transfer') return Math.max(0, line.shipped_quantity - line.received_quantity - line.missing_quantity)
  return state === 'open' ? Math.max(0, line.quantity - line.received_quantity) : 0
}

interface IncomingMove {
  item_id: number
  location_id: string
  from: 'incoming' | 'outside'
  to: 'incoming' | 'outside'
  quantity: number
}

/** What `incoming` has to change by when a supply becomes another picture of itself. Null: there was (or is) none. */
export function incomingMoves(before: SupplyPicture | null, after: SupplyPicture | null): IncomingMove[] {
  const sums = new Map<string, { item_id: number; location_id: string; units: number }>()
  const add = (picture: SupplyPicture | null, sign: 1 | -1): void => {
    for (const line of picture?.lines ?? []) {
      if (picture === null) return
      const { item_id } = line
      const { location_id } = picture
      const key = stockKey(item_id, location_id)
      const sum = sums.get(key) ?? { item_id, location_id, units: 0 }
      sum.units += sign * unitsToCome(picture, line)
      sums.set(key, sum)
    }
  }
  add(after, 1)
  add(before, -1)
  return [...sums.values()].flatMap(({ units, ...key }): IncomingMove[] => {
    if (units === 0) return []
    const way =
      units > 0 ? ({ from: 'outside', to: 'incoming' } as const) : ({ from: 'incoming', to: 'outside' } as const)
    return [{ ...key, ...way, quantity: Math.abs(units) }]
  })
}

/** What a supply's state is by its numbers. A transfer is over when nothing is under way and nothing more will leave. */
export function settledState(supply: SupplyPicture, leavesNoMore: 'leaves_no_more' | 'may_leave'): SupplyState {
  const { kind, lines } = supply
  if (lines.some((line) => unitsToCome({ kind, state: 'open' }, line) > 0)) return 'open'
  const came = lines.some((line) => line.received_quantity > 0 || line.missing_quantity > 0)
  if (kind === 'purchase') return came ? 'received' : 'open'
  const complete = lines.every((line) => line.received_quantity + line.missing_quantity >= line.quantity)
  if (complete && came) return 'received'
  if (leavesNoMore === 'may_leave') return 'open'
  return came ? 'received' : 'cancelled'
}

/** Units of one item as they come off the lorry. */
interface Arrived {
  item_id: number
  quantity: number
}

/** How many of these units were expected; the rest is more than that. Lines of one item share what was expected of it. */
export function expectedOf<A extends Arrived>(
  supply: SupplyPicture,
  arrived: readonly A[],
): { arrival: A; expected: number; beyond: number }[] {
  const left = new Map(supply.lines.map((line) => [line.item_id, unitsToCome(supply, line)]))
  return arrived.map((arrival) => {
    const expected = Math.min(arrival.quantity, left.get(arrival.item_id) ?? 0)
    left.set(arrival.item_id, (left.get(arrival.item_id) ?? 0) - expected)
    return { arrival, expected, beyond: arrival.quantity - expected }
  })
}

/** The supply with these units received. */
export function withReceived<P extends SupplyPicture>(supply: P, arrived: readonly Arrived[]): P {
  const units = new Map<number, number>()
  for (const { item_id, quantity } of arrived) units.set(item_id, (units.get(item_id) ?? 0) + quantity)
  const lines = supply.lines.map((line) => ({
    ...line,
    received_quantity: line.received_quantity + (units.get(line.item_id) ?? 0),
  }))
  return { ...supply, lines }
}

/** The transfer with everything that is still under way given up. */
export function withMissing<P extends SupplyPicture>(supply: P): P {
  const lines = supply.lines.map((line) => ({
    ...line,
    missing_quantity: line.missing_quantity + unitsToCome(supply, line),
  }))
  return { ...supply, lines }
}
