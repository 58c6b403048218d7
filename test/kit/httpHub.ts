import Type from 'typebox'
import { defineConnector, type Connector } from '../../src/connectors/_kit/define.ts'
import { bodySignature, signHmac, verifyScheme } from '../../src/connectors/_kit/signatures.ts'
import { HubError } from '../../src/core/errors.ts'
import { createIntake, type Intake } from '../../src/db/inbox.ts'
import { createApiKey } from '../../src/http/auth.ts'
import { hashPassword } from '../../src/http/passwords.ts'
import type { Role } from '../../src/http/policies.ts'
import { buildServer, type ServerOptions } from '../../src/http/server.ts'
import type { App } from '../../src/http/app.ts'
import type { Hub } from '../../src/hub.ts'
import { defineMapping } from '../../src/mappings/define.ts'
import { openQueues, type OpenQueues } from '../../src/queues/bull.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { rememberingQueues, seedConnections, testHub, type TestConnection } from './testHub.ts'

/** A shop nobody sells software for: signs with HMAC-SHA256 in base64, pings without a signature. */
const corner: Connector = defineConnector({
  id: 'corner',
  label: 'Corner shop',
  kind: 'storefront',
  grade: 'fixtures',
  settings: Type.Object({ secret: Type.String({ secret: true }) }),
  webhook: {
    content_types: ['application/json', 'application/x-www-form-urlencoded'],
    acknowledges: (request) => request.headers['x-corner-ping'] === 'yes',
    verify: (request, { secret }) => verifyScheme(bodySignature('x-corner-signature'), request, [secret]),
    topic: (request) => request.headers['x-corner-topic'] ?? 'order',
    dedupeKey: (request) => request.headers['x-corner-delivery'] ?? '',
  },
  test: async () => 'shop Corner, open since 1904',
  inbound: {
    order: defineMapping({
      from: Type.Object({ id: Type.String(), buyer_email: Type.String() }),
      map: ({ id, buyer_email }, { observed_at }) => [
        {
          kind: 'privacy',
          document: {
            external_id: `${id} ${observed_at.slice(0, 4)}`,
            action: 'data_request',
            buyer_external_id: null,
            buyer_email,
            order_external_ids: [id],
          },
        },
      ],
    }),
  },
})

/** Has no webhook and nothing to test. */
const mute: Connector = defineConnector({
  id: 'mute',
  label: 'Mute',
  kind: 'erp',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound: {},
})

const CORNER_SECRET = 'a secret between the two of us'
const WEBHOOK_BYTES_MAX = 4_096

const CONNECTIONS: readonly TestConnection[] = [
  {
    id: 'corner-eu',
    connector: corner,
    settings: { secret: CORNER_SECRET },
    config: { webhooks: { body_bytes_max: WEBHOOK_BYTES_MAX } },
  },
  { id: 'mute-eu', connector: mute },
]

export const signed = (body: string | Buffer, secret = CORNER_SECRET): string => signHmac(body, secret, 'base64')

export const PASSWORD = 'correct horse battery staple'

export interface HttpHub {
  hub: Hub
  app: App
  database: TestDatabase
  intake: Intake
  /** API keys of every role. */
  keys: Record<Role, string>
  close: () => Promise<void>
}

export interface HttpHubOptions {
  /** Real queues, for the board; without them the queues only remember. */
  queues?: 'real' | 'remembering'
  server?: Partial<ServerOptions>
}

/** A hub with users (`viewer`, `operator`, `finance`, `admin`, all with PASSWORD) and keys of every role, and its server. */
export async function openHttpHub(options: HttpHubOptions = {}): Promise<HttpHub> {
  const database = await createTestDatabase()
  const { db } = database
  const real: OpenQueues | undefined =
    options.queues === 'real'
      ? await openQueues({
          database_url: database.url,
          redis_url: '',
          log: { info: () => {}, warn: () => {}, error: () => {} },
        })
      : undefined
  await seedConnections(db, CONNECTIONS)
  const bare = testHub({ db, queues: real ?? rememberingQueues(), connections: CONNECTIONS })
  const hub: Hub = {
    ...bare,
    config: {
      ...bare.config,
      hub: { ...bare.config.hub, host: '127.0.0.1', port: 0, log_level: 'silent', environment: 'sandbox' },
      users: [],
    },
  }
  const password_hash = await hashPassword(PASSWORD)
  const keys = {} as Record<Role, string>
  for (const role of ['viewer', 'operator', 'finance', 'admin'] as const) {
    await db.query(
      `insert into users (name, role, password_hash, source, created_at) values ($1, $1, $2, 'config', now())`,
      [role, password_hash],
    )
    keys[role] = (
      await createApiKey(db, { name: `${role} key`, role, created_by: 'test', now: hub.clock.now() })
    ).secret
  }
  const intake = createIntake({ db, vault: hub.vault, wake: async () => {}, onWakeFailed: () => {} })
  const app = await buildServer(hub, { intake, boards: real?.bullQueues ?? new Map(), ...options.server })
  return {
    hub,
    app,
    database,
    intake,
    keys,
    close: async () => {
      await app.close()
      await intake.close()
      await real?.close()
      await database.drop()
    },
  }
}

/** What a browser sends with a form of our own page. */
export const SAME_SITE = {
  'sec-fetch-site': 'same-origin',
  origin: 'http://localhost:3000',
  host: 'localhost:3000',
} as const

/** Logs in through the form and returns the cookie header. */
export async function logIn(app: App, name: string): Promise<string> {
  const answer = await app.inject({
    method: 'POST',
    url: '/login',
    headers: { ...SAME_SITE, 'content-type': 'application/x-www-form-urlencoded' },
    payload: new URLSearchParams({ name, password: PASSWORD }).toString(),
  })
  const cookie = answer.cookies.find((entry) => entry.name.endsWith('crossdock'))
  if (answer.statusCode !== 303 || cookie === undefined)
    throw new HubError('internal', `the login answered ${answer.statusCode}: ${answer.body.slice(0, 200)}`)
  return `${cookie.name}=${cookie.value}`
}
