import { addBankDays, plainReference } from '../matching/rulesBank.ts'
import { addDays, causeOf, type OpenItem } from '../matching/rulesMatch.ts'
import type { BreakType, FoundBreak } from './rulesState.ts'

/** How long things may take and how much may be rounding. Days are calendar days, `bank_days` weekdays. */
export interface BreakPolicy {
  settlement_days: number
  settlement_days_of: Readonly<Record<string, number>>
  bank_days: number
  dispute_days: number
  reserve_days: number
  deferred_days: number
}

/** A payout with whatever of the bank is joined to it. Only those that may be a break are loaded. */
export interface PayoutFact {
  id: string
  connection_id: string
  external_id: string
  status: string
  currency: string
  payout_minor: number
  /** What its lines do not explain. */
  difference_minor: number
  /** Nobody has accepted the difference. */
  held: boolean
  was_paid: boolean
  /** Dates in UTC. */
  created_on: string
  arrival_on: string | null
  bank_reference: string | null
  /** Sum of its bank lines in its own currency; null: none. */
  bank_minor: number | null
  /** The last one of its bank lines. */
  bank_line_id: number | null
  /** The bank's part is left to be said by other means: joined in a group whose sums agree, or its currency is another one. */
  bank_agrees: boolean
}

export interface BankLineFact {
  id: number
  connection_id: string
  external_id: string
  booked_on: string
  currency: string
  amount_minor: number
  references_found: readonly string[]
}

/** From and until when the bank has been read, per currency: nothing is missed that could not have been seen. */
export interface BankCoverage {
  currency: string
  from: string
  to: string
}

/** Something whose amount and identity are found by the database; the type says what it is. */
export interface PlainFact {
  type: Extract<
    BreakType,
    | 'unknown_type'
    | 'fee_variance'
    | 'tax_variance'
    | 'fx_rounding'
    | 'orphan_clearing_balance'
    | 'refund_failed_after_success'
  >
  /** Business identity without the type. */
  identity: readonly string[]
  connection_id: string
  currency: string
  amount_minor: number
  settlement_id: string | null
  settlement_line_id: number | null
  order_id: string | null
  data: Readonly<Record<string, unknown>>
}

export interface DisputeFact {
  payment_id: number
  connection_id: string
  external_id: string
  order_id: string | null
  currency: string
  amount_minor: number
  on: string
}

/** What a processor keeps of one connection and currency, oldest first. */
export interface ReserveFact {
  connection_id: string
  currency: string
  /** Positive: kept. */
  held_minor: number
  /** The day of the oldest reserve that has not been released. */
  oldest_on: string
}

/** What matching and imports leave of one company. */
export interface BreakFacts {
  items: readonly OpenItem[]
  payouts: readonly PayoutFact[]
  bank_lines: readonly BankLineFact[]
  coverage: readonly BankCoverage[]
  disputes: readonly DisputeFact[]
  reserves: readonly ReserveFact[]
  others: readonly PlainFact[]
}

/** Every break of these facts, today (a date in UTC). What is still under way is none. Pure; the order is that of the facts. */
export function findBreaks(facts: BreakFacts, today: string, policy: BreakPolicy): FoundBreak[] {
  const claimed = claimedByReference(facts)
  return [
    ...facts.items.flatMap((item) => ofItem(item, today, policy)),
    ...facts.payouts.flatMap((payout) =>
      ofPayout(payout, { claimed: claimed.get(payout.id), coverage: facts.coverage, today, policy }),
    ),
    ...ofBankLines(facts, claimed, today, policy),
    ...facts.disputes.flatMap((dispute) => ofDispute(dispute, today, policy)),
    ...facts.reserves.flatMap((reserve) => ofReserve(reserve, today, policy)),
    ...facts.others.filter((fact) => fact.type === 'unknown_type' || fact.amount_minor !== 0).map(ofPlain),
  ]
}

/** Made from words that no run changes. JSON keeps `a:b` + `c` apart from `a` + `b:c`. */
const fingerprint = (type: BreakType, identity: readonly string[]): string => JSON.stringify([type, ...identity])

const NOTHING = {
  settlement_id: null,
  settlement_line_id: null,
  order_id: null,
  payment_id: null,
  bank_line_id: null,
  expected_on: null,
  data: {},
} as const satisfies Partial<FoundBreak>

// ── orders, payments and lines ────────────────────────────────────────────────────────────────────────────────────────────

function ofItem(item: OpenItem, today: string, policy: BreakPolicy): FoundBreak[] {
  const settle_days = policy.settlement_days_of[item.connection_id] ?? policy.settlement_days
  const { cause, amount_minor, currency, detail, expected_on } = causeOf(item, today, {
    settle_days,
    bank_days: policy.bank_days,
  })
  if (cause === 'in_transit') return []
  return [
    {
      type: cause,
      fingerprint: fingerprint(cause, [item.key]),
      connection_id: item.connection_id,
      currency,
      amount_minor,
      settlement_id: item.settlement_id,
      settlement_line_id: item.line_ids[0] ?? null,
      order_id: item.order_id,
      payment_id: item.payment_id,
      bank_line_id: null,
      expected_on,
      data: {
        key: item.key,
        part: item.part,
        expected_minor: item.expected_minor,
        settled_minor: item.lines_minor,
        lines: item.line_ids.length,
        happened_on: item.at.slice(0, 10),
        ...(detail === null ? {} : { detail }),
      },
    },
  ]
}

// ── payouts and the bank ──────────────────────────────────────────────────────────────────────────────────────────────────

/** A bank line that names a payout is about it, even where the amounts keep it from being matched. One line names one payout. */
function claimedByReference({ payouts, bank_lines }: BreakFacts): Map<string, BankLineFact> {
  const byName = new Map<string, PayoutFact[]>()
  for (const payout of payouts) {
    if (payout.bank_minor !== null || payout.bank_agrees) continue
    const names = [payout.external_id, payout.bank_reference].flatMap((name) =>
      name === null ? [] : [plainReference(name)],
    )
    for (const name of new Set(names)) byName.set(name, [...(byName.get(name) ?? []), payout])
  }
  const claimed = new Map<string, BankLineFact>()
  for (const line of bank_lines) {
    const named = new Set(line.references_found.flatMap((name) => byName.get(plainReference(name)) ?? []))
    const [payout, ...others] = [...named].filter(({ currency }) => currency === line.currency)
    if (payout !== undefined && others.length === 0 && !claimed.has(payout.id)) claimed.set(payout.id, line)
  }
  return claimed
}

const UNDER_WAY: ReadonlySet<string> = new Set(['pending', 'in_transit'])
const GONE: ReadonlySet<string> = new Set(['failed', 'cancelled'])

/** What else is known where a payout is judged. */
interface Surroundings {
  claimed: BankLineFact | undefined
  coverage: readonly BankCoverage[]
  today: string
  policy: BreakPolicy
}

function ofPayout(payout: PayoutFact, around: Surroundings): FoundBreak[] {
  const make = (type: BreakType, amount_minor: number, rest: Partial<FoundBreak> = {}): FoundBreak => ({
    ...NOTHING,
    type,
    fingerprint: fingerprint(type, [payout.connection_id, payout.external_id]),
    connection_id: payout.connection_id,
    currency: payout.currency,
    amount_minor,
    settlement_id: payout.id,
    ...rest,
    data: { payout: payout.external_id, payout_minor: payout.payout_minor, status: payout.status, ...rest.data },
  })
  const identity =
    payout.held && payout.difference_minor !== 0 ? [make('payout_identity_failed', payout.difference_minor)] : []
  return [...identity, ...cashOf(payout, around, make)]
}

type Make = (type: BreakType, amount_minor: number, rest?: Partial<FoundBreak>) => FoundBreak

function cashOf(payout: PayoutFact, { claimed, coverage, today, policy }: Surroundings, make: Make): FoundBreak[] {
  const { status, payout_minor } = payout
  if (GONE.has(status))
    return status === 'failed' && payout.was_paid ? [make('payout_failed_after_paid', -payout_minor)] : []
  if (payout.bank_agrees) return []
  const bank = payout.bank_minor ?? claimed?.amount_minor ?? null
  if (bank !== null) {
    const bank_line_id = payout.bank_line_id ?? claimed?.id ?? null
    return bank === payout_minor
      ? []
      : [make('bank_amount_diff', bank - payout_minor, { bank_line_id, data: { bank_minor: bank } })]
  }
  if (payout_minor === 0) return []
  const { arrival_on } = payout
  if (arrival_on === null && UNDER_WAY.has(status)) {
    const expected_on = addDays(payout.created_on, policy.deferred_days)
    return today > expected_on ? [make('deferred', -payout_minor, { expected_on })] : []
  }
  const expected_on = addBankDays(arrival_on ?? payout.created_on, policy.bank_days)
  if (today <= expected_on) return []
  if (UNDER_WAY.has(status)) return [make('late_settlement', -payout_minor, { expected_on })]
  const arrives = arrival_on ?? payout.created_on
  const wasRead = coverage.some(
    ({ currency, from, to }) => currency === payout.currency && from <= arrives && to >= expected_on,
  )
  return wasRead ? [make('payout_not_in_bank', -payout_minor, { expected_on })] : []
}

function ofBankLines(
  { bank_lines }: BreakFacts,
  claimed: ReadonlyMap<string, BankLineFact>,
  today: string,
  policy: BreakPolicy,
): FoundBreak[] {
  const taken = new Set([...claimed.values()].map(({ id }) => id))
  return bank_lines.flatMap((line) => {
    const expected_on = addBankDays(line.booked_on, policy.bank_days)
    // What leaves the account is ours to know, unless it names a payout.
    const isOurs = line.amount_minor > 0 || line.references_found.length > 0
    if (taken.has(line.id) || !isOurs || today <= expected_on) return []
    return [
      {
        ...NOTHING,
        type: 'bank_without_payout' as const,
        fingerprint: fingerprint('bank_without_payout', [line.connection_id, line.external_id]),
        connection_id: line.connection_id,
        currency: line.currency,
        amount_minor: line.amount_minor,
        bank_line_id: line.id,
        expected_on,
        data: { bank_line: line.external_id, booked_on: line.booked_on },
      },
    ]
  })
}

// ── the rest ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function ofDispute(dispute: DisputeFact, today: string, policy: BreakPolicy): FoundBreak[] {
  const expected_on = addDays(dispute.on, policy.dispute_days)
  if (today <= expected_on) return []
  const { connection_id, external_id, currency, amount_minor, order_id, payment_id } = dispute
  return [
    {
      ...NOTHING,
      type: 'dispute_unanswered',
      fingerprint: fingerprint('dispute_unanswered', [connection_id, external_id]),
      connection_id,
      currency,
      amount_minor: -Math.abs(amount_minor),
      order_id,
      payment_id,
      expected_on,
      data: { dispute: external_id, opened_on: dispute.on },
    },
  ]
}

function ofReserve(reserve: ReserveFact, today: string, policy: BreakPolicy): FoundBreak[] {
  const { connection_id, currency, held_minor, oldest_on } = reserve
  const expected_on = addDays(oldest_on, policy.reserve_days)
  if (held_minor <= 0 || today <= expected_on) return []
  return [
    {
      ...NOTHING,
      type: 'reserve_unreleased',
      fingerprint: fingerprint('reserve_unreleased', [connection_id, currency]),
      connection_id,
      currency,
      amount_minor: -held_minor,
      expected_on,
      data: { oldest_on },
    },
  ]
}

const ofPlain = ({ type, identity, ...fact }: PlainFact): FoundBreak => ({
  ...NOTHING,
  ...fact,
  type,
  fingerprint: fingerprint(type, identity),
})
