import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { defineConnector, type AvailabilityLine, type Connector } from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import type { Hub } from '../../src/hub.ts'
import { pushAvailability } from '../../src/queues/push.ts'
import { readBackSample } from '../../src/queues/readBack.ts'
import { schedulesOf } from '../../src/queues/sweep.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import {
  rememberingQueues,
  seedConnections,
  testClock,
  testHub,
  type RememberingQueues,
  type TestClock,
} from '../kit/testHub.ts'

/** A channel that throws a whole call away when one of its lines is poison. */
const poison = new Set<string>()
const shown = new Map<string, number>()
let calls: string[][] = []
let cutAfter = Number.POSITIVE_INFINITY

const channel: Connector = defineConnector({
  id: 'picky',
  label: 'Picky',
  kind: 'marketplace',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  availability: {
    batch_max: 100,
    compare_and_set: true,
    push: async (_port, lines) => {
      calls.push(lines.map((line) => line.channel_sku))
      if (calls.length > cutAfter) throw new HubError('outcome_unknown', 'cut')
      if (lines.some((line) => poison.has(line.channel_sku))) throw new HubError('vendor_rejected', 'not readable')
      for (const line of lines) shown.set(line.channel_sku, line.quantity)
      return lines.map(({ listing_id }) => ({ listing_id, outcome: 'set' as const }))
    },
    read: async (_port, lines: readonly AvailabilityLine[]) =>
      lines.map((line) => ({ listing_id: line.listing_id, quantity: shown.get(line.channel_sku) ?? 0 })),
  },
})
const connections = [{ id: 'm-1', connector: channel }]
const sku = (index: number): string => `SKU-${String(index).padStart(3, '0')}`

let database: TestDatabase
let hub: Hub
let queues: RememberingQueues
let clock: TestClock

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await seedConnections(db, connections)
  await db.query(
    `insert into items (company_id, sku) select 'acme', 'SKU-' || lpad(n::text, 3, '0') from generate_series(0, 99) n`,
  )
  await db.query(`insert into stock (item_id, location_id, available) select id, 'berlin', 5 from items`)
  await db.query(`insert into listings (connection_id, channel_sku) select 'm-1', sku from items order by sku`)
  await db.query(
    `insert into listing_items (listing_id, item_id, quantity) select l.id, i.id, 1 from listings l join items i on i.sku = l.channel_sku`,
  )
})
afterAll(() => database.drop())
beforeEach(async () => {
  poison.clear()
  shown.clear()
  calls = []
  cutAfter = Number.POSITIVE_INFINITY
  queues = rememberingQueues()
  clock = testClock()
  hub = testHub({ db: database.db, queues, connections, clock })
  await database.db.query('truncate availability, attempts, cases, publications')
  await database.db.query(
    `insert into availability (listing_id, connection_id, dirty_at, next_attempt_at) select id, connection_id, $1, $1 from listings`,
    [clock.now()],
  )
})

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
const push = (): Promise<string> => pushAvailability(hub, 'm-1', reporter)
const errors = async (): Promise<string[]> =>
  (
    await database.db.query<{ text: string }>(
      `select l.channel_sku || ' ' || a.error_code || ' ' || a.state as text from availability a join listings l on l.id = a.listing_id
       where a.error_code is not null order by 1`,
    )
  ).map((row) => row.text)

test('one bad line of a hundred is found by halving and refused; the rest goes through', async () => {
  poison.add(sku(37))
  expect(await push()).toBe('told m-1 99 set, 1 refused')
  expect(shown.size).toBe(99)
  expect(calls.length).toBeLessThanOrEqual(15)
  expect(await errors()).toEqual(['SKU-037 vendor_rejected error'])
  // It is tried again by itself, so that it spoils nothing a second time.
  calls = []
  clock.forward(60_000)
  await database.db.query('update availability set dirty_seq = dirty_seq + 1')
  await database.db.query('update stock set available = 6')
  expect(await push()).toBe('told m-1 99 set, 1 refused')
  expect(calls.map((lines) => lines.length)).toEqual([99, 1])
})

test('several bad lines are each refused alone', async () => {
  for (const index of [0, 1, 50, 99]) poison.add(sku(index))
  expect(await push()).toBe('told m-1 96 set, 4 refused')
  expect(calls.length).toBeLessThanOrEqual(50)
  expect((await errors()).map((text) => text.slice(0, 7))).toEqual([0, 1, 50, 99].map(sku))
})

test('when nothing goes through it is not the lines: the search ends early, and all are due again later', async () => {
  for (let index = 0; index < 100; index += 1) poison.add(sku(index))
  await expect(push()).rejects.toMatchObject({ code: 'vendor_rejected' })
  expect(calls.length).toBeLessThanOrEqual(25)
  const [row] = await database.db.query(
    `select count(*) filter (where state = 'error')::int as refused, count(*) filter (where due)::int as due,
            count(*) filter (where claimed_until is not null or inflight_excess is not null)::int as open,
            count(*) filter (where unseen > 0)::int as unseen from availability`,
  )
  expect(row).toEqual({ refused: 8, due: 100, open: 0, unseen: 0 })
  poison.clear()
  clock.forward(60_000)
  expect(await push()).toBe('told m-1 100 set')
})

test('a call that may have arrived ends the search, and only its own lines are in doubt', async () => {
  poison.add(sku(99))
  cutAfter = 1
  await expect(push()).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(calls.map((lines) => lines.length)).toEqual([100, 50])
  const [row] = await database.db.query(
    `select count(*) filter (where due)::int as due, count(*) filter (where inflight_excess is not null)::int as in_doubt from availability`,
  )
  expect(row).toEqual({ due: 100, in_doubt: 50 })
})

test('a sample is read back: agreement is a new proof, a stray number is a case and is pushed again', async () => {
  await push()
  const proven = (): Promise<{ n: number }[]> =>
    database.db.query('select count(*)::int as n from availability where proven_at > $1', [new Date(clock.now().getTime() - 1_000)]) // prettier-ignore
  clock.forward(60_000)
  expect(await readBackSample(hub, 'm-1')).toBe('read m-1 back: 20 agree, 0 may have sold, 0 drifted')
  expect(await proven()).toEqual([{ n: 20 }])
  clock.forward(60_000)
  // The oldest proofs come first, so these are others.
  shown.set(sku(25), 80)
  expect(await readBackSample(hub, 'm-1')).toBe('read m-1 back: 19 agree, 0 may have sold, 1 drifted')
  expect(queues.added).toMatchObject([{ queue: 'availability', name: 'push' }])
  expect(await database.db.query(`select kind, data - 'listing_id' as data from cases`)).toEqual([
    { kind: 'channel_drift', data: { channel_sku: sku(25), expected: 6, shown: 80 } },
  ])
  expect(await push()).toBe('told m-1 1 set')
  expect(shown.get(sku(25))).toBe(6)
})

test('a channel that is told and can be read is read back every minute', () => {
  const connection = hub.connections.get('m-1')!
  expect(schedulesOf(connection)).toEqual([
    {
      queue: 'availability',
      name: 'read_back',
      key: 'read-back-m-1',
      every_ms: 60_000,
      data: { connection_id: 'm-1' },
    },
  ])
})
