import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { openVault } from '../../src/core/people/vault.ts'
import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import type { OpenQueues } from '../../src/queues/bull.ts'
import { BACKENDS, startBackend, type TestBackend } from '../kit/backends.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { startLedgerVendor, type LedgerVendor } from '../kit/ledger.ts'
import { fixtureConnections, orderPayload, seedFixture, type FixtureOptions } from '../kit/queueFixture.ts'
import { TEST_VAULT_KEY } from '../kit/testHub.ts'
import { startWorkerProcess, type WorkerProcess } from '../kit/workerProcess.ts'

const vault = openVault(TEST_VAULT_KEY)
const WAIT = { timeout: 45_000, interval: 100 }

describe.each(BACKENDS)('worker processes on %s', (kind) => {
  let database: TestDatabase
  let backend: TestBackend
  let queues: OpenQueues
  let vendor: LedgerVendor
  let workers: WorkerProcess[]

  beforeEach(async () => {
    database = await createTestDatabase()
    backend = await startBackend(kind, database)
    queues = await backend.open()
    vendor = await startLedgerVendor()
    workers = []
    await seedFixture(database.db, fixtureConnections(fixture({})), { TENT: 100_000 })
  })
  afterEach(async () => {
    await Promise.all(workers.map((worker) => worker.kill('SIGKILL')))
    await queues.close()
    await vendor.stop()
    await backend.stop()
    await database.drop()
  })

  const fixture = (more: Partial<FixtureOptions>): FixtureOptions => ({
    vendor_url: vendor.url,
    readable: false,
    batch_max: 1,
    ...more,
  })
  const start = async (more: Partial<FixtureOptions> = {}): Promise<WorkerProcess> => {
    const worker = await startWorkerProcess({
      ...fixture(more),
      database_url: database.url,
      redis_url: backend.redis_url,
    })
    workers.push(worker)
    return worker
  }
  const receive = async (topic: string, payloads: readonly object[], prefix: string): Promise<void> => {
    const now = new Date()
    const rows = payloads.map((payload, index) =>
      sealRow(vault, {
        connection_id: 'shop-1',
        source: 'webhook',
        topic,
        dedupe_key: `${prefix}-${index}`,
        body: Buffer.from(JSON.stringify(payload)),
        observed_at: now,
        received_at: now,
      }),
    )
    await insertInbox(database.db, rows)
    await queues.add('intake', 'drain', { connection_id: 'shop-1' }, { coalesce_key: 'drain-shop-1' })
  }
  const receiveOrders = (count: number, prefix: string): Promise<void> =>
    receive(
      'order',
      Array.from({ length: count }, (_, index) => orderPayload(`${prefix}-${index}`)),
      prefix,
    )
  const count = async (sql: string): Promise<number> => {
    const [row] = await database.db.query<{ n: number }>(`select count(*)::int as n from ${sql}`)
    return row!.n
  }
  const told = (): number => vendor.done.flatMap((entry) => entry.entries).length
  const toldOnce = (): number => new Set(vendor.done.flatMap((entry) => entry.entries)).size
  /** As if the time that a lease gives had passed. */
  const expireLeases = (): Promise<unknown> =>
    database.db.query(
      `update outbox set lease_until = now() - interval '1 second' where state in ('queued', 'sending')`,
    )

  test('wiping the queue in the middle of the work loses nothing and doubles nothing', async () => {
    await Promise.all([start(), start()])
    for (let round = 0; round < 6; round += 1) {
      await receiveOrders(50, `wipe${round}`)
      await sleep(60)
      if (round % 2 === 1) await backend.wipe()
    }
    await expect.poll(() => count(`inbox where state = 'done'`), WAIT).toBe(300)
    // What had been queued and not begun when the wipe came is found by its lease.
    await expireLeases()
    await expect.poll(() => count(`outbox where state = 'done'`), WAIT).toBe(300)
    expect([told(), toldOnce()]).toEqual([300, 300])
    expect(await count(`orders where reservation_state = 'committed'`)).toBe(300)
    expect(await count('inbox where attempts <> 1')).toBe(0)
  })

  test('a process that is killed in the middle of a call does not double the effect', async () => {
    const [first] = await Promise.all([start(), start()])
    vendor.mood.answer_after_ms = 1_500
    await receiveOrders(4, 'kill')
    await expect.poll(() => vendor.done.length, WAIT).toBeGreaterThan(0)
    await first.kill('SIGKILL')
    vendor.mood.answer_after_ms = 0
    await sleep(2_000)
    await expireLeases()
    await expect.poll(() => count(`outbox where state = 'done'`), WAIT).toBe(4)
    expect([told(), toldOnce()]).toEqual([4, 4])
  })

  test('a process that is frozen in the middle of a call writes nothing when it comes back', async () => {
    const first = await start({ readable: true })
    vendor.mood.honours_keys = false
    vendor.mood.answer_after_ms = 1_000
    await receiveOrders(1, 'zombie')
    await expect.poll(() => vendor.done.length, WAIT).toBe(1)
    await first.kill('SIGSTOP')
    vendor.mood.answer_after_ms = 0
    await start({ readable: true })
    await expireLeases()
    await expect.poll(() => count(`outbox where state = 'done'`), WAIT).toBe(1)
    const before = await database.db.query('select fence, done_at, attempts from outbox')
    expect(before).toMatchObject([{ fence: 2, attempts: 2 }])
    await first.kill('SIGCONT')
    await expect.poll(() => count(`attempts where operation = 'send fulfillment.new'`), WAIT).toBe(1)
    await sleep(300)
    expect(await database.db.query('select fence, done_at, attempts from outbox')).toEqual(before)
    expect(told()).toBe(1)
  })

  test('a process that is asked to stop finishes and leaves nothing behind', async () => {
    const first = await start()
    await receiveOrders(200, 'stop')
    await first.kill('SIGTERM')
    expect(first.child.exitCode).toBe(0)
    await start()
    await expect.poll(() => count(`outbox where state = 'done'`), WAIT).toBe(200)
    expect([told(), toldOnce()]).toEqual([200, 200])
  })
})

describe('a message that kills every process', () => {
  test('is set aside after four deaths, and everything else is done', async () => {
    const database = await createTestDatabase()
    const backend = await startBackend('postgres', database)
    const queues = await backend.open()
    const options = {
      vendor_url: 'http://127.0.0.1:1',
      readable: false,
      batch_max: 1,
      database_url: database.url,
      redis_url: '',
    }
    await seedFixture(database.db, fixtureConnections(options), { TENT: 1_000 })
    const now = new Date()
    const row = { connection_id: 'shop-1', source: 'webhook', observed_at: now, received_at: now } as const
    const messages = ['order', 'killer', 'order'].map((topic, index) =>
      sealRow(vault, {
        ...row,
        topic,
        dedupe_key: `k${index}`,
        body: Buffer.from(JSON.stringify(orderPayload(`P-${index}`))),
      }),
    )
    await insertInbox(database.db, messages)
    let deaths = 0
    let worker = await startWorkerProcess(options)
    const states = (): Promise<object[]> => database.db.query('select state, cause_code from inbox order by id')
    const settled = async (): Promise<boolean> => !JSON.stringify(await states()).includes('pending')
    while (!(await settled()) && deaths < 6) {
      const died = once(worker.child, 'exit').then(() => true)
      const alive = (async () => {
        while (!(await settled())) await sleep(100)
        return false
      })()
      if (await Promise.race([died, alive])) {
        deaths += 1
        worker = await startWorkerProcess(options)
      }
    }
    // One in the batch, which blames nobody, and three alone.
    expect(deaths).toBe(4)
    expect(await states()).toEqual([
      { state: 'done', cause_code: null },
      { state: 'parked', cause_code: 'poison' },
      { state: 'done', cause_code: null },
    ])
    await worker.kill('SIGKILL')
    await queues.close()
    await backend.stop()
    await database.drop()
  })
})
