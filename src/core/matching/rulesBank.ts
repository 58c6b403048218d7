/**
 * Which payout is which bank line. Pure: the caller loads what is open of one company and currency. A reference that the bank repeats is
 * proof; amount and date are proof where only one of each fits; anything weaker is a suggestion that a person accepts or rejects.
 */

export interface OpenPayout {
  id: string
  connection_id: string
  external_id: string
  bank_reference: string | null
  amount_minor: number
  /** The day it should arrive, else the day it was made (date in UTC). */
  expected_on: string
}

export interface OpenBankLine {
  id: number
  amount_minor: number
  booked_on: string
  /** Every reference found in it, as the bank wrote it. */
  references: readonly string[]
  /** What else the bank wrote; only opened where there are rules about it. */
  text?: string | null
}

/** Words in a bank line that stand for a connection, whatever their case and blanks. They only ever suggest. */
export interface TextRule {
  connection_id: string
  contains: string
}

export type BankRule = 'reference' | 'reference_group' | 'amount_and_date' | 'date_group' | 'subset_sum' | 'text_rule'

export interface BankMatch {
  rule: BankRule
  state: 'matched' | 'suggested'
  bank_line_id: number
  settlement_ids: readonly string[]
  /** Bank less payouts. */
  difference_minor: number
  /** Why, in the numbers and names that were compared. */
  reason: Readonly<Record<string, string | number>>
}

export interface BankInput {
  payouts: readonly OpenPayout[]
  lines: readonly OpenBankLine[]
  text_rules: readonly TextRule[]
  /** Whether a person has said that these do not belong together. */
  isRejected: (bank_line_id: number, settlement_ids: readonly string[]) => boolean
  bank_days: number
}

/** More would make chance sums likely and the search long. */
const SUBSET_CANDIDATES_MAX = 12

interface Open {
  payouts: Map<string, OpenPayout>
  lines: Map<number, OpenBankLine>
  input: BankInput
}

type BankStrategy = (open: Open) => BankMatch[]

/** In this order; each sees only what those before it left. */
const STRATEGIES: readonly BankStrategy[] = [byReference, byAmountAndDate, byDateGroup, bySubsetSum, byTextRule]

/** Every match and suggestion, each bank line and each payout in one at most. */
export function matchBankLines(input: BankInput): BankMatch[] {
  const open: Open = {
    payouts: new Map(input.payouts.map((payout) => [payout.id, payout])),
    lines: new Map(input.lines.map((line) => [line.id, line])),
    input,
  }
  const found: BankMatch[] = []
  for (const strategy of STRATEGIES) {
    for (const match of strategy(open)) {
      const free =
        open.lines.has(match.bank_line_id) &&
        match.settlement_ids.every((settlement_id) => open.payouts.has(settlement_id))
      if (!free || input.isRejected(match.bank_line_id, match.settlement_ids)) continue
      open.lines.delete(match.bank_line_id)
      for (const settlement_id of match.settlement_ids) open.payouts.delete(settlement_id)
      found.push(match)
    }
  }
  return found
}

const matchOf = (
  rule: BankRule,
  state: BankMatch['state'],
  line: OpenBankLine,
  payouts: readonly OpenPayout[],
  reason: BankMatch['reason'] = {},
): BankMatch => {
  const payouts_minor = sumOf(payouts)
  return {
    rule,
    state,
    bank_line_id: line.id,
    settlement_ids: payouts.map((payout) => payout.id),
    difference_minor: line.amount_minor - payouts_minor,
    reason: { bank_minor: line.amount_minor, payouts_minor, booked_on: line.booked_on, ...reason },
  }
}

const sumOf = (payouts: readonly OpenPayout[]): number =>
  payouts.reduce((total, { amount_minor }) => total + amount_minor, 0)

/** Letters and digits alone: banks break references with blanks and change their case. */
export const plainReference = (text: string): string => text.replace(/[^0-9a-z]/gi, '').toUpperCase()

/** The reference is the bank's own word, so the day plays no part; the amount does: less or more is a break, not a match. */
function byReference({ payouts, lines }: Open): BankMatch[] {
  const byName = Map.groupBy(
    [...payouts.values()].flatMap((payout) =>
      [...new Set([payout.external_id, payout.bank_reference ?? payout.external_id].map(plainReference))]
        .filter((name) => name !== '')
        .map((name) => ({ name, payout })),
    ),
    ({ name }) => name,
  )
  return [...lines.values()].flatMap((line) => {
    const named = new Set(
      line.references.flatMap((text) => (byName.get(plainReference(text)) ?? []).map(({ payout }) => payout)),
    )
    const all = [...named].sort((a, b) => (a.id < b.id ? -1 : 1))
    const reference = line.references.find((text) => byName.has(plainReference(text))) ?? ''
    if (all.length > 0 && sumOf(all) === line.amount_minor)
      return [matchOf(all.length === 1 ? 'reference' : 'reference_group', 'matched', line, all, { reference })]
    const equal = all.filter((payout) => payout.amount_minor === line.amount_minor)
    const [only] = equal
    return equal.length === 1 && only !== undefined
      ? [matchOf('reference', 'matched', line, [only], { reference })]
      : []
  })
}

/** The only payout of this amount in the window, and the only line of it: anything else could be the wrong one. */
function byAmountAndDate({ payouts, lines, input }: Open): BankMatch[] {
  const payoutsOf = Map.groupBy(payouts.values(), (payout) => payout.amount_minor)
  const linesOf = Map.groupBy(lines.values(), (line) => line.amount_minor)
  const near = (line: OpenBankLine, payout: OpenPayout): boolean =>
    bankDaysBetween(payout.expected_on, line.booked_on) <= input.bank_days
  return [...lines.values()].flatMap((line) => {
    const fitting = (payoutsOf.get(line.amount_minor) ?? []).filter((payout) => near(line, payout))
    const [payout] = fitting
    if (payout === undefined || fitting.length > 1) return []
    const rivals = (linesOf.get(line.amount_minor) ?? []).filter((other) => near(other, payout))
    return rivals.length === 1
      ? [matchOf('amount_and_date', 'matched', line, [payout], { expected_on: payout.expected_on })]
      : []
  })
}

/** Payouts of one connection that arrive on the same day and came as one line. */
function byDateGroup({ payouts, lines, input }: Open): BankMatch[] {
  const groups = [
    ...Map.groupBy(payouts.values(), (payout) => `${payout.connection_id} ${payout.expected_on}`).values(),
  ]
    .filter((group) => group.length > 1)
    .map((group) => ({ group, total: sumOf(group), expected_on: group[0]?.expected_on ?? '' }))
  const groupsOf = Map.groupBy(groups, ({ total }) => total)
  const linesOf = Map.groupBy(lines.values(), (line) => line.amount_minor)
  return [...linesOf].flatMap(([amount, equal]) => {
    const near = (line: OpenBankLine, on: string): boolean => bankDaysBetween(on, line.booked_on) <= input.bank_days
    return equal.flatMap((line) => {
      const fitting = (groupsOf.get(amount) ?? []).filter(({ expected_on }) => near(line, expected_on))
      const [one] = fitting
      if (one === undefined || fitting.length > 1 || equal.filter((other) => near(other, one.expected_on)).length > 1)
        return []
      return [matchOf('date_group', 'matched', line, one.group, { expected_on: one.expected_on })]
    })
  })
}

/** Payouts near the line that happen to add up to it, in exactly one way. Never applied alone: sums can agree by chance. */
function bySubsetSum({ payouts, lines, input }: Open): BankMatch[] {
  const nearTo = payoutsByDay(payouts.values(), input.bank_days)
  return [...lines.values()].flatMap((line) => {
    const near = nearTo(line)
    const chosen = onlySubset(near, line.amount_minor)
    return chosen === null || chosen.length < 2
      ? []
      : [matchOf('subset_sum', 'suggested', line, chosen, { candidates: near.length })]
  })
}

/** Finds the payouts in the window of a line without looking at all of them for each line. */
function payoutsByDay(payouts: Iterable<OpenPayout>, bank_days: number): (line: OpenBankLine) => readonly OpenPayout[] {
  const byDay = Map.groupBy(payouts, ({ expected_on }) => bankDayNumber(expected_on))
  return ({ booked_on }) => {
    const day = bankDayNumber(booked_on)
    return Array.from({ length: 2 * bank_days + 1 }, (_, step) => byDay.get(day - bank_days + step) ?? []).flat()
  }
}

/**
 * The one subset whose amounts sum to `total`; null when there is none, more than one, or too many candidates to tell.
 */
export function onlySubset(candidates: readonly OpenPayout[], total: number): OpenPayout[] | null {
  if (candidates.length > SUBSET_CANDIDATES_MAX) return null
  let found: number | null = null
  for (let mask = 1; mask < 1 << candidates.length; mask += 1) {
    const sum = candidates.reduce(
      (so_far, { amount_minor }, index) => ((mask >> index) & 1 ? so_far + amount_minor : so_far),
      0,
    )
    if (sum !== total) continue
    if (found !== null) return null
    found = mask
  }
  const mask = found
  return mask === null ? null : candidates.filter((_, index) => (mask >> index) & 1)
}

/** The text names a connection that has one payout in the window, whatever the amounts: somebody should look at the two together. */
function byTextRule({ payouts, lines, input }: Open): BankMatch[] {
  if (input.text_rules.length === 0) return []
  const rules = input.text_rules.map((rule) => ({ ...rule, plain: plainReference(rule.contains) }))
  const nearTo = payoutsByDay(payouts.values(), input.bank_days)
  return [...lines.values()].flatMap((line) => {
    const text = [...line.references, line.text ?? ''].map(plainReference)
    const rule = rules.find(({ plain }) => text.some((part) => part.includes(plain)))
    if (rule === undefined) return []
    const near = nearTo(line).filter((payout) => payout.connection_id === rule.connection_id)
    const [payout] = near
    return near.length === 1 && payout !== undefined
      ? [matchOf('text_rule', 'suggested', line, [payout], { contains: rule.contains })]
      : []
  })
}

const DAY_MS = 86_400_000
const MONDAY_TO_FRIDAY = 5

/** Days without weekends between two dates, in either direction. Bank holidays are not known; the window allows for them. */
export function bankDaysBetween(a: string, b: string): number {
  return Math.abs(bankDayNumber(a) - bankDayNumber(b))
}

/** Number of the bank day since Monday, 5 January 1970; a weekend counts as the Monday after it. */
function bankDayNumber(date: string): number {
  const days = Date.parse(`${date}T00:00:00Z`) / DAY_MS - 4
  const weeks = Math.floor(days / 7)
  return weeks * MONDAY_TO_FRIDAY + Math.min(days - weeks * 7, MONDAY_TO_FRIDAY)
}

/** The day so many bank days after `date`. */
export function addBankDays(date: string, days: number): string {
  let at = Date.parse(`${date}T00:00:00Z`)
  for (let left = days; left > 0;) {
    at += DAY_MS
    const weekday = new Date(at).getUTCDay()
    if (weekday !== 0 && weekday !== 6) left -= 1
  }
  return new Date(at).toISOString().slice(0, 10)
}
