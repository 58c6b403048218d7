import { request } from 'node:http'
import { join } from 'node:path'
import { pino } from 'pino'
import { loadConfig, type Config } from '../../src/config.ts'
import { connectors } from '../../src/connectors/index.ts'
import { signHmac } from '../../src/connectors/_kit/signatures.ts'
import { startHub, type RunningHub } from '../../src/main.ts'
import { startSandbox, type Sandbox } from '../../src/main/sandbox.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { makeDataFolder, SANDBOX_CONFIG, type Variables } from './program.ts'

/** A hub of the sandbox configuration on a test database, with simulated vendors that keep their peace and no buyers. */
export interface Flow {
  database: TestDatabase
  sandbox: Sandbox
  /** What a command needs in its environment to work on the same database. */
  variables: Variables
  /** Starts the hub, or starts it again with another configuration. */
  start: (change?: (config: Config) => Config) => Promise<RunningHub>
  close: () => Promise<void>
}

export async function openFlow(): Promise<Flow> {
  const database = await createTestDatabase()
  const folder = await makeDataFolder()
  const variables = { DATABASE_URL: database.url, CROSSDOCK_DATA_DIR: folder.path, PORT: '0', SANDBOX_PORT_BASE: '0' }
  const configured = loadConfig(SANDBOX_CONFIG, { connectors, variables })
  const sandbox = await startSandbox(configured, { keep: false, faults: KIND, now: () => new Date() })
  const log = pino({ level: process.env['TEST_LOG'] ?? 'silent' })
  let running: RunningHub | undefined
  return {
    database,
    sandbox,
    variables,
    start: async (change = (config) => config) => {
      await running?.close()
      running = undefined
      running = await startHub({ config: change(sandbox.config), log, role: 'all' })
      sandbox.world.connectTo(running.url ?? '')
      return running
    },
    close: async () => {
      await sandbox.world.stop()
      await running?.close()
      await database.drop()
      folder.remove()
    },
  }
}

/** Where the files of the simulated 3PL arrive. */
export const incomingFolder = ({ variables }: Flow): string =>
  join(variables['CROSSDOCK_DATA_DIR'] ?? '', 'sandbox', 'threepl', 'incoming')

export interface SignedOrder {
  /** Address of the hub. */
  url: string
  connection_id: string
  settings: Readonly<Record<string, unknown>>
  /** Names the delivery; the same one again is a duplicate. */
  webhook_id: string
  body: string | Buffer
  topic?: string
}

export interface Answer {
  /** 0: nobody answered. */
  status: number
  retry_after: string | undefined
}

/** Posts an order as Shopify would: signed with the connection's own secret. */
export function postShopifyOrder({
  url,
  connection_id,
  settings,
  webhook_id,
  body,
  topic = 'orders/create',
}: SignedOrder): Promise<Answer> {
  const bytes = Buffer.from(body)
  const [secret = ''] = settings['webhook_secrets'] as string[]
  const headers = {
    'content-type': 'application/json',
    'content-length': bytes.length,
    'x-shopify-topic': topic,
    'x-shopify-hmac-sha256': signHmac(bytes, secret, 'base64'),
    'x-shopify-shop-domain': String(settings['shop']),
    'x-shopify-webhook-id': webhook_id,
    'x-shopify-triggered-at': new Date().toISOString(),
  }
  return new Promise((resolve) => {
    const outgoing = request(
      `${url}/webhooks/${connection_id}`,
      { method: 'POST', headers, agent: false, signal: AbortSignal.timeout(15_000) },
      (answer) => {
        answer.resume()
        answer.once('close', () =>
          resolve({
            status: answer.complete ? (answer.statusCode ?? 0) : 0,
            retry_after: answer.headers['retry-after'],
          }),
        )
      },
    )
    outgoing.once('error', () => resolve({ status: 0, retry_after: undefined }))
    outgoing.end(bytes)
  })
}

export function settingsOf(config: Config, connection_id: string): Readonly<Record<string, unknown>> {
  const found = config.connections.find(({ id }) => id === connection_id)
  if (found === undefined) throw new Error(`no connection ${connection_id}`)
  return found.settings
}
