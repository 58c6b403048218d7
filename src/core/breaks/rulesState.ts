/** Everything that can be wrong with money, as far as data can show it. */
export const BREAK_TYPES = [
  'missing_in_ledger', 'missing_in_orders', 'amount_mismatch', 'currency_mismatch', 'fee_variance', 'tax_variance', 'duplicate', 'unknown_type',
  'payout_identity_failed', 'payout_not_in_bank', 'bank_without_payout', 'bank_amount_diff', 'refund_without_order', 'refund_failed_after_success',
  'dispute_unanswered', 'payout_failed_after_paid', 'reserve_unreleased', 'fx_rounding', 'late_settlement', 'deferred', 'orphan_clearing_balance',
] as const // prettier-ignore
export type BreakType = (typeof BREAK_TYPES)[number]

export const BREAK_STATES = ['open', 'assigned', 'explained', 'written_off', 'resolved'] as const
export type BreakState = (typeof BREAK_STATES)[number]

/** Why a break is as it is, in the words of people who close books. */
export const REASON_CODES = [
  'timing', 'processor_error', 'our_error', 'customer', 'rounding', 'fee_dispute', 'tax', 'goodwill', 'fraud', 'other',
] as const // prettier-ignore
export type ReasonCode = (typeof REASON_CODES)[number]

/** Days past the expected date. */
export const AGE_BUCKETS = ['0-2', '3-7', '8-14', '15-30', '31-60', '60+'] as const
export type AgeBucket = (typeof AGE_BUCKETS)[number]
const BUCKET_ENDS: readonly (readonly [last: number, bucket: AgeBucket])[] = [
  [2, '0-2'],
  [7, '3-7'],
  [14, '8-14'],
  [30, '15-30'],
  [60, '31-60'],
]

export const ageBucket = (days: number): AgeBucket => BUCKET_ENDS.find(([last]) => days <= last)?.[1] ?? '60+'

/** A break as the data show it now. `fingerprint` is made from business identity alone, so it is the same in every run. */
export interface FoundBreak {
  type: BreakType
  fingerprint: string
  connection_id: string | null
  currency: string
  /** What came less what was expected. */
  amount_minor: number
  settlement_id: string | null
  settlement_line_id: number | null
  order_id: string | null
  payment_id: number | null
  bank_line_id: number | null
  /** Until when it could have been a matter of waiting. */
  expected_on: string | null
  /** Ids, dates and numbers that explain it. */
  data: Readonly<Record<string, unknown>>
}

/** What is kept of a break that was found before. */
export interface KnownBreak {
  state: BreakState
  owner: string | null
  currency: string
  amount_minor: number
  gone: boolean
  write_off_requested_by: string | null
}

export interface BreakChange {
  state: BreakState
  /** What `crossdock` notes; null: nothing worth a word. */
  comment: { kind: 'reopened' | 'resolved' | 'changed'; text: string } | null
  /** A wish to write off another amount than there is now is void. */
  withdraw: boolean
  /** What was written off is another amount than there is now: its journal is taken back. */
  take_back: boolean
}

const FINAL: ReadonlySet<BreakState> = new Set(['written_off', 'resolved'])
const openState = (owner: string | null): BreakState => (owner === null ? 'open' : 'assigned')

/**
 * What a run makes of a break it knows. Still there as it was: nothing, whatever people decided. There with another amount: what was
 * explained, written off or resolved is open again. Back after it was gone: open again, unless it is written off to the cent.
 */
export function stillThere(known: KnownBreak, found: Pick<FoundBreak, 'amount_minor' | 'currency'>): BreakChange {
  const { state, owner } = known
  if (known.amount_minor !== found.amount_minor || known.currency !== found.currency) {
    const reopens = FINAL.has(state) || state === 'explained'
    const text = `the amount went from ${known.amount_minor} to ${found.amount_minor} ${found.currency} (minor units)`
    return {
      state: reopens ? openState(owner) : state,
      comment: { kind: reopens ? 'reopened' : 'changed', text },
      withdraw: known.write_off_requested_by !== null,
      take_back: state === 'written_off',
    }
  }
  const isBack = known.gone && state === 'resolved'
  return isBack
    ? { ...unchanged(openState(owner)), comment: { kind: 'reopened', text: 'it is there again' } }
    : unchanged(state)
}

const unchanged = (state: BreakState): BreakChange => ({ state, comment: null, withdraw: false, take_back: false })

/** What a run makes of a break that the data no longer show. What was written off was written off. */
export function notThere(known: KnownBreak): BreakChange {
  if (FINAL.has(known.state)) return unchanged(known.state)
  return {
    state: 'resolved',
    comment: { kind: 'resolved', text: 'the data no longer show it' },
    withdraw: known.write_off_requested_by !== null,
    take_back: false,
  }
}

export type BreakAction = 'assign' | 'explain' | 'write_off' | 'approve' | 'resolve' | 'reopen'

const ALLOWED: Readonly<Record<BreakAction, readonly BreakState[]>> = {
  assign: ['open', 'assigned', 'explained'],
  explain: ['open', 'assigned', 'explained'],
  write_off: ['open', 'assigned', 'explained'],
  approve: ['open', 'assigned', 'explained'],
  resolve: ['open', 'assigned', 'explained'],
  reopen: ['explained', 'written_off', 'resolved'],
}

/** Whether an action makes sense in a state. Opening what is written off takes its journal back. */
export const mayAct = (action: BreakAction, state: BreakState): boolean => ALLOWED[action].includes(state)

/** Whether a write-off of so much needs a second person. */
export const needsApproval = (amount_minor: number, limit_minor: number): boolean =>
  Math.abs(amount_minor) > limit_minor
