import { HubError } from '../../core/errors.ts'

/** Goods that somebody wants to move, in units of a product. */
export interface Want {
  key: string
  sku: string
  product: number
  /** Line of the sales order, where it is known. */
  sale_line: number | null
  quantity: number
  lot: string | null
}

/** A line of a transfer: what is planned to go from here to there. */
export interface Move {
  id: number
  picking: number
  product: number
  unit: number
  sale_line: number | null
  /** Of a kit's component: how many of it one kit takes, as a fraction. */
  per_kit: { units: number; of: number } | null
  from: number
  to: number
  /** How much it can still take. */
  open: number
}

export interface Share {
  key: string
  sku: string
  move: Move
  quantity: number
  lot: string | null
}

/**
 * Pure: which move takes how much. Moves of the same sales line come first, kits are taken apart into their components. What is beyond
 * all plans goes on the last move where `beyond` allows it: goods that left have left.
 */
export function shareOut(wants: readonly Want[], moves: readonly Move[], beyond: 'allowed' | 'refused'): Share[] {
  const open = new Map(moves.map((move) => [move.id, move.open]))
  return wants.flatMap((want) => {
    const parts = partsOf(want, moves)
    if (parts.length === 0) throw new HubError('not_yet', `${want.sku}: Odoo has moved none of it so far`)
    return parts.flatMap((part, at) => take(want, part, open, beyond, at))
  })
}

interface Part {
  quantity: number
  moves: Move[]
}

function partsOf(want: Want, moves: readonly Move[]): Part[] {
  const own = moves.filter(({ product }) => product === want.product)
  if (own.length > 0) {
    const rank = (move: Move): number =>
      Number(move.sale_line !== want.sale_line) * 2 + Number(move.per_kit !== null && want.sale_line === null)
    return [{ quantity: want.quantity, moves: own.toSorted((a, b) => rank(a) - rank(b) || a.id - b.id) }]
  }
  const components = moves.filter(
    ({ per_kit, sale_line }) => per_kit !== null && sale_line !== null && sale_line === want.sale_line,
  )
  const products = [...new Set(components.map(({ product }) => product))]
  return products.map((product) => {
    const same = components.filter((move) => move.product === product)
    const { units, of } = same[0]?.per_kit ?? { units: 0, of: 1 }
    const quantity = (want.quantity * units) / of
    if (!Number.isInteger(quantity))
      throw new HubError('vendor_rejected', `${want.sku}: the kit's parts do not come to whole units in Odoo`)
    return { quantity, moves: same }
  })
}

function take(want: Want, part: Part, open: Map<number, number>, beyond: 'allowed' | 'refused', at: number): Share[] {
  let left = part.quantity
  const shares = new Map<Move, number>()
  for (const move of part.moves) {
    const share = Math.min(left, Math.max(0, open.get(move.id) ?? 0))
    if (share > 0) shares.set(move, share)
    open.set(move.id, (open.get(move.id) ?? 0) - share)
    left -= share
  }
  const last = part.moves.at(-1)
  if (left > 0 && beyond === 'allowed' && last !== undefined) {
    shares.set(last, (shares.get(last) ?? 0) + left)
    left = 0
  }
  if (left > 0) throw new HubError('not_yet', `${want.sku}: ${left} more than Odoo has moved so far`)
  return [...shares].map(([move, quantity], index) => ({
    // The first share of a want always has the same key: by it the goods are found again.
    key: at === 0 && index === 0 ? want.key : `${want.key}:${at}:${index}`,
    sku: want.sku,
    move,
    quantity,
    lot: want.lot,
  }))
}
