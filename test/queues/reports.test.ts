import { createHash } from 'node:crypto'
import Type from 'typebox'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { defineConnector, type Report, type ReportPage, type ReportRequest } from '../../src/connectors/_kit/define.ts'
import { HubError } from '../../src/core/errors.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { genericCsv } from '../../src/mappings/csv/settlement.ts'
import { defineMapping } from '../../src/mappings/define.ts'
import { applyRows, claimDueRows } from '../../src/queues/drainBatch.ts'
import { confirmFile, rejectFile } from '../../src/queues/fileRows.ts'
import { pullStream } from '../../src/queues/pull.ts'
import { schedulesOf } from '../../src/queues/sweep.ts'
import { insertInbox, sealRow } from '../../src/db/inbox.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testHub } from '../kit/testHub.ts'

const PAYOUT = ['id,payout,currency,type,date,net', '1,P1,EUR,sale,2026-10-01,20.00', '2,P1,EUR,sale,2026-10-02,10.00', '3,P1,EUR,payout,2026-10-03,-30.00', ''].join('\n') // prettier-ignore

const vendor = {
  listed: [] as string[],
  files: new Map<string, Buffer | HubError>(),
  read: [] as string[],
  asked: [] as ReportRequest[],
}

async function* reports(_port: unknown, request: ReportRequest): AsyncGenerator<ReportPage> {
  vendor.asked.push(request)
  yield { reports: [...request.announced, ...vendor.listed].map(reportOf), cursor: String(vendor.asked.length) }
}

const reportOf = (reference: string): Report => ({
  reference,
  name: `${reference}.csv`,
  read: async () => {
    vendor.read.push(reference)
    const file = vendor.files.get(reference) ?? new HubError('vendor_not_found', 'no such report')
    if (file instanceof HubError) throw file
    return file
  },
})

const gateway = defineConnector({
  id: 'gateway',
  label: 'Gateway',
  kind: 'gateway',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {
    report_ready: defineMapping({
      from: Type.Object({ name: Type.String() }),
      map: ({ name }) => [{ kind: 'signal', document: { stream: 'reports', reference: name } }],
    }),
  },
  settlements: { formats: [genericCsv], reports },
})
const columns: Record<string, string> = {
  id: 'id',
  type: 'type',
  date: 'date',
  currency: 'currency',
  net: 'net',
  payout: 'payout',
}
const settlement_files = { columns, kinds: { sale: 'sale' }, payout_types: ['payout'] }
const connections = [{ id: 'gateway-1', connector: gateway, settings: { settlement_files } }]

let database: TestDatabase
let hub: Hub

beforeAll(async () => {
  database = await createTestDatabase()
  await seedConnections(database.db, connections)
  hub = testHub({ db: database.db, queues: rememberingQueues(), connections })
})
afterAll(() => database.drop())
beforeEach(async () => {
  Object.assign(vendor, { listed: [], files: new Map(), read: [], asked: [] })
  await database.db.query(
    'truncate reports, inbound_files, settlements, cases, cursors, inbox, attempts, dead_letters cascade',
  )
})

const pull = (): Promise<string> =>
  pullStream(hub, 'gateway-1', 'reports', {
    log: () => undefined,
    progress: () => undefined,
    signal: new AbortController().signal,
  })
const states = async (): Promise<string[]> =>
  (await database.db.query<{ row: string }>(`select reference || ' ' || state || ' ' || attempts as row from reports order by id`)).map(({ row }) => row) // prettier-ignore
const count = async (table: string): Promise<number> =>
  (await database.db.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n ?? -1
const openCases = () => database.db.query<{ subject: string; data: Record<string, unknown> }>(`select subject, data from cases where state = 'open'`) // prettier-ignore

describe('a report that a list shows', () => {
  test('is read like a file that a person brings, and once', async () => {
    vendor.listed = ['r1']
    vendor.files.set('r1', Buffer.from(PAYOUT))
    expect(await pull()).toBe('pulled 1 reports, 1 read, 0 seen before, 0 held, of gateway-1')
    expect(await database.db.query('select external_id, proof, source, difference_minor from settlements')).toEqual([
      { external_id: 'P1', proof: 'proven', source: 'file', difference_minor: 0 },
    ])
    const [file] = await database.db.query<{ name: string; sha256: Buffer; state: string; kept: boolean }>(
      'select name, sha256, state, body is not null as kept from inbound_files',
    )
    expect(file).toMatchObject({ name: 'r1.csv', state: 'applied', kept: true })
    expect(file?.sha256).toEqual(createHash('sha256').update(PAYOUT).digest())
    expect(await pull()).toBe('pulled 1 reports, 0 read, 0 seen before, 0 held, of gateway-1')
    expect(vendor.read).toEqual(['r1'])
    expect(vendor.asked.map(({ cursor, announced }) => [cursor, announced])).toEqual([
      [null, []],
      ['1', []],
    ])
  })

  test('with bytes that are known under another name changes nothing', async () => {
    vendor.listed = ['r1', 'r2']
    vendor.files.set('r1', Buffer.from(PAYOUT)).set('r2', Buffer.from(PAYOUT))
    expect(await pull()).toContain('1 read, 1 seen before')
    expect([await count('inbound_files'), await count('settlement_lines')]).toEqual([1, 2])
    expect(await states()).toEqual(['r1 fetched 0', 'r2 fetched 0'])
  })

  test('is asked for again when it is late, and not forgotten although the list has moved on', async () => {
    vendor.listed = ['r1', 'r2']
    vendor.files.set('r2', Buffer.from(PAYOUT))
    expect(await pull()).toContain('2 reports, 1 read')
    expect(await states()).toEqual(['r1 announced 1', 'r2 fetched 0'])
    vendor.listed = []
    vendor.files.set('r1', Buffer.from(PAYOUT.replaceAll('P1', 'P0')))
    expect(await pull()).toContain('1 reports, 1 read')
    expect(await states()).toEqual(['r1 fetched 1', 'r2 fetched 0'])
  })

  test('that never comes is given to a person after five tries; the others went on', async () => {
    vendor.listed = ['r1']
    for (let round = 0; round < 6; round += 1) await pull()
    expect(vendor.read).toHaveLength(5)
    expect(await states()).toEqual(['r1 held 5'])
    expect(await openCases()).toMatchObject([
      { subject: 'report:gateway-1:r1', data: { report: 'r1.csv', file_id: null, code: 'vendor_not_found' } },
    ])
  })

  test('ends the run where the connection is the trouble, and costs no try', async () => {
    vendor.listed = ['r1', 'r2']
    vendor.files.set('r1', new HubError('vendor_throttled', 'slow down', { retry_after_ms: 30_000 }))
    expect(await pull()).toContain('asks to wait 30000 ms')
    expect(await states()).toEqual(['r1 announced 0', 'r2 announced 0'])
    expect(vendor.read).toEqual(['r1'])
  })
})

describe('a report that cannot be read', () => {
  test('is kept with its bytes, held as a case, and read after all once somebody confirms it', async () => {
    vendor.listed = ['r1']
    const unreadable = PAYOUT.replace('id,payout', 'Zeile,payout')
    vendor.files.set('r1', Buffer.from(unreadable))
    expect(await pull()).toContain('0 read, 0 seen before, 1 held')
    const [file] = await database.db.query<{ id: number; state: string; error_code: string; kept: boolean }>(
      'select id, state, error_code, body is not null as kept from inbound_files',
    )
    expect(file).toMatchObject({ state: 'held', error_code: 'file_invalid', kept: true })
    expect(await openCases()).toMatchObject([{ data: { file_id: file?.id, code: 'file_invalid' } }])
    await pull()
    expect(vendor.read).toEqual(['r1'])
    await expect(confirmFile(hub, file!.id, 'frida')).rejects.toMatchObject({ code: 'file_invalid' })

    settlement_files.columns = { ...columns, id: 'Zeile' }
    expect(await confirmFile(hub, file!.id, 'frida')).toEqual({ rows: 2 })
    settlement_files.columns = columns
    expect(await database.db.query('select state, decided_by from inbound_files')).toEqual([{ state: 'applied', decided_by: 'frida' }]) // prettier-ignore
    expect([await openCases(), await states()]).toEqual([[], ['r1 fetched 1']])
    await expect(confirmFile(hub, file!.id, 'frida')).rejects.toMatchObject({ code: 'conflict' })
  })

  test('can be refused for good', async () => {
    vendor.listed = ['r1']
    vendor.files.set('r1', Buffer.from('<html>Sign in</html>'))
    await pull()
    const [file] = await database.db.query<{ id: number }>('select id from inbound_files')
    await rejectFile(hub, file!.id, 'frida')
    expect(await database.db.query('select state, body from inbound_files')).toEqual([
      { state: 'rejected', body: null },
    ])
    expect([await openCases(), await states()]).toEqual([[], ['r1 held 1']])
  })

  test('with rows that do not come to the payout is kept, and its payout held with the difference', async () => {
    vendor.listed = ['r1']
    vendor.files.set('r1', Buffer.from(PAYOUT.replace('10.00\n', '9.99\n')))
    expect(await pull()).toContain('1 read')
    expect(await database.db.query('select proof, difference_minor from settlements')).toEqual([{ proof: 'held', difference_minor: 1 }]) // prettier-ignore
  })
})

describe('a report that a message announces', () => {
  const tell = async (key: string): Promise<void> => {
    const now = hub.clock.now()
    const row = sealRow(hub.vault, {
      connection_id: 'gateway-1',
      source: 'webhook',
      topic: 'report_ready',
      dedupe_key: key,
      body: Buffer.from('{"name":"r9"}'),
      observed_at: now,
      received_at: now,
    })
    await inTransaction(database.db, async (tx) => {
      await insertInbox(tx, [row])
      await applyRows(
        tx,
        hub,
        hub.connections.get('gateway-1')!,
        await claimDueRows(tx, 'gateway-1', hub.clock.now(), 10),
      )
    })
  }

  test('is fetched by the next run even when its wake-up got lost, and again when it is announced again', async () => {
    await tell('one')
    expect(await states()).toEqual(['r9 announced 0'])
    vendor.files.set('r9', Buffer.from(PAYOUT))
    await pull()
    expect([vendor.asked[0]?.announced, await states()]).toEqual([['r9'], ['r9 fetched 0']])
    vendor.files.set('r9', Buffer.from(PAYOUT.replace('20.00', '25.00').replace('30.00', '35.00')))
    await tell('two')
    expect(await pull()).toContain('1 read')
    expect(await database.db.query('select payout_minor, version from settlements')).toEqual([{ payout_minor: 3_500, version: 2 }]) // prettier-ignore
  })
})

test('a connection with reports is asked for them every hour, or at the pace it is given', () => {
  const { config } = hub.connections.get('gateway-1')!
  const schedule = (pullSection: object) =>
    schedulesOf({
      id: 'gateway-1',
      connector: gateway,
      config: { ...config, pull: { overlap_seconds: 120, ...pullSection } },
    })
  expect(schedule({})).toMatchObject([{ queue: 'pull', every_ms: 3_600_000, data: { stream: 'reports' } }])
  expect(schedule({ reports_every_seconds: 60 })).toMatchObject([{ every_ms: 60_000 }])
})
