import { afterAll, beforeAll, expect, it } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { breakerMirror, createLimiter } from '../../src/connectors/_kit/limits.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

it('shares one limit between processes through the database', async () => {
  const { db } = database
  const limit = { calls: 5, per_ms: 60_000 }
  const limiters = [0, 1, 2].map(() => createLimiter({ connection_id: 'shop', limit, store: { kind: 'postgres', db } }))
  const endings = await Promise.allSettled(Array.from({ length: 12 }, (_, i) => limiters[i % 3]!.take('realtime')))
  const refused = endings.flatMap((ending) => (ending.status === 'rejected' ? [ending.reason as unknown] : []))
  expect(endings.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  expect(refused).toHaveLength(7)
  for (const fault of refused) expect(fault).toMatchObject({ code: 'vendor_throttled' })
  const other = createLimiter({ connection_id: 'other', limit, store: { kind: 'postgres', db } })
  await other.take('realtime')
})

it('shares the limit of one operation between processes, and what one of them is told', async () => {
  const { db } = database
  const limit = { calls: 100, per_ms: 60_000 }
  const limits = { search: { calls: 4, per_ms: 60_000 } }
  const open = () => createLimiter({ connection_id: 'quota', limit, limits, store: { kind: 'postgres', db } })
  const [one, two] = [open(), open()]
  const taken = async (limiter: typeof one, times: number): Promise<number> => {
    const ends = await Promise.allSettled(Array.from({ length: times }, () => limiter.take('realtime', 'search')))
    return ends.filter(({ status }) => status === 'fulfilled').length
  }
  expect((await Promise.all([taken(one, 5), taken(two, 5)])).reduce((a, b) => a + b)).toBe(4)
  two.learn('search', { calls: 30, per_ms: 60_000 })
  expect(await taken(two, 1)).toBe(1)
  await expect.poll(() => taken(one, 1)).toBe(1)
  await one.take('realtime', 'patch')
})

it('does not forget with the process what it was told, nor counts those calls against the usual limit', async () => {
  const { db } = database
  const limits = { search: { calls: 2, per_ms: 3_600_000 } }
  const limit = { calls: 1_000, per_ms: 1_000 }
  const start = () => createLimiter({ connection_id: 'restarts', limit, limits, store: { kind: 'postgres', db } })
  const raised = { calls: 100, per_ms: 1_000 }
  for (let life = 0; life < 5; life += 1) {
    const limiter = start()
    for (let call = 0; call < 5; call += 1) {
      await limiter.take('bulk', 'search')
      limiter.learn('search', raised)
    }
    await expect
      .poll(() => db.query(`select points, expire from rate_limits where key = 'told:restarts/search'`))
      .toEqual([{ points: 100, expire: 1_000 }])
  }
})

it('takes windows of any length, and starts anew when one is over', async () => {
  const limiter = createLimiter({
    connection_id: 'fast',
    limit: { calls: 1, per_ms: 1_101 / 3 },
    store: { kind: 'postgres', db: database.db },
  })
  for (let i = 0; i < 3; i += 1) await limiter.take('realtime')
})

it('says so when the database is not there', async () => {
  const gone = { query: (): Promise<object[]> => Promise.reject(new HubError('database_unavailable', 'gone')) }
  const limiter = createLimiter({
    connection_id: 'x',
    limit: { calls: 1, per_ms: 1000 },
    store: { kind: 'postgres', db: gone },
  })
  await expect(limiter.take('realtime')).rejects.toMatchObject({ code: 'database_unavailable' })
})

it('shows the breaker to operators, and does not mind when it cannot', async () => {
  const { db } = database
  await db.query(`insert into companies (id, name) values ('c', 'C')`)
  await db.query(`insert into connections (id, connector, company_id) values ('shop', 'x', 'c')`)
  const faults: unknown[] = []
  const mirror = breakerMirror(db, 'shop', (thrown) => void faults.push(thrown))
  const until = new Date('2026-11-21T12:00:10Z')
  mirror({ failures: 1, open_until: until })
  await expect
    .poll(() => db.query(`select failures, open_until from breakers`))
    .toEqual([{ failures: 1, open_until: until }])
  mirror({ failures: 0, open_until: null })
  await expect
    .poll(() => db.query(`select failures, open_until from breakers`))
    .toEqual([{ failures: 0, open_until: null }])
  breakerMirror(db, 'nobody', (thrown) => void faults.push(thrown))({ failures: 1, open_until: null })
  await expect.poll(() => faults.length).toBe(1)
})
