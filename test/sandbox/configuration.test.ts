import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { loadConfig } from '../../src/config.ts'
import { connectors } from '../../src/connectors/index.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { startWorld } from '../../src/sandbox/world.ts'

/** Where a simulator listens, how fast it may be called and where its files are is decided when it starts. */
const DECIDED_AT_START = new Set([
  'api_url',
  'url',
  'token_url',
  'queue_url',
  'site_url',
  'transport',
  'points_per_second',
  'calls_per_second',
  'location_code',
])

/** Settings, also those in sections, without what is decided at start. */
const fixed = (settings: Readonly<Record<string, unknown>>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(settings)
      .filter(([name]) => !DECIDED_AT_START.has(name))
      .map(([name, value]) => [name, isSection(value) ? fixed(value) : value]),
  )
const isSection = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

test('the simulators know the secrets and ids that the sandbox configuration names', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'crossdock-world-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const { connections, locations, stock_rules } = loadConfig('config/crossdock.yaml', { connectors, variables: {} })
  const world = await startWorld({
    connections,
    locations,
    stock_rules,
    data_dir: folder,
    keep: false,
    seed: 1,
    port_base: 0,
    stock_scale: 1,
    faults: KIND,
    now: () => new Date(),
    warehouse: { poll_ms: 1_000, pick_ms: 1_000, snapshot_every_ms: 60_000 },
  })
  onTestFinished(() => world.stop())
  // Two storefronts of one kind, and four places that speak files, each with a simulator of its own.
  expect(world.shops.map(({ storefront, buyers }) => [storefront.connection_id, buyers])).toEqual([
    ['shopify-eu', 'people'],
    ['woo-shop', 'people'],
    ['b2b-portal', 'businesses'],
    ['amazon-eu', 'people'],
  ])
  expect(world.houses.map(({ location_id, connection_id }) => [location_id, connection_id])).toEqual([
    ['hamburg', 'threepl'],
    ['berlin', 'wms-berlin'],
    ['leipzig', 'wms-leipzig'],
    ['rotterdam', 'edi-3pl'],
  ])
  const urls = world.shops.map(({ storefront }) => storefront.url)
  expect(new Set(urls).size).toBe(urls.length)
  // A bank has no API: its statements are files.
  expect(world.bank).toEqual({ connection_id: 'house-bank', iban: 'DE02120300000000202051', currency: 'EUR' })
  const simulatedOnes = connections.filter(({ connector }) => connector !== 'bank')
  expect(simulatedOnes.map(({ id }) => id).toSorted()).toEqual([...world.settings.keys()].toSorted())
  for (const { id, settings } of simulatedOnes) {
    const simulated = Object.entries(fixed(world.settings.get(id) ?? {}))
    expect(simulated.length, id).toBeGreaterThan(0)
    expect(fixed(settings), id).toMatchObject(Object.fromEntries(simulated))
  }
})
