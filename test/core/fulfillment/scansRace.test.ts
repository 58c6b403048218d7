import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { applyFacts } from '../../../src/core/apply.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createWorld, inbound, instant, line, order, orderFact, type World } from '../../kit/orders.ts'

/** Long enough for a transaction that does not wait to be over. */
const MEANWHILE_MS = 150
let world: World
beforeEach(async () => {
  world = await createWorld()
  await world.addItem('A', { south: 10 })
})
afterEach(() => world.database.drop())

const scan = (tracking_number: string): Fact => ({
  kind: 'tracking_event',
  document: { carrier: 'DPD', tracking_number, code: 'DLV', status: 'delivered', at: instant(60), place: null },
})
const parcel = (fulfillment_order: string, tracking_number: string | null): Fact => ({
  kind: 'shipment',
  document: {
    external_id: `parcel-${fulfillment_order}`,
    fulfillment_order,
    carrier: null,
    tracking_number,
    tracking_url: null,
    shipped_at: instant(30),
    lines: [{ sku: 'A', quantity: 1, line_reference: null, lot: null }],
  },
})

test.each(['its own', 'only its label'])(
  'a parcel that is told with %s number, and its scan, do not pass each other unseen',
  async (number) => {
    await world.apply([orderFact(order('1', [line('1', 'A', 1)], 1))])
    const [work] = await world.db.query<{ number: string }>('select number from fulfillment_orders')
    const tracking_number = `T${work!.number}`
    await world.db.query(
      `insert into parcels (id, connection_id, fulfillment_order_id, order_id, reference, weight_g, state, external_id, rate_external_id,
         carrier, amount_minor, tracking_number, created_at, bought_at)
       select gen_random_uuid(), 'shop', id, order_id, number || '-1', 100, 'bought', number, number, 'DPD', 500, $1, now(), now()
       from fulfillment_orders`,
      [tracking_number],
    )
    const shipped = parcel(work!.number, number === 'its own' ? tracking_number : null)
    let scanned: Promise<unknown> = Promise.resolve()
    await inTransaction(world.db, async (tx) => {
      await applyFacts(tx, world.ctx, inbound([shipped], 'depot'))
      scanned = world.apply([scan(tracking_number)], 'bank')
      await sleep(MEANWHILE_MS)
    })
    await scanned
    expect(await world.db.query('select 1 from shipments where delivered_at is not null')).toHaveLength(1)
    expect((await verify(world.db)).checks.filter(({ violations }) => violations > 0)).toEqual([])
  },
)
