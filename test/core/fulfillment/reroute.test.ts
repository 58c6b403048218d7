import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { listOrders } from '../../../src/core/orders/read.ts'
import { orderOf, timelineOf } from '../world.ts'
import { answerFact, createPlaces, type Places } from './places.ts'

let world: Places
beforeEach(async () => {
  world = await createPlaces()
})
afterEach(async () => {
  await world.verified()
  await world.drop()
})

const reject = async (order: string, location: string): Promise<void> => {
  const work = await world.workAt(order, location)
  expect(await world.apply('wms', answerFact(world, work, 'rejected'))).toMatchObject([{ kind: 'applied' }])
}

describe('work that a place refuses', () => {
  it('is served by the next of two places', async () => {
    await world.stocked({ south: { TEA: 5 }, east: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 3 }])
    await world.sendAll()
    await reject('A', 'south')
    expect(await world.promises('A')).toEqual(['committed east TEA 3'])
    expect(await world.works('A')).toEqual(['south CANCELLED', 'east OPEN'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 5, committed: 0 })
    expect(await timelineOf(world, 'A')).toContain('fulfillment_order.rejected')
  })

  it('goes from place to place of three, and never back', async () => {
    await world.stocked({ north: { TEA: 5 }, south: { TEA: 5 }, east: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    await world.say(await world.workAt('A', 'north'), { kind: 'reject', reason: 'stocktaking' })
    expect(await world.promises('A')).toEqual(['committed south TEA 2'])
    await world.sendAll()
    await reject('A', 'south')
    expect(await world.promises('A')).toEqual(['committed east TEA 2'])
    expect(await world.works('A')).toEqual(['north CANCELLED', 'south CANCELLED', 'east OPEN'])
  })

  it('splits over the other two where neither has all of it', async () => {
    await world.stocked({ north: { TEA: 2 }, south: { TEA: 5 }, east: { TEA: 3 } })
    await world.order('A', [{ sku: 'TEA', quantity: 4 }])
    await world.sendAll()
    await reject('A', 'south')
    expect(await world.promises('A')).toEqual(['committed east TEA 2', 'committed north TEA 2'])
  })

  it('leaves the parts of a split order that other places have taken on', async () => {
    await world.stocked({ south: { TEA: 2 }, east: { TEA: 2 }, north: { MUG: 1 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }, { sku: 'MUG', quantity: 1 }]) // prettier-ignore
    await world.say(await world.workAt('A', 'north'), { kind: 'accept' })
    await world.sendAll()
    await reject('A', 'south')
    expect(await world.promises('A')).toEqual(['committed east TEA 2', 'committed north MUG 1'])
    expect(await world.works('A')).toEqual(expect.arrayContaining(['north IN_PROGRESS', 'east OPEN']))
  })

  it('of a kit is served with all its parts from one other place', async () => {
    await world.stocked({ south: { TEA: 4, MUG: 2 }, east: { TEA: 4, MUG: 2 } })
    await world.order('K', [{ sku: 'GIFT', quantity: 2 }])
    await world.sendAll()
    await reject('K', 'south')
    expect(await world.promises('K')).toEqual(['committed east MUG 2', 'committed east TEA 4'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 4, committed: 0 })
  })

  it('of a kit that no other place has whole waits whole', async () => {
    await world.stocked({ south: { TEA: 2, MUG: 1 }, east: { TEA: 2 }, north: { MUG: 1 } })
    await world.order('K', [{ sku: 'GIFT', quantity: 1 }])
    await world.sendAll()
    await reject('K', 'south')
    expect(await world.promises('K')).toEqual(['shortfall - MUG 1', 'shortfall - TEA 2'])
    expect(await world.stock('TEA', 'east')).toMatchObject({ available: 2 })
  })

  it('by all places is a shortfall that stays visible, until a place that has not refused it has the goods', async () => {
    await world.stocked({ south: { TEA: 5 }, east: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 3 }])
    await world.sendAll()
    await reject('A', 'south')
    await world.sendAll()
    await reject('A', 'east')
    expect(await world.promises('A')).toEqual(['shortfall - TEA 3'])
    expect(await orderOf(world, 'A')).toMatchObject({ reservation_state: 'shortfall' })
    const { rows } = await listOrders(world.db, { reservation_state: 'shortfall' })
    expect(rows.map((row) => row.external_id)).toEqual(['A'])
    world.moveTo(10)
    const arrival = (location_code: string, external_id: string) => ({
      kind: 'stock_change' as const,
      document: {
        external_id,
        location_code,
        sku: 'TEA',
        delta: 9,
        reason: 'received' as const,
        reference: null,
        at: world.ctx.now.toISOString(),
      },
    })
    await world.apply('wms', arrival('S1', 'R1'))
    expect(await world.promises('A')).toEqual(['shortfall - TEA 3'])
    await world.apply('wms', arrival('north', 'R2'))
    expect(await world.promises('A')).toEqual(['committed north TEA 3'])
  })
})
