import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { countFact, createWorld, orderFact, type World } from '../core/world.ts'
import { crossdock, crossdockEach, type Ran } from '../kit/commandLine.ts'

/** A merchant's database with a day's work in it, and a configuration that fits it, for the real program beside it. */
export interface Merchant {
  world: World
  folder: string
  /** Event that waits for a person, with its dead letter. */
  parked: { event: number; letter: number }
  run: (args: readonly string[], options?: { input?: string }) => Promise<Ran>
  /** Several, one after the other in one process. */
  runEach: (...lines: string[][]) => Promise<Ran[]>
  close: () => Promise<void>
}

const KEY = Buffer.alloc(32, 5).toString('base64')
const connection = (id: string, port: number) => `
  - id: ${id}
    connector: woocommerce
    company: acme
    serves_from: [north]
    local: true
    settings: { site_url: 'http://127.0.0.1:${port}/${id}', consumer_key: ck, consumer_secret: very-secret, webhook_secrets: [s] }`

const configText = (port: number, folder: string) => `
database: { url: '\${DATABASE_URL}' }
secrets: { vault_key: '${KEY}' }
companies: [{ id: acme, name: Acme }]
locations:
  - { id: north, company: acme, name: North, kind: 3pl, country: DE, connection: wms, external_code: N1 }
  - { id: south, company: acme, name: South, kind: 3pl, country: DE, connection: wms, external_code: S1 }
items:
  - { sku: TEA, company: acme }
  - { sku: MUG, company: acme }
connections: ${connection('shop', port)} ${connection('mall', port)}
  - id: wms
    connector: filedrop
    company: acme
    settings: { partner: depot, location_code: N1, transport: { kind: folder, root: '${folder}' } }
`

export async function openMerchant(): Promise<Merchant> {
  const world = await createWorld()
  await world.apply('wms', countFact(world, 'N1', -1, { TEA: 30, MUG: 5 }))
  await world.apply('shop', orderFact(world, 'A', [{ sku: 'TEA', quantity: 2 }]))
  const parked = await parkOne(world)
  const folder = mkdtempSync(join(tmpdir(), 'crossdock-cli-'))
  const vendor = await startVendor()
  const { port } = vendor.address() as AddressInfo
  writeFileSync(join(folder, 'crossdock.yaml'), configText(port, folder))
  const env = { DATABASE_URL: world.db.url, CROSSDOCK_CONFIG: join(folder, 'crossdock.yaml') }
  return {
    world,
    folder,
    parked,
    run: (args, options) => crossdock(args, { env, ...options }),
    runEach: (...lines) => crossdockEach(lines, { env }),
    close: async () => {
      vendor.close()
      rmSync(folder, { recursive: true, force: true })
      await world.drop()
    },
  }
}

async function parkOne({ db }: World): Promise<Merchant['parked']> {
  const [event] = await db.query<{ id: number }>(`
    insert into inbox (connection_id, source, topic, dedupe_key, body_sha256, observed_at, received_at, next_attempt_at, state, cause_code, cause_detail)
    values ('shop', 'webhook', 'order', 'k1', '\\x00', now(), now(), now(), 'parked', 'payload_invalid', 'no id') returning id`)
  const [letter] = await db.query<{ id: number }>(
    `insert into dead_letters (connection_id, source, source_id, kind, code, detail, created_at)
     values ('shop', 'inbox', $1, 'order', 'payload_invalid', 'no id', now()) returning id`,
    [event?.id],
  )
  return { event: event?.id ?? 0, letter: letter?.id ?? 0 }
}

/** Two shops on one host: one has no orders yet, the other has thrown our key away. */
function startVendor(): Promise<Server> {
  const server = createServer((request, response) => {
    const isKnown = request.url?.startsWith('/shop/') === true
    response.writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
    response.end(isKnown ? '[]' : '{"code":"woocommerce_rest_cannot_view","message":"Sorry"}')
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}
