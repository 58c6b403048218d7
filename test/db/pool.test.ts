import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { constraintOf, openDb, openSession, rawPool, sqlState } from '../../src/db/pool.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase({ pool_max: 4 })
})
afterAll(() => database.drop())

const codeOf = (thrown: unknown): string | undefined => (thrown instanceof HubError ? thrown.code : undefined)
const caught = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )

describe('values', () => {
  test('arrive in the types that the hub computes with', async () => {
    const [row] = await database.db
      .query(`select 9007199254740991::bigint as whole, array[1, null, 3]::bigint[] as wholes, array['2026-02-28']::date[] as days,
      1.10::numeric as exact, date '2026-02-28' as day, timestamptz '2026-02-28 23:30:00+02' as instant, '\\x00ff'::bytea as bytes,
      timestamp '2026-02-28 23:30:00' as local, '{"a": [1]}'::jsonb as document`)
    expect(row).toEqual({
      whole: 9_007_199_254_740_991,
      wholes: [1, null, 3],
      days: ['2026-02-28'],
      exact: '1.10',
      day: '2026-02-28',
      instant: new Date('2026-02-28T21:30:00Z'),
      bytes: Buffer.from([0, 255]),
      local: '2026-02-28 23:30:00',
      document: { a: [1] },
    })
  })

  test('a bigint that a JS number cannot hold fails the query and leaves the connection usable', async () => {
    for (const value of ['9007199254740993', '-9007199254740993']) {
      expect(codeOf(await caught(database.db.query(`select ${value}::bigint as whole`)))).toBe('invariant_broken')
    }
    expect(await database.db.query('select 1 as one')).toEqual([{ one: 1 }])
  })

  test('arrays arrive at the server as they were given', async () => {
    const texts = [
      'plain',
      '',
      'NULL',
      null,
      'a "quoted" \\ word',
      '{a,b}',
      'new\nline',
      "o'clock",
      ' spaced ',
      'größer',
    ]
    const numbers = [1, -2, null, 0]
    const bytes = [Buffer.from([0, 255, 92, 34]), null, Buffer.alloc(0)]
    const days = [new Date('2026-02-28T21:30:00Z')]
    const documents = [JSON.stringify({ a: 'say "b"', c: [1, null] })]
    const [row] = await database.db.query(
      `select $1::text[] as texts, $2::int[] as numbers, $3::boolean[] as flags, $4::bytea[] as bytes, $5::timestamptz[] as days,
         $6::jsonb[] as documents, $7::text[] as nothing, $8::float8[] as fractions`,
      [texts, numbers, [true, false, null], bytes, days, documents, [], [0.1, 1e21]],
    )
    expect(row).toEqual({
      texts,
      numbers,
      flags: [true, false, null],
      bytes,
      days,
      documents: [{ a: 'say "b"', c: [1, null] }],
      nothing: [],
      fractions: [0.1, 1e21],
    })
  })

  test('several statements in one text answer with the rows of the last', async () => {
    expect(await database.db.query('select 1 as a; select n from generate_series(1, 3) n')).toEqual([
      { n: 1 },
      { n: 2 },
      { n: 3 },
    ])
  })
})

test('the search path is the hub schema first', async () => {
  expect(await database.db.query('show search_path')).toEqual([{ search_path: 'crossdock,public' }])
  const pool = rawPool({ url: database.url, pool_max: 1, application_name: 'raw', search_path: 'bullmq' })
  try {
    const raw = await pool.query<{ search_path: string }>('show search_path')
    expect(raw.rows).toEqual([{ search_path: 'bullmq' }])
    expect(pool.getMaxListeners()).toBe(0)
  } finally {
    await pool.end()
  }
})

test('a text with parameters that comes back is prepared once by name; one without parameters never is', async () => {
  const prepared = (sql: string): Promise<{ statement: string }[]> =>
    database.db.withClient((client) =>
      client.query<{ statement: string }>(`select statement from pg_prepared_statements where statement = '${sql}'`),
    )
  const db = database.db
  await db.withClient(async (client) => {
    for (let use = 0; use < 3; use += 1) await client.query('select $1::int as hot', [use])
  })
  expect(await prepared('select $1::int as hot')).toEqual([])
  await db.withClient(async (client) => {
    for (let use = 0; use < 10; use += 1)
      expect(await client.query('select $1::int as hot', [use])).toEqual([{ hot: use }])
  })
  expect(await prepared('select $1::int as hot')).toHaveLength(1)
  for (let use = 0; use < 10; use += 1) await db.query('select 7 as cold')
  expect(await prepared('select 7 as cold')).toEqual([])
})

describe('faults', () => {
  test('of a statement keep their SQLSTATE and constraint and lose the text that quotes rows', async () => {
    const db = database.db
    await db.query('create table planted (email text constraint one_email unique)')
    await db.query('insert into planted values ($1)', ['jane@example.org'])
    const thrown = await caught(db.query('insert into planted values ($1)', ['jane@example.org']))
    expect([sqlState(thrown), constraintOf(thrown)]).toEqual(['23505', 'one_email'])
    expect(JSON.stringify([thrown, String(thrown)])).not.toContain('jane')
  })

  test('of a server that is not there are database_unavailable', async () => {
    const db = openDb({ url: 'postgres://u:p@127.0.0.1:1/none', pool_max: 1, application_name: 'test' })
    const thrown = await caught(db.query('select 1'))
    expect(codeOf(thrown)).toBe('database_unavailable')
    expect(String(thrown)).not.toContain('u:p')
    await db.close()
  })

  test('of a connection that is cut in the middle are database_unavailable, and the next query gets a new one', async () => {
    const db = openDb({ url: database.url, pool_max: 1, application_name: 'victim' })
    const admin = await openSession({ url: database.url, application_name: 'assassin' })
    const sleeping = caught(db.query('select pg_sleep(30)'))
    const kill = `select count(pg_terminate_backend(pid)) as killed from pg_stat_activity where application_name = 'victim' and state = 'active'`
    await expect.poll(async () => (await admin.query(kill))[0]).toEqual({ killed: 1 })
    expect(codeOf(await sleeping)).toBe('database_unavailable')
    expect(await db.query('select 1 as one')).toEqual([{ one: 1 }])

    // Idle this time: the pool hears of it by itself and nothing crashes.
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'victim'`)
    await expect.poll(async () => (await caught(db.query('select 1'))) === undefined).toBe(true)
    await admin.close()
    await db.close()
  })

  test('of a statement that runs too long end it on the server', async () => {
    const db = openDb({ url: database.url, pool_max: 1, application_name: 'slow', statement_timeout_ms: 50 })
    expect(sqlState(await caught(db.query('select pg_sleep(30)')))).toBe('57014')
    await db.close()
  })
})
