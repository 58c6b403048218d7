import { describe, expect, it } from 'vitest'
import { chooseRate, type ServiceDemand } from '../../../src/core/labels/rulesService.ts'
import { weighParcel } from '../../../src/core/labels/rulesParcel.ts'
import type { Rate } from '../../../src/core/model/effects.ts'
import type { ShippingRule } from '../../../src/core/model/label.ts'

const rate = (carrier: string, amount_minor: number, changes: Partial<Rate> = {}): Rate => ({
  external_id: `${carrier}-${amount_minor}`,
  carrier,
  service: 'Parcel',
  currency: 'EUR',
  amount_minor,
  days: 2,
  guaranteed: false,
  ...changes,
})
/** A Friday. */
const FRIDAY = Date.parse('2026-11-20T15:00:00Z')
const demand = (changes: Partial<ServiceDemand> = {}): ServiceDemand => ({
  country: 'DE',
  service_level: null,
  weight_g: 800,
  currency: 'EUR',
  leaves_at_ms: FRIDAY,
  deliver_by_ms: null,
  ...changes,
})
const choose = (rates: readonly Rate[], rules: readonly ShippingRule[] = [], changes: Partial<ServiceDemand> = {}) =>
  chooseRate(rates, rules, demand(changes))
const taken = (...args: Parameters<typeof choose>): string => {
  const choice = choose(...args)
  return choice.kind === 'chosen' ? choice.rate.external_id : choice.reason
}

describe('the shipping rule', () => {
  it('takes the cheapest where nothing else is asked for', () => {
    expect(taken([rate('B', 500), rate('A', 400), rate('C', 900)])).toBe('A-400')
  })

  it('keeps the promised day, counting the days on which carriers work', () => {
    const rates = [rate('Slow', 300, { days: 2 }), rate('Quick', 700, { days: 1 })]
    // Two working days after a Friday is a Tuesday; one is the Monday.
    expect(taken(rates, [], { deliver_by_ms: Date.parse('2026-11-24T08:00:00Z') })).toBe('Slow-300')
    expect(taken(rates, [], { deliver_by_ms: Date.parse('2026-11-23T08:00:00Z') })).toBe('Quick-700')
    const refused = choose(rates, [], { deliver_by_ms: Date.parse('2026-11-21T08:00:00Z') })
    expect(refused).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('after the promised day') as string,
    })
    expect(refused.offered.map(({ out }) => out)).toEqual(['after the promised day', 'after the promised day'])
  })

  it('trusts no offer that names no day where one was promised', () => {
    const rates = [rate('Vague', 100, { days: null }), rate('Sure', 700)]
    expect(taken(rates)).toBe('Vague-100')
    expect(taken(rates, [], { deliver_by_ms: Date.parse('2026-12-24T08:00:00Z') })).toBe('Sure-700')
    expect(taken(rates, [{ name: 'r', days_max: 5 }])).toBe('Sure-700')
  })

  it('lets the first rule decide whose country, weight and service level fit', () => {
    const rules: ShippingRule[] = [
      { name: 'express', service_levels: ['express'], days_max: 1 },
      { name: 'abroad', countries: ['AT', 'NL'], carriers: ['Far'] },
      { name: 'light', weight_g_max: 500, services: ['Letter'] },
      { name: 'rest', amount_minor_max: 600 },
    ]
    const rates = [
      rate('Near', 400),
      rate('Far', 800, { days: 4 }),
      rate('Near', 200, { service: 'Letter' }),
      rate('Fast', 1_500, { days: 1 }),
    ]
    const ruleOf = (changes: Partial<ServiceDemand>) => choose(rates, rules, changes).rule
    expect([
      ruleOf({ service_level: 'express' }),
      ruleOf({ country: 'AT' }),
      ruleOf({ weight_g: 300 }),
      ruleOf({}),
    ]).toEqual(['express', 'abroad', 'light', 'rest'])
    expect(taken(rates, rules, { service_level: 'express' })).toBe('Fast-1500')
    expect(taken(rates, rules, { country: 'AT' })).toBe('Far-800')
    expect(taken(rates, rules, { weight_g: 300 })).toBe('Near-200')
    expect(taken([rate('Near', 601)], rules)).toContain('too dear')
    // A place without any country is none of those that a rule names.
    expect(ruleOf({ country: null })).toBe('rest')
  })

  it('compares within one currency, and guaranteed days only where they are asked for', () => {
    expect(taken([rate('A', 100, { currency: 'USD' }), rate('B', 900)])).toBe('B-900')
    expect(taken([rate('A', 100), rate('B', 900, { guaranteed: true })], [{ name: 'r', guaranteed: true }])).toBe(
      'B-900',
    )
  })

  it('chooses the same of equal offers in whatever order they come', () => {
    const equal = [
      rate('B', 500, { external_id: 'x2' }),
      rate('A', 500, { external_id: 'x9', days: 3 }),
      rate('A', 500, { external_id: 'x5' }),
      rate('A', 500, { external_id: 'x1', guaranteed: true, days: 3 }),
      rate('A', 500, { external_id: 'x4' }),
    ]
    const orders = [equal, equal.toReversed(), [...equal.slice(2), ...equal.slice(0, 2)]]
    expect(orders.map((rates) => taken(rates))).toEqual(['x4', 'x4', 'x4'])
    expect(choose(equal).offered.map(({ external_id }) => external_id)).toEqual(['x4', 'x5', 'x2', 'x1', 'x9'])
  })

  it('refuses without offers, and names a few of many that will not do', () => {
    expect(choose([])).toMatchObject({ kind: 'refused', reason: 'no carrier offers to take the parcel' })
    const many = Array.from({ length: 9 }, (_, index) => rate(`C${index}`, 1_000 + index))
    const refused = choose(many, [{ name: 'cheap', amount_minor_max: 1 }])
    expect(refused).toMatchObject({
      kind: 'refused',
      reason: expect.stringMatching(/^none of 9 offers.*and 4 more$/) as string,
    })
  })
})

describe('the weight of a parcel', () => {
  const parcel = { unit_weight_g: 500, packaging_g: 100, size_mm: [400, 300, 200] }
  it('is that of its units and its packaging', () => {
    const items = [
      { quantity: 3, weight_g: 120, size_mm: null },
      { quantity: 2, weight_g: null, size_mm: null },
    ]
    expect(weighParcel(items, parcel)).toEqual({ weight_g: 1_460, size_mm: [400, 300, 200] })
    expect(weighParcel([{ quantity: 1, weight_g: 1, size_mm: null }], { unit_weight_g: 500 })).toEqual({
      weight_g: 1,
      size_mm: null,
    })
  })
  it('and its size that of the pile, as soon as every size is known', () => {
    const items = [
      { quantity: 2, weight_g: 1, size_mm: [10, 200, 100] },
      { quantity: 1, weight_g: 1, size_mm: [50, 60, 300] },
    ]
    expect(weighParcel(items, parcel).size_mm).toEqual([300, 100, 70])
    expect(weighParcel([...items, { quantity: 1, weight_g: 1, size_mm: null }], parcel).size_mm).toEqual([
      400, 300, 200,
    ])
  })
})
