import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { migrate, migrationStatus } from '../../src/db/migrate.ts'
import { createEmptyDatabase, createTestDatabase, type TestDatabase } from '../kit/database.ts'

let database: TestDatabase
let directory: string
beforeEach(async () => {
  database = await createEmptyDatabase()
  directory = await mkdtemp(join(tmpdir(), 'crossdock-migrations-'))
  await file(
    '0001_first.sql',
    `create table first (id int, document jsonb); -- a question mark? and "quotes"
    insert into first values (1, '{"a": 1}'); create function asks() returns boolean language sql return '{"a": 1}'::jsonb ? 'a';`,
  )
  await file('0002_second.sql', 'alter table first add column added text;')
})
afterEach(async () => {
  await database.drop()
  await rm(directory, { recursive: true, force: true })
})

const file = (name: string, sql: string): Promise<void> => writeFile(join(directory, name), sql)

test('applies what is missing, in order, into the hub schema, and then has nothing to do', async () => {
  expect(await migrationStatus(database.url, { directory })).toEqual({
    current: null,
    pending: ['0001_first', '0002_second'],
    unknown: [],
  })
  expect(await migrate(database.url, { directory })).toEqual({
    applied: ['0001_first', '0002_second'],
    version: '0002_second',
  })
  expect(await database.db.query('select id, added, asks() as asks from crossdock.first')).toEqual([
    { id: 1, added: null, asks: true },
  ])
  expect(await migrate(database.url, { directory })).toEqual({ applied: [], version: '0002_second' })
  await file('0003_third.sql', 'create table third (id int);')
  expect(await migrate(database.url, { directory })).toEqual({ applied: ['0003_third'], version: '0003_third' })
  expect(await migrationStatus(database.url, { directory })).toEqual({
    current: '0003_third',
    pending: [],
    unknown: [],
  })
})

test('a file that fails leaves nothing of its run, and can be corrected and run again', async () => {
  await file('0003_broken.sql', 'create table third (id int); select 1 / 0;')
  await expect(migrate(database.url, { directory })).rejects.toThrow('migration 0003_broken failed: division by zero')
  expect(await database.db.query(`select to_regclass('crossdock.third') as third`)).toEqual([{ third: null }])
  expect(await migrationStatus(database.url, { directory })).toMatchObject({ current: null, pending: { length: 3 } })
  await file('0003_broken.sql', 'create table third (id int);')
  expect(await migrate(database.url, { directory })).toMatchObject({ version: '0003_broken', applied: { length: 3 } })
})

test('of four processes that start at once each migration is applied by one', async () => {
  const runs = await Promise.all([1, 2, 3, 4].map(() => migrate(database.url, { directory })))
  expect(runs.flatMap((run) => run.applied).toSorted()).toEqual(['0001_first', '0002_second'])
})

test('a lock row left by a killed process does not stop the next start', async () => {
  await migrate(database.url, { directory })
  await database.db.query('update crossdock.schema_migrations_lock set is_locked = 1')
  await file('0003_third.sql', 'create table third (id int);')
  expect(await migrate(database.url, { directory })).toMatchObject({ applied: ['0003_third'] })
})

test('a database newer than the code is refused untouched', async () => {
  await migrate(database.url, { directory })
  await rm(join(directory, '0002_second.sql'))
  await file('0003_third.sql', 'create table third (id int);')
  await expect(migrate(database.url, { directory })).rejects.toMatchObject({
    code: 'schema_newer_than_code',
    message: expect.stringContaining('0002_second'),
  })
  expect(await database.db.query(`select to_regclass('crossdock.third') as third`)).toEqual([{ third: null }])
})

test('misnamed and doubly numbered files are refused', async () => {
  await file('0002_twin.sql', 'select 1;')
  await expect(migrate(database.url, { directory })).rejects.toThrow('share the number 0002')
  await file('later.sql', 'select 1;')
  await expect(migrate(database.url, { directory })).rejects.toMatchObject({ hint: 'rename later.sql' })
})

test('the template database of the tests is at the newest version of the hub', async () => {
  const migrated = await createTestDatabase()
  expect(await migrationStatus(migrated.url)).toMatchObject({
    pending: [],
    unknown: [],
    current: expect.stringMatching(/^\d{4}_/),
  })
  await migrated.drop()
})
