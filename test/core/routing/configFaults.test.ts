import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { configFaults, loadConfig, type Config } from '../../../src/config.ts'
import { connectors } from '../../kit/sampleConfig.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'crossdock-routing-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const BASE = `
companies: [{ id: acme, name: Acme }]
items: [{ sku: TENT, company: acme, routing_tags: [oversize] }]
connections:
  - { id: shop, connector: shop, company: acme, serves_from: [berlin, leeds], settings: { domain: acme.example, token: "12345678" } }
`
const PLACES = `
locations:
  - { id: berlin, company: acme, name: Berlin, kind: warehouse, country: DE }
  - { id: leeds, company: acme, name: Leeds, kind: store, country: GB, services: { countries: [GB] } }
`

async function load(text: string): Promise<Config> {
  const file = join(folder, 'hub.yaml')
  await writeFile(file, text)
  return loadConfig(file, { connectors })
}

async function faultsOf(text: string): Promise<string[]> {
  try {
    await load(text)
    return []
  } catch (thrown) {
    return configFaults(thrown).map(({ path, message }) => `${path}: ${message}`)
  }
}

const withServices = (services: string, more = ''): string =>
  `${BASE}
locations:
  - { id: berlin, company: acme, name: Berlin, kind: warehouse, country: DE${more}, services: ${services} }
  - { id: leeds, company: acme, name: Leeds, kind: store, country: GB }`

describe('the configuration of routing', () => {
  test('fills in what a rule leaves out', async () => {
    const { routing } = await load(`${BASE}${PLACES}
routing: [{ company: acme, rules: [{ name: all, filters: { in_time: true } }] }]`)
    expect(routing[0]?.rules).toEqual([
      {
        name: 'all',
        filters: {
          serves_address: true,
          serves_service_level: true,
          accepts_items: true,
          has_capacity: true,
          in_time: true,
        },
        sort: ['rank'],
        strategy: 'single_location_first',
        split: { locations_max: 10 },
        otherwise: 'wait',
      },
    ])
  })

  test('names unknown places, channels and companies, rules nothing reaches, and countries nobody serves', async () => {
    const rules = `${BASE}${PLACES}
routing:
  - company: acme
    rules:
      - { name: a, when: { connections: [shopp], countries: [DE] }, filters: { locations: [leds] } }
      - { name: b, when: { countries: [FR] }, filters: { kinds: [store] } }
      - { name: c }
      - { name: c }
  - { company: acme, rules: [{ name: x }] }
  - { company: nobody, rules: [{ name: x }] }`
    expect(await faultsOf(rules)).toEqual([
      'routing[0].rules[0].when.connections[0]: the company has no connection "shopp"',
      'routing[0].rules[0].filters.locations[0]: the company has no location "leds"',
      'routing[0].rules[1].when.countries[0]: no location of the rule serves FR',
      'routing[0].rules[3].name: "c" is the name of the rule 3 already',
      'routing[0].rules[3]: is unreachable: the rule "c" before it fits every order and passes none on',
      'routing[1].company: "acme" has routing rules already; give one list for it',
      'routing[2].company: there is no company "nobody"',
    ])
  })

  test('an empty sort is a fault of its own', async () => {
    expect(
      await faultsOf(`${BASE}${PLACES}routing: [{ company: acme, rules: [{ name: a, sort: [] }] }]`),
    ).toMatchObject([expect.stringMatching(/^routing\[0\]\.rules\[0\]\.sort: /)])
  })

  test('calendars need a time zone and spans that do not overlap; refused items have to exist', async () => {
    const calendar = (closed: string): string => `{ calendar: { cutoff: "14:00", closed: [${closed}] } }`
    expect(await faultsOf(withServices(calendar('')))).toEqual([
      'locations[0].timezone: is required with a calendar: its cut-off is a time of day at the place',
    ])
    const zone = ', timezone: Europe/Berlin'
    const spans = '{ from: "2026-12-24", to: "2026-12-26" }, { from: "2026-12-26", to: "2026-12-31" }'
    expect(await faultsOf(withServices(calendar(spans), zone))).toEqual([
      'locations[0].services.calendar.closed[1].from: overlaps the span closed[0]; give one span for both',
    ])
    expect(await faultsOf(withServices(calendar('{ from: "2026-02-30", to: "2026-03-01" }'), zone))).toEqual([
      'locations[0].services.calendar.closed[0].from: there is no day 2026-02-30',
    ])
    expect(await faultsOf(withServices('{ refuses_skus: [TENT, TANT], postcodes: ["DE:10115"] }'))).toEqual([
      'locations[0].services.refuses_skus[1]: the company "acme" has no item "TANT"',
      'locations[0].services.postcodes[0]: routing sees the first 3 characters of a postcode; name no more of them',
    ])
  })

  test('stock rules and postcode areas are checked, too', async () => {
    const text = `${BASE}${PLACES}
stock_rules:
  - { company: acme, connection: shopp, sku: TANT, cap: 1 }
  - { company: acme, location: berlin, safety_units: 1 }
  - { company: acme, location: berlin, safety_units: 2 }
postcode_areas:
  - { country: DE, prefix: "53", latitude: 50.7, longitude: 7.1 }
  - { country: DE, prefix: "53", latitude: 50.8, longitude: 7.1 }
  - { country: DE, prefix: "5311", latitude: 50.8, longitude: 7.1 }`
    expect(await faultsOf(text)).toMatchObject([
      'stock_rules[0].connection: the company "acme" has no connection "shopp"',
      'stock_rules[0].sku: the company "acme" has no item "TANT"',
      expect.stringMatching(/^stock_rules\[2\]/),
      'postcode_areas[1].prefix: the area DE:53 is given twice',
      expect.stringMatching(/^postcode_areas\[2\]\.prefix: routing sees the first 3 characters/),
    ])
  })
})
