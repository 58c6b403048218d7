import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decideReservations, explode } from '../../../src/core/inventory/rules.ts'
import { stockKey, type Allocation, type OrderDemand } from '../../../src/core/inventory/rulesDemand.ts'
import { planAnew, planChange, type LiveReservation, type WorkState } from '../../../src/core/inventory/rulesChange.ts'

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
const asOneClass = (demands: OrderDemand[]): OrderDemand[] => demands.map((demand) => ({ ...demand, priority: 1 }))
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

  test('leaves nothing of one class missing that a location still has, and keeps all-or-nothing whole', () => {
    fc.assert(
      fc.property(stockArb, batchArb.map(asOneClass), (stock, demands) => {
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

describe('decideReservations with orders that wait', () => {
  /** Missing units by item, as far as this place may give them. */
  const wants = (order: OrderDemand, item_id: number, location: string): number =>
    order.serves_from.includes(location)
      ? order.lines.reduce(
          (sum, { units, components }) =>
            sum + components.reduce((own, part) => own + (part.item_id === item_id ? part.per_unit * units : 0), 0),
          0,
        )
      : 0
  const cases = fc.record({
    stock: stockArb,
    demands: batchArb,
    waiting: batchArb.map((orders) => orders.map((order) => ({ ...order, order_id: `w${order.order_id}` }))),
  })
  const free = (stock: ReadonlyMap<string, number>, used: ReadonlyMap<string, number>, key: string): number =>
    (stock.get(key) ?? 0) - (used.get(key) ?? 0)

  test('a less urgent order never takes a unit that a waiting more urgent one could use', () => {
    fc.assert(
      fc.property(cases, ({ stock, demands, waiting }) => {
        const { allocations } = decideReservations(stock, demands, waiting)
        const used = taken(allocations)
        const urgent = waiting.filter((order) => order.priority === 1)
        const later = new Set(demands.filter((order) => order.priority === 2).map((order) => order.order_id))
        const takenLater = taken(allocations.filter((one) => later.has(one.order_id)))
        for (const item_id of [1, 2, 3]) {
          for (const ghost of urgent) {
            const places = LOCATIONS.filter((location) => wants(ghost, item_id, location) > 0)
            const lost = places.some((location) => (takenLater.get(stockKey(item_id, location)) ?? 0) > 0)
            if (!lost) continue
            // Only what is beyond all that the waiting ones want of the item may have been taken: that much is still there for each.
            const there = places.reduce((sum, location) => sum + free(stock, used, stockKey(item_id, location)), 0)
            expect(there).toBeGreaterThanOrEqual(wants(ghost, item_id, places[0]!))
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('no unit is withheld that no more urgent order could use', () => {
    fc.assert(
      fc.property(cases, ({ stock, demands, waiting }) => {
        const { allocations } = decideReservations(stock, demands, waiting)
        const used = taken(allocations)
        const unserved = demands.map((order) => ({
          ...order,
          lines: allocations.flatMap(({ order_id, location_id, line, units }) =>
            order_id === order.order_id && location_id === null ? { ...line, units } : [],
          ),
        }))
        const urgent = [...waiting, ...unserved].filter((order) => order.priority === 1)
        for (const { order_id, line, location_id } of allocations) {
          const order = demands.find((one) => one.order_id === order_id)!
          if (location_id !== null || order.shortfall === 'all_or_nothing' || line.components.length > 1) continue
          const { item_id, per_unit } = line.components[0]!
          for (const location of order.serves_from) {
            const withheld =
              order.priority === 1 ? 0 : urgent.reduce((sum, ghost) => sum + wants(ghost, item_id, location), 0)
            expect(free(stock, used, stockKey(item_id, location)) - withheld).toBeLessThan(per_unit)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  const lineOf = (item_id: number, units: number, line_id = item_id) => {
    return { line_id, units, components: [{ item_id, per_unit: 1 }] }
  }
  const demandOf = (order_id: string, change: Partial<OrderDemand>): OrderDemand => ({
    order_id,
    priority: 100,
    ship_by_ms: null,
    plan: null,
    placed_at_ms: 0,
    serves_from: ['north', 'south'],
    last_resort: [],
    shortfall: 'partial',
    lines: [],
    ...change,
  })
  const given = (allocations: readonly Allocation[]): string[] =>
    allocations.map((one) => `${one.order_id} ${one.location_id ?? '-'} ${one.line.line_id}x${one.units}`)

  test('keeps units for a more urgent order that waits for all of its lines, and none for one of the same class', () => {
    const stock = new Map([[stockKey(1, 'north'), 3]])
    const web = demandOf('web', { lines: [lineOf(1, 3)] })
    const waits = { lines: [lineOf(1, 2), lineOf(2, 1)], shortfall: 'all_or_nothing' as const }
    const contract = demandOf('contract', { ...waits, priority: 10 })
    expect(given(decideAll(stock, [web], [contract]))).toEqual(['web north 1x1', 'web - 1x2'])
    expect(given(decideAll(stock, [web], [demandOf('other', waits)]))).toEqual(['web north 1x3'])
    expect(given(decideAll(stock, [web], [{ ...contract, serves_from: ['south'] }]))).toEqual(['web north 1x3'])
    // In one batch it is the same.
    expect(given(decideAll(stock, [web, contract]))).toContain('web north 1x1')
  })

  test('what an order gives back is its own before anybody else is asked, and what it leaves goes to nobody yet', () => {
    const own = new Map([[stockKey(1, 'north'), 2]])
    const edited = demandOf('edited', { lines: [lineOf(1, 1)], own })
    const contract = demandOf('contract', { lines: [lineOf(1, 5)], priority: 10 })
    const younger = demandOf('younger', { lines: [lineOf(1, 1)], placed_at_ms: 9 })
    expect(given(decideAll(new Map(), [edited, younger, contract]))).toEqual([
      'contract - 1x5',
      'edited north 1x1',
      'younger - 1x1',
    ])
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

  test('a line that has become another listing gives back the old units and asks for the new; what was shipped has served it', () => {
    const was = { ...row(1, { units: 2, consumed: 1, state: 'committed', work: 'open' }), listing_id: 7 }
    const target = { line_id: 1, listing_id: 8, units: 4, components: [{ item_id: 2, per_unit: 3 }] }
    const change = planChange([target], [was], stateOf)
    expect(change.releases).toEqual([{ reservation: was, quantity: 4 }])
    expect(change.needs).toEqual([{ line_id: 1, listing_id: 8, units: 3, components: target.components }])
    expect(planChange([{ ...target, listing_id: 7, units: 3 }], [was], stateOf)).toMatchObject({
      needs: [],
      releases: [],
    })
    const sent = { ...was, fulfillment_order_id: 'sent1' }
    expect(planChange([target], [sent], stateOf)).toMatchObject({ releases: [], call_back: ['sent1'] })
  })

  test('planned anew, unsent work gives back all and asks for it again; sent work and held units stay', () => {
    const live = [
      row(1, { units: 2, consumed: 0, state: 'committed', work: 'open' }),
      row(2, { units: 1, consumed: 0, state: 'committed', work: 'sent' }),
    ]
    const target = { line_id: 1, units: 4, components: [{ item_id: 1, per_unit: 2 }] }
    const change = planAnew([target], live, stateOf)
    expect(change.releases.map(({ reservation, quantity }) => [reservation.id, quantity])).toEqual([[1, 4]])
    expect(change.needs).toEqual([{ line_id: 1, units: 3, components: target.components }])
  })
})
