import { describe, expect, it } from 'vitest'
import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import type { WebhookRequest } from '../../../src/connectors/_kit/define.ts'
import { http } from '../../../src/connectors/shopify/client.ts'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import { checker } from '../../../src/core/model/validate.ts'

const SETTINGS = {
  shop: 'tea.myshopify.com',
  access_token: 'shpat_x',
  webhook_secrets: ['new-client-secret', 'old-client-secret'],
  location_id: 'gid://shopify/Location/1',
}
const BODY = Buffer.from('{"id":820982911946154508,"name":"#1001","note":"Grüße"}')
const webhook = shopify.webhook!

function requestOf(
  more: Record<string, string | undefined> = {},
  body = BODY,
  secret = 'new-client-secret',
): WebhookRequest {
  const headers = {
    'content-type': 'application/json',
    'x-shopify-topic': 'orders/updated',
    'x-shopify-hmac-sha256': signHmac(body, secret, 'base64'),
    'x-shopify-shop-domain': 'tea.myshopify.com',
    'x-shopify-webhook-id': 'b54557e4-bdd9-4b37-8a5f-bf7d70bcd043',
    'x-shopify-triggered-at': '2026-11-02T09:05:01.123456789Z',
    ...more,
  }
  return { body, headers, received_at_ms: 0 }
}
const verdict = (request: WebhookRequest): boolean => webhook.verify(request, SETTINGS).ok

describe('webhook', () => {
  it('takes what either live secret signed, under both header styles', () => {
    expect(verdict(requestOf())).toBe(true)
    expect(verdict(requestOf({}, BODY, 'old-client-secret'))).toBe(true)
    const bare = Object.fromEntries(
      Object.entries(requestOf().headers).map(([name, value]) => [name.replace(/^x-/, ''), value]),
    )
    const request = { ...requestOf(), headers: bare }
    expect(verdict(request)).toBe(true)
    expect(webhook.topic(request)).toBe('order')
    expect(webhook.dedupeKey(request)).toBe('b54557e4-bdd9-4b37-8a5f-bf7d70bcd043')
  })

  const signature = requestOf().headers['x-shopify-hmac-sha256']!
  it.each([
    ['another secret', requestOf({}, BODY, 'stolen-client-secret')],
    ['no signature', requestOf({ 'x-shopify-hmac-sha256': undefined })],
    ['an empty signature', requestOf({ 'x-shopify-hmac-sha256': '' })],
    ['a doubled header', requestOf({ 'x-shopify-hmac-sha256': `${signature}, ${signature}` })],
    ['hex instead of base64', requestOf({ 'x-shopify-hmac-sha256': signHmac(BODY, 'new-client-secret', 'hex') })],
    ['base64 without padding', requestOf({ 'x-shopify-hmac-sha256': signature.replace(/=+$/, '') })],
    ['another case', requestOf({ 'x-shopify-hmac-sha256': signature.toLowerCase() })],
    [
      'a re-serialised body',
      { ...requestOf(), body: Buffer.from(JSON.stringify(JSON.parse(BODY.toString()), null, 1)) },
    ],
    ['an empty body', { ...requestOf(), body: Buffer.alloc(0) }],
    ['another shop of the same app', requestOf({ 'x-shopify-shop-domain': 'coffee.myshopify.com' })],
  ])('refuses %s', (_, request) => {
    expect(verdict(request)).toBe(false)
  })

  it('refuses every single flipped bit of body and signature', () => {
    const mutants = [...BODY.keys()].flatMap((at) =>
      [0, 3, 7].map((bit) => ({ ...requestOf(), body: flip(BODY, at, bit) })),
    )
    const signatures = Array.from(signature, (_, at) =>
      requestOf({ 'x-shopify-hmac-sha256': flip(Buffer.from(signature), at, 0).toString('latin1') }),
    )
    expect([...mutants, ...signatures].filter(verdict)).toEqual([])
    expect(mutants.length + signatures.length).toBeGreaterThan(150)
  })

  it('verifies nothing without a secret', () => {
    expect(webhook.verify(requestOf({}, BODY, ''), { ...SETTINGS, webhook_secrets: [''] }).ok).toBe(false)
  })

  it.each([
    ['orders/create', 'order'],
    ['orders/edited', 'order_edited'],
    ['orders/delete', 'cancellation'],
    ['refunds/create', 'refund'],
    ['order_transactions/create', 'payment'],
    ['products/update', 'listings_moved'],
    ['app/uninstalled', 'uninstalled'],
    ['customers/data_request', 'data_request'],
    ['customers/redact', 'redact_person'],
    ['shop/redact', 'redact_connection'],
    ['inventory_levels/update', 'ignore'],
    ['fulfillments/create', 'ignore'],
    ['constructor', 'ignore'],
    [undefined, 'ignore'],
  ])('topic %s goes to %s', (topic, expected) => {
    const found = webhook.topic(requestOf({ 'x-shopify-topic': topic }))
    expect(found).toBe(expected)
    expect(found === 'ignore' || found in shopify.inbound).toBe(true)
  })

  it('knows a message without an id by its topic and body', () => {
    const keys = ['orders/create', 'orders/updated'].map((topic) =>
      webhook.dedupeKey(requestOf({ 'x-shopify-webhook-id': undefined, 'x-shopify-topic': topic })),
    )
    expect(new Set(keys).size).toBe(2)
    expect(webhook.observedAt!(requestOf())).toBe('2026-11-02T09:05:01.123456789Z')
  })
})

describe('what an answer means', () => {
  const answer = (body: unknown, status = 200) => ({ status, headers: {}, body, text: '' })
  const failing = (code: string | undefined) =>
    answer({ errors: [{ message: 'x', ...(code === undefined ? {} : { extensions: { code } }) }] })
  it.each([
    ['THROTTLED', 'vendor_throttled'],
    ['MAX_COST_EXCEEDED', 'payload_too_large'],
    ['ACCESS_DENIED', 'vendor_auth'],
    ['INTERNAL_SERVER_ERROR', 'vendor_unavailable'],
    ['toString', 'vendor_rejected'],
    [undefined, 'vendor_rejected'],
  ])('%s is %s', (code, expected) => {
    expect(http.classify!(failing(code))?.code).toBe(expected)
  })

  it('waits for exactly the points that are missing', () => {
    const cost = {
      requestedQueryCost: 70,
      actualQueryCost: null,
      throttleStatus: { maximumAvailable: 1000, currentlyAvailable: 66, restoreRate: 50 },
    }
    const throttled = answer({
      errors: [{ message: 'Throttled', extensions: { code: 'THROTTLED' } }],
      extensions: { cost },
    })
    expect(http.classify!(throttled)).toEqual({ code: 'vendor_throttled', detail: 'THROTTLED', retry_after_ms: 100 })
    const deep = { ...cost, requestedQueryCost: 500 }
    const long = answer({ errors: [{ extensions: { code: 'THROTTLED' } }], extensions: { cost: deep } })
    expect(http.classify!(long)?.retry_after_ms).toBe(8_680)
    expect(http.classify!(failing('THROTTLED'))?.retry_after_ms).toBe(1_000)
  })

  it('leaves successes and plain statuses to the common table, but knows a locked shop', () => {
    expect(http.classify!(answer({ data: {} }))).toBeUndefined()
    expect(http.classify!(answer({ errors: 'Not Found' }, 404))).toBeUndefined()
    expect(http.classify!(answer(undefined, 423))?.code).toBe('vendor_auth')
  })
})

describe('settings', () => {
  const check = checker(shopify.settings)
  it('point at the shop, or at another host when told', () => {
    expect(http.baseUrl(SETTINGS)).toBe('https://tea.myshopify.com/admin/api/2026-10/')
    expect(http.baseUrl({ ...SETTINGS, api_url: 'http://127.0.0.1:1', api_version: '2026-07' })).toBe(
      'http://127.0.0.1:1/admin/api/2026-07/',
    )
    expect(check(SETTINGS)).toEqual(SETTINGS)
  })

  it.each([
    ['$.shop', { ...SETTINGS, shop: 'tea.myshopify.com.evil.example' }],
    ['$.webhook_secrets', { ...SETTINGS, webhook_secrets: [] }],
    ['$.location_id', { ...SETTINGS, location_id: '1' }],
  ])('refuse a wrong %s', (path, settings) => {
    expect(() => check(settings)).toThrow(expect.objectContaining({ path }))
  })
})

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  copy[at] = (copy[at] ?? 0) ^ (1 << bit)
  return copy
}
