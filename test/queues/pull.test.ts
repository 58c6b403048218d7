import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { defineConnector, type PulledPage, type PullRequest } from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import type { Hub } from '../../src/hub.ts'
import { pullStream } from '../../src/queues/pull.ts'
import { newSweep, schedulesOf, sweepOnce } from '../../src/queues/sweep.ts'
import { openQueues } from '../../src/queues/bull.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testHub, type RememberingQueues } from '../kit/testHub.ts'

let pages: (PulledPage | HubError)[] = []
const asked: PullRequest[] = []
async function* orders(_port: unknown, request: PullRequest): AsyncGenerator<PulledPage> {
  asked.push(request)
  for (const page of pages) {
    if (page instanceof HubError) throw page
    yield page
  }
}
const shop = defineConnector({
  id: 'shop',
  label: 'Shop',
  kind: 'storefront',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  pull: { orders, settlements: orders },
})
const connections = [{ id: 'shop-1', connector: shop }]

let database: TestDatabase
let hub: Hub
let queues: RememberingQueues
let stop: AbortController

beforeAll(async () => {
  database = await createTestDatabase()
  await seedConnections(database.db, connections)
})
afterAll(() => database.drop())
beforeEach(async () => {
  asked.length = 0
  stop = new AbortController()
  queues = rememberingQueues()
  hub = testHub({ db: database.db, queues, connections })
  await database.db.query('truncate inbox, cursors, attempts cascade')
  await database.db.query(`update connections set state = 'active'`)
})

const page = (cursor: string, ...keys: string[]): PulledPage => ({
  cursor,
  items: keys.map((key) => ({ topic: 'order', dedupe_key: key, payload: { id: key } })),
})
const pull = (): Promise<string> =>
  pullStream(hub, 'shop-1', 'orders', { log: () => undefined, progress: () => undefined, signal: stop.signal })
const cursor = async (): Promise<string | null | undefined> => {
  const [row] = await database.db.query<{ cursor: string | null }>('select cursor from cursors')
  return row?.cursor
}
const keys = async (): Promise<string[]> => {
  const rows = await database.db.query<{ dedupe_key: string }>('select dedupe_key from inbox order by dedupe_key')
  return rows.map((row) => row.dedupe_key)
}

test('stores items and cursor page by page, wakes the drain, and starts where it stopped', async () => {
  pages = [page('c1', 'a', 'b'), page('c2', 'c')]
  expect(await pull()).toBe('pulled 3 orders of shop-1 in 2 page(s), 3 new')
  expect(await keys()).toEqual(['a', 'b', 'c'])
  expect(queues.added).toContainEqual(expect.objectContaining({ queue: 'intake', data: { connection_id: 'shop-1' } }))
  pages = [page('c3', 'c', 'd')]
  expect(await pull()).toBe('pulled 2 orders of shop-1 in 1 page(s), 1 new')
  expect(asked.map((request) => [request.cursor, request.overlap_ms])).toEqual([
    [null, 120_000],
    ['c2', 120_000],
  ])
  expect(await cursor()).toBe('c3')
  expect(await database.db.query('select subject, outcome from attempts order by id')).toEqual([
    { subject: 'pull:orders', outcome: '3 items, 3 new' },
    { subject: 'pull:orders', outcome: '2 items, 1 new' },
  ])
})

test('keeps the pages that came before a fault', async () => {
  pages = [page('c1', 'a'), new HubError('vendor_unavailable', 'down', { status: 503 }), page('c2', 'b')]
  await expect(pull()).rejects.toMatchObject({ code: 'vendor_unavailable' })
  expect([await cursor(), await keys()]).toEqual(['c1', ['a']])
  expect(await database.db.query('select outcome, error_code, status from attempts')).toEqual([
    { outcome: 'failed', error_code: 'vendor_unavailable', status: 503 },
  ])
})

test('comes again when it was told to, and stops the connection on a wrong password', async () => {
  pages = [new HubError('vendor_throttled', 'slow down', { retry_after_ms: 7_000 })]
  expect(await pull()).toContain('asks to wait 7000 ms')
  expect(queues.added).toContainEqual(expect.objectContaining({ queue: 'pull', options: { delay_ms: 7_000 } }))
  pages = [new HubError('vendor_auth', 'no')]
  await expect(pull()).rejects.toMatchObject({ code: 'vendor_auth' })
  expect(await pull()).toContain('is failing')
})

test('stops at the next page when it is told to, and leaves a wake-up for the rest', async () => {
  pages = [page('c1', 'a'), page('c2', 'b')]
  stop.abort()
  await pull()
  expect(await cursor()).toBe('c1')
  expect(queues.added.at(-1)).toMatchObject({ queue: 'pull', data: { connection_id: 'shop-1', stream: 'orders' } })
})

test('a connection is polled at the pace of its configuration', () => {
  const connection = hub.connections.get('shop-1')!
  const config = { ...connection.config, pull: { ...connection.config.pull, orders_every_seconds: 5 } }
  expect(schedulesOf({ ...connection, config })).toEqual([
    {
      queue: 'pull',
      name: 'pull',
      key: 'pull-shop-1-orders',
      every_ms: 5_000,
      data: { connection_id: 'shop-1', stream: 'orders' },
    },
    {
      queue: 'pull',
      name: 'pull',
      key: 'pull-shop-1-settlements',
      every_ms: 3_600_000,
      data: { connection_id: 'shop-1', stream: 'settlements' },
    },
  ])
})

test('the sweeper brings schedules back and wakes what is overdue past any coalescing key', async () => {
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
  const real = await openQueues({ database_url: database.url, redis_url: '', log })
  try {
    const swept = testHub({ db: database.db, queues: real, connections })
    await database.db.query(
      `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at)
       values ('shop-1', 'webhook', 'order', 'late', '\\x00', now(), now(), now() - interval '1 minute')`,
    )
    await real.add('intake', 'drain', { connection_id: 'shop-1' }, { coalesce_key: 'drain-shop-1' })
    const memory = newSweep()
    expect(await sweepOnce(swept, memory)).toMatchObject({ woken: 1 })
    expect((await real.counts()).intake['waiting']).toBe(2)
    // Not again at once: the job may only be waiting for its turn.
    expect(await sweepOnce(swept, memory)).toMatchObject({ woken: 0 })
    const schedulers = real.bullQueues.get('pull') as { getJobSchedulers: () => Promise<{ key: string }[]> }
    expect((await schedulers.getJobSchedulers()).map((scheduler) => scheduler.key).toSorted()).toEqual([
      'pull-shop-1-orders',
      'pull-shop-1-settlements',
    ])
  } finally {
    await real.close()
  }
})
