import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import Type from 'typebox'
import { defineConnector, type SelfCheck } from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import { listCases } from '../../src/core/cases/cases.ts'
import { runSelfTest, testConnection } from '../../src/queues/connections.ts'
import { selfTests } from '../../src/queues/jobs/selfTests.ts'
import { schedulesOf } from '../../src/queues/sweep.ts'
import type { Hub } from '../../src/hub.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testClock, testHub, type TestClock } from '../kit/testHub.ts'

let database: TestDatabase
let hub: Hub
let clock: TestClock
let answer: () => Promise<SelfCheck[]>

const books = defineConnector({
  id: 'books',
  label: 'Books',
  kind: 'erp',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  test: () => Promise.resolve('version 19'),
  selfTest: () => answer(),
})
const plain = defineConnector({ id: 'plain', label: 'Plain', kind: 'erp', grade: 'fixtures', settings: Type.Object({}), inbound: {} }) // prettier-ignore
const CONNECTIONS = [
  { id: 'books-eu', connector: books },
  { id: 'books-us', connector: books },
  { id: 'plain-eu', connector: plain },
]

beforeAll(async () => {
  database = await createTestDatabase()
  await seedConnections(database.db, CONNECTIONS)
})
afterAll(() => database.drop())
beforeEach(async () => {
  clock = testClock()
  hub = testHub({ db: database.db, queues: rememberingQueues(), connections: CONNECTIONS, clock })
  answer = () => Promise.resolve([])
  await database.db.query('delete from self_checks')
  await database.db.query('delete from cases')
})

const run = (connection_id: string): Promise<string> =>
  selfTests.run(
    hub,
    { connection_id },
    { signal: new AbortController().signal, log: () => undefined, progress: () => undefined },
  )
const openCasesNow = async (): Promise<string[]> => {
  const { rows } = await listCases(database.db, { state: 'open' })
  return rows.map(({ kind, subject, times }) => `${kind} ${subject} ${times}`).toSorted()
}
const inDays = (days: number): string => new Date(clock.now().getTime() + days * 86_400_000).toISOString()

test('what was found is kept, and a fault is one case until it is gone', async () => {
  answer = () => Promise.resolve([{ name: 'modules', ok: false, detail: 'stock is missing' }, { name: 'key', ok: true, detail: 'key 7', expires_at: inDays(10) }]) // prettier-ignore
  expect(await run('books-eu')).toBe('1 of 2 check(s) of books-eu failed')
  await run('books-eu')
  await run('books-us')
  expect(await openCasesNow()).toEqual([
    'check_failed connection:books-eu:modules 2',
    'check_failed connection:books-us:modules 1',
    'key_expires connection:books-eu:key 2',
    'key_expires connection:books-us:key 1',
  ])
  const kept = await database.db.query(`select name, ok, detail from self_checks where connection_id = 'books-eu' order by name`) // prettier-ignore
  expect(kept).toEqual([
    { name: 'key', ok: true, detail: 'key 7' },
    { name: 'modules', ok: false, detail: 'stock is missing' },
  ])
  answer = () => Promise.resolve([{ name: 'key', ok: true, detail: 'key 8', expires_at: inDays(300) }])
  await run('books-eu')
  expect((await openCasesNow()).filter((line) => line.includes('books-eu'))).toEqual([])
})

test('a vendor that refuses is a check that failed; one that cannot be asked says nothing', async () => {
  answer = () => Promise.reject(new HubError('vendor_auth', 'version answered 401'))
  expect(await runSelfTest(hub, 'books-eu')).toEqual([
    { name: 'connection', ok: false, detail: 'vendor_auth: version answered 401', expires_at: null },
  ])
  answer = () => Promise.reject(new HubError('vendor_timeout', 'version had no answer in time'))
  await expect(run('books-eu')).rejects.toMatchObject({ code: 'vendor_timeout' })
  expect(await openCasesNow()).toEqual(['check_failed connection:books-eu:connection 1'])
  const attempts = await database.db.query(`select operation, outcome, error_code from attempts where connection_id = 'books-eu' and operation = 'self_test' order by id desc limit 2`) // prettier-ignore
  expect(attempts).toMatchObject([
    { outcome: 'failed', error_code: 'vendor_timeout' },
    { outcome: 'failed', error_code: 'vendor_auth' },
  ])
})

test('testing a connection shows its record and its checks, and a connector without either says so', async () => {
  answer = () => Promise.resolve([{ name: 'clock', ok: true, detail: '0 s off' }])
  expect(await testConnection(hub, 'books-eu')).toEqual({
    shown: 'version 19',
    checks: [{ name: 'clock', ok: true, detail: '0 s off', expires_at: null }],
  })
  await expect(testConnection(hub, 'plain-eu')).rejects.toMatchObject({ code: 'unsupported' })
})

test('tests of one connection that run at once leave what one of them saw', async () => {
  let turn = 0
  answer = () => Promise.resolve([{ name: `check ${(turn += 1) % 3}`, ok: turn % 2 === 0, detail: 'x' }])
  await Promise.all(Array.from({ length: 12 }, () => runSelfTest(hub, 'books-eu')))
  const kept = await database.db.query<{ name: string; ok: boolean }>('select name, ok from self_checks')
  expect(kept).toHaveLength(1)
  const failing = kept.filter(({ ok }) => !ok).map(({ name }) => `connection:books-eu:${name}`)
  expect((await openCasesNow()).map((line) => line.replace(/^check_failed (.*) \d+$/, '$1'))).toEqual(failing)
})

test('the job runs once a day for connectors that have one, and leaves a paused connection alone', async () => {
  const [eu, plainEu] = ['books-eu', 'plain-eu'].map((id) => hub.connections.get(id)!)
  expect(schedulesOf(eu!)).toContainEqual({ queue: 'pull', name: 'self_test', key: 'self-test-books-eu', every_ms: 86_400_000, data: { connection_id: 'books-eu' } }) // prettier-ignore
  expect(schedulesOf(plainEu!)).toEqual([])
  await database.db.query(`update connections set state = 'paused' where id = 'books-us'`)
  expect(await run('books-us')).toBe('books-us is paused; it is not tested')
  expect(await run('nobody')).toBe('nobody has no self test')
})
