import { HubError } from '../errors.ts'
import type { FEE_TYPES, SettlementLine } from '../model/settlement.ts'

/** One side of a journal. Debit is positive, credit negative; integer minor units. */
export interface Entry {
  account: string
  currency: string
  amount_minor: number
}

type Kind = SettlementLine['kind']

/** Kinds whose money is a cost of doing business, and the account of the cost where the line does not say what the fee is for. */
const COST_OF = {
  commission: 'fees:commission',
  fee: 'fees:other',
  fee_returned: 'fees:commission',
  dispute_fee: 'fees:dispute',
} as const satisfies Partial<Record<Kind, string>>

/**
 * Where the gross of a line goes. The tax that a marketplace withholds takes the tax it collected off the same account. Money that
 * changes hands with the merchant himself is neither income nor cost.
 */
export const ACCOUNT_OF: Readonly<Record<Kind, string>> = {
  sale: 'sales',
  shipping: 'shipping',
  tax: 'tax',
  facilitator_tax: 'tax',
  promotion: 'promotions',
  refund: 'refunds',
  dispute: 'disputes',
  reserve_hold: 'reserves',
  reserve_release: 'reserves',
  carry_over: 'carry_over',
  adjustment: 'adjustments',
  loan: 'loans',
  transfer: 'transfers',
  other: 'other',
  ...COST_OF,
}

/** What a fee taken inside another line is for, where the line does not say. */
const INNER_FEE: Readonly<Partial<Record<Kind, string>>> = { dispute: 'fees:dispute', ...COST_OF }
const INNER_FEE_DEFAULT = 'fees:payment'

const clearingOf = (connection_id: string): string => `clearing:${connection_id}`
/** Between a payout that failed and the later payout that pays the same money. */
const RETURNED_ACCOUNT = 'transfers'

export const isCost = (kind: Kind): boolean => Object.hasOwn(COST_OF, kind)

/** Account of the gross of a line: of a fee, what it is for. */
export const grossAccountOf = (kind: Kind, fee_type: FeeType | null): string =>
  isCost(kind) && fee_type !== null ? `fees:${fee_type}` : ACCOUNT_OF[kind]

/** Account of the fee of a line. */
export const feeAccountOf = (kind: Kind, fee_type: FeeType | null): string =>
  fee_type === null ? (INNER_FEE[kind] ?? INNER_FEE_DEFAULT) : `fees:${fee_type}`

export type FeeType = (typeof FEE_TYPES)[number]

/** A line, or the sum of lines of one kind and one fee type: the books need no more of them. */
export interface JournalLine {
  kind: Kind
  fee_type?: FeeType | null | undefined
  currency: string
  gross_minor: number
  fee_minor: number
}

export interface JournalSettlement {
  connection_id: string
  currency: string
  payout_minor: number
  status: string
}

/** A payout that will not reach the bank: what it was made of was earned all the same. */
export const isReturned = (status: string): boolean => status === 'failed' || status === 'cancelled'

/**
 * The journal of one payout: what will reach the bank stands on its clearing account against what it is made of, one entry an
 * account. Whatever its lines do not explain (of a payout that was accepted although it does not add up) goes to `adjustments`, in
 * another currency to `fx`, so that it balances for any payout. Fault: `invariant_broken` for sums beyond what can be kept exactly.
 */
export function journalOf(settlement: JournalSettlement, lines: readonly JournalLine[]): Entry[] {
  const ledger = openLedger()
  for (const { kind, fee_type = null, currency, gross_minor, fee_minor } of lines) {
    ledger.add(grossAccountOf(kind, fee_type), currency, -gross_minor)
    ledger.add(feeAccountOf(kind, fee_type), currency, fee_minor)
  }
  const target = isReturned(settlement.status) ? RETURNED_ACCOUNT : clearingOf(settlement.connection_id)
  ledger.add(target, settlement.currency, settlement.payout_minor)
  return ledger.balanced((currency) => (currency === settlement.currency ? 'adjustments' : 'fx'))
}

export interface Received {
  connection_id: string
  /** Of the payout, and what it takes off the clearing account. */
  currency: string
  clearing_minor: number
  /** What the bank booked. */
  bank_currency: string
  bank_minor: number
}

/** A payout has reached the bank. What the bank exchanged goes through `fx` in both currencies. */
export function bankJournalOf(received: Received): Entry[] {
  const ledger = openLedger()
  ledger.add('bank', received.bank_currency, received.bank_minor)
  ledger.add(clearingOf(received.connection_id), received.currency, -received.clearing_minor)
  return ledger.balanced(() => 'fx')
}

/** Breaks about money that stands on a clearing account and will not come. */
const ON_CLEARING = new Set([
  'payout_not_in_bank',
  'bank_amount_diff',
  'late_settlement',
  'deferred',
  'orphan_clearing_balance',
])
export const isOnClearing = (break_type: string): boolean => ON_CLEARING.has(break_type)
/** Breaks about money that the processor has. What the books never held as an asset is shown against `adjustments`. */
const HELD_ON: Readonly<Record<string, string>> = {
  payout_failed_after_paid: RETURNED_ACCOUNT,
  reserve_unreleased: 'reserves',
}

export interface WriteOff {
  break_type: string
  connection_id: string
  currency: string
  /** Positive: the merchant loses it. */
  amount_minor: number
}

/**
 * A loss that is accepted. Money that was expected leaves the account on which it was; a loss that the books never held as an asset (a
 * sale that was never settled, a fee that was too high) is shown against `adjustments`, so that the result stays what it is.
 */
export function writeOffJournalOf({ break_type, connection_id, currency, amount_minor }: WriteOff): Entry[] {
  const ledger = openLedger()
  const held = isOnClearing(break_type) ? clearingOf(connection_id) : (HELD_ON[break_type] ?? 'adjustments')
  ledger.add('write_offs', currency, amount_minor)
  ledger.add(held, currency, -amount_minor)
  return ledger.balanced(() => 'adjustments')
}

/** Takes a journal back, entry by entry. */
export const reversalOf = (entries: readonly Entry[]): Entry[] =>
  entries.map((entry) => ({ ...entry, amount_minor: -entry.amount_minor }))

/** What a journal is off by, per currency; empty when it balances. */
export function imbalanceOf(entries: readonly Entry[]): Record<string, number> {
  const sums = new Map<string, number>()
  for (const { currency, amount_minor } of entries) sums.set(currency, exact((sums.get(currency) ?? 0) + amount_minor))
  return Object.fromEntries([...sums].filter(([, sum]) => sum !== 0))
}

function openLedger() {
  const sums = new Map<string, Entry>()
  const add = (account: string, currency: string, amount_minor: number): void => {
    const key = `${account} ${currency}`
    const before = sums.get(key)?.amount_minor ?? 0
    sums.set(key, { account, currency, amount_minor: exact(before + amount_minor) })
  }
  return {
    add,
    /** In a stable order, without zeros, what is missing for the balance put on the account that is named for the currency. */
    balanced: (account: (currency: string) => string): Entry[] => {
      for (const [currency, off] of Object.entries(imbalanceOf([...sums.values()])))
        add(account(currency), currency, -off)
      return [...sums.values()]
        .filter(({ amount_minor }) => amount_minor !== 0)
        .sort((a, b) => byText(a.account, b.account) || byText(a.currency, b.currency))
    },
  }
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

function exact(amount_minor: number): number {
  if (Number.isSafeInteger(amount_minor)) return amount_minor
  throw new HubError('invariant_broken', 'the sum of a journal is too large to be kept exactly')
}
