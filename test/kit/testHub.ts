import pino from 'pino'
import Value from 'typebox/value'
import { uuidv7 } from 'uuidv7'
import type { Config, ConnectionConfig } from '../../src/config.ts'
import { FinanceSection } from '../../src/config/financeSchema.ts'
import type { Connector, FileStore, Http, Port } from '../../src/connectors/_kit/define.ts'
import { openVault } from '../../src/core/people/vault.ts'
import { nextNumber } from '../../src/db/numbers.ts'
import type { Db } from '../../src/db/pool.ts'
import type { Connection, Hub } from '../../src/hub.ts'
import type { Queues } from '../../src/queues/define.ts'

export interface TestClock {
  now: () => Date
  /** Moves the hub's clock; the operating system's goes on as it is. */
  forward: (ms: number) => void
}

/** The system's time plus what a test has added to it. */
export function testClock(): TestClock {
  let ahead = 0
  return {
    now: () => new Date(Date.now() + ahead),
    forward: (ms) => {
      ahead += ms
    },
  }
}

export const TEST_VAULT_KEY = Buffer.alloc(32, 7)

export interface TestConnection {
  id: string
  connector: Connector
  settings?: Record<string, unknown>
  http?: Http
  files?: FileStore
  config?: Partial<ConnectionConfig>
}

/** A hub over a real database and real queues, with connections that a test made up. */
export function testHub(parts: {
  db: Db
  queues: Queues
  connections: readonly TestConnection[]
  clock?: TestClock
}): Hub {
  const connections = new Map(
    parts.connections.map((connection) => [connection.id, connectionOf(connection, parts.db)]),
  )
  return {
    config: {
      companies: [{ id: 'acme', name: 'Acme' }],
      locations: [{ id: 'berlin', company: 'acme', name: 'Berlin', kind: 'warehouse', country: 'DE' }],
      connections: [...connections.values()].map(({ config }) => config),
      finance: Value.Default(FinanceSection, {}),
      tariffs: [],
    } as unknown as Config,
    db: parts.db,
    clock: parts.clock ?? testClock(),
    ids: { uuid: uuidv7 },
    random: { next: () => 0.5 },
    log: pino({ level: process.env['TEST_LOG'] ?? 'silent' }),
    vault: openVault(TEST_VAULT_KEY),
    connections,
    queues: parts.queues,
  }
}

function connectionOf({ id, connector, settings = {}, http, files, config }: TestConnection, db: Db): Connection {
  const full: ConnectionConfig = {
    id,
    connector: connector.id,
    company: 'acme',
    serves_from: ['berlin'],
    local: true,
    listings: 'by_sku',
    orders: { unpaid: 'hold', hold_minutes: 60, shortfall: 'partial', priority: 100, release_after_seconds: 0 },
    availability: {
      buffer: 0,
      share_percent: 100,
      push: true,
      adaptive: { enabled: false, oversell_weight: 1, units_max: 50 },
    },
    holds: { minutes_max: 30, units_max: 10_000, units_per_item_max: 1_000 },
    pull: { overlap_seconds: 120 },
    webhooks: { body_bytes_max: 1_048_576 },
    settings,
    ...config,
  }
  const numbers: Port['numbers'] = { next: (sequence, key) => nextNumber(db, id, sequence, key) }
  const port = {
    http: http ?? unusable<Http>('http'),
    files: files ?? unusable<FileStore>('files'),
    numbers,
    settings,
  } as Port
  return { id, connector, config: full, port }
}

function unusable<T extends object>(what: string): T {
  return new Proxy({} as T, {
    get: () => () => Promise.reject(new Error(`this test connection has no ${what}`)),
  })
}

/** The company, its warehouse and the connections' rows, which the composition root writes at start. */
export async function seedConnections(db: Db, connections: readonly TestConnection[]): Promise<void> {
  await db.query(`insert into companies (id, name) values ('acme', 'Acme') on conflict do nothing`)
  await db.query(
    `insert into locations (id, company_id, name, kind, country) values ('berlin', 'acme', 'Berlin', 'warehouse', 'DE') on conflict do nothing`,
  )
  for (const [rank, { id, connector }] of connections.entries()) {
    await db.query(
      `insert into connections (id, connector, company_id) values ($1, $2, 'acme') on conflict do nothing`,
      [id, connector.id],
    )
    await db.query(
      `insert into connection_locations (connection_id, location_id, rank) values ($1, 'berlin', $2) on conflict do nothing`,
      [id, rank],
    )
  }
}

/** Queues that only remember what was added, for tests of what happens around them. */
export interface RememberingQueues extends Queues {
  added: { queue: string; name: string; data: object; options: object }[]
}

export function rememberingQueues(): RememberingQueues {
  const added: RememberingQueues['added'] = []
  return {
    backend: 'postgres',
    added,
    add: async (queue, name, data, options = {}) => void added.push({ queue, name, data, options }),
    addMany: async (queue, jobs) =>
      void added.push(...jobs.map((job) => ({ queue, name: job.name, data: job.data, options: job.options ?? {} }))),
    schedule: async () => undefined,
    remove: async () => undefined,
    counts: async () => new Proxy({}, { get: () => ({}) }) as Awaited<ReturnType<Queues['counts']>>,
    close: async () => undefined,
  }
}
