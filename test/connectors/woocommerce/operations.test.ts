import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AvailabilityLine, ShipmentNotice } from '../../../src/core/model/effects.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { woocommerce } from '../../../src/connectors/woocommerce/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { startWooSimulator, type WooSimulator } from '../../../src/sandbox/woocommerce.ts'
import { startHookCatcher, waitUntil } from '../../kit/hookCatcher.ts'
import { drainPull, vendorPort } from '../../kit/vendorPort.ts'

const BUYER = { name: 'Ada Example', email: 'ada@example.test', country: 'DE' }
const PRODUCTS = ['TEA', 'MUG', 'SHIRT-S', 'SHIRT-L'].map((sku, index) => ({
  sku,
  title: sku,
  price_minor: 1_000 + index,
  quantity: 500,
}))
const NEVER = null as string | null

let clock_ms = 0
let shop: WooSimulator
const now = (): Date => new Date(clock_ms)

beforeEach(async () => {
  clock_ms = Date.UTC(2026, 10, 20, 8)
  shop = await startWooSimulator({
    connection_id: 'woo-test',
    products: PRODUCTS,
    currency: 'EUR',
    variable: [{ title: 'Shirt', skus: ['SHIRT-S', 'SHIRT-L'] }],
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now,
    faults: KIND,
    webhook_url: NEVER,
  })
})
afterEach(async () => await shop.stop())

const port = () => vendorPort(woocommerce, shop.settings)
const sell = (sku = 'TEA', quantity = 1) =>
  shop.sell({ lines: [{ sku, quantity }], buyer: BUYER, paid: true, payment_id: 'ch_1' })!
const pullOrders = async (cursor: string | null, overlap_ms = 0) =>
  await drainPull(woocommerce.pull!.orders!(port().port, { cursor, overlap_ms, now: now() }))
const idsOf = (items: { payload: unknown }[]): string[] =>
  items.map(({ payload }) => String((payload as { id: number }).id))
const mapped = (payload: unknown): Order =>
  woocommerce.inbound['order']!.map(payload, { observed_at: now().toISOString(), settings: {} }).facts[0]!
    .document as Order

describe('pulling orders', () => {
  it('reads several pages once, in the order of change, and goes on at the cursor', async () => {
    const sold = Array.from({ length: 230 }, () => {
      clock_ms += 1_000
      return sell().external_id
    })
    const first = await pullOrders(null)
    expect([...new Set(idsOf(first.items))]).toEqual(sold)
    expect(new Set(first.items.map((item) => item.dedupe_key)).size).toBe(230)
    expect(first.pages).toBe(3)
    const again = await pullOrders(first.cursor, 5_000)
    expect(again.items.map((item) => item.dedupe_key)).toEqual(first.items.map((item) => item.dedupe_key).slice(-5))
    clock_ms += 10_000
    shop.cancel(sold[3]!)
    const third = await pullOrders(again.cursor)
    expect(idsOf(third.items)).toEqual([sold[3]])
    expect(mapped(third.items[0]!.payload).lifecycle).toBe('cancelled')
  })

  it('skips none when orders change while it reads, nor when more than a page falls into one second', async () => {
    const crowd = Array.from({ length: 250 }, () => sell().external_id)
    const spread = Array.from({ length: 220 }, () => {
      clock_ms += 1_000
      return sell()
    })
    const seen = new Set<string>()
    const pages = woocommerce.pull!.orders!(port().port, { cursor: null, overlap_ms: 0, now: now() })
    for await (const page of pages) {
      for (const id of idsOf(page.items)) seen.add(id)
      if (!crowd.every((id) => seen.has(id))) continue
      // Ones that were read move to the end of the list, and all behind them forward.
      clock_ms += 1_000
      const read = spread.filter((order) => seen.has(order.external_id)).slice(0, 5)
      for (const order of read) expect(shop.refund(order.external_id, order.lines[0]!.line_id, 1, 'none')).toBe(true)
    }
    expect([...crowd, ...spread.map((order) => order.external_id)].filter((id) => !seen.has(id))).toEqual([])
  })

  it('brings the details of refunds, and orders in the trash', async () => {
    const refunded = sell('MUG', 3)
    const trashed = sell('TEA', 2)
    clock_ms += 1_000
    shop.refund(refunded.external_id, refunded.lines[0]!.line_id, 2, 'cancel')
    shop.refund(refunded.external_id, refunded.lines[0]!.line_id, 1, 'none')
    shop.trash(trashed.external_id)
    const { items } = await pullOrders(null)
    const orders = new Map(items.map(({ payload }) => [mapped(payload).external_id, mapped(payload)]))
    expect(orders.get(refunded.external_id)).toMatchObject({
      payment_state: 'refunded',
      totals: { refunded_minor: 3_003 },
    })
    expect(orders.get(refunded.external_id)!.refunds.flatMap((refund) => refund.lines)).toMatchObject([
      { quantity: 0, restock: 'none', amount_minor: 1_001 },
      { quantity: 2, restock: 'cancel', amount_minor: 2_002 },
    ])
    expect(orders.get(trashed.external_id)?.lifecycle).toBe('cancelled')
  })

  it('switches webhooks on again that the shop switched off', async () => {
    const catcher = await startHookCatcher()
    catcher.answerWith(500)
    shop.setWebhookUrl(catcher.url)
    for (let sale = 0; sale < 7; sale += 1) {
      sell()
      await waitUntil(() => !shop.busy())
    }
    expect(shop.hooks().map((hook) => hook.status)).toEqual(['disabled', 'active', 'active', 'active'])
    await pullOrders(null)
    expect(shop.hooks().every((hook) => hook.status === 'active')).toBe(true)
    catcher.answerWith(200)
    const before = catcher.requests.length
    sell()
    await waitUntil(() => catcher.requests.length > before)
    await catcher.stop()
  })
})

describe('listings', () => {
  it('are plain products and variations with the ids that a stock write needs', async () => {
    const { items } = await drainPull(
      woocommerce.pull!.listings!(port().port, { cursor: null, overlap_ms: 0, now: now() }),
    )
    const facts = items.flatMap(
      ({ payload }) =>
        woocommerce.inbound['listing']!.map(payload, { observed_at: now().toISOString(), settings: {} }).facts,
    )
    expect(facts.map((fact) => fact.document)).toEqual([
      { channel_sku: 'TEA', title: 'TEA', external: { product_id: '101' }, quantity: 500 },
      { channel_sku: 'MUG', title: 'MUG', external: { product_id: '102' }, quantity: 500 },
      { channel_sku: 'SHIRT-S', title: 'SHIRT-S', external: { product_id: '901', variation_id: '103' }, quantity: 500 },
      { channel_sku: 'SHIRT-L', title: 'SHIRT-L', external: { product_id: '901', variation_id: '104' }, quantity: 500 },
    ])
  })
})

describe('availability', () => {
  const line = (
    listing_id: number,
    channel_sku: string,
    quantity: number,
    external: Record<string, string> = {},
  ): AvailabilityLine => ({
    listing_id,
    channel_sku,
    external,
    quantity,
    expected: null,
  })

  it('is written in one call per parent, by id or by SKU, and can be read back', async () => {
    const lines = [
      line(1, 'TEA', 7, { product_id: '101' }),
      line(2, 'MUG', 0),
      line(3, 'SHIRT-S', 3, { product_id: '901', variation_id: '103' }),
      line(4, 'SHIRT-L', 4),
    ]
    const { port: handed, attempts } = port()
    const results = await woocommerce.availability!.push(handed, lines, 'key')
    expect(results.toSorted((a, b) => a.listing_id - b.listing_id)).toEqual(
      [1, 2, 3, 4].map((listing_id) => ({ listing_id, outcome: 'set' })),
    )
    expect(shop.ledger().shown).toEqual({ TEA: 7, MUG: 0, 'SHIRT-S': 3, 'SHIRT-L': 4 })
    expect(attempts.filter(({ method }) => method === 'POST')).toHaveLength(2)
    const read = await woocommerce.availability!.read!(handed, lines)
    expect(read.toSorted((a, b) => a.listing_id - b.listing_id).map(({ quantity }) => quantity)).toEqual([7, 0, 3, 4])
  })

  it('refuses only the line that the shop refuses inside its 200', async () => {
    const lines = [
      line(1, 'TEA', 7, { product_id: '101' }),
      line(2, 'GONE', 1, { product_id: '999' }),
      line(3, 'NOWHERE', 1),
    ]
    const results = await woocommerce.availability!.push(port().port, lines, 'key')
    expect(results).toEqual([
      expect.objectContaining({ listing_id: 3, outcome: 'refused', code: 'vendor_not_found' }),
      { listing_id: 1, outcome: 'set' },
      { listing_id: 2, outcome: 'refused', code: 'vendor_not_found', detail: 'woocommerce_rest_product_invalid_id' },
    ])
    expect(shop.ledger().shown['TEA']).toBe(7)
  })

  it('is written again, to the same end, when the answer is lost on the way', async () => {
    let rolls = 0
    // Rolls come in pairs: what the call meets, and whether its answer is cut. The first answer is.
    const cut = await startWooSimulator({
      connection_id: 'woo-cut',
      products: PRODUCTS,
      currency: 'EUR',
      journal_path: null,
      port: 0,
      random: () => ((rolls += 1) === 2 ? 0 : 0.9),
      now,
      faults: { ...KIND, cut_share: 0.5 },
      webhook_url: null,
    })
    const { port: handed, attempts } = vendorPort(woocommerce, cut.settings)
    const results = await woocommerce.availability!.push(handed, [line(1, 'TEA', 5, { product_id: '101' })], 'key')
    expect(results).toEqual([{ listing_id: 1, outcome: 'set' }])
    expect(attempts).toHaveLength(2)
    expect(cut.ledger().stock_writes.map(({ quantity }) => quantity)).toEqual([5, 5])
    await cut.stop()
  })
})

describe('shipments', () => {
  const notice = (order: ReturnType<typeof sell>, change: Partial<ShipmentNotice> = {}): ShipmentNotice => ({
    outbox_id: 1,
    shipment_id: 'S1',
    order_external_id: order.external_id,
    order_number: order.number,
    carrier: 'DHL',
    tracking_number: 'T1',
    more_tracking_numbers: [],
    tracking_url: null,
    shipped_at: now().toISOString(),
    lines: [{ line_external_id: order.lines[0]!.line_id, channel_sku: order.lines[0]!.sku, quantity: 1 }],
    units_remaining: 1,
    ...change,
  })
  const soldOrder = (external_id: string) => shop.ledger().orders.find((order) => order.external_id === external_id)!

  it('note each parcel once, complete the order with the last, and can be confirmed', async () => {
    const order = sell('TEA', 2)
    const { port: handed, attempts } = port()
    const shipments = woocommerce.shipments!
    expect(await shipments.confirm!(handed, [notice(order)], 'k')).toBe('not_done')
    expect(await shipments.send(handed, [notice(order)], 'k', now())).toMatchObject([{ outbox_id: 1, outcome: 'done' }])
    expect(await shipments.confirm!(handed, [notice(order)], 'k')).toBe('done')
    await shipments.send(handed, [notice(order)], 'k', now())
    expect(attempts.filter(({ method }) => method === 'PUT')).toHaveLength(1)
    expect(soldOrder(order.external_id)).toMatchObject({
      notices: [{ tracking_number: 'T1' }],
      lines: [{ shipped: 1 }],
    })

    const last = notice(order, { shipment_id: 'S2', tracking_number: 'T2', units_remaining: 0 })
    await shipments.send(handed, [last], 'k', now())
    expect(await shipments.confirm!(handed, [last], 'k')).toBe('done')
    const { items } = await pullOrders(null)
    expect(mapped(items.at(-1)!.payload)).toMatchObject({ lifecycle: 'closed', payment_state: 'paid' })
    expect(soldOrder(order.external_id).notices.map((each) => each.tracking_number)).toEqual(['T1', 'T2'])
  })

  it('name every parcel of a unit', async () => {
    const order = sell()
    const more_tracking_numbers = ['T8', 'T9']
    await woocommerce.shipments!.send(port().port, [notice(order, { more_tracking_numbers })], 'k', now())
    expect(soldOrder(order.external_id)).toMatchObject({
      notices: [{ tracking_number: 'T1' }, { tracking_number: 'T8', lines: [] }, { tracking_number: 'T9', lines: [] }],
      lines: [{ shipped: 1 }],
    })
  })

  it('leave a cancelled order cancelled, and say that it was not wanted any more', async () => {
    const order = sell()
    shop.cancel(order.external_id)
    const results = await woocommerce.shipments!.send(port().port, [notice(order, { units_remaining: 0 })], 'k', now())
    expect(results).toMatchObject([
      {
        outcome: 'done',
        note: { kind: 'over_shipped', lines: [{ line_external_id: order.lines[0]!.line_id, quantity: 1 }] },
      },
    ])
    expect(soldOrder(order.external_id)).toMatchObject({ cancelled: true, notices: [{ tracking_number: 'T1' }] })
  })

  it('of an order the shop does not know are a fault', async () => {
    const order = { ...sell(), external_id: '999999' }
    await expect(woocommerce.shipments!.send(port().port, [notice(order)], 'k', now())).rejects.toMatchObject({
      code: 'vendor_not_found',
    })
  })
})

describe('answers of the shop and of what stands before it', () => {
  async function answering(status: number, body: string, headers: Record<string, string> = {}) {
    const server = createServer((_incoming, outgoing) => outgoing.writeHead(status, headers).end(body))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const site_url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const { port: handed } = vendorPort(woocommerce, { ...shop.settings, site_url })
    try {
      return await woocommerce.test!(handed).catch((thrown: unknown) => thrown)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
  const html = '<html><body>Attention required</body></html>'
  const error = (code: string, status: number): string => JSON.stringify({ code, message: 'No.', data: { status } })

  it.each([
    [403, html, {}, 'vendor_unavailable', 'retry'],
    [404, html, {}, 'vendor_unavailable', 'retry'],
    [200, html, {}, 'vendor_response_invalid', 'retry'],
    [200, '{"not":"a list"}', {}, 'vendor_response_invalid', 'retry'],
    [503, html, {}, 'vendor_unavailable', 'retry'],
    [429, html, { 'retry-after': '7' }, 'vendor_throttled', 'retry'],
    [401, error('woocommerce_rest_cannot_view', 401), {}, 'vendor_auth', 'pause'],
    [400, error('woocommerce_rest_shop_order_invalid_id', 400), {}, 'vendor_not_found', 'park'],
    [400, error('rest_invalid_param', 400), {}, 'vendor_rejected', 'park'],
  ])('%i with %s is %s', async (status, body, headers, code, next) => {
    const fault = await answering(status, body, headers)
    expect(fault).toMatchObject({ code, next })
    if (status === 429) expect(fault).toMatchObject({ retry_after_ms: 7_000 })
  })

  it('a wrong key is refused by the shop, a right one shows the newest order', async () => {
    const wrong = vendorPort(woocommerce, { ...shop.settings, consumer_secret: 'cs_wrong' })
    await expect(woocommerce.test!(wrong.port)).rejects.toMatchObject({ code: 'vendor_auth' })
    expect(await woocommerce.test!(port().port)).toBe('the shop has no orders yet')
    const order = sell()
    expect(await woocommerce.test!(port().port)).toBe(
      `newest order ${order.external_id} of 2026-11-20T08:00:00Z, 1 in all`,
    )
  })
})
