import type { Logger } from 'pino'
import type { Config, ConnectionConfig } from '../config.ts'
import { HubError } from '../core/errors.ts'
import { connectors } from '../connectors/index.ts'
import type { Connector, FileStore, Http, MessageQueue, Numbers, Port } from '../connectors/_kit/define.ts'
import { noteExchange } from '../connectors/_kit/exchanges.ts'
import { openFileStore } from '../connectors/_kit/files.ts'
import { createHttp, type HttpAttempt } from '../connectors/_kit/http.ts'
import { breakerMirror, createBreaker, createLimiter } from '../connectors/_kit/limits.ts'
import { createMessageQueue } from '../connectors/_kit/messages.ts'
import type { Vault } from '../core/people/vault.ts'
import { nextNumber } from '../db/numbers.ts'
import type { Db } from '../db/pool.ts'
import { openTokens } from '../db/tokens.ts'
import type { Clock, Connection, Random } from '../hub.ts'

export interface ConnectParts {
  db: Db
  log: Logger
  clock: Clock
  random: Random
  vault: Vault
}

/** Makes every configured connection callable. Nothing is called yet. */
export function connectAll(config: Config, parts: ConnectParts): ReadonlyMap<string, Connection> {
  return new Map(config.connections.map((connection) => [connection.id, connect(connection, parts)]))
}

function connect(config: ConnectionConfig, parts: ConnectParts): Connection {
  const connector = connectors[config.connector]
  if (connector === undefined) throw new HubError('config_invalid', `there is no connector "${config.connector}"`)
  const port: Port = {
    http: httpOf(connector, config, parts),
    files: filesOf(connector, config),
    numbers: numbersOf(config, parts),
    messages: messagesOf(connector, config, parts),
    settings: config.settings,
  }
  return { id: config.id, connector, config, port }
}

function httpOf(connector: Connector, config: ConnectionConfig, parts: ConnectParts): Http {
  const { db, log, clock, random, vault } = parts
  const definition = connector.http
  if (definition === undefined) {
    const refuse = (): Promise<never> => Promise.reject(missing(connector, 'an HTTP API'))
    return { request: refuse, transfer: refuse }
  }
  return createHttp({
    connection_id: config.id,
    definition,
    settings: config.settings,
    allow_private: config.local,
    limiter: createLimiter({
      connection_id: config.id,
      limit: definition.limit(config.settings),
      limits: definition.limits?.(config.settings) ?? {},
      store: { kind: 'postgres', db },
    }),
    breaker: createBreaker({
      connection_id: config.id,
      now: clock.now,
      mirror: breakerMirror(db, config.id, (thrown) =>
        log.warn({ connection: config.id, reason: String(thrown) }, 'breaker state not written'),
      ),
    }),
    tokens: openTokens(db, vault, config.id),
    observe: observer(config, log),
    random: random.next,
    now: clock.now,
  })
}

const observer =
  ({ id }: ConnectionConfig, log: Logger) =>
  (attempt: HttpAttempt): void => {
    noteExchange(attempt)
    const { operation, status, duration_ms, outcome } = attempt
    log.debug({ connection: id, operation, status, duration_ms, outcome }, 'vendor call')
  }

const numbersOf = ({ id }: ConnectionConfig, { db }: ConnectParts): Numbers => ({
  next: (sequence, key) => nextNumber(db, id, sequence, key),
})

function messagesOf(connector: Connector, config: ConnectionConfig, { log }: ConnectParts): MessageQueue {
  if (connector.messages === undefined) {
    const refuse = (): Promise<never> => Promise.reject(missing(connector, 'a message queue'))
    return { receive: refuse, remove: refuse }
  }
  return createMessageQueue({
    settings: connector.messages(config.settings),
    allow_private: config.local,
    observe: observer(config, log),
  })
}

function filesOf(connector: Connector, config: ConnectionConfig): FileStore {
  if (connector.files !== undefined) return openFileStore(connector.files.store(config.settings))
  const refuse = (): Promise<never> => Promise.reject(missing(connector, 'files'))
  return { list: refuse, read: refuse, write: refuse, rename: refuse, exists: refuse, close: () => Promise.resolve() }
}

const missing = (connector: Connector, what: string): HubError =>
  new HubError('unsupported', `connector ${connector.id} has no ${what}`)
