import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { HttpAnswer, HttpCall, HttpDefinition, TokenGrant } from '../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt, type HttpOptions } from '../../src/connectors/_kit/http.ts'
import { createBreaker } from '../../src/connectors/_kit/limits.ts'
import { openVault } from '../../src/core/people/vault.ts'
import { openDb, type Db } from '../../src/db/pool.ts'
import { openTokens } from '../../src/db/tokens.ts'
import { createTestDatabase, type TestDatabase } from '../kit/database.ts'

/** A vendor with a token endpoint whose refresh tokens rotate: each is good once, and the access token before is void at once. */
interface Vendor {
  url: string
  close: () => Promise<void>
  granted: number
  /** Bodies and authorization headers that the token endpoint has seen. */
  asked: { form: URLSearchParams; authorization: string | undefined }[]
  carriedOut: number
  refused: number
  refusal_status: number
  access_token: string
  refresh_token: string
  expires_in: unknown
  /** Replaces the token endpoint's next answers. */
  answer: ((response: ServerResponse) => void) | undefined
  beforeGrant: () => Promise<void>
  beforeCall: () => Promise<void>
}

let database: TestDatabase
let second: Db
let vendor: Vendor
let attempts: HttpAttempt[]
const vault = openVault(Buffer.alloc(32, 7))

beforeAll(async () => {
  database = await createTestDatabase()
  second = openDb({ url: database.url, pool_max: 5, application_name: 'second' })
  await database.db.query(`insert into companies (id, name) values ('c', 'C')`)
  await database.db.query(`insert into connections (id, connector, company_id) values ('market', 'x', 'c')`)
})
afterAll(async () => {
  await second.close()
  await database.drop()
})
beforeEach(async () => {
  attempts = []
  vendor = await startVendor()
})
afterEach(async () => {
  await vendor.close()
  await database.db.query('delete from access_tokens')
})

async function startVendor(): Promise<Vendor> {
  const state: Omit<Vendor, 'url' | 'close'> = {
    granted: 0,
    asked: [],
    carriedOut: 0,
    refused: 0,
    refusal_status: 401,
    access_token: '',
    refresh_token: 'refresh-0',
    expires_in: 3600,
    answer: undefined,
    beforeGrant: () => Promise.resolve(),
    beforeCall: () => Promise.resolve(),
  }
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on(
      'end',
      () => void (request.url === '/token?v=1' ? grant : call)(request, response, Buffer.concat(chunks)),
    )
  })
  const grant = async (request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<void> => {
    const form = new URLSearchParams(body.toString())
    state.asked.push({ form, authorization: request.headers.authorization })
    await state.beforeGrant()
    if (state.answer !== undefined) return state.answer(response)
    if (form.get('grant_type') === 'refresh_token' && form.get('refresh_token') !== state.refresh_token)
      return void response.writeHead(400).end('{"error":"invalid_grant","error_description":"used up"}')
    state.granted += 1
    state.access_token = `access-${state.granted}`
    state.refresh_token = `refresh-${state.granted}`
    const { access_token, refresh_token, expires_in } = state
    response.end(JSON.stringify({ access_token, refresh_token, expires_in, token_type: 'bearer' }))
  }
  const call = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    await state.beforeCall()
    const given = request.headers['x-token'] ?? request.headers.authorization?.replace('Bearer ', '')
    if (given !== state.access_token || given === '') {
      state.refused += 1
      return void response.writeHead(state.refusal_status).end('{"code":"expired"}')
    }
    state.carriedOut += 1
    response.end('{}')
  }
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  return Object.assign(state, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  })
}

const rotating: TokenGrant['grant'] = { kind: 'refresh_token', refresh_token: 'refresh-0', rotates: true }

/** One process of the hub, with a pool of its own. */
function hub(
  db: Db,
  grant: Partial<TokenGrant> = {},
  more: Partial<Omit<HttpOptions<object>, 'definition'>> & { definition?: Partial<HttpDefinition<object>> } = {},
) {
  const definition: HttpDefinition<object> = {
    baseUrl: () => `${vendor.url}/api`,
    headers: () => ({}),
    limit: () => ({ calls: 1, per_ms: 1 }),
    token: () => ({
      url: `${vendor.url}/token?v=1`,
      client: { id: 'client', secret: 'hush-hush', sent_as: 'form' },
      grant: rotating,
      ...grant,
    }),
    ...more.definition,
  }
  return createHttp({
    connection_id: 'market',
    settings: {},
    allow_private: true,
    limiter: { take: () => Promise.resolve(), learn: () => undefined },
    breaker: createBreaker({ connection_id: 'market', now: () => new Date(), mirror: () => undefined }),
    tokens: openTokens(db, vault, 'market'),
    observe: (attempt) => void attempts.push(attempt),
    random: () => 0,
    now: () => new Date(),
    ...more,
    definition,
  })
}

const READ: HttpCall = { operation: 'read', method: 'GET', path: '/orders', repeat: 'safe' }
const WRITE: HttpCall = { operation: 'write', method: 'POST', path: '/stock', repeat: 'once', json: { quantity: 1 } }
const expireKept = (): Promise<unknown> =>
  database.db.query(
    `update access_tokens set refreshed_at = now() - interval '2 hours', expires_at = now() - interval '1 hour'`,
  )
const codesOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'ok',
    (thrown: { code: string }) => thrown.code,
  )

describe('a rotating refresh token', () => {
  it('is used once by fifty calls of two processes that find it expired', async () => {
    await hub(database.db).request(READ)
    await expireKept()
    vendor.beforeGrant = () => sleep(150)
    const hubs = [hub(database.db), hub(second)]
    await Promise.all(Array.from({ length: 50 }, (_, i) => hubs[i % 2]!.request(i % 3 === 0 ? WRITE : READ)))
    expect(vendor).toMatchObject({ granted: 2, refused: 0, carriedOut: 51 })
    expect(vendor.asked.map(({ form }) => form.get('refresh_token'))).toEqual(['refresh-0', 'refresh-1'])
  })

  it('is renewed once when the access token is revoked under fifty writes, each of which is carried out once', async () => {
    const hubs = [hub(database.db), hub(second)]
    await Promise.all(hubs.map((http) => http.request(READ)))
    vendor.access_token = 'revoked'
    await Promise.all(Array.from({ length: 50 }, (_, i) => hubs[i % 2]!.request(WRITE)))
    expect(vendor).toMatchObject({ granted: 2, carriedOut: 52 })
    expect(vendor.refused).toBeGreaterThan(1)
  })

  it('is stored before its access token is used', async () => {
    const stored: string[] = []
    vendor.beforeCall = async () => {
      const row = await openTokens(second, vault, 'market').read()
      stored.push(`${row?.access_token} ${row?.refresh_token}`)
    }
    await hub(database.db).request(READ)
    expect(stored).toEqual(['access-1 refresh-1'])
  })

  it('is not lost when the database ends the session in the middle', async () => {
    vendor.beforeGrant = async () => {
      await second.query(
        `select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'
         and database = (select oid from pg_database where datname = current_database())`,
      )
    }
    await hub(database.db).request(WRITE)
    vendor.beforeGrant = () => Promise.resolve()
    await expireKept()
    await hub(second).request(WRITE)
    expect(vendor).toMatchObject({ granted: 2, carriedOut: 2 })
    const held = await second.query(`select 1 from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`) // prettier-ignore
    expect(held).toEqual([])
  })

  it('whose answer got lost leaves no write in doubt, and the job asks again', async () => {
    vendor.answer = (response) => void response.destroy()
    expect(await codesOf(hub(database.db).request(WRITE))).toBe('vendor_timeout')
    vendor.answer = undefined
    await hub(database.db).request(WRITE)
    expect(vendor).toMatchObject({ granted: 1, carriedOut: 1 })
  })

  it('that was revoked stops the connection, and new credentials take its place at once', async () => {
    vendor.refresh_token = 'other'
    const fault: unknown = await hub(database.db)
      .request(WRITE)
      .catch((thrown: unknown) => thrown)
    expect(fault).toMatchObject({ code: 'vendor_auth', next: 'pause', status: 400, message: 'no token was granted: 400 (invalid_grant)' }) // prettier-ignore
    vendor.refresh_token = 'refresh-new'
    await hub(database.db, { grant: { ...rotating, refresh_token: 'refresh-new' } }).request(WRITE)
    expect(vendor).toMatchObject({ granted: 1, carriedOut: 1 })
  })

  it('outlives a new client secret', async () => {
    await hub(database.db).request(READ)
    await expireKept()
    await hub(database.db, { client: { id: 'client', secret: 'next', sent_as: 'form' } }).request(READ)
    expect(vendor.asked.map(({ form }) => form.get('client_secret'))).toEqual(['hush-hush', 'next'])
    expect(vendor.carriedOut).toBe(2)
  })
})

describe('a token', () => {
  it('is sealed at rest and in no attempt', async () => {
    await hub(database.db).request(READ)
    vendor.access_token = 'revoked'
    await hub(second).request(READ)
    const [row] = await database.db.query<{ sealed_token: Buffer; sealed_refresh_token: Buffer }>('select * from access_tokens') // prettier-ignore
    expect(row!.sealed_token.length).toBeGreaterThan(20)
    expect(row!.sealed_refresh_token.length).toBeGreaterThan(20)
    const written =
      Buffer.concat([row!.sealed_token, row!.sealed_refresh_token]).toString('latin1') + JSON.stringify(attempts)
    expect(written).not.toMatch(/access-\d|refresh-\d|hush/)
    expect(attempts.map(({ operation, status, outcome }) => `${operation} ${status} ${outcome}`)).toEqual([
      'token 200 ok',
      'read 200 ok',
      'read 401 vendor_auth',
      'token 200 ok',
      'read 200 ok',
    ])
  })

  it('is renewed before it ends, and the old one serves while that fails', async () => {
    const http = hub(database.db)
    await http.request(READ)
    await database.db.query(
      `update access_tokens set refreshed_at = now() - interval '58 minutes', expires_at = now() + interval '2 minutes'`,
    )
    vendor.answer = (response) => void response.writeHead(503).end()
    const other = hub(second)
    await other.request(READ)
    expect(vendor).toMatchObject({ granted: 1, carriedOut: 2 })
    vendor.answer = undefined
    await other.request(READ)
    expect(vendor).toMatchObject({ granted: 2, carriedOut: 3 })
  })

  it.each([-86_400_000, 86_400_000])('does not mind a process whose clock is %i ms off', async (off_ms) => {
    const skewed = { now: () => new Date(Date.now() + off_ms) }
    const hubs = [hub(database.db, {}, skewed), hub(second)]
    for (let i = 0; i < 6; i += 1) await hubs[i % 2]!.request(READ)
    expect(vendor).toMatchObject({ granted: 1, carriedOut: 6, refused: 0 })
  })

  it('that is refused as soon as it was renewed stops the connection after one more try', async () => {
    const http = hub(database.db)
    await http.request(READ)
    vendor.beforeCall = () => Promise.resolve(void (vendor.access_token = 'never'))
    expect(await codesOf(http.request(WRITE))).toBe('vendor_auth')
    expect(vendor).toMatchObject({ granted: 2, refused: 2 })
  })

  it('may be refused in words of the vendor', async () => {
    vendor.refusal_status = 403
    await hub(database.db).request(READ)
    vendor.access_token = 'revoked'
    expect(await codesOf(hub(second).request(WRITE))).toBe('vendor_auth')
    const definition = { tokenRefused: ({ status }: HttpAnswer) => status === 403 }
    await hub(second, {}, { definition }).request(WRITE)
    expect(vendor).toMatchObject({ granted: 2, carriedOut: 2, refused: 2 })
  })

  it('of a client is asked for with its scope, by basic authorization, and carried as the vendor wants it', async () => {
    const http = hub(database.db, {
      client: { id: 'client', secret: 'hush-hush', sent_as: 'basic' },
      grant: { kind: 'client_credentials', scope: 'orders stock' },
      carry: (token) => ({ 'X-Token': token }),
    })
    await http.request(READ)
    expect(Object.fromEntries(vendor.asked[0]!.form)).toEqual({
      grant_type: 'client_credentials',
      scope: 'orders stock',
    })
    expect(vendor.asked[0]!.authorization).toBe(`Basic ${Buffer.from('client:hush-hush').toString('base64')}`)
    const [row] = await database.db.query('select sealed_refresh_token from access_tokens')
    expect(row).toEqual({ sealed_refresh_token: null })
  })

  it.each([
    ['900', 900_000],
    [undefined, 3_600_000],
    [0, 0],
    ['soon', 3_600_000],
  ])('with a life of %s s is kept for %i ms', async (expires_in, lifetime_ms) => {
    vendor.expires_in = expires_in
    await hub(database.db).request(READ)
    const row = await openTokens(second, vault, 'market').read()
    expect(Math.abs(row!.lifetime_ms - lifetime_ms)).toBeLessThan(2_000)
  })
})

describe('a token endpoint', () => {
  it.each([
    [400, '{"error":"invalid_client"}', 'vendor_auth'],
    [401, '', 'vendor_auth'],
    [403, '<html>', 'vendor_auth'],
    [404, '', 'vendor_auth'],
    [302, '', 'vendor_auth'],
    [429, '', 'vendor_throttled'],
    [408, '', 'vendor_throttled'],
    [500, '', 'vendor_unavailable'],
    [503, '<html>', 'vendor_unavailable'],
    [200, '<html>down</html>', 'vendor_response_invalid'],
    [200, '', 'vendor_response_invalid'],
    [200, '{"access_token":""}', 'vendor_response_invalid'],
    [200, '{"access_token":"a\\nb"}', 'vendor_response_invalid'],
    [200, '[]', 'vendor_response_invalid'],
  ])('that answers %i %s means %s', async (status, body, code) => {
    vendor.answer = (response) => void response.writeHead(status, { location: '/elsewhere' }).end(body)
    expect(await codesOf(hub(database.db).request(WRITE))).toBe(code)
    expect(vendor).toMatchObject({ granted: 0, carriedOut: 0, refused: 0 })
  })

  it('inside our own network is refused for a connection that is not local', async () => {
    const http = hub(database.db, {}, { allow_private: false })
    expect(await codesOf(http.request(READ))).toBe('address_refused')
    expect(vendor.asked).toEqual([])
  })
})
