import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideReservations, explode } from '../../../src/core/inventory/rules.ts'
import { stockKey, type Allocation, type OrderDemand } from '../../../src/core/inventory/rulesDemand.ts'
import { planChange, type LiveReservation, type WorkState } from '../../../src/core/inventory/rulesChange.ts'

const decideAll = (...args: Parameters<typeof decideReservations>): Allocation[] =>
  decideReservations(...args).allocations

const LOCATIONS = ['north', 'south', 'west']

const demandArb = fc.record({
  priority: fc.integer({ min: 1, max: 2 }),
  ship_by_ms: fc.constantFrom(null, 1, 2),
  plan: fc.constant(null),
  last_resort: fc.constant([]),
  placed_at_ms: fc.integer({ min: 0, max: 3 }),
  serves_from: fc.shuffledSubarray(LOCATIONS, { minLength: 1 }),
  shortfall: fc.constantFrom('partial' as const, 'all_or_nothing' as const),
  lines: fc.array(
    fc.record({
      units: fc.integer({ min: 1, max: 6 }),
      components: fc.uniqueArray(
        fc.record({ item_id: fc.integer({ min: 1, max: 3 }), per_unit: fc.integer({ min: 1, max: 3 }) }),
        {
          minLength: 1,
          maxLength: 3,
          selector: (component) => component.item_id,
        },
      ),
    }),
    { minLength: 1, maxLength: 3 },
  ),
})

const batchArb = fc.array(demandArb, { maxLength: 6 }).map((demands): OrderDemand[] =>
  demands.map((demand, index) => ({
    ...demand,
    order_id: `o${index}`,
    lines: demand.lines.map((one, place) => ({ ...one, line_id: index * 10 + place })),
  })),
)
const stockArb = fc
  .array(fc.integer({ min: 0, max: 12 }), { minLength: 9, maxLength: 9 })
  .map(
    (units) =>
      new Map(units.map((count, index) => [stockKey(1 + (index % 3), LOCATIONS[Math.floor(index / 3)]!), count])),
  )

function taken(allocations: readonly Allocation[]): Map<string, number> {
  const sum = new Map<string, number>()
  for (const { line, location_id, units } of allocations) {
    if (location_id === null) continue
    for (const { item_id, per_unit } of line.components) {
      const key = stockKey(item_id, location_id)
      sum.set(key, (sum.get(key) ?? 0) + units * per_unit)
    }
  }
  return sum
}

describe('decideReservations', () => {
  test('never promises more than there is, and accounts for every unit asked', () => {
    fc.assert(
      fc.property(stockArb, batchArb, (stock, demands) => {
        const allocations = decideAll(stock, demands)
        for (const [key, units] of taken(allocations)) expect(units).toBeLessThanOrEqual(stock.get(key) ?? 0)
        for (const demand of demands) {
          for (const line of demand.lines) {
            const own = allocations.filter((one) => one.line.line_id === line.line_id)
            expect(own.reduce((sum, one) => sum + one.units, 0)).toBe(line.units)
            for (const one of own)
              expect(one.location_id === null || demand.serves_from.includes(one.location_id)).toBe(true)
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('leaves nothing missing that a location still has, and keeps all-or-nothing whole', () => {
    fc.assert(
      fc.property(stockArb, batchArb, (stock, demands) => {
        const allocations = decideAll(stock, demands)
        const used = taken(allocations)
        for (const demand of demands) {
          const own = allocations.filter((one) => one.order_id === demand.order_id)
          const missing = own.filter((one) => one.location_id === null)
          if (demand.shortfall === 'all_or_nothing') {
            expect(missing.length === 0 || missing.length === own.length).toBe(true)
            continue
          }
          for (const { line } of missing) {
            for (const location of demand.serves_from) {
              const left = line.components.map((part) => {
                const key = stockKey(part.item_id, location)
                return ((stock.get(key) ?? 0) - (used.get(key) ?? 0)) / part.per_unit
              })
              expect(Math.min(...left)).toBeLessThan(1)
            }
          }
        }
      }),
      { numRuns: 500 },
    )
  })

  test('gives every order of a batch the same, however the batch is sorted', () => {
    fc.assert(
      fc.property(stockArb, batchArb, (stock, demands) => {
        const byOrder = (allocations: Allocation[]) =>
          allocations.toSorted((a, b) => (a.order_id < b.order_id ? -1 : a.order_id > b.order_id ? 1 : 0))
        expect(byOrder(decideAll(stock, demands.toReversed()))).toEqual(byOrder(decideAll(stock, demands)))
      }),
      { numRuns: 300 },
    )
  })

  test('prefers one parcel to a better ranked location', () => {
    const stock = new Map([
      [stockKey(1, 'north'), 5],
      [stockKey(1, 'south'), 5],
      [stockKey(2, 'south'), 1],
    ])
    const lines = [1, 2].map((item_id) => ({ line_id: item_id, units: 1, components: [{ item_id, per_unit: 1 }] }))
    const order: OrderDemand = {
      order_id: 'o',
      priority: 1,
      ship_by_ms: null,
      plan: null,
      placed_at_ms: 0,
      serves_from: ['north', 'south'],
      last_resort: [],
      shortfall: 'partial',
      lines,
    }
    expect(decideAll(stock, [order]).map((one) => one.location_id)).toEqual(['south', 'south'])
  })
})

describe('explode', () => {
  test('multiplies a multipack of a kit and sums an item that is there twice', () => {
    const rows = [
      { item_id: 9, quantity: 2, component_item_id: 1, kit_quantity: 3 },
      { item_id: 9, quantity: 2, component_item_id: 2, kit_quantity: 1 },
      { item_id: 1, quantity: 4, component_item_id: null, kit_quantity: null },
    ]
    expect(explode(rows)).toEqual([
      { item_id: 1, per_unit: 10 },
      { item_id: 2, per_unit: 2 },
    ])
    expect(explode([{ item_id: null, quantity: null, component_item_id: null, kit_quantity: null }])).toEqual([])
  })
})

const rowsArb = fc.array(
  fc.record({
    units: fc.integer({ min: 0, max: 4 }),
    consumed: fc.integer({ min: 0, max: 2 }),
    state: fc.constantFrom('held' as const, 'committed' as const, 'shortfall' as const),
    work: fc.constantFrom<WorkState | null>('open', 'sent', 'cancelling', null),
  }),
  { maxLength: 5 },
)

describe('planChange', () => {
  const row = (
    index: number,
    one: { units: number; consumed: number; state: LiveReservation['state']; work: WorkState | null },
  ): LiveReservation => ({
    id: index,
    order_id: 'o',
    line_id: 1,
    item_id: 1,
    location_id: one.state === 'shortfall' ? null : 'north',
    per_unit: 2,
    quantity: one.units * 2,
    consumed_quantity: one.state === 'committed' ? one.consumed * 2 : 0,
    state: one.state,
    fulfillment_order_id: one.state === 'committed' && one.work !== null ? `${one.work}${index}` : null,
  })
  const stateOf = (id: string): WorkState => id.replace(/\d+$/, '') as WorkState

  test('what it asks for, keeps and gives back adds up, and work that left is never touched in silence', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 8 }), rowsArb, (units, made) => {
        const live = made.map((one, index) => row(index, one))
        const change = planChange([{ line_id: 1, units, components: [{ item_id: 1, per_unit: 2 }] }], live, stateOf)
        const served = live.reduce(
          (sum, one) => sum + one.consumed_quantity + (one.state === 'shortfall' ? 0 : one.quantity),
          0,
        )
        const asked = change.needs.reduce((sum, one) => sum + one.units * 2, 0)
        expect(asked).toBe(Math.max(0, units * 2 - served))
        const released = change.releases.reduce((sum, one) => sum + one.quantity, 0)
        const surplus = Math.max(0, served - units * 2)
        expect(released).toBeLessThanOrEqual(surplus)
        for (const { reservation, quantity } of change.releases) {
          expect(quantity).toBeLessThanOrEqual(reservation.quantity)
          if (reservation.fulfillment_order_id !== null) expect(stateOf(reservation.fulfillment_order_id)).toBe('open')
        }
        const stuck = live.filter(
          (one) => one.fulfillment_order_id !== null && stateOf(one.fulfillment_order_id) !== 'open',
        )
        const cancelling = stuck.filter(
          (one) =>
            stateOf(one.fulfillment_order_id!) === 'cancelling' || change.call_back.includes(one.fulfillment_order_id!),
        )
        const coming = cancelling.reduce((sum, one) => sum + one.quantity, 0)
        const gone = live.reduce((sum, one) => sum + one.consumed_quantity, 0)
        expect(released + coming).toBeGreaterThanOrEqual(Math.min(surplus, served - gone))
        if (surplus === 0) expect(change.call_back).toEqual([])
      }),
      { numRuns: 1000 },
    )
  })

  test('asks for a component that lags behind by itself', () => {
    const kit = [1, 2].map((item_id) => ({ item_id, per_unit: 1 }))
    const live = [
      { ...row(1, { units: 0, consumed: 0, state: 'committed', work: null }), item_id: 1, per_unit: 1, quantity: 2 },
      { ...row(2, { units: 0, consumed: 0, state: 'committed', work: null }), item_id: 2, per_unit: 1, quantity: 1 },
    ]
    const { needs } = planChange([{ line_id: 1, units: 3, components: kit }], live, () => 'open')
    expect(needs).toEqual([
      { line_id: 1, units: 1, components: kit },
      { line_id: 1, units: 1, components: [{ item_id: 2, per_unit: 1 }] },
    ])
  })
})
