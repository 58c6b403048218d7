import type { Logger } from 'pino'
import type { Config } from './config.ts'
import { vaultKey } from './config.ts'
import { syncCatalog } from './core/inventory/catalog.ts'
import { syncTariffs } from './core/fees/tariffs.ts'
import { syncLabels } from './core/labels/syncLabels.ts'
import { syncRouting } from './core/routing/syncRouting.ts'
import { openVault } from './core/people/vault.ts'
import { createIntake, type Intake } from './db/inbox.ts'
import { migrate } from './db/migrate.ts'
import { openDb } from './db/pool.ts'
import { inTransaction } from './db/transaction.ts'
import { ensureFirstUser, type FirstUser } from './http/auth.ts'
import { startServer } from './http/server.ts'
import type { Hub } from './hub.ts'
import { catalogOf, tariffsOf } from './main/catalog.ts'
import { connectAll } from './main/connect.ts'
import { openDatabase, type Database } from './main/database.ts'
import { systemParts, type Parts } from './main/parts.ts'
import { openQueues, type OpenQueues } from './queues/bull.ts'
import { coreContext } from './queues/context.ts'
import { jobs } from './queues/jobs/index.ts'
import { startSweeper } from './queues/sweep.ts'
import { wakeAll, wakeDrain } from './queues/wake.ts'

export const ROLES = ['all', 'api', 'worker'] as const
export type Role = (typeof ROLES)[number]

export interface HubOptions {
  config: Config
  log: Logger
  parts?: Parts
  /** Where the database is, when the caller has opened it already (the command line beside a running hub). */
  database?: Database
  /** Keeps hubs apart that share one Redis. */
  queue_prefix?: string
}

/** A hub whose parts are connected and where nothing runs yet: enough for every command. */
export interface OpenHub {
  hub: Hub
  queues: OpenQueues
  database: Database
  close: () => Promise<void>
}

export interface RunningHub extends OpenHub {
  /** Address of the HTTP side; absent in the worker role. */
  url: string | undefined
  /** Printed once: the administrator made because there was no user anywhere. */
  firstUser: FirstUser | undefined
}

/** Database, schema, catalogue, connections and queues, in the order in which each needs the one before. */
export async function openHub(options: HubOptions): Promise<OpenHub> {
  const { config, log } = options
  const { clock, ids, random } = options.parts ?? systemParts()
  const database = options.database ?? (await openDatabase(config, log))
  const opened: { close: () => Promise<void> }[] = [{ close: database.stop }]
  const close = async (): Promise<void> => {
    for (const part of opened.toReversed()) await part.close()
  }
  try {
    await migrate(database.url)
    const db = openDb({ url: database.url, pool_max: config.database.pool_max, application_name: 'crossdock', log })
    opened.push(db)
    const vault = openVault(await vaultKey(config.secrets.vault_key, config.vault_key_file))
    const connections = connectAll(config, { db, log, clock, random, vault })
    opened.push({
      close: async () =>
        void (await Promise.allSettled([...connections.values()].map(({ port }) => port.files.close()))),
    })
    const queues = await openQueues({
      database_url: database.url,
      redis_url: config.redis.url,
      log,
      ...(options.queue_prefix === undefined ? {} : { temporary_prefix: options.queue_prefix }),
    })
    opened.push(queues)
    const hub: Hub = { config, db, clock, ids, random, log, vault, connections, queues }
    await inTransaction(db, async (tx) => {
      await syncCatalog(tx, coreContext(hub), catalogOf(config))
      await syncRouting(tx, coreContext(hub), config)
      await syncLabels(tx, config)
      await syncTariffs(tx, tariffsOf(config), clock.now())
    })
    return { hub, queues, database, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** Opens the hub and sets it to work in this process. `stop` by `close`: no new work, what runs is finished or re-driven later. */
export async function startHub(options: HubOptions & { role: Role }): Promise<RunningHub> {
  const open = await openHub(options)
  const { hub, queues } = open
  const { config } = hub
  const running: { close: () => Promise<void> }[] = []
  let working = false
  const close = async (): Promise<void> => {
    for (const part of running.toReversed()) await part.close()
    await open.close()
  }
  try {
    if (options.role !== 'api') {
      running.push(await queues.startWorkers(hub, jobs))
      running.push(startSweeper(hub))
      working = true
    }
    if (options.role === 'worker' && config.hub.worker_port === 0)
      return { ...open, url: undefined, firstUser: undefined, close }
    const firstUser = await ensureFirstUser(hub)
    const intake = intakeOf(hub)
    running.push(intake)
    const served: Hub =
      options.role === 'worker'
        ? { ...hub, config: { ...config, hub: { ...config.hub, port: config.hub.worker_port } } }
        : hub
    const public_url = config.hub.public_url === '' ? {} : { public_url: config.hub.public_url }
    const server = await startServer(served, {
      intake,
      boards: queues.bullQueues,
      role: options.role,
      isWorking: () => working,
      ...public_url,
    })
    running.push(server)
    return { ...open, url: server.url, firstUser, close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

const intakeOf = (hub: Hub): Intake =>
  createIntake({
    db: hub.db,
    vault: hub.vault,
    wake: (connection_id) => wakeAll(hub, [wakeDrain(connection_id)]),
    onWakeFailed: (connection_id, thrown) =>
      hub.log.warn({ connection: connection_id, reason: String(thrown) }, 'a wake-up got lost'),
  })
