import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { bridgeOf, type BridgeLine } from '../../../src/core/books/rulesBridge.ts'
import { bridgeSvg } from '../../../src/core/books/rulesBridgeSvg.ts'
import { journalDocuments, journalsCsv, totalsOf, type BookedEntry } from '../../../src/core/books/rulesExport.ts'
import {
  bankJournalOf,
  imbalanceOf,
  journalOf,
  reversalOf,
  writeOffJournalOf,
  type Entry,
  type JournalLine,
} from '../../../src/core/books/rulesJournal.ts'
import { bookedOn, nextPeriod, readPeriod } from '../../../src/core/books/rulesPeriod.ts'
import { BREAK_TYPES } from '../../../src/core/breaks/rulesState.ts'
import { FEE_TYPES, SETTLEMENT_LINE_KINDS } from '../../../src/core/model/settlement.ts'

const minor = fc.integer({ min: -10_000_000, max: 10_000_000 })
const line = (currency: fc.Arbitrary<string>): fc.Arbitrary<JournalLine & { fee_type: (typeof FEE_TYPES)[number] | null }> =>
  fc.record({
    kind: fc.constantFrom(...SETTLEMENT_LINE_KINDS),
    fee_type: fc.option(fc.constantFrom(...FEE_TYPES)),
    currency,
    gross_minor: minor,
    fee_minor: minor,
  }) // prettier-ignore
const settlement = fc.record({
  connection_id: fc.constant('gate'),
  currency: fc.constant('EUR'),
  payout_minor: minor,
  status: fc.constantFrom('pending', 'in_transit', 'paid', 'failed', 'cancelled'),
})
const on = (entries: readonly Entry[], account: string, currency = 'EUR'): number =>
  entries.find((entry) => entry.account === account && entry.currency === currency)?.amount_minor ?? 0

describe('the journal of a payout', () => {
  it('says where every amount goes', () => {
    const lines: JournalLine[] = [
      { kind: 'sale', currency: 'EUR', gross_minor: 10_000, fee_minor: 300 },
      { kind: 'tax', currency: 'EUR', gross_minor: 1_900, fee_minor: 0 },
      { kind: 'facilitator_tax', currency: 'EUR', gross_minor: -1_900, fee_minor: 0 },
      { kind: 'refund', currency: 'EUR', gross_minor: -2_000, fee_minor: 0 },
      { kind: 'fee', fee_type: 'storage', currency: 'EUR', gross_minor: 0, fee_minor: 150 },
      // A source that states the fee as an amount: the same cost.
      { kind: 'fee', fee_type: 'storage', currency: 'EUR', gross_minor: -50, fee_minor: 0 },
      { kind: 'fee_returned', currency: 'EUR', gross_minor: 0, fee_minor: -40 },
      { kind: 'reserve_hold', currency: 'EUR', gross_minor: -500, fee_minor: 0 },
    ]
    const payout = { connection_id: 'gate', currency: 'EUR', payout_minor: 7_040, status: 'paid' }
    expect(journalOf(payout, lines)).toEqual([
      { account: 'clearing:gate', currency: 'EUR', amount_minor: 7_040 },
      { account: 'fees:commission', currency: 'EUR', amount_minor: -40 },
      { account: 'fees:payment', currency: 'EUR', amount_minor: 300 },
      { account: 'fees:storage', currency: 'EUR', amount_minor: 200 },
      { account: 'refunds', currency: 'EUR', amount_minor: 2_000 },
      { account: 'reserves', currency: 'EUR', amount_minor: 500 },
      { account: 'sales', currency: 'EUR', amount_minor: -10_000 },
    ])
  })

  it('keeps a payout that failed off the clearing account', () => {
    const lines: JournalLine[] = [{ kind: 'sale', currency: 'EUR', gross_minor: 100, fee_minor: 0 }]
    const failed = { connection_id: 'gate', currency: 'EUR', payout_minor: 100, status: 'failed' }
    expect(journalOf(failed, lines)).toEqual([
      { account: 'sales', currency: 'EUR', amount_minor: -100 },
      { account: 'transfers', currency: 'EUR', amount_minor: 100 },
    ])
    // The later payout pays it as a row of its own.
    const later = journalOf({ ...failed, status: 'paid' }, [
      { kind: 'transfer', currency: 'EUR', gross_minor: 100, fee_minor: 0 },
    ])
    expect(on(later, 'transfers')).toBe(-100)
  })

  it('balances for any payout, and brings exactly the payout to its account', () => {
    fc.assert(
      fc.property(
        settlement,
        fc.array(line(fc.constantFrom('EUR', 'EUR', 'USD')), { maxLength: 30 }),
        (payout, lines) => {
          const entries = journalOf(payout, lines)
          expect(imbalanceOf(entries)).toEqual({})
          expect(entries.every(({ amount_minor }) => amount_minor !== 0 && Number.isSafeInteger(amount_minor))).toBe(
            true,
          )
          expect(new Set(entries.map(({ account, currency }) => `${account} ${currency}`)).size).toBe(entries.length)
          if (payout.status === 'paid') expect(on(entries, 'clearing:gate')).toBe(payout.payout_minor)
          if (payout.status === 'failed') expect(on(entries, 'clearing:gate')).toBe(0)
        },
      ),
    )
  })

  it('is the same for lines and for their sums', () => {
    fc.assert(
      fc.property(settlement, fc.array(line(fc.constant('EUR')), { maxLength: 30 }), (payout, lines) => {
        const sums = new Map<string, JournalLine>()
        for (const each of lines) {
          const key = `${each.kind} ${each.fee_type}`
          const sum = sums.get(key) ?? { ...each, gross_minor: 0, fee_minor: 0 }
          sums.set(key, {
            ...sum,
            gross_minor: sum.gross_minor + each.gross_minor,
            fee_minor: sum.fee_minor + each.fee_minor,
          })
        }
        expect(journalOf(payout, [...sums.values()])).toEqual(journalOf(payout, lines))
      }),
    )
  })

  it('taken back and posted anew comes to the newest', () => {
    const version = fc.tuple(settlement, fc.array(line(fc.constant('EUR')), { maxLength: 10 }))
    fc.assert(
      fc.property(fc.array(version, { minLength: 1, maxLength: 5 }), (versions) => {
        const journals = versions.map(([payout, lines]) => journalOf(payout, lines))
        const booked = journals.flatMap((journal, index) => [
          ...(index === 0 ? [] : reversalOf(journals[index - 1] ?? [])),
          ...journal,
        ])
        const sums = new Map<string, number>()
        for (const { account, amount_minor } of booked) sums.set(account, (sums.get(account) ?? 0) + amount_minor)
        const left = Object.fromEntries([...sums].filter(([, sum]) => sum !== 0))
        expect(left).toEqual(
          Object.fromEntries((journals.at(-1) ?? []).map(({ account, amount_minor }) => [account, amount_minor])),
        )
      }),
    )
  })

  it('refuses sums that cannot be kept exactly', () => {
    const huge = { kind: 'sale' as const, currency: 'EUR', gross_minor: Number.MAX_SAFE_INTEGER, fee_minor: 0 }
    const payout = { connection_id: 'gate', currency: 'EUR', payout_minor: 0, status: 'paid' }
    expect(() => journalOf(payout, [huge, huge])).toThrow(/too large/)
  })
})

describe('bank and write-off', () => {
  it('balance per currency, also where the bank exchanged', () => {
    fc.assert(
      fc.property(minor, minor, fc.constantFrom('EUR', 'USD'), (clearing_minor, bank_minor, bank_currency) => {
        const entries = bankJournalOf({
          connection_id: 'gate',
          currency: 'EUR',
          clearing_minor,
          bank_currency,
          bank_minor,
        })
        expect(imbalanceOf(entries)).toEqual({})
        if (clearing_minor !== 0) expect(on(entries, 'clearing:gate')).toBe(-clearing_minor)
      }),
    )
  })

  it('takes a loss off the account that held it', () => {
    const held = Object.fromEntries(
      BREAK_TYPES.map((break_type) => {
        const entries = writeOffJournalOf({ break_type, connection_id: 'gate', currency: 'EUR', amount_minor: 700 })
        expect(imbalanceOf(entries)).toEqual({})
        expect(on(entries, 'write_offs')).toBe(700)
        return [break_type, entries.find(({ amount_minor }) => amount_minor < 0)?.account]
      }),
    )
    expect(held).toMatchObject({
      payout_not_in_bank: 'clearing:gate',
      bank_amount_diff: 'clearing:gate',
      payout_failed_after_paid: 'transfers',
      reserve_unreleased: 'reserves',
      fee_variance: 'adjustments',
      bank_without_payout: 'adjustments',
    })
  })
})

describe('periods', () => {
  it('push what belongs into a locked month to the first day of the next open one', () => {
    expect(bookedOn('2026-11-21', new Set())).toBe('2026-11-21')
    expect(bookedOn('2026-11-21', new Set(['2026-11', '2026-12']))).toBe('2027-01-01')
    expect(nextPeriod('2026-09')).toBe('2026-10')
    expect(nextPeriod('0999-12')).toBe('1000-01')
    for (const text of ['2026-13', '2026', '2026-1', "2026-11'"]) expect(() => readPeriod(text)).toThrow(/month/)
  })
})

const entry = (changes: Partial<BookedEntry>): BookedEntry => ({
  company_id: 'acme',
  posted_on: '2026-11-21',
  key: 'settlement:1:1',
  kind: 'settlement',
  connection_id: 'gate',
  settlement_external_id: 'po_1',
  account: 'sales',
  currency: 'EUR',
  amount_minor: -100,
  ...changes,
})

describe('the export', () => {
  const entries = [entry({ account: 'clearing:gate', amount_minor: 100 }), entry({}), entry({ key: 'x', currency: 'USD', amount_minor: 5 }), entry({ key: 'x', account: 'bank', currency: 'USD', amount_minor: -5 })] // prettier-ignore

  it('has one row an entry, a total a currency, and runs no formula', () => {
    const csv = journalsCsv([entry({ connection_id: '=1+1', settlement_external_id: '@x' }), ...entries])
    const rows = parse(csv, { columns: true, record_delimiter: '\r\n' }) as Record<string, string>[]
    expect(rows).toHaveLength(7)
    expect(rows[0]).toMatchObject({
      partner_ref: "'=1+1",
      debit_minor: '0',
      credit_minor: '100',
      memo: 'settlement @x',
    })
    expect(rows.slice(-2)).toMatchObject([
      { journal: 'total', currency: 'EUR', debit_minor: '100', credit_minor: '200' },
      { journal: 'total', currency: 'USD', debit_minor: '5', credit_minor: '5' },
    ])
  })

  it('gives an ERP one document a journal', () => {
    const documents = journalDocuments(entries)
    expect(documents.map(({ journal }) => [journal.key, journal.lines.length])).toEqual([
      ['settlement:1:1', 2],
      ['x', 2],
    ])
    expect(documents[0]?.journal).toMatchObject({
      date: '2026-11-21',
      lines: [
        { account: 'clearing:gate', debit_minor: 100, credit_minor: 0, currency: 'EUR', partner_ref: 'gate', memo: 'settlement po_1' },
        { account: 'sales', debit_minor: 0, credit_minor: 100 },
      ],
    }) // prettier-ignore
    expect(totalsOf(entries)).toEqual([
      { currency: 'EUR', debit_minor: 100, credit_minor: 100 },
      { currency: 'USD', debit_minor: 5, credit_minor: 5 },
    ])
  })
})

describe('the bridge', () => {
  it('goes from what was sold to what is paid out', () => {
    const lines: BridgeLine[] = [
      { kind: 'sale', fee_type: null, gross_minor: 10_000, fee_minor: 300 },
      { kind: 'shipping', fee_type: null, gross_minor: 500, fee_minor: 0 },
      { kind: 'refund', fee_type: null, gross_minor: -2_000, fee_minor: 0 },
      { kind: 'fee', fee_type: 'advertising', gross_minor: 0, fee_minor: 400 },
    ]
    const { steps } = bridgeOf('EUR', 7_799, lines)
    expect(steps.map(({ role, id, amount_minor, to_minor }) => [role, id, amount_minor, to_minor])).toEqual([
      ['change', 'sales', 10_000, 10_000],
      ['change', 'shipping', 500, 10_500],
      ['total', 'gross', 10_500, 10_500],
      ['change', 'refunds', -2_000, 8_500],
      ['change', 'payment_fees', -300, 8_200],
      ['change', 'advertising', -400, 7_800],
      ['change', 'unexplained', -1, 7_799],
      ['total', 'payout', 7_799, 7_799],
    ])
  })

  it('ends at the payout for any lines, each step where the last one ended, and draws inside its frame', () => {
    fc.assert(
      fc.property(minor, fc.array(line(fc.constant('EUR')), { maxLength: 30 }), (payout_minor, lines) => {
        const bridge = bridgeOf('EUR', payout_minor, lines)
        let running = 0
        for (const step of bridge.steps) {
          expect(step.from_minor).toBe(step.role === 'total' ? 0 : running)
          expect(step.to_minor - step.from_minor).toBe(step.amount_minor)
          running = step.to_minor
        }
        expect(running).toBe(payout_minor)
        const svg = bridgeSvg({ name: 'po', connection_id: 'gate', date: '2026-11-21', status: 'paid' }, bridge)
        for (const [, x = '', width = ''] of svg.matchAll(/x="([\d.]+)%" y="\d+" width="([\d.]+)%"/g)) {
          const [from, share] = [Number(x), Number(width)]
          expect(from >= 0 && share > 0 && from + share <= 100.001).toBe(true)
        }
      }),
    )
  })

  it('is text: a name from a vendor is never markup', () => {
    const svg = bridgeSvg(
      { name: `</title><script>alert(1)</script>&"'\u0000`, connection_id: '<b>', date: '2026-11-21', status: 'paid' },
      bridgeOf('EUR', 123_456_789, [{ kind: 'sale', fee_type: null, gross_minor: 123_456_789, fee_minor: 0 }]),
    )
    expect(svg).not.toMatch(/<script|<b>/)
    expect(svg).not.toContain('\u0000')
    expect(svg).toContain('<title id="bridge-title">Payout &lt;/title&gt;')
    expect(svg).toContain('1\u202F234\u202F567.89 EUR')
  })
})
