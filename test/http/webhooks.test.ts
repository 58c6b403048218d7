import { request as httpRequest } from 'node:http'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { contentTypeOf } from '../../src/http/webhooks.ts'
import { buildServer, startServer, type Server } from '../../src/http/server.ts'
import { openHttpHub, signed, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
let server: Server
let sequence = 0

beforeAll(async () => {
  kit = await openHttpHub()
  server = await startServer(kit.hub, { intake: kit.intake, boards: new Map() })
})

afterAll(async () => {
  await server.close()
  await kit.close()
})

interface Delivery {
  connection?: string
  body?: string | Buffer
  headers?: Record<string, string | undefined>
}

const BODY = '{"id":"1001",  "buyer_email":"ada@example.com"}'

async function deliver({ connection = 'corner-eu', body = BODY, headers = {} }: Delivery = {}): Promise<{
  status: number
  body: Record<string, unknown>
  headers: Headers
}> {
  sequence += 1
  const all: Record<string, string | undefined> = {
    'content-type': 'application/json',
    'x-corner-signature': signed(body),
    'x-corner-delivery': `delivery-${sequence}`,
    ...headers,
  }
  const sent = Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, string] => entry[1] !== undefined),
  )
  const answer = await fetch(`${server.url}/webhooks/${connection}`, {
    method: 'POST',
    body: new Uint8Array(Buffer.from(body)),
    headers: sent,
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown>, headers: answer.headers }
}

const rows = async (): Promise<number> =>
  (await kit.hub.db.query<{ n: number }>('select count(*)::int as n from inbox'))[0]?.n ?? -1

describe('webhooks', () => {
  it('stores the exact bytes before it answers 200', async () => {
    const answer = await deliver({ headers: { 'x-corner-delivery': 'exact' } })
    expect(answer.status).toBe(200)
    expect(answer.body).toEqual({ result: 'stored' })
    const [row] = await kit.hub.db.query<{ topic: string; body: Buffer; source: string }>(
      `select topic, body, source from inbox where dedupe_key = 'exact'`,
    )
    expect(row).toMatchObject({ topic: 'order', source: 'webhook' })
    expect(kit.hub.vault.open(row!.body, 'inbox:corner-eu:exact').toString()).toBe(BODY)
  })

  it('says that a delivery is a duplicate, and flags the same key with another body', async () => {
    const headers = { 'x-corner-delivery': 'twice' }
    expect((await deliver({ headers })).body).toEqual({ result: 'stored' })
    expect((await deliver({ headers })).body).toEqual({ result: 'duplicate' })
    const other = await deliver({ headers, body: '{"id":"other"}' })
    expect([other.status, other.body]).toEqual([200, { result: 'conflict' }])
    const [kept] = await kit.hub.db.query<{ n: number }>(
      `select count(*)::int as n from inbox_conflicts c join inbox i on i.id = c.inbox_id where i.dedupe_key = 'twice'`,
    )
    expect(kept?.n).toBe(1)
  })

  it.each<[string, Delivery, number]>([
    ['a wrong signature', { headers: { 'x-corner-signature': signed(BODY, 'another secret') } }, 401],
    ['a signature of other bytes', { headers: { 'x-corner-signature': signed(`${BODY} `) } }, 401],
    ['no signature', { headers: { 'x-corner-signature': undefined } }, 401],
    ['an empty signature', { headers: { 'x-corner-signature': '' } }, 401],
    ['an unknown connection', { connection: 'nobody' }, 404],
    ['a name out of Object.prototype', { connection: 'constructor' }, 404],
    ['a connection without webhooks', { connection: 'mute-eu' }, 404],
    ['a wrong content type', { headers: { 'content-type': 'text/plain' } }, 415],
    ['a longer content type', { headers: { 'content-type': 'application/jsonx' } }, 415],
    ['a content type with a tab', { headers: { 'content-type': 'application/json\ta' } }, 415],
    [
      'a content type with a space before the semicolon',
      { headers: { 'content-type': 'application/json ;charset=utf-8' } },
      415,
    ],
    ['another parameter', { headers: { 'content-type': 'application/json; boundary=x' } }, 415],
    ['two parameters', { headers: { 'content-type': 'application/json; charset=utf-8; x=y' } }, 415],
    ['another charset', { headers: { 'content-type': 'application/json; charset=utf-16' } }, 415],
    ['two types in one header', { headers: { 'content-type': 'application/json, text/plain' } }, 415],
    ['an upload in place of a message', { headers: { 'content-type': 'multipart/form-data' } }, 415],
    ['compressed bytes', { body: gzipSync(BODY), headers: { 'content-encoding': 'gzip' } }, 415],
    ['a body over the limit of the connection', { body: 'x'.repeat(4_097) }, 413],
    ['no key to tell deliveries apart', { headers: { 'x-corner-delivery': '' } }, 400],
  ])('refuses %s and stores nothing', async (_what, delivery, status) => {
    const before = await rows()
    const answer = await deliver(delivery)
    expect(answer.status).toBe(status)
    expect(answer.headers.get('content-type')).toContain('application/problem+json')
    expect(await rows()).toBe(before)
  })

  it('gives the same answer for what does not exist and what takes no webhooks', async () => {
    const bodies = [await deliver({ connection: 'nobody' }), await deliver({ connection: 'mute-eu' })].map(
      ({ body }) => ({ ...body, request_id: '' }),
    )
    expect(bodies[0]).toEqual(bodies[1])
  })

  it('takes the content type in any case and with its charset', async () => {
    for (const type of [
      'Application/JSON',
      'application/json;charset=UTF-8',
      'application/json; charset="utf-8"',
      'application/x-www-form-urlencoded',
    ]) {
      expect((await deliver({ headers: { 'content-type': type } })).status).toBe(200)
    }
    expect(contentTypeOf('application/json;')).toBeUndefined()
    expect(contentTypeOf(undefined)).toBeUndefined()
  })

  it('stops reading a chunked body at the limit', async () => {
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(`${server.url}/webhooks/corner-eu`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      })
      sent.on('response', (answer) => resolve(answer.resume().statusCode ?? 0))
      sent.on('error', reject)
      sent.write('y'.repeat(3_000))
      setTimeout(() => sent.write('y'.repeat(3_000)), 20)
    })
    expect(status).toBe(413)
  })

  it('refuses a signature that was sent twice', async () => {
    const before = await rows()
    const status = await new Promise<number>((resolve, reject) => {
      const sent = httpRequest(`${server.url}/webhooks/corner-eu`, {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          'x-corner-signature': [signed(BODY), signed(BODY)],
          'x-corner-delivery': 'double',
        },
      })
      sent.on('response', (answer) => resolve(answer.resume().statusCode ?? 0))
      sent.on('error', reject)
      sent.end(BODY)
    })
    expect(status).toBe(401)
    expect(await rows()).toBe(before)
  })

  it('answers pings and topics that mean nothing without storing them', async () => {
    const before = await rows()
    expect((await deliver({ headers: { 'x-corner-ping': 'yes', 'x-corner-signature': undefined } })).body).toEqual({
      result: 'acknowledged',
    })
    expect((await deliver({ headers: { 'x-corner-topic': 'ignore' } })).body).toEqual({ result: 'ignored' })
    expect(await rows()).toBe(before)
  })

  it('asks the sender to come again while too much is waiting', async () => {
    const busy = {
      accept: () =>
        Promise.reject(
          new HubError('database_unavailable', 'too many messages wait to be stored', { retry_after_ms: 1_500 }),
        ),
    }
    const app = await buildServer(kit.hub, { intake: busy, boards: new Map() })
    const headers = {
      'content-type': 'application/json',
      'x-corner-signature': signed(BODY),
      'x-corner-delivery': 'busy',
    }
    const answer = await app.inject({ method: 'POST', url: '/webhooks/corner-eu', payload: BODY, headers })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('2')
    await app.close()
  })

  it('counts how deliveries ended', async () => {
    const text = await (await fetch(`${server.url}/metrics`)).text()
    expect(text).toMatch(/crossdock_webhooks_total\{connection="corner-eu",result="refused"\} [1-9]/)
    expect(text).toMatch(/crossdock_webhooks_total\{connection="corner-eu",result="too_large"\} 2/)
    expect(text).toMatch(/crossdock_webhooks_total\{connection="",result="unknown"\} [1-9]/)
    expect(text).toMatch(/crossdock_inbox_rows\{connection="corner-eu",state="pending"\} [1-9]/)
  })

  it('answers 503 with Retry-After, and never 2xx, when the database is gone', async () => {
    const lost = await openHttpHub()
    await lost.hub.db.close()
    const headers = {
      'content-type': 'application/json',
      'x-corner-signature': signed(BODY),
      'x-corner-delivery': 'lost',
    }
    const answer = await lost.app.inject({ method: 'POST', url: '/webhooks/corner-eu', payload: BODY, headers })
    expect(answer.statusCode).toBe(503)
    expect(answer.headers['retry-after']).toBe('5')
    expect(answer.json()).toMatchObject({ code: 'database_unavailable', status: 503 })
    const ready = await lost.app.inject('/readyz')
    expect([ready.statusCode, (await lost.app.inject('/healthz')).statusCode]).toEqual([503, 200])
    await lost.close()
  })
})
