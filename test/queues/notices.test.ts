import Type from 'typebox'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineConnector } from '../../src/connectors/_kit/define.ts'
import { applyFacts } from '../../src/core/apply.ts'
import type { EffectNote, ShipmentNotice } from '../../src/core/model/effects.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { coreContext } from '../../src/queues/context.ts'
import { runEffects, type GroupRef } from '../../src/queues/effects.ts'
import { relayDue } from '../../src/queues/relay.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { line, order } from '../kit/orders.ts'
import { rememberingQueues, seedConnections, testHub, type RememberingQueues } from '../kit/testHub.ts'

/** What the channel was told, and what it has to say about the next notice. */
const told: ShipmentNotice[] = []
let note: EffectNote | undefined
/** What happens while the channel is being told. */
let meanwhile: () => Promise<void> = async () => undefined

const channel = defineConnector({
  id: 'channel',
  label: 'Channel',
  kind: 'storefront',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  shipments: {
    batch_max: 1,
    send: async (_port, notices) => {
      told.push(...notices)
      await meanwhile()
      const noted = note === undefined ? {} : { note }
      return notices.map(({ outbox_id }) => ({ outbox_id, outcome: 'done', external_id: 'F-1', ...noted }))
    },
  },
})

let database: TestDatabase
let hub: Hub
let queues: RememberingQueues
const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }

beforeAll(async () => {
  database = await createTestDatabase()
  queues = rememberingQueues()
  const connections = [{ id: 'shop-1', connector: channel }]
  hub = testHub({ db: database.db, queues, connections })
  await seedConnections(database.db, connections)
  await database.db.query(
    `insert into items (company_id, sku) values ('acme', 'SET'), ('acme', 'POLE'), ('acme', 'CLOTH')`,
  )
  await database.db.query(
    `insert into kit_components select k.id, c.id, 1 from items k, items c where k.sku = 'SET' and c.sku <> 'SET'`,
  )
  await apply({
    kind: 'stock_count',
    document: {
      external_id: 'C1',
      location_code: 'berlin',
      as_of: hub.clock.now().toISOString(),
      lines: ['POLE', 'CLOTH'].map((sku) => ({ sku, on_hand: 10, damaged: 0, quality_control: 0 })),
    },
  })
})
afterAll(() => database.drop())

const apply = (fact: Fact) =>
  inTransaction(database.db, (tx) =>
    applyFacts(tx, coreContext(hub), [{ connection_id: 'shop-1', source: 'test:1', fact }]),
  )

async function work(external_id: string, quantity = 1): Promise<string> {
  await apply({ kind: 'order', document: order(external_id, [line('L1', 'SET', quantity)]) })
  const [row] = await database.db.query<{ number: string }>(
    'select f.number from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = $1',
    [external_id],
  )
  return row!.number
}

async function ship(fulfillment_order: string, parcel: string, ...skus: string[]): Promise<string> {
  queues.added.length = 0
  const lines = skus.map((sku) => ({ sku, quantity: 1, line_reference: null, lot: null }))
  const shipped_at = hub.clock.now().toISOString()
  const head = { external_id: parcel, fulfillment_order, shipped_at, carrier: 'post', tracking_url: null }
  const { outcomes } = await apply({ kind: 'shipment', document: { ...head, tracking_number: `T-${parcel}`, lines } })
  expect(outcomes).toMatchObject([{ kind: 'applied' }])
  await relayDue(hub)
  const [job] = queues.added
  return runEffects(hub, job!.data as GroupRef, reporter)
}

const outbox = () =>
  database.db.query<{ state: string; result: Record<string, unknown> }>(
    `select state, result from outbox where kind = 'shipment.send' order by id`,
  )

test('a parcel that completes nothing ends as done and says why; the next one carries its number', async () => {
  const number = await work('K')
  expect(await ship(number, 'P1', 'POLE')).toMatch(/: 1 done$/)
  expect(told).toEqual([])
  expect(await outbox()).toMatchObject([
    { state: 'done', result: { silent: expect.stringContaining('completes no unit') } },
  ])
  await ship(number, 'P2', 'CLOTH')
  expect(told).toMatchObject([{ tracking_number: 'T-P2', more_tracking_numbers: ['T-P1'], lines: [{ quantity: 1 }] }])
})

test('what was shipped beyond what the channel wants is done, and told on the order with its numbers', async () => {
  const number = await work('O')
  note = { kind: 'over_shipped', lines: [{ line_external_id: 'L1', quantity: 1 }] }
  expect(await ship(number, 'P3', 'POLE', 'CLOTH')).toMatch(/: 1 done$/)
  const [row] = (await outbox()).slice(-1)
  expect(row).toMatchObject({ state: 'done', result: { external_id: 'F-1', over_shipped: true } })
  const facts = await database.db.query<{ data: object; source: string }>(
    `select f.data, f.source from order_facts f join orders o on o.id = f.order_id
     where o.external_id = 'O' and f.kind = 'shipment.over_shipped'`,
  )
  expect(facts).toEqual([
    {
      source: expect.stringMatching(/^outbox:\d+$/),
      data: {
        shipment_id: expect.any(String),
        tracking_number: 'T-P3',
        units: 1,
        lines: [{ line_external_id: 'L1', quantity: 1 }],
      },
    },
  ])
  expect(await database.db.query('select 1 from dead_letters')).toEqual([])
})

test('how an effect ended is written down under the lock of its order, which comes before its own', async () => {
  note = undefined
  const number = await work('W')
  const waiting = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  let held: Promise<object[]> | undefined
  meanwhile = () =>
    new Promise((locked) => {
      held = inTransaction(database.db, async (tx) => {
        await tx.query(`select 1 from orders where external_id = 'W' for no key update`)
        locked()
        await expect.poll(() => database.db.query(waiting)).toHaveLength(1)
        return tx.query(
          `select x.state from outbox x join orders o on o.id = x.order_id
           where o.external_id = 'W' and x.kind = 'shipment.send' for update of x skip locked`,
        )
      })
    })
  expect(await ship(number, 'P4', 'POLE', 'CLOTH')).toMatch(/: 1 done$/)
  expect(await held).toEqual([{ state: 'sending' }])
})
