import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  contributionBy,
  MEASURES,
  VIEWS,
  type Charge,
  type ContributionOrder,
} from '../../../src/core/fees/rulesContribution.ts'
import { issueCosts, landedTotals, type CostIssue, type CostLayer } from '../../../src/core/fees/rulesCosts.ts'

describe('landed cost', () => {
  const lines = [
    { sku: 'A', quantity: 10, unit_minor: 300 },
    { sku: 'B', quantity: 30, unit_minor: 100 },
  ]
  it('spreads freight and duty by value or by quantity', () => {
    expect(landedTotals({ allocate_by: 'value', freight_minor: 500, duty_minor: 101, lines })).toEqual([3_301, 3_300])
    expect(landedTotals({ allocate_by: 'quantity', freight_minor: 500, duty_minor: 101, lines })).toEqual([
      3_150, 3_451,
    ])
    const free = lines.map((line) => ({ ...line, unit_minor: 0 }))
    expect(landedTotals({ allocate_by: 'value', freight_minor: 400, duty_minor: 0, lines: free })).toEqual([100, 300])
  })
})

const layer = (at: number, quantity: number, total_minor: number): CostLayer => ({ at, quantity, total_minor })
const issue = (key: string, at: number, quantity: number): CostIssue => ({ key, at, quantity })

describe('what leaves', () => {
  it('takes the oldest units first', () => {
    const layers = [layer(1, 3, 1_000), layer(2, 2, 900)]
    expect(issueCosts('fifo', layers, [issue('a', 3, 1), issue('b', 4, 3), issue('c', 5, 3)])).toEqual([
      { key: 'a', cost_minor: 333, units_without_cost: 0 },
      { key: 'b', cost_minor: 667 + 450, units_without_cost: 0 },
      { key: 'c', cost_minor: 450, units_without_cost: 2 },
    ])
  })

  it('takes the average of what is there', () => {
    const layers = [layer(1, 2, 200), layer(3, 2, 400)]
    // One of two at 1.00; then 1.00 + 4.00 for three units: two of them cost 3.33.
    expect(issueCosts('average', layers, [issue('a', 2, 1), issue('b', 4, 2), issue('c', 5, 1)])).toEqual([
      { key: 'a', cost_minor: 100, units_without_cost: 0 },
      { key: 'b', cost_minor: 333, units_without_cost: 0 },
      { key: 'c', cost_minor: 167, units_without_cost: 0 },
    ])
  })

  it('costs in all what was bought in all, whatever pieces it leaves in', () => {
    const layers = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 0, max: 10_000 })), {
      minLength: 1,
      maxLength: 6,
    })
    const issues = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 20 })
    fc.assert(
      fc.property(layers, issues, fc.constantFrom('fifo' as const, 'average' as const), (bought, left, method) => {
        const stock = bought.map(([quantity, total], index) => layer(index, quantity, total))
        const units = bought.reduce((sum, [quantity]) => sum + quantity, 0)
        const wanted = left.reduce((sum, quantity) => sum + quantity, 0)
        const out = issueCosts(
          method,
          stock,
          left.map((quantity, index) => issue(String(index), index, quantity)),
        )
        const cost = out.reduce((sum, one) => sum + one.cost_minor, 0)
        const total = bought.reduce((sum, [, minor]) => sum + minor, 0)
        expect(out.reduce((sum, one) => sum + one.units_without_cost, 0)).toBe(Math.max(0, wanted - units))
        expect(cost).toBeLessThanOrEqual(total)
        if (wanted >= units) expect(cost).toBe(total)
      }),
    )
  })
})

describe('contribution', () => {
  const orderOf = (id: string, lines: [string, number, number][]): ContributionOrder => ({
    id,
    channel: id < 'o3' ? 'shop' : 'mall',
    lines: lines.map(([sku, quantity, total_minor], index) => ({ id: `${id}-${index}`, sku, quantity, total_minor })),
  })

  it('adds up by hand', () => {
    const orders = new Map([
      [
        'o1',
        orderOf('o1', [
          ['A', 1, 2_000],
          ['B', 1, 1_000],
        ]),
      ],
    ])
    const of = (measure: Charge['measure'], amount_minor: number, line: string | null = null): Charge => ({
      measure, currency: 'EUR', amount_minor, order: 'o1', channel: 'shop', line }) // prettier-ignore
    const charges = [
      of('sales', 3_000),
      of('tax', 478),
      of('commission', 451),
      of('landed', 700, 'o1-0'),
      of('refunds', 100, 'o1-1'),
    ]
    expect(contributionBy('order', orders, charges)).toMatchObject([{ key: 'o1', contribution_minor: 1_271 }])
    expect(contributionBy('sku', orders, charges)).toMatchObject([
      {
        key: 'A',
        sales_minor: 2_000,
        tax_minor: 319,
        commission_minor: 301,
        landed_minor: 700,
        contribution_minor: 680,
      },
      {
        key: 'B',
        sales_minor: 1_000,
        tax_minor: 159,
        commission_minor: 150,
        refunds_minor: 100,
        contribution_minor: 591,
      },
    ])
  })

  it('sums to the same in every view, to the cent', () => {
    const line = fc.tuple(
      fc.constantFrom('A', 'B', 'C'),
      fc.integer({ min: 0, max: 5 }),
      fc.integer({ min: 0, max: 9_999 }),
    )
    const lines = fc.array(fc.array(line, { maxLength: 4 }), { minLength: 1, maxLength: 5 })
    const charge = fc.record({
      measure: fc.constantFrom(...MEASURES),
      currency: fc.constantFrom('EUR', 'USD'),
      amount_minor: fc.integer({ min: -100_000, max: 100_000 }),
      order: fc.constantFrom('o0', 'o1', 'o2', 'o3', 'o4', 'o9', null),
      channel: fc.constantFrom('shop', 'mall'),
      line: fc.constantFrom('o1-0', 'o2-1', null),
    })
    fc.assert(
      fc.property(lines, fc.array(charge, { maxLength: 30 }), (made, charges) => {
        const orders = new Map(made.map((own, index) => [`o${index}`, orderOf(`o${index}`, own)]))
        const naive = Object.fromEntries(
          ['EUR', 'USD'].map((currency) => [
            currency,
            charges
              .filter((one) => one.currency === currency)
              .reduce((sum, one) => sum + (one.measure === 'sales' ? 1 : -1) * one.amount_minor, 0),
          ]),
        )
        for (const view of VIEWS) {
          const sums: Record<string, number> = { EUR: 0, USD: 0 }
          for (const row of contributionBy(view, orders, charges)) {
            sums[row.currency] = (sums[row.currency] ?? 0) + row.contribution_minor
            const parts = MEASURES.reduce((sum, one) => sum + (one === 'sales' ? 1 : -1) * row[`${one}_minor`], 0)
            expect(parts).toBe(row.contribution_minor)
          }
          expect(sums).toEqual(naive)
        }
      }),
    )
  })
})
