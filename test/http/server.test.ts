import { PassThrough } from 'node:stream'
import pino from 'pino'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { HubError } from '../../src/core/errors.ts'
import { html } from '../../src/http/html.ts'
import { buildServer, startServer } from '../../src/http/server.ts'
import { openHttpHub, signed, type HttpHub } from '../kit/httpHub.ts'

let kit: HttpHub
beforeAll(async () => {
  kit = await openHttpHub()
})
afterAll(() => kit.close())

const options = () => ({ intake: kit.intake, boards: new Map<string, unknown>() })

describe('the server', () => {
  it('says clearly that a port is taken, and by which setting it is changed', async () => {
    const first = await startServer(kit.hub, options())
    const port = Number(new URL(first.url).port)
    const hub = { ...kit.hub, config: { ...kit.hub.config, hub: { ...kit.hub.config.hub, port } } }
    const fault = await startServer(hub, options()).catch((thrown: unknown) => thrown)
    expect(fault).toBeInstanceOf(HubError)
    expect(fault).toMatchObject({
      code: 'config_invalid',
      message: `port ${port} of 127.0.0.1 is taken`,
      hint: expect.stringContaining('hub.port'),
    })
    await first.close()
    const second = await startServer(hub, options())
    await second.close()
  })

  it('answers what it has begun before it closes', async () => {
    const { promise, resolve } = Promise.withResolvers<'stored'>()
    const server = await startServer(kit.hub, { ...options(), intake: { accept: () => promise } })
    const headers = {
      'content-type': 'application/json',
      'x-corner-signature': signed('{}'),
      'x-corner-delivery': 'slow',
    }
    const answer = fetch(`${server.url}/webhooks/corner-eu`, { method: 'POST', body: '{}', headers })
    await expect.poll(async () => (await fetch(`${server.url}/healthz`)).status).toBe(200)
    await new Promise((done) => setTimeout(done, 50))
    const closed = server.close()
    resolve('stored')
    expect((await answer).status).toBe(200)
    await closed
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow()
  })

  it('logs method, route, status and time, and nothing that was sent', async () => {
    const lines: string[] = []
    const stream = new PassThrough().on('data', (chunk: Buffer) => lines.push(chunk.toString()))
    const hub = { ...kit.hub, log: pino({ level: 'debug' }, stream) }
    const app = await buildServer(hub, options())
    await app.inject({
      url: '/api/v1/orders?number=canary-query',
      headers: { authorization: 'Bearer canary-key', 'x-canary': 'canary-header' },
    })
    await app.inject({ url: '/canary-path' })
    await app.inject({
      method: 'POST',
      url: '/webhooks/corner-eu',
      headers: { 'content-type': 'application/json', 'x-corner-signature': 'canary-signature' },
      payload: '{"canary-body":1}',
    })
    await kit.hub.db.query('alter table stock rename to stock_away')
    const broken = await app.inject({
      url: '/api/v1/stock?sku=canary-sku',
      headers: { authorization: `Bearer ${kit.keys.viewer}` },
    })
    await kit.hub.db.query('alter table stock_away rename to stock')
    await app.close()
    expect(broken.json()).toMatchObject({
      status: 500,
      code: 'internal',
      detail: 'something went wrong inside the hub',
      request_id: broken.headers['x-request-id'],
    })
    const log = lines.join('')
    expect(log).not.toContain('canary')
    const written = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
    expect(written).toContainEqual(
      expect.objectContaining({ method: 'GET', route: '/api/v1/orders', status: 401, duration_ms: expect.any(Number) }),
    )
    expect(written).toContainEqual(
      expect.objectContaining({ msg: 'webhook refused', connection: 'corner-eu', reason: expect.any(String) }),
    )
    expect(written).toContainEqual(
      expect.objectContaining({ msg: 'request failed', code: 'internal', request_id: broken.headers['x-request-id'] }),
    )
  })

  it('is ready when the database answers with the schema of this code', async () => {
    const ready = await kit.app.inject('/readyz')
    expect([ready.statusCode, ready.json()]).toMatchObject([
      200,
      { status: 'ready', role: 'all', checks: { database: { ok: true }, migrations: { ok: true } } },
    ])
    const idle = await buildServer(kit.hub, { ...options(), isWorking: () => false })
    expect((await idle.inject('/readyz')).json()).toMatchObject({
      status: 'not ready',
      checks: { workers: { ok: false } },
    })
    await idle.close()
  })

  it('gives metrics to this machine or for a key, and not to whom a proxy lets through', async () => {
    const metrics = (headers: Record<string, string>, remoteAddress: string) =>
      kit.app.inject({ url: '/metrics', headers, remoteAddress })
    expect((await metrics({}, '127.0.0.1')).statusCode).toBe(200)
    expect((await metrics({ 'x-forwarded-for': '1.2.3.4' }, '127.0.0.1')).statusCode).toBe(401)
    expect((await metrics({}, '10.0.0.1')).statusCode).toBe(401)
    const answer = await metrics({ authorization: `Bearer ${kit.keys.viewer}` }, '10.0.0.1')
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toContain('crossdock_connection_active{connection="corner-eu",state="active"} 1')
    expect(answer.body).toContain('process_cpu_user_seconds_total')
  })

  it('observes how long pushes took, each proof once', async () => {
    await kit.hub.db.query(`insert into listings (connection_id, channel_sku) values ('corner-eu', 'LAG')`)
    const app = await buildServer(kit.hub, options())
    await app.inject('/metrics')
    await kit.hub.db.query(
      `insert into availability (listing_id, connection_id, dirty_seq, sent_seq, dirty_at, proven_at, next_attempt_at)
       select id, 'corner-eu', 3, 3, clock_timestamp() - interval '2 seconds', clock_timestamp(), now() from listings where channel_sku = 'LAG'`,
    )
    await app.inject('/metrics')
    const { body } = await app.inject('/metrics')
    expect(body).toContain('crossdock_push_lag_seconds_bucket{le="1",connection="corner-eu"} 0')
    expect(body).toContain('crossdock_push_lag_seconds_bucket{le="2.5",connection="corner-eu"} 1')
    expect(body).toContain('crossdock_push_lag_seconds_count{connection="corner-eu"} 1')
    await app.close()
  })

  it('serves health and nothing else in the worker role', async () => {
    const app = await buildServer(kit.hub, { ...options(), role: 'worker' })
    expect((await app.inject('/healthz')).statusCode).toBe(200)
    for (const url of ['/', '/login', '/api/v1/orders', '/queues', '/webhooks/corner-eu'])
      expect((await app.inject(url)).statusCode).toBe(404)
    await app.close()
  })

  it('escapes what is put into a page', () => {
    expect(html`<a title="${`"'<&>`}">${[html`<b>${1}</b>`]}${null}</a>`.html).toBe(
      '<a title="&quot;&#39;&lt;&amp;&gt;"><b>1</b></a>',
    )
  })
})
