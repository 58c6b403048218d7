import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { startAmazonSimulator, type AmazonOptions, type AmazonSimulator } from '../../../src/sandbox/amazon/index.ts'
import { createMeter } from '../../../src/sandbox/amazon/plans.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'

const BUYER = { name: 'Ada Example', email: 'ada@example.test', country: 'DE' }
const PRODUCTS = [{ sku: 'TEA', title: 'Tea', price_minor: 1_000, quantity: 50 }]
let folder: string
let clock_ms: number
let market: AmazonSimulator

const open = (more: Partial<AmazonOptions> = {}): Promise<AmazonSimulator> =>
  startAmazonSimulator({
    connection_id: 'amazon-test',
    products: PRODUCTS,
    currency: 'EUR',
    raised: { rate: 1_000, burst: 1_000 },
    journal_path: join(folder, 'journal.jsonl'),
    port: 0,
    random: () => 0.5,
    now: () => new Date(clock_ms),
    faults: KIND,
    webhook_url: null,
    ...more,
  })

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossdock-amazon-'))
  clock_ms = Date.UTC(2026, 10, 20, 8)
  market = await open()
})
afterEach(async () => {
  await market.stop()
  rmSync(folder, { recursive: true, force: true })
})

const sell = (quantity = 1) =>
  market.sell({ lines: [{ sku: 'TEA', quantity }], buyer: BUYER, paid: true, payment_id: null })!

interface Credentials {
  client_id: string
  client_secret: string
  refresh_token: string
  seller_id: string
}
const credentials = (): Credentials => (market.settings as { api: Credentials }).api

async function grant(change: Partial<Credentials> = {}): Promise<{ status: number; token: string }> {
  const { client_id, client_secret, refresh_token } = { ...credentials(), ...change }
  const form = new URLSearchParams({ grant_type: 'refresh_token', client_id, client_secret, refresh_token })
  const answer = await fetch(`${market.url}/auth/o2/token`, { method: 'POST', body: form })
  const { access_token = '' } = (await answer.json()) as { access_token?: string }
  return { status: answer.status, token: access_token }
}

async function call(method: string, path: string, token: string, body?: unknown) {
  const answer = await fetch(`${market.url}${path}`, {
    method,
    headers: { 'x-amz-access-token': token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  return {
    status: answer.status,
    headers: answer.headers,
    body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown>,
  }
}

async function queue(action: string, body: Readonly<Record<string, unknown>>, key = 'AKIASANDBOX') {
  const signature = `AWS4-HMAC-SHA256 Credential=${key}/20261120/eu-west-1/sqs/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`
  const answer = await fetch(market.url, {
    method: 'POST',
    headers: {
      'x-amz-target': `AmazonSQS.${action}`,
      'content-type': 'application/x-amz-json-1.0',
      authorization: signature,
    },
    body: JSON.stringify({ QueueUrl: `${market.url}/000000000000/crossdock-orders`, ...body }),
  })
  return {
    status: answer.status,
    body: (await answer.json()) as { Messages?: { ReceiptHandle: string; Body: string }[]; __type?: string },
  }
}

describe('tokens', () => {
  it('are given to whom they belong, last an hour, and are refused with 403 afterwards', async () => {
    expect((await grant({ client_secret: 'x' })).status).toBe(401)
    expect((await grant({ refresh_token: 'x' })).status).toBe(400)
    const { token } = await grant()
    const path = '/sellers/v1/marketplaceParticipations'
    expect((await call('GET', path, token)).status).toBe(200)
    expect(await call('GET', path, 'x')).toMatchObject({ status: 403, body: { errors: [{ code: 'Unauthorized' }] } })
    clock_ms += 3_600_001
    expect((await call('GET', path, token)).status).toBe(403)
  })
})

describe('plans', () => {
  it('are those of the API’s models: a bucket that fills slowly, named in the answer', async () => {
    const meter = createMeter({ now: () => new Date(clock_ms), raised: null })
    const take = (count: number) => Array.from({ length: count }, () => meter('searchOrders').allowed)
    expect(take(21)).toEqual([...Array.from({ length: 20 }, () => true), false])
    clock_ms += 178_600
    expect(take(2)).toEqual([true, false])
    await market.stop()
    market = await open({ raised: { rate: 0.5, burst: 1 } })
    const { token } = await grant()
    const path = '/orders/2026-01-01/orders/1'
    expect((await call('GET', path, token)).headers.get('x-amzn-ratelimit-limit')).toBe('0.5')
    expect(await call('GET', path, token)).toMatchObject({ status: 429, body: { errors: [{ code: 'QuotaExceeded' }] } })
  })
})

describe('the queue', () => {
  it('hands a message out, hides it, brings it back, and forgets it once it is deleted', async () => {
    sell()
    const first = await queue('ReceiveMessage', { MaxNumberOfMessages: 10 })
    expect(first.body.Messages).toHaveLength(1)
    expect(JSON.parse(first.body.Messages![0]!.Body)).toMatchObject({ NotificationType: 'ORDER_CHANGE' })
    expect((await queue('ReceiveMessage', {})).body.Messages).toBeUndefined()
    clock_ms += 30_001
    const again = await queue('ReceiveMessage', {})
    const Entries = [{ Id: '0', ReceiptHandle: again.body.Messages![0]!.ReceiptHandle }]
    expect((await queue('DeleteMessageBatch', { Entries })).status).toBe(200)
    clock_ms += 30_001
    expect((await queue('ReceiveMessage', {})).body.Messages).toBeUndefined()
    expect(market.waiting()).toBe(0)
  })

  it('is open to nobody else', async () => {
    expect(await queue('ReceiveMessage', {}, 'AKIAOTHER')).toMatchObject({ status: 403 })
    expect(await queue('ReceiveMessage', { QueueUrl: 'http://x/other' })).toMatchObject({ status: 400 })
  })
})

describe('documents', () => {
  it('lie behind addresses that are good for five minutes', async () => {
    const { token } = await grant()
    const made = await call('POST', '/feeds/2021-06-30/documents', token, { contentType: 'application/json' })
    const url = String(made.body['url'])
    expect((await fetch(url, { method: 'PUT', body: '{"a":1}' })).status).toBe(200)
    const packed = Buffer.from(await (await fetch(url)).arrayBuffer())
    expect(gunzipSync(packed).toString()).toBe('{"a":1}')
    expect((await fetch(url.replace(/Signature=../, 'Signature=zz'))).status).toBe(403)
    clock_ms += 300_001
    expect((await fetch(url)).status).toBe(403)
  })
})

describe('parcels', () => {
  const confirm = async (id: string, change: object) => {
    const { token } = await grant()
    const packageDetail = {
      packageReferenceId: '1',
      carrierCode: 'DHL',
      trackingNumber: 'T1',
      shipDate: '2026-11-20T09:00:00Z',
      ...change,
    }
    return (
      await call('POST', `/orders/v0/orders/${id}/shipmentConfirmation`, token, {
        marketplaceId: 'A1PA6795UKMFR9',
        packageDetail,
      })
    ).status
  }

  it('are refused when they are not whole, or hold more than is left; the same number corrects', async () => {
    const order = sell(3)
    const items = (quantity: number) => ({ orderItems: [{ orderItemId: order.lines[0]!.line_id, quantity }] })
    expect(await confirm(order.external_id, { ...items(1), packageReferenceId: 'one' })).toBe(400)
    expect(await confirm(order.external_id, { ...items(1), packageReferenceId: 1 })).toBe(400)
    expect(await confirm(order.external_id, { ...items(1), carrierCode: 'Other' })).toBe(400)
    expect(await confirm(order.external_id, items(4))).toBe(400)
    expect(await confirm('303-0000000-0000000', items(1))).toBe(404)
    expect(await confirm(order.external_id, items(2))).toBe(204)
    expect(await confirm(order.external_id, items(3))).toBe(204)
    expect(market.ledger().orders[0]).toMatchObject({ lines: [{ shipped: 3 }], notices: [{ tracking_number: 'T1' }] })
  })
})

it('remembers everything after it was gone: orders, messages, what it shows, what it paid', async () => {
  const order = sell(2)
  sell(1)
  market.cancel(order.external_id)
  market.payOut('sold')
  const before = { ledger: market.ledger(), waiting: market.waiting(), payouts: market.payouts() }
  expect(before.ledger.shown).toEqual({ TEA: 49 })
  expect(before.payouts).toHaveLength(1)
  await market.stop()
  market = await open()
  expect({ ledger: { ...market.ledger() }, waiting: market.waiting(), payouts: market.payouts() }).toEqual(before)
  expect(market.payOut('sold')).toBeUndefined()
  expect(sell().external_id).not.toBe(order.external_id)
})
