import { describe, expect, test } from 'vitest'
import type { LocationServices } from '../../../src/core/model/location.ts'
import { parseRules } from '../../../src/core/routing/document.ts'
import { distanceKm, pointOf } from '../../../src/core/routing/rulesDistance.ts'
import { ruleFaults, type RuledCompany } from '../../../src/core/routing/rulesFaults.ts'
import {
  dayKey,
  planRouting,
  type RoutableOrder,
  type RoutablePlace,
  type RoutingWorld,
} from '../../../src/core/routing/rulesMatch.ts'

const NOW = Date.parse('2026-03-02T15:00:00Z')
const BONN = { latitude: 50.735, longitude: 7.1 }
const BERLIN = { latitude: 52.52, longitude: 13.405 }

const place = (id: string, services: LocationServices = {}, change: Partial<RoutablePlace> = {}): RoutablePlace => ({
  id,
  kind: 'warehouse',
  country: 'DE',
  postcode_area: null,
  priority: 100,
  timezone: 'UTC',
  point: null,
  services,
  ...change,
})

const world = (places: readonly RoutablePlace[], change: Partial<RoutingWorld> = {}): RoutingWorld => ({
  now_ms: NOW,
  places: new Map(places.map((one) => [one.id, one])),
  given: new Map(),
  areas: new Map([['DE:531', BONN]]),
  ...change,
})

const item = { sku: 'A', tags: ['chilled'], takes: [{ item_id: 1, sku: 'A', tags: ['chilled'] }] }
const order = (change: Partial<RoutableOrder> = {}): RoutableOrder => ({
  id: 'o',
  connection_id: 'shop',
  priority: 100,
  serves_from: ['a', 'b'],
  country: 'DE',
  postcode_area: '531',
  service_level: 'express',
  total_minor: 5_000,
  ship_by_ms: null,
  lines: [{ line_id: 1, unit_minor: 2_500, items: [item] }],
  ...change,
})

const plan = (rules: unknown, asked: RoutableOrder, around: RoutingWorld) =>
  planRouting({ version: 7, rules: parseRules(rules) }, asked, around)
const verdict = (services: LocationServices, filters: object, change: Partial<RoutableOrder> = {}, around = {}) =>
  plan([{ name: 'r', filters }], order({ serves_from: ['a'], ...change }), world([place('a', services)], around))
    ?.steps[0]?.left_out[0]?.verdict

describe('conditions', () => {
  test('hold only where everything they name holds', () => {
    const holds = (when: object, change: Partial<RoutableOrder> = {}): boolean =>
      plan([{ name: 'r', when }], order(change), world([place('a')])) !== null
    expect([holds({ connections: ['shop'] }), holds({ connections: ['other'] })]).toEqual([true, false])
    expect([holds({ countries: ['DE'] }), holds({ countries: ['DE'] }, { country: null })]).toEqual([true, false])
    expect([holds({ postcodes: ['DE:53'] }), holds({ postcodes: ['FR:53'] }), holds({ postcodes: ['5'] })]).toEqual([
      true,
      false,
      true,
    ])
    expect([holds({ service_levels: ['express'] }), holds({ service_levels: ['standard'] })]).toEqual([true, false])
    expect([holds({ tags: ['chilled'] }), holds({ tags: ['hazmat'] })]).toEqual([true, false])
    expect([holds({ total_minor_min: 5_000 }), holds({ total_minor_min: 5_001 })]).toEqual([true, false])
    expect([holds({ total_minor_max: 5_000 }), holds({ total_minor_max: 4_999 })]).toEqual([true, false])
    expect([holds({ priority_max: 100 }), holds({ priority_max: 99 })]).toEqual([true, false])
    expect([holds({ countries: ['DE'], tags: ['hazmat'] }), holds({})]).toEqual([false, true])
  })

  test('every rule whose condition holds is a step, in the order of the rules', () => {
    const rules = [
      { name: 'french', when: { countries: ['FR'] } },
      { name: 'express', when: { service_levels: ['express'] }, otherwise: 'next_rule' },
      { name: 'all' },
    ]
    const made = plan(rules, order(), world([place('a'), place('b')]))
    expect(made?.steps.map((step) => step.rule)).toEqual(['express', 'all'])
    expect(made?.line_minor).toEqual(new Map([[1, 2_500]]))
  })
})

describe('filters', () => {
  test('name in words what a place fails', () => {
    const calendar = { days: ['mon' as const], cutoff: '14:00', closed: [] }
    expect(verdict({}, { locations: ['b'] })).toBe('is not among the places of the rule')
    expect(verdict({}, { except: ['a'] })).toBe('is excepted by the rule')
    expect(verdict({}, { kinds: ['store'] })).toBe('is a warehouse')
    expect(verdict({ countries: ['FR'] }, {})).toBe('does not serve DE')
    expect(verdict({ countries: ['FR'] }, { serves_address: false })).toBeUndefined()
    expect(verdict({ postcodes: ['DE:10'] }, {})).toBe('does not serve the postcode area 531')
    expect(verdict({ service_levels: ['standard'] }, {})).toBe('does not offer express')
    expect(verdict({ refuses_tags: ['chilled'] }, {})).toBe('refuses items')
    expect(verdict({ refuses_skus: ['A'] }, { accepts_items: false })).toBeUndefined()
    expect(verdict({ orders_per_day: 2 }, {}, {}, { given: new Map([[dayKey('a', '2026-03-02'), 2]]) })).toBe(
      'no capacity left on 2026-03-02',
    )
    expect(verdict({ orders_per_day: 2 }, {}, {}, { given: new Map([[dayKey('a', '2026-03-03'), 2]]) })).toBeUndefined()
    expect(verdict({ calendar }, { in_time: true }, { ship_by_ms: NOW + 86_400_000 })).toBe('closed until 2026-03-09')
    expect(verdict({ calendar }, { in_time: true }, { ship_by_ms: NOW + 8 * 86_400_000 })).toBeUndefined()
    expect(verdict({ calendar }, { in_time: false }, { ship_by_ms: NOW })).toBeUndefined()
    expect(verdict({}, { distance_km_max: 100 })).toBe('at an unknown distance')
  })

  test('measure from coordinates, or from the postcode area that is known best', () => {
    const rules = [{ name: 'near', filters: { distance_km_max: 400 } }]
    const berlin = place('a', {}, { point: BERLIN })
    const bonn = place('b', {}, { postcode_area: '531' })
    const step = plan(rules, order(), world([berlin, bonn]))?.steps[0]
    expect(step?.left_out).toEqual([{ location_id: 'a', filter: 'distance_km_max', verdict: 'too far (478 km)' }])
    expect(step?.places.map(({ location_id, distance_km }) => [location_id, distance_km])).toEqual([['b', 0]])
  })

  test('a kit that may not leave from a place takes its components along; other items still may', () => {
    const kit = {
      sku: 'KIT',
      tags: ['hazmat'],
      takes: [2, 3].map((item_id) => ({ item_id, sku: `${item_id}`, tags: [] })),
    }
    const asked = order({
      lines: [
        { line_id: 1, unit_minor: 1, items: [kit] },
        { line_id: 2, unit_minor: 1, items: [item] },
      ],
    })
    const step = plan([{ name: 'r' }], asked, world([place('a', { refuses_tags: ['hazmat'] })]))?.steps[0]
    expect(step?.places[0]?.refuses_items).toEqual(new Set([2, 3]))
  })

  test('the cost that speaks most closely of the order counts', () => {
    const cost = (parcel_minor: number, countries: string[], service_level?: string) => ({
      countries,
      parcel_minor,
      unit_minor: 1,
      ...(service_level === undefined ? {} : { service_level }),
    })
    const costs = [
      cost(900, []),
      cost(500, ['DE']),
      cost(700, [], 'express'),
      cost(600, ['DE'], 'express'),
      cost(1, ['FR']),
    ]
    const parcel = (change: Partial<RoutableOrder>) =>
      plan([{ name: 'r' }], order(change), world([place('a', { costs })]))?.steps[0]?.places[0]?.parcel_minor
    expect(parcel({})).toBe(600)
    expect(parcel({ service_level: 'standard' })).toBe(500)
    expect(parcel({ country: 'AT' })).toBe(700)
    expect(parcel({ country: 'AT', service_level: null })).toBe(900)
  })
})

describe('distance', () => {
  test('is that of the great circle', () => {
    expect(distanceKm(BONN, BERLIN)).toBe(478)
    expect(distanceKm(BONN, BONN)).toBe(0)
    expect(distanceKm({ latitude: 0, longitude: 179.5 }, { latitude: 0, longitude: -179.5 })).toBe(111)
    expect(distanceKm({ latitude: 90, longitude: 0 }, { latitude: -90, longitude: 0 })).toBe(20_015)
  })

  test('takes the longest prefix that is known', () => {
    const areas = new Map([
      ['DE:5', BERLIN],
      ['DE:53', BONN],
    ])
    expect(pointOf(areas, 'DE', '531')).toBe(BONN)
    expect(pointOf(areas, 'DE', '501')).toBe(BERLIN)
    expect(pointOf(areas, 'DE', '101')).toBeNull()
    expect(pointOf(areas, 'FR', '531')).toBeNull()
  })
})

describe('ruleFaults', () => {
  const company: RuledCompany = {
    connections: [
      { id: 'shop', serves_from: ['a', 'b'] },
      { id: 'outlet', serves_from: ['b'] },
    ],
    locations: [
      {
        id: 'a',
        kind: 'warehouse',
        services: { countries: ['DE'], currency: 'EUR', costs: [{ countries: [], parcel_minor: 1, unit_minor: 1 }] },
      },
      {
        id: 'b',
        kind: 'store',
        services: { countries: ['AT'], currency: 'CHF', costs: [{ countries: [], parcel_minor: 1, unit_minor: 1 }] },
      },
      { id: 'c', kind: '3pl', services: {} },
    ],
  }
  const faults = (rules: unknown): string[] =>
    ruleFaults(parseRules(rules), company).map(({ path, message }) => `${path.join('.')}: ${message}`)

  test('says nothing of rules that can work', () => {
    expect(faults([{ name: 'x', when: { countries: ['DE'] }, otherwise: 'next_rule' }, { name: 'y' }])).toEqual([])
  })

  test.each([
    [[{ name: 'x', when: { connections: ['nope'] } }], '0.when.connections.0: the company has no connection "nope"'],
    [
      [{ name: 'x', filters: { locations: ['a', 'nope'] } }],
      '0.filters.locations.1: the company has no location "nope"',
    ],
    [[{ name: 'x', filters: { except: ['nope'] } }], '0.filters.except.0: the company has no location "nope"'],
    [[{ name: 'x', when: { countries: ['DE'] } }, { name: 'x' }], '1.name: "x" is the name of the rule 1 already'],
    [[{ name: 'x' }, { name: 'y' }], '1: is unreachable: the rule "x" before it fits every order and passes none on'],
    [
      [{ name: 'x', filters: { locations: ['c'] } }],
      '0.filters: leave no location of any connection that the rule speaks of',
    ],
    [
      [{ name: 'x', when: { connections: ['outlet'] }, filters: { kinds: ['warehouse'] } }],
      '0.filters: leave no location of any connection that the rule speaks of',
    ],
    [[{ name: 'x', when: { countries: ['FR', 'DE'] } }], '0.when.countries.0: no location of the rule serves FR'],
    [
      [{ name: 'x', when: { postcodes: ['DE:5311'] } }],
      '0.when.postcodes.0: routing sees the first 3 characters of a postcode; name no more of them',
    ],
    [
      [{ name: 'x', when: { total_minor_min: 2, total_minor_max: 1 } }],
      '0.when.total_minor_max: is below total_minor_min: no order fits',
    ],
    [[{ name: 'x', strategy: 'cheapest' }], '0.strategy: compares costs in several currencies: EUR, CHF'],
  ])('%j', (rules, message) => {
    expect(faults(rules)).toEqual([message])
  })

  test('a schema fault has its path, too', () => {
    const pathOf = (rules: unknown): unknown => {
      try {
        return parseRules(rules)
      } catch (thrown) {
        return (thrown as { path?: string }).path
      }
    }
    expect(pathOf([{ name: 'x', sort: [] }])).toBe('$[0].sort')
    expect(pathOf([{ name: 'x', strategy: 'luck' }])).toBe('$[0].strategy')
    expect(pathOf([{}])).toBe('$[0].name')
    expect(pathOf('rules')).toBe('$')
  })
})
