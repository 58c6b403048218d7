import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { allocate, proportionOf, shareOf } from '../../../src/core/fees/rulesAmounts.ts'
import { expectedFee, tariffFaults, type Charge, type ChargeContext } from '../../../src/core/fees/rulesTariff.ts'
import { checker } from '../../../src/core/model/validate.ts'
import { TariffDocument, type TariffClause } from '../../../src/core/model/tariff.ts'

const charge = (changes: Partial<Charge> = {}): Charge => ({
  kind: 'commission',
  fee_type: null,
  sku: 'TV-1',
  quantity: 1,
  currency: 'EUR',
  ...changes,
})
const sale = (sale_minor: number, changes: Partial<ChargeContext> = {}): ChargeContext => ({
  amounts: { sale: sale_minor },
  month_volume_minor: 0,
  side: 'sale',
  sold_minor: null,
  ...changes,
})
const refund = (refunded: number, sold_minor: number | null): ChargeContext => ({
  amounts: { refund: -refunded },
  month_volume_minor: 0,
  side: 'refund',
  sold_minor,
})
const tariff = (clause: Omit<TariffClause, 'id'>, changes: Partial<TariffDocument> = {}): TariffDocument => ({
  currency: 'EUR',
  clauses: [{ id: 'c', ...clause }],
  ...changes,
})
const fee = (document: TariffDocument, context: ChargeContext, changes: Partial<Charge> = {}): number => {
  const result = expectedFee(document, charge(changes), context)
  if (result.kind === 'not_judged') throw new Error(result.reason)
  return result.expected_minor
}

describe('a fee by its tariff, worked out by hand', () => {
  it.each<[string, Omit<TariffClause, 'id'>, number, number]>([
    ['2.9 % + 0.30 of 100.00', { percent_bp: 290, fixed_minor: 30 }, 10_000, 320],
    ['2.9 % of 19.99 is 0.57971', { percent_bp: 290 }, 1_999, 58],
    ['1.25 % of 0.40 is 0.005, half up', { percent_bp: 125 }, 40, 1],
    ['8 % with a minimum of 0.30: 2.00 pays 0.30', { percent_bp: 800, min_minor: 30 }, 200, 30],
    ['10 % with a maximum of 5.00: 80.00 pays 5.00', { percent_bp: 1_000, max_minor: 500 }, 8_000, 500],
    ['15 % and 19 % VAT on it: 100.00 pays 17.85', { percent_bp: 1_500, vat_bp: 1_900 }, 10_000, 1_785],
    ['a fixed fee alone', { fixed_minor: 35 }, 999_999, 35],
  ])('%s', (_, clause, basis, expected) => {
    expect(fee(tariff(clause), sale(basis))).toBe(expected)
  })

  it('counts a fixed part by unit where that was agreed', () => {
    expect(fee(tariff({ fixed_minor: 25, fixed_per: 'unit' }), sale(1_000), { quantity: 4 })).toBe(100)
  })

  it('goes up in steps: the whole amount at the step’s rate, or each slice at its own', () => {
    const steps = [
      { from_minor: 0, percent_bp: 1_500 },
      { from_minor: 20_000, percent_bp: 800 },
    ]
    const whole = tariff({ tiers: { by: 'amount', mode: 'whole', steps } })
    expect([19_999, 20_000, 30_000].map((basis) => fee(whole, sale(basis)))).toEqual([3_000, 1_600, 2_400])
    // 200.00 × 15 % + 100.00 × 8 %
    const marginal = tariff({ tiers: { by: 'amount', mode: 'marginal', steps } })
    expect([19_999, 20_000, 30_000].map((basis) => fee(marginal, sale(basis)))).toEqual([3_000, 3_000, 3_800])
    const volume = tariff({ tiers: { by: 'month_volume', mode: 'whole', steps } })
    expect(fee(volume, sale(10_000, { month_volume_minor: 19_999 }))).toBe(1_500)
    expect(fee(volume, sale(10_000, { month_volume_minor: 20_000 }))).toBe(800)
  })

  it('takes the first clause that fits: kind, fee type, category, SKU', () => {
    const document: TariffDocument = {
      currency: 'EUR',
      categories: { screens: ['TV-', 'MON-'] },
      clauses: [
        { id: 'screens', when: { kinds: ['commission'], categories: ['screens'] }, percent_bp: 700 },
        { id: 'cables', when: { sku_prefixes: ['CAB'] }, percent_bp: 2_000 },
        { id: 'storage', when: { kinds: ['fee'], fee_types: ['storage'] }, fixed_minor: 99 },
        { id: 'rest', when: { kinds: ['commission'] }, percent_bp: 1_500 },
      ],
    }
    const clauseOf = (changes: Partial<Charge>) => expectedFee(document, charge(changes), sale(10_000))
    expect(clauseOf({})).toMatchObject({ clause: 'screens', expected_minor: 700 })
    expect(clauseOf({ sku: 'CAB-9' })).toMatchObject({ clause: 'cables', expected_minor: 2_000 })
    expect(clauseOf({ sku: null })).toMatchObject({ clause: 'rest', expected_minor: 1_500 })
    expect(clauseOf({ kind: 'fee', fee_type: 'storage' })).toMatchObject({ clause: 'storage', expected_minor: 99 })
    expect(clauseOf({ kind: 'fee', fee_type: 'inbound' })).toEqual({ kind: 'not_judged', reason: 'no_clause' })
    expect(clauseOf({ currency: 'USD' })).toEqual({ kind: 'not_judged', reason: 'currency' })
    expect(
      expectedFee({ ...document, unlisted: 'claim' }, charge({ kind: 'dispute_fee', sku: null }), sale(0)),
    ).toEqual({
      kind: 'unlisted',
      expected_minor: 0,
    })
  })

  it('can be of other rows than the sale', () => {
    const context = sale(0, { amounts: { sale: 10_000, shipping: 500, promotion: -1_000, commission: 1_425 } })
    expect(fee(tariff({ percent_bp: 1_500, basis: ['sale', 'shipping', 'promotion'] }), context)).toBe(1_425)
    expect(fee(tariff({ percent_bp: 1_900, basis: ['commission'] }), context)).toBe(271)
  })

  it('comes back with a refund as agreed', () => {
    const returned = { percent: 'returned', fixed: 'kept' } as const
    const clause = { percent_bp: 1_500, fixed_minor: 30 }
    // Of 100.00 the fee was 15.30; with 40.00 refunded, 6.00 comes back.
    expect(fee(tariff({ ...clause, refund: returned }), refund(4_000, 10_000))).toBe(-600)
    expect(fee(tariff({ ...clause, refund: { percent: 'returned', fixed: 'returned' } }), refund(4_000, 10_000))).toBe(
      -612,
    )
    expect(fee(tariff({ ...clause, refund: { percent: 'kept', fixed: 'kept' } }), refund(4_000, 10_000))).toBe(0)
    // The lesser of 5.00 and 20 % of what comes back is kept: 15.00 less 3.00, 75.00 less 5.00.
    const administration = { percent_bp: 2_000, max_minor: 500 }
    expect(fee(tariff({ percent_bp: 1_500, refund: { ...returned, administration } }), refund(10_000, 10_000))).toBe(
      -1_200,
    )
    expect(fee(tariff({ percent_bp: 1_500, refund: { ...returned, administration } }), refund(50_000, 50_000))).toBe(
      -7_000,
    )
    // A minimum of 0.30 on a sale of 1.00 comes back whole; more refunded than sold returns no more than was charged.
    expect(fee(tariff({ percent_bp: 800, min_minor: 30, refund: returned }), refund(100, 100))).toBe(-30)
    expect(fee(tariff({ percent_bp: 1_000, refund: returned }), refund(150, 100))).toBe(-15)
  })
})

describe('amounts', () => {
  const amount = fc.integer({ min: -1_000_000_000, max: 1_000_000_000 })

  it('round a share half up by magnitude, as a naive count in tenths of a basis point says', () => {
    fc.assert(
      fc.property(amount, fc.integer({ min: 0, max: 10_000 }), (basis, percent_bp) => {
        const doubled = 2 * Math.abs(basis) * percent_bp
        const naive = Math.floor((doubled + 10_000) / 20_000)
        expect(Math.abs(shareOf(basis, percent_bp))).toBe(naive)
        expect(Math.sign(shareOf(basis, percent_bp))).toBe(naive === 0 ? 0 : Math.sign(basis))
      }),
    )
  })

  it('are split to the cent, each part within one unit of its exact share', () => {
    const weights = fc.array(fc.integer({ min: 0, max: 1_000_000 }), { minLength: 1, maxLength: 12 })
    fc.assert(
      fc.property(amount, weights, (total, shares) => {
        const whole = shares.reduce((sum, share) => sum + share, 0)
        const parts = allocate(total, shares)
        if (parts === null) return expect(whole).toBe(0)
        expect(parts.reduce((sum, part) => sum + part, 0)).toBe(total)
        for (const [index, part] of parts.entries()) {
          const exact = (total * (shares[index] ?? 0)) / whole
          expect(Math.abs(part - exact)).toBeLessThan(1 + 1e-3)
        }
      }),
    )
  })

  it('refuse what a number cannot hold', () => {
    expect(() => proportionOf(Number.MAX_SAFE_INTEGER, 3, 1)).toThrow(RangeError)
    expect(proportionOf(Number.MAX_SAFE_INTEGER, 7, 7)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('a tariff document', () => {
  it('is checked by its schema and for what a schema cannot see', () => {
    const check = checker(TariffDocument)
    expect(() => check({ currency: 'EUR', clauses: [{ id: 'a', percent_bp: 2.5 }] })).toThrow(/percent_bp/)
    const messages = (clauses: TariffClause[]): string[] =>
      tariffFaults({ currency: 'EUR', clauses }).map(({ path, message }) => `${path.join('.')} ${message}`)
    expect(
      messages([
        { id: 'a', percent_bp: 1 },
        { id: 'b', fixed_minor: 1 },
      ]),
    ).toEqual([])
    expect(
      messages([
        { id: 'a' },
        { id: 'a', percent_bp: 1, min_minor: 2, max_minor: 1, when: { categories: ['none'] } },
        {
          id: 'm',
          tiers: { by: 'month_volume', mode: 'marginal', steps: [{ from_minor: 1, percent_bp: 1, fixed_minor: 1 }] },
        },
      ]),
    ).toHaveLength(7)
  })
})
