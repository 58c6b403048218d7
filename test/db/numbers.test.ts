import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { nextNumber } from '../../src/db/numbers.ts'
import { openDb, type Db } from '../../src/db/pool.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

let database: TestDatabase
let second: Db
beforeAll(async () => {
  database = await createTestDatabase()
  second = openDb({ url: database.url, pool_max: 10, application_name: 'second' })
  await database.db.query(`insert into companies (id, name) values ('c', 'C')`)
  await database.db.query(
    `insert into connections (id, connector, company_id) values ('partner', 'x', 'c'), ('other', 'x', 'c')`,
  )
})
afterAll(async () => {
  await second.close()
  await database.drop()
})
beforeEach(() => database.db.query('delete from numbers'))

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i + 1)

it('gives two processes that ask at once every number once, without a gap', async () => {
  const asked = upTo(100).map((n) => nextNumber(n % 2 === 0 ? database.db : second, 'partner', 'isa', `batch-${n}`))
  const given = await Promise.all(asked)
  expect(given.toSorted((a, b) => a - b)).toEqual(upTo(100))
})

it('gives a key the same number again, whoever asks and however often at once', async () => {
  const asked = upTo(90).map(async (n) => {
    const key = `batch-${n % 30}`
    return `${key} ${await nextNumber(n % 2 === 0 ? database.db : second, 'partner', 'isa', key)}`
  })
  const given = new Set(await Promise.all(asked))
  expect(given.size).toBe(30)
  expect([...given].map((text) => Number(text.split(' ')[1])).toSorted((a, b) => a - b)).toEqual(upTo(30))
  expect(await nextNumber(second, 'partner', 'isa', 'batch-31')).toBe(31)
})

it('counts each sequence of each connection by itself', async () => {
  const { db } = database
  expect(await nextNumber(db, 'partner', 'isa', 'a')).toBe(1)
  expect(await nextNumber(db, 'partner', 'gs', 'a')).toBe(1)
  expect(await nextNumber(db, 'other', 'isa', 'a')).toBe(1)
  expect(await nextNumber(db, 'partner', 'isa', 'b')).toBe(2)
})
