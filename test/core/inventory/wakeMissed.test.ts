import { afterAll, beforeAll, expect, test } from 'vitest'
import { wakeMissed } from '../../../src/core/inventory/wakeMissed.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from '../../kit/database.ts'

const NOW = new Date('2026-11-21T12:00:00Z')

let database: TestDatabase
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

test('a row whose cause was fixed unnoticed wakes; one that still waits, and one that was tried too often, do not', async () => {
  const { db } = database
  await db.query(`insert into companies (id, name) values ('acme', 'Acme')`)
  await db.query(`insert into connections (id, connector, company_id) values ('shop', 'corner', 'acme')`)
  await db.query(`insert into items (company_id, sku) values ('acme', 'TEA')`)
  await db.query(`insert into listings (connection_id, channel_sku) values ('shop', 'TEA'), ('shop', 'BARE')`)
  await db.query(
    `insert into listing_items (listing_id, item_id, quantity)
     select l.id, i.id, 1 from listings l join items i on i.sku = l.channel_sku`,
  )
  const park = (key: string, wake_key: string | null, attempts: number) =>
    db.query(
      `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, wake_key, attempts)
       values ('shop', 'webhook', 'order', $1, 'x', $2, $2, $2, 'parked', $3, $4)`,
      [key, NOW, wake_key, attempts],
    )
  await park('mapped', 'listing:shop:TEA', 1)
  await park('item', 'item:acme:TEA', 1)
  await park('unmapped', 'listing:shop:BARE', 1)
  await park('unknown', 'listing:shop:MUG', 1)
  await park('tired', 'listing:shop:TEA', 100)
  await park('for a person', null, 1)
  expect(await inTransaction(db, (tx) => wakeMissed(tx, NOW))).toBe(2)
  const woken = await db.query<{ dedupe_key: string }>(
    `select dedupe_key from inbox where state = 'pending' order by id`,
  )
  expect(woken.map((row) => row.dedupe_key)).toEqual(['mapped', 'item'])
  expect(await inTransaction(db, (tx) => wakeMissed(tx, NOW))).toBe(0)
})
