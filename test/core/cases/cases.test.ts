import { afterAll, beforeAll, expect, test } from 'vitest'
import { closeCases, listCases, openCases, resolveCase } from '../../../src/core/cases/cases.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../../kit/database.ts'

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

const at = (minutes: number): Date => new Date(Date.parse('2026-03-01T08:00:00Z') + minutes * 60_000)
const drift = (subject: string, shown: number) =>
  ({ company_id: 'acme', kind: 'channel_drift', subject, connection_id: 'mall', data: { shown } }) as const
const open = (minutes: number, ...cases: ReturnType<typeof drift>[]) =>
  inTransaction(database.db, (tx) => openCases(tx, cases, at(minutes)))

test('one case is open for a subject however often it is seen, and a new one once it was resolved', async () => {
  const { db } = database
  await open(0, drift('listing:1', 5), drift('listing:2', 7))
  await open(1, drift('listing:1', 4))
  const first = (await listCases(db, { kind: 'channel_drift' })).rows.find((row) => row.subject === 'listing:1')
  expect(first).toMatchObject({
    times: 2,
    data: { shown: 4 },
    opened_at: at(0).toISOString(),
    seen_at: at(1).toISOString(),
  })
  const resolve = () => inTransaction(db, (tx) => resolveCase(tx, first!.id, 'user:anna', at(2)))
  expect([await resolve(), await resolve()]).toEqual([{ isNew: true }, { isNew: false }])
  expect((await listCases(db, { state: 'resolved' })).rows).toMatchObject([{ id: first!.id, resolved_by: 'user:anna' }])
  await open(3, drift('listing:1', 3))
  expect((await listCases(db, { state: 'open', connection: 'mall' })).rows).toMatchObject([
    { subject: 'listing:1', times: 1 },
    { subject: 'listing:2' },
  ])
  const gone = { kind: 'channel_drift', subjects: ['listing:1', 'listing:9'] } as const
  expect(await inTransaction(db, (tx) => closeCases(tx, gone, 'hub', at(4)))).toBe(1)
  await expect(inTransaction(db, (tx) => resolveCase(tx, 999, 'user:anna', at(2)))).rejects.toMatchObject({
    code: 'not_found',
  })
  const page = await listCases(db, { limit: 2 })
  expect(page.rows.map((row) => row.subject)).toEqual(['listing:1', 'listing:2'])
  expect((await listCases(db, { limit: 2, cursor: page.next_cursor! })).rows.map((row) => row.id)).toEqual([first!.id])
})
