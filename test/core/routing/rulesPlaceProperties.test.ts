import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { stockKey, type LineDemand } from '../../../src/core/inventory/rulesDemand.ts'
import { placeOrder } from '../../../src/core/routing/rulesPlace.ts'
import { ITEMS, LOCATIONS, order, place, plan, step, taken, wants } from './demands.ts'

const stockArb = fc
  .array(fc.integer({ min: 0, max: 4 }), { minLength: 12, maxLength: 12 })
  .map(
    (units) =>
      new Map(units.map((count, index) => [stockKey(ITEMS[index % 3]!, LOCATIONS[Math.floor(index / 3)]!), count])),
  )

const linesArb = fc
  .array(
    fc.record({
      units: fc.integer({ min: 1, max: 4 }),
      last_resort: fc.boolean(),
      components: fc.uniqueArray(
        fc.record({ item_id: fc.constantFrom(...ITEMS), per_unit: fc.integer({ min: 1, max: 2 }) }),
        {
          minLength: 1,
          maxLength: 2,
          selector: (component) => component.item_id,
        },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  )
  .map((lines): LineDemand[] => lines.map((line, index) => ({ ...line, line_id: index })))

/** Lines that do not compete for an item. */
const plainLinesArb = fc
  .uniqueArray(fc.record({ item_id: fc.constantFrom(...ITEMS), units: fc.integer({ min: 1, max: 5 }) }), {
    minLength: 1,
    maxLength: 3,
    selector: (line) => line.item_id,
  })
  .map((lines) => lines.map(({ item_id, units }, index) => wants(index, item_id, units)))

const placesArb = fc.tuple(
  ...LOCATIONS.map((location_id) =>
    fc
      .record({
        priority: fc.integer({ min: 1, max: 2 }),
        distance_km: fc.option(fc.integer({ min: 0, max: 3 })),
        capacity_left: fc.option(fc.integer({ min: 0, max: 1 })),
        // A parcel is never cheaper than a further unit in it.
        unit_minor: fc.integer({ min: 0, max: 5 }),
        parcel_more: fc.integer({ min: 0, max: 9 }),
        refuses: fc.subarray(ITEMS, { maxLength: 1 }),
      })
      .map(({ parcel_more, refuses, ...made }) =>
        place(location_id, { ...made, parcel_minor: made.unit_minor + parcel_more, refuses_items: new Set(refuses) }),
      ),
  ),
)

const stepArb = fc.record({
  places: placesArb.chain((places) => fc.subarray(places)),
  sort: fc.shuffledSubarray(
    ['rank', 'priority', 'distance', 'cost', 'stock_balance', 'capacity', 'ships_first'] as const,
    {
      minLength: 1,
      maxLength: 3,
    },
  ),
  strategy: fc.constantFrom('single_location_first' as const, 'minimize_splits' as const, 'cheapest' as const),
  split: fc.record({ locations_max: fc.integer({ min: 1, max: 4 }), part_minor_min: fc.integer({ min: 0, max: 300 }) }),
  otherwise: fc.constantFrom('next_rule' as const, 'wait' as const),
})

/** Every way to serve these lines whole, by brute force. */
function* waysToServe(
  left: Map<string, number>,
  lines: readonly LineDemand[],
  index = 0,
  at = 0,
  missing = lines[0]?.units ?? 0,
): Generator<Map<string, number>> {
  const line = lines[index]
  if (line === undefined) yield new Map()
  else if (missing === 0) yield* waysToServe(left, lines, index + 1, 0, lines[index + 1]?.units ?? 0)
  else if (at < LOCATIONS.length) {
    const location = LOCATIONS[at]!
    for (let units = 0; units <= missing; units += 1) {
      const keys = line.components.map((part) => [stockKey(part.item_id, location), part.per_unit * units] as const)
      if (keys.some(([key, need]) => (left.get(key) ?? 0) < need)) break
      for (const [key, need] of keys) left.set(key, (left.get(key) ?? 0) - need)
      for (const way of waysToServe(left, lines, index, at + 1, missing - units))
        yield units === 0 ? way : new Map([...way, [location, (way.get(location) ?? 0) + units]])
      for (const [key, need] of keys) left.set(key, (left.get(key) ?? 0) + need)
    }
  }
}

describe('placeOrder by plan', () => {
  test('promises no more than is left, accounts for every unit, and keeps all-or-nothing whole', () => {
    fc.assert(
      fc.property(
        stockArb,
        linesArb,
        fc.array(stepArb, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('partial' as const, 'all_or_nothing' as const, 'backorder' as const),
        fc.subarray(LOCATIONS),
        (before, lines, steps, shortfall, last_resort) => {
          const left = new Map(before)
          const named = steps.map((one, index) => step(one.places, { ...one, rule: `rule ${index}` }))
          const demand = order(lines, { plan: plan(named), shortfall, last_resort })
          const { allocations, reasons } = placeOrder(left, demand)
          for (const [key, units] of taken(allocations)) {
            expect(units).toBeLessThanOrEqual(before.get(key) ?? 0)
            expect(left.get(key)).toBe((before.get(key) ?? 0) - units)
          }
          for (const line of lines) {
            const own = allocations.filter((one) => one.line.line_id === line.line_id)
            expect(own.reduce((sum, one) => sum + one.units, 0)).toBe(line.units)
            for (const { location_id } of own)
              if (location_id !== null && last_resort.includes(location_id)) expect(line.last_resort).toBe(true)
          }
          const missing = allocations.filter((one) => one.location_id === null)
          if (shortfall === 'all_or_nothing') expect([0, allocations.length]).toContain(missing.length)
          expect(reasons?.chosen.toSorted()).toEqual(
            [...new Set(allocations.flatMap((one) => one.location_id ?? []))].toSorted(),
          )
          expect(`${reasons?.outcome.startsWith('waits')}`).toBe(`${missing.length === allocations.length}`)
        },
      ),
      { numRuns: 1_000 },
    )
  })

  test('never violates the guard, takes nothing a place refuses and nothing from a place that is full', () => {
    fc.assert(
      fc.property(stockArb, linesArb, stepArb, (before, lines, one) => {
        const line_minor = new Map(lines.map((line) => [line.line_id, 100]))
        const { allocations } = placeOrder(
          new Map(before),
          order(lines, { plan: plan([step(one.places, { ...one, otherwise: 'wait' })], line_minor) }),
        )
        const parts = Map.groupBy(allocations, (allocation) => allocation.location_id)
        const locations = [...parts.keys()].filter((location_id) => location_id !== null)
        expect(locations.length).toBeLessThanOrEqual(one.split.locations_max)
        if (locations.length > 0 && parts.size > 1) {
          for (const part of parts.values())
            expect(part.reduce((sum, { units }) => sum + units * 100, 0)).toBeGreaterThanOrEqual(
              one.split.part_minor_min,
            )
        }
        for (const { location_id, line } of allocations) {
          const from = one.places.find((candidate) => candidate.location_id === location_id)
          if (location_id === null) continue
          expect(from?.capacity_left).not.toBe(0)
          expect(line.components.some(({ item_id }) => from?.refuses_items.has(item_id))).toBe(false)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('one rule that holds always and sorts by rank does what is done without rules', () => {
    fc.assert(
      fc.property(
        stockArb,
        linesArb,
        fc.constantFrom('partial' as const, 'all_or_nothing' as const),
        (before, lines, shortfall) => {
          const ruled = placeOrder(
            new Map(before),
            order(lines, { shortfall, plan: plan([step(LOCATIONS.map((location_id) => place(location_id)))]) }),
          )
          expect(ruled.allocations).toEqual(placeOrder(new Map(before), order(lines, { shortfall })).allocations)
        },
      ),
      { numRuns: 500 },
    )
  })

  test('minimize_splits uses as few places as brute force finds', () => {
    let whole = 0
    fc.assert(
      fc.property(stockArb, linesArb, (before, lines) => {
        const places = LOCATIONS.map((location_id) => place(location_id))
        const { allocations } = placeOrder(
          new Map(before),
          order(lines, { plan: plan([step(places, { strategy: 'minimize_splits' })]) }),
        )
        const fewest = Math.min(Infinity, ...[...waysToServe(new Map(before), lines)].map((way) => way.size))
        const used = new Set(allocations.map((one) => one.location_id))
        expect(used.has(null)).toBe(fewest === Infinity)
        if (fewest === Infinity) return
        whole += 1
        expect(used.size).toBe(fewest)
      }),
      { numRuns: 400 },
    )
    expect(whole).toBeGreaterThan(50)
  })

  test('cheapest costs as little as brute force finds', () => {
    let whole = 0
    fc.assert(
      fc.property(stockArb, plainLinesArb, placesArb, (before, lines, made) => {
        const places = made.map((one) => ({ ...one, capacity_left: null, refuses_items: new Set<number>() }))
        const cost = (way: ReadonlyMap<string, number>): number =>
          [...way].reduce((sum, [location_id, units]) => {
            const { parcel_minor, unit_minor } = places.find((one) => one.location_id === location_id)!
            return sum + parcel_minor! + unit_minor! * (units - 1)
          }, 0)
        const { allocations } = placeOrder(
          new Map(before),
          order(lines, { plan: plan([step(places, { strategy: 'cheapest' })]) }),
        )
        const least = Math.min(Infinity, ...[...waysToServe(new Map(before), lines)].map(cost))
        if (least === Infinity) return
        whole += 1
        const sent = new Map<string, number>()
        for (const { location_id, units } of allocations) sent.set(location_id!, (sent.get(location_id!) ?? 0) + units)
        expect(cost(sent)).toBe(least)
      }),
      { numRuns: 400 },
    )
    expect(whole).toBeGreaterThan(50)
  })
})
