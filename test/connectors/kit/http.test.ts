import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HubError } from '../../../src/core/errors.ts'
import { parseJson, retryAfterMs, vendorCodeOf } from '../../../src/connectors/_kit/answers.ts'
import type { HttpAnswer, HttpCall, HttpDefinition } from '../../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt, type HttpOptions } from '../../../src/connectors/_kit/http.ts'
import { createBreaker, createLimiter } from '../../../src/connectors/_kit/limits.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, times: number) => void

let server: Server
let url = ''
let handler: Handler = (_request, response) => void response.end('{}')
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: string }[] = []
let attempts: HttpAttempt[] = []

beforeEach(async () => {
  seen = []
  attempts = []
  handler = answer(200, '{}')
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      seen.push({
        method: request.method ?? '',
        url: request.url ?? '',
        headers: request.headers,
        body: Buffer.concat(chunks).toString(),
      })
      handler(request, response, seen.length)
    })
  })
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

function client(definition: Partial<HttpDefinition<object>> = {}, options: Partial<HttpOptions<object>> = {}) {
  const limit = { calls: 1000, per_ms: 1000 }
  return createHttp({
    connection_id: 'shop',
    definition: {
      baseUrl: () => `${url}/api`,
      headers: () => ({ 'X-Token': 'secret' }),
      limit: () => limit,
      ...definition,
    },
    settings: {},
    allow_private: true,
    limiter: createLimiter({ connection_id: 'shop', limit, store: { kind: 'memory' } }),
    breaker: createBreaker({ connection_id: 'shop', now: () => new Date(), mirror: () => undefined }),
    observe: (attempt) => void attempts.push(attempt),
    random: () => 0,
    now: () => new Date('2026-11-21T12:00:00Z'),
    ...options,
  })
}

const READ: HttpCall = { operation: 'readOrders', method: 'GET', path: '/orders', repeat: 'safe' }
const WRITE: HttpCall = {
  operation: 'setStock',
  method: 'POST',
  path: '/stock',
  repeat: 'once',
  json: { sku: 'A', quantity: 1 },
}

async function faultOf(work: Promise<unknown>): Promise<HubError> {
  return await work.then(
    () => expect.fail('was expected to throw'),
    (thrown: unknown) => (thrown instanceof HubError ? thrown : expect.fail(`not a HubError: ${String(thrown)}`)),
  )
}

const answer =
  (status: number, body: string, headers: Record<string, string> = {}): Handler =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body)

describe('one exchange', () => {
  it('sends what was asked for and returns what came back', async () => {
    handler = answer(200, '{"ok":true,"id":12345678901234567890}', { 'X-Page': '2' })
    const got = await client().request({
      ...READ,
      query: { limit: 50, since: undefined, q: 'a b' },
      headers: { 'x-token': 'other' },
    })
    expect(got).toMatchObject({
      status: 200,
      body: { ok: true, id: '12345678901234567890' },
      headers: { 'x-page': '2' },
    })
    expect(seen).toMatchObject([
      { method: 'GET', url: '/api/orders?limit=50&q=a+b', headers: { 'x-token': 'other', accept: 'application/json' } },
    ])
  })

  it('sends JSON and forms with their types', async () => {
    handler = answer(201, '')
    const http = client()
    await http.request(WRITE)
    await http.request({
      operation: 'charge',
      method: 'POST',
      path: '/charge',
      repeat: 'safe',
      form: { amount: '1', 'a[b]': 'c d' },
    })
    expect(seen.map(({ body, headers }) => [headers['content-type'], body])).toEqual([
      ['application/json', '{"sku":"A","quantity":1}'],
      ['application/x-www-form-urlencoded', 'amount=1&a%5Bb%5D=c+d'],
    ])
  })

  it.each([
    [400, 'vendor_rejected', 'vendor_rejected'], [401, 'vendor_auth', 'vendor_auth'], [403, 'vendor_auth', 'vendor_auth'],
    [404, 'vendor_not_found', 'vendor_not_found'], [408, 'vendor_throttled', 'vendor_throttled'], [409, 'vendor_conflict', 'vendor_conflict'],
    [422, 'vendor_rejected', 'vendor_rejected'], [425, 'vendor_throttled', 'vendor_throttled'], [429, 'vendor_throttled', 'vendor_throttled'],
    [500, 'vendor_unavailable', 'outcome_unknown'], [501, 'vendor_unavailable', 'vendor_unavailable'], [502, 'vendor_unavailable', 'outcome_unknown'],
    [503, 'vendor_unavailable', 'outcome_unknown'], [504, 'vendor_unavailable', 'outcome_unknown'], [302, 'vendor_rejected', 'vendor_rejected'],
  ])('calls status %i %s when it may be repeated and %s when not', async (status, safe, once) => {
    handler = answer(status, '{"error":{"code":"E_1"}}', { location: 'http://127.0.0.1:1/' })
    const http = client()
    const faults = [await faultOf(http.request(READ)), await faultOf(http.request(WRITE))]
    expect(faults.map((fault) => fault.code)).toEqual([safe, once])
    expect(faults[1]).toMatchObject({ status, message: expect.stringContaining(`setStock ${status === 302 ? 'was redirected' : 'answered'}`) as string })
  }) // prettier-ignore

  it.each([
    ['HTML on a maintenance page', 200, '<html>back soon</html>', 'vendor_response_invalid', 'outcome_unknown'],
    ['broken JSON', 200, '{"a":', 'vendor_response_invalid', 'outcome_unknown'],
  ])('does not believe %s', async (_name, status, body, safe, once) => {
    handler = answer(status, body, { 'content-type': 'text/html' })
    const http = client()
    expect([(await faultOf(http.request(READ))).code, (await faultOf(http.request(WRITE))).code]).toEqual([safe, once])
  })

  it('returns text where the call asks for text', async () => {
    handler = answer(200, 'a,b\n1,2\n')
    expect(await client().request({ ...READ, headers: { Accept: 'text/csv' } })).toMatchObject({
      body: undefined,
      text: 'a,b\n1,2\n',
    })
  })

  it('asks the connector first what an answer means', async () => {
    handler = answer(200, '{"errors":[{"extensions":{"code":"THROTTLED"}}]}')
    const http = client({ classify: () => ({ code: 'vendor_throttled', detail: 'cost', retry_after_ms: 700 }) })
    expect(await faultOf(http.request(READ))).toMatchObject({
      code: 'vendor_throttled',
      retry_after_ms: 700,
      message: 'readOrders: cost',
    })
    expect(seen).toHaveLength(1)
  })

  it('takes what an answer says of its limit, also when it refuses', async () => {
    const learned: string[] = []
    const limitOf = ({ headers }: HttpAnswer) => (headers['x-limit'] === undefined ? undefined : { calls: Number(headers['x-limit']), per_ms: 1_000 }) // prettier-ignore
    const limiter = {
      take: (lane: string, operation?: string) => Promise.resolve(void learned.push(`${lane} ${operation}`)),
      learn: (operation: string, { calls }: { calls: number }) => void learned.push(`${operation} ${calls}`),
    }
    const http = client({ limitOf }, { limiter })
    handler = (_request, response, times) => void response.writeHead(times === 1 ? 200 : 429, { 'x-limit': `${times}` }).end('{}') // prettier-ignore
    await http.request(READ)
    await faultOf(http.request({ ...READ, lane: 'realtime' }))
    expect(learned).toEqual(['bulk readOrders', 'readOrders 1', 'realtime readOrders', 'readOrders 2'])
  })

  it('says nothing of the body in its faults', async () => {
    handler = answer(422, '{"error":"Zoë Canary of Canary Street is unknown","code":"bad_address"}')
    const fault = await faultOf(client().request(WRITE))
    expect(fault.message).toBe('setStock answered 422 (bad_address)')
    expect(JSON.stringify(attempts)).not.toContain('Canary')
  })

  it('refuses more than it can hold', async () => {
    handler = (_request, response) => void response.end(Buffer.alloc(10_000_100, 0x20))
    expect((await faultOf(client().request(READ))).code).toBe('vendor_response_invalid')
  })
})

describe('repeating', () => {
  it('repeats a safe call twice after 503, and not longer', async () => {
    handler = (_request, response, times) => void response.writeHead(times < 3 ? 503 : 200).end('{}')
    expect((await client().request(READ)).status).toBe(200)
    expect(attempts.map(({ status, outcome }) => [status, outcome])).toEqual([[503, 'vendor_unavailable'], [503, 'vendor_unavailable'], [200, 'ok']]) // prettier-ignore
    handler = answer(503, '')
    await faultOf(client().request(READ))
    expect(seen).toHaveLength(6)
  })

  it.each([
    ['a throttled call', READ, 429, {}],
    ['a vendor that names a time', READ, 503, { 'retry-after': '7' }],
    ['a rejection', READ, 422, {}],
    ['a crash', READ, 500, {}],
    ['a call that may be done once', WRITE, 503, {}],
  ])('does not repeat %s', async (_name, call, status, headers) => {
    handler = answer(status, '{}', headers)
    await faultOf(client().request(call))
    expect(seen).toHaveLength(1)
  })

  it.each([
    ['2', 2_000],
    ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['999999999', 86_400_000],
    ['soon', undefined],
  ])('hands on Retry-After %s', async (value, ms) => {
    handler = answer(429, '{}', { 'retry-after': value })
    expect((await faultOf(client().request(READ))).retry_after_ms).toBe(ms)
  })

  it.each([
    ['cut before an answer', (_q: IncomingMessage, response: ServerResponse) => void response.destroy(), 'vendor_timeout', 3],
    ['cut inside an answer', (_q: IncomingMessage, response: ServerResponse) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"a"')
      setTimeout(() => response.destroy(), 20)
    }, 'vendor_timeout', 3],
    ['silent', () => undefined, 'vendor_timeout', 1],
  ] as [string, Handler, string, number][])('keeps the doubt about a call that was %s', async (_name, how, safe, times) => {
    handler = how
    const http = client({ timeout_ms: 300 })
    expect((await faultOf(http.request(READ))).code).toBe(safe)
    expect(seen).toHaveLength(times)
    expect((await faultOf(http.request(WRITE))).code).toBe('outcome_unknown')
    expect(seen).toHaveLength(times + 1)
  }) // prettier-ignore

  it('knows a call that never left', async () => {
    const http = client({ baseUrl: () => 'http://127.0.0.1:1' })
    expect([(await faultOf(http.request(READ))).code, (await faultOf(http.request(WRITE))).code]).toEqual([
      'vendor_unreachable',
      'vendor_unreachable',
    ])
    const unnamed = client(
      { baseUrl: () => 'http://nowhere.invalid' },
      { resolve: () => Promise.reject(Object.assign(new Error('x'), { code: 'ENOTFOUND' })) },
    )
    expect((await faultOf(unnamed.request(WRITE))).code).toBe('vendor_unreachable')
  })
})

describe('guards', () => {
  it('connects nowhere inside unless the connection is local', async () => {
    const inside = { resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]), allow_private: false }
    const port = new URL(url).port
    for (const base of [
      `https://shop.example:${port}`,
      `https://127.0.0.1:${port}`,
      `https://localhost:${port}`,
      `https://[::ffff:127.0.0.1]:${port}`,
    ]) {
      expect((await faultOf(client({ baseUrl: () => base }, inside).request(READ))).code).toBe('address_refused')
    }
    expect(seen).toHaveLength(0)
  })

  it('goes to the address that was checked and keeps the name for the vendor', async () => {
    const http = client(
      { baseUrl: () => `http://shop.example:${new URL(url).port}` },
      { resolve: () => Promise.resolve([{ address: '127.0.0.1', family: 4 }]) },
    )
    await http.request(READ)
    expect(seen[0]?.headers.host).toMatch(/^shop\.example:/)
  })

  it('stays away from a proxy and from redirects', async () => {
    const before = process.env['http_proxy']
    process.env['http_proxy'] = 'http://127.0.0.1:1'
    try {
      handler = answer(307, '', { location: '/api/other' })
      expect((await faultOf(client().request(READ))).hint).toContain('redirects are not followed')
      expect(seen).toHaveLength(1)
    } finally {
      if (before === undefined) delete process.env['http_proxy']
      else process.env['http_proxy'] = before
    }
  })

  it('refuses absolute paths', async () => {
    expect((await faultOf(client().request({ ...READ, path: 'https://evil.example/' }))).code).toBe('address_refused')
  })

  it('stops calling a vendor that keeps failing', async () => {
    handler = answer(501, '')
    const http = client()
    for (let i = 0; i < 5; i += 1) await faultOf(http.request(READ))
    const fault = await faultOf(http.request(READ))
    expect(fault.code).toBe('circuit_open')
    expect(fault.retry_after_ms).toBeGreaterThan(9_000 - 1)
    expect(seen).toHaveLength(5)
    expect(attempts.at(-1)).toMatchObject({ outcome: 'circuit_open', status: null })
  })

  it('does not take rejections for illness', async () => {
    handler = answer(422, '{}')
    const http = client()
    for (let i = 0; i < 20; i += 1) expect((await faultOf(http.request(READ))).code).toBe('vendor_rejected')
  })

  it('logs an attempt without secrets', async () => {
    handler = answer(200, '{"id":"5","email":"canary@mail.example"}')
    await client().request({
      ...WRITE,
      path: '/stock',
      query: { token: 'canary', page: 2 },
      json: { name: 'Canary', sku: 'A' },
    })
    expect(attempts).toMatchObject([
      {
        operation: 'setStock',
        method: 'POST',
        path: '/stock',
        status: 200,
        outcome: 'ok',
        response: { id: '5', email: '…' },
      },
    ])
    expect(attempts[0]?.request).toEqual({ query: { token: '…', page: 2 }, body: { name: '…', sku: 'A' } })
  })
})

describe('reading answers', () => {
  it.each([
    [{ code: 'A' }, 'A'], [{ error: { code: 'B_2' } }, 'B_2'], [{ errors: [{ code: 12 }] }, '12'], [{ error: 'invalid_grant' }, 'invalid_grant'],
    [{ error: 'Jo Bloggs is unknown' }, undefined], [{ code: 'jo@mail.example' }, undefined], ['text', undefined], [null, undefined],
  ])('finds the word of %j', (body, word) => {
    expect(vendorCodeOf(body)).toBe(word)
  }) // prettier-ignore

  it('keeps the digits of long numbers and the value of others', () => {
    expect(
      parseJson('{"a":9007199254740993,"b":9007199254740991,"c":0.1234567890123456789,"d":"1234567890123456789"}'),
    ).toEqual({
      ok: true,
      value: { a: '9007199254740993', b: 9007199254740991, c: 0.12345678901234568, d: '1234567890123456789' },
    })
  })

  it('reads no time out of nonsense', () => {
    expect([
      retryAfterMs(undefined, new Date()),
      retryAfterMs('', new Date()),
      retryAfterMs('-5', new Date(0)),
    ]).toEqual([undefined, undefined, expect.anything()])
  })
})
