import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Type from 'typebox'
import { afterEach, beforeAll, beforeEach, afterAll, describe, expect, test } from 'vitest'
import { defineConnector, type FileRow } from '../../src/connectors/_kit/define.ts'
import { folderStore } from '../../src/connectors/_kit/files.ts'
import { HubError } from '../../src/core/errors.ts'
import type { Hub } from '../../src/hub.ts'
import { confirmFile, readFiles, rejectFile, type FilesResult } from '../../src/queues/fileReader.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import {
  rememberingQueues,
  seedConnections,
  testClock,
  testHub,
  type RememberingQueues,
  type TestClock,
  type TestConnection,
} from '../kit/testHub.ts'

/** `stock_<sequence>.txt`: a line per SKU (`SKU quantity`), then `END <lines>`. `part_…` names only what changed. */
const depot = defineConnector({
  id: 'depot',
  label: 'Depot',
  kind: '3pl',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
  files: {
    store: () => ({ kind: 'folder', root: '/' }),
    folders: () => ({ incoming: 'in', outgoing: 'out', processed: 'done', error: 'error', acknowledgements: 'ack' }),
    accepts: (name) => {
      const [, type, sequence] = /^(stock|part)_(\d+)(?:\w*)\.txt$/.exec(name) ?? []
      return type === undefined ? undefined : { type, sequence: sequence ?? null }
    },
    parse: ({ name, bytes }) => {
      const [, type = '', sequence = ''] = /^(stock|part)_(\d+)/.exec(name) ?? []
      const lines = bytes.toString().trimEnd().split('\n')
      const [, total] = /^END (\d+)$/.exec(lines.pop() ?? '') ?? []
      if (total === undefined)
        throw new HubError('file_invalid', 'the last line is not END', { path: `line ${lines.length + 1}` })
      if (Number(total) !== lines.length) {
        throw new HubError('control_total_mismatch', `END says ${total} lines, there are ${lines.length}`, {
          path: `line ${lines.length + 1}`,
        })
      }
      const rows = lines.map((line, index): FileRow => {
        const [sku = '', quantity = ''] = line.split(' ')
        const row = {
          row: index + 1,
          topic: 'stock',
          dedupe_key: `${type}:${sequence}:${index + 1}`,
          payload: { sku, quantity },
        }
        return /^\d+$/.test(quantity)
          ? row
          : { ...row, fault: { code: 'file_invalid', message: 'quantity is not a number', path: `row ${index + 1}` } }
      })
      return {
        type,
        sequence,
        as_of: '2026-03-01T00:00:00.000Z',
        scope: type === 'stock' ? 'full' : 'partial',
        rows,
        totals: { lines: rows.length },
      }
    },
    acknowledgement: (file, result) => ({
      name: `${file.type}_${file.sequence ?? ''}.ack`,
      bytes: Buffer.from(`${result.accepted} ${result.rejected.map((row) => row.row).join(',')}`),
    }),
    shrink_max: () => 0.3,
  },
})

let database: TestDatabase
let root: string
let hub: Hub
let clock: TestClock
let queues: RememberingQueues

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.db.query('truncate inbox, inbound_files, inbox_conflicts cascade')
  root = await mkdtemp(join(tmpdir(), 'crossdock-files-'))
  for (const folder of ['in', 'out', 'done', 'error', 'ack']) await mkdir(join(root, folder))
  clock = testClock()
  queues = rememberingQueues()
  const connection: TestConnection = { id: 'depot-1', connector: depot, files: folderStore(root) }
  hub = testHub({ db: database.db, queues, connections: [connection], clock })
  await seedConnections(database.db, [connection])
})
afterEach(() => rm(root, { recursive: true, force: true }))

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
const read = (pause = 20): Promise<FilesResult> =>
  readFiles(hub, hub.connections.get('depot-1')!, reporter, { look_pause_ms: pause })
const drop = (name: string, ...lines: string[]): Promise<void> =>
  writeFile(join(root, 'in', name), [...lines, `END ${lines.length}`, ''].join('\n'))
const tree = async (folder: string): Promise<string[]> =>
  (await readdir(join(root, folder), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
    .toSorted()
const fileRows = (): Promise<object[]> =>
  database.db.query('select name, state, rows, error_code from inbound_files order by id')
const inboxStates = (): Promise<object[]> =>
  database.db.query('select dedupe_key, state, file_row from inbox order by id')
const processed = (name: string): string => {
  const now = clock.now()
  return `done/${now.getUTCFullYear()}/${String(now.getUTCMonth() + 1).padStart(2, '0')}/${name}`
}

describe('a whole file', () => {
  test('enters the inbox with all its rows, is acknowledged and lies where people look for it', async () => {
    await drop('stock_1.txt', 'TENT 5', 'MAT x', 'LAMP 2')
    expect(await read()).toEqual({ read: 1, rejected: 0, held: 0, duplicates: 0, rows: 3 })
    expect(await fileRows()).toEqual([{ name: 'stock_1.txt', state: 'applied', rows: 3, error_code: null }])
    expect(await inboxStates()).toEqual([
      { dedupe_key: 'stock:1:1', state: 'pending', file_row: 1 },
      { dedupe_key: 'stock:1:2', state: 'parked', file_row: 2 },
      { dedupe_key: 'stock:1:3', state: 'pending', file_row: 3 },
    ])
    expect(await tree('.')).toEqual(['ack/stock_1.ack', processed('stock_1.txt')])
    expect(await readFile(join(root, 'ack/stock_1.ack'), 'utf8')).toBe('2 2')
    expect(queues.added).toMatchObject([{ queue: 'intake', name: 'drain', data: { connection_id: 'depot-1' } }])
  })

  test('is taken once by two readers', async () => {
    for (let n = 1; n <= 10; n += 1) await drop(`part_${n}.txt`, `TENT ${n}`)
    const results = await Promise.all([read(), read()])
    expect(results[0].read + results[1].read).toBe(10)
    expect(await inboxStates()).toHaveLength(10)
    expect(await tree('in')).toEqual([])
  })

  test('that comes again is known by its bytes, and acknowledged again', async () => {
    await drop('stock_1.txt', 'TENT 5')
    await read()
    await rm(join(root, 'ack/stock_1.ack'))
    await drop('stock_1.txt', 'TENT 5')
    expect(await read()).toMatchObject({ read: 0, duplicates: 1 })
    expect(await inboxStates()).toHaveLength(1)
    expect(await tree('ack')).toEqual(['ack/stock_1.ack'])
    expect(await tree('done')).toHaveLength(2)
  })

  test('with the bytes of an earlier one and a sequence of its own is another file', async () => {
    for (const [index, quantity] of [5, 4, 5].entries()) {
      await drop(`stock_${index + 1}.txt`, `TENT ${quantity}`)
      expect(await read()).toMatchObject({ read: 1, duplicates: 0 })
    }
    expect(await inboxStates()).toHaveLength(3)
  })

  test('with a sequence that another file had is refused with a note', async () => {
    await drop('stock_1.txt', 'TENT 5')
    await read()
    await drop('stock_1b.txt', 'TENT 50')
    expect(await read()).toMatchObject({ read: 0, duplicates: 1 })
    expect(await inboxStates()).toHaveLength(1)
    expect(await tree('error')).toEqual(['error/stock_1b.txt', 'error/stock_1b.txt.err'])
    expect(await fileRows()).toMatchObject([{ state: 'applied' }, { state: 'duplicate', name: 'stock_1b.txt' }])
  })
})

test('what is not whole or not ours is left alone', async () => {
  await drop('stock_1.txt.tmp', 'TENT 5')
  await drop('.stock_2.txt', 'TENT 5')
  await drop('readme.md', 'TENT 5')
  await writeFile(join(root, 'in/stock_3.txt'), '')
  await writeFile(join(root, 'in/stock_4.txt'), 'TENT 5\n')
  const reading = read(150)
  await sleep(50)
  await appendFile(join(root, 'in/stock_4.txt'), 'MAT 1\n')
  expect(await reading).toEqual({ read: 0, rejected: 0, held: 0, duplicates: 0, rows: 0 })
  expect(await tree('in')).toHaveLength(5)
  await appendFile(join(root, 'in/stock_4.txt'), 'END 2\n')
  expect(await read()).toMatchObject({ read: 1, rows: 2 })
})

test('a file that cannot be trusted is refused whole, with a note that says what, where and what to do', async () => {
  await writeFile(join(root, 'in/stock_1.txt'), 'TENT 5\nMAT 1\nEND 3\n')
  expect(await read()).toMatchObject({ read: 0, rejected: 1 })
  expect(await inboxStates()).toEqual([])
  expect(await fileRows()).toMatchObject([{ state: 'rejected', error_code: 'control_total_mismatch' }])
  const note = await readFile(join(root, 'error/stock_1.txt.err'), 'utf8')
  expect(note).toMatch(/What: +END says 3 lines, there are 2/)
  expect(note).toMatch(/Where: +line 3/)
  expect(note).toMatch(/What to do: +\S/)
  expect(await tree('in')).toEqual([])
  // Wrong again under the same name: what lies there already is kept.
  await writeFile(join(root, 'in/stock_1.txt'), 'TENT 5\nEND 9\n')
  expect(await read()).toMatchObject({ read: 0, rejected: 1 })
  expect(await tree('error')).toHaveLength(4)
  // The same sequence, corrected.
  await drop('stock_1.txt', 'TENT 5', 'MAT 1')
  expect(await read()).toMatchObject({ read: 1, rows: 2 })
})

describe('a full file that has shrunk', () => {
  const full = (lines: number): string[] => Array.from({ length: lines }, (_, index) => `SKU${index} 1`)
  beforeEach(async () => {
    await drop('stock_1.txt', ...full(10))
    await read()
    await drop('stock_2.txt', ...full(6))
    await read()
  })
  const heldId = async (): Promise<number> => {
    const [row] = await database.db.query<{ id: number }>(`select id from inbound_files where name = 'stock_2.txt'`)
    return row!.id
  }

  test('is held, and applied once somebody confirms it', async () => {
    expect(await fileRows()).toMatchObject([{ state: 'applied' }, { state: 'held', error_code: 'snapshot_shrank' }])
    expect(await inboxStates()).toHaveLength(10)
    expect(await tree('done/held')).toEqual(['done/held/stock_2.txt'])
    const id = await heldId()
    const both = await Promise.allSettled([confirmFile(hub, id, 'jo'), confirmFile(hub, id, 'al')])
    expect(both.map((one) => one.status).toSorted()).toEqual(['fulfilled', 'rejected'])
    expect(both.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'conflict' } })
    expect(await inboxStates()).toHaveLength(16)
    expect(await readFile(join(root, 'ack/stock_2.ack'), 'utf8')).toBe('6 ')
    expect(
      await database.db.query(`select actor from audit_log where action = 'file.confirm' and subject = $1`, [
        `file:${id}`,
      ]),
    ).toHaveLength(1)
    expect(await database.db.query('select state, body from inbound_files where id = $1', [id])).toEqual([
      { state: 'applied', body: null },
    ])
    // The next one is measured by it.
    await drop('stock_3.txt', ...full(5))
    expect(await read()).toMatchObject({ read: 1 })
  })

  test('is forgotten once somebody rejects it, and stays rejected when it comes again', async () => {
    await rejectFile(hub, await heldId(), 'jo')
    await rename(join(root, 'done/held/stock_2.txt'), join(root, 'in/stock_2.txt'))
    expect(await read()).toMatchObject({ read: 0, duplicates: 1 })
    expect(await inboxStates()).toHaveLength(10)
    await expect(confirmFile(hub, await heldId(), 'jo')).rejects.toMatchObject({ code: 'conflict' })
    await expect(confirmFile(hub, 999_999, 'jo')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('a partial file may be as short as it likes', async () => {
    await drop('part_1.txt', ...full(10))
    await drop('part_2.txt', 'TENT 1')
    expect(await read()).toMatchObject({ read: 2, held: 0 })
  })
})

describe('after a crash', () => {
  const processing = (name: string): string => join(root, 'in/.processing', `${clock.now().getTime()}.${name}`)

  test('before the commit, the claimed file is read when its claim has run out', async () => {
    await drop('stock_1.txt', 'TENT 5')
    await mkdir(join(root, 'in/.processing'))
    await rename(join(root, 'in/stock_1.txt'), processing('stock_1.txt'))
    expect(await read()).toMatchObject({ read: 0 })
    clock.forward(3 * 60_000)
    expect(await read()).toMatchObject({ read: 1, rows: 1 })
    expect(await tree('in')).toEqual([])
  })

  test('what came later waits for what a dead reader had claimed, so that words stay in their order', async () => {
    await mkdir(join(root, 'in/.processing'))
    await drop('part_1.txt', 'TENT 5')
    await rename(join(root, 'in/part_1.txt'), processing('part_1.txt'))
    await drop('part_2.txt', 'TENT 4')
    expect(await read()).toMatchObject({ read: 0 })
    expect(await tree('in')).toContain('in/part_2.txt')
    clock.forward(3 * 60_000)
    expect(await read()).toMatchObject({ read: 2 })
    expect(await fileRows()).toMatchObject([{ name: 'part_1.txt' }, { name: 'part_2.txt' }])
  })

  test('after the commit, the move and the acknowledgement are made up for and nothing is applied twice', async () => {
    await drop('stock_1.txt', 'TENT 5')
    await read()
    await rename(join(root, processed('stock_1.txt')), processing('stock_1.txt'))
    await rm(join(root, 'ack/stock_1.ack'))
    clock.forward(3 * 60_000)
    expect(await read()).toMatchObject({ read: 0, duplicates: 1 })
    expect(await inboxStates()).toHaveLength(1)
    expect((await stat(join(root, 'ack/stock_1.ack'))).size).toBeGreaterThan(0)
    expect(await tree('in')).toEqual([])
  })
})
