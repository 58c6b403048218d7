import { appendFile, mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { folderStore } from '../../src/connectors/_kit/files.ts'
import { x12 } from '../../src/connectors/x12/index.ts'
import type { Hub } from '../../src/hub.ts'
import { drainConnection } from '../../src/queues/drain.ts'
import { readFiles, type FilesResult } from '../../src/queues/fileReader.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { rememberingQueues, seedConnections, testClock, testHub, type TestClock, type TestConnection } from '../kit/testHub.ts' // prettier-ignore
import { ADJUSTED, COUNTED, interchange, PROFILE, SHIPPED } from '../mappings/x12/samples.ts'

let database: TestDatabase
let root: string
let hub: Hub
let clock: TestClock
beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())
beforeEach(async () => {
  await database.db.query('truncate inbox, inbound_files, inbox_conflicts, inbound_envelopes, numbers, cases cascade')
  root = await mkdtemp(join(tmpdir(), 'crossdock-x12-'))
  for (const folder of ['incoming', 'outgoing']) await mkdir(join(root, folder))
  await open()
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function open(settings: object = {}): Promise<void> {
  clock = testClock()
  const all = { transport: { kind: 'folder', root }, ...PROFILE, ...settings }
  const connection: TestConnection = { id: 'edi', connector: x12, files: folderStore(root), settings: all }
  hub = testHub({ db: database.db, queues: rememberingQueues(), connections: [connection], clock })
  await seedConnections(database.db, [connection])
}

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
const read = (): Promise<FilesResult> => readFiles(hub, hub.connections.get('edi')!, reporter, { look_pause_ms: 5 })
let files = 0
const drop = (text: string | Buffer, name = `f${(files += 1)}.edi`): Promise<void> =>
  writeFile(join(root, 'incoming', name), text)
const tree = async (folder: string): Promise<string[]> =>
  (await readdir(join(root, folder), { recursive: true, withFileTypes: true }).catch(() => []))
    .filter((entry) => entry.isFile())
    .map((entry) => entry.name)
    .toSorted()
const answers = async (): Promise<string[]> =>
  Promise.all((await tree('outgoing')).map((name) => readFile(join(root, 'outgoing', name), 'utf8')))
const bodies = (text: string): string[] => text.split('~').filter((one) => /^(TA1|AK)/.test(one))
const states = (): Promise<{ topic: string; state: string; cause_code: string | null }[]> =>
  database.db.query('select topic, state, cause_code from inbox order by file_id, file_row')
const cases = (): Promise<{ kind: string; data: Record<string, unknown> }[]> =>
  database.db.query(`select kind, data from cases where state = 'open' order by id`)
const GOOD = interchange([{ id: '945', segments: SHIPPED }])

describe('a sound interchange', () => {
  it('becomes a row for each set, and is answered', async () => {
    await drop(GOOD)
    expect(await read()).toMatchObject({ read: 1, rows: 1 })
    expect(await states()).toEqual([{ topic: 'shipment', state: 'pending', cause_code: null }])
    const [answer = ''] = await answers()
    expect(bodies(answer)).toEqual(['AK1*SW*101', 'AK2*945*0001', 'AK5*A', 'AK9*A*1*1*1'])
    expect(answer).toContain('ISA*00*          *00*          *ZZ*ACMETRADING    *01*555001234      *')
    expect(await cases()).toEqual([])
    await drainConnection(hub, 'edi', reporter)
    // The work is not known here: it waits until it is.
    expect(await states()).toEqual([{ topic: 'shipment', state: 'parked', cause_code: 'unknown_fulfillment_order' }])
  })

  it('that comes again, under any name, is taken once and answered with the same bytes', async () => {
    await drop(GOOD)
    await read()
    const [first] = await answers()
    await rm(join(root, 'outgoing'), { recursive: true })
    clock.forward(60_000)
    await drop(GOOD, 'again.edi')
    // With another one before it, in a file that is not the same.
    const other = interchange([{ id: '947', segments: ADJUSTED }], {
      control: '000000102',
      functional: 'AW',
      group: '102',
    })
    expect(await read()).toMatchObject({ duplicates: 1 })
    expect(await answers()).toEqual([first])
    await drop(other + GOOD)
    expect(await read()).toMatchObject({ read: 1 })
    expect((await states()).map(({ topic }) => topic)).toEqual(['shipment', 'adjustment'])
    expect(await answers()).toHaveLength(2)
    expect((await answers())[0]).toBe(first)
  })

  it('whose number another one had is kept, refused as a duplicate and made a case', async () => {
    await drop(GOOD)
    await read()
    await drop(interchange([{ id: '945', segments: SHIPPED.with(-1, 'W03*5').with(0, 'W06*F*FO-2*20260301*BOL9') }]))
    expect(await read()).toMatchObject({ read: 1 })
    expect(await states()).toEqual([
      { topic: 'shipment', state: 'pending', cause_code: null },
      { topic: 'shipment', state: 'parked', cause_code: 'control_number_reused' },
    ])
    expect((await answers()).flatMap(bodies)).toContain('TA1*000000101*260301*1015*R*025')
    expect(await cases()).toMatchObject([{ kind: 'file_refused', data: { code: 'control_number_reused', refused: 1 } }])
  })

  it('is answered the same after a crash between the commit and the answer', async () => {
    await drop(GOOD, 'a.edi')
    await read()
    const before = await answers()
    const [processed = ''] = await tree('processed')
    const path = join(
      root,
      'processed',
      String(clock.now().getUTCFullYear()),
      String(clock.now().getUTCMonth() + 1).padStart(2, '0'),
      processed,
    )
    await mkdir(join(root, 'incoming/.processing'), { recursive: true })
    await rename(path, join(root, 'incoming/.processing', `${clock.now().getTime()}.a.edi`))
    await rm(join(root, 'outgoing'), { recursive: true })
    clock.forward(3 * 60_000)
    expect(await read()).toMatchObject({ duplicates: 1 })
    expect(await answers()).toEqual(before)
    expect(await states()).toHaveLength(1)
  })

  it('of a count that lost most of its lines is held for a person', async () => {
    const lines = Array.from({ length: 20 }, (_, index) => [`LIN**VN*SKU-${index}`, 'QTY*17*1*EA']).flat()
    const count = (kept: string[], control: string): string =>
      interchange([{ id: '846', segments: [COUNTED[0] ?? '', COUNTED[1] ?? '', ...kept, `CTT*${kept.length / 2}`] }], {
        functional: 'IB',
        control,
      })
    await drop(count(lines, '000000201'))
    expect(await read()).toMatchObject({ read: 1 })
    await drop(count(lines.slice(0, 8), '000000202'))
    expect(await read()).toMatchObject({ held: 1 })
  })
})

describe('a bad file', () => {
  it('with one bad set is refused as far as that set, the rest goes on', async () => {
    const bad = SHIPPED.with(-1, 'W03*99').with(0, 'W06*F*FO-2*20260301*BOL9')
    await drop(
      interchange([
        { id: '945', segments: SHIPPED },
        { id: '945', segments: bad },
      ]),
    )
    expect(await read()).toMatchObject({ read: 1, rows: 2 })
    expect(await states()).toEqual([
      { topic: 'shipment', state: 'pending', cause_code: null },
      { topic: 'shipment', state: 'parked', cause_code: 'control_total_mismatch' },
    ])
    expect((await answers()).flatMap(bodies)).toEqual([
      'AK1*SW*101', 'AK2*945*0001', 'AK5*A', 'AK2*945*0002', 'AK3*W03*13**8', 'AK4*1**7', 'AK5*R*5', 'AK9*P*2*2*1',
    ]) // prettier-ignore
    expect(await cases()).toMatchObject([
      { kind: 'file_refused', data: { rows: 2, refused: 1, where: 'W03 at position 13' } },
    ])
  })

  it('of a stranger is kept whole, is a case, and gets no answer', async () => {
    const stranger = interchange([{ id: '945', segments: SHIPPED }], {
      sender: { qualifier: 'ZZ', id: 'SOMEBODY' },
      ta1: '1',
    })
    await drop(stranger)
    await read()
    expect(await answers()).toEqual([])
    expect(await states()).toEqual([{ topic: 'shipment', state: 'parked', cause_code: 'file_invalid' }])
    expect(await cases()).toMatchObject([{ data: { what: expect.stringContaining('another sender') as string } }])
    const [row] = await database.db.query<{ connection_id: string; dedupe_key: string; body: Buffer }>(
      'select connection_id, dedupe_key, body from inbox',
    )
    expect(hub.vault.open(row!.body, `inbox:edi:${row!.dedupe_key}`).toString()).toContain('FO-0000000000A1')
    // Its number is not used up by it.
    await drop(GOOD)
    await read()
    expect((await states()).filter(({ state }) => state === 'pending')).toHaveLength(1)
  })

  it('that was cut off is refused by TA1, and may be sent again under its number', async () => {
    await drop(GOOD.slice(0, 300))
    await read()
    expect((await answers()).flatMap(bodies)).toEqual(['TA1*000000101*260301*1015*R*023'])
    await drop(GOOD)
    expect(await read()).toMatchObject({ read: 1 })
    expect((await states()).filter(({ state }) => state === 'pending')).toHaveLength(1)
  })

  it.each([
    ['empty but for blanks', '   \r\n\r\n'],
    ['of another trade', 'sku,quantity\nTEA-1,5\n'],
    ['binary', Buffer.from([0x49, 0x53, 0x41, 0, 1, 2, 3])],
  ])('%s is refused whole, with its bytes and a note', async (_name, content) => {
    await drop(content, 'bad.edi')
    expect(await read()).toMatchObject({ rejected: 1 })
    expect(await tree('error')).toEqual(['bad.edi', 'bad.edi.err'])
    expect(await cases()).toMatchObject([{ kind: 'file_refused', data: { name: 'bad.edi', code: 'file_invalid' } }])
    const [file] = await database.db.query<{ body: Buffer; sha256: Buffer }>('select body, sha256 from inbound_files')
    expect(hub.vault.open(file!.body, `file:edi:${file!.sha256.toString('hex')}`)).toEqual(Buffer.from(content))
  })

  it('without a byte is a mistake once it has been so for a while', async () => {
    await drop('', 'empty.edi')
    expect(await read()).toMatchObject({ rejected: 0 })
    const before = new Date(Date.now() - 60 * 60_000)
    await utimes(join(root, 'incoming/empty.edi'), before, before)
    expect(await read()).toMatchObject({ rejected: 1 })
    expect(await cases()).toMatchObject([{ data: { name: 'empty.edi' } }])
  })

  it('is not answered where that is agreed', async () => {
    await open({ acknowledge: 'none', ta1: 'never' })
    await drop(GOOD + interchange([{ id: '945', segments: SHIPPED, count: 3 }], { control: '000000103' }))
    await read()
    expect(await answers()).toEqual([])
  })

  it('of acknowledgements alone is never acknowledged', async () => {
    await drop(interchange([{ id: '997', segments: ['AK1*OW*27', 'AK9*A*1*1*1'] }], { functional: 'FA' }))
    await read()
    expect(await answers()).toEqual([])
    await drainConnection(hub, 'edi', reporter)
    expect(await states()).toEqual([{ topic: 'acknowledgement', state: 'parked', cause_code: 'unknown_message' }])
  })

  it('of fifty megabytes is read in bounded memory', async () => {
    const lines = Array.from({ length: 60 }, (_, index) => [`LX*${index + 1}`, 'W12*CC*1*1*0*EA**VN*TEA-1']).flat()
    const segments = ['W06*F*FO-9*20260301*B', 'N1*WH**91*RTM', ...lines, 'W03*60']
    const sets = Array.from({ length: 200 }, () => ({ id: '945', segments }))
    const one = interchange(sets)
    const path = join(root, 'incoming/huge.edi')
    for (let control = 1; one.length * control < 50 * 1024 * 1024; control += 1) {
      const number = String(control).padStart(9, '0')
      await appendFile(path, one.replaceAll('000000101', number))
    }
    const before = process.memoryUsage().rss
    const started = performance.now()
    const result = await read()
    const grown = (process.memoryUsage().rss - before) / 1024 / 1024
    expect(result.rows, `${Math.round(performance.now() - started)} ms`).toBeGreaterThan(20_000)
    console.log(
      `50 MB: ${result.rows} sets, ${Math.round(performance.now() - started)} ms, ${Math.round(grown)} MB more`,
    )
    // The file as bytes and as text, and one portion of rows at a time.
    expect(grown).toBeLessThan(800)
  }, 300_000)
})
