import { afterEach, beforeEach, expect, test } from 'vitest'
import { placeOnHold, releaseFromHold } from '../../src/core/orders/hold.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { coreContext } from '../../src/queues/context.ts'
import { workByHand } from '../../src/queues/workByHand.ts'
import { labelOrder, openLabelWorld, type LabelWorld } from '../kit/labelWorld.ts'

let world: LabelWorld
beforeEach(async () => {
  world = await openLabelWorld()
  return () => world.stop()
})
afterEach(() => world.verified())

const states = async (): Promise<string[]> => (await world.parcels()).map(({ state }) => state)
const ctx = () => coreContext(world.hub)

test('an order on hold buys nothing, and its label is asked for anew when it goes on', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'held' }))
  await inTransaction(world.database.db, (tx) => placeOnHold(tx, ctx(), '#held', 'INCORRECT_ADDRESS', 'user:anna'))
  await world.drive()
  expect([await states(), world.carrier.ledger(), world.told]).toEqual([['dropped'], [], []])
  await inTransaction(world.database.db, (tx) => releaseFromHold(tx, ctx(), '#held', 'user:anna'))
  await world.drive()
  expect(await states()).toEqual(['dropped', 'bought'])
  expect(world.told).toHaveLength(1)
})

test('work that the warehouse refuses gives its label back', async () => {
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await world.drive()
  const [{ number } = { number: '' }] = await world.parcels()
  const at = world.clock.now().toISOString()
  const refused = { fulfillment_order: number, verdict: 'rejected', reason: 'broken lift', at } as const
  await world.apply('depot', { kind: 'acknowledgement', document: refused })
  await world.drive()
  expect(await states()).toEqual(['voided'])
  expect(world.carrier.ledger()).toMatchObject([{ refunded: true }])
})

test('work that a person ships while its label waits for offers buys none', async () => {
  world.carrier.closeTo(['04109'])
  await world.apply('shop', labelOrder({ TEA: 1 }))
  await world.drive()
  const [{ number } = { number: '' }] = await world.parcels()
  const word = { kind: 'ship', key: 'by-bike', carrier: 'bike', tracking_number: 'B1', tracking_url: null, shipped_at: null, lines: null } as const // prettier-ignore
  await workByHand(world.hub, { number, actor: 'user:anna', word })
  world.carrier.closeTo([])
  await world.drive()
  expect([await states(), world.carrier.ledger(), world.told]).toEqual([['dropped'], [], []])
  expect(await world.database.db.query(`select 1 from cases where state = 'open'`)).toEqual([])
})

test('the grace in which an edit costs nothing passes before carriers are asked, and what leaves is the newest state', async () => {
  const shop = world.hub.connections.get('shop')
  Object.assign(shop?.config.orders ?? {}, { release_after_seconds: 30 })
  await world.apply('shop', labelOrder({ TEA: 1 }, { external_id: 'edited' }))
  expect(await world.drive(1)).toEqual([])
  await world.apply('shop', labelOrder({ TEA: 5 }, { external_id: 'edited' }))
  await world.drive()
  expect(await world.parcels()).toMatchObject([{ state: 'bought', weight_g: 700 }])
  expect(world.told.map(({ lines }) => lines.map(({ quantity }) => quantity))).toEqual([[5]])
})
