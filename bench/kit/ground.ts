import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { pino } from 'pino'
import { loadConfig, type Config } from '../../src/config.ts'
import { connectors } from '../../src/connectors/index.ts'
import { applyFacts } from '../../src/core/apply.ts'
import { startEmbedded } from '../../src/db/embedded.ts'
import { openSession, type Session } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { openHub, startHub, type HubOptions, type OpenHub, type RunningHub } from '../../src/main.ts'
import { coreContext } from '../../src/queues/context.ts'
import {
  COMPANY,
  inventoryItemOf,
  LOCATION,
  OUTLET,
  SHOP,
  SKUS,
  skuOf,
  STOCK_OF_EACH,
  STORE,
  WAREHOUSE,
  WEBHOOK_SECRET,
} from './shop.ts'

const TEMPLATE = 'bench_template'
const CONTROL_MS = 250
const CONFIG_FILE = 'config.json'
const DROP_ATTEMPTS_MAX = 100

/** What differs from one place to the next. */
export interface PlaceOptions {
  /** Where the storefronts listen, by connection; by default nowhere. */
  channels?: Readonly<Record<string, string>>
  /** Grace before work goes to the 3PL: a long one keeps the outgoing half out of a measurement of the incoming one. */
  release_after_seconds: number
}

/** A private database server with a stocked shop to copy. */
export interface Ground {
  backend: 'postgres' | 'redis'
  redis_url: string
  /** For a process of its own: the configuration's file, and a prefix for its queues that begins with this. */
  config_file: string
  queue_prefix: string
  /** Address of a fresh copy of the shop, and how to be rid of it. */
  database: () => Promise<{ url: string; drop: () => Promise<void> }>
  /** A hub on a fresh copy, connected, with nothing running. Closing it drops the copy. */
  open: (options: PlaceOptions) => Promise<OpenHub>
  /** The HTTP side of a hub on a fresh copy; workers are the caller's. */
  startApi: (options: PlaceOptions) => Promise<RunningHub>
  commitsPerSecond: () => Promise<number>
  close: () => Promise<void>
}

const log = pino({ level: process.env['BENCH_LOG'] ?? 'silent' }, pino.destination(2))

/** Starts PostgreSQL as the product does, with its own settings: every commit is flushed to disk. `dir` should be on a real disk. */
export async function openGround(options: { redis_url: string; dir: string | undefined }): Promise<Ground> {
  const folder = mkdtempSync(join(options.dir ?? tmpdir(), 'crossdock-bench-'))
  // The built-in PostgreSQL runs as a user of its own when the bench is run by root, so the folder must let it pass.
  chmodSync(folder, 0o755)
  const server = await startEmbedded({ data_dir: join(folder, 'postgres'), port: 0, log })
  const admin = await openSession({ url: server.url, application_name: 'bench-admin' })
  await assertDurable(admin)
  const config = writeConfig(folder, options.redis_url)
  const prefix = `bench-${process.pid}`
  let copies = 0

  const database = async (name = `bench_${(copies += 1)}`, template = TEMPLATE) => {
    await admin.query(`create database ${name} template ${template}`)
    const url = new URL(server.url)
    url.pathname = `/${name}`
    return { url: url.href, drop: () => dropDatabase(admin, name) }
  }
  const hubOptions = async (place: PlaceOptions): Promise<HubOptions> => {
    const { url, drop } = await database()
    return {
      config: configFor(config, place),
      log,
      database: { url, place: 'bench', stop: drop },
      queue_prefix: `${prefix}-${copies}`,
    }
  }
  const ground: Ground = {
    backend: options.redis_url === '' ? 'postgres' : 'redis',
    redis_url: options.redis_url,
    config_file: join(folder, CONFIG_FILE),
    queue_prefix: prefix,
    database: () => database(),
    open: async (place) => openHub(await hubOptions(place)),
    startApi: async (place) => startHub({ ...(await hubOptions(place)), role: 'api' }),
    commitsPerSecond: () => countCommits(admin),
    close: async () => {
      await removeKeys(options.redis_url, prefix)
      await admin.close()
      await server.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await admin.query('create table control (id int primary key, n bigint not null); insert into control values (1, 0)')
    const template = await database(TEMPLATE, 'template0')
    await stockShop({
      config: configFor(config, { release_after_seconds: 0 }),
      log,
      database: { url: template.url, place: 'bench', stop: () => Promise.resolve() },
      queue_prefix: `${prefix}-0`,
    })
    return ground
  } catch (thrown) {
    await ground.close()
    throw thrown
  }
}

/** A figure without flushed commits would be worth nothing, so the bench refuses to make one. */
async function assertDurable(admin: Session): Promise<void> {
  for (const setting of ['fsync', 'synchronous_commit', 'full_page_writes']) {
    const [row] = await admin.query<Record<string, string>>(`show ${setting}`)
    if (row?.[setting] !== 'on') throw new Error(`the bench's PostgreSQL has ${setting} ${row?.[setting] ?? 'unknown'}`)
  }
}

/** A pool that was closed a moment ago takes another one to be gone; a connection that is cut would tell of it in alarm. */
async function dropDatabase(admin: Session, name: string): Promise<void> {
  for (let attempt = 0; attempt < DROP_ATTEMPTS_MAX; attempt += 1) {
    const users = await admin.query('select 1 from pg_stat_activity where datname = $1', [name])
    if (users.length === 0) break
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  await admin.query(`drop database ${name} with (force)`)
}

async function countCommits(admin: Session): Promise<number> {
  const started = performance.now()
  let commits = 0
  while (performance.now() - started < CONTROL_MS) {
    await admin.query('update control set n = n + 1 where id = $1', [1])
    commits += 1
  }
  return (commits * 1_000) / (performance.now() - started)
}

function writeConfig(folder: string, redis_url: string): Config {
  const store = (id: string, api_url: string): object => ({
    id,
    connector: 'shopify',
    company: COMPANY,
    serves_from: [LOCATION],
    holds: { units_max: 1_000_000, units_per_item_max: 1_000_000 },
    local: true,
    settings: {
      shop: SHOP,
      access_token: 'bench-token',
      webhook_secrets: [WEBHOOK_SECRET],
      location_id: 'gid://shopify/Location/1',
      points_per_second: 4_000,
      api_url,
    },
  })
  const document = {
    hub: { host: '127.0.0.1', port: 0 },
    redis: { url: redis_url },
    secrets: { vault_key: randomBytes(32).toString('base64') },
    companies: [{ id: COMPANY, name: 'Bench' }],
    locations: [
      {
        id: LOCATION,
        company: COMPANY,
        name: 'Main',
        kind: '3pl',
        country: 'DE',
        connection: WAREHOUSE,
        external_code: LOCATION,
      },
    ],
    items_csv: './items.csv',
    connections: [
      store(STORE, 'http://127.0.0.1:9'),
      store(OUTLET, 'http://127.0.0.1:9'),
      {
        id: WAREHOUSE,
        connector: 'filedrop',
        company: COMPANY,
        settings: { partner: 'bench', transport: { kind: 'folder', root: join(folder, '3pl') } },
      },
    ],
  }
  const skus = Array.from({ length: SKUS }, (_, rank) => `${skuOf(rank)},Item ${rank},${COMPANY}`)
  for (const name of ['incoming', 'outgoing', 'processed', 'error', 'acks'])
    mkdirSync(join(folder, '3pl', name), { recursive: true })
  writeFileSync(join(folder, 'items.csv'), ['sku,name,company', ...skus, ''].join('\n'))
  writeFileSync(join(folder, CONFIG_FILE), JSON.stringify(document))
  return loadConfig(join(folder, CONFIG_FILE), { connectors, variables: {} })
}

export function configFor(config: Config, { channels = {}, release_after_seconds }: PlaceOptions): Config {
  const connections = config.connections.map((connection) => {
    const api_url = channels[connection.id]
    const settings = api_url === undefined ? connection.settings : { ...connection.settings, api_url }
    return { ...connection, settings, orders: { ...connection.orders, release_after_seconds } }
  })
  return { ...config, connections }
}

/**
 * A shop in its ordinary state: everything listed on both storefronts, counted by the 3PL, and told to the channels. Listings and counts
 * go through the product's own code; only the channels' answers to twenty thousand first pushes are taken for granted.
 */
async function stockShop(options: HubOptions): Promise<void> {
  const { hub, close } = await openHub(options)
  try {
    const ctx = coreContext(hub)
    const skus = Array.from({ length: SKUS }, (_, rank) => skuOf(rank))
    const listings = [STORE, OUTLET].flatMap((connection_id) =>
      skus.map((sku) => ({
        connection_id,
        source: 'bench',
        fact: {
          kind: 'listing' as const,
          document: {
            channel_sku: sku,
            title: sku,
            external: { inventory_item_id: inventoryItemOf(sku) },
            quantity: null,
          },
        },
      })),
    )
    const lines = skus.map((sku) => ({ sku, on_hand: STOCK_OF_EACH, damaged: 0, quality_control: 0 }))
    const document = { external_id: 'count-1', location_code: LOCATION, as_of: ctx.now.toISOString(), lines }
    const count = { connection_id: WAREHOUSE, source: 'bench', fact: { kind: 'stock_count' as const, document } }
    const { outcomes } = await inTransaction(hub.db, (tx) => applyFacts(tx, ctx, [...listings, count]))
    if (outcomes.some((outcome) => outcome.kind !== 'applied')) throw new Error('the shop could not be stocked')
    await hub.db.query(
      `update availability set sent_seq = dirty_seq, state = 'ok', proven_quantity = ${STOCK_OF_EACH}, proven_at = $1`,
      [ctx.now],
    )
    // Only what has rows: a table that was found empty is planned as one that stays so, which a fresh installation's tables are not.
    await hub.db.query('vacuum (analyze) items, listings, listing_items, availability, stock, stock_ledger')
  } finally {
    await close()
  }
}

async function removeKeys(redis_url: string, prefix: string): Promise<void> {
  if (redis_url === '') return
  const client = new Redis(redis_url)
  for await (const keys of client.scanStream({ match: `${prefix}-*`, count: 1_000 }) as AsyncIterable<string[]>) {
    if (keys.length > 0) await client.unlink(...keys)
  }
  await client.quit()
}
