import { afterAll, beforeAll, expect, test } from 'vitest'
import { prune } from '../../src/db/prune.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

const NOW = new Date('2026-11-21T12:00:00Z')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test('old attempts and ended sessions go, the others stay, and a second run finds nothing', async () => {
  const { db } = database
  await db.query(`insert into companies (id, name) values ('acme', 'Acme')`)
  await db.query(`insert into connections (id, connector, company_id) values ('shop', 'corner', 'acme')`)
  for (const [subject, at] of [
    ['old', '2026-10-21T00:00:00Z'],
    ['young', '2026-11-01T00:00:00Z'],
  ]) {
    await db.query(
      `insert into attempts (connection_id, subject, operation, at, duration_ms, outcome) values ('shop', $1, 'push', $2, 1, 'done')`,
      [subject, at],
    )
  }
  await db.query(
    `insert into sessions (id, data, expires_at) values ('over', '{}', $1), ('live', '{}', $1::timestamptz + interval '1 s')`,
    [NOW],
  )
  expect(await prune(db, NOW)).toMatchObject({ attempts: 1, sessions: 1 })
  expect(await db.query('select subject from attempts')).toEqual([{ subject: 'young' }])
  expect(await db.query('select id from sessions')).toEqual([{ id: 'live' }])
  expect(await prune(db, NOW)).toMatchObject({ attempts: 0, sessions: 0 })
})

test('publications of a month ago and cases resolved long ago go; open cases stay', async () => {
  const { db } = database
  await db.query(
    `insert into publications (listing_id, connection_id, quantity, terms, at) values (1, 'shop', 5, '[]', '2026-10-01'), (1, 'shop', 6, '[]', $1)`,
    [NOW],
  )
  await db.query(
    `insert into cases (company_id, kind, subject, state, opened_at, seen_at, resolved_at) values
       ('acme', 'channel_drift', 'a', 'open', '2026-01-01', '2026-01-01', null),
       ('acme', 'channel_drift', 'b', 'resolved', '2026-01-01', '2026-01-01', '2026-01-02')`,
  )
  expect(await prune(db, NOW)).toMatchObject({ publications: 1, cases: 1 })
  expect(await db.query('select subject from cases')).toEqual([{ subject: 'a' }])
  expect(await db.query('select quantity from publications')).toEqual([{ quantity: 6 }])
})
