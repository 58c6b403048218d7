import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  findBreaks,
  type BankLineFact,
  type BreakFacts,
  type BreakPolicy,
  type PayoutFact,
} from '../../../src/core/breaks/rulesBreaks.ts'
import {
  ageBucket,
  BREAK_STATES,
  notThere,
  stillThere,
  type BreakState,
  type KnownBreak,
} from '../../../src/core/breaks/rulesState.ts'
import type { OpenItem } from '../../../src/core/matching/rulesMatch.ts'

const POLICY: BreakPolicy = {
  settlement_days: 14,
  settlement_days_of: { slow: 30 },
  bank_days: 3,
  dispute_days: 7,
  reserve_days: 180,
  deferred_days: 30,
}
const NOTHING: BreakFacts = {
  items: [],
  payouts: [],
  bank_lines: [],
  coverage: [],
  disputes: [],
  reserves: [],
  others: [],
}
const READ = [{ currency: 'EUR', from: '2026-01-01', to: '2026-12-31' }]

const payout = (changes: Partial<PayoutFact> = {}): PayoutFact => ({
  id: 'id-po',
  connection_id: 'gate',
  external_id: 'po_1',
  status: 'paid',
  currency: 'EUR',
  payout_minor: 10_000,
  difference_minor: 0,
  held: false,
  was_paid: true,
  created_on: '2026-03-02',
  arrival_on: '2026-03-04',
  bank_reference: null,
  bank_minor: null,
  bank_line_id: null,
  bank_agrees: false,
  ...changes,
})
const bankLine = (changes: Partial<BankLineFact> = {}): BankLineFact => ({
  id: 7,
  connection_id: 'bank',
  external_id: 'B7',
  booked_on: '2026-03-04',
  currency: 'EUR',
  amount_minor: 10_000,
  references_found: [],
  ...changes,
})
const item = (changes: Partial<OpenItem> = {}): OpenItem => ({
  company_id: 'acme',
  connection_id: 'gate',
  key: 'payment:gate:capture:ch_1',
  part: 'income',
  order_id: null,
  payment_id: 1,
  settlement_id: null,
  line_ids: [],
  line_amounts: [],
  lines_minor: null,
  lines_currency: null,
  expected_minor: 500,
  expected_currency: 'EUR',
  matched_amounts: [],
  failed_minor: null,
  partly_sent: false,
  at: '2026-03-01T10:00:00Z',
  ...changes,
})
const find = (facts: Partial<BreakFacts>, today = '2026-06-01') =>
  findBreaks({ ...NOTHING, ...facts }, today, POLICY).map(({ type, amount_minor, expected_on }) => [
    type,
    amount_minor,
    expected_on,
  ])

describe('payouts and the bank', () => {
  it('lets money travel for its bank days, then misses it where the bank was read', () => {
    // Wednesday the 4th and three weekdays: Monday the 9th.
    const facts = { payouts: [payout()], coverage: READ }
    expect(find(facts, '2026-03-09')).toEqual([])
    expect(find(facts, '2026-03-10')).toEqual([['payout_not_in_bank', -10_000, '2026-03-09']])
    expect(find({ ...facts, coverage: [] })).toEqual([])
    expect(find({ ...facts, coverage: [{ currency: 'EUR', from: '2026-01-01', to: '2026-03-08' }] })).toEqual([])
    expect(find({ ...facts, payouts: [payout({ bank_agrees: true })] })).toEqual([])
    expect(find({ ...facts, payouts: [payout({ payout_minor: 0 })] })).toEqual([])
  })

  it('tells what is late, deferred, failed or does not add up', () => {
    const one = (changes: Partial<PayoutFact>) => find({ payouts: [payout(changes)], coverage: READ })
    expect(one({ status: 'in_transit' })).toEqual([['late_settlement', -10_000, '2026-03-09']])
    expect(one({ status: 'pending', arrival_on: null })).toEqual([['deferred', -10_000, '2026-04-01']])
    expect(one({ status: 'failed' })).toEqual([['payout_failed_after_paid', -10_000, null]])
    expect(one({ status: 'failed', was_paid: false })).toEqual([])
    expect(one({ bank_agrees: true, held: true, difference_minor: -5 })).toEqual([['payout_identity_failed', -5, null]])
    expect(one({ bank_agrees: true, held: false, difference_minor: -5 })).toEqual([])
    expect(one({ bank_minor: 9_999, bank_line_id: 7 })).toEqual([['bank_amount_diff', -1, null]])
    expect(one({ bank_minor: 10_000, bank_line_id: 7 })).toEqual([])
  })

  it('makes one break of a payout and the bank line that names it, two of strangers', () => {
    const named = {
      payouts: [payout()],
      bank_lines: [bankLine({ amount_minor: 9_900, references_found: ['PO 1'] })],
      coverage: READ,
    }
    expect(find(named)).toEqual([['bank_amount_diff', -100, null]])
    const strangers = { ...named, bank_lines: [bankLine({ amount_minor: 9_900 })] }
    expect(find(strangers)).toEqual([
      ['payout_not_in_bank', -10_000, '2026-03-09'],
      ['bank_without_payout', 9_900, '2026-03-09'],
    ])
    // What leaves the account is other people's business, unless it names a payout.
    expect(find({ bank_lines: [bankLine({ amount_minor: -50 })] })).toEqual([])
    expect(find({ bank_lines: [bankLine({ amount_minor: -50, references_found: ['po_9'] })] })).toEqual([
      ['bank_without_payout', -50, '2026-03-09'],
    ])
  })
})

describe('what matching leaves', () => {
  it('is in transit as long as its connection may take', () => {
    expect(find({ items: [item()] }, '2026-03-15')).toEqual([])
    expect(find({ items: [item()] }, '2026-03-16')).toEqual([['missing_in_ledger', -500, '2026-03-15']])
    expect(find({ items: [item({ connection_id: 'slow' })] }, '2026-03-31')).toEqual([])
    expect(find({ items: [item({ connection_id: 'slow' })] }, '2026-04-01')).toHaveLength(1)
  })

  it('is named by matching itself', () => {
    const lines = { lines_minor: 450, lines_currency: 'EUR', line_ids: [3], line_amounts: [450] }
    expect(find({ items: [item(lines)] })).toEqual([['amount_mismatch', -50, null]])
    expect(find({ items: [item({ ...lines, lines_currency: 'USD' })] })).toEqual([['currency_mismatch', 450, null]])
    expect(find({ items: [item({ ...lines, expected_minor: null, expected_currency: null })] })).toEqual([
      ['missing_in_orders', 450, null],
    ])
    const refund = {
      part: 'refund' as const,
      lines_minor: -450,
      line_amounts: [-450],
      expected_minor: null,
      expected_currency: null,
    }
    expect(find({ items: [item({ ...lines, ...refund })] })).toEqual([['refund_without_order', -450, null]])
    expect(find({ items: [item({ ...lines, ...refund, order_id: 'o', failed_minor: 450 })] })).toEqual([
      ['refund_failed_after_success', -450, null],
    ])
  })
})

it('disputes and reserves are breaks when their time is over', () => {
  const dispute = {
    payment_id: 1,
    connection_id: 'gate',
    external_id: 'dp',
    order_id: null,
    currency: 'EUR',
    amount_minor: 70,
    on: '2026-03-01',
  }
  expect(find({ disputes: [dispute] }, '2026-03-08')).toEqual([])
  expect(find({ disputes: [dispute] }, '2026-03-09')).toEqual([['dispute_unanswered', -70, '2026-03-08']])
  const reserve = { connection_id: 'gate', currency: 'EUR', held_minor: 90, oldest_on: '2026-01-01' }
  expect(find({ reserves: [reserve] }, '2026-06-30')).toEqual([])
  expect(find({ reserves: [reserve] }, '2026-07-01')).toEqual([['reserve_unreleased', -90, '2026-06-30']])
})

it('a break keeps its fingerprint whatever its amount, and no two share one', () => {
  const facts = { ...NOTHING, payouts: [payout({ held: true, difference_minor: 1 })], items: [item()], coverage: READ }
  const prints = (given: BreakFacts) => findBreaks(given, '2026-06-01', POLICY).map((one) => one.fingerprint)
  expect(new Set(prints(facts)).size).toBe(3)
  expect(
    prints({ ...facts, payouts: [payout({ held: true, difference_minor: 2, payout_minor: 5, id: 'other' })] }),
  ).toEqual(prints(facts))
})

it('ages are counted in six buckets', () => {
  expect([-5, 0, 2, 3, 7, 8, 14, 15, 30, 31, 60, 61, 999].map(ageBucket)).toEqual([
    '0-2', '0-2', '0-2', '3-7', '3-7', '8-14', '8-14', '15-30', '15-30', '31-60', '31-60', '60+', '60+',
  ]) // prettier-ignore
})

describe('the state of a break', () => {
  const known = (state: BreakState, changes: Partial<KnownBreak> = {}): KnownBreak => ({
    state,
    owner: null,
    currency: 'EUR',
    amount_minor: 5,
    gone: false,
    write_off_requested_by: null,
    ...changes,
  })
  const same = { amount_minor: 5, currency: 'EUR' }

  it('stays what people made of it, as long as the data say the same', () => {
    for (const state of BREAK_STATES)
      expect(stillThere(known(state), same)).toMatchObject({ state, comment: null, take_back: false })
  })

  it('opens again when the amount moves, or when it comes back', () => {
    const moved = { amount_minor: 6, currency: 'EUR' }
    const after = (state: BreakState, owner: string | null = null) => stillThere(known(state, { owner }), moved).state
    expect(BREAK_STATES.map((state) => after(state))).toEqual(['open', 'assigned', 'open', 'open', 'open'])
    expect(after('resolved', 'ann')).toBe('assigned')
    expect(stillThere(known('written_off'), moved)).toMatchObject({ take_back: true, comment: { kind: 'reopened' } })
    expect(stillThere(known('open', { write_off_requested_by: 'ann' }), moved).withdraw).toBe(true)
    expect(stillThere(known('resolved', { gone: true }), same)).toMatchObject({
      state: 'open',
      comment: { kind: 'reopened' },
    })
    expect(stillThere(known('written_off', { gone: true }), same)).toMatchObject({
      state: 'written_off',
      comment: null,
    })
  })

  it('is resolved when the data no longer show it', () => {
    expect(BREAK_STATES.map((state) => notThere(known(state)).state)).toEqual([
      'resolved', 'resolved', 'resolved', 'written_off', 'resolved',
    ]) // prettier-ignore
  })

  it('never loses an owner’s work to a run that sees the same again', () => {
    fc.assert(
      fc.property(fc.constantFrom(...BREAK_STATES), fc.boolean(), (state, gone) => {
        const first = stillThere(known(state, { gone }), same)
        expect(stillThere(known(first.state), same)).toMatchObject({ state: first.state, comment: null })
      }),
    )
  })
})
