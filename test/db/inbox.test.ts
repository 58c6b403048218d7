import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { openVault } from '../../src/core/people/vault.ts'
import { createIntake, insertInbox, readBody, sealRow, type ReceivedRow, type Stored } from '../../src/db/inbox.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { TEST_VAULT_KEY } from '../kit/testHub.ts'

const vault = openVault(TEST_VAULT_KEY)
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.db.query(`insert into companies values ('acme', 'Acme')`)
  await database.db.query(
    `insert into connections (id, connector, company_id) values ('shop', 'test', 'acme'), ('shop2', 'test', 'acme')`,
  )
})
afterAll(() => database.drop())
beforeEach(() => database.db.query('truncate inbox, inbox_conflicts'))

const received = (key: string, body = `{"id":"${key}"}`, more: Partial<ReceivedRow> = {}): ReceivedRow => ({
  connection_id: 'shop',
  source: 'webhook',
  topic: 'order',
  dedupe_key: key,
  body: Buffer.from(body),
  observed_at: '2026-03-01T10:00:00.000Z',
  received_at: new Date('2026-03-01T10:00:01.000Z'),
  ...more,
})
const insert = (...rows: ReceivedRow[]): Promise<Stored[]> =>
  insertInbox(
    database.db,
    rows.map((row) => sealRow(vault, row)),
  )
const count = async (table: string): Promise<number> => {
  const [row] = await database.db.query<{ n: number }>(`select count(*)::int as n from ${table}`)
  return row!.n
}

describe('insertInbox', () => {
  test('stores each key once and says of every message what became of it', async () => {
    expect(await insert(received('b'), received('a'), received('b'))).toEqual(['stored', 'stored', 'duplicate'])
    expect(await insert(received('c'), received('a'))).toEqual(['stored', 'duplicate'])
    expect(await insert(received('a', undefined, { connection_id: 'shop2' }))).toEqual(['stored'])
    expect(await count('inbox')).toBe(4)
    expect(await count('inbox_conflicts')).toBe(0)
  })

  test('flags another body under a known key, keeps its bytes once, and leaves the first as it was', async () => {
    await insert(received('a', '{"v":1}'))
    expect(await insert(received('a', '{"v":2}'))).toEqual(['conflict'])
    expect(await insert(received('a', '{"v":2}'), received('a', '{"v":1}'), received('a', '{"v":3}'))).toEqual([
      'conflict',
      'duplicate',
      'conflict',
    ])
    expect(await count('inbox_conflicts')).toBe(2)
    const [row] = await database.db.query<{ connection_id: string; dedupe_key: string; body: Buffer }>(
      'select connection_id, dedupe_key, body from inbox',
    )
    expect(readBody(vault, row!).toString()).toBe('{"v":1}')
  })

  test('seals bodies to their row', async () => {
    await insert(received('a', '{"name":"Jane"}'), received('b', '{}'))
    const rows = await database.db.query<{ connection_id: string; dedupe_key: string; body: Buffer }>(
      'select connection_id, dedupe_key, body from inbox order by dedupe_key',
    )
    expect(rows[0]!.body.includes('Jane')).toBe(false)
    expect(() => readBody(vault, { ...rows[0]!, body: rows[1]!.body })).toThrow(HubError)
    expect(() => readBody(vault, { ...rows[0]!, body: null })).toThrow(/erased/)
  })

  test('parks a row that arrives with its fault', async () => {
    await insert(
      received('row-7', 'null', {
        source: 'file',
        file_row: 7,
        fault: { code: 'file_invalid', message: 'no quantity', path: 'row 7' },
      }),
    )
    expect(await database.db.query('select state, cause_code, cause_path, file_row from inbox')).toEqual([
      { state: 'parked', cause_code: 'file_invalid', cause_path: 'row 7', file_row: 7 },
    ])
  })

  test('stores once what many deliver at once in any order', async () => {
    const keys = Array.from({ length: 40 }, (_, index) => `k${index}`)
    const outcomes = await Promise.all(
      Array.from({ length: 8 }, (_, round) => {
        const mixed = keys.toSorted(
          (a, b) =>
            ((a.length * 7 + round * 3 + a.charCodeAt(1)) % 5) - ((b.length * 7 + round * 3 + b.charCodeAt(1)) % 5),
        )
        return inTransaction(database.db, (tx) =>
          insertInbox(
            tx,
            mixed.map((key) => sealRow(vault, received(key))),
          ),
        )
      }),
    )
    expect(outcomes.flat().filter((outcome) => outcome === 'stored')).toHaveLength(40)
    expect(outcomes.flat().filter((outcome) => outcome === 'duplicate')).toHaveLength(280)
    expect(await count('inbox')).toBe(40)
  })
})

describe('intake', () => {
  const wakes: string[] = []
  const failures: string[] = []
  const open = (wake: (id: string) => Promise<void> = async (id) => void wakes.push(id)) =>
    createIntake({ db: database.db, vault, wake, onWakeFailed: (id) => failures.push(id) })
  beforeEach(() => {
    wakes.length = 0
    failures.length = 0
  })

  test('answers after the commit: what it called stored is in the table', async () => {
    const intake = open()
    const outcomes = await Promise.all(
      Array.from({ length: 1_200 }, async (_, index) => {
        const outcome = await intake.accept(received(`m${index}`))
        if (index % 100 === 0) {
          const [row] = await database.db.query(`select 1 from inbox where dedupe_key = $1`, [`m${index}`])
          expect(row).toBeDefined()
        }
        return outcome
      }),
    )
    expect(new Set(outcomes)).toEqual(new Set(['stored']))
    expect(await count('inbox')).toBe(1_200)
    expect(await intake.accept(received('m5'))).toBe('duplicate')
    expect(await intake.accept(received('m5', '{"other":1}'))).toBe('conflict')
    await intake.close()
  })

  test('wakes at once, then not more often than the pause, and never loses the last wake-up', async () => {
    const intake = open()
    const started = performance.now()
    for (let index = 0; index < 60; index += 1) await intake.accept(received(`w${index}`))
    const elapsed = performance.now() - started
    await intake.close()
    expect(wakes.length).toBeGreaterThanOrEqual(1)
    expect(wakes.length).toBeLessThanOrEqual(Math.ceil(elapsed / 25) + 2)
    wakes.length = 0
    const again = open()
    await Promise.all([
      again.accept(received('x1')),
      again.accept(received('y1', undefined, { connection_id: 'shop2' })),
    ])
    await again.accept(received('x2'))
    await again.close()
    expect(wakes.toSorted()).toEqual(['shop', 'shop', 'shop2'])
  })

  test('does not wake for duplicates, and outlives a queue that is down', async () => {
    const intake = open(() => Promise.reject(new Error('no queue')))
    expect(await intake.accept(received('a'))).toBe('stored')
    await intake.close()
    expect(failures).toEqual(['shop'])
    const quiet = open()
    expect(await quiet.accept(received('a'))).toBe('duplicate')
    await quiet.close()
    expect(wakes).toEqual([])
  })

  test('rejects only the message that the database refuses', async () => {
    const intake = open()
    const outcomes = await Promise.allSettled([
      intake.accept(received('ok1')),
      intake.accept(received('bad\u0000key')),
      intake.accept(received('ok2')),
      intake.accept(received('nobody', undefined, { connection_id: 'unknown' })),
    ])
    await intake.close()
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected'])
    expect(await count('inbox')).toBe(2)
  })

  test('refuses when too much waits, with a time to come again, and stores all it took', async () => {
    const intake = open()
    const outcomes = await Promise.allSettled(
      Array.from({ length: 7_000 }, (_, index) => intake.accept(received(`f${index}`))),
    )
    await intake.close()
    const refused = outcomes.filter((outcome) => outcome.status === 'rejected')
    expect(refused.length).toBeGreaterThan(500)
    expect(refused[0]!.reason).toMatchObject({ code: 'database_unavailable', http: 503, retry_after_ms: 1_000 })
    expect(await count('inbox')).toBe(7_000 - refused.length)
  })
})
