import { afterEach, beforeEach, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { backfillByTransfer } from '../../../src/core/supply/backfill.ts'
import { cancelSupply, putSupply } from '../../../src/core/supply/put.ts'
import { receiveSupply } from '../../../src/core/supply/receive.ts'
import { cancelTransfer, createTransfer } from '../../../src/core/supply/transfers.ts'
import { verify } from '../../../src/core/verify.ts'
import type { Tx } from '../../../src/db/pool.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { deadlocksOf, hastenDeadlocks } from '../../kit/locks.ts'
import { createWorld, instant, line, order, orderFact, policy, type World } from '../../kit/orders.ts'

const POOL_MAX = 12
const SKUS = ['A', 'B', 'C']
let world: World
beforeEach(async () => {
  world = await createWorld({ pool_max: POOL_MAX })
  await hastenDeadlocks(world.database)
  world.policies.set(internalConnectionId('acme'), internalPolicy('acme'))
  world.policies.set('shop', policy('shop', { shortfall: 'backorder', serves_from: ['north'] }))
})
afterEach(() => world.database.drop())

const run = (work: (tx: Tx) => Promise<unknown>): Promise<unknown> =>
  inTransaction(world.db, work, { attempts_max: 20 })

/** Refusals are answers here: what counts is that nobody waits in a circle and that the books balance. */
const tried = (work: (tx: Tx) => Promise<unknown>) => (): Promise<unknown> =>
  run(work).catch((thrown: { code?: string }) => {
    if (thrown.code !== 'conflict' && thrown.code !== 'not_found') throw thrown
  })

const units = (round: number): { sku: string; quantity: number }[] => {
  const skus = round % 2 === 0 ? SKUS : SKUS.toReversed()
  return skus.map((sku, index) => ({ sku, quantity: 1 + ((round + index) % 3) }))
}

async function shipAll(): Promise<unknown> {
  const rows = await world.db.query<{ number: string; sku: string; quantity: number }>(
    `select f.number, i.sku, sum(r.quantity)::int as quantity from fulfillment_orders f
     join orders o on o.id = f.order_id and o.kind = 'transfer'
     join reservations r on r.fulfillment_order_id = f.id and r.state = 'committed' and r.quantity > 0
     join items i on i.id = r.item_id group by 1, 2`,
  )
  const facts = [...Map.groupBy(rows, (row) => row.number)].map(([number, own]): Fact => ({
    kind: 'shipment',
    document: {
      external_id: `parcel-${number}`,
      fulfillment_order: number,
      carrier: null,
      tracking_number: null,
      tracking_url: null,
      shipped_at: instant(0),
      lines: own.map(({ sku, quantity }) => ({ sku, quantity, line_reference: null, lot: null })),
    },
  }))
  return Promise.all(facts.map((fact) => world.apply([fact], 'depot')))
}

test(
  'purchases, deliveries, transfers and their parcels run beside orders of the same items',
  { timeout: 120_000 },
  async () => {
    for (const sku of SKUS) await world.addItem(sku, { north: 5, south: 60 })
    for (const sku of SKUS)
      await world.db.query(
        `insert into stock_rules (company_id, item_id, backorder, source, changed_by, changed_at) values ('acme', $1, 'transfer', 'user', 'test', now())`,
        [world.items.get(sku)],
      )
    const { ctx } = world
    const at = world.clock.now
    const tasks = Array.from({ length: 12 }, (_, round) => {
      const purchase = { company_id: 'acme', kind: 'purchase', reference: `PO-${round % 3}` } as const
      const transfer = { company_id: 'acme', kind: 'transfer', reference: `TR-${round}` } as const
      const wish = { reference: `TR-${round}`, from_location_id: 'south', to_location_id: 'north', expected_at: null }
      const goods = units(round).map((one) => ({ ...one, to: 'available' as const }))
      const receipt = { key: `k-${round}`, location_id: null, lines: goods, at }
      const rest = round % 4 === 0 ? ('close' as const) : ('expected' as const)
      return [
        () =>
          world.apply([
            orderFact(
              order(
                `o-${round}`,
                units(round).map(({ sku, quantity }) => line(sku, sku, 3 * quantity)),
                round,
              ),
            ),
          ]),
        tried((tx) =>
          putSupply(tx, ctx, { ...purchase, location_id: 'north', expected_at: null, lines: units(round) }, 'test'),
        ),
        tried((tx) => createTransfer(tx, ctx, { ...wish, lines: units(round) }, 'test')),
        tried((tx) => receiveSupply(tx, ctx, purchase, { ...receipt, rest: 'expected' }, 'test')),
        shipAll,
        tried((tx) => backfillByTransfer(tx, ctx, 5)),
        tried((tx) => receiveSupply(tx, ctx, transfer, { ...receipt, rest }, 'test')),
        tried((tx) => (round % 3 === 0 ? cancelTransfer(tx, ctx, transfer, 'test') : Promise.resolve())),
        tried((tx) => (round % 5 === 0 ? cancelSupply(tx, ctx, purchase, 'test') : Promise.resolve())),
      ]
    }).flat()
    const lanes = Array.from({ length: 6 }, async () => {
      for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) await task()
    })
    await Promise.all(lanes)
    // Which transfers had left when they were to be received was up to chance; now those that are left have.
    await shipAll()
    for (let round = 0; round < 12; round += 1) {
      const transfer = { company_id: 'acme', kind: 'transfer', reference: `TR-${round}` } as const
      const lines = units(round).map((one) => ({ ...one, to: 'available' as const }))
      const receipt = { key: `last-${round}`, location_id: null, lines, at, rest: 'expected' as const }
      await tried((tx) => receiveSupply(tx, ctx, transfer, receipt, 'test'))()
    }
    const { checks } = await verify(world.db)
    expect(checks.filter((check) => check.violations > 0)).toEqual([])
    expect(checks.find((check) => check.name === 'incoming_equals_supplies')?.checked).toBeGreaterThan(10)
    const done = await world.db.query<Record<string, number>>(
      `select count(*) filter (where s.source = 'backfill')::int as backfilled, count(*) filter (where l.shipped_quantity > 0)::int as shipped,
       count(*) filter (where s.kind = 'transfer' and l.received_quantity > 0)::int as moved,
       count(*) filter (where s.kind = 'purchase' and l.received_quantity > 0)::int as bought
     from supplies s join supply_lines l on l.supply_id = s.id`,
    )
    for (const [what, count] of Object.entries(done[0] ?? {})) expect(count, what).toBeGreaterThan(0)
    expect(await deadlocksOf(world.database, POOL_MAX)).toBe(0)
  },
)
