import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { openDb, openSession, sqlState, type Tx } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase({ pool_max: 8 })
  await database.db.query('create table counters (id int primary key, value int not null check (value >= 0))')
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.db.query('truncate counters; insert into counters values (1, 10), (2, 10)')
})

const values = async (): Promise<number[]> =>
  (await database.db.query<{ value: number }>('select value from counters order by id')).map((row) => row.value)
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

test('commits the work and answers its value', async () => {
  const answer = await inTransaction(database.db, async (tx) => {
    await tx.query('update counters set value = 11 where id = 1')
    return tx.query('select value from counters where id = 1')
  })
  expect(answer).toEqual([{ value: 11 }])
  expect(await values()).toEqual([11, 10])
})

test('a throw rolls everything back, is thrown on unchanged, and the connection is clean afterwards', async () => {
  const reason = new HubError('stale', 'planted')
  const work = async (tx: Tx): Promise<never> => {
    await tx.query('update counters set value = 11 where id = 1')
    throw reason
  }
  expect(await caught(inTransaction(database.db, work))).toBe(reason)
  expect(await values()).toEqual([10, 10])
})

test('a swallowed SQL fault cannot turn a commit into a silent rollback', async () => {
  const work = async (tx: Tx): Promise<string> => {
    await tx.query('update counters set value = 11 where id = 1')
    await caught(tx.query('update counters set value = -1 where id = 2'))
    return 'all went well'
  }
  expect(String(await caught(inTransaction(database.db, work)))).toContain('commit became a rollback')
  expect(await values()).toEqual([10, 10])
})

test('two transactions that deadlock both get done, by running the victim again', async () => {
  let attempts = 0
  let arrived = 0
  let bothHold: () => void = () => undefined
  const both = new Promise<void>((settle) => (bothHold = settle))
  const cross = (first: number, second: number) =>
    inTransaction(database.db, async (tx) => {
      attempts += 1
      await tx.query('update counters set value = value + 1 where id = $1', [first])
      arrived += 1
      if (arrived === 2) bothHold()
      await both
      await tx.query('update counters set value = value + 1 where id = $1', [second])
    })
  await Promise.all([cross(1, 2), cross(2, 1)])
  expect(await values()).toEqual([12, 12])
  expect(attempts).toBe(3)
})

test('a serialisation failure is tried attempts_max times and then thrown', async () => {
  let attempts = 0
  const work = async (tx: Tx): Promise<void> => {
    attempts += 1
    await tx.query(`do $$ begin raise exception 'planted' using errcode = '40001'; end $$`)
  }
  expect(sqlState(await caught(inTransaction(database.db, work, { attempts_max: 3 })))).toBe('40001')
  expect(attempts).toBe(3)
})

test('a broken rule of the table is not tried again', async () => {
  let attempts = 0
  const work = async (tx: Tx): Promise<void> => {
    attempts += 1
    await tx.query('update counters set value = -1 where id = 1')
  }
  expect(sqlState(await caught(inTransaction(database.db, work)))).toBe('23514')
  expect(attempts).toBe(1)
})

test('a connection cut inside the work is database_unavailable, tried once, and leaves nothing behind', async () => {
  const db = openDb({ url: database.url, pool_max: 1, application_name: 'cut' })
  const admin = await openSession({ url: database.url, application_name: 'scissors' })
  let attempts = 0
  const work = async (tx: Tx): Promise<void> => {
    attempts += 1
    await tx.query('update counters set value = 11 where id = 1')
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'cut'`)
    await tx.query('update counters set value = 11 where id = 2')
  }
  expect(await caught(inTransaction(db, work))).toMatchObject({ code: 'database_unavailable' })
  expect(attempts).toBe(1)
  expect(await db.query('select value from counters order by id')).toEqual([{ value: 10 }, { value: 10 }])
  await admin.close()
  await db.close()
})

test("a query sent after the end does not slip into somebody else's transaction", async () => {
  let leaked: Tx | undefined
  await inTransaction(database.db, async (tx) => {
    leaked = tx
    await tx.query('select 1')
  })
  expect(await caught(leaked?.query('update counters set value = 0') ?? Promise.resolve())).toMatchObject({
    code: 'internal',
  })
  expect(await values()).toEqual([10, 10])
})
