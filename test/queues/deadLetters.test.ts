import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import {
  dropDeadLetters,
  openDeadLetters,
  reconcileDeadLetters,
  replayDeadLetters,
  type NewDeadLetter,
} from '../../src/queues/deadLetters.ts'
import { openQueues, type OpenQueues } from '../../src/queues/bull.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { testHub } from '../kit/testHub.ts'

const log = { info: () => undefined, warn: () => undefined, error: () => undefined }
let database: TestDatabase
let queues: OpenQueues
let hub: Hub

beforeAll(async () => {
  database = await createTestDatabase()
  queues = await openQueues({ database_url: database.url, redis_url: '', log })
  hub = testHub({ db: database.db, queues, connections: [] })
  await database.db.query(`insert into companies values ('acme', 'Acme')`)
  await database.db.query(
    `insert into connections (id, connector, company_id) values ('shop', 'test', 'acme'), ('depot', 'test', 'acme')`,
  )
})
afterAll(async () => {
  await queues.close()
  await database.drop()
})
beforeEach(() => database.db.query('truncate inbox, outbox, dead_letters cascade'))

async function parkedMessage(key: string): Promise<number> {
  const [row] = await database.db.query<{ id: number }>(
    `insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, attempts, cause_code)
     values ('shop', 'webhook', 'order', $1, '\\x00', now(), now(), now(), 'parked', 5, 'mapping_broken') returning id`,
    [key],
  )
  return row!.id
}
async function deadEffect(key: string): Promise<number> {
  const [row] = await database.db.query<{ id: number }>(
    `insert into outbox (connection_id, kind, key, reference, batch_key, state, attempts, unknown_outcome, next_attempt_at, created_at, error_code)
     values ('depot', 'fulfillment.new', $1, '{}', $1, 'dead', 10, true, now(), now(), 'vendor_timeout') returning id`,
    [key],
  )
  return row!.id
}
const letter = (source: 'inbox' | 'outbox', source_id: number, code = 'mapping_broken'): NewDeadLetter => ({
  connection_id: source === 'inbox' ? 'shop' : 'depot',
  source,
  source_id,
  kind: source === 'inbox' ? 'order' : 'fulfillment.new',
  code,
  detail: 'it broke',
})
const open = (...letters: NewDeadLetter[]): Promise<{ id: number; code: string }[]> =>
  inTransaction(database.db, (tx) => openDeadLetters(tx, letters, new Date('2026-03-01T00:00:00Z')))
const waiting = async (): Promise<number> => (await queues.counts())['dead-letter']['waiting'] ?? 0
const states = (table: 'inbox' | 'outbox'): Promise<object[]> =>
  database.db.query(`select state, attempts from ${table} order by id`)

test('a row has one open dead letter at most', async () => {
  const id = await parkedMessage('a')
  expect(await open(letter('inbox', id), letter('inbox', id))).toHaveLength(1)
  expect(await open(letter('inbox', id))).toEqual([])
})

describe('replay', () => {
  test('makes the rows due with all their attempts before them, and keeps what is known of the call', async () => {
    await open(letter('inbox', await parkedMessage('a')), letter('outbox', await deadEffect('f-1'), 'vendor_timeout'))
    expect(await replayDeadLetters(hub, {}, 'jo')).toEqual({ matched: 2, replayed: 2 })
    expect(await states('inbox')).toEqual([{ state: 'pending', attempts: 0 }])
    expect(await database.db.query('select state, attempts, batch_key, unknown_outcome from outbox')).toEqual([
      { state: 'pending', attempts: 0, batch_key: 'f-1', unknown_outcome: true },
    ])
    const [entry] = await database.db.query<{ actor: string; data: { count: number } }>(
      `select actor, data from audit_log where action = 'dead_letters.replay' order by id desc limit 1`,
    )
    expect(entry).toMatchObject({ actor: 'jo', data: { count: 2 } })
  })

  test('by many people at once replays each letter once', async () => {
    const ids = await Promise.all(Array.from({ length: 50 }, (_, index) => parkedMessage(`m${index}`)))
    await open(...ids.map((id) => letter('inbox', id)))
    const results = await Promise.all(['jo', 'al', 'kim', 'lee'].map((actor) => replayDeadLetters(hub, {}, actor)))
    expect(results.reduce((sum, result) => sum + result.replayed, 0)).toBe(50)
    expect(await replayDeadLetters(hub, {}, 'jo')).toEqual({ matched: 0, replayed: 0 })
    const [decided] = await database.db.query(
      `select count(*)::int as n, count(distinct decided_by)::int as by_one from dead_letters where state = 'replayed'`,
    )
    expect(decided).toMatchObject({ n: 50 })
  })

  test('obeys every part of its filter, and a dry run changes nothing', async () => {
    const [first] = await open(letter('inbox', await parkedMessage('a')))
    await open(
      letter('outbox', await deadEffect('f-1'), 'vendor_timeout'),
      letter('outbox', await deadEffect('f-2'), 'poison'),
    )
    expect(await replayDeadLetters(hub, { connection: 'depot' }, 'jo', { dry_run: true })).toEqual({
      matched: 2,
      replayed: 0,
    })
    expect(await replayDeadLetters(hub, { since: new Date('2026-03-02T00:00:00Z') }, 'jo')).toMatchObject({
      replayed: 0,
    })
    expect(await replayDeadLetters(hub, { kind: 'order', code: 'poison' }, 'jo')).toMatchObject({ replayed: 0 })
    expect(await replayDeadLetters(hub, { code: 'poison', kind: 'fulfillment.new' }, 'jo')).toMatchObject({
      replayed: 1,
    })
    expect(await replayDeadLetters(hub, { ids: [first!.id] }, 'jo')).toMatchObject({ replayed: 1 })
    expect(await states('outbox')).toEqual([
      { state: 'dead', attempts: 10 },
      { state: 'pending', attempts: 0 },
    ])
  })
})

test('drop gives rows up for good', async () => {
  await open(letter('inbox', await parkedMessage('a')), letter('outbox', await deadEffect('f-1')))
  expect(await dropDeadLetters(hub, {}, 'jo', { dry_run: true })).toEqual({ matched: 2, dropped: 0 })
  expect(await dropDeadLetters(hub, {}, 'jo')).toEqual({ matched: 2, dropped: 2 })
  expect(await states('inbox')).toMatchObject([{ state: 'dropped' }])
  expect(await states('outbox')).toMatchObject([{ state: 'cancelled' }])
  expect(await replayDeadLetters(hub, {}, 'jo')).toMatchObject({ replayed: 0 })
})

test('the board shows open letters, shows them again after a wipe, and no longer once they are decided', async () => {
  const letters = await open(letter('inbox', await parkedMessage('a')), letter('inbox', await parkedMessage('b')))
  expect(await reconcileDeadLetters(hub)).toBe(2)
  expect(await waiting()).toBe(2)
  expect(await reconcileDeadLetters(hub)).toBe(0)
  await database.db.query('truncate bullmq.job cascade')
  expect(await reconcileDeadLetters(hub)).toBe(2)
  await replayDeadLetters(hub, { ids: [letters[0]!.id] }, 'jo')
  expect(await waiting()).toBe(1)
})
