import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import type { Hub } from '../../src/hub.ts'
import { drainConnection } from '../../src/queues/drain.ts'
import { replayDeadLetters } from '../../src/queues/deadLetters.ts'
import { claimGroup, finishDone } from '../../src/queues/effectRows.ts'
import { runEffects, type GroupRef } from '../../src/queues/effects.ts'
import { relayDue } from '../../src/queues/relay.ts'
import { newSweep, sweepOnce } from '../../src/queues/sweep.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { startLedgerVendor, type LedgerVendor } from '../kit/ledger.ts'
import { fixtureConnections, orderPayload, seedFixture } from '../kit/queueFixture.ts'
import { rememberingQueues, testClock, testHub, type RememberingQueues, type TestClock } from '../kit/testHub.ts'

let database: TestDatabase
let vendor: LedgerVendor
let hub: Hub
let clock: TestClock
let queues: RememberingQueues
const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }

beforeAll(async () => {
  database = await createTestDatabase()
  const connections = fixtureConnections({ vendor_url: 'http://127.0.0.1:1', readable: false, batch_max: 1 })
  await seedFixture(database.db, connections, { TENT: 100_000 })
})
afterAll(() => database.drop())
beforeEach(async () => {
  vendor = await startLedgerVendor()
  await database.db.query('truncate outbox, inbox, dead_letters, drain_runs, attempts cascade')
  await database.db.query(`update connections set state = 'active', state_reason = null`)
  setUp({ readable: false, batch_max: 1 })
  return () => vendor.stop()
})

function setUp(options: { readable: boolean; batch_max: number }): void {
  queues = rememberingQueues()
  clock = testClock()
  hub = testHub({
    db: database.db,
    queues,
    connections: fixtureConnections({ vendor_url: vendor.url, ...options }),
    clock,
  })
}

let serial = 0
/** Real work for the depot: orders through the inbox, their effects relayed. Returns the groups, as their jobs carry them. */
async function orders(count: number): Promise<GroupRef[]> {
  const rows = Array.from({ length: count }, () => {
    serial += 1
    const body = Buffer.from(JSON.stringify(orderPayload(`O-${serial}`)))
    const now = clock.now()
    return sealRow(hub.vault, {
      connection_id: 'shop-1',
      source: 'webhook',
      topic: 'order',
      dedupe_key: `o-${serial}`,
      body,
      observed_at: now,
      received_at: now,
    })
  })
  await insertInbox(database.db, rows)
  expect(await drainConnection(hub, 'shop-1', reporter)).toMatchObject({ drained: count, parked: 0 })
  await relayDue(hub)
  return queues.added.filter((job) => job.queue === 'fulfillment').map((job) => job.data as GroupRef)
}
const run = (group: GroupRef): Promise<string> => runEffects(hub, group, reporter)
interface OutboxRow {
  state: string
  attempts: number
  unknown_outcome: boolean
  error_code: string | null
  batch_key: string | null
  fence: number
}
const outbox = (): Promise<OutboxRow[]> =>
  database.db.query('select state, attempts, unknown_outcome, error_code, batch_key, fence from outbox order by id')
const log = (): Promise<object[]> =>
  database.db.query('select operation, outcome, error_code from attempts order by id')

test('an effect is told once, logged, and the work is marked as sent', async () => {
  const [group] = await orders(1)
  expect(await run(group!)).toMatch(/: 1 done$/)
  expect(vendor.done).toEqual([{ key: group!.batch_key, entries: [expect.stringMatching(/^new /)] }])
  expect(await outbox()).toMatchObject([{ state: 'done', attempts: 1, unknown_outcome: false }])
  expect(await log()).toEqual([{ operation: 'send fulfillment.new', outcome: 'done', error_code: null }])
  expect(await run(group!)).toContain('nothing due')
  expect(vendor.calls).toBe(1)
  const [work] = await database.db.query<{ state: string }>(
    'select state from fulfillment_orders order by created_at desc limit 1',
  )
  expect(work!.state).toBe('SCHEDULED')
})

test('a whole batch leaves in one call, and again under the same name', async () => {
  setUp({ readable: false, batch_max: 10 })
  const [group] = await orders(3)
  vendor.mood.answers.push({ status: 503 })
  await run(group!)
  expect(await outbox()).toMatchObject(
    Array.from({ length: 3 }, () => ({ state: 'pending', batch_key: group!.batch_key })),
  )
  clock.forward(3_600_000)
  await run(group!)
  expect(vendor.done).toEqual([
    { key: group!.batch_key, entries: [expect.anything(), expect.anything(), expect.anything()] },
  ])
  expect((await outbox()).every((row) => row.state === 'done')).toBe(true)
})

test('a batch of which one member is being changed leaves whole or not at all: nobody is left behind under its name', async () => {
  setUp({ readable: false, batch_max: 10 })
  const [group] = await orders(3)
  await inTransaction(database.db, async (tx) => {
    await tx.query('select 1 from outbox where id = (select max(id) from outbox) for update')
    expect(await run(group!)).toContain('is being changed')
  })
  expect(vendor.calls).toBe(0)
  clock.forward(60_000)
  // The member that was held is still queued; its lease brings it back, and the three go together.
  await sweepOnce(hub, newSweep())
  await relayDue(hub)
  const again = queues.added.filter((job) => job.queue === 'fulfillment').at(-1)?.data as GroupRef
  await run(again)
  expect(vendor.done).toEqual([
    { key: group!.batch_key, entries: [expect.anything(), expect.anything(), expect.anything()] },
  ])
  expect(await outbox()).toMatchObject(Array.from({ length: 3 }, () => ({ state: 'done' })))
})

test('a call whose answer got lost is repeated under its key, which the vendor honours', async () => {
  const [group] = await orders(1)
  vendor.mood.cuts_after_doing = 1
  await run(group!)
  expect(await outbox()).toMatchObject([
    { state: 'pending', attempts: 1, unknown_outcome: true, error_code: 'outcome_unknown' },
  ])
  const retry = queues.added.at(-1)!
  expect(retry).toMatchObject({ queue: 'fulfillment', data: group, options: { delay_ms: expect.any(Number) } })
  clock.forward(3_600_000)
  await run(group!)
  expect(vendor.calls).toBe(2)
  expect(vendor.done).toHaveLength(1)
  expect(await outbox()).toMatchObject([{ state: 'done', attempts: 2, unknown_outcome: false }])
})

test.each([
  ['was done', 'cuts_after_doing', 1],
  ['was not done', 'cuts_before_doing', 2],
] as const)(
  'where the vendor honours no key, a call that %s is read back and never repeated blindly',
  async (_what, cut, calls) => {
    setUp({ readable: true, batch_max: 1 })
    vendor.mood.honours_keys = false
    const [group] = await orders(1)
    vendor.mood[cut] = 1
    await run(group!)
    clock.forward(3_600_000)
    await run(group!)
    expect(vendor.calls).toBe(calls)
    expect(vendor.done).toHaveLength(1)
    expect(await outbox()).toMatchObject([{ state: 'done', unknown_outcome: false }])
    expect((await log()).map((line) => (line as { operation: string }).operation)).toContain('confirm fulfillment.new')
  },
)

test('a late write of an older claim changes nothing', async () => {
  const [group] = await orders(1)
  const [old] = await claimGroup(database.db, group!, clock.now(), 1_000)
  clock.forward(5_000)
  await sweepOnce(hub, newSweep())
  expect(await outbox()).toMatchObject([{ state: 'queued', unknown_outcome: true }])
  const [young] = await claimGroup(database.db, group!, clock.now(), 1_000)
  expect(young!.fence).toBe(old!.fence + 1)
  const late = await inTransaction(database.db, (tx) => finishDone(tx, old!, { external_id: 'late' }, clock.now()))
  expect(late.end).toBe('late')
  expect(await outbox()).toMatchObject([{ state: 'sending', fence: young!.fence }])
  expect(
    (await inTransaction(database.db, (tx) => finishDone(tx, young!, { external_id: 'right' }, clock.now()))).end,
  ).toBe('done')
})

test('throttling waits as long as it was told and uses up no attempt', async () => {
  const [group] = await orders(1)
  vendor.mood.answers.push({ status: 429, retry_after_s: 30 })
  await run(group!)
  const [row] = await database.db.query<{ wait: number; attempts: number }>(
    `select extract(epoch from next_attempt_at - $1::timestamptz)::int as wait, attempts from outbox`,
    [clock.now()],
  )
  expect(row!.attempts).toBe(0)
  expect(row!.wait).toBeGreaterThanOrEqual(29)
  expect(await run(group!)).toContain('nothing due')
  expect(vendor.calls).toBe(1)
})

test('a refusal is given up at once, and a replay by two people at once tells the vendor once', async () => {
  const [group] = await orders(1)
  vendor.mood.answers.push({ status: 422 })
  expect(await run(group!)).toContain('given up')
  expect(await outbox()).toMatchObject([{ state: 'dead', attempts: 1, error_code: 'vendor_rejected' }])
  expect(queues.added.filter((job) => job.queue === 'dead-letter')).toHaveLength(1)
  const results = await Promise.all([replayDeadLetters(hub, {}, 'jo'), replayDeadLetters(hub, {}, 'al')])
  expect(results.reduce((sum, result) => sum + result.replayed, 0)).toBe(1)
  await Promise.all([relayDue(hub), relayDue(hub)])
  await Promise.all([run(group!), run(group!)])
  expect(vendor.done).toHaveLength(1)
  expect(await outbox()).toMatchObject([{ state: 'done' }])
})

test('what fails again and again is given up after its attempts', async () => {
  const [group] = await orders(1)
  vendor.mood.answers.push(...Array.from({ length: 30 }, () => ({ status: 500 })))
  for (let round = 0; round < 12; round += 1) {
    clock.forward(3 * 3_600_000)
    await run(group!)
    setUpBreaker()
  }
  expect(await outbox()).toMatchObject([{ state: 'dead', attempts: 10 }])
  expect(vendor.calls).toBe(10)
  expect(vendor.done).toEqual([])
})

/** A new process: its breaker knows nothing of the faults before it. */
function setUpBreaker(): void {
  const before = clock
  setUp({ readable: false, batch_max: 1 })
  clock.forward(before.now().getTime() - clock.now().getTime())
}

test('a wrong password stops the connection and nothing is used up', async () => {
  const groups = await orders(2)
  vendor.mood.answers.push({ status: 401 })
  await run(groups[0]!)
  const [connection] = await database.db.query(`select state, state_reason from connections where id = 'depot-1'`)
  expect(connection).toMatchObject({ state: 'failing', state_reason: expect.stringContaining('vendor_auth') })
  expect(await run(groups[1]!)).toContain('waits')
  expect(await outbox()).toMatchObject([
    { state: 'pending', attempts: 0 },
    { state: 'pending', attempts: 0 },
  ])
  expect(await relayDue(hub)).toBe(0)
  await database.db.query(`update connections set state = 'active'`)
  clock.forward(120_000)
  for (const group of groups) await run(group)
  expect(vendor.done).toHaveLength(2)
})

test('work that is gone has nothing left to say', async () => {
  const [group] = await orders(1)
  await database.db.query(
    `update outbox set reference = '{"fulfillment_order_id": "00000000-0000-0000-0000-000000000000"}'`,
  )
  expect(await run(group!)).toContain('1 cancelled')
  expect(vendor.calls).toBe(0)
})

test('an effect that kills its process in every attempt ends with a dead letter', async () => {
  const [group] = await orders(1)
  for (let round = 0; round < 10; round += 1) {
    const claimed = await claimGroup(database.db, group!, clock.now(), 1_000)
    expect(claimed).toHaveLength(1)
    clock.forward(70_000)
    await sweepOnce(hub, newSweep())
  }
  expect(await outbox()).toMatchObject([{ state: 'dead', attempts: 10, error_code: 'poison' }])
  expect(await database.db.query('select code from dead_letters')).toEqual([{ code: 'poison' }])
})
