import { expect, test } from 'vitest'
import { inTransaction } from '../../../src/db/transaction.ts'
import { countFact, createWorld, orderFact, shipmentFact, workOf } from '../world.ts'

/** A count overtakes the file of a shipment that left before it; the order that is shortened for it is one whose work the 3PL has. */
test('a shipment of units that a count had shortened takes them off the shelf', async () => {
  const world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', 0, { TEA: 6 }))
  world.moveTo(1)
  for (const id of ['A', 'B', 'C']) await world.apply('shop', orderFact(world, id, [{ sku: 'TEA', quantity: 2 }]))
  await world.apply('mall', orderFact(world, 'D', [{ sku: 'TEA', quantity: 2 }]))
  // The 3PL was told of all three; a fourth order waits for units.
  await inTransaction(world.db, (tx) =>
    tx.query(`update outbox set state = 'done', done_at = $1 where kind = 'fulfillment.new'`, [world.ctx.now]),
  )
  await inTransaction(world.db, (tx) => tx.query(`update fulfillment_orders set state = 'SCHEDULED'`))
  const work = new Map<string, string>()
  for (const id of ['A', 'B', 'C']) work.set(id, (await workOf(world, id))[0]?.number ?? '')
  world.moveTo(10)
  // A left at minute 5, its file is late. Four are on the shelf at minute 8.
  await world.apply('wms', countFact(world, 'N1', 8, { TEA: 4 }))
  const states = await world.db.query<{ id: string; s: string }>(
    'select external_id as id, reservation_state as s from orders order by 1',
  )
  const short = states.find((o) => o.s === 'shortfall' && o.id !== 'D')?.id ?? '?'
  const late = ['A', 'B', 'C'].find((id) => id !== short) ?? '?'
  // Both files are drained in one batch.
  await world.apply(
    'wms',
    shipmentFact(world, 'S1', work.get(late) ?? '', { TEA: 2 }, { shipped_at: world.at(5).toISOString() }),
    shipmentFact(world, 'S2', work.get(short) ?? '', { TEA: 2 }, { shipped_at: world.at(9).toISOString() }),
  )
  // Six came, two left before the count and two after it: two are left, and they are the third order's.
  const end = await world.stock('TEA', 'north')
  await world.drop()
  expect(end).toMatchObject({ on_hand: 2, committed: 2, available: 0 })
})
