import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { countFact, createWorld, orderFact, orderOf, shipmentFact, timelineOf, workOf, type World } from '../world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.drop())

const change = (
  sku: string,
  delta: number,
  reason: 'received' | 'damaged' | 'lost' | 'found' | 'adjusted',
  minutes: number,
): Fact => ({
  kind: 'stock_change',
  document: {
    external_id: `X${sku}${delta}${minutes}`,
    location_code: 'N1',
    sku,
    delta,
    reason,
    reference: null,
    at: world.at(minutes).toISOString(),
  },
})

describe('counts', () => {
  it('sets what is on hand and its condition', async () => {
    const [outcome] = await world.apply(
      'wms',
      countFact(world, 'N1', 0, { TEA: { on_hand: 20, damaged: 2, quality_control: 3 }, MUG: 5 }),
    )
    expect(outcome).toEqual({ kind: 'applied', summary: 'counted 2 of 2 items' })
    expect(await world.stock('TEA', 'north')).toMatchObject({
      on_hand: 20,
      available: 15,
      damaged: 2,
      quality_control: 3,
    })
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 5, available: 5 })
  })

  it('leaves promised units promised, and takes a count again without effect', async () => {
    await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 4 }]))
    world.moveTo(10)
    const count = countFact(world, 'N1', 5, { TEA: 20 })
    await world.apply('wms', count)
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 20, available: 16, committed: 4, damaged: 0 })
    await world.apply('wms', count)
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 20, available: 16, committed: 4 })
  })

  it('ignores a count that is older than the last one', async () => {
    const [outcome] = await world.apply('wms', countFact(world, 'N1', 4, { TEA: 99 }))
    expect(outcome).toEqual({ kind: 'ignored', reason: 'older' })
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 20 })
  })

  it('does not bring back what was shipped after it was taken', async () => {
    const [work] = await workOf(world, 'A')
    world.moveTo(30)
    await world.apply('wms', shipmentFact(world, 'S-A', work!.number, { TEA: 4 }))
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 16, available: 16, committed: 0 })
    world.moveTo(40)
    await world.apply('wms', countFact(world, 'N1', 20, { TEA: 20 }))
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 16, available: 16 })
  })

  it('does not take off twice what had left before it was taken but is told of later', async () => {
    await world.apply('shop', orderFact(world, 'B', [{ sku: 'TEA', quantity: 3 }]))
    const [work] = await workOf(world, 'B')
    world.moveTo(60)
    await world.apply('wms', countFact(world, 'N1', 55, { TEA: 13 }))
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 13, available: 10, committed: 3 })
    await world.apply(
      'wms',
      shipmentFact(world, 'S-B', work!.number, { TEA: 3 }, { shipped_at: world.at(50).toISOString() }),
    )
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 13, available: 13, committed: 0 })
  })

  it('breaks promises only when nothing else is left: unsent before sent, the youngest first', async () => {
    await world.apply('shop', orderFact(world, 'C1', [{ sku: 'MUG', quantity: 2 }]))
    await world.apply('shop', orderFact(world, 'C2', [{ sku: 'MUG', quantity: 2 }]))
    await world.apply('mall', orderFact(world, 'C3', [{ sku: 'MUG', quantity: 1 }]))
    const [young] = await workOf(world, 'C3')
    await world.db.query(`update fulfillment_orders set state = 'SCHEDULED' where id = $1`, [young!.id])
    world.moveTo(70)
    await world.apply('wms', countFact(world, 'N1', 65, { MUG: 3 }))
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 3, available: 0, committed: 3 })
    expect(await orderOf(world, 'C1')).toMatchObject({ reservation_state: 'committed' })
    expect(await orderOf(world, 'C2')).toMatchObject({ reservation_state: 'shortfall' })
    expect(await orderOf(world, 'C3')).toMatchObject({ reservation_state: 'committed' })
    expect(await timelineOf(world, 'C2')).toContain('reservation.shortfall')
    expect(await workOf(world, 'C2')).toMatchObject([{ state: 'CANCELLED' }])
    await world.apply('wms', countFact(world, 'N1', 66, { MUG: 0 }))
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 0, available: 0, committed: 0 })
    expect(await orderOf(world, 'C3')).toMatchObject({ reservation_state: 'shortfall' })
  })

  it('serves those who wait when a count finds more', async () => {
    world.moveTo(80)
    await world.apply('wms', countFact(world, 'N1', 75, { MUG: 10 }))
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 10, available: 5, committed: 5 })
    for (const id of ['C1', 'C2', 'C3'])
      expect(await orderOf(world, id)).toMatchObject({ reservation_state: 'committed' })
  })

  it('parks what it cannot name and leaves no trace; the catalog wakes it', async () => {
    const outcomes = await world.apply(
      'wms',
      countFact(world, 'N1', 76, { MUG: 1, LAMP: 4 }),
      countFact(world, 'W9', 76, { MUG: 1 }),
      countFact(world, 'S1', 76, { MUG: 6 }),
    )
    expect(outcomes).toMatchObject([
      { kind: 'parked', error: { code: 'unknown_sku', path: '$.lines[1].sku', wake_key: 'item:acme:LAMP' } },
      { kind: 'parked', error: { code: 'unknown_location', wake_key: 'location:wms:W9' } },
      { kind: 'applied' },
    ])
    expect(await world.stock('MUG', 'north')).toMatchObject({ on_hand: 10 })
    expect(await world.stock('MUG', 'south')).toMatchObject({ on_hand: 6 })
  })
})

describe('stock changes', () => {
  it('moves received, damaged, found and lost goods', async () => {
    await world.apply('wms', countFact(world, 'N1', 100, { SPOON: 10 }))
    await world.apply(
      'wms',
      change('SPOON', 5, 'received', 101),
      change('SPOON', -2, 'damaged', 102),
      change('SPOON', 3, 'lost', 103),
    )
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 12, available: 10, damaged: 2 })
    await world.apply('wms', change('SPOON', -1, 'adjusted', 104), change('SPOON', 1, 'found', 105))
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 12, available: 10, damaged: 2 })
  })

  it('is in a later count already', async () => {
    expect(await world.apply('wms', change('SPOON', 7, 'received', 99))).toEqual([
      { kind: 'ignored', reason: 'superseded' },
    ])
    await world.apply('wms', countFact(world, 'N1', 101.5, { SPOON: { on_hand: 15, damaged: 0, quality_control: 0 } }))
    // 15 at 101.5, then 2 damaged, 3 lost, 1 adjusted away, 1 found.
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 12, available: 10, damaged: 2 })
  })

  it('breaks promises when more is lost than is free, and never goes below zero', async () => {
    await world.apply('mall', orderFact(world, 'D', [{ sku: 'SPOON', quantity: 8 }]))
    await world.apply('wms', change('SPOON', 4, 'lost', 110))
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 8, available: 0, committed: 6 })
    expect(await orderOf(world, 'D')).toMatchObject({ reservation_state: 'partial' })
    const [outcome] = await world.apply('wms', change('SPOON', 9, 'lost', 111))
    expect(outcome).toEqual({ kind: 'applied', summary: 'lost 6, 3 more were reported than are here' })
    expect(await world.stock('SPOON', 'north')).toMatchObject({ on_hand: 2, available: 0, committed: 0, damaged: 2 })
  })

  it('leaves every invariant whole', async () => {
    const { checks } = await verify(world.db)
    expect(checks.filter((check) => check.violations > 0)).toEqual([])
  })
})
