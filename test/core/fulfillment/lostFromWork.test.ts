import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countFact, orderOf, shipmentFact } from '../world.ts'
import { answerFact, createPlaces, type Places } from './places.ts'

describe('an order edited while units are lost from work at the 3PL', () => {
  let world: Places
  let work: string
  beforeEach(async () => {
    world = await createPlaces()
    await world.stocked({ south: { TEA: 3 }, east: { TEA: 9, MUG: 9 } })
    await world.order('A', [{ sku: 'TEA', quantity: 3 }])
    await world.sendAll()
    work = await world.workAt('A', 'south')
    world.moveTo(10)
    await world.apply('wms', countFact(world, 'S1', 10, { TEA: 2 }))
    world.moveTo(11)
  })
  afterEach(async () => {
    await world.verified()
    await world.drop()
  })

  it('begins with a unit that waits for the work', async () => {
    expect(await world.promises('A')).toEqual(['committed south TEA 2', 'shortfall - TEA 1'])
  })

  it('demands them nowhere else while that work lives', async () => {
    await world.order('A', [{ sku: 'TEA', quantity: 3 }, { sku: 'MUG', quantity: 1 }]) // prettier-ignore
    expect(await world.promises('A')).toEqual(['committed east MUG 1', 'committed south TEA 2', 'shortfall - TEA 1'])
    // The packer had it in hand all the time.
    await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 3 }))
    expect(await world.promises('A')).toEqual(['committed east MUG 1'])
    expect(await world.stock('TEA', 'east')).toMatchObject({ available: 9, committed: 0 })
  })

  it('demands only what is wanted beyond them', async () => {
    await world.order('A', [{ sku: 'TEA', quantity: 5 }])
    expect(await world.promises('A')).toEqual(['committed east TEA 2', 'committed south TEA 2', 'shortfall - TEA 1'])
  })

  it('gives them up first when less is wanted, and calls nothing back', async () => {
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    expect(await world.promises('A')).toEqual(['committed south TEA 2'])
    expect(await world.effects(work)).toEqual(['fulfillment.new done'])
    expect(await orderOf(world, 'A')).toMatchObject({ reservation_state: 'committed' })
  })

  it('plans them elsewhere once the work is over', async () => {
    await world.order('A', [{ sku: 'TEA', quantity: 3 }, { sku: 'MUG', quantity: 1 }]) // prettier-ignore
    await world.apply('wms', answerFact(world, work, 'rejected'))
    expect(await world.promises('A')).toEqual(['committed east MUG 1', 'committed east TEA 3'])
  })

  it('is served again by the same work when they are found', async () => {
    await world.order('A', [{ sku: 'TEA', quantity: 3 }, { sku: 'MUG', quantity: 1 }]) // prettier-ignore
    world.moveTo(20)
    await world.apply('wms', countFact(world, 'S1', 20, { TEA: 3 }))
    expect(await world.promises('A')).toEqual(['committed east MUG 1', 'committed south TEA 3'])
  })
})
