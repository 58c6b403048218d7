import { appendFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { woocommerce } from '../../src/connectors/woocommerce/index.ts'
import type { Order } from '../../src/core/model/order.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { KIND, type Faults } from '../../src/sandbox/simulator.ts'
import { startWooSimulator, type WooOptions, type WooSimulator } from '../../src/sandbox/woocommerce.ts'
import { startHookCatcher, waitUntil, type HookCatcher } from '../kit/hookCatcher.ts'
import { answersBeforeKill } from './killed.ts'

const BUYER = { name: 'Ada Example', email: 'ada@example.test', country: 'DE' }
const PRODUCTS = [
  { sku: 'TEA', title: 'Tea', price_minor: 790, quantity: 10 },
  { sku: 'MUG', title: 'Mug', price_minor: 1290, quantity: 2 },
]

let folder = ''
let catcher: HookCatcher
const running: WooSimulator[] = []

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'crossdock-woo-'))
  catcher = await startHookCatcher()
})
afterEach(async () => {
  for (const shop of running.splice(0)) await shop.stop()
  await catcher.stop()
  rmSync(folder, { recursive: true, force: true })
})

async function start(change: Partial<WooOptions> = {}): Promise<WooSimulator> {
  const shop = await startWooSimulator({
    connection_id: 'woo',
    products: PRODUCTS,
    currency: 'EUR',
    journal_path: join(folder, 'woo.jsonl'),
    port: 0,
    random: seededRandom(7),
    now: () => new Date(),
    faults: KIND,
    webhook_url: catcher.url,
    ...change,
  })
  running.push(shop)
  return shop
}

const buy = (shop: WooSimulator, sku: string, quantity: number) =>
  shop.sell({ lines: [{ sku, quantity }], buyer: BUYER, paid: false, payment_id: null })

describe('the simulated WooCommerce shop', () => {
  it('sells from its own shelf and moves it with every change of mind', async () => {
    const shop = await start()
    const order = buy(shop, 'TEA', 4)!
    expect(order).toMatchObject({
      total_minor: 3_160,
      paid: false,
      lines: [{ sku: 'TEA', quantity: 4, most_quantity: 4, cancelled: 0, shipped: 0 }],
    })
    expect(shop.ledger().shown).toEqual({ TEA: 6, MUG: 2 })
    expect(buy(shop, 'MUG', 3)).toBeUndefined()
    const line = order.lines[0]!.line_id
    expect(shop.edit(order.external_id, line, 3)).toBe(true)
    expect(shop.edit(order.external_id, line, 99)).toBe(false)
    expect(shop.refund(order.external_id, line, 1, 'cancel')).toBe(true)
    expect(shop.refund(order.external_id, line, 1, 'none')).toBe(true)
    expect(shop.refund(order.external_id, line, 3, 'cancel')).toBe(false)
    expect(shop.ledger().shown['TEA']).toBe(8)
    expect(shop.cancel(order.external_id)).toBe(true)
    expect(shop.cancel(order.external_id)).toBe(false)
    expect(shop.ledger()).toMatchObject({
      shown: { TEA: 10 },
      orders: [{ cancelled: true, lines: [{ quantity: 3, most_quantity: 4, cancelled: 1 }] }],
    })
  })

  it('pings first, then signs webhooks that the connector takes as genuine and maps', async () => {
    const shop = await start()
    await waitUntil(() => catcher.requests.length === 1)
    expect(woocommerce.webhook!.acknowledges!(catcher.requests[0]!)).toBe(true)
    const order = buy(shop, 'TEA', 1)!
    await waitUntil(() => catcher.requests.length === 2)
    shop.pay(order.external_id, 'ch_7')
    shop.trash(order.external_id)
    await waitUntil(() => catcher.requests.length === 4)
    const hooks = catcher.requests.slice(1)
    expect(hooks.every((request) => woocommerce.webhook!.verify(request, shop.settings).ok)).toBe(true)
    expect(hooks.map((request) => woocommerce.webhook!.topic(request)).toSorted()).toEqual([
      'cancellation',
      'order',
      'order',
    ])
    const { facts } = woocommerce.inbound['order']!.map(JSON.parse(hooks[0]!.body.toString()), {
      observed_at: new Date().toISOString(),
      settings: {},
    })
    expect(facts[0]!.document as Order).toMatchObject({
      external_id: order.external_id,
      payment_state: 'pending',
      lifecycle: 'open',
    })
  })

  it('builds the payload when it delivers, tries once, and shares a delivery id within a second', async () => {
    const at = new Date('2026-11-20T08:00:00.500Z')
    const shop = await start({ now: () => at, faults: { ...KIND, webhook_delay_ms_max: 200 }, random: () => 0.9 })
    await waitUntil(() => catcher.requests.length === 1)
    catcher.answerWith(500)
    const order = buy(shop, 'TEA', 1)!
    shop.pay(order.external_id, 'ch_7')
    shop.cancel(order.external_id)
    await waitUntil(() => !shop.busy())
    const updates = catcher.requests.slice(1).filter(({ headers }) => headers['x-wc-webhook-topic'] === 'order.updated')
    expect(catcher.requests).toHaveLength(4)
    expect(updates.map(({ body }) => (JSON.parse(body.toString()) as { status: string }).status)).toEqual([
      'cancelled',
      'cancelled',
    ])
    expect(new Set(updates.map(({ headers }) => headers['x-wc-webhook-delivery-id'])).size).toBe(1)
  })

  it('switches a hook off after more than five failures in a row and then announces nothing more', async () => {
    const shop = await start()
    await waitUntil(() => catcher.requests.length === 1)
    catcher.answerWith(503)
    for (let sale = 0; sale < 9; sale += 1) {
      buy(shop, 'TEA', 1)
      await waitUntil(() => !shop.busy())
    }
    expect(catcher.requests).toHaveLength(1 + 7)
    expect(shop.hooks()[0]).toMatchObject({ topic: 'order.created', status: 'disabled' })
  })

  it('loses and doubles webhooks as often as it is told to', async () => {
    const shop = await start()
    await waitUntil(() => catcher.requests.length === 1)
    const sellWith = async (faults: Partial<Faults>): Promise<number> => {
      const before = catcher.requests.length
      shop.setFaults({ ...KIND, ...faults })
      buy(shop, 'TEA', 1)
      await waitUntil(() => !shop.busy())
      return catcher.requests.length - before
    }
    expect([
      await sellWith({ webhook_drop_share: 1 }),
      await sellWith({ webhook_duplicate_share: 1 }),
      await sellWith({}),
    ]).toEqual([0, 2, 1])
    const [first, second] = catcher.requests.slice(1, 3)
    expect(second!.headers['x-wc-webhook-delivery-id']).toBe(first!.headers['x-wc-webhook-delivery-id'])
    expect(woocommerce.webhook!.dedupeKey(second!)).toBe(woocommerce.webhook!.dedupeKey(first!))
  })

  it('remembers all it answered after a power cut, and tells again what it had not told', async () => {
    const journal_path = join(folder, 'killed.jsonl')
    const answered = await answersBeforeKill('woocommerce', journal_path)
    expect(answered.length).toBeGreaterThan(100)
    // The line that was being written when the power went.
    appendFileSync(journal_path, '{"order":{"id":99')
    const shop = await start({
      journal_path,
      products: [{ sku: 'TEA', title: 'Tea', price_minor: 500, quantity: 1_000_000 }],
    })
    const { orders, shown } = shop.ledger()
    expect(answered.every((id) => orders.some((order) => order.external_id === id))).toBe(true)
    expect(shown['TEA']).toBe(1_000_000 - 2 * orders.length)
    const next = buy(shop, 'TEA', 1)!
    expect(orders.some((order) => order.external_id === next.external_id)).toBe(false)
    expect(shop.ledger().orders).toHaveLength(orders.length + 1)
  })

  it('delivers after a restart what it had queued before', async () => {
    const first = await start({ faults: { ...KIND, webhook_delay_ms_max: 60_000 }, random: () => 0.9 })
    await waitUntil(() => catcher.requests.length === 1)
    const order = buy(first, 'TEA', 1)!
    await running.pop()!.stop()
    expect(catcher.requests).toHaveLength(1)
    await start()
    await waitUntil(() => catcher.requests.length === 3)
    const bodies = catcher.requests.map(({ body }) => body.toString()).filter((body) => body.startsWith('{'))
    expect(bodies.map((body) => String((JSON.parse(body) as { id: number }).id))).toEqual([order.external_id])
  })
})
