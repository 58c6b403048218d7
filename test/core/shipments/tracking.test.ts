import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { progressOf } from '../../../src/core/fulfillment/rulesTracking.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import type { TrackingEvent } from '../../../src/core/model/shipment.ts'
import { countFact, createWorld, orderFact, shipmentFact, timelineOf, workOf, type World } from '../world.ts'

let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 100 }))
  await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 2 }]))
})
afterEach(() => world.drop())

const scan = (minutes: number, status: TrackingEvent['status'], changes: Partial<TrackingEvent> = {}): Fact => ({
  kind: 'tracking_event',
  document: {
    carrier: 'post',
    tracking_number: 'T-S1',
    code: status,
    status,
    at: world.at(minutes).toISOString(),
    place: null,
    ...changes,
  },
})
const ship = async (external_id: string, quantity: number): Promise<void> => {
  const [work] = await workOf(world, 'A')
  await world.apply('wms', shipmentFact(world, external_id, work!.number, { TEA: quantity }))
}
const shipment = async (external_id = 'S1') =>
  (
    await world.db.query<{ tracking_status: string | null; tracking_at: Date | null; delivered_at: Date | null }>(
      'select tracking_status, tracking_at, delivered_at from shipments where external_id = $1',
      [external_id],
    )
  )[0]!
const deliveredAt = async () =>
  (await world.db.query<{ delivered_at: Date | null }>(`select delivered_at from orders where external_id = 'A'`))[0]!
    .delivered_at

describe('scans', () => {
  it('say where a parcel is by their own time, whatever order they come in', async () => {
    await ship('S1', 2)
    await world.apply('bank', scan(50, 'out_for_delivery'))
    await world.apply('bank', scan(20, 'picked_up'))
    expect(await shipment()).toEqual({
      tracking_status: 'out_for_delivery',
      tracking_at: world.at(50),
      delivered_at: null,
    })
    await world.apply('bank', scan(60, 'delivered'), scan(30, 'in_transit'))
    expect(await shipment()).toEqual({
      tracking_status: 'delivered',
      tracking_at: world.at(60),
      delivered_at: world.at(60),
    })
    expect(await deliveredAt()).toEqual(world.at(60))
  })

  it('are a set of carrier, number, code, time and place', async () => {
    await ship('S1', 2)
    const here = scan(20, 'in_transit', { place: 'Bonn' })
    const outcomes = await world.apply(
      'bank',
      here,
      here,
      scan(20, 'in_transit', { place: 'Köln' }),
      scan(20, 'in_transit', { carrier: 'other' }),
    )
    expect(outcomes.map(({ kind }) => kind)).toEqual(['applied', 'ignored', 'applied', 'applied'])
    // A place that nobody names is the same place each time.
    expect((await world.apply('bank', scan(21, 'in_transit'), scan(21, 'in_transit'))).map(({ kind }) => kind)).toEqual(
      ['applied', 'ignored'],
    )
    expect((await world.apply('bank', here)).map(({ kind }) => kind)).toEqual(['ignored'])
    expect((await timelineOf(world, 'A')).filter((kind) => kind === 'shipment.tracked')).toHaveLength(4)
  })

  it('may come before their parcel is reported', async () => {
    await world.apply('bank', scan(10, 'label_created'), scan(40, 'delivered'))
    expect(await deliveredAt()).toBeNull()
    await ship('S1', 2)
    expect(await shipment()).toMatchObject({ tracking_status: 'delivered', delivered_at: world.at(40) })
    expect(await deliveredAt()).toEqual(world.at(40))
  })

  it('of one parcel do not deliver an order of two', async () => {
    await ship('S1', 1)
    await world.apply('bank', scan(10, 'delivered'))
    // A unit of it has not even left.
    expect(await deliveredAt()).toBeNull()
    await ship('S2', 1)
    expect(await deliveredAt()).toBeNull()
    await world.apply('bank', scan(15, 'delivered', { tracking_number: 'T-S2' }))
    expect(await deliveredAt()).toEqual(world.at(15))
  })

  it('of another company say nothing about a parcel with the same number', async () => {
    await ship('S1', 2)
    await world.db.query(`insert into companies (id, name) values ('other', 'Other')`)
    await world.db.query(`insert into connections (id, connector, company_id) values ('theirs', 'sample', 'other')`)
    await world.apply('theirs', scan(10, 'delivered'))
    expect(await shipment()).toMatchObject({ tracking_status: null, delivered_at: null })
  })

  it('that nobody understands do not hide those that are understood', () => {
    const at = (minutes: number): Date => new Date(minutes * 60_000)
    expect(progressOf([])).toBeUndefined()
    expect(progressOf([{ status: 'unknown', at: at(1) }])).toMatchObject({ status: 'unknown' })
    expect(
      progressOf([
        { status: 'in_transit', at: at(1) },
        { status: 'unknown', at: at(2) },
      ]),
    ).toMatchObject({ status: 'in_transit' })
    // Of one instant what is further on.
    expect(
      progressOf([
        { status: 'delivered', at: at(3) },
        { status: 'out_for_delivery', at: at(3) },
      ]),
    ).toMatchObject({ status: 'delivered' })
    expect(
      progressOf([
        { status: 'delivered', at: at(3) },
        { status: 'delivered', at: at(9) },
        { status: 'returning', at: at(10) },
      ]),
    ).toEqual({
      status: 'returning',
      at: at(10),
      delivered_at: at(3),
    })
  })
})
