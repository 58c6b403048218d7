import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import Type from 'typebox'
import { defineConnector } from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { fullJitterMs } from '../../src/queues/backoff.ts'
import { decideFault } from '../../src/queues/effectRows.ts'
import { groupEffects, relayDue } from '../../src/queues/relay.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import {
  rememberingQueues,
  seedConnections,
  testClock,
  testHub,
  type RememberingQueues,
  type TestClock,
} from '../kit/testHub.ts'

const depot = defineConnector({
  id: 'depot',
  label: 'Depot',
  kind: '3pl',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  fulfillment: { batch_max: 3, send: async () => [] },
})
const connections = [
  { id: 'a', connector: depot },
  { id: 'b', connector: depot },
]

let database: TestDatabase
let queues: RememberingQueues
let hub: Hub
let clock: TestClock

beforeAll(async () => {
  database = await createTestDatabase()
  await seedConnections(database.db, connections)
})
afterAll(() => database.drop())
beforeEach(async () => {
  queues = rememberingQueues()
  clock = testClock()
  hub = testHub({ db: database.db, queues, connections, clock })
  await database.db.query('truncate outbox, breakers')
  await database.db.query(`update connections set state = 'active'`)
})

const effect = (
  connection: string,
  key: string,
  more: { attempts?: number; batch_key?: string; due_in_ms?: number } = {},
): Promise<unknown> =>
  database.db.query(
    `insert into outbox (connection_id, kind, key, reference, attempts, batch_key, next_attempt_at, created_at)
     values ($1, 'fulfillment.new', $2, '{}', $3, $4, $5, $6)`,
    [
      connection,
      key,
      more.attempts ?? 0,
      more.batch_key ?? null,
      new Date(clock.now().getTime() + (more.due_in_ms ?? -1)),
      clock.now(),
    ],
  )
const states = (): Promise<{ key: string; state: string; batch_key: string | null }[]> =>
  database.db.query('select key, state, batch_key from outbox order by id')

test('due effects become one job for each group of the size that the connector takes', async () => {
  for (const n of [1, 2, 3, 4]) await effect('a', `fulfillment.new:FO-${n}`)
  await effect('b', 'fulfillment.new:FO-9')
  await effect('a', 'fulfillment.new:FO-later', { due_in_ms: 60_000 })
  expect(await relayDue(hub)).toBe(3)
  const rows = await states()
  expect(rows.map((row) => row.state)).toEqual(['queued', 'queued', 'queued', 'queued', 'queued', 'pending'])
  expect(new Set(rows.slice(0, 3).map((row) => row.batch_key)).size).toBe(1)
  expect(rows[3]!.batch_key).toBe('fulfillment.new:FO-4')
  expect(queues.added.map(({ queue, name, data }) => ({ queue, name, data }))).toEqual(
    expect.arrayContaining([
      { queue: 'fulfillment', name: 'fulfillment.new', data: { connection_id: 'a', batch_key: rows[0]!.batch_key } },
      {
        queue: 'fulfillment',
        name: 'fulfillment.new',
        data: { connection_id: 'a', batch_key: 'fulfillment.new:FO-4' },
      },
      {
        queue: 'fulfillment',
        name: 'fulfillment.new',
        data: { connection_id: 'b', batch_key: 'fulfillment.new:FO-9' },
      },
    ]),
  )
  expect(await relayDue(hub)).toBe(0)
})

test('two relays at once give every effect to one of them, and do not wait for each other', async () => {
  for (let n = 0; n < 6; n += 1) await effect('a', `k${n}`)
  await inTransaction(database.db, async (tx) => {
    await tx.query(`select id from outbox where key in ('k0', 'k1', 'k2') for update`)
    expect(await relayDue(hub)).toBe(1)
  })
  expect((await states()).map((row) => row.state)).toEqual([
    'pending',
    'pending',
    'pending',
    'queued',
    'queued',
    'queued',
  ])
  await Promise.all([relayDue(hub), relayDue(hub), relayDue(hub)])
  const groups = new Set((await states()).map((row) => row.batch_key))
  expect(groups.size).toBe(2)
  expect(queues.added).toHaveLength(2)
})

test('nothing leaves while the connection is paused or its breaker is open', async () => {
  await effect('a', 'one')
  await effect('b', 'two')
  await database.db.query(`update connections set state = 'paused' where id = 'a'`)
  await database.db.query(`insert into breakers (connection_id, open_until, changed_at) values ('b', $1, $1)`, [
    new Date(clock.now().getTime() + 30_000),
  ])
  expect(await relayDue(hub)).toBe(0)
  clock.forward(31_000)
  expect(await relayDue(hub)).toBe(1)
  expect(await states()).toMatchObject([{ state: 'pending' }, { state: 'queued' }])
})

test('a retry is left to its delayed job for a while, and goes under the name it had', async () => {
  await effect('a', 'one', { attempts: 1, batch_key: 'fulfillment.new:batch:x' })
  await effect('a', 'two', { attempts: 1, batch_key: 'fulfillment.new:batch:x' })
  await effect('a', 'new')
  expect(await relayDue(hub)).toBe(1)
  clock.forward(3_000)
  expect(await relayDue(hub)).toBe(1)
  expect(queues.added.map((job) => job.data)).toEqual([
    { connection_id: 'a', batch_key: 'new' },
    { connection_id: 'a', batch_key: 'fulfillment.new:batch:x' },
  ])
})

test('a group has the same name whenever it is built from the same rows', () => {
  const due = ['b', 'a', 'c'].map((key, id) => ({
    id,
    connection_id: 'x',
    kind: 'shipment.send' as const,
    key,
    batch_key: null,
  }))
  const [first] = groupEffects(due, () => 10)
  const [second] = groupEffects(due.toReversed(), () => 10)
  expect(second!.batch_key).toBe(first!.batch_key)
  expect(groupEffects(due, () => 2).map((group) => group.ids.length)).toEqual([2, 1])
})

test('the fault code and the row decide what comes next', () => {
  const now = new Date('2026-03-01T00:00:00Z')
  const row = { kind: 'fulfillment.new' as const, attempts: 3, created_at: new Date('2026-02-28T23:00:00Z') }
  const decide = (
    code: ConstructorParameters<typeof HubError>[0],
    more: Partial<typeof row> = {},
    retry_after_ms?: number,
  ) =>
    decideFault({ ...row, ...more }, new HubError(code, 'x', retry_after_ms === undefined ? {} : { retry_after_ms }), {
      now,
      chance: 0.5,
    })
  const inMs = (verdict: { at: Date }): number => verdict.at.getTime() - now.getTime()
  expect(decide('vendor_timeout')).toMatchObject({ dead: false, attempts: 3 })
  expect(inMs(decide('vendor_timeout'))).toBe(8_000)
  expect(decide('vendor_timeout', { attempts: 10 }).dead).toBe(true)
  expect(decide('vendor_rejected').dead).toBe(true)
  expect(decide('unsupported').dead).toBe(true)
  expect(decide('vendor_throttled', { attempts: 10 }, 30_000)).toMatchObject({ dead: false, attempts: 9 })
  expect(inMs(decide('vendor_throttled', {}, 30_000))).toBeGreaterThanOrEqual(30_000)
  expect(decide('circuit_open', { created_at: new Date('2026-02-27T00:00:00Z') }).dead).toBe(true)
  expect(decide('vendor_auth', { created_at: new Date('2026-02-01T00:00:00Z') })).toMatchObject({
    dead: false,
    attempts: 2,
  })
})

test('backoff grows to its cap and is spread over all of it', () => {
  const limits = { base_ms: 1_000, max_ms: 60_000 }
  expect(fullJitterMs(0.999, 1, limits)).toBeLessThanOrEqual(2_000)
  expect(fullJitterMs(0.999, 100, limits)).toBeLessThanOrEqual(60_000)
  expect(fullJitterMs(0.999, 100, limits)).toBeGreaterThan(59_000)
  expect(fullJitterMs(0, 5, limits)).toBe(1)
})
