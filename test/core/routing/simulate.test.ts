import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RoutingRules } from '../../../src/core/model/routing.ts'
import { parseRules } from '../../../src/core/routing/document.ts'
import { simulateRouting, type Simulation } from '../../../src/core/routing/simulate.ts'
import { activateRules, proposeRules } from '../../../src/core/routing/versions.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createPlaces, type Places } from '../fulfillment/places.ts'
import { orderFact } from '../world.ts'

let world: Places
beforeEach(async () => {
  world = await createPlaces()
})
afterEach(() => world.drop())

const simulate = (rules: RoutingRules, days = 30): Promise<Simulation> =>
  inTransaction(world.db, async (tx) => {
    await tx.query('set transaction isolation level repeatable read, read only')
    return simulateRouting(tx, world.ctx, { company_id: 'acme', rules, days })
  })

async function activate(document: unknown): Promise<void> {
  await inTransaction(world.db, async (tx) => {
    const { version } = await proposeRules(tx, world.ctx, { company_id: 'acme', document, by: 'user:anna' })
    await activateRules(tx, world.ctx, { company_id: 'acme', version, by: 'user:anna' })
  })
}

const services = (location: string, document: object): Promise<unknown> =>
  world.db.query('update locations set services = $2::jsonb where id = $1', [location, JSON.stringify(document)])

/** Orders with work at more than one place, as they were really decided. */
async function recordedSplits(): Promise<number> {
  const [row] = await world.db.query<{ splits: number }>(
    `select count(*)::int as splits from (
       select order_id from fulfillment_orders group by order_id having count(distinct location_id) > 1) s`,
  )
  return row?.splits ?? -1
}

/**
 * Three places on one meridian, 1, 2 and 3 degrees (111, 222 and 334 km) north of the buyers. The east comes first, has both goods and
 * leaves on working days at 14:00; the clock begins on a Sunday.
 */
async function threePlaces(): Promise<void> {
  world.policy('shop', { serves_from: ['east', 'north', 'south'] })
  await world.stocked({ north: { TEA: 10 }, south: { MUG: 10 }, east: { TEA: 2, MUG: 2 } })
  await world.db.query(`insert into postcode_areas (country, prefix, latitude, longitude) values ('DE', '53', 50, 7)`)
  for (const [degrees, id] of ['north', 'south', 'east'].entries())
    await world.db.query('update locations set latitude = $2, longitude = 7 where id = $1', [id, 51 + degrees])
  const cost = (parcel_minor: number, unit_minor: number) => [{ countries: [], parcel_minor, unit_minor }]
  await services('north', { currency: 'EUR', costs: cost(400, 50) })
  await services('south', { currency: 'EUR', costs: cost(500, 0) })
  const calendar = { days: ['mon', 'tue', 'wed', 'thu', 'fri'], cutoff: '14:00', closed: [] }
  await services('east', { currency: 'EUR', costs: cost(600, 100), calendar })
}

const MONDAY_NOON = '2026-03-02T12:00:00.000Z'

/** Two orders of tea alone and four of tea with a mug, minute by minute. */
async function history(): Promise<void> {
  const pair = [{ sku: 'TEA', quantity: 1 }, { sku: 'MUG', quantity: 1 }] // prettier-ignore
  for (const [index, id] of ['A', 'B', 'C', 'D', 'E', 'F'].entries()) {
    world.moveTo(10 + index)
    const promise = id === 'A' || id === 'C' ? { ship_by: MONDAY_NOON } : {}
    const lines = index < 2 ? [{ sku: 'TEA', quantity: 1 }] : pair
    expect(await world.apply('shop', orderFact(world, id, lines, promise))).toMatchObject([{ kind: 'applied' }])
  }
  world.moveTo(60)
}

/** Keeps the east, which alone has both, for orders that want both. */
const DRAFT = [{ name: 'where most is left', sort: ['stock_balance', 'rank'], strategy: 'single_location_first' }]

describe('a simulation', () => {
  it('shows that a draft halves the split rate, every figure as computed by hand', async () => {
    await threePlaces()
    await history()
    const { today, draft, ...around } = await simulate(parseRules(DRAFT))
    expect(around).toMatchObject({ company_id: 'acme', days: 30, orders_left_out: 0 })
    // A, B: east. C, D: tea north, mug east. E, F: tea north, mug south.
    expect(today).toMatchObject({
      version: null,
      orders: 6,
      orders_served: 6,
      orders_split: 4,
      split_rate: 0.6667,
      parcels: 10,
      // 2 × 600, 2 × (400 + 600), 2 × (400 + 500)
      cost: [{ currency: 'EUR', minor: 5_000 }],
      // 4 × 111, 2 × 222, 4 × 334
      distance_km_mean: 222.4,
      distance_km_median: 222,
      orders_late: 2,
      orders_short: 0,
      units_short: 0,
      capacity_refusals: 0,
      parcels_without_cost: 0,
      parcels_without_distance: 0,
    })
    // A, B: north. C, D: whole from the east. E, F as before.
    expect(draft).toMatchObject({
      orders: 6,
      orders_split: 2,
      split_rate: 0.3333,
      parcels: 8,
      // 2 × 400, 2 × (600 + 100 for the second unit), 2 × (400 + 500)
      cost: [{ currency: 'EUR', minor: 4_000 }],
      // 4 × 111, 2 × 222, 2 × 334: 1,556 km in 8 parcels; the middle two are 111 and 222.
      distance_km_mean: 194.5,
      distance_km_median: 166.5,
      orders_late: 1,
      units_short: 0,
    })
    expect(today.places.map(({ location_id, parcels }) => [location_id, parcels])).toEqual([
      ['east', 4],
      ['north', 4],
      ['south', 2],
    ])
    // What the east was given on Sunday leaves on Monday.
    expect(today.places[0]?.days).toEqual([{ day: '2026-03-02', parcels: 4 }])
    expect(today.places[1]).toMatchObject({ peak_day: '2026-03-01', peak_parcels: 4 })
  })

  it('of the ranking that decided the history gives the splits that were recorded', async () => {
    await threePlaces()
    await history()
    expect((await simulate(parseRules(DRAFT))).today.orders_split).toBe(await recordedSplits())
  })

  it('of the rules that decided the history gives the splits that were recorded', async () => {
    await threePlaces()
    await activate(DRAFT)
    await history()
    const { today, draft } = await simulate(parseRules(DRAFT))
    expect(await recordedSplits()).toBe(2)
    expect(today).toEqual({ version: 1, ...draft })
    expect(draft.orders_split).toBe(2)
  })

  it('begins with what was free when the window began, and leaves older orders alone', async () => {
    await world.stocked({ north: { TEA: 5 } })
    await world.order('old', [{ sku: 'TEA', quantity: 3 }])
    world.moveTo(3 * 24 * 60)
    await world.order('new', [{ sku: 'TEA', quantity: 4 }])
    world.moveTo(3 * 24 * 60 + 10)
    // Its three units are free again for whoever waits.
    await world.apply('shop', orderFact(world, 'old', [{ sku: 'TEA', quantity: 3 }], { lifecycle: 'cancelled' }))
    world.moveTo(3 * 24 * 60 + 20)
    const { today } = await simulate(parseRules(DRAFT), 1)
    expect(today).toMatchObject({ orders: 1, units_short: 2, units_waiting: 0, parcels: 2 })
  })

  it('lets orders wait for what comes, gives back what was cancelled, and takes lines as they were first wanted', async () => {
    await world.stocked({ north: { TEA: 3 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    world.moveTo(2)
    await world.order('B', [{ sku: 'TEA', quantity: 2 }])
    world.moveTo(3)
    const received = { location_code: 'north', sku: 'TEA', delta: 5, reason: 'received', reference: null } as const
    await world.apply('shop', {
      kind: 'stock_change',
      document: { ...received, external_id: 'R1', at: world.ctx.now.toISOString() },
    })
    world.moveTo(4)
    // One of B's two was missing for a minute; four are left now. C wants one first and three later.
    await world.order('C', [{ sku: 'TEA', quantity: 1 }])
    world.moveTo(5)
    await world.order('C', [{ sku: 'TEA', quantity: 3 }])
    world.moveTo(6)
    await world.order('D', [{ sku: 'TEA', quantity: 3 }])
    world.moveTo(7)
    const over = { lifecycle: 'cancelled', cancelled_at: world.ctx.now.toISOString() } as const
    await world.apply('shop', orderFact(world, 'D', [{ sku: 'TEA', quantity: 3 }], over))
    world.moveTo(8)
    await world.order('E', [{ sku: 'TEA', quantity: 3 }])
    const { today } = await simulate(parseRules(DRAFT))
    expect(today).toMatchObject({ orders: 5, orders_served: 5, orders_short: 1, units_short: 1, units_waiting: 0 })
    expect(today).toMatchObject({ parcels: 6, orders_split: 0 })
  })

  it('counts the places that a full day kept out, by its own parcels', async () => {
    await world.stocked({ north: { TEA: 9 }, south: { TEA: 9 } })
    await services('north', { orders_per_day: 2 })
    for (const [index, id] of ['A', 'B', 'C', 'D'].entries()) {
      world.moveTo(10 + index)
      await world.order(id, [{ sku: 'TEA', quantity: 1 }])
    }
    const { today, draft } = await simulate(parseRules([{ name: 'by rank' }]))
    expect(today).toMatchObject({ capacity_refusals: 0, places: [{ location_id: 'north', parcels: 4 }] })
    expect(draft).toMatchObject({
      capacity_refusals: 2,
      places: [
        { location_id: 'north', peak_parcels: 2 },
        { location_id: 'south', peak_parcels: 2 },
      ],
    })
  })

  it('says so when there is nothing to replay', async () => {
    await world.stocked({ north: { TEA: 1 } })
    await expect(simulate(parseRules(DRAFT), 7)).rejects.toMatchObject({
      code: 'not_found',
      message: 'acme has no orders of the last 7 days to replay',
    })
  })
})
