import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import { folderStore } from '../../src/connectors/_kit/files.ts'
import { filedrop } from '../../src/connectors/filedrop/index.ts'
import { verify } from '../../src/core/verify.ts'
import type { Hub } from '../../src/hub.ts'
import { drainConnection } from '../../src/queues/drain.ts'
import { confirmFile, readFiles } from '../../src/queues/fileReader.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testHub } from '../kit/testHub.ts'

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
let database: TestDatabase
let root: string
let hub: Hub

beforeEach(async () => {
  database = await createTestDatabase()
  root = await mkdtemp(join(tmpdir(), 'crossdock-absent-'))
  setUp({ full_replaces: true })
  await seedConnections(database.db, [...hub.connections.values()])
  await database.db.query(`update locations set connection_id = 'depot-1', external_code = 'B1' where id = 'berlin'`)
  await database.db.query(`insert into items (company_id, sku) select 'acme', 'S' || n from generate_series(1, 10) n`)
  return async () => {
    await database.drop()
    await rm(root, { recursive: true, force: true })
  }
})

function setUp(change: Record<string, unknown>): void {
  const settings = { partner: 'depot', transport: { kind: 'folder', root }, ...change }
  const connection = { id: 'depot-1', connector: filedrop, settings, files: folderStore(root) }
  hub = testHub({ db: database.db, queues: rememberingQueues(), connections: [connection] })
}

let sequence = 0
/** Reads and applies one file of these `SKU on_hand` rows. */
async function read(type: 'stock_full' | 'stock_part', units: Record<string, number | string>): Promise<number> {
  sequence += 1
  await mkdir(join(root, 'incoming'), { recursive: true })
  const as_of = `2026-03-01T${String(sequence).padStart(2, '0')}:00:00Z`
  const rows = Object.entries(units).map(([sku, on_hand]) => `B1,${as_of},${sku},${on_hand}`)
  const sum = Object.values(units).reduce<number>((total, on_hand) => total + (Number(on_hand) || 0), 0)
  const text = ['location_code,as_of,sku,on_hand', ...rows, `TRAILER,${rows.length},${sum}`].join('\n')
  const name = `${type}_depot_20260301T${String(sequence).padStart(2, '0')}0000_${sequence}.csv`
  await writeFile(join(root, 'incoming', name), `${text}\n`)
  const result = await readFiles(hub, hub.connections.get('depot-1')!, reporter, { look_pause_ms: 5 })
  await drainConnection(hub, 'depot-1', reporter)
  return result.read
}

async function onHand(): Promise<Record<string, number>> {
  const rows = await database.db.query<{ sku: string; on_hand: number }>(
    'select i.sku, s.on_hand from stock s join items i on i.id = s.item_id order by i.id',
  )
  return Object.fromEntries(rows.map((row) => [row.sku, row.on_hand]))
}

test('what a full file leaves out is gone, once, and only where there was any', async () => {
  expect(await read('stock_full', { S1: 5, S2: 6, S3: 7, S4: 0 })).toBe(1)
  expect(await read('stock_full', { S1: 4, S2: 6, S5: 1 })).toBe(1)
  expect(await onHand()).toEqual({ S1: 4, S2: 6, S3: 0, S4: 0, S5: 1 })
  const rows = await database.db.query<{ state: string; outcome: string; file_id: number | null }>(
    `select state, outcome, file_id from inbox where topic = 'hub.absent'`,
  )
  expect(rows).toEqual([{ state: 'done', outcome: 'counted 1 of 1 items', file_id: expect.any(Number) }])
  const moves = await database.db.query<{ to_state: string; quantity: number }>(
    `select l.to_state, l.quantity from stock_ledger l join items i on i.id = l.item_id where i.sku = 'S3' order by l.id`,
  )
  expect(moves).toEqual([
    { to_state: 'available', quantity: 7 },
    { to_state: 'outside', quantity: 7 },
  ])
  await read('stock_part', { S1: 3 })
  expect(await onHand()).toMatchObject({ S1: 3, S2: 6, S5: 1 })
  expect((await verify(database.db)).ok).toBe(true)
})

test('a full file with a row that cannot be read says nothing by silence', async () => {
  await read('stock_full', { S1: 5, S2: 6, S3: 7 })
  await read('stock_full', { S1: 4, S2: 'many', S4: 1 })
  expect(await onHand()).toEqual({ S1: 4, S2: 6, S3: 7, S4: 1 })
})

test('without the setting what is left out keeps its number', async () => {
  setUp({})
  await read('stock_full', { S1: 5, S2: 6, S3: 7, S4: 8 })
  expect(await read('stock_full', { S1: 4, S3: 7, S4: 8 })).toBe(1)
  expect(await onHand()).toEqual({ S1: 4, S2: 6, S3: 7, S4: 8 })
})

test('a shrunken file is held by the rows that the sender counted, and empties the rest only once it is confirmed', async () => {
  const all = Object.fromEntries(Array.from({ length: 10 }, (_, index) => [`S${index + 1}`, 2]))
  await read('stock_full', all)
  expect(await read('stock_full', { S1: 2, S2: 2 })).toBe(0)
  expect(await onHand()).toEqual(all)
  const [held] = await database.db.query<{ id: number }>(`select id from inbound_files where state = 'held'`)
  await confirmFile(hub, held!.id, 'ada')
  await drainConnection(hub, 'depot-1', reporter)
  expect(Object.entries(await onHand()).filter(([, units]) => units > 0)).toEqual([['S1', 2], ['S2', 2]]) // prettier-ignore
})
