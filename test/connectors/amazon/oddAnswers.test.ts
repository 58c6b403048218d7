import nock from 'nock'
import { afterEach, describe, expect, it } from 'vitest'
import { amazon } from '../../../src/connectors/amazon/index.ts'
import { limitOf } from '../../../src/connectors/amazon/settings.ts'
import type { HttpAnswer, PulledPage } from '../../../src/connectors/_kit/define.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'

/** Answers of Amazon that the simulator never gives. */
const BASE = 'http://127.0.0.1:9'
const SETTINGS = {
  api: {
    region: 'eu',
    seller_id: 'A1ODD',
    marketplace_ids: ['A1PA6795UKMFR9'],
    client_id: 'client',
    client_secret: 'secret',
    refresh_token: 'refresh',
    api_url: BASE,
    token_url: `${BASE}/auth/o2/token`,
  },
  feed_wait_seconds: 0,
}
const NOW = new Date('2026-11-20T12:00:00Z')

/** The token is asked for once; `replies` are the vendor's answers one after the other. */
function answering(
  ...replies: {
    method: 'get' | 'post' | 'patch' | 'put'
    path: RegExp | string
    status?: number
    body: unknown
    headers?: Record<string, string>
  }[]
) {
  nock(BASE).post('/auth/o2/token').reply(200, { access_token: 'Atza|odd', token_type: 'bearer', expires_in: 3_600 })
  for (const { method, path, status = 200, body, headers = {} } of replies)
    nock(BASE)
      [method](path)
      .query(true)
      .reply(status, body as nock.Body, headers)
  return vendorPort(amazon, SETTINGS).port
}
const error = (code: string, message = 'no', details = '') => ({ errors: [{ code, message, details }] })
const orders = (port: ReturnType<typeof answering>, cursor: string | null = null) =>
  drainPull(amazon.pull!.orders!(port, { cursor, overlap_ms: 0, now: NOW }))
const SEARCH = { method: 'get', path: '/orders/2026-01-01/orders' } as const
const line = (listing_id: number, quantity: number) => ({
  listing_id,
  channel_sku: `SKU-${listing_id}`,
  external: { product_type: 'KETTLE' },
  quantity,
  expected: null,
})

afterEach(() => {
  const unasked = nock.pendingMocks()
  nock.cleanAll()
  if (unasked.length > 0) throw new Error(`never asked: ${unasked.join(', ')}`)
})

describe('the search', () => {
  it('ends two minutes ago where Amazon does not say when', async () => {
    const { cursor } = await orders(answering({ ...SEARCH, body: { orders: [] } }))
    expect(JSON.parse(cursor!)).toEqual({ since: '2026-11-20T11:58:00.000Z' })
  })

  it('names the time to wait when it is throttled without one', async () => {
    const port = answering({
      ...SEARCH,
      status: 429,
      body: error('QuotaExceeded'),
      headers: { 'x-amzn-RateLimit-Limit': '0.0056' },
    })
    await expect(orders(port)).rejects.toMatchObject({ code: 'vendor_throttled', retry_after_ms: 178_572 })
  })

  it('pauses the connection when a right is missing, which no new token mends', async () => {
    const port = answering({
      ...SEARCH,
      status: 403,
      body: error('Unauthorized', 'Access to requested resource is denied.'),
    })
    await expect(orders(port)).rejects.toMatchObject({ code: 'vendor_auth', next: 'pause' })
  })

  it('is not confused by an order without an id', async () => {
    await expect(orders(answering({ ...SEARCH, body: { orders: [{ lastUpdatedTime: 'x' }] } }))).rejects.toMatchObject({
      code: 'vendor_response_invalid',
    })
  })
})

describe('the queue', () => {
  const read = async (bodies: readonly string[], ...replies: Parameters<typeof answering>) => {
    const removed: string[] = []
    const batches = [bodies.map((body, index) => ({ id: `m${index}`, handle: `h${index}`, body })), []]
    const port = {
      ...(replies.length === 0 ? vendorPort(amazon, SETTINGS).port : answering(...replies)),
      settings: { ...SETTINGS, queue: { queue_url: 'x', region: 'x', access_key_id: 'x', secret_access_key: 'x' } },
      messages: {
        receive: () => Promise.resolve(batches.shift() ?? []),
        remove: (handles: readonly string[]) => Promise.resolve(void removed.push(...handles)),
      },
    }
    const pages: PulledPage[] = []
    for await (const page of amazon.pull!.notifications!(port, { cursor: null, overlap_ms: 0, now: NOW })) {
      pages.push(page)
      await page.acknowledge?.()
    }
    return { items: pages.flatMap(({ items }) => items), removed }
  }
  const change = (id: string | undefined, notification: string) =>
    JSON.stringify({
      NotificationType: 'ORDER_CHANGE',
      Payload: { OrderChangeNotification: { AmazonOrderId: id } },
      NotificationMetadata: { NotificationId: notification },
    })

  it('keeps what it cannot read for a person, and what it does not know, each once', async () => {
    const bodies = [
      'not JSON',
      '{"NotificationType":"BRAND_NEW","NotificationMetadata":{"NotificationId":"n1"}}',
      change(undefined, 'n2'),
    ]
    const { items, removed } = await read(bodies)
    expect(items.map(({ topic }) => topic)).toEqual(['notification', 'notification', 'notification'])
    expect(items.map(({ dedupe_key }) => dedupe_key).slice(1)).toEqual(['notification:n1', 'notification:n2'])
    expect(removed).toEqual(['h0', 'h1', 'h2'])
    expect(() =>
      amazon.inbound['notification']!.map(items[0]!.payload, { observed_at: '2026-11-20T12:00:00Z', settings: {} }),
    ).toThrow(expect.objectContaining({ code: 'payload_invalid' }))
  })

  it('leaves an order that Amazon does not give out to the search, and goes on', async () => {
    const get = { method: 'get', path: /orders\/111-/, status: 404, body: error('NotFound') } as const
    const { items, removed } = await read([change('111-1', 'n1')], get)
    expect(items).toMatchObject([{ topic: 'notification', dedupe_key: 'notification:n1' }])
    expect(removed).toEqual(['h0'])
  })
})

describe('a feed', () => {
  const many = Array.from({ length: 201 }, (_, index) => line(index + 1, index))
  const FEEDS = '/feeds/2021-06-30'
  const made = [
    { method: 'get', path: `${FEEDS}/feeds`, body: { feeds: [] } },
    {
      method: 'post',
      path: `${FEEDS}/documents`,
      status: 201,
      body: { feedDocumentId: 'in', url: `${BASE}/bucket/in` },
    },
    { method: 'put', path: '/bucket/in', body: '' },
    { method: 'post', path: `${FEEDS}/feeds`, status: 202, body: { feedId: '7' } },
  ] as const
  const ended = (processingStatus: string, more: object = {}) =>
    ({ method: 'get', path: `${FEEDS}/feeds/7`, body: { feedId: '7', processingStatus, ...more } }) as const
  const document = [
    { method: 'get', path: `${FEEDS}/documents/out`, body: { feedDocumentId: 'out', url: `${BASE}/bucket/out` } },
  ] as const
  const report = (summary: object) =>
    ({ method: 'get', path: '/bucket/out', body: JSON.stringify({ issues: [], summary }) }) as const
  const push = (port: ReturnType<typeof answering>) => amazon.availability!.push(port, many, 'key')

  it('that Amazon could not read is refused line by line', async () => {
    const results = await push(answering(...made, ended('FATAL')))
    expect(new Set(results.map((result) => result.outcome))).toEqual(new Set(['refused']))
  })

  it.each([
    ['ended without a report', [ended('DONE')]],
    ['ended with a report about other lines', [ended('DONE', { resultFeedDocumentId: 'out' }), ...document, report({ messagesProcessed: 3, messagesAccepted: 3, messagesInvalid: 0 })]],
    ['ended with more faults than are named', [ended('DONE', { resultFeedDocumentId: 'out' }), ...document, report({ messagesProcessed: 201, messagesAccepted: 200, messagesInvalid: 1 })]],
    ['whose report cannot be fetched for now', [ended('DONE', { resultFeedDocumentId: 'out' }), { method: 'get', path: `${FEEDS}/documents/out`, status: 429, body: error('QuotaExceeded') } as const]],
  ])('that %s is of unknown outcome, never of none', async (_, replies) => {
    await expect(push(answering(...made, ...replies))).rejects.toMatchObject({ code: 'outcome_unknown' })
  }) // prettier-ignore

  it('whose document would go to a host that is not Amazon’s is not sent', async () => {
    const [listed, , ,] = made
    const elsewhere = {
      method: 'post',
      path: `${FEEDS}/documents`,
      status: 201,
      body: { feedDocumentId: 'in', url: 'http://127.0.0.2:9/x' },
    } as const
    await expect(push(answering(listed, elsewhere))).rejects.toMatchObject({ code: 'address_refused' })
  })
})

describe('the refill that an answer names', () => {
  const answer = (rate: string | undefined): HttpAnswer => ({
    status: 200,
    headers: { 'x-amzn-ratelimit-limit': rate },
    body: {},
    text: '',
  })
  it.each([
    ['0.0056', { calls: 20, per_ms: 3_571_429 }],
    ['5.0', { calls: 5, per_ms: 1_000 }],
    ['0.5', { calls: 10, per_ms: 20_000 }],
    ['25', { calls: 25, per_ms: 1_000 }],
    ['0.25', { calls: 5, per_ms: 20_000 }],
    ['0', undefined],
    ['much', undefined],
    [undefined, undefined],
  ])('%s', (rate, limit) => {
    expect(limitOf(answer(rate))).toEqual(limit)
  })
})
