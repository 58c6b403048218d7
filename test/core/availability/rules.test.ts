import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  explainAvailability,
  SUBTOTALS,
  type AvailabilityExplained,
  type AvailabilityInput,
  type AvailabilityRules,
  type ListingComponent,
  type LocationStock,
} from '../../../src/core/availability/rules.ts'

const stock = (location_id: string, on_hand: number, held: Partial<LocationStock> = {}): LocationStock => ({
  location_id,
  on_hand,
  committed: 0,
  reserved: 0,
  damaged: 0,
  quality_control: 0,
  safety_stock: 0,
  ...held,
})

const component = (sku: string, per_unit: number, ...locations: LocationStock[]): ListingComponent => ({
  item_id: Number.parseInt(sku.replaceAll(/[^A-Z0-9]/g, ''), 36),
  sku,
  per_unit,
  locations,
})

const ALL: AvailabilityRules = {
  share_percent: 100,
  cap: null,
  buffer: 0,
  buffer_percent: 0,
  adaptive: 0,
  peak: 0,
  zero_below: 0,
  backorder: 'deny',
  backorder_units_max: null,
}
const explain = (
  components: ListingComponent[],
  rules: Partial<AvailabilityRules> = {},
  rest: Partial<AvailabilityInput> = {},
): AvailabilityExplained =>
  explainAvailability({ components, distrusted: [], unseen: 0, rules: { ...ALL, ...rules }, ...rest })
const tail = ({ terms }: AvailabilityExplained): [string, number][] =>
  terms.slice(terms.findIndex(({ name }) => name === 'sellable_units')).map(({ name, value }) => [name, value])
const lines = ({ terms }: AvailabilityExplained): string[] =>
  terms.map(({ name, value, sku, location_id }) => [location_id, sku, name, value].filter((x) => x !== null).join(' '))

describe('what there is', () => {
  it('takes everything that is not free off what is on hand, at every location', () => {
    const north = stock('north', 20, {
      committed: 3, reserved: 2, damaged: 1, quality_control: 4, safety_stock: 5, safety_units: 2,
    }) // prettier-ignore
    const explained = explain([component('TEA', 1, north, stock('south', 7, { committed: 1 }))])
    expect(explained.quantity).toBe(9)
    expect(lines(explained)).toEqual([
      'north TEA on_hand 20',
      'north TEA committed -3',
      'north TEA reserved -2',
      'north TEA damaged -1',
      'north TEA quality_control -4',
      'north TEA safety_stock -5',
      'north TEA safety_units -2',
      'north TEA available 3',
      'south TEA on_hand 7',
      'south TEA committed -1',
      'south TEA available 6',
      'sellable_units 9',
    ])
  })

  it('counts a place with less than nothing as nothing, and says so', () => {
    const explained = explain([component('TEA', 1, stock('north', 3, { safety_units: 5 }), stock('south', 4))])
    expect(explained.quantity).toBe(4)
    expect(lines(explained)).toContain('north TEA available -2')
    expect(lines(explained)).toContain('north units_of_listing 0')
  })

  it('takes a multipack whole from one location', () => {
    expect(explain([component('TEA', 4, stock('north', 7), stock('south', 9))]).quantity).toBe(3)
  })

  it('takes a kit by its scarcest component, location by location', () => {
    const tea = component('TEA', 2, stock('north', 10), stock('south', 3))
    const mug = component('MUG', 1, stock('north', 3), stock('south', 50))
    expect(explain([tea, mug]).quantity).toBe(4)
    expect(explain([tea, component('POT', 1, stock('south', 9))]).quantity).toBe(1)
  })

  it('leaves to more urgent demands what they wait for, at the places that may serve them, best first', () => {
    const tea = component('TEA', 1, stock('north', 5), stock('south', 5), stock('west', 5))
    const urgent = [
      { units: 6, places: ['west', 'south'] },
      { units: 2, places: ['south'] },
      { units: 9, places: ['elsewhere'] },
    ]
    const explained = explain([{ ...tea, urgent }])
    expect(explained.quantity).toBe(9)
    expect(lines(explained)).toContain('south TEA priority_promises -5')
    expect(lines(explained)).toContain('west TEA priority_promises -1')
  })

  it('believes a silent place by half, rounded so that silence alone is never zero', () => {
    const tea = component('TEA', 1, stock('north', 7), stock('south', 2))
    const silent = explain([tea], {}, { distrusted: ['north'] })
    expect(silent.quantity).toBe(6)
    expect(lines(silent)).toContain('north distrusted -3')
    expect(explain([component('TEA', 4, stock('north', 7))], {}, { distrusted: ['north'] }).quantity).toBe(1)
    expect(explain([component('TEA', 1, stock('north', 0))], {}, { distrusted: ['north'] }).quantity).toBe(0)
  })

  it('sells nothing of a listing without items', () => {
    expect(explain([], { backorder: 'backorder', backorder_units_max: 5 }).quantity).toBe(0)
  })
})

describe('what is shown of it', () => {
  const tea = (units: number): ListingComponent[] => [component('TEA', 1, stock('north', units))]

  it('applies unseen sales, share, cap and buffers in that order', () => {
    const rules = { share_percent: 50, cap: 20, buffer: 3, buffer_percent: 10, adaptive: 2, peak: 4, zero_below: 5 }
    const explained = explain(tea(101), rules, { unseen: 40 })
    expect(tail(explained)).toEqual([
      ['sellable_units', 101],
      ['unseen_sales', -40],
      ['share', -31],
      ['cap', -10],
      ['buffer', -3],
      ['buffer_percent', -2],
      ['adaptive_buffer', -2],
      ['peak_buffer', -4],
    ])
    expect(explained.quantity).toBe(9)
  })

  it('never shows less than nothing, and zero for what is below the threshold', () => {
    expect(tail(explain(tea(5), { buffer: 20 }))).toEqual([
      ['sellable_units', 5],
      ['buffer', -20],
      ['floor', 15],
    ])
    expect(explain(tea(4), { zero_below: 5 }).quantity).toBe(0)
    expect(explain(tea(5), { zero_below: 5 }).quantity).toBe(5)
  })

  it('adds what may be ordered ahead: by the bound less what waits so, else by what is on its way and not promised', () => {
    const wants = (rest: Partial<ListingComponent>, rules: Partial<AvailabilityRules> = {}): number =>
      explain([{ ...component('TEA', 2, stock('north', 1)), ...rest }], { backorder: 'backorder', ...rules }).quantity
    expect(wants({ backordered: 3, waiting: 3 }, { backorder_units_max: 10 })).toBe(3)
    expect(wants({ backordered: 30 }, { backorder_units_max: 10 })).toBe(0)
    expect(wants({ incoming: 11, waiting: 4 })).toBe(3)
    expect(wants({ incoming: 11, waiting: 4 }, { backorder: 'deny' })).toBe(0)
    expect(wants({ incoming: 3, waiting: 1, urgent: [{ units: 1, places: ['north'] }] })).toBe(1)
    const kit = [component('TEA', 2, stock('north', 9)), component('MUG', 1, stock('north', 0))]
    const ahead = (mugs: number): number =>
      explain(
        [
          { ...kit[0]!, incoming: 8 },
          { ...kit[1]!, incoming: mugs },
        ],
        { backorder: 'transfer' },
      ).quantity
    expect([ahead(0), ahead(3), ahead(9)]).toEqual([0, 3, 4])
  })

  it('keeps buffers away from what may be ordered ahead, and unseen sales not', () => {
    const rules = { backorder: 'backorder', backorder_units_max: 5, buffer: 9, zero_below: 3 } as const
    expect(explain(tea(4), rules).quantity).toBe(5)
    const sold = explain(tea(4), rules, { unseen: 6 })
    expect(sold.quantity).toBe(3)
    expect(tail(sold).at(-1)).toEqual(['backorder_unseen', -2])
  })

  it('golden: a kit with a double component at two places, one of them silent, with share and buffer', () => {
    const explained = explain(
      [
        component('MUG', 1, stock('north', 12, { committed: 2 }), stock('south', 4)),
        component('TEA', 2, stock('north', 31, { reserved: 1, safety_units: 4 }), stock('south', 9, { damaged: 1 })),
      ],
      { share_percent: 75, buffer: 1, buffer_percent: 20 },
      { distrusted: ['south'], unseen: 1 },
    )
    expect(lines(explained)).toEqual([
      'north MUG on_hand 12',
      'north MUG committed -2',
      'north MUG available 10',
      'north TEA on_hand 31',
      'north TEA reserved -1',
      'north TEA safety_units -4',
      'north TEA available 26',
      'north units_of_listing 10',
      'south MUG on_hand 4',
      'south MUG available 4',
      'south TEA on_hand 9',
      'south TEA damaged -1',
      'south TEA available 8',
      'south units_of_listing 4',
      'south distrusted -2',
      'sellable_units 12',
      'unseen_sales -1',
      'share -3',
      'buffer -1',
      'buffer_percent -2',
    ])
    expect(explained.quantity).toBe(5)
  })
})

const amount = fc.integer({ min: 0, max: 40 })
const PLACES = ['A', 'B', 'C']
const place = fc.record({
  on_hand: amount, committed: amount, reserved: amount, damaged: amount, safety_stock: amount, safety_units: amount,
}) // prettier-ignore
const part = fc.record({
  per_unit: fc.integer({ min: 1, max: 5 }),
  places: fc.array(place, { maxLength: 3 }),
  urgent: fc.array(fc.record({ units: amount, places: fc.subarray(PLACES) }), { maxLength: 2 }),
  incoming: amount,
  waiting: amount,
  backordered: amount,
})
const percent = fc.integer({ min: 0, max: 100 })
const anyRules: fc.Arbitrary<AvailabilityRules> = fc.record({
  share_percent: percent,
  cap: fc.option(amount),
  buffer: amount,
  buffer_percent: percent,
  adaptive: amount,
  peak: amount,
  zero_below: amount,
  backorder: fc.constantFrom('deny', 'backorder', 'drop_ship', 'transfer'),
  backorder_units_max: fc.option(amount),
})
const anyInput: fc.Arbitrary<AvailabilityInput> = fc.record({
  components: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) =>
    parts.map(({ per_unit, places, ...rest }, index) => ({
      ...component(`SKU-${index}`, per_unit, ...places.map((row, at) => stock(PLACES[at] ?? 'D', row.on_hand, row))),
      ...rest,
    })),
  ),
  distrusted: fc.subarray(PLACES),
  unseen: amount,
  rules: anyRules,
})

const freeOf = ({ locations }: ListingComponent): number =>
  locations.reduce((sum, row) => {
    const held = row.committed + row.reserved + row.damaged + row.safety_stock + (row.safety_units ?? 0)
    return sum + Math.max(0, row.on_hand - held)
  }, 0)

describe('whatever the stock and the rules are', () => {
  it('the terms add up: of an item at a place to what is available, of the listing to the number', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { terms, quantity } = explainAvailability(input)
        const whole = terms.filter(({ sku, location_id }) => sku === null && location_id === null)
        expect(whole.reduce((sum, { value }) => sum + value, 0)).toBe(quantity)
        for (const [, group] of Map.groupBy(terms, ({ sku, location_id }) => JSON.stringify([sku, location_id]))) {
          const available = group.find(({ name }) => name === 'available')
          const signed = group.filter(({ name }) => !SUBTOTALS.has(name))
          if (available !== undefined) expect(signed.reduce((sum, { value }) => sum + value, 0)).toBe(available.value)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('the number is never negative, nor more than can be sold now plus what may be ordered ahead', () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { quantity } = explainAvailability(input)
        expect(quantity).toBeGreaterThanOrEqual(0)
        for (const row of input.components) {
          const max = input.rules.backorder_units_max
          const ahead = input.rules.backorder === 'deny' ? 0 : max === null ? (row.incoming ?? 0) : max
          expect(quantity * row.per_unit).toBeLessThanOrEqual(freeOf(row) + ahead)
        }
      }),
      { numRuns: 500 },
    )
  })

  it('more stock never shows less, and a stricter rule never shows more', () => {
    const stricter: readonly ((rules: AvailabilityRules) => Partial<AvailabilityRules>)[] = [
      ({ share_percent }) => ({ share_percent: Math.max(0, share_percent - 7) }),
      ({ cap }) => ({ cap: Math.max(0, (cap ?? 1_000) - 3) }),
      ({ buffer }) => ({ buffer: buffer + 1 }),
      ({ buffer_percent }) => ({ buffer_percent: Math.min(100, buffer_percent + 9) }),
      ({ adaptive }) => ({ adaptive: adaptive + 1 }),
      ({ peak }) => ({ peak: peak + 1 }),
      ({ zero_below }) => ({ zero_below: zero_below + 2 }),
      () => ({ backorder: 'deny' }),
    ]
    fc.assert(
      fc.property(anyInput, fc.nat(), fc.nat(), (input, which, where) => {
        const { quantity } = explainAvailability(input)
        const grown = input.components.map((row, index) =>
          index !== which % input.components.length
            ? row
            : {
                ...row,
                locations: row.locations.map((at, rank) =>
                  rank === where % 3 ? { ...at, on_hand: at.on_hand + 1 } : at,
                ),
              },
        )
        expect(explainAvailability({ ...input, components: grown }).quantity).toBeGreaterThanOrEqual(quantity)
        for (const change of stricter) {
          const rules = { ...input.rules, ...change(input.rules) }
          expect(explainAvailability({ ...input, rules }).quantity).toBeLessThanOrEqual(quantity)
        }
        expect(explainAvailability({ ...input, unseen: input.unseen + 1 }).quantity).toBeLessThanOrEqual(quantity)
        expect(explainAvailability({ ...input, distrusted: PLACES }).quantity).toBeLessThanOrEqual(quantity)
      }),
      { numRuns: 1_000 },
    )
  })
})
