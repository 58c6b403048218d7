import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adaptiveUnits,
  effectiveLagMs,
  LAG_UNMEASURED_MS,
  peakUnits,
} from '../../../src/core/availability/rulesAdaptive.ts'
import { judgeSource } from '../../../src/core/availability/rulesDistrust.ts'
import { judgeShown } from '../../../src/core/availability/rulesDrift.ts'
import { listingRules } from '../../../src/core/availability/rulesListing.ts'
import { effectiveRule, ruleFault, ruleOrigins, type StockRule } from '../../../src/core/availability/rulesStock.ts'

describe('the adaptive buffer', () => {
  it('is what the others sell while the channel has not been told, times the weight, rounded up and bounded', () => {
    const risk = { lag_ms: 60_000, units_per_hour: 90, weight: 2, units_max: 50 }
    expect(adaptiveUnits(risk)).toBe(3)
    expect(adaptiveUnits({ ...risk, units_per_hour: 91 })).toBe(4)
    expect(adaptiveUnits({ ...risk, lag_ms: 3_600_000 })).toBe(50)
    expect(peakUnits(4)).toBe(8)
  })

  it('grows with lag, velocity and weight, is zero when any of them is, and never exceeds its bound', () => {
    const whole = fc.integer({ min: 0, max: 1_000_000 })
    const input = fc.record({
      lag_ms: whole,
      units_per_hour: fc.integer({ min: 0, max: 5_000 }),
      weight: fc.nat(100),
      units_max: whole,
    })
    fc.assert(
      fc.property(input, fc.nat(1_000), (risk, more) => {
        const units = adaptiveUnits(risk)
        expect(units).toBeGreaterThanOrEqual(0)
        expect(units).toBeLessThanOrEqual(risk.units_max)
        for (const field of ['lag_ms', 'units_per_hour', 'weight'] as const) {
          expect(adaptiveUnits({ ...risk, [field]: risk[field] + more })).toBeGreaterThanOrEqual(units)
          expect(adaptiveUnits({ ...risk, [field]: 0 })).toBe(0)
        }
      }),
    )
  })

  it('counts the silence of a channel or of a place where it is longer than the measured lag', () => {
    const facts = { now_ms: 1_000_000, measured_ms: 500, silent_since_ms: null, distrusted_since_ms: null }
    expect(effectiveLagMs(facts)).toBe(500)
    expect(effectiveLagMs({ ...facts, measured_ms: null })).toBe(LAG_UNMEASURED_MS)
    expect(effectiveLagMs({ ...facts, silent_since_ms: 400_000 })).toBe(600_000)
    expect(effectiveLagMs({ ...facts, silent_since_ms: 400_000, distrusted_since_ms: 100_000 })).toBe(900_000)
  })
})

describe('whether a place is to be trusted', () => {
  const hour = 60 * 60_000
  const facts = { now_ms: 10 * hour, stale_after_minutes: 60, counted_ms: 9.5 * hour, connection_down_since_ms: null }
  it.each([
    ['counted lately', {}, null],
    ['no bound set', { stale_after_minutes: null, counted_ms: 0 }, null],
    ['exactly at the bound', { counted_ms: 9 * hour }, null],
    ['too long ago', { counted_ms: 8 * hour }, { because: 'no_count', silent_since_ms: 8 * hour }],
    ['never counted', { counted_ms: null }, null],
    ['its connection just down', { connection_down_since_ms: 9.2 * hour }, null],
    [
      'its connection long down',
      { connection_down_since_ms: 5 * hour },
      { because: 'connection_down', silent_since_ms: 5 * hour },
    ],
  ])('%s', (_, change, verdict) => {
    expect(judgeSource({ ...facts, ...change })).toEqual(verdict)
  })
})

describe('what a channel shows', () => {
  const facts = {
    shown: 7,
    proven_quantity: 10,
    sold_before: 3,
    sold_now: 3,
    low_since_ms: null,
    orders_complete: true,
  }
  it.each([
    ['what is proven less what was sold', {}, 'agrees'],
    ['an order that came during the question, in the number already', { sold_now: 5, shown: 5 }, 'agrees'],
    ['the same, not in it yet', { sold_now: 5, shown: 7 }, 'agrees'],
    ['a return during the question', { sold_now: 2, shown: 8 }, 'agrees'],
    ['more than was proven', { shown: 8 }, 'drifted'],
    ['less, seen for the first time', { shown: 6 }, 'may_be_sold'],
    ['less, while orders may still come', { shown: 6, low_since_ms: 1, orders_complete: false }, 'may_be_sold'],
    ['less, and no order has come', { shown: 6, low_since_ms: 1 }, 'drifted'],
  ] as const)('%s', (_, change, verdict) => {
    expect(judgeShown({ ...facts, ...change })).toBe(verdict)
  })
})

const NOTHING = {
  company_id: 'acme', connection_id: null, item_id: null, location_id: null, safety_units: null, buffer_units: null,
  buffer_percent: null, share_percent: null, cap: null, zero_below: null, backorder: null, backorder_units_max: null,
} satisfies StockRule // prettier-ignore
const rule = (change: Partial<StockRule>): StockRule => ({ ...NOTHING, ...change })

describe('stock rules', () => {
  const scope = { company_id: 'acme', connection_id: 'shop', item_id: 7, location_id: null }

  it('take each field from the most specific rule that sets it', () => {
    const rules = [
      rule({ buffer_units: 1, cap: 100, zero_below: 2 }),
      rule({ connection_id: 'shop', buffer_units: 2, cap: 50 }),
      rule({ item_id: 7, buffer_units: 3 }),
      rule({ item_id: 7, connection_id: 'shop', share_percent: 80 }),
      rule({ item_id: 7, connection_id: 'mall', buffer_units: 9 }),
      rule({ company_id: 'other', buffer_units: 99, backorder: 'drop_ship' }),
    ]
    expect(effectiveRule(rules, scope)).toMatchObject({
      buffer_units: 3, cap: 50, zero_below: 2, share_percent: 80, backorder: null, safety_units: null,
    }) // prettier-ignore
    expect(ruleOrigins(rules, scope).buffer_units).toBe(rules[2])
    expect(effectiveRule([], scope).cap).toBeNull()
  })

  it('prefer the item to the connection, and that to the place', () => {
    const at = { ...scope, location_id: 'north' }
    const [item, connection, place] = [
      rule({ item_id: 7, safety_units: 1 }),
      rule({ connection_id: 'shop', safety_units: 2 }),
      rule({ location_id: 'north', safety_units: 3 }),
    ]
    expect(effectiveRule([place, connection, item], at).safety_units).toBe(1)
    expect(effectiveRule([place, connection], at).safety_units).toBe(2)
    expect(effectiveRule([place], at).safety_units).toBe(3)
    expect(effectiveRule([place], scope).safety_units).toBeNull()
  })

  it('hold for a bundle as its most guarded item has them; ordering ahead asks the components too', () => {
    const own = {
      shortfall: 'backorder',
      availability: { buffer: 1, buffer_percent: 0, cap: null, share_percent: 100, zero_below: 0 },
    } as const
    const rules = [
      rule({ item_id: 1, cap: 9, share_percent: 50, backorder_units_max: 8 }),
      rule({ item_id: 2, cap: 5, buffer_units: 0 }),
      rule({ item_id: 3, buffer_units: 70, backorder_units_max: 4 }),
    ]
    const names = { company_id: 'acme', connection_id: 'shop' }
    expect(listingRules(rules, names, { item_ids: [1, 2], component_ids: [3] }, own)).toEqual({
      share_percent: 50, cap: 5, buffer: 1, buffer_percent: 0, zero_below: 0, backorder: 'backorder', backorder_units_max: 4,
    }) // prettier-ignore
    const mixed = [
      ...rules,
      rule({ item_id: null, connection_id: 'shop', backorder: 'drop_ship' }),
      rule({ item_id: 2, connection_id: 'shop', backorder: 'deny' }),
    ]
    expect(listingRules(mixed, names, { item_ids: [1], component_ids: [3] }, own).backorder).toBe('drop_ship')
    expect(listingRules(mixed, names, { item_ids: [1], component_ids: [2, 3] }, own).backorder).toBe('deny')
    // A rule for everything on the channel does not speak of a kit; one that names the kit does.
    const partial = { ...own, shortfall: 'partial' } as const
    const drop = rule({ item_id: 3, backorder: 'drop_ship' })
    expect(listingRules([drop], names, { item_ids: [1], component_ids: [3] }, partial).backorder).toBe('drop_ship')
    const never = rule({ item_id: 1, backorder: 'deny' })
    expect(listingRules([drop, never], names, { item_ids: [1], component_ids: [3] }, partial).backorder).toBe('deny')
  })

  it('have to set something, and for one place only what one place has', () => {
    expect(ruleFault({ location_id: null }, {})).toBe('the rule sets nothing')
    expect(ruleFault({ location_id: null }, { cap: 0 })).toBeNull()
    expect(ruleFault({ location_id: 'north' }, { safety_units: 4 })).toBeNull()
    expect(ruleFault({ location_id: 'north' }, { safety_units: 4, cap: 4 })).toContain('cap is about all places')
  })
})
