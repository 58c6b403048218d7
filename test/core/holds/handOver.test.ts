import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import { bindHold } from '../../../src/core/holds/handOver.ts'
import { showHold } from '../../../src/core/holds/read.ts'
import { reserveHolds } from '../../../src/core/holds/reserve.ts'
import type { HoldRequest, HoldVerdict } from '../../../src/core/holds/wishes.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { wish } from '../../kit/holds.ts'
import {
  cancelRefund,
  createWorld,
  inbound,
  kinds,
  line,
  order,
  orderFact,
  policy,
  reservationsOf,
  stockOf,
  type World,
} from '../../kit/orders.ts'

let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: 16 })
})
afterEach(async () => {
  const { checks } = await verify(world.db)
  await world.database.drop()
  const broken = checks.filter(({ violations }) => violations > 0).map(({ name }) => name)
  if (broken.length > 0) throw new Error(`broken: ${broken.join(', ')}`)
})

const ask = (...requests: HoldRequest[]): Promise<HoldVerdict[]> =>
  inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, requests))

async function held(request: HoldRequest): Promise<string> {
  const [verdict] = await ask(request)
  if (verdict?.kind !== 'held') throw new Error(`not held: ${JSON.stringify(verdict)}`)
  return verdict.id
}
const item = (sku: string): number => world.items.get(sku) ?? 0
describe('the order takes over', () => {
  it('its units, and nothing is subtracted twice', async () => {
    await world.addItem('A', { north: 3 })
    const id = await held(wish({ A: 2 }, { order_external_id: '1' }))
    await world.apply([orderFact(order('1', [line('1', 'A', 2)]))])
    expect((await showHold(world.db, id))?.state).toBe('consumed')
    expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2'])
    expect((await stockOf(world.db, item('A')))['north']).toEqual({ available: 1, reserved: 0, committed: 2 })
    expect(await world.db.query('select sold_since_proof + unseen as sold from availability')).toEqual([{ sold: 2 }])
  })

  it('before any other order of the same batch, however urgent that is', async () => {
    await world.db.query(`insert into connections (id, connector, company_id) values ('b2b', 'shop', 'acme')`)
    world.policies.set('b2b', policy('b2b', { priority: 1 }))
    await world.addItem('A', { north: 2 })
    await held(wish({ A: 2 }, { order_external_id: '2' }))
    const facts = [
      ...inbound([orderFact(order('1', [line('1', 'A', 1)]))], 'b2b'),
      ...inbound([orderFact(order('2', [line('1', 'A', 2)]))]),
    ]
    expect(kinds(await inTransaction(world.db, (tx) => applyFacts(tx, world.ctx, facts)))).toEqual([
      'order #1: 1 short',
      'order #2: 2 units committed',
    ])
  })

  it('while others race for the very unit', async () => {
    for (let round = 0; round < 6; round += 1) {
      const sku = `R${round}`
      await world.addItem(sku, { north: 1 })
      await held(wish({ [sku]: 1 }, { order_external_id: `mine-${round}` }))
      const others = Array.from({ length: 6 }, (_, n) => order(`other-${round}-${n}`, [line('1', sku, 1)]))
      await Promise.all([
        ...others.map((one) => world.apply([orderFact(one)])),
        ask(wish({ [sku]: 1 })),
        world.apply([orderFact(order(`mine-${round}`, [line('1', sku, 1)]))]),
      ])
      expect(await reservationsOf(world.db, `mine-${round}`)).toEqual([`committed north ${sku} 1`])
    }
  })

  it('kits as they are, and gives back what it does not want', async () => {
    await world.addItem('A', { north: 4 })
    await world.addItem('B', { north: 2 })
    await world.addKit('K', { A: 2, B: 1 })
    await held(wish({ K: 2 }, { order_external_id: '1' }))
    await world.apply([orderFact(order('2', [line('1', 'A', 1)]))])
    await world.apply([orderFact(order('1', [line('1', 'K', 1)]))])
    expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 2', 'committed north B 1'])
    expect(await reservationsOf(world.db, '2')).toEqual(['committed north A 1'])
  })

  it('although it came before the cart said so', async () => {
    await world.addItem('A', { north: 1 })
    const id = await held(wish({ A: 1 }))
    await world.apply([orderFact(order('1', [line('1', 'A', 1)]))])
    const bind = (external_id: string) => inTransaction(world.db, (tx) => bindHold(tx, world.ctx, id, external_id))
    expect(await bind('1')).toEqual({ kind: 'consumed' })
    expect(await bind('1')).toEqual({ kind: 'consumed' })
    expect(await bind('2')).toEqual({ kind: 'other_order' })
    expect(await reservationsOf(world.db, '1')).toEqual(['committed north A 1'])
  })

  it('when it is named later, and only one order can', async () => {
    await world.addItem('A', { north: 1 })
    const id = await held(wish({ A: 1 }))
    const bind = (external_id: string) => inTransaction(world.db, (tx) => bindHold(tx, world.ctx, id, external_id))
    expect(await bind('1')).toEqual({ kind: 'bound' })
    expect(await bind('2')).toEqual({ kind: 'other_order' })
    await world.apply([orderFact(order('1', [line('1', 'A', 1)], 0, { payment_state: 'pending' }))])
    expect(await reservationsOf(world.db, '1')).toEqual(['held north A 1'])
    await world.apply([
      orderFact(order('1', [line('1', 'A', 1)], 5, { refunds: [cancelRefund('r', '1', { '1': 1 }, 5)] })),
    ])
    expect((await stockOf(world.db, item('A')))['north']).toEqual({ available: 1, reserved: 0, committed: 0 })
  })

  it('nothing when it comes cancelled', async () => {
    await world.addItem('A', { north: 1 })
    const id = await held(wish({ A: 1 }, { order_external_id: '1' }))
    await world.apply([
      orderFact(order('1', [line('1', 'A', 1)], 0, { lifecycle: 'cancelled', cancelled_at: '2026-03-01T09:00:00Z' })),
    ])
    expect((await showHold(world.db, id))?.state).toBe('consumed')
    expect((await stockOf(world.db, item('A')))['north']).toEqual({ available: 1, reserved: 0, committed: 0 })
  })
})
