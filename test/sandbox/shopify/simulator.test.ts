import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi, onTestFinished } from 'vitest'
import { signHmac } from '../../../src/connectors/_kit/signatures.ts'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { startShopifySimulator, type ShopifySimulatorOptions } from '../../../src/sandbox/shopify/index.ts'
import { KIND, type Storefront } from '../../../src/sandbox/simulator.ts'
import { BUYER, portTo, PRODUCTS, simulatorOptions } from '../../connectors/shopify/port.ts'

interface Received {
  headers: IncomingHttpHeaders
  body: Buffer
}

let received: Received[] = []
let receiver: Server
let url = ''
/** How the receiver answers the nth request. */
let answer: (n: number) => number = () => 200
const shops: Storefront[] = []

beforeEach(async () => {
  received = []
  answer = () => 200
  receiver = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      received.push({ headers: request.headers, body: Buffer.concat(chunks) })
      response.writeHead(answer(received.length)).end()
    })
  })
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`
})
afterEach(async () => {
  for (const shop of shops.splice(0)) await shop.stop()
  receiver.closeAllConnections()
  await new Promise<void>((resolve) => receiver.close(() => resolve()))
})

async function open(more: Partial<ShopifySimulatorOptions> = {}): Promise<Storefront> {
  const options = {
    ...simulatorOptions({ webhook_url: url }),
    connection_id: 'shop',
    products: PRODUCTS,
    currency: 'EUR',
    ...more,
  }
  const shop = await startShopifySimulator(options)
  shops.push(shop)
  return shop
}
const quiet = async (shop: Storefront) =>
  await vi.waitFor(() => expect(shop.busy()).toBe(false), { timeout: 10_000, interval: 10 })
const topics = () => received.map(({ headers }) => String(headers['x-shopify-topic'])).toSorted()
const sellOne = (shop: Storefront, sku = 'TEA', quantity = 3, paid = true) =>
  shop.sell({ lines: [{ sku, quantity }], buyer: BUYER, paid, payment_id: paid ? 'ch_1' : null })!

/** The hub's view of one order as a poll gives it. */
async function polled(shop: Storefront): Promise<Order> {
  const { port } = portTo(shop.settings)
  for await (const page of shopify.pull!.orders!(port, {
    cursor: null,
    overlap_ms: 0,
    now: new Date('2026-11-01T12:00:00Z'),
  })) {
    const { facts } = shopify.inbound['order_graphql']!.map(page.items[0]!.payload, {
      observed_at: '2026-01-01T00:00:00Z',
      settings: {},
    })
    if (facts[0]?.kind === 'order') return facts[0].document
  }
  throw new Error('no order was polled')
}

/** The hub's view of one order as the newest webhook gives it. */
function told(shop: Storefront): Order {
  const bodies = received
    .filter(({ headers }) => ['orders/updated', 'orders/create'].includes(String(headers['x-shopify-topic'])))
    .toSorted((a, b) =>
      String(a.headers['x-shopify-triggered-at']).localeCompare(String(b.headers['x-shopify-triggered-at'])),
    )
  const { facts } = shopify.inbound['order']!.map(JSON.parse(bodies.at(-1)!.body.toString()), {
    observed_at: '2026-01-01T00:00:00Z',
    settings: shop.settings,
  })
  if (facts[0]?.kind !== 'order') throw new Error('no order was told')
  return facts[0].document
}

describe('the shop', () => {
  it('sells only what it shows, and lowers and raises its shelf by itself', async () => {
    const shop = await open()
    expect(
      shop.sell({ lines: [{ sku: 'POT', quantity: 6 }], buyer: BUYER, paid: false, payment_id: null }),
    ).toBeUndefined()
    expect(shop.sell({ lines: [{ sku: 'POT', quantity: 3 }, { sku: 'POT', quantity: 3 }], buyer: BUYER, paid: false, payment_id: null })).toBeUndefined() // prettier-ignore
    const order = sellOne(shop, 'TEA', 3)
    const [line] = order.lines
    expect(order).toMatchObject({ number: '#10001', paid: true, total_minor: 3 * 790 + 490, payment_id: 'ch_1' })
    expect(shop.ledger().shown['TEA']).toBe(47)
    expect(shop.edit(order.external_id, line!.line_id, 2)).toBe(true)
    expect(shop.ledger().shown['TEA']).toBe(48)
    expect(shop.refund(order.external_id, line!.line_id, 1, 'cancel')).toBe(true)
    expect(shop.ledger().shown['TEA']).toBe(49)
    expect(shop.refund(order.external_id, line!.line_id, 2, 'cancel')).toBe(false)
    expect(shop.edit(order.external_id, line!.line_id, 0)).toBe(false)
    expect(shop.cancel(order.external_id)).toBe(true)
    expect(shop.cancel(order.external_id)).toBe(false)
    expect(shop.ledger().shown['TEA']).toBe(50)
    expect(shop.ledger().orders[0]).toMatchObject({
      cancelled: true,
      lines: [{ quantity: 2, most_quantity: 3, cancelled: 2, shipped: 0 }],
    })
  })

  it.each<[string, (shop: Storefront, id: string, line: string) => unknown]>([
    ['sold', () => undefined],
    ['edited down', (shop, id, line) => shop.edit(id, line, 2)],
    ['edited up', (shop, id, line) => shop.edit(id, line, 5)],
    ['removed', (shop, id, line) => shop.edit(id, line, 0)],
    ['refunded', (shop, id, line) => shop.refund(id, line, 1, 'cancel')],
    ['refunded without restock', (shop, id, line) => shop.refund(id, line, 2, 'none')],
    ['edited, then refunded', (shop, id, line) => [shop.edit(id, line, 2), shop.refund(id, line, 1, 'cancel')]],
    ['cancelled', (shop, id) => shop.cancel(id)],
  ])('tells the same order by webhook and by poll when %s, and the ledger agrees', async (_, act) => {
    // A clock that moves with every look tells messages of one moment apart.
    let clock_ms = Date.parse('2026-11-01T10:00:00Z')
    const shop = await open({ now: () => new Date((clock_ms += 1)) })
    const order = sellOne(shop)
    act(shop, order.external_id, order.lines[0]!.line_id)
    await quiet(shop)
    const [poll, hook, sold] = [await polled(shop), told(shop), shop.ledger().orders[0]!]
    // Order webhooks name no gateway ids; order_transactions/create does.
    expect({ ...poll, payment_ids: [] }).toEqual(hook)
    expect(poll.payment_ids).toEqual(['ch_1'])
    expect(poll.lines.map((line) => line.quantity)).toEqual(sold.lines.map((line) => line.quantity))
    expect(poll.totals.total_minor).toBe(sold.total_minor)
    const cancelled = poll.refunds.flatMap((refund) => refund.lines).filter((line) => line.restock === 'cancel')
    expect(cancelled.reduce((sum, line) => sum + line.quantity, 0)).toBe(sold.lines[0]!.cancelled)
  })

  it('asks for the idempotency key and for changeFromQuantity, and refuses a key used for something else', async () => {
    const shop = await open()
    const ask = async (key: string, row: Record<string, unknown>) => {
      const query = `mutation m($input: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $input) ${key} { userErrors { code } } }`
      const quantities = [
        {
          inventoryItemId: 'gid://shopify/InventoryItem/7000001',
          locationId: 'gid://shopify/Location/1',
          quantity: 1,
          ...row,
        },
      ]
      const answered = await fetch(`${shop.url}/admin/api/2026-10/graphql.json`, {
        method: 'POST',
        headers: { 'x-shopify-access-token': String(shop.settings['access_token']) },
        body: JSON.stringify({ query, variables: { input: { name: 'available', reason: 'correction', quantities } } }),
      })
      return (await answered.json()) as unknown
    }
    expect(await ask('', { changeFromQuantity: null })).toMatchObject({
      errors: [{ message: expect.stringContaining('@idempotent') }],
    })
    expect(await ask('@idempotent(key: "a")', {})).toMatchObject({
      errors: [{ message: expect.stringContaining('changeFromQuantity') }],
    })
    expect(await ask('@idempotent(key: "a")', { changeFromQuantity: null })).toMatchObject({ data: { inventorySetQuantities: { userErrors: [] } } }) // prettier-ignore
    expect(await ask('@idempotent(key: "a")', { changeFromQuantity: null, quantity: 2 })).toMatchObject({
      data: { inventorySetQuantities: { userErrors: [{ code: 'IDEMPOTENCY_KEY_PARAMETER_MISMATCH' }] } },
    })
    expect(shop.ledger().shown['TEA']).toBe(1)
  })
})

describe('webhooks', () => {
  it('are signed, one id a message, one event id a deed', async () => {
    const shop = await open()
    const order = sellOne(shop, 'TEA', 1, false)
    shop.pay(order.external_id, 'ch_9')
    await quiet(shop)
    expect(topics()).toEqual(['order_transactions/create', 'orders/create', 'orders/paid', 'orders/updated'])
    const secrets = shop.settings['webhook_secrets'] as string[]
    for (const { headers, body } of received) {
      expect(headers['x-shopify-hmac-sha256']).toBe(signHmac(body, secrets[0] ?? '', 'base64'))
      expect(headers['x-shopify-triggered-at']).toMatch(/\.\d{3}Z$/)
      expect((JSON.parse(body.toString()) as { updated_at?: string }).updated_at ?? ':00Z').toMatch(/:\d\dZ$/)
    }
    expect(new Set(received.map(({ headers }) => headers['x-shopify-webhook-id'])).size).toBe(4)
    expect(new Set(received.map(({ headers }) => headers['x-shopify-event-id'])).size).toBe(2)
  })

  it('are sent again with the same bytes until they are taken', async () => {
    answer = (n) => (n < 3 ? 503 : 200)
    const shop = await open()
    sellOne(shop, 'TEA', 1, false)
    await quiet(shop)
    expect(received).toHaveLength(3)
    expect(new Set(received.map(({ body }) => body.toString())).size).toBe(1)
    expect(new Set(received.map(({ headers }) => headers['x-shopify-webhook-id'])).size).toBe(1)
  })

  it('are doubled, lost and delayed when told so', async () => {
    const twice = await open({ faults: { ...KIND, webhook_duplicate_share: 1 } })
    sellOne(twice, 'TEA', 1, false)
    await quiet(twice)
    expect(received.map(({ headers }) => headers['x-shopify-webhook-id'])).toEqual([
      expect.any(String),
      received[0]!.headers['x-shopify-webhook-id'],
    ])
    let draws = 0
    const lossy = await open({
      connection_id: 'lossy',
      faults: { ...KIND, webhook_drop_share: 0.5 },
      random: () => (++draws < 4 ? 0 : 0.9),
    })
    received = []
    sellOne(lossy, 'TEA', 1, false)
    await quiet(lossy)
    expect(received).toHaveLength(1)
  })

  it('wait for an address', async () => {
    const shop = await open({ webhook_url: null })
    sellOne(shop, 'TEA', 1, false)
    expect(shop.busy()).toBe(true)
    shop.setWebhookUrl(url)
    await quiet(shop)
    expect(topics()).toEqual(['orders/create'])
  })

  it('outlive a kill -9, as does everything that was sold and written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'crossdock-shop-'))
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
    const journal_path = join(folder, 'shop.jsonl')
    const child = fork(new URL('./killed.ts', import.meta.url), [journal_path], { stdio: 'ignore' })
    const [order] = await new Promise<Storefront['ledger'] extends () => infer L ? [L] : never>((resolve, reject) => {
      child.once('message', (ledger) => resolve([ledger] as never))
      child.once('error', reject)
    })
    const dead = new Promise((resolve) => child.once('exit', (_code, signal) => resolve(signal)))
    child.kill('SIGKILL')
    expect(await dead).toBe('SIGKILL')
    const shop = await open({ journal_path, webhook_url: null })
    const { stock_writes: _, ...before } = order
    expect(shop.ledger()).toMatchObject(before)
    shop.setWebhookUrl(url)
    await quiet(shop)
    expect(topics()).toEqual([
      'order_transactions/create',
      'orders/create',
      'orders/edited',
      'orders/paid',
      'orders/updated',
    ])
    const next = sellOne(shop, 'MUG', 1)
    expect(next.number).toBe('#10002')
    await quiet(shop)
    expect(new Set(received.map(({ headers }) => headers['x-shopify-webhook-id'])).size).toBe(8)
    await shops.pop()!.stop()
    const again = await open({ journal_path })
    expect(again.busy()).toBe(false)
    expect(again.ledger().orders).toHaveLength(2)
  })
})
