import { describe, expect, test } from 'vitest'
import { stockKey } from '../../../src/core/inventory/rulesDemand.ts'
import { capacityKey, placeOrder } from '../../../src/core/routing/rulesPlace.ts'
import type { RoutingStep } from '../../../src/core/routing/rulesPlan.ts'
import { LOCATIONS, order, place, plan, step, stock, told, wants } from './demands.ts'

describe('placeOrder by plan', () => {
  test('goes on where a rule cannot serve all, and takes the best part where none can', () => {
    const left = stock({ '1@east': 1, '1@north': 2, '1@south': 3 })
    const rules = [
      step([place('east')], { rule: 'near', otherwise: 'next_rule' }),
      step([place('north')], { rule: 'far', otherwise: 'next_rule' }),
    ]
    const two = placeOrder(left, order([wants(1, 1, 2)], { plan: plan(rules) }))
    expect(told(two.allocations)).toEqual(['1:2@north'])
    expect(two.reasons?.passed_over).toEqual([{ rule: 'near', outcome: '1 of 2 units from one place, the rest waits' }])
    const four = placeOrder(left, order([wants(1, 1, 4)], { plan: plan(rules) }))
    expect(four.reasons).toMatchObject({ rule: 'own ranking', outcome: 'whole split over 2 places' })
    const none = placeOrder(left, order([wants(1, 1, 1)], { plan: plan([step([place('north')], { rule: 'near' })]) }))
    expect(none.reasons?.considered).toEqual([
      { location_id: 'north', verdict: 'has none of it; first by rank (rank 2)' },
    ])
    expect(told(none.allocations)).toEqual(['1:1@-'])
  })

  test('the orders of one batch share what a place can do in a day', () => {
    const left = stock({ '1@east': 9, '1@north': 9 })
    const places = [place('east', { capacity_left: 1 }), place('north')]
    const place1 = (): string[] =>
      told(placeOrder(left, order([wants(1, 1, 1)], { plan: plan([step(places)]) })).allocations)
    expect([place1(), place1()]).toEqual([['1:1@east'], ['1:1@north']])
    expect(left.get(capacityKey('east'))).toBe(1)
  })

  test('asks places of last resort after all others and only for lines that allow them, with and without rules', () => {
    const units = { '1@east': 5, '1@south': 1, '2@east': 5 }
    const lines = [wants(1, 1, 2, { last_resort: true }), wants(2, 2, 1)]
    const change = { last_resort: ['east'] }
    const expected = ['1:1@south', '1:1@east', '2:1@-']
    expect(told(placeOrder(stock(units), order(lines, change)).allocations)).toEqual(expected)
    const steps = [step(LOCATIONS.map((location_id) => place(location_id)))]
    expect(told(placeOrder(stock(units), order(lines, { ...change, plan: plan(steps) })).allocations)).toEqual(expected)
  })

  test('a split whose parts are too small is made otherwise, or not at all', () => {
    const lines = [wants(1, 1, 6)]
    const line_minor = new Map([[1, 100]])
    const split = { locations_max: 10, part_minor_min: 200 }
    const places = ['east', 'north', 'south'].map((location_id) => place(location_id))
    const placed = (units: Record<string, number>) =>
      placeOrder(stock(units), order(lines, { plan: plan([step(places, { split })], line_minor) }))
    // By rank one unit would come from the east.
    expect(told(placed({ '1@east': 1, '1@north': 3, '1@south': 3 }).allocations)).toEqual(['1:3@north', '1:3@south'])
    const forbidden = placed({ '1@east': 5 })
    expect(told(forbidden.allocations)).toEqual(['1:6@-'])
    expect(forbidden.reasons?.outcome).toBe('waits: the split guard forbids it')
  })

  test('sorts by every key, unknown last, and says so', () => {
    const lines = [wants(1, 1, 1)]
    const far = place('north', {
      distance_km: 812,
      priority: 1,
      parcel_minor: 300,
      capacity_left: 5,
      ships_at_ms: 2_000,
    })
    const near = place('south', {
      distance_km: 20,
      priority: 2,
      parcel_minor: 900,
      unit_minor: 1,
      capacity_left: 9,
      ships_at_ms: 1_000,
    })
    const blank = place('east')
    const first = (sort: RoutingStep['sort'][number]): string | undefined =>
      placeOrder(
        stock({ '1@east': 2, '1@north': 7, '1@south': 3 }),
        order(lines, { plan: plan([step([blank, far, near], { sort: [sort] })]) }),
      ).reasons?.chosen[0]
    expect([first('rank'), first('priority'), first('distance'), first('cost')]).toEqual([
      'east',
      'north',
      'south',
      'north',
    ])
    expect([first('stock_balance'), first('capacity'), first('ships_first')]).toEqual(['north', 'east', 'south'])
    const { reasons } = placeOrder(
      stock({ '1@north': 1, '1@south': 1 }),
      order(lines, { plan: plan([step([blank, far, near], { sort: ['distance'] })]) }),
    )
    expect(reasons?.considered).toEqual([
      { location_id: 'south', verdict: 'gives all of it; first by distance (20 km)' },
      { location_id: 'north', verdict: 'has all of it; second by distance (812 km)' },
      { location_id: 'east', verdict: 'has none of it; third by distance (unknown)' },
    ])
  })

  test('twenty places are searched greedily, within milliseconds', () => {
    const many = Array.from({ length: 20 }, (_, index) => `p${String(index).padStart(2, '0')}`)
    const left = new Map(
      many.flatMap((id, index) => [[stockKey(1, id), 1 + index] as const, [stockKey(2, id), index % 3] as const]),
    )
    const lines = [wants(1, 1, 38), wants(2, 2, 2)]
    const places = many.map((id, rank) => place(id, { rank, parcel_minor: 100 + rank, unit_minor: 1 }))
    for (const strategy of ['minimize_splits', 'cheapest'] as const) {
      const { allocations } = placeOrder(
        new Map(left),
        order(lines, { serves_from: many, plan: plan([step(places, { strategy })]) }),
      )
      expect(allocations.every((one) => one.location_id !== null)).toBe(true)
      expect(new Set(allocations.map((one) => one.location_id)).size).toBeLessThanOrEqual(10)
    }
  })

  test('where lines compete so much that the search is given up, what greed finds is taken', () => {
    const ids = Array.from({ length: 12 }, (_, index) => `p${String(index).padStart(2, '0')}`)
    const kit = (line_id: number, units: number, items: number[]) =>
      wants(line_id, 0, units, { components: items.map((item_id) => ({ item_id, per_unit: 1 })) })
    const lines = [kit(1, 6, [1, 2]), kit(2, 6, [2, 3]), kit(3, 6, [3, 1])]
    const left = new Map(
      ids.flatMap((id, index) => [1, 2, 3].map((item) => [stockKey(item, id), 1 + ((index * item) % 2)] as const)),
    )
    const places = ids.map((id, rank) => place(id, { rank, parcel_minor: 100 + rank, unit_minor: 1 }))
    for (const strategy of ['minimize_splits', 'cheapest'] as const) {
      const split = { locations_max: 12 }
      const { allocations, reasons } = placeOrder(
        new Map(left),
        order(lines, { serves_from: ids, plan: plan([step(places, { strategy, split })]) }),
      )
      expect(reasons?.outcome).not.toContain('waits:')
      expect(
        allocations.reduce((sum, one) => sum + (one.location_id === null ? 0 : one.units), 0),
      ).toBeGreaterThanOrEqual(12)
    }
  })
})
