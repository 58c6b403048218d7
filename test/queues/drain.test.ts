import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import type { Hub } from '../../src/hub.ts'
import { drainConnection } from '../../src/queues/drain.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { fixtureConnections, orderPayload, seedFixture } from '../kit/queueFixture.ts'
import { rememberingQueues, testClock, testHub, type RememberingQueues, type TestClock } from '../kit/testHub.ts'

let database: TestDatabase
let hub: Hub
let clock: TestClock
let queues: RememberingQueues
const lines: string[] = []
const reporter = {
  log: (line: string) => void lines.push(line),
  progress: () => undefined,
  signal: new AbortController().signal,
}
const connections = fixtureConnections({ vendor_url: 'http://127.0.0.1:1', readable: false, batch_max: 1 })

beforeAll(async () => {
  database = await createTestDatabase()
  await seedFixture(database.db, connections, { TENT: 100_000 })
})
afterAll(() => database.drop())
beforeEach(async () => {
  lines.length = 0
  queues = rememberingQueues()
  clock = testClock()
  hub = testHub({ db: database.db, queues, connections, clock })
  await database.db.query('truncate inbox, dead_letters, drain_runs cascade')
})

let serial = 0
const put = (topic: string, payload: object, more: { connection?: string; key?: string } = {}): Promise<unknown> => {
  serial += 1
  const row = {
    connection_id: more.connection ?? 'shop-1',
    source: 'webhook',
    topic,
    dedupe_key: more.key ?? `k${serial}`,
  } as const
  const now = clock.now()
  return insertInbox(database.db, [
    sealRow(hub.vault, { ...row, body: Buffer.from(JSON.stringify(payload)), observed_at: now, received_at: now }),
  ])
}
const inbox = (): Promise<
  { topic: string; state: string; cause_code: string | null; outcome: string; attempts: number; deaths: number }[]
> => database.db.query('select topic, state, cause_code, outcome, attempts, deaths from inbox order by id')

test('drains everything that is due, in batches, and says what it was', async () => {
  const many = Array.from({ length: 600 }, (_, index) => ({
    connection_id: 'shop-1',
    source: 'webhook',
    topic: 'order',
    dedupe_key: `many-${index}`,
    body: Buffer.from(JSON.stringify(orderPayload(`M-${index}`))),
    observed_at: clock.now(),
    received_at: clock.now(),
  }))
  await insertInbox(
    database.db,
    many.map((row) => sealRow(hub.vault, { ...row, source: 'webhook' })),
  )
  const results = [await drainConnection(hub, 'shop-1', reporter)]
  // A run gives way after its slice, however much is left.
  while (results.at(-1)?.ended === 'more') results.push(await drainConnection(hub, 'shop-1', reporter))
  const drained = results.reduce((sum, result) => sum + result.drained, 0)
  expect({ ...results.at(-1), drained }).toMatchObject({ drained: 600, parked: 0, ended: 'empty' })
  expect(results[0]?.sentence).toMatch(/^drained \d+ orders of shop-1(, more to come)?$/)
  expect((await inbox()).every((row) => row.state === 'done' && row.attempts === 1)).toBe(true)
  const [orders] = await database.db.query(
    `select count(*)::int as n from orders where external_id like 'M-%' and reservation_state = 'committed'`,
  )
  expect(orders).toEqual({ n: 600 })
  const [connection] = await database.db.query<{ last_received_at: Date | null }>(
    `select last_received_at from connections where id = 'shop-1'`,
  )
  expect(connection!.last_received_at).not.toBeNull()
})

test('parks what cannot be mapped, with its cause and a dead letter, and lets the rest go on', async () => {
  await put('order', orderPayload('A'))
  await put('order', { id: 7 })
  await put('broken', {})
  await put('telepathy', {})
  await put('nothing', {})
  const result = await drainConnection(hub, 'shop-1', reporter)
  expect(result).toMatchObject({ drained: 2, parked: 3 })
  expect(await inbox()).toMatchObject([
    { topic: 'order', state: 'done' },
    { topic: 'order', state: 'parked', cause_code: 'payload_invalid' },
    { topic: 'broken', state: 'parked', cause_code: 'mapping_broken' },
    { topic: 'telepathy', state: 'parked', cause_code: 'unsupported' },
    { topic: 'nothing', state: 'ignored' },
  ])
  const letters = await database.db.query<{ code: string; detail: string }>(
    'select code, detail from dead_letters order by source_id',
  )
  expect(letters.map((letter) => letter.code)).toEqual(['payload_invalid', 'mapping_broken', 'unsupported'])
  expect(JSON.stringify(await database.db.query('select * from inbox')) + JSON.stringify(letters)).not.toContain('Jane')
  expect(queues.added.filter((job) => job.queue === 'dead-letter')).toHaveLength(3)
})

test('waits for a SKU that nobody knows, without a dead letter', async () => {
  await put('order', orderPayload('B', 'UNKNOWN-SKU'))
  await drainConnection(hub, 'shop-1', reporter)
  const [row] = await database.db.query<{ state: string; cause_code: string; wake_key: string }>(
    'select state, cause_code, wake_key from inbox',
  )
  expect(row).toMatchObject({ state: 'parked', cause_code: 'unknown_sku' })
  expect(row!.wake_key).toContain('UNKNOWN-SKU')
  expect(await database.db.query('select 1 from dead_letters')).toEqual([])
})

test('asks for a pull when the vendor said that something moved', async () => {
  await put('signal', {})
  await drainConnection(hub, 'shop-1', reporter)
  expect(queues.added).toContainEqual({
    queue: 'pull',
    name: 'pull',
    data: { connection_id: 'shop-1', stream: 'orders' },
    options: { coalesce_key: 'pull-shop-1-orders' },
  })
})

test('queues the work that the orders made', async () => {
  await put('order', orderPayload('C'))
  await drainConnection(hub, 'shop-1', reporter)
  expect(queues.added.filter((job) => job.queue === 'fulfillment')).not.toEqual([])
})

describe('one run at a time', () => {
  test('a second one leaves it to the first', async () => {
    await database.db.query(
      `insert into drain_runs (connection_id, run_id, started_at, alive_at) values ('shop-1', gen_random_uuid(), $1, $1)`,
      [clock.now()],
    )
    await put('order', orderPayload('D'))
    expect(await drainConnection(hub, 'shop-1', reporter)).toMatchObject({ ended: 'busy', drained: 0 })
    clock.forward(7_000)
    expect(await drainConnection(hub, 'shop-1', reporter)).toMatchObject({ ended: 'empty', drained: 1 })
    expect(lines[0]).toContain('died with their process')
  })

  test('many at once drain each message once', async () => {
    for (let n = 0; n < 100; n += 1) await put('order', orderPayload(`E-${n}`))
    const results = await Promise.all(Array.from({ length: 5 }, () => drainConnection(hub, 'shop-1', reporter)))
    expect(results.reduce((sum, result) => sum + result.drained, 0)).toBe(100)
    expect((await inbox()).every((row) => row.attempts === 1)).toBe(true)
    expect(await database.db.query('select run_id, deaths from drain_runs')).toEqual([{ run_id: null, deaths: 0 }])
  })
})

describe('a message that kills its process', () => {
  const afterDeath = (deaths: number): Promise<unknown> =>
    database.db.query(
      `insert into drain_runs (connection_id, run_id, started_at, alive_at, deaths) values ('shop-1', gen_random_uuid(), $1, $1, $2)`,
      [new Date(clock.now().getTime() - 60_000), deaths],
    )

  test('is parked as poison after it was alone in three deaths, and the others go on', async () => {
    await put('order', orderPayload('F-1'))
    await put('killer', {}, { key: 'killer' })
    await put('order', orderPayload('F-2'))
    await database.db.query(`update inbox set deaths = 3 where dedupe_key = 'killer'`)
    await afterDeath(2)
    expect(
      await drainConnection(hub, 'shop-1', reporter, { suspects_after_ms: Number.POSITIVE_INFINITY }),
    ).toMatchObject({ drained: 2 })
    expect(await inbox()).toMatchObject([{ state: 'done' }, { state: 'pending', deaths: 3 }, { state: 'done' }])
    expect(await drainConnection(hub, 'shop-1', reporter, { suspects_after_ms: 0 })).toMatchObject({
      parked: 1,
      ended: 'empty',
    })
    expect(await inbox()).toMatchObject([
      { state: 'done', deaths: 0 },
      { state: 'parked', cause_code: 'poison' },
      { state: 'done', deaths: 0 },
    ])
    expect(await database.db.query('select code from dead_letters')).toEqual([{ code: 'poison' }])
  })

  test('a message that only was there when a process died comes after all others, and is cleared', async () => {
    for (const id of ['W-1', 'W-2', 'W-3', 'W-4']) await put('order', orderPayload(id))
    await database.db.query(`update inbox set deaths = 3 where id = (select min(id) from inbox)`)
    await database.db.query(`update inbox set deaths = 2 where id = (select min(id) + 1 from inbox)`)
    await afterDeath(0)
    const end = await drainConnection(hub, 'shop-1', reporter, { suspects_after_ms: 0 })
    expect(end).toMatchObject({ drained: 3, parked: 1, ended: 'empty' })
    const done = await database.db.query(`select state, deaths from inbox order by processed_at, id`)
    expect(done).toEqual([
      { state: 'done', deaths: 0 },
      { state: 'done', deaths: 0 },
      { state: 'done', deaths: 0 },
      { state: 'parked', deaths: 0 },
    ])
    const [suspect] = await database.db.query(
      `select i.id = (select min(id) + 1 from inbox) as is_suspect from inbox i where state = 'done' order by processed_at desc, id desc limit 1`,
    )
    expect(suspect).toEqual({ is_suspect: true })
  })
})

test('a message whose transaction fails is isolated, tried again later, and given up with a dead letter', async () => {
  // A fault of the database's own in the middle of the batch, as a bug of ours would make one.
  await database.db.query(`
    create function refuse_poison() returns trigger language plpgsql as $$
    begin if new.external_id = 'POISON' then raise exception 'bug with Jane in it'; end if; return new; end $$;
    create trigger refuse_poison before insert on orders for each row execute function refuse_poison();`)
  for (const id of ['G-1', 'POISON', 'G-2']) await put('order', orderPayload(id))
  expect(await drainConnection(hub, 'shop-1', reporter)).toMatchObject({ drained: 2, parked: 0 })
  expect(await inbox()).toMatchObject([
    { state: 'done' },
    { state: 'pending', cause_code: 'internal', attempts: 1 },
    { state: 'done' },
  ])
  for (let round = 0; round < 5; round += 1) {
    clock.forward(120_000)
    await drainConnection(hub, 'shop-1', reporter)
  }
  expect(await inbox()).toMatchObject([{}, { state: 'parked', cause_code: 'internal', attempts: 5 }, {}])
  expect(await database.db.query('select code from dead_letters')).toEqual([{ code: 'internal' }])
  expect(JSON.stringify(await database.db.query('select * from inbox'))).not.toContain('Jane')
  await database.db.query('drop trigger refuse_poison on orders')
})

test('an unknown connection is left alone', async () => {
  expect(await drainConnection(hub, 'nobody', reporter)).toMatchObject({ ended: 'unknown_connection' })
})
