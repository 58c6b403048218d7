import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { folderStore } from '../../src/connectors/_kit/files.ts'
import { x12 } from '../../src/connectors/x12/index.ts'
import { applyFacts } from '../../src/core/apply.ts'
import { listAwaited } from '../../src/core/answers/answers.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { coreContext } from '../../src/queues/context.ts'
import { drainConnection } from '../../src/queues/drain.ts'
import { runEffects } from '../../src/queues/effects.ts'
import { readFiles } from '../../src/queues/fileReader.ts'
import { partners } from '../../src/queues/jobs/partners.ts'
import { relayDue } from '../../src/queues/relay.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'
import { seedFixture } from '../kit/queueFixture.ts'
import { rememberingQueues, testClock, testHub, type RememberingQueues, type TestClock, type TestConnection } from '../kit/testHub.ts' // prettier-ignore
import { interchange, ORDERED, PROFILE } from '../mappings/x12/samples.ts'

let database: TestDatabase
let root: string
let hub: Hub
let clock: TestClock
let queues: RememberingQueues
beforeEach(async () => {
  database = await createTestDatabase()
  root = await mkdtemp(join(tmpdir(), 'crossdock-x12-'))
  for (const folder of ['incoming', 'outgoing']) await mkdir(join(root, folder))
  clock = testClock()
  queues = rememberingQueues()
  const settings = { transport: { kind: 'folder', root }, ...PROFILE, units: { CA: 6 }, gs1_prefix: '0614141' }
  const connections: TestConnection[] = [
    { id: 'buyer', connector: x12, files: folderStore(root), settings },
    { id: 'depot-1', connector: { ...x12, id: 'depot' }, files: folderStore(root), settings },
  ]
  hub = testHub({ db: database.db, queues, connections, clock })
  await seedFixture(database.db, connections, { 'TEA-1': 8, 'MUG-1': 20 })
  await database.db.query(`update locations set connection_id = null where id = 'berlin'`)
  await database.db.query(
    `insert into connections (id, connector, company_id) values ('internal-acme', 'internal', 'acme')`,
  )
})
afterEach(async () => {
  await database.drop()
  await rm(root, { recursive: true, force: true })
})

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }
async function receive(text: string): Promise<void> {
  await writeFile(join(root, 'incoming', `in${Math.floor(performance.now() * 1000)}.edi`), text)
  await readFiles(hub, hub.connections.get('buyer')!, reporter, { look_pause_ms: 5 })
  await drainConnection(hub, 'buyer', reporter)
}
/** What is due leaves; the sentences of the jobs. */
async function work(): Promise<void> {
  await partners.run(hub, {}, reporter)
  await relayDue(hub)
  const groups = queues.added.splice(0).filter(({ data }) => 'batch_key' in data)
  for (const { data } of groups) await runEffects(hub, data as { connection_id: string; batch_key: string }, reporter)
}
const sent = async (set: string): Promise<string[][]> => {
  const names = (await readdir(join(root, 'outgoing'))).filter((name) => name.startsWith(set)).toSorted()
  const texts = await Promise.all(names.map((name) => readFile(join(root, 'outgoing', name), 'utf8')))
  return texts.map((text) => text.split('~').filter((line) => !/^(ISA|GS|GE|IEA|ST|SE|)(\*|$)/.test(line)))
}
const apply = (fact: Fact): Promise<unknown> =>
  inTransaction(database.db, (tx) =>
    applyFacts(tx, coreContext(hub), [{ connection_id: 'depot-1', source: 'test', fact }]),
  )

it('a buyer orders, hears what becomes of it, is told of the goods and pays for them', async () => {
  await receive(interchange([{ id: '850', segments: ORDERED }], { functional: 'PO' }))
  expect(await sent('997')).toEqual([['AK1*PO*101', 'AK2*850*0001', 'AK5*A', 'AK9*A*1*1*1']])
  await work()
  const [answer = []] = await sent('855')
  expect(answer.slice(2)).toEqual([
    'PO1*1*12*EA*9.25**VN*TEA-1',
    'ACK*IA*8*EA',
    'ACK*IB*4*EA',
    'PO1*2*12*EA*0.06**VN*MUG-1',
    'ACK*IA*12*EA',
    'CTT*2',
  ])
  expect(answer[0]).toMatch(/^BAK\*00\*AC\*PO-4711\*20260228\*\*\*\*\*\d{8}$/)

  const [fulfillment] = await database.db.query<{ number: string }>('select number from fulfillment_orders')
  const shipped_at = clock.now().toISOString()
  const lines = [{ sku: 'TEA-1', quantity: 8, line_reference: '1', lot: null }, { sku: 'MUG-1', quantity: 12, line_reference: '2', lot: null }] // prettier-ignore
  const document = { external_id: 'P1', fulfillment_order: fulfillment?.number ?? '', shipped_at, carrier: 'DHL', tracking_number: 'T1', tracking_url: null, lines } // prettier-ignore
  await apply({ kind: 'shipment', document })
  await work()
  const [notice = []] = await sent('856')
  expect(notice.filter((line) => /^(PRF|MAN|LIN|SN1|CTT)/.test(line))).toEqual([
    'PRF*PO-4711', expect.stringMatching(/^MAN\*GM\*00614141\d{10}$/) as string, 'MAN*CP*T1', 'LIN*1*VN*TEA-1', 'SN1**8*EA', 'LIN*2*VN*MUG-1', 'SN1**12*EA', 'CTT*5',
  ]) // prettier-ignore
  const [bill = []] = await sent('810')
  // Eight of twelve at 9.25, and two cases of mugs at 0.333: 74.00 + 0.67.
  expect(bill.filter((line) => /^(BIG|IT1|TDS|SAC)/.test(line)).map((line) => line.replace(/^BIG\*\d{8}/, 'BIG*'))).toEqual([
    'BIG**INV-00000001*20260228*PO-4711***DI', 'IT1*1*8*EA*9.25**VN*TEA-1', 'IT1*2*12*EA*0.06**VN*MUG-1', 'TDS*7467', 'SAC*A*C310***5',
  ]) // prettier-ignore

  // Nothing is said twice.
  await work()
  expect([(await sent('855')).length, (await sent('856')).length, (await sent('810')).length]).toEqual([1, 1, 1])
  const { rows } = await listAwaited(database.db, {}, clock.now())
  expect(rows.map(({ what, state }) => `${what} ${state}`).toSorted()).toEqual([
    '997 to 810 open',
    '997 to 855 open',
    '997 to 856 open',
  ])

  // The buyer's program takes one and cannot read another; the third is never answered.
  const [first, second] = rows.toReversed()
  const ack = (reference: string, verdict: string): string[] => [
    `AK1*PR*${reference.split('/')[0]}`,
    `AK2*855*${reference.split('/')[1]}`,
    `AK5*${verdict}`,
    `AK9*${verdict}*1*1*${verdict === 'A' ? 1 : 0}`,
  ]
  await receive(
    interchange(
      [
        { id: '997', segments: ack(first?.reference ?? '', 'A') },
        { id: '997', segments: ack(second?.reference ?? '', 'R') },
      ],
      { functional: 'FA', control: '000000102', group: '102' },
    ),
  )
  clock.forward(3 * 60 * 60_000)
  await work()
  const states = (await listAwaited(database.db, {}, clock.now())).rows.map(({ state }) => state)
  expect(states.toSorted()).toEqual(['accepted', 'overdue', 'rejected'])
  expect(await database.db.query(`select kind from cases where state = 'open' order by kind`)).toEqual([
    { kind: 'answer_overdue' },
    { kind: 'answer_rejected' },
  ])
})

it('a message that was not noted as sent is the same file again', async () => {
  await receive(interchange([{ id: '850', segments: ORDERED }], { functional: 'PO' }))
  await work()
  const files = async (): Promise<string[]> =>
    (await readdir(join(root, 'outgoing'))).filter((name) => name.startsWith('855'))
  const [name = ''] = await files()
  const text = await readFile(join(root, 'outgoing', name), 'utf8')
  await database.db.query(
    `update outbox set state = 'pending', unknown_outcome = true, attempts = 1, next_attempt_at = now() - interval '1 hour' where kind = 'order.answer'`,
  )
  await rm(join(root, 'outgoing', name))
  clock.forward(60 * 60_000)
  await work()
  expect(await files()).toEqual([name])
  expect(await readFile(join(root, 'outgoing', name), 'utf8')).toBe(text)
})
