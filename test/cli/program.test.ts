import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/db/transaction.ts'
import { crossdock, crossdockEach, type Ran } from '../kit/commandLine.ts'
import { createEmptyDatabase } from '../kit/database.ts'
import { openMerchant, type Merchant } from './merchant.ts'
import { SHIPMENT_CSV, shopifyOrder } from './samples.ts'

let merchant: Merchant

beforeAll(async () => {
  merchant = await openMerchant()
})
afterAll(() => merchant.close())

type Expectation = [args: string[], expected: object]

/** The document of a run that has to be there. */
function documentOf<T>(ran: Ran | undefined): T {
  if (ran === undefined) throw new Error('it did not run')
  return ran.json() as T
}

const errorOf = (ran: Ran | undefined) =>
  documentOf<{ error: { code: string; message: string; path?: string } }>(ran).error
const codes = (ran: readonly Ran[]): (number | null)[] => ran.map(({ code }) => code)

describe('reading', () => {
  const READING: Expectation[] = [
    [['orders', 'list'], { rows: [{ external_id: 'A', lifecycle: 'open' }], next_cursor: null }],
    [['orders', 'list', '--connection', 'mall', '--limit', '1'], { rows: [] }],
    [['orders', 'show', '#A'], { external_id: 'A', lines: [{ channel_sku: 'TEA', quantity: 2 }], reservations: [{ state: 'committed' }] }],
    [['stock', 'explain', 'TEA'], { sku: 'TEA', stock: [{ on_hand: 30, available: 28 }, { on_hand: 0 }], promises: [{ quantity: 2 }] }],
    [['events', 'list', '--state', 'parked'], { rows: [{ cause_code: 'payload_invalid' }] }],
    [['files', 'list'], { rows: [], next_cursor: null }],
    [['dead-letters', 'list'], { rows: [{ connection_id: 'shop', code: 'payload_invalid' }] }],
    [['connections', 'list'], { rows: expect.arrayContaining([expect.objectContaining({ id: 'shop', state: 'active' })]) }],
    [['api-keys', 'list'], { rows: [] }],
    [['verify'], { checks: expect.arrayContaining([{ name: 'ledger_equals_counters', checked: expect.any(Number), violations: 0 }]) }],
    [['migrate', '--status'], { current: expect.stringMatching(/^\d{4}_/), pending: [], unknown: [] }],
    [['migrate'], { applied: [], version: expect.stringMatching(/^\d{4}_/) }],
    [['doctor'], { checks: expect.arrayContaining([{ what: 'invariants', ok: true, finding: expect.stringMatching(/no violation/) }]) }],
    [['config', 'check'], { connections: 3, items: 2 }],
  ] // prettier-ignore

  it('answers every reading command with one document that says ok', async () => {
    const ran = await merchant.runEach(...READING.map(([args]) => [...args, '--json']))
    for (const [index, [args, expected]] of READING.entries()) {
      expect(ran[index], args.join(' ')).toMatchObject({ code: 0, stderr: '' })
      expect(ran[index]?.json(), args.join(' ')).toMatchObject({ ok: true, ...expected })
    }
  })

  it('speaks to people without --json, and never shows a secret', async () => {
    const event = String(merchant.parked.event)
    const [order, stock, shown, config] = await merchant.runEach(
      ['orders', 'show', '#A'],
      ['stock', 'explain', 'TEA', '--connection', 'shop'],
      ['events', 'show', event],
      ['config', 'print', '--redact', '--json'],
    )
    expect(order?.stdout).toMatch(/lifecycle open · payment paid/)
    expect(stock?.stdout).toMatch(/north +30 +28/)
    expect(shown?.stdout).toMatch(/cause_code +payload_invalid/)
    expect(config?.json()).toMatchObject({ companies: [{ id: 'acme' }] })
    expect(config?.stdout).not.toMatch(/very-secret|BQUFBQ/)
  })
})

describe('the command line itself', () => {
  const BAD: string[][] = [
    [],
    ['frobnicate'],
    ['orders'],
    ['orders', 'frobnicate'],
    ['orders', 'list', '--limit', 'many'],
    ['orders', 'list', '--limit', '0'],
    ['orders', 'list', '--limit', '201'],
    ['orders', 'list', '--limit'],
    ['orders', 'list', '--cursor', 'mine'],
    ['orders', 'show'],
    ['events', 'list', '--state', 'odd'],
    ['events', 'show', '1e3'],
    ['events', 'replay'],
    ['dead-letters', 'replay', '0x1'],
    ['dead-letters', 'replay', '--since', 'yesterday'],
    ['dead-letters', 'drop'],
    ['dead-letters', 'drop', '--all', '--code', 'x'],
    ['verify', 'everything'],
    ['verify', '--quick'],
    ['demo', '--seconds', '0'],
    ['preview', 'shopify'],
    ['api-keys', 'create', '--name', 'x', '--role', 'king'],
  ]

  it('refuses what it does not understand with exit code 2 and one document', async () => {
    const ran = await merchant.runEach(...BAD.map((args) => ['--json', ...args]))
    for (const [index, args] of BAD.entries()) {
      expect(ran[index], args.join(' ')).toMatchObject({ code: 2, stderr: '' })
      expect(ran[index]?.json(), args.join(' ')).toMatchObject({ ok: false, error: { code: 'bad_request' } })
      expect(errorOf(ran[index]).message, args.join(' ')).toMatch(/\w/)
    }
  })

  it('refuses what is not there with exit code 2', async () => {
    const REFUSED: [string[], string][] = [
      [['orders', 'show', 'nobody'], 'not_found'],
      [['events', 'show', '987654'], 'not_found'],
      [['stock', 'explain', 'NOTHING'], 'not_found'],
      [['connections', 'test', 'nobody'], 'not_found'],
      [['connections', 'resume', 'nobody'], 'not_found'],
      [['files', 'confirm', '987654'], 'not_found'],
      [['config', 'check', '--config', '/nowhere.yaml'], 'config_invalid'],
    ]
    const ran = await merchant.runEach(...REFUSED.map(([args]) => [...args, '--json']))
    expect(ran.map((one) => [one.code, errorOf(one).code])).toEqual(REFUSED.map(([, code]) => [2, code]))
  })

  it('answers --help and --version with 0, and takes --config before and after the command', async () => {
    const file = join(merchant.folder, 'crossdock.yaml')
    const [help, version, before, after] = await merchant.runEach(
      ['orders', 'list', '--help'],
      ['--version'],
      ['--config', file, 'config', 'check', '--json'],
      ['config', 'check', '-c', file, '--json'],
    )
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--limit <n>[\s\S]*--json/) })
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
    expect([before?.json(), after?.json()]).toMatchObject([{ ok: true, file }, { ok: true, file }]) // prettier-ignore
  })

  it('is a program: tells people on stderr what is wrong', async () => {
    const ran = await merchant.run(['ordrs', 'list'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/unknown command 'ordrs'[\s\S]*Did you mean orders/)
  })
})

describe('config check', () => {
  it('tells every fault at once with its line', async () => {
    const file = join(merchant.folder, 'broken.yaml')
    const text = readFileSync(join(merchant.folder, 'crossdock.yaml'), 'utf8')
    const planted = text.replace('serves_from: [north]', 'serves_from: [moon]').replace('sku: MUG', 'sku: TEA')
    writeFileSync(file, planted.replace('partner: depot', 'partner: DEPOT'))
    const [json, people, other] = await merchant.runEach(
      ['config', 'check', '--config', file, '--json'],
      ['config', 'check', '--config', file],
      ['orders', 'list', '--config', file, '--json'],
    )
    expect([json?.code, people?.code, other?.code]).toEqual([2, 2, 2])
    const { faults, ...rest } = documentOf<{ faults: { path: string; line: number }[] }>(json)
    const message = '3 faults in the configuration'
    expect(rest).toMatchObject({ ok: false, file, error: { code: 'config_invalid', message } })
    const paths = ['connections[0].serves_from[0]', 'connections[2].settings.partner', 'items[1].sku']
    expect(faults.map(({ path }) => path).toSorted()).toEqual(paths)
    expect(faults.every(({ line }) => line > 0)).toBe(true)
    expect(people?.stderr).toMatch(/broken\.yaml:\d+ {2}connections\[0\]\.serves_from\[0\]: .*allowed: north, south/)
    expect(errorOf(other)).toMatchObject({
      code: 'config_invalid',
      path: expect.any(String),
      faults: expect.any(Array),
    })
  })
})

describe('preview', () => {
  it('maps a file and standard input, and needs no configuration', async () => {
    const file = join(merchant.folder, 'order.json')
    writeFileSync(file, JSON.stringify({ order: shopifyOrder }))
    const [named, piped, csv] = await Promise.all([
      crossdock(['preview', 'shopify', 'order', file, '--json']),
      crossdock(['preview', 'shopify', 'order', '-'], { input: JSON.stringify(shopifyOrder) }),
      merchant.run(['preview', 'filedrop', 'shipment', '-', '--connection', 'wms', '--json'], { input: SHIPMENT_CSV }),
    ])
    const facts = [{ kind: 'order', document: { totals: { total_minor: 2500 } } }]
    expect(named.json()).toMatchObject({ ok: true, connector: 'shopify', kind: 'order', facts, warnings: [] })
    expect(piped.stdout).toMatch(/"kind": "order"/)
    expect(csv.json()).toMatchObject({ ok: true, connector: 'filedrop', facts: [{ kind: 'shipment' }] })
    expect(codes([named, piped, csv])).toEqual([0, 0, 0])
  })

  it('refuses with exit code 2 and a place', async () => {
    const [bare, empty] = [join(merchant.folder, 'bare.json'), join(merchant.folder, 'empty.json')]
    writeFileSync(bare, '{"order":{"id":1}}')
    writeFileSync(empty, '')
    const REFUSED: [string[], string, string][] = [
      [['shopify', 'order', empty], 'payload_invalid', '$'],
      [['shopify', 'order', bare], 'payload_invalid', '$.order'],
      [['shopify', 'order', '/nowhere.json'], 'bad_request', '$'],
      [['shopify', 'order', '/'], 'bad_request', '$'],
      [['shopify', 'order', '/dev/zero'], 'payload_too_large', '$'],
      [['shopify', 'weather', bare], 'unsupported', '$'],
      [['vendor-x', 'order', bare], 'not_found', '$'],
      [['filedrop', 'shipment', bare, '--connection', 'shop'], 'not_found', '$'],
    ]
    const ran = await merchant.runEach(...REFUSED.map(([args]) => ['preview', ...args, '--json']))
    const answers = ran.map((one) => [one.code, errorOf(one).code, errorOf(one).path])
    // A missing property may be told by its own path or by that of the object that lacks it.
    expect(answers.map(([code, cause, path]) => [code, cause, String(path).startsWith('$') ? '$' : path])).toEqual(
      REFUSED.map(([, cause]) => [2, cause, '$']),
    )
    expect(errorOf(ran[1]).path).toMatch(/^\$\.order\b/)
  })
})

describe('acting', () => {
  it('tests a connection: 0 with a real record, 1 when the vendor refuses', async () => {
    const [good, refused] = await merchant.runEach(
      ['connections', 'test', 'shop', '--json'],
      ['connections', 'test', 'mall', '--json'],
    )
    expect([good?.code, refused?.code]).toEqual([0, 1])
    expect(good?.json()).toEqual({ ok: true, connection: 'shop', shown: 'the shop has no orders yet' })
    expect(refused?.json()).toMatchObject({ ok: false, connection: 'mall', error: { code: 'vendor_auth' } })
    expect(refused?.stdout).not.toMatch(/very-secret/)
  })

  it('replays a dead letter once, however often it is asked', async () => {
    const [letter, event] = [String(merchant.parked.letter), String(merchant.parked.event)]
    const replay = ['dead-letters', 'replay', letter, '--json']
    const ran = await merchant.runEach(
      [...replay, '--dry-run'],
      replay,
      replay,
      ['dead-letters', 'drop', '--all', '--json'],
      ['events', 'show', event, '--json'],
    )
    expect(codes(ran)).toEqual([0, 0, 0, 0, 0])
    expect(ran.map((one) => one.json())).toMatchObject([
      { ok: true, matched: 1, replayed: 0, dry_run: true },
      { ok: true, matched: 1, replayed: 1, dry_run: false },
      { ok: true, matched: 0, replayed: 0 },
      { ok: true, matched: 0, dropped: 0 },
      { state: 'pending', cause_code: null },
    ])
    const audit = await merchant.world.db.query(`select actor from audit_log where action = 'dead_letters.replay'`)
    expect(audit[0]).toMatchObject({ actor: expect.stringMatching(/^cli/) })
  })

  it('replays events by cause, pauses and resumes, makes and ends a key', async () => {
    const park = `update inbox set state = 'parked', cause_code = 'unknown_sku' where id = $1`
    await merchant.world.db.query(park, [merchant.parked.event])
    const [replayed, paused, doctor, resumed, made] = await merchant.runEach(
      ['events', 'replay', '--cause', 'unknown_sku', '--json'],
      ['connections', 'pause', 'mall', '--reason', 'moving house', '--json'],
      ['doctor', '--json'],
      ['connections', 'resume', 'mall', '--json'],
      ['api-keys', 'create', '--name', 'ci', '--role', 'viewer', '--json'],
    )
    expect(replayed?.json()).toEqual({ ok: true, matched: 1, replayed: 1, dry_run: false })
    expect([paused?.json(), resumed?.json()]).toMatchObject([{ state: 'paused' }, { state: 'active' }])
    expect(doctor?.code).toBe(1)
    expect(doctor?.stdout).toMatch(/mall is paused: moving house/)
    const key = made?.json()
    const [revoked, list] = await merchant.runEach(
      ['api-keys', 'revoke', String(key?.['id']), '--json'],
      ['api-keys', 'list', '--json'],
    )
    expect(revoked?.json()).toMatchObject({ ok: true, id: key?.['id'] })
    expect(list?.stdout).toContain('"revoked_at":"')
    expect(list?.stdout).not.toContain(String(key?.['secret']))
  })
})

describe('a hub that is not well', () => {
  it('brings an empty database to the schema, and says so before', async () => {
    const empty = await createEmptyDatabase()
    const env = { DATABASE_URL: empty.url, CROSSDOCK_CONFIG: join(merchant.folder, 'crossdock.yaml') }
    const status = ['migrate', '--status', '--json']
    try {
      const [refused, before, migrated] = await crossdockEach([['verify', '--json'], status, ['migrate', '--json']], {
        env,
      })
      expect([refused?.code, errorOf(refused).message]).toEqual([2, expect.stringMatching(/empty/)])
      const { pending } = documentOf<{ pending: string[] }>(before)
      expect(before?.json()).toMatchObject({ ok: true, current: null })
      expect(pending[0]).toMatch(/^0001_/)
      expect(migrated?.json()).toMatchObject({ ok: true, applied: pending })
      await empty.db.query(`insert into schema_migrations (name, batch) values ('9999_future.sql', 9)`)
      const [newer] = await crossdockEach([status], { env })
      expect([newer?.code, newer?.json()]).toMatchObject([1, { ok: false, unknown: ['9999_future'] }])
    } finally {
      await empty.drop()
    }
  })

  it('exits with 1 when the database does not answer', async () => {
    const DATABASE_URL = 'postgres://x:hunter2@127.0.0.1:9/none'
    const env = { DATABASE_URL, CROSSDOCK_CONFIG: join(merchant.folder, 'crossdock.yaml') }
    const [verify, doctor] = await crossdockEach([['verify', '--json'], ['doctor']], { env })
    expect([verify?.code, errorOf(verify).code]).toEqual([1, 'database_unavailable'])
    expect([doctor?.code, doctor?.stdout]).toEqual([1, expect.stringMatching(/!! +database +database_unavailable/)])
    expect(JSON.stringify([verify, doctor])).not.toMatch(/hunter2/)
  })

  it('verify and doctor exit with 1 when the data is broken', async () => {
    await inTransaction(merchant.world.db, async (tx) => {
      await tx.query('set local session_replication_role = replica')
      await tx.query('update stock set available = available + 1 where on_hand > 0')
    })
    const [json, people, doctor] = await merchant.runEach(['verify', '--json'], ['verify'], ['doctor', '--json'])
    expect([json?.code, people?.code, doctor?.code]).toEqual([1, 1, 1])
    const { checks } = documentOf<{ checks: { name: string; violations: number; examples?: string[] }[] }>(json)
    const ledger = checks.find(({ name }) => name === 'ledger_equals_counters')
    expect(ledger).toMatchObject({ violations: 2, examples: [expect.stringMatching(/item/), expect.any(String)] })
    expect(people?.stdout).toMatch(/ledger_equals_counters +\d+ +2/)
    expect(doctor?.json()).toMatchObject({ ok: false })
  })
})
