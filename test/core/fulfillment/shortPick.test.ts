import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { missingAtPick } from '../../../src/core/fulfillment/rulesShortPick.ts'
import { countFact, orderFact, orderOf, shipmentFact, timelineOf } from '../world.ts'
import { createPlaces, SHIP, shortFact, type Places } from './places.ts'

let world: Places
beforeEach(async () => {
  world = await createPlaces()
})
afterEach(async () => {
  await world.verified()
  await world.drop()
})

describe('a shortage at the pick', () => {
  it('is served by another place, and the rest of the work goes on', async () => {
    await world.stocked({ south: { TEA: 3, MUG: 1 }, east: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 3 }, { sku: 'MUG', quantity: 1 }]) // prettier-ignore
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    const [outcome] = await world.apply('wms', shortFact(world, work, { TEA: 2 }))
    expect(outcome).toEqual({ kind: 'applied', summary: `2 units of ${work} were not there` })
    expect(await world.promises('A')).toEqual([
      'committed east TEA 2',
      'committed south MUG 1',
      'committed south TEA 1',
    ])
    expect(await world.works('A')).toEqual(['south IN_PROGRESS', 'east OPEN'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 1, available: 0, committed: 1 })
    expect(await world.stock('TEA', 'east')).toMatchObject({ on_hand: 5, available: 3, committed: 2 })
    expect(await timelineOf(world, 'A')).toEqual(
      expect.arrayContaining(['reservation.shortfall', 'fulfillment_order.short']),
    )
    const ledger = await world.db.query(
      `select from_state, to_state, quantity from stock_ledger where reason = 'short_pick'`,
    )
    expect(ledger).toEqual([{ from_state: 'available', to_state: 'outside', quantity: 2 }])
    // What is left can be shipped, and no more than that.
    const [shipped] = await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 1, MUG: 1 }))
    expect(shipped).toMatchObject({ kind: 'applied' })
    expect(await world.works('A')).toEqual(['south CLOSED', 'east OPEN'])
  })

  it('becomes a shortfall that stays visible where nobody has the units, and is served when they come', async () => {
    await world.stocked({ south: { TEA: 2 }, east: { TEA: 0 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    await world.sendAll()
    await world.apply('wms', shortFact(world, await world.workAt('A', 'south'), { TEA: 2 }))
    expect(await world.promises('A')).toEqual(['shortfall - TEA 2'])
    expect(await world.works('A')).toEqual(['south CANCELLED'])
    expect(await orderOf(world, 'A')).toMatchObject({ reservation_state: 'shortfall' })
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 0 })
    world.moveTo(30)
    world.moveTo(31)
    const received = { location_code: 'E1', sku: 'TEA', delta: 2, reason: 'received', reference: null } as const
    await world.apply('wms', {
      kind: 'stock_change',
      document: { ...received, external_id: 'R1', at: world.ctx.now.toISOString() },
    })
    expect(await world.promises('A')).toEqual(['committed east TEA 2'])
  })

  it('loses nothing twice for the same message, and more for another', async () => {
    await world.stocked({ south: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 5 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    const first = shortFact(world, work, { TEA: 1 })
    expect(await world.apply('wms', first)).toMatchObject([{ kind: 'applied' }])
    expect(await world.apply('wms', first)).toEqual([{ kind: 'ignored', reason: 'same' }])
    expect(await world.apply('wms', first, first)).toEqual([
      { kind: 'ignored', reason: 'same' },
      { kind: 'ignored', reason: 'same' },
    ])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 4, committed: 4 })
    const second = shortFact(world, work, { TEA: 1 }, { reference: 'pick-2' })
    expect(await world.apply('wms', second)).toMatchObject([{ kind: 'applied' }])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 3, committed: 3 })
  })

  it('after a part has left takes what was still to be packed, and closes the work', async () => {
    await world.stocked({ south: { TEA: 4 }, east: { TEA: 4 } })
    await world.order('A', [{ sku: 'TEA', quantity: 4 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 3 }))
    // Three have left already: only one can be missing.
    const [outcome] = await world.apply('wms', shortFact(world, work, { TEA: 2 }))
    expect(outcome).toEqual({ kind: 'applied', summary: `1 units of ${work} were not there` })
    expect(await world.works('A')).toEqual(['south CLOSED', 'east OPEN'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 0, committed: 0 })
    expect(await world.promises('A')).toEqual(['committed east TEA 1'])
    expect(await world.apply('wms', shortFact(world, work, { TEA: 1 }, { reference: 'again' }))).toEqual([
      { kind: 'ignored', reason: 'superseded' },
    ])
  })

  it("breaks nobody else's promise at the place, whoever is the more urgent", async () => {
    await world.stocked({ south: { TEA: 4 } })
    world.policy('mall', { serves_from: ['south'], priority: 900 })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    await world.apply('mall', orderFact(world, 'B', [{ sku: 'TEA', quantity: 2 }]))
    await world.sendAll()
    await world.apply('wms', shortFact(world, await world.workAt('A', 'south'), { TEA: 2 }))
    expect(await world.promises('A')).toEqual(['shortfall - TEA 2'])
    expect(await world.promises('B')).toEqual(['committed south TEA 2'])
  })

  it('of a kit moves the missing part, whole units of it', async () => {
    await world.stocked({ south: { TEA: 4, MUG: 2 }, east: { TEA: 2 } })
    await world.order('K', [{ sku: 'GIFT', quantity: 2 }])
    await world.sendAll()
    await world.apply('wms', shortFact(world, await world.workAt('K', 'south'), { TEA: 1 }))
    // One unit is gone; the other of the pair is on the shelf again, and the pair comes from the east.
    expect(await world.promises('K')).toEqual([
      'committed east TEA 2',
      'committed south MUG 2',
      'committed south TEA 2',
    ])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 3, available: 1, committed: 2 })
  })

  it('parks goods that the work never had, and a message without lines', async () => {
    await world.stocked({ south: { TEA: 1 } })
    await world.order('A', [{ sku: 'TEA', quantity: 1 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    const empty = shortFact(world, work, {})
    expect(await world.apply('wms', shortFact(world, work, { MUG: 1 }), empty)).toMatchObject([
      { kind: 'parked', error: { code: 'unknown_order_line', path: '$.lines[0].sku' } },
      { kind: 'parked', error: { code: 'payload_invalid' } },
    ])
    expect(await world.promises('A')).toEqual(['committed south TEA 1'])
  })

  it('that a count found before is not lost twice', async () => {
    await world.stocked({ south: { TEA: 3 }, east: { TEA: 3 } })
    await world.order('A', [{ sku: 'TEA', quantity: 3 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    world.moveTo(5)
    await world.apply('wms', countFact(world, 'S1', 5, { TEA: 2 }))
    world.moveTo(6)
    await world.apply('wms', shortFact(world, work, { TEA: 3 }))
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 0, committed: 0 })
    expect(await world.works('A')).toEqual(['south CANCELLED', 'east OPEN'])
    expect(await world.promises('A')).toEqual(['committed east TEA 3'])
  })

  it('of work whose units turn up after all may still be shipped; what was promised in their place is given back', async () => {
    await world.stocked({ south: { TEA: 2 }, east: { TEA: 2 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await world.apply('wms', shortFact(world, work, { TEA: 1 }))
    expect(await world.promises('A')).toEqual(['committed east TEA 1', 'committed south TEA 1'])
    await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 2 }))
    expect(await orderOf(world, 'A')).toMatchObject({ fulfillment_state: 'fulfilled' })
    expect(await world.promises('A')).toEqual([])
    expect(await world.stock('TEA', 'east')).toMatchObject({ available: 2, committed: 0 })
  })
})

describe('a shortage told by a person', () => {
  it('of work that has not left keeps the rest for the 3PL', async () => {
    await world.stocked({ south: { TEA: 2 }, east: { TEA: 2 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    const work = await world.workAt('A', 'south')
    await world.say(work, { kind: 'short', key: 'k', reason: 'seen it', lines: [{ sku: 'TEA', quantity: 1 }] })
    expect(await world.effects(work)).toEqual(['fulfillment.new pending'])
    expect(await world.works('A')).toEqual(['south OPEN', 'east OPEN'])
  })

  it('of all units of work that was sent asks it back', async () => {
    await world.stocked({ south: { TEA: 2 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await world.say(work, { kind: 'short', key: 'k', reason: 'burnt', lines: [{ sku: 'TEA', quantity: 2 }] })
    expect(await world.effects(work)).toEqual(['fulfillment.new done', 'fulfillment.cancel pending'])
  })

  it('of all units of work that never left lets it never leave', async () => {
    await world.stocked({ south: { TEA: 2 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    const work = await world.workAt('A', 'south')
    await world.say(work, { kind: 'short', key: 'k', reason: 'burnt', lines: [{ sku: 'TEA', quantity: 2 }] })
    expect(await world.effects(work)).toEqual(['fulfillment.new cancelled'])
    expect(await world.works('A')).toEqual(['south CANCELLED'])
  })

  it('at a place without a system closes the loop by hand', async () => {
    await world.stocked({ north: { TEA: 2 }, south: { TEA: 2 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
    const work = await world.workAt('A', 'north')
    await world.say(work, { kind: 'short', key: 'k', reason: 'one broke', lines: [{ sku: 'TEA', quantity: 1 }] })
    expect(await world.works('A')).toEqual(['north IN_PROGRESS', 'south OPEN'])
    await world.say(work, { ...SHIP, key: 'parcel-1' })
    expect(await world.works('A')).toEqual(['north CLOSED', 'south OPEN'])
    expect(await world.stock('TEA', 'north')).toMatchObject({ on_hand: 0 })
  })
})

describe('which units are missing', () => {
  const rows = [
    { item_id: 1, sku: 'TEA', quantity: 3 },
    { item_id: 2, sku: 'MUG', quantity: 0 },
  ]
  it('sums lines of one SKU, and takes no more than there are', () => {
    const twice = [{ sku: 'TEA', quantity: 2 }, { sku: 'TEA', quantity: 2 }, { sku: 'MUG', quantity: 1 }] // prettier-ignore
    expect(missingAtPick(twice, rows)).toEqual({ kind: 'missing', units: [{ item_id: 1, sku: 'TEA', quantity: 3 }] })
    expect(missingAtPick([{ sku: 'CUP', quantity: 1 }], rows)).toEqual({
      kind: 'unknown_line',
      path: '$.lines[0].sku',
      sku: 'CUP',
    })
    expect(missingAtPick([], rows)).toEqual({ kind: 'no_lines' })
  })
})
