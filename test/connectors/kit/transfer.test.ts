import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { HttpDefinition, Transfer } from '../../../src/connectors/_kit/define.ts'
import { createHttp, type HttpAttempt, type HttpOptions } from '../../../src/connectors/_kit/http.ts'
import { createBreaker } from '../../../src/connectors/_kit/limits.ts'

type Handler = (request: IncomingMessage, response: ServerResponse, times: number) => void

let server: Server
let url = ''
let handler: Handler
let seen: { method: string; url: string; headers: IncomingMessage['headers']; body: Buffer }[]
let attempts: HttpAttempt[]
const BYTES = Buffer.from(Array.from({ length: 1_000 }, (_, i) => i % 256))

beforeEach(async () => {
  seen = []
  attempts = []
  handler = (_request, response) => void response.end(BYTES)
  server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { method = '', url: path = '', headers } = request
      seen.push({ method, url: path, headers, body: Buffer.concat(chunks) })
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
  return createHttp({
    connection_id: 'market',
    definition: {
      baseUrl: () => 'http://127.0.0.1:9/api',
      headers: () => ({ 'X-Token': 'hush-hush' }),
      limit: () => ({ calls: 1, per_ms: 60_000 }),
      transfer_hosts: () => ['127.0.0.1', '.documents.example', 'files.example'],
      ...definition,
    },
    settings: {},
    allow_private: true,
    limiter: { take: () => Promise.reject(new Error('documents have no limit')), learn: () => undefined },
    breaker: createBreaker({ connection_id: 'market', now: () => new Date(), mirror: () => undefined }),
    observe: (attempt) => void attempts.push(attempt),
    random: () => 0,
    now: () => new Date(),
    ...options,
  })
}

const get = (more: Partial<Transfer> = {}): Transfer => ({
  operation: 'readReport',
  method: 'GET',
  url: `${url}/reports/7.tsv?X-Signature=very-hush`,
  bytes_max: 1_000,
  ...more,
})
const codeOf = async (work: Promise<unknown>): Promise<string> =>
  await work.then(
    () => 'ok',
    (thrown: { code: string }) => thrown.code,
  )

describe('a document', () => {
  it('is fetched byte for byte, without the credentials of the connection, and its address is in no attempt', async () => {
    expect(await client().transfer(get({ headers: { 'X-Kind': 'report' } }))).toEqual(BYTES)
    expect(seen[0]).toMatchObject({ method: 'GET', url: '/reports/7.tsv?X-Signature=very-hush', headers: { 'x-kind': 'report' } }) // prettier-ignore
    expect(JSON.stringify(seen[0]!.headers)).not.toContain('hush')
    expect(attempts).toMatchObject([{ operation: 'readReport', path: '/reports/7.tsv', status: 200, outcome: 'ok', response: { bytes: 1_000 } }]) // prettier-ignore
    expect(JSON.stringify(attempts)).not.toContain('hush')
  })

  it('is put byte for byte under the type that it was announced with', async () => {
    await client().transfer(get({ method: 'PUT', bytes: BYTES, headers: { 'Content-Type': 'application/json; charset=UTF-8' } })) // prettier-ignore
    await client().transfer(get({ method: 'PUT', bytes: BYTES }))
    expect(seen.map(({ method, headers, body }) => [method, headers['content-type'], body.equals(BYTES)])).toEqual([
      ['PUT', 'application/json; charset=UTF-8', true],
      ['PUT', 'application/octet-stream', true],
    ])
  })

  it('that is larger than expected is refused, also when it only unpacks to more', async () => {
    expect(await codeOf(client().transfer(get({ bytes_max: 999 })))).toBe('vendor_response_invalid')
    handler = (_request, response) =>
      void response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(100_000)))
    expect(await codeOf(client().transfer(get()))).toBe('vendor_response_invalid')
    expect(await client().transfer(get({ bytes_max: 100_000 }))).toHaveLength(100_000)
  })

  it.each([
    [302, 'vendor_rejected', 1],
    [401, 'vendor_unavailable', 1],
    [403, 'vendor_unavailable', 1],
    [404, 'vendor_not_found', 1],
    [429, 'vendor_throttled', 1],
    [500, 'vendor_unavailable', 1],
    [503, 'vendor_unavailable', 3],
  ])('that is answered by %i is %s after %i calls', async (status, code, calls) => {
    handler = (_request, response) => void response.writeHead(status, { location: 'https://files.example/' }).end('x')
    expect(await codeOf(client().transfer(get()))).toBe(code)
    expect(seen).toHaveLength(calls)
  })

  it('is fetched again after a cut', async () => {
    handler = (_request, response, times) => void (times === 1 ? response.destroy() : response.end(BYTES))
    expect(await client().transfer(get())).toEqual(BYTES)
    expect(attempts.map(({ outcome }) => outcome)).toEqual(['vendor_timeout', 'ok'])
  })
})

describe('an address that is handed out', () => {
  it.each([
    'https://evil.example/report',
    'https://documents.example/report',
    'https://evil-documents.example/',
    'https://documents.example.evil.example/',
    'https://user@files.example/report',
    'https://user:word@files.example/report',
    'ftp://files.example/report',
    'file:///etc/passwd',
    '/reports/7',
    'https://169.254.169.254/latest/meta-data',
    '',
  ])('is refused: %s', async (address) => {
    expect(await codeOf(client().transfer(get({ url: address })))).toBe('address_refused')
    expect(seen).toEqual([])
    expect(attempts).toMatchObject([{ outcome: 'address_refused', status: null }])
  })

  it('is refused for a connector that names no hosts, and inside our network for one that is not local', async () => {
    expect(await codeOf(client({ transfer_hosts: () => [] }).transfer(get()))).toBe('address_refused')
    expect(await codeOf(client({}, { allow_private: false }).transfer(get()))).toBe('address_refused')
    expect(seen).toEqual([])
  })

  it.each([
    ['https://files.example/report', '10.0.0.1'],
    ['https://eu.documents.example/report', '127.0.0.1'],
  ])('is refused when its name leads into our network: %s', async (address, target) => {
    const options = { allow_private: false, resolve: () => Promise.resolve([{ address: target, family: 4 }]) }
    expect(await codeOf(client({}, options).transfer(get({ url: address })))).toBe('address_refused')
  })
})

describe('a call to another of the hosts of an API', () => {
  it('goes there, with the credentials', async () => {
    const http = client({ bases: { finance: () => `${url}/money` } }, { limiter: { take: () => Promise.resolve(), learn: () => undefined } }) // prettier-ignore
    handler = (_request, response) => void response.end('{}')
    await http.request({ operation: 'readPayouts', method: 'GET', path: '/payouts', repeat: 'safe', base: 'finance' })
    expect(seen[0]).toMatchObject({ url: '/money/payouts', headers: { 'x-token': 'hush-hush' } })
    expect(await codeOf(http.request({ operation: 'x', method: 'GET', path: '/', repeat: 'safe', base: 'none' }))).toBe('internal') // prettier-ignore
  })
})
