import type { Logger } from 'pino'
import type { Config, ConnectionConfig } from './config.ts'
import type { Connector, Port } from './connectors/_kit/define.ts'
import type { Db } from './db/pool.ts'
import type { Queues } from './queues/define.ts'
import type { Vault } from './core/people/vault.ts'

/** Time, identity and chance are handed in by `main`, so that a simulator can own them. */
export interface Clock {
  now: () => Date
}

export interface Ids {
  /** UUID version 7: sorts by time. */
  uuid: () => string
}

export interface Random {
  /** In [0, 1). For jitter and sampling only, never for secrets. */
  next: () => number
}

/** One configured account of a connector, ready to be called. */
export interface Connection {
  readonly id: string
  readonly connector: Connector
  readonly config: ConnectionConfig
  readonly port: Port
}

/** Everything a job, a route or a command is handed. There is no container and no global. */
export interface Hub {
  readonly config: Config
  readonly db: Db
  readonly clock: Clock
  readonly ids: Ids
  readonly random: Random
  readonly log: Logger
  readonly vault: Vault
  readonly connections: ReadonlyMap<string, Connection>
  readonly queues: Queues
}
