import type { SettlementLine } from '../model/settlement.ts'

/**
 * What a line is compared with. `income`: captures, or the order's total where no capture is known. `refund`: refunds. `dispute`:
 * disputes, where any are known. `linked`: it has to find its order, but the processor alone knows its amount (commission, tax that a
 * marketplace keeps, a fee that names an order). `none`: it belongs to no order and is accounted for by the identity of its payout.
 */
export type Part = 'income' | 'refund' | 'dispute' | 'linked' | 'none'

export const PART_OF_KIND: Readonly<Record<SettlementLine['kind'], Part>> = {
  sale: 'income',
  shipping: 'income',
  tax: 'income',
  promotion: 'income',
  refund: 'refund',
  dispute: 'dispute',
  commission: 'linked',
  fee_returned: 'linked',
  facilitator_tax: 'linked',
  dispute_fee: 'linked',
  fee: 'linked',
  adjustment: 'linked',
  other: 'linked',
  transfer: 'none',
  reserve_hold: 'none',
  reserve_release: 'none',
  carry_over: 'none',
  loan: 'none',
}

/** Absolute differences, in minor units, that a keyed match may have. Never a percentage: that would forgive large sums more. */
export interface Tolerances {
  /** Amounts of one currency: there is nothing to round, so nothing is forgiven unless the merchant says so. */
  same_currency_minor: number
  /** What a buyer paid in another currency than the payout's. */
  fx_minor: number
  /** Replaces both for one currency. */
  by_currency: Readonly<Record<string, number>>
}

export const TOLERANCES: Tolerances = { same_currency_minor: 0, fx_minor: 1, by_currency: {} }

/** How long money may be under way before it is missed. */
export interface TransitDays {
  /** From a capture, refund or order to its line in a payout. */
  settle_days: number
  /** From the day on which a payout should arrive to its bank line, in bank days. */
  bank_days: number
}

export const TRANSIT: TransitDays = { settle_days: 14, bank_days: 3 }

/**
 * What is left of one key after matching: lines, or what was expected, or both with amounts that do not agree. One item is one break
 * (or money in transit). All sums are signed as the merchant's: a refund of 5.00 is expected as -500.
 */
export interface OpenItem {
  company_id: string
  /** Of the payout for lines, of the payment or order for what was expected. */
  connection_id: string
  /** Business identity, the same in every run: `payment:<connection>:<kind>:<external id>`, `order:<connection>:<external id>:<part>` (with the payer or the currency behind it where it is another one), `line:<connection>:<settlement external id>:<line external id>`. */
  key: string
  part: Part
  order_id: string | null
  payment_id: number | null
  /** Of the lines; the first of several. */
  settlement_id: string | null
  line_ids: readonly number[]
  /** Gross of each line, in the order of `line_ids`; where all of them carry an exchange, what the buyer paid. */
  line_amounts: readonly number[]
  lines_minor: number | null
  lines_currency: string | null
  expected_minor: number | null
  expected_currency: string | null
  /** What of the same key has already been matched, per line: a line that comes a second time has its twin here. */
  matched_amounts: readonly number[]
  /** A refund of this order that was said to have failed. */
  failed_minor: number | null
  /** The order has not been sent completely, so that more may come. */
  partly_sent: boolean
  /** When it happened, as an instant in UTC. */
  at: string
}

export type Cause =
  | 'in_transit'
  | 'deferred'
  | 'missing_in_ledger'
  | 'missing_in_orders'
  | 'refund_without_order'
  | 'refund_failed_after_success'
  | 'amount_mismatch'
  | 'currency_mismatch'
  | 'duplicate'

export interface Verdict {
  cause: Cause
  /** What is unexplained: what came less what was expected. In the currency of the lines, or of the expectation without lines. */
  amount_minor: number
  currency: string
  /** A closer word where the numbers allow one. */
  detail: 'sign_reversed' | 'other_order' | null
  /** Until when it may be under way (date in UTC); null: it is not a matter of waiting. */
  expected_on: string | null
}

const DAY_MS = 86_400_000

/** Why an item is open. The order of the questions is the order of certainty. */
export function causeOf(item: OpenItem, today: string, transit: TransitDays = TRANSIT): Verdict {
  const currency = item.lines_currency ?? item.expected_currency ?? 'XXX'
  const verdict = (cause: Cause, amount_minor: number, rest: Partial<Verdict> = {}): Verdict => ({
    cause,
    amount_minor,
    currency,
    detail: null,
    expected_on: null,
    ...rest,
  })
  const { lines_minor, expected_minor } = item
  if (lines_minor === null) return notArrived(item, today, transit, verdict)
  if (expected_minor === null) return notExpected(item, lines_minor, verdict)
  if (item.lines_currency !== item.expected_currency) return verdict('currency_mismatch', lines_minor)
  const difference = lines_minor - expected_minor
  if (isTwin(item.line_amounts, difference)) return verdict('duplicate', difference)
  if (expected_minor !== 0 && lines_minor === -expected_minor)
    return verdict('amount_mismatch', difference, { detail: 'sign_reversed' })
  const less = Math.abs(lines_minor) < Math.abs(expected_minor) && lines_minor >= 0 === expected_minor >= 0
  if (item.partly_sent && less) return verdict('deferred', difference)
  return verdict('amount_mismatch', difference)
}

type MakeVerdict = (cause: Cause, amount_minor: number, rest?: Partial<Verdict>) => Verdict

function notArrived(item: OpenItem, today: string, transit: TransitDays, verdict: MakeVerdict): Verdict {
  const expected_on = addDays(item.at.slice(0, 10), transit.settle_days)
  return verdict(today <= expected_on ? 'in_transit' : 'missing_in_ledger', -(item.expected_minor ?? 0), {
    expected_on,
  })
}

function notExpected(item: OpenItem, lines_minor: number, verdict: MakeVerdict): Verdict {
  if (item.order_id === null) {
    return verdict(item.part === 'refund' ? 'refund_without_order' : 'missing_in_orders', lines_minor)
  }
  if (item.line_amounts.some((amount) => item.matched_amounts.includes(amount)))
    return verdict('duplicate', lines_minor)
  if (item.part === 'refund' && item.failed_minor !== null && -item.failed_minor === lines_minor)
    return verdict('refund_failed_after_success', lines_minor)
  return verdict('missing_in_orders', lines_minor)
}

/** Whether what is too much is exactly one line that stands there twice. */
const isTwin = (amounts: readonly number[], difference: number): boolean =>
  difference !== 0 && amounts.filter((amount) => amount === difference).length > 1

/** A date (`2026-03-01`) so many days later. */
export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * DAY_MS).toISOString().slice(0, 10)
}
