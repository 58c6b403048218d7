import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  defineConnector,
  type AvailabilityLine,
  type AvailabilityResult,
  type Connector,
} from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import type { Hub } from '../../src/hub.ts'
import { pushAvailability } from '../../src/queues/push.ts'
import { wakePushes } from '../../src/queues/wake.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import {
  rememberingQueues,
  seedConnections,
  testClock,
  testHub,
  type RememberingQueues,
  type TestClock,
} from '../kit/testHub.ts'

/** A channel in memory: what it shows, and every call it got. */
const shown = new Map<string, number>()
const calls: AvailabilityLine[][] = []
let mood: 'well' | HubError | { does_then_throws: HubError } = 'well'
let stale: Record<string, number> = {}

const channel = (id: string, compares: boolean): Connector =>
  defineConnector({
    id,
    label: 'Channel',
    kind: 'marketplace',
    grade: 'fixtures',
    settings: Type.Object({}),
    inbound: {},
    availability: {
      batch_max: 2,
      compare_and_set: compares,
      push: async (_port, lines) => {
        calls.push([...lines])
        if (mood instanceof HubError) throw mood
        const results = lines.map((line): AvailabilityResult => {
          const actual = stale[line.channel_sku]
          delete stale[line.channel_sku]
          if (actual !== undefined) return { listing_id: line.listing_id, outcome: 'stale', actual }
          shown.set(line.channel_sku, line.quantity)
          return { listing_id: line.listing_id, outcome: 'set' }
        })
        if (mood !== 'well') throw mood.does_then_throws
        return results
      },
      read: async (_port, lines) =>
        lines.map((line) => ({ listing_id: line.listing_id, quantity: shown.get(line.channel_sku) ?? 0 })),
    },
  })
const connections = [
  { id: 'm-1', connector: channel('compares', true) },
  { id: 'm-2', connector: channel('blind', false) },
]

let database: TestDatabase
let hub: Hub
let queues: RememberingQueues
let clock: TestClock

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  await seedConnections(db, connections)
  for (const [index, sku] of ['TENT', 'MAT', 'LAMP'].entries()) {
    await db.query(`insert into items (company_id, sku) values ('acme', $1)`, [sku])
    await db.query(
      `insert into stock (item_id, location_id, available) select id, 'berlin', $2 from items where sku = $1`,
      [sku, 5 + index],
    )
    await db.query(`insert into listings (connection_id, channel_sku) values ('m-1', $1), ('m-2', $1)`, [sku])
    await db.query(
      `insert into listing_items (listing_id, item_id, quantity) select l.id, i.id, 1 from listings l, items i where l.channel_sku = $1 and i.sku = $1`,
      [sku],
    )
  }
})
afterAll(() => database.drop())
beforeEach(async () => {
  shown.clear()
  calls.length = 0
  mood = 'well'
  stale = {}
  queues = rememberingQueues()
  clock = testClock()
  hub = testHub({ db: database.db, queues, connections, clock })
  await database.db.query('truncate availability, attempts')
  await database.db.query(`update connections set state = 'active', state_reason = null`)
  await database.db.query(
    `insert into availability (listing_id, connection_id, dirty_at, next_attempt_at) select id, connection_id, $1, $1 from listings`,
    [clock.now()],
  )
})

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
const push = (id = 'm-1'): Promise<string> => pushAvailability(hub, id, reporter)
const due = async (id: string): Promise<number> => {
  const [row] = await database.db.query<{ n: number }>(
    `select count(*)::int as n from availability where connection_id = $1 and dirty_seq > sent_seq`,
    [id],
  )
  return row!.n
}

test('what is due is told in batches until nothing is, and logged', async () => {
  expect(await push()).toBe('told m-1 3 set')
  expect(Object.fromEntries(shown)).toEqual({ TENT: 5, MAT: 6, LAMP: 7 })
  expect(calls.map((lines) => lines.length)).toEqual([2, 1])
  expect(Object.keys(calls[0]![0]!).toSorted()).toEqual([
    'channel_sku',
    'expected',
    'external',
    'listing_id',
    'quantity',
  ])
  expect(await due('m-1')).toBe(0)
  expect(await push()).toBe('told m-1 nothing new')
  expect(await database.db.query('select outcome from attempts order by id')).toEqual([
    { outcome: '2 set' },
    { outcome: '1 set' },
  ])
})

test('the number is the newest one at the moment of sending', async () => {
  await database.db.query(`update stock set available = 1 where item_id = (select id from items where sku = 'TENT')`)
  await push()
  expect(shown.get('TENT')).toBe(1)
  await database.db.query(`update stock set available = 5 where item_id = (select id from items where sku = 'TENT')`)
})

test('a lost compare is sent again at once', async () => {
  stale = { MAT: 3 }
  expect(await push()).toBe('told m-1 3 set, 1 stale')
  expect(await due('m-1')).toBe(0)
})

test('a call that failed is due again later, and the job fails for all to see', async () => {
  mood = new HubError('vendor_unavailable', 'down', { status: 503 })
  await expect(push()).rejects.toMatchObject({ code: 'vendor_unavailable' })
  expect(await due('m-1')).toBe(3)
  mood = 'well'
  clock.forward(3_600_000)
  expect(await push()).toContain('3 set')
})

test('a throttle is obeyed by a delayed job', async () => {
  mood = new HubError('vendor_throttled', 'slow', { retry_after_ms: 9_000 })
  expect(await push()).toContain('asks to wait 9000 ms')
  expect(queues.added).toMatchObject([{ queue: 'availability', options: { delay_ms: 9_000 } }])
})

test('an answer that got lost is settled by reading back where the channel cannot compare, and left open where it can', async () => {
  mood = { does_then_throws: new HubError('outcome_unknown', 'cut') }
  await expect(push('m-2')).rejects.toMatchObject({ code: 'outcome_unknown' })
  await expect(push('m-1')).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect([await due('m-2'), await due('m-1')]).toEqual([1, 3])
})

test('a wrong password stops the connection', async () => {
  mood = new HubError('vendor_auth', 'no')
  await expect(push()).rejects.toMatchObject({ code: 'vendor_auth' })
  mood = 'well'
  expect(await push()).toContain('is failing')
  expect(calls).toHaveLength(1)
})

test('only channels with something due are woken', async () => {
  await push('m-2')
  await wakePushes(hub)
  expect(queues.added.map((job) => job.data)).toEqual([{ connection_id: 'm-1' }])
  queues.added.length = 0
  await database.db.query(`update connections set state = 'paused'`)
  await wakePushes(hub)
  expect(queues.added).toEqual([])
})
