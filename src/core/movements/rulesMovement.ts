import type { StockState } from '../model/stock.ts'

export type MovementEnd = 'outside' | Exclude<StockState, 'reserved' | 'committed'>

/** Why somebody moved units by hand: the closed list, in the words that reports are made from. */
export const REASONS = [
  'delivery',
  'production',
  'customer_return',
  'opening_balance',
  'inspected',
  'found_on_shelf',
  'miscount',
  'data_entry',
  'missing',
  'stolen',
  'sample',
  'expired',
  'broken',
  'contaminated',
  'obsolete',
  'donated',
  'repaired',
  'suspected_defect',
  'recall',
  'recall_ended',
  'reserve_policy',
] as const
export type MovementReason = (typeof REASONS)[number]

interface MovementKind {
  /** Ways that units may take, the usual one first. A request may name another by its `from` and `to`. */
  ways: readonly (readonly [from: MovementEnd, to: MovementEnd])[]
  reasons: readonly MovementReason[]
  /** What it does to `on_hand`. */
  sign: 1 | 0 | -1
  /** It says what is so: where promised units turn out not to be there, the promises are broken. A wish never breaks one. */
  fact: boolean
  /** It changes on_hand by somebody's word alone: above the limit a second person has to say the same. */
  approval: boolean
  /** A later count of the shelf has it already. What is kept back for ourselves no count can see. */
  countable: boolean
}

const FACT = { fact: true, approval: true, countable: true } as const
const WISH = { fact: false, approval: false, countable: true } as const

/** What people do to stock apart from orders. */
export const MOVEMENT_KINDS = {
  receive: {
    ways: [
      ['outside', 'available'],
      ['outside', 'quality_control'],
    ],
    reasons: ['delivery', 'production', 'customer_return', 'opening_balance'],
    sign: 1,
    ...FACT,
  },
  put_away: { ways: [['quality_control', 'available']], reasons: ['inspected', 'customer_return'], sign: 0, ...WISH },
  adjust_up: { ways: [['outside', 'available']], reasons: ['miscount', 'data_entry'], sign: 1, ...FACT },
  found: { ways: [['outside', 'available']], reasons: ['found_on_shelf', 'miscount'], sign: 1, ...FACT },
  adjust_down: { ways: [['available', 'outside']], reasons: ['miscount', 'data_entry', 'sample'], sign: -1, ...FACT },
  lost: { ways: [['available', 'outside']], reasons: ['missing', 'stolen', 'miscount'], sign: -1, ...FACT },
  write_off: {
    ways: [
      ['available', 'outside'],
      ['damaged', 'outside'],
      ['quality_control', 'outside'],
    ],
    reasons: ['expired', 'broken', 'contaminated', 'obsolete', 'donated', 'recall'],
    sign: -1,
    ...FACT,
  },
  damage: { ways: [['available', 'damaged']], reasons: ['broken', 'contaminated'], sign: 0, ...FACT, approval: false },
  repair: { ways: [['damaged', 'available']], reasons: ['repaired', 'data_entry'], sign: 0, ...WISH },
  quarantine: {
    ways: [['available', 'quality_control']],
    reasons: ['suspected_defect', 'recall', 'expired', 'customer_return'],
    sign: 0,
    ...WISH,
  },
  release: {
    ways: [['quality_control', 'available']],
    reasons: ['inspected', 'recall_ended', 'data_entry'],
    sign: 0,
    ...WISH,
  },
  set_safety: {
    ways: [
      ['available', 'safety_stock'],
      ['safety_stock', 'available'],
    ],
    reasons: ['reserve_policy'],
    sign: 0,
    ...WISH,
    countable: false,
  },
} as const satisfies Record<string, MovementKind>

export type MovementKindName = keyof typeof MOVEMENT_KINDS
export const MOVEMENT_KIND_NAMES = Object.keys(MOVEMENT_KINDS) as [MovementKindName, ...MovementKindName[]]

export const kindOf = (name: MovementKindName): MovementKind => MOVEMENT_KINDS[name]

export interface MovementWish {
  kind: MovementKindName
  from?: string | undefined
  to?: string | undefined
  reason: string
  lot?: string | undefined
  expires_on?: string | undefined
}

export type MovementWay =
  | { kind: 'way'; from: MovementEnd; to: MovementEnd }
  | { kind: 'fault'; path: string; message: string; hint: string }

/** Which way the units of a request go, or what is wrong with the request in itself. */
export function wayOf(wish: MovementWish): MovementWay {
  const { ways, reasons, sign } = kindOf(wish.kind)
  if (!reasons.some((reason) => reason === wish.reason))
    return fault('reason', `${wish.reason} is no reason to ${wish.kind}`, `one of: ${reasons.join(', ')}`)
  if (wish.expires_on !== undefined && (wish.lot === undefined || sign !== 1))
    return fault('expires_on', 'an expiry date belongs to a lot that comes in', 'name the lot, or leave the date out')
  const way = ways.find(
    ([from, to]) => (wish.from === undefined || wish.from === from) && (wish.to === undefined || wish.to === to),
  )
  if (way === undefined) {
    const known = ways.map(([from, to]) => `${from} to ${to}`).join(', ')
    return fault(wish.from === undefined ? 'to' : 'from', `${wish.kind} does not go that way`, `it goes ${known}`)
  }
  return { kind: 'way', from: way[0], to: way[1] }
}

const fault = (path: string, message: string, hint: string): MovementWay => ({ kind: 'fault', path, message, hint })

export const needsApproval = (kind: MovementKindName, quantity: number, limit: number): boolean =>
  kindOf(kind).approval && quantity > limit

/** What stands against a movement, given what is there. All expected; each is answered and nothing is changed. */
export type MovementRefusal =
  | { kind: 'refused'; reason: 'insufficient'; short_by: number }
  | { kind: 'refused'; reason: 'lot_insufficient'; short_by: number }
  | { kind: 'refused'; reason: 'lot_expiry_differs'; expires_on: string }
  | { kind: 'refused'; reason: 'superseded'; counted_as_of: string }

export interface MovementSituation {
  available: number
  damaged: number
  quality_control: number
  safety_stock: number
  reserved: number
  committed: number
  counted_as_of: Date | null
  /** Of the lot that the request names, where the item has lots. */
  lot: { quantity: number; expires_on: string | null } | null
}

export interface MovementAsked {
  kind: MovementKindName
  from: MovementEnd
  quantity: number
  occurred_at: Date
  lot: string | null
  expires_on: string | null
}

export type MovementVerdict = MovementRefusal | { kind: 'move'; broken: number }

/**
 * Whether the units can be moved, and how many promises have to be broken for it: only a fact takes promised units, and never more than
 * there are. What happened before the last count of the shelf is in that count.
 */
export function judgeMovement(asked: MovementAsked, there: MovementSituation): MovementVerdict {
  const { fact, countable } = kindOf(asked.kind)
  if (countable && there.counted_as_of !== null && asked.occurred_at <= there.counted_as_of)
    return { kind: 'refused', reason: 'superseded', counted_as_of: there.counted_as_of.toISOString() }
  if (asked.from === 'outside') {
    const known = there.lot?.expires_on ?? null
    return known !== null && asked.expires_on !== null && known !== asked.expires_on
      ? { kind: 'refused', reason: 'lot_expiry_differs', expires_on: known }
      : { kind: 'move', broken: 0 }
  }
  if (asked.lot !== null && asked.quantity > (there.lot?.quantity ?? 0)) {
    const short_by = asked.quantity - (there.lot?.quantity ?? 0)
    return { kind: 'refused', reason: 'lot_insufficient', short_by }
  }
  const missing = Math.max(0, asked.quantity - there[asked.from])
  const promised = fact && asked.from === 'available' ? there.reserved + there.committed : 0
  return missing > promised
    ? { kind: 'refused', reason: 'insufficient', short_by: missing - promised }
    : { kind: 'move', broken: missing }
}
