import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { AvailabilityLine, PulledPage } from '../../../src/connectors/_kit/define.ts'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { startShopifySimulator } from '../../../src/sandbox/shopify/index.ts'
import { KIND, type Storefront } from '../../../src/sandbox/simulator.ts'
import { BUYER, portTo, PRODUCTS, simulatorOptions } from './port.ts'

const HOUR_MS = 3_600_000
let shop: Storefront
let clock_ms = 0

beforeEach(async () => {
  clock_ms = Date.parse('2026-11-01T10:00:00.250Z')
  shop = await startShopifySimulator({
    ...simulatorOptions({ now: () => new Date(clock_ms) }),
    connection_id: 'shop',
    products: PRODUCTS,
    currency: 'EUR',
    points: { max: 100_000, per_second: 100_000, query_max: 1_000 },
  })
})
afterEach(async () => await shop.stop())

const sell = (sku: string, quantity = 1) => {
  clock_ms += 1_000
  const order = shop.sell({ lines: [{ sku, quantity }], buyer: BUYER, paid: true, payment_id: `ch_${clock_ms}` })
  if (order === undefined) throw new Error(`no ${sku} left`)
  return order
}

async function pull(
  stream: 'orders' | 'listings',
  cursor: string | null,
  port = portTo(shop.settings).port,
): Promise<PulledPage[]> {
  const pages: PulledPage[] = []
  const request = { cursor, overlap_ms: 5_000, now: new Date(clock_ms) }
  for await (const page of shopify.pull![stream]!(port, request)) pages.push(page)
  return pages
}

const orderOf = (payload: unknown): Order => {
  const { facts } = shopify.inbound['order_graphql']!.map(payload, {
    observed_at: '2026-11-01T12:00:00Z',
    settings: {},
  })
  if (facts[0]?.kind !== 'order') throw new Error('no order came out')
  return facts[0].document
}

describe('test and pull', () => {
  it('shows the shop', async () => {
    expect(await shopify.test!(portTo(shop.settings).port)).toBe('Crossdock sandbox (EUR)')
  })

  it('pauses on a wrong token', async () => {
    const { port } = portTo({ ...shop.settings, access_token: 'wrong' })
    await expect(shopify.test!(port)).rejects.toMatchObject({ code: 'vendor_auth', next: 'pause' })
  })

  it('pulls every order once over all pages, then only what is new or inside the overlap', async () => {
    const sold = Array.from({ length: 45 }, () => sell('TEA'))
    const pages = await pull('orders', null)
    expect(pages.map((page) => page.items.length)).toEqual([20, 20, 5])
    const numbers = pages.flatMap((page) => page.items.map((item) => orderOf(item.payload).external_id))
    expect(numbers.toSorted()).toEqual(sold.map((order) => order.external_id).toSorted())
    expect(new Set(pages.flatMap((page) => page.items.map((item) => item.dedupe_key))).size).toBe(45)

    clock_ms += HOUR_MS
    const late = sell('MUG')
    const again = await pull('orders', pages.at(-1)!.cursor)
    const ids = again.flatMap((page) => page.items.map((item) => orderOf(item.payload).external_id))
    expect(ids.at(-1)).toBe(late.external_id)
    // Five seconds of overlap are five or six of the earlier orders, under the keys they had before.
    expect(ids.length).toBe(7)
    const before = new Set(pages.flatMap((page) => page.items.map((item) => item.dedupe_key)))
    expect(again.flatMap((page) => page.items).filter((item) => before.has(item.dedupe_key))).toHaveLength(6)
  })

  it('goes on at the page where it was stopped', async () => {
    Array.from({ length: 45 }, () => sell('TEA'))
    const [first] = await pull('orders', null)
    const rest = await pull('orders', first!.cursor)
    expect(rest.map((page) => page.items.length)).toEqual([20, 5])
  })

  it('asks for less when a page is too dear', async () => {
    const dear = await startShopifySimulator({
      ...simulatorOptions(),
      connection_id: 'dear',
      products: PRODUCTS,
      currency: 'EUR',
      points: { max: 100_000, per_second: 100_000, query_max: 70 },
    })
    for (let n = 0; n < 15; n += 1)
      dear.sell({ lines: [{ sku: 'TEA', quantity: 1 }], buyer: BUYER, paid: false, payment_id: null })
    const pages: PulledPage[] = []
    const request = { cursor: null, overlap_ms: 0, now: new Date() }
    for await (const page of shopify.pull!.orders!(portTo(dear.settings).port, request)) pages.push(page)
    await dear.stop()
    expect(pages.map((page) => page.items.length)).toEqual([10, 5])
  })

  it('reads an order with refunds and many lines whole', async () => {
    await shop.stop()
    const products = Array.from({ length: 130 }, (_, n) => ({
      sku: `S-${n}`,
      title: `Thing ${n}`,
      price_minor: 100 + n,
      quantity: 9,
    }))
    shop = await startShopifySimulator({
      ...simulatorOptions({ now: () => new Date(clock_ms) }),
      connection_id: 'wide',
      products,
      currency: 'EUR',
    })
    const lines = products.map(({ sku }) => ({ sku, quantity: 2 }))
    const sold = shop.sell({ lines, buyer: BUYER, paid: true, payment_id: 'ch_wide' })!
    shop.refund(sold.external_id, sold.lines[7]!.line_id, 1, 'cancel')
    const [page] = await pull('orders', null)
    const order = orderOf(page!.items[0]!.payload)
    expect(order.lines.map((line) => line.channel_sku)).toEqual(products.map(({ sku }) => sku))
    expect(order.refunds[0]!.lines).toEqual([
      { line_external_id: sold.lines[7]!.line_id, quantity: 1, restock: 'cancel', amount_minor: 107, tax_minor: 18 },
    ])
    expect(order.payment_ids).toEqual(['ch_wide'])
    expect(order.totals.total_minor).toBe(sold.total_minor)
  })

  it('pulls listings with what the stock write needs, under new keys when a level moved', async () => {
    const [page] = await pull('listings', null)
    const mapped = page!.items.flatMap(
      (item) => shopify.inbound['listing']!.map(item.payload, { observed_at: '', settings: {} }).facts,
    )
    expect(mapped[0]).toEqual({
      kind: 'listing',
      document: {
        channel_sku: 'TEA',
        title: 'Green tea',
        external: {
          inventory_item_id: 'gid://shopify/InventoryItem/7000001',
          variant_id: 'gid://shopify/ProductVariant/7000001',
        },
        quantity: 50,
      },
    })
    sell('TEA')
    const [again] = await pull('listings', '')
    expect(again!.items.map((item) => page!.items.some((old) => old.dedupe_key === item.dedupe_key))).toEqual([
      false,
      true,
      true,
    ])
  })
})

describe('availability', () => {
  const line = (n: number, quantity: number, expected: number | null): AvailabilityLine => ({
    listing_id: n,
    channel_sku: PRODUCTS[n - 1]?.sku ?? 'GONE',
    external: { inventory_item_id: `gid://shopify/InventoryItem/${7_000_000 + n}` },
    quantity,
    expected,
  })
  const push = async (lines: AvailabilityLine[], key: string) =>
    await shopify.availability!.push(portTo(shop.settings).port, lines, key)

  it('sets what it expects and reads it back', async () => {
    expect(await push([line(1, 40, 50), line(2, 11, null)], 'k1')).toEqual([
      { listing_id: 1, outcome: 'set' },
      { listing_id: 2, outcome: 'set' },
    ])
    expect(shop.ledger().shown).toEqual({ TEA: 40, MUG: 11, POT: 5 })
    const read = await shopify.availability!.read!(portTo(shop.settings).port, [line(2, 0, null), line(9, 0, null)])
    expect(read).toEqual([{ listing_id: 2, quantity: 11 }])
  })

  it('takes a stale and an unknown row out, sends the others again, and says what the channel shows', async () => {
    sell('TEA', 3)
    const results = await push([line(1, 40, 50), line(2, 11, 20), line(9, 1, 0), line(3, 4, 5)], 'k2')
    expect(results.toSorted((a, b) => a.listing_id - b.listing_id)).toEqual([
      { listing_id: 1, outcome: 'stale', actual: 47 },
      { listing_id: 2, outcome: 'set' },
      { listing_id: 3, outcome: 'set' },
      { listing_id: 9, outcome: 'refused', code: 'vendor_rejected', detail: 'INVALID_INVENTORY_ITEM' },
    ])
    expect(shop.ledger().shown).toEqual({ TEA: 47, MUG: 11, POT: 4 })
  })

  it('replays the same push without a second effect', async () => {
    await push([line(1, 40, 50)], 'k3')
    sell('TEA', 2)
    expect(await push([line(1, 40, 50)], 'k3')).toEqual([{ listing_id: 1, outcome: 'set' }])
    expect(shop.ledger().shown['TEA']).toBe(38)
    expect(shop.ledger().stock_writes).toHaveLength(1)
  })

  it('refuses a listing whose inventory item is not known without asking the shop', async () => {
    const { port, attempts } = portTo(shop.settings)
    const results = await shopify.availability!.push(port, [{ ...line(1, 1, null), external: {} }], 'k4')
    expect(results).toMatchObject([{ listing_id: 1, outcome: 'refused' }])
    expect(attempts).toEqual([])
  })

  it('is told how long to wait when throttled', async () => {
    await shop.stop()
    shop = await startShopifySimulator({
      ...simulatorOptions({ now: () => new Date(clock_ms) }),
      connection_id: 'slow',
      products: PRODUCTS,
      currency: 'EUR',
      points: { max: 12, per_second: 2, query_max: 1_000 },
    })
    await push([line(1, 40, 50)], 'a')
    // Ten of twelve points are gone; eight are missing at two a second.
    await expect(push([line(1, 39, 40)], 'b')).rejects.toMatchObject({
      code: 'vendor_throttled',
      next: 'retry',
      retry_after_ms: 4_000,
    })
    clock_ms += 4_000
    expect(await push([line(1, 39, 40)], 'b')).toEqual([{ listing_id: 1, outcome: 'set' }])
  })

  it('survives an answer that got lost: the key makes the repeat harmless', async () => {
    let draws = 0
    await shop.stop()
    shop = await startShopifySimulator({
      ...simulatorOptions({
        now: () => new Date(clock_ms),
        random: () => (++draws <= 3 ? 0 : 0.99),
        faults: { ...KIND, cut_share: 0.5 },
      }),
      connection_id: 'cut',
      products: PRODUCTS,
      currency: 'EUR',
    })
    expect(await push([line(1, 40, 50)], 'k5')).toEqual([{ listing_id: 1, outcome: 'set' }])
    expect(shop.ledger().stock_writes).toHaveLength(1)
  })
})

describe('shipments', () => {
  const noticeOf = (order: ReturnType<typeof sell>, quantity: number, tracking_number: string | null = 'TRACK-1') => ({
    outbox_id: 1,
    shipment_id: 's1',
    order_external_id: order.external_id,
    order_number: order.number,
    carrier: 'DHL',
    tracking_number,
    more_tracking_numbers: [] as string[],
    tracking_url: 'https://track.example/TRACK-1',
    shipped_at: '2026-11-01T11:00:00Z',
    lines: [{ line_external_id: order.lines[0]!.line_id, channel_sku: order.lines[0]!.sku, quantity }],
    units_remaining: 0,
  })
  const send = async (...notices: ReturnType<typeof noticeOf>[]) =>
    await shopify.shipments!.send(portTo(shop.settings).port, notices, 'key', new Date(clock_ms))
  const shipped = (order: { external_id: string }) =>
    shop.ledger().orders.find((o) => o.external_id === order.external_id)!

  it('books a shipment once, however often it is sent', async () => {
    const order = sell('TEA', 3)
    const [first] = await send(noticeOf(order, 2))
    expect(first).toMatchObject({ outbox_id: 1, outcome: 'done' })
    expect(await send(noticeOf(order, 2))).toEqual([first])
    expect(shipped(order).notices).toEqual([{ tracking_number: 'TRACK-1', lines: [{ sku: 'TEA', quantity: 2 }] }])
    expect(await send(noticeOf(order, 1, 'TRACK-2'))).toMatchObject([{ outcome: 'done' }])
    expect(shipped(order).lines[0]!.shipped).toBe(3)
  })

  it('books every parcel of a unit under its own number, once', async () => {
    const order = sell('TEA', 3)
    const notice = { ...noticeOf(order, 2, 'P-3'), more_tracking_numbers: ['P-1', 'P-2'] }
    const [first] = await send(notice)
    expect(await send(notice)).toEqual([first])
    expect(shipped(order).notices).toEqual([
      { tracking_number: 'P-3', lines: [{ sku: 'TEA', quantity: 2 }] },
      { tracking_number: 'P-1', lines: [] },
      { tracking_number: 'P-2', lines: [] },
    ])
    expect(await send({ ...noticeOf(order, 1, null), more_tracking_numbers: ['P-4'] })).toMatchObject([
      { outcome: 'done' },
    ])
    expect(shipped(order).notices.at(-1)).toMatchObject({ tracking_number: 'P-4' })
  })

  it('books what the shop has open, notes what it does not want any more, and refuses an order it does not know', async () => {
    const order = sell('TEA', 1)
    const note = (quantity: number) => ({
      kind: 'over_shipped',
      lines: [{ line_external_id: order.lines[0]!.line_id, quantity }],
    })
    const cancelled = sell('TEA', 2)
    shop.cancel(cancelled.external_id)
    expect(await send(noticeOf(cancelled, 2))).toMatchObject([
      { outcome: 'done', external_id: null, note: { kind: 'over_shipped', lines: [{ quantity: 2 }] } },
    ])
    expect(shipped(cancelled).notices).toEqual([])
    expect(await send(noticeOf(order, 2))).toMatchObject([
      { outcome: 'done', external_id: expect.stringContaining('Fulfillment'), note: note(1) },
    ])
    expect(await send(noticeOf(order, 1, 'TRACK-9'))).toMatchObject([{ outcome: 'done', external_id: null, note: note(1) }]) // prettier-ignore
    expect(shipped(order).notices).toHaveLength(1)
    expect(await send(noticeOf({ ...order, external_id: '1' }, 1))).toMatchObject([
      { outcome: 'refused', code: 'vendor_not_found' },
    ])
  })

  it('reports a lost answer as unknown and settles it by reading back', async () => {
    const order = sell('TEA', 2)
    const notice = noticeOf(order, 2)
    const { port } = portTo(shop.settings)
    expect(await shopify.shipments!.confirm!(port, [notice], 'key')).toBe('not_done')
    const cutting = { ...port, http: { ...port.http, request: async (call: Parameters<typeof port.http.request>[0]) => {
      shop.setFaults(call.operation === 'fulfillmentCreate' ? { ...KIND, cut_share: 1 } : KIND)
      return await port.http.request(call)
    } } } // prettier-ignore
    await expect(shopify.shipments!.send(cutting, [notice], 'key', new Date())).rejects.toMatchObject({
      code: 'outcome_unknown',
    })
    shop.setFaults(KIND)
    expect(await shopify.shipments!.confirm!(port, [notice], 'key')).toBe('done')
    expect(await send(notice)).toMatchObject([{ outcome: 'done' }])
    expect(shipped(order).notices).toHaveLength(1)
    expect(await shopify.shipments!.confirm!(port, [{ ...notice, tracking_number: null }], 'key')).toBe('unknown')
  })

  it('retries later when the shop fails before doing anything', async () => {
    const order = sell('TEA', 1)
    shop.setFaults({ ...KIND, fail_share: 1 })
    await expect(send(noticeOf(order, 1))).rejects.toMatchObject({ next: 'retry' })
    expect(shipped(order).notices).toEqual([])
  })
})
