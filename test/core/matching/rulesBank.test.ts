import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  addBankDays,
  bankDaysBetween,
  matchBankLines,
  onlySubset,
  plainReference,
  type BankInput,
  type OpenBankLine,
  type OpenPayout,
} from '../../../src/core/matching/rulesBank.ts'

const payout = (id: string, amount_minor: number, rest: Partial<OpenPayout> = {}): OpenPayout => ({
  id,
  connection_id: 'bank',
  external_id: `po_${id}`,
  bank_reference: null,
  amount_minor,
  expected_on: '2026-03-05',
  ...rest,
})
const line = (id: number, amount_minor: number, rest: Partial<OpenBankLine> = {}): OpenBankLine => ({
  id,
  amount_minor,
  booked_on: '2026-03-06',
  references: [],
  ...rest,
})
const match = (payouts: OpenPayout[], lines: OpenBankLine[], rest: Partial<BankInput> = {}) =>
  matchBankLines({ payouts, lines, text_rules: [], isRejected: () => false, bank_days: 3, ...rest }).map(
    ({ rule, state, bank_line_id, settlement_ids, difference_minor }) => ({
      rule,
      state,
      bank_line_id,
      settlement_ids,
      difference_minor,
    }),
  )

describe('payouts and bank lines', () => {
  it('trusts a reference that the bank repeats, however late and however it is written', () => {
    expect(
      match(
        [payout('a', 100, { bank_reference: 'TRACE-77' }), payout('b', 100)],
        [line(1, 100, { references: ['trace 77'], booked_on: '2026-05-01' })],
      ),
    ).toEqual([{ rule: 'reference', state: 'matched', bank_line_id: 1, settlement_ids: ['a'], difference_minor: 0 }])
  })

  it('does not join what a reference names when the amount is another', () => {
    expect(match([payout('a', 100)], [line(1, 99, { references: ['po_a'] })])).toEqual([])
  })

  it('joins one line to all the payouts that it names', () => {
    expect(match([payout('a', 100), payout('b', 50)], [line(1, 150, { references: ['po_a', 'po_b'] })])).toMatchObject([
      { rule: 'reference_group', settlement_ids: ['a', 'b'] },
    ])
  })

  it('goes by amount and day only where one of each fits', () => {
    expect(match([payout('a', 100)], [line(1, 100)])).toMatchObject([
      { rule: 'amount_and_date', settlement_ids: ['a'] },
    ])
    expect(match([payout('a', 100), payout('b', 100)], [line(1, 100)])).toEqual([])
    expect(match([payout('a', 100)], [line(1, 100), line(2, 100)])).toEqual([])
    expect(match([payout('a', 100)], [line(1, 100, { booked_on: '2026-03-11' })])).toEqual([])
    // Thursday to Tuesday: three bank days, five by the calendar.
    expect(match([payout('a', 100)], [line(1, 100, { booked_on: '2026-03-10' })])).toHaveLength(1)
  })

  it('joins the payouts of a day that came as one line', () => {
    expect(match([payout('a', 100), payout('b', 70)], [line(1, 170)])).toMatchObject([
      { rule: 'date_group', state: 'matched', settlement_ids: ['a', 'b'] },
    ])
  })

  it('only suggests what sums and texts hint at', () => {
    const three = [payout('a', 100), payout('b', 70), payout('c', 31, { expected_on: '2026-03-06' })]
    expect(match(three, [line(1, 101)])).toMatchObject([
      { rule: 'subset_sum', state: 'suggested', settlement_ids: ['b', 'c'] },
    ])
    expect(
      match([payout('a', 100)], [line(1, 95, { references: ['PSP PAYOUT 4711'] })], {
        text_rules: [{ connection_id: 'bank', contains: 'psp payout' }],
      }),
    ).toMatchObject([{ rule: 'text_rule', state: 'suggested', difference_minor: -5 }])
    expect(
      match([payout('a', 100)], [line(1, 95, { text: 'PSP-Pay out, thank you' })], {
        text_rules: [{ connection_id: 'other', contains: 'psp' }],
      }),
    ).toEqual([])
  })

  it('makes nothing of what a person has rejected', () => {
    expect(match([payout('a', 100)], [line(1, 100)], { isRejected: (id) => id === 1 })).toEqual([])
  })

  it('answers the same whatever the order, with every payout and line in one match at most', () => {
    const amounts = fc.array(fc.integer({ min: -5, max: 12 }), { maxLength: 9 })
    const day = fc.integer({ min: 1, max: 9 })
    fc.assert(
      fc.property(amounts, amounts, fc.array(day, { minLength: 18, maxLength: 18 }), (a, b, days) => {
        const payouts = a.map((amount, index) =>
          payout(`${index}`, amount, { expected_on: `2026-03-0${days[index] ?? 1}` }),
        )
        const lines = b.map((amount, index) => line(index, amount, { booked_on: `2026-03-0${days[index + 9] ?? 1}` }))
        const found = match(payouts, lines)
        const members = found.flatMap(({ settlement_ids }) => settlement_ids)
        expect(new Set(members).size).toBe(members.length)
        expect(new Set(found.map(({ bank_line_id }) => bank_line_id)).size).toBe(found.length)
        for (const one of found) expect(one.difference_minor).toBe(0)
        const certain = (rows: typeof found) =>
          rows
            .filter(({ state }) => state === 'matched')
            .map(({ bank_line_id, settlement_ids }) => `${bank_line_id}: ${[...settlement_ids].sort().join()}`)
            .sort()
        expect(certain(match(payouts.toReversed(), lines.toReversed()))).toEqual(certain(found))
      }),
      { numRuns: 300 },
    )
  })

  it('finds a subset only where there is exactly one', () => {
    expect(onlySubset([payout('a', 3), payout('b', 5)], 8)?.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(onlySubset([payout('a', 3), payout('b', 5), payout('c', 8)], 8)).toBeNull()
    expect(onlySubset([payout('a', 3)], 4)).toBeNull()
    expect(
      onlySubset(
        Array.from({ length: 13 }, (_, index) => payout(`${index}`, 2 ** index)),
        1,
      ),
    ).toBeNull()
  })

  it('counts bank days over weekends, and reads references as banks write them', () => {
    expect(bankDaysBetween('2026-03-06', '2026-03-09')).toBe(1)
    expect(bankDaysBetween('2026-03-07', '2026-03-09')).toBe(0)
    expect(bankDaysBetween('2026-03-09', '2026-03-05')).toBe(2)
    expect(addBankDays('2026-03-06', 1)).toBe('2026-03-09')
    expect(addBankDays('2026-03-05', 3)).toBe('2026-03-10')
    expect(plainReference('po_1-a b')).toBe('PO1AB')
  })
})
