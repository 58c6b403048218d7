import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { coreContext } from '../../../src/queues/context.ts'
import { runEffects, type GroupRef } from '../../../src/queues/effects.ts'
import { relayDue } from '../../../src/queues/relay.ts'
import { createTestDatabase, type TestDatabase } from '../../kit/database.ts'
import { startLedgerVendor, type LedgerVendor } from '../../kit/ledger.ts'
import { order as orderDocument, line } from '../../kit/orders.ts'
import { fixtureConnections, seedFixture } from '../../kit/queueFixture.ts'
import { rememberingQueues, testClock, testHub } from '../../kit/testHub.ts'
import { orderFact, orderOf, shipmentFact } from '../world.ts'
import { answerFact, createPlaces, SHIP, verified, type Places } from './places.ts'

describe('a cancellation', () => {
  let world: Places
  beforeEach(async () => {
    world = await createPlaces()
    await world.stocked({ south: { TEA: 5 }, east: { TEA: 5 } })
    await world.order('A', [{ sku: 'TEA', quantity: 2 }])
  })
  afterEach(async () => {
    await world.verified()
    await world.drop()
  })

  const cancel = (): Promise<unknown> => {
    world.moveTo(20)
    const over = { lifecycle: 'cancelled', cancelled_at: world.ctx.now.toISOString() } as const
    return world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 2 }], over))
  }

  it('between plan and export keeps the work from leaving', async () => {
    const work = await world.workAt('A', 'south')
    await cancel()
    expect(await world.effects(work)).toEqual(['fulfillment.new cancelled'])
    expect(await world.works('A')).toEqual(['south CANCELLED'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 5, committed: 0 })
  })

  it('of work that was sent asks it back, and frees its units with the answer only', async () => {
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await cancel()
    expect(await world.effects(work)).toEqual(['fulfillment.new done', 'fulfillment.cancel pending'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 3, committed: 2 })
    await world.apply('wms', answerFact(world, work, 'cancelled'))
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 5, committed: 0 })
    expect(await orderOf(world, 'A')).toMatchObject({ reservation_state: 'released' })
  })

  it('that crosses a refusal plans nothing anew, and needs no recall any more', async () => {
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await cancel()
    await world.apply('wms', answerFact(world, work, 'rejected'))
    expect(await world.works('A')).toEqual(['south CANCELLED'])
    expect(await world.promises('A')).toEqual([])
    expect(await world.effects(work)).toEqual(['fulfillment.new done', 'fulfillment.cancel cancelled'])
  })

  it('that comes after a refusal keeps the new work of the next place from leaving', async () => {
    await world.sendAll()
    await world.apply('wms', answerFact(world, await world.workAt('A', 'south'), 'rejected'))
    const second = await world.workAt('A', 'east')
    await cancel()
    expect(await world.effects(second)).toEqual(['fulfillment.new cancelled'])
    expect(await world.works('A')).toEqual(['south CANCELLED', 'east CANCELLED'])
  })

  it('that crosses a shipment lets the goods be gone, and takes the recall back', async () => {
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await cancel()
    expect(await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 2 }))).toMatchObject([{ kind: 'applied' }])
    expect(await world.works('A')).toEqual(['south CLOSED'])
    expect(await world.effects(work)).toEqual(['fulfillment.new done', 'fulfillment.cancel cancelled'])
    expect(await world.stock('TEA', 'south')).toMatchObject({ on_hand: 3, available: 3, committed: 0 })
    // The 3PL's word that it has cancelled comes too late to be true.
    expect(await world.apply('wms', answerFact(world, work, 'cancelled'))).toEqual([
      { kind: 'ignored', reason: 'superseded' },
    ])
  })

  it('that was confirmed parks a shipment of the same units: a person has to look', async () => {
    await world.sendAll()
    const work = await world.workAt('A', 'south')
    await cancel()
    await world.apply('wms', answerFact(world, work, 'cancelled'))
    expect(await world.apply('wms', shipmentFact(world, 'S1', work, { TEA: 2 }))).toMatchObject([
      { kind: 'parked', error: { code: 'over_shipped' } },
    ])
    expect(await world.stock('TEA', 'south')).toMatchObject({ available: 5 })
  })

  it('of work done by hand is confirmed by giving it back, and its place is not shunned for it', async () => {
    await world.stocked({ north: { MUG: 3 } })
    await world.order('H', [{ sku: 'MUG', quantity: 2 }])
    const work = await world.workAt('H', 'north')
    await world.say(work, { kind: 'accept' })
    world.moveTo(30)
    // One unit less: what is being picked is called back and planned anew.
    await world.order('H', [{ sku: 'MUG', quantity: 1 }])
    expect(await world.stock('MUG', 'north')).toMatchObject({ committed: 2 })
    await world.say(work, { kind: 'reject', reason: 'put back' })
    expect(await world.promises('H')).toEqual(['committed north MUG 1'])
    await world.say(await world.workAt('H', 'north'), { ...SHIP, key: 'H-1' })
    expect(await orderOf(world, 'H')).toMatchObject({ fulfillment_state: 'fulfilled' })
  })
})

describe('with the real relay', () => {
  let database: TestDatabase
  let vendor: LedgerVendor
  beforeEach(async () => {
    database = await createTestDatabase()
    vendor = await startLedgerVendor()
  })
  afterEach(async () => {
    await verified(database.db)
    await vendor.stop()
    await database.drop()
  })

  async function openHub() {
    const connections = fixtureConnections({ vendor_url: vendor.url, readable: false, batch_max: 1 })
    await seedFixture(database.db, connections, { TENT: 10 })
    const queues = rememberingQueues()
    const hub = testHub({ db: database.db, queues, connections, clock: testClock() })
    const apply = async (fact: Fact): Promise<void> => {
      const inbound = [{ connection_id: 'shop-1', source: 'test:1', fact }]
      const { outcomes } = await inTransaction(database.db, (tx) => applyFacts(tx, coreContext(hub), inbound))
      expect(outcomes).toMatchObject([{ kind: 'applied' }])
    }
    const at = (second: number): string => new Date(Date.UTC(2026, 0, 1, 0, 0, second)).toISOString()
    return {
      hub,
      place: () => apply({ kind: 'order', document: orderDocument('O', [line('1', 'TENT', 2)]) }),
      cancel: () =>
        apply({
          kind: 'cancellation',
          document: {
            external_id: 'O',
            version: { updated_at: at(9_000_000), observed_at: at(9_000_000) },
            reason: null,
          },
        }),
      /** Runs every job that the relay has added since. */
      work: async () => {
        await relayDue(hub)
        const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
        for (const job of queues.added.splice(0)) {
          if (job.queue === 'fulfillment') await runEffects(hub, job.data as GroupRef, reporter)
        }
      },
      relay: () => relayDue(hub),
    }
  }
  const told = (): string[] =>
    vendor.done.flatMap(({ entries }) => entries.map((entry) => String(entry).split(' ')[0] ?? ''))

  it('an order cancelled between plan and export never leaves', async () => {
    const { place, cancel, work } = await openHub()
    await place()
    await cancel()
    await work()
    expect(told()).toEqual([])
    const rows = await database.db.query('select kind, state from outbox')
    expect(rows).toEqual([{ kind: 'fulfillment.new', state: 'cancelled' }])
  })

  it('an order cancelled when its work was on the way is called back after it', async () => {
    const { place, cancel, work, relay } = await openHub()
    await place()
    await relay()
    await cancel()
    await work()
    await work()
    expect(told()).toEqual(['new', 'cancel'])
    const [stock] = await database.db.query<{ available: number; committed: number }>(
      'select available, committed from stock',
    )
    expect((stock?.available ?? 0) + (stock?.committed ?? 0)).toBe(10)
  })

  it('a cancelled order whose work was sent is recalled once', async () => {
    const { place, cancel, work } = await openHub()
    await place()
    await work()
    await cancel()
    await work()
    await work()
    expect(told()).toEqual(['new', 'cancel'])
  })
})
