import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { inTransaction } from '../../src/db/transaction.ts'
import { crossdock } from '../kit/commandLine.ts'
import { createEmptyDatabase } from '../kit/database.ts'
import { openMerchant, type Merchant } from './merchant.ts'
import { SHIPMENT_CSV, shopifyOrder } from './samples.ts'

let merchant: Merchant

beforeAll(async () => {
  merchant = await openMerchant()
})
afterAll(() => merchant.close())

const errorOf = (document: Record<string, unknown>) => document['error'] as { code: string; message: string; path?: string }

describe('reading', () => {
  it.each([
    [['orders', 'list'], { rows: [{ external_id: 'A', lifecycle: 'open' }], next_cursor: null }],
    [['orders', 'list', '--connection', 'mall', '--limit', '1'], { rows: [] }],
    [['orders', 'show', '#A'], { external_id: 'A', lines: [{ channel_sku: 'TEA', quantity: 2 }], reservations: [{ state: 'committed' }] }],
    [['stock', 'explain', 'TEA'], { sku: 'TEA', stock: [{ location_id: 'north', on_hand: 30, available: 28 }], promises: [{ quantity: 2 }] }],
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
  ])('%j --json is one document with ok', async (args, expected) => {
    const ran = await merchant.run([...args, '--json'])
    expect(ran).toMatchObject({ code: 0, stderr: '' })
    expect(ran.json()).toMatchObject({ ok: true, ...expected })
  }) // prettier-ignore

  it('speaks to people without --json', async () => {
    const [orders, stock] = await Promise.all([merchant.run(['orders', 'show', '#A']), merchant.run(['stock', 'explain', 'TEA', '--connection', 'shop'])])
    expect(orders.stdout).toMatch(/lifecycle open · payment paid/)
    expect(stock.stdout).toMatch(/north +30 +28/)
    expect([orders.code, stock.code]).toEqual([0, 0])
  })

  it('shows an event, and the configuration without its secrets', async () => {
    const [event, config] = await Promise.all([
      merchant.run(['events', 'show', String(merchant.parked.event), '--json']),
      merchant.run(['config', 'print', '--redact', '--json']),
    ])
    expect(event.json()).toMatchObject({ ok: true, state: 'parked', cause_code: 'payload_invalid' })
    expect(config.json()).toMatchObject({ companies: [{ id: 'acme' }] })
    expect(config.stdout).not.toMatch(/very-secret|BQUFBQ/)
  })
})

describe('the command line itself', () => {
  it.each([
    [[]],
    [['frobnicate']],
    [['orders']],
    [['orders', 'frobnicate']],
    [['orders', 'list', '--limit', 'many']],
    [['orders', 'list', '--limit', '0']],
    [['orders', 'list', '--limit', '201']],
    [['orders', 'list', '--limit']],
    [['orders', 'list', '--cursor', 'mine']],
    [['orders', 'show']],
    [['events', 'list', '--state', 'odd']],
    [['events', 'show', '1e3']],
    [['events', 'replay']],
    [['dead-letters', 'replay', '0x1']],
    [['dead-letters', 'replay', '--since', 'yesterday']],
    [['dead-letters', 'drop']],
    [['dead-letters', 'drop', '--all', '--code', 'x']],
    [['verify', 'everything']],
    [['verify', '--quick']],
    [['demo', '--seconds', '0']],
    [['preview', 'shopify']],
  ])('%j is bad input: exit code 2 and one document', async (args) => {
    const ran = await merchant.run(['--json', ...args])
    expect(ran).toMatchObject({ code: 2, stderr: '' })
    expect(ran.json()).toMatchObject({ ok: false, error: { code: 'bad_request', message: expect.stringMatching(/\w/) } })
  })

  it('tells people what is wrong on stderr', async () => {
    const ran = await merchant.run(['ordrs', 'list'])
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toMatch(/unknown command 'ordrs'[\s\S]*Did you mean orders/)
  })

  it('answers --help and --version with 0', async () => {
    const [help, version] = await Promise.all([crossdock(['orders', 'list', '--help']), crossdock(['--version'])])
    expect(help).toMatchObject({ code: 0, stdout: expect.stringMatching(/--limit <n>[\s\S]*--json/) })
    expect(version).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) })
  })

  it.each([
    [['orders', 'show', 'nobody'], 'not_found'],
    [['events', 'show', '987654'], 'not_found'],
    [['stock', 'explain', 'NOTHING'], 'not_found'],
    [['connections', 'test', 'nobody'], 'not_found'],
    [['connections', 'resume', 'nobody'], 'not_found'],
    [['files', 'confirm', '987654'], 'not_found'],
    [['config', 'check', '--config', '/nowhere.yaml'], 'config_invalid'],
  ])('%j is refused with 2', async (args, code) => {
    const ran = await merchant.run([...args, '--json'])
    expect(ran.code).toBe(2)
    expect(errorOf(ran.json()).code).toBe(code)
  })

  it('takes --config before and after the command', async () => {
    const file = join(merchant.folder, 'crossdock.yaml')
    const env = { DATABASE_URL: merchant.world.db.url }
    const [before, after] = await Promise.all([
      crossdock(['--config', file, 'config', 'check', '--json'], { env }),
      crossdock(['config', 'check', '-c', file, '--json'], { env }),
    ])
    expect([before.json(), after.json()]).toMatchObject([{ ok: true, file }, { ok: true, file }])
  })
})

describe('config check', () => {
  it('tells every fault at once with its line', async () => {
    const file = join(merchant.folder, 'broken.yaml')
    const text = readFileSync(join(merchant.folder, 'crossdock.yaml'), 'utf8')
    writeFileSync(file, text.replace('serves_from: [north]', 'serves_from: [moon]').replace('sku: MUG', 'sku: TEA').replace('partner: depot', 'partner: DEPOT'))
    const [json, people, other] = await Promise.all([
      merchant.run(['config', 'check', '--config', file, '--json']),
      merchant.run(['config', 'check', '--config', file]),
      merchant.run(['orders', 'list', '--config', file, '--json']),
    ])
    expect([json.code, people.code, other.code]).toEqual([2, 2, 2])
    const { faults, ...rest } = json.json() as { faults: { path: string; line: number }[] }
    expect(rest).toMatchObject({ ok: false, file, error: { code: 'config_invalid', message: '3 faults in the configuration' } })
    expect(faults.map(({ path }) => path).toSorted()).toEqual(['connections[0].serves_from[0]', 'connections[2].settings.partner', 'items[1].sku'])
    expect(faults.every(({ line }) => line > 0)).toBe(true)
    expect(people.stderr).toMatch(/broken\.yaml:\d+ {2}connections\[0\]\.serves_from\[0\]: .*allowed: north, south/)
    expect(errorOf(other.json())).toMatchObject({ code: 'config_invalid', path: expect.stringMatching(/\w/), faults: expect.any(Array) })
  })
})

describe('preview', () => {
  it('maps a file and standard input, and needs no configuration', async () => {
    const file = join(merchant.folder, 'order.json')
    writeFileSync(file, JSON.stringify({ order: shopifyOrder }))
    const [named, piped, csv, people] = await Promise.all([
      crossdock(['preview', 'shopify', 'order', file, '--json']),
      crossdock(['preview', 'shopify', 'order', '-', '--json'], { input: JSON.stringify(shopifyOrder) }),
      crossdock(['preview', 'filedrop', 'shipment', '-', '--json'], { input: SHIPMENT_CSV }),
      crossdock(['preview', 'shopify', 'order', '-'], { input: JSON.stringify(shopifyOrder) }),
    ])
    expect(named.json()).toMatchObject({ ok: true, connector: 'shopify', kind: 'order', facts: [{ kind: 'order', document: { totals: { total_minor: 2500 } } }], warnings: [] })
    expect(piped.json()).toMatchObject({ ok: true, facts: [{ kind: 'order' }] })
    expect(csv.json()).toMatchObject({ ok: true, connector: 'filedrop', facts: [{ kind: 'shipment' }] })
    expect(people.stdout).toMatch(/"kind": "order"/)
    expect([named.code, piped.code, csv.code, people.code]).toEqual([0, 0, 0, 0])
  })

  it('uses the settings of a connection', async () => {
    const input = SHIPMENT_CSV
    const [own, other] = await Promise.all([
      merchant.run(['preview', 'filedrop', 'shipment', '-', '--connection', 'wms', '--json'], { input }),
      merchant.run(['preview', 'filedrop', 'shipment', '-', '--connection', 'shop', '--json'], { input }),
    ])
    expect(own.json()).toMatchObject({ ok: true })
    expect([other.code, errorOf(other.json())]).toMatchObject([2, { code: 'not_found', path: '$' }])
  })

  it.each([
    [['shopify', 'order', '-'], '', 'payload_invalid', '$'],
    [['shopify', 'order', '-'], '{"order":{"id":1}}', 'payload_invalid', '$.order'],
    [['shopify', 'order', '/nowhere.json'], '', 'bad_request', '$'],
    [['shopify', 'order', '/'], '', 'bad_request', '$'],
    [['shopify', 'order', '/dev/zero'], '', 'payload_too_large', '$'],
    [['shopify', 'weather', '-'], '{}', 'unsupported', '$'],
    [['vendor-x', 'order', '-'], '{}', 'not_found', '$'],
  ])('%j is refused with 2 and a place', async (args, input, code, path) => {
    const ran = await crossdock(['preview', ...args, '--json'], { input })
    expect(ran).toMatchObject({ code: 2, stderr: '' })
    expect(ran.json()).toMatchObject({ ok: false, error: { code, path } })
  })
})

describe('acting', () => {
  it('tests a connection: 0 with a real record, 1 when the vendor refuses', async () => {
    const [good, refused] = await Promise.all([
      merchant.run(['connections', 'test', 'shop', '--json']),
      merchant.run(['connections', 'test', 'mall', '--json']),
    ])
    expect([good.code, refused.code]).toEqual([0, 1])
    expect(good.json()).toEqual({ ok: true, connection: 'shop', shown: 'the shop has no orders yet' })
    expect(refused.json()).toMatchObject({ ok: false, connection: 'mall', error: { code: 'vendor_auth' } })
    expect(refused.stdout).not.toMatch(/very-secret/)
  })

  it('replays a dead letter once, however often it is asked', async () => {
    const { letter, event } = merchant.parked
    const counted = await merchant.run(['dead-letters', 'replay', String(letter), '--dry-run', '--json'])
    expect(counted.json()).toEqual({ ok: true, matched: 1, replayed: 0, dry_run: true })
    const first = await merchant.run(['dead-letters', 'replay', String(letter), '--json'])
    expect(first.json()).toEqual({ ok: true, matched: 1, replayed: 1, dry_run: false })
    const [again, dropped, shown] = await Promise.all([
      merchant.run(['dead-letters', 'replay', String(letter), '--json']),
      merchant.run(['dead-letters', 'drop', '--all', '--json']),
      merchant.run(['events', 'show', String(event), '--json']),
    ])
    expect(again.json()).toMatchObject({ ok: true, matched: 0, replayed: 0 })
    expect(dropped.json()).toMatchObject({ ok: true, matched: 0, dropped: 0 })
    expect(shown.json()).toMatchObject({ state: 'pending', cause_code: null })
    expect([again.code, dropped.code]).toEqual([0, 0])
    const audit = await merchant.world.db.query(`select actor from audit_log where action = 'dead_letters.replay'`)
    expect(audit[0]).toMatchObject({ actor: expect.stringMatching(/^cli/) })
  })

  it('replays parked events by cause', async () => {
    await merchant.world.db.query(`update inbox set state = 'parked', cause_code = 'unknown_sku' where id = $1`, [merchant.parked.event])
    const ran = await merchant.run(['events', 'replay', '--cause', 'unknown_sku', '--json'])
    expect(ran.json()).toEqual({ ok: true, matched: 1, replayed: 1, dry_run: false })
  })

  it('pauses a connection, which doctor then tells, and resumes it', async () => {
    expect((await merchant.run(['connections', 'pause', 'mall', '--reason', 'moving house', '--json'])).json()).toMatchObject({ ok: true, state: 'paused' })
    const doctor = await merchant.run(['doctor', '--json'])
    expect([doctor.code, doctor.json()]).toMatchObject([1, { ok: false }])
    expect(doctor.stdout).toMatch(/mall is paused: moving house/)
    expect((await merchant.run(['connections', 'resume', 'mall', '--json'])).json()).toMatchObject({ ok: true, state: 'active' })
  })

  it('makes, lists and ends a key', async () => {
    const made = (await merchant.run(['api-keys', 'create', '--name', 'ci', '--role', 'viewer', '--json'])).json()
    expect(made).toMatchObject({ ok: true, id: expect.any(String), secret: expect.any(String) })
    expect((await merchant.run(['api-keys', 'revoke', String(made['id']), '--json'])).code).toBe(0)
    const { stdout } = await merchant.run(['api-keys', 'list', '--json'])
    expect(stdout).toContain('"revoked_at":"')
    expect(stdout).not.toContain(String(made['secret']))
  })
})

describe('a hub that is not well', () => {
  it('brings an empty database to the schema, and says so before', async () => {
    const empty = await createEmptyDatabase()
    const env = { DATABASE_URL: empty.url, CROSSDOCK_CONFIG: join(merchant.folder, 'crossdock.yaml') }
    try {
      const refused = await crossdock(['verify', '--json'], { env })
      expect([refused.code, errorOf(refused.json()).message]).toEqual([2, expect.stringMatching(/empty/)])
      const status = await crossdock(['migrate', '--status', '--json'], { env })
      expect(status.json()).toMatchObject({ ok: true, current: null, pending: [expect.stringMatching(/^0001_/)] })
      expect((await crossdock(['migrate', '--json'], { env })).json()).toMatchObject({ ok: true, applied: [expect.stringMatching(/^0001_/)] })
      await empty.db.query(`insert into schema_migrations (name, batch) values ('9999_future.sql', 9)`)
      const newer = await crossdock(['migrate', '--status', '--json'], { env })
      expect([newer.code, newer.json()]).toMatchObject([1, { ok: false, unknown: ['9999_future'] }])
    } finally {
      await empty.drop()
    }
  })

  it('exits with 1 when the database does not answer', async () => {
    const env = { DATABASE_URL: 'postgres://x:hunter2@127.0.0.1:9/none', CROSSDOCK_CONFIG: join(merchant.folder, 'crossdock.yaml') }
    const [verify, doctor] = await Promise.all([crossdock(['verify', '--json'], { env }), crossdock(['doctor'], { env })])
    expect([verify.code, errorOf(verify.json()).code]).toEqual([1, 'database_unavailable'])
    expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringMatching(/!! +database +database_unavailable/)])
    expect(verify.stdout + doctor.stdout + doctor.stderr).not.toMatch(/hunter2/)
  })

  it('verify and doctor exit with 1 when the data is broken', async () => {
    await inTransaction(merchant.world.db, async (tx) => {
      await tx.query(`set local session_replication_role = replica; update stock set available = available + 1 where on_hand > 0`)
    })
    const [json, people, doctor] = await Promise.all([merchant.run(['verify', '--json']), merchant.run(['verify']), merchant.run(['doctor', '--json'])])
    expect([json.code, people.code, doctor.code]).toEqual([1, 1, 1])
    const { checks } = json.json() as { checks: { name: string; violations: number; examples?: string[] }[] }
    expect(checks.find(({ name }) => name === 'ledger_equals_counters')).toMatchObject({ violations: 2, examples: [expect.stringMatching(/item/), expect.any(String)] })
    expect(people.stdout).toMatch(/ledger_equals_counters +\d+ +2/)
    expect(doctor.json()).toMatchObject({ ok: false })
  })
})
