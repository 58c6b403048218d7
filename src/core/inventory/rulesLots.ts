/** Units of one lot of an item at one place. The lot `''` is what nobody has named. */
export interface Lot {
  lot: string
  /** A date, `2026-12-24`; null: it does not expire, or nobody has said when. */
  expires_on: string | null
  quantity: number
  /** Units of it that are known to be in `quality_control`. */
  quarantined: number
  /** Fewer days are left than an item of this kind needs to be sold. */
  too_old: boolean
}

/** One movement as the lots of an item at a place see it. */
export interface LotMove {
  from: 'outside' | 'quality_control' | 'shelf'
  to: 'outside' | 'quality_control' | 'shelf'
  quantity: number
  lot: string | null
  expires_on: string | null
}

export interface LotShare {
  lot: string
  quantity: number
}

/**
 * First expired, first out: which lots give `quantity` units that nobody has named. Lots that may be sold come before those that are too
 * old, because whoever packs must not have taken the latter; then the earlier date, a lot without a date after all that have one, and
 * what nobody has named last: a named unit that is missing from the books is found again, an unnamed one is not.
 */
export function firstExpiredFirstOut(lots: readonly Lot[], quantity: number): LotShare[] {
  return share(lots.toSorted(byExpiry), quantity, (lot) => lot.quantity)
}

/**
 * The lots of an item at a place after some movements. What comes in is added before anything is taken. A named lot gives what it has,
 * the rest is given first-expired-first-out: goods that left have left, whatever label was read. `quality_control` is the counter
 * after the movements: no more units than it has can be known to be in it.
 */
export function lotsAfter(lots: readonly Lot[], moves: readonly LotMove[], quality_control: number): Lot[] {
  const after = new Map(lots.map((lot) => [lot.lot, { ...lot }]))
  const inwards = moves.filter((move) => move.from === 'outside')
  const others = moves.filter((move) => move.from !== 'outside')
  for (const move of inwards) receive(after, move)
  for (const move of others) (move.to === 'outside' ? give : condition)(after, move)
  keepWithin(after, quality_control)
  return [...after.values()]
}

function receive(lots: Map<string, Lot>, move: LotMove): void {
  const name = move.lot ?? ''
  const known = lots.get(name)
  const lot = known ?? { lot: name, expires_on: null, quantity: 0, quarantined: 0, too_old: false }
  lot.quantity += move.quantity
  if (move.to === 'quality_control') lot.quarantined += move.quantity
  lot.expires_on = earlier(lot.expires_on, move.expires_on)
  lots.set(name, lot)
}

/** Two papers that name different dates for one lot: the earlier one is safe. */
const earlier = (a: string | null, b: string | null): string | null => (a === null || (b !== null && b < a) ? b : a)

function give(lots: Map<string, Lot>, move: LotMove): void {
  const named = move.lot === null ? undefined : lots.get(move.lot)
  const own = named === undefined ? 0 : Math.min(named.quantity, move.quantity)
  if (named !== undefined) take(named, own, move.from)
  const rest = move.quantity - own
  if (rest === 0) return
  const all = [...lots.values()]
  const [first, then] = move.from === 'quality_control' ? [inQuality, onShelf] : [onShelf, inQuality]
  const order = all.toSorted(byExpiry)
  const shares = share(order, rest, first)
  for (const { lot, quantity } of shares) takeFrom(lots, lot, quantity, move.from)
  const missing = rest - shares.reduce((sum, { quantity }) => sum + quantity, 0)
  for (const { lot, quantity } of share(order, missing, then)) takeFrom(lots, lot, quantity, move.from)
}

const inQuality = (lot: Lot): number => lot.quarantined
const onShelf = (lot: Lot): number => lot.quantity - lot.quarantined

function takeFrom(lots: Map<string, Lot>, name: string, quantity: number, from: LotMove['from']): void {
  const lot = lots.get(name)
  if (lot !== undefined) take(lot, quantity, from)
}

function take(lot: Lot, quantity: number, from: LotMove['from']): void {
  lot.quantity -= quantity
  if (from === 'quality_control') lot.quarantined -= Math.min(lot.quarantined, quantity)
  lot.quarantined = Math.min(lot.quarantined, lot.quantity)
}

/** Units that stay here but come into quality control or leave it. Of unnamed ones only the counter is known. */
function condition(lots: Map<string, Lot>, move: LotMove): void {
  const lot = move.lot === null ? undefined : lots.get(move.lot)
  if (lot === undefined) return
  if (move.to === 'quality_control') lot.quarantined = Math.min(lot.quantity, lot.quarantined + move.quantity)
  else if (move.from === 'quality_control') lot.quarantined = Math.max(0, lot.quarantined - move.quantity)
}

/** Who leaves quality control unnamed was fit for sale: the lots with the longest life first, the expired ones last. */
function keepWithin(lots: Map<string, Lot>, quality_control: number): void {
  const all = [...lots.values()]
  let excess = all.reduce((sum, lot) => sum + lot.quarantined, 0) - quality_control
  for (const lot of all.toSorted(byExpiry).toReversed().toSorted(oldLast)) {
    if (excess <= 0) return
    const units = Math.min(excess, lot.quarantined)
    lot.quarantined -= units
    excess -= units
  }
}

const oldLast = (a: Lot, b: Lot): number => Number(a.too_old) - Number(b.too_old)

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function byExpiry(a: Lot, b: Lot): number {
  return (
    Number(a.too_old) - Number(b.too_old) ||
    Number(a.lot === '') - Number(b.lot === '') ||
    Number(a.expires_on === null) - Number(b.expires_on === null) ||
    compare(a.expires_on ?? '', b.expires_on ?? '') ||
    compare(a.lot, b.lot)
  )
}

function share(lots: readonly Lot[], quantity: number, unitsOf: (lot: Lot) => number): LotShare[] {
  const shares: LotShare[] = []
  let missing = quantity
  for (const lot of lots) {
    const units = Math.min(missing, unitsOf(lot))
    if (units > 0) shares.push({ lot: lot.lot, quantity: units })
    missing -= Math.max(0, units)
  }
  return shares
}

/** What a sweep does about an item's lots that may not be sold any more. */
export interface ExpiredPlan {
  moves: { from: 'available' | 'safety_stock'; lot: string; quantity: number }[]
  /** Promised units that only lots which are too old could serve. */
  promised: number
}

/** Takes as many units of too old lots out of sale as are promised to nobody; promises are never broken for it. */
export function quarantinePlan(
  lots: readonly Lot[],
  stock: { available: number; safety_stock: number; reserved: number; committed: number },
): ExpiredPlan {
  const free = { available: stock.available, safety_stock: stock.safety_stock }
  const moves: ExpiredPlan['moves'] = []
  for (const lot of lots.filter(({ too_old }) => too_old).toSorted(byExpiry)) {
    let wanted = onShelf(lot)
    for (const from of ['available', 'safety_stock'] as const) {
      const quantity = Math.min(wanted, free[from])
      if (quantity <= 0) continue
      moves.push({ from, lot: lot.lot, quantity })
      free[from] -= quantity
      wanted -= quantity
    }
  }
  const good = lots.filter(({ too_old }) => !too_old).reduce((sum, lot) => sum + onShelf(lot), 0)
  return { moves, promised: Math.max(0, stock.reserved + stock.committed - good) }
}
