import nock from 'nock'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { PulledItem } from '../../../src/connectors/_kit/define.ts'
import { shopify } from '../../../src/connectors/shopify/index.ts'
import type { Settlement } from '../../../src/core/model/settlement.ts'
import {
  startShopifySimulator,
  type ShopifySimulator,
  type ShopifySimulatorOptions,
} from '../../../src/sandbox/shopify/index.ts'
import { drainPull } from '../../kit/vendorPort.ts'
import { BUYER, portTo, PRODUCTS, simulatorOptions } from './port.ts'

const DAY_MS = 86_400_000
const FEE = { percent_bp: 190, fixed_minor: 30 }
let clock_ms = 0
const now = (): Date => new Date(clock_ms)
const shops: ShopifySimulator[] = []

async function open(more: Partial<ShopifySimulatorOptions> = {}): Promise<ShopifySimulator> {
  const shop = await startShopifySimulator({
    ...simulatorOptions({ now }),
    connection_id: 'shop',
    products: PRODUCTS.map((product) => ({ ...product, quantity: 1_000 })),
    currency: 'EUR',
    payments: { fee: FEE },
    points: { max: 100_000, per_second: 100_000, query_max: 1_000 },
    ...more,
  })
  shops.push(shop)
  return shop
}
beforeEach(() => void (clock_ms = Date.UTC(2026, 9, 1, 8)))
afterEach(async () => {
  for (const shop of shops.splice(0)) await shop.stop()
  nock.cleanAll()
})

const pull = async (settings: Readonly<Record<string, unknown>>, cursor: string | null = null) =>
  drainPull(shopify.pull!.settlements!(portTo(settings).port, { cursor, overlap_ms: 0, now: now() }))
const settlementOf = (item: PulledItem): Settlement =>
  shopify.inbound[item.topic]!.map(item.payload, { observed_at: now().toISOString(), settings: {} }).facts[0]!
    .document as Settlement
const sell = (shop: ShopifySimulator) => {
  clock_ms += 1_000
  return shop.sell({ lines: [{ sku: 'TEA', quantity: 1 }], buyer: BUYER, paid: true, payment_id: null })!
}

describe('payouts of Shopify Payments', () => {
  it('come with the rows of all pages, which are the payout to the cent', async () => {
    const shop = await open()
    for (let count = 0; count < 230; count += 1) {
      const order = sell(shop)
      if (count % 10 === 0) shop.refund(order.external_id, order.lines[0]!.line_id, 1, 'cancel')
    }
    shop.payments.book({ type: 'DISPUTE_WITHDRAWAL', amount_minor: -1_280, fee_minor: 0, order_external_id: null })
    shop.payments.book({ type: 'CHARGEBACK_FEE', amount_minor: 0, fee_minor: 1_500, order_external_id: null })
    shop.payments.book({ type: 'SHIPPING_LABEL', amount_minor: -499, fee_minor: 0, order_external_id: null })
    shop.payments.book({ type: 'RESERVED_FUNDS', amount_minor: -10_000, fee_minor: 0, order_external_id: null })
    const payout = shop.payments.payOut()!
    const { items } = await pull(shop.settings)
    expect(items).toHaveLength(1)
    const settlement = settlementOf(items[0]!)
    expect(settlement).toMatchObject({
      external_id: payout.id,
      status: 'in_transit',
      payout_minor: payout.amount_minor,
    })
    expect(settlement.lines).toHaveLength(230 + 23 + 4)
    expect(settlement.lines.reduce((total, line) => total + line.net_minor, 0)).toBe(payout.amount_minor)
    const told = shop.payments.ledger().payouts[0]!.rows
    expect(new Map(settlement.lines.map((line) => [line.external_id, line.net_minor]))).toEqual(
      new Map(told.map((row) => [row.id, row.net_minor])),
    )
    const [first] = shop.ledger().orders
    expect(settlement.lines.find((line) => line.references.order_number === first!.number)).toMatchObject({
      kind: 'sale',
      gross_minor: 1_280,
      fee_minor: 54,
      references: { order_external_id: first!.external_id },
    })
  })

  it('are told once for each state, again when the bank refuses one days later, and the next one carries its money', async () => {
    const shop = await open()
    sell(shop)
    const first = shop.payments.payOut('SCHEDULED')!
    const gathering = await pull(shop.settings)
    expect(gathering.items).toEqual([])
    shop.payments.movePayout(first.id, 'IN_TRANSIT')
    const sent = await pull(shop.settings, gathering.cursor)
    shop.payments.movePayout(first.id, 'PAID')
    const paid = await pull(shop.settings, sent.cursor)
    const quiet = await pull(shop.settings, paid.cursor)
    expect([sent, paid, quiet].map(({ items }) => items.map((item) => settlementOf(item).status))).toEqual([['in_transit'], ['paid'], []]) // prettier-ignore
    expect(settlementOf(paid.items[0]!).bank_reference).toBe(`TRACE${first.id}`)

    clock_ms += 9 * DAY_MS
    const later = await pull(shop.settings, quiet.cursor)
    shop.payments.movePayout(first.id, 'FAILED')
    sell(shop)
    const second = shop.payments.payOut()!
    const failed = await pull(shop.settings, later.cursor)
    expect(failed.items.map((item) => [settlementOf(item).external_id, settlementOf(item).status])).toEqual([
      [first.id, 'failed'],
      [second.id, 'in_transit'],
    ])
    const retried = settlementOf(failed.items[1]!)
    expect(retried.lines.map((line) => [line.kind, line.net_minor])).toEqual([['transfer', first.amount_minor], ['sale', 1_226]]) // prettier-ignore
    expect(retried.payout_minor).toBe(first.amount_minor + 1_226)
  })

  it('resume behind the last one that was stored', async () => {
    const shop = await open()
    for (let count = 0; count < 3; count += 1) {
      sell(shop)
      shop.payments.payOut()
    }
    const pages = shopify.pull!.settlements!(portTo(shop.settings).port, { cursor: null, overlap_ms: 0, now: now() })
    const stored = (await pages.next()).value as { items: PulledItem[]; cursor: string }
    expect((await pull(shop.settings, stored.cursor)).items).toHaveLength(2)
  })

  it('of a shop without Shopify Payments are none, of one in test mode neither, and of one that says so neither', async () => {
    const without = await startShopifySimulator({ ...simulatorOptions({ now }), connection_id: 'bare', products: PRODUCTS, currency: 'EUR' }) // prettier-ignore
    shops.push(without)
    expect(await pull(without.settings)).toEqual({ items: [], cursor: null, pages: 0 })
    const test = await open({ payments: { fee: FEE, mode: 'test' } })
    sell(test)
    test.payments.payOut()
    const { items, cursor } = await pull(test.settings)
    expect([items, (await pull(test.settings, cursor)).items]).toEqual([[], []])
    expect((await pull({ ...test.settings, api_url: 'http://127.0.0.1:9', payouts: 'off' })).pages).toBe(0)
  })

  it('ask for smaller pages where a query costs too much', async () => {
    const shop = await open({ points: { max: 100_000, per_second: 100_000, query_max: 60 } })
    for (let count = 0; count < 120; count += 1) sell(shop)
    const payout = shop.payments.payOut()!
    const { items } = await pull(shop.settings)
    expect(settlementOf(items[0]!).lines.reduce((total, line) => total + line.net_minor, 0)).toBe(payout.amount_minor)
  })
})

describe('odd answers', () => {
  const SETTINGS = {
    shop: 'tea.myshopify.com',
    access_token: 'shpat_x',
    webhook_secrets: ['client-secret'],
    location_id: 'gid://shopify/Location/1',
    api_url: 'http://127.0.0.1:9',
  }
  const answers = (...replies: [number, string | object, (Record<string, string> | undefined)?][]): void => {
    for (const [status, body, headers] of replies)
      nock('http://127.0.0.1:9').post('/admin/api/2026-10/graphql.json').reply(status, body, headers)
  }
  const fault = async (): Promise<unknown> => pull(SETTINGS).catch((thrown: unknown) => thrown)

  it('a token that may not read payouts does not stop the rest of the connection', async () => {
    answers([200, { errors: [{ message: 'Access denied', extensions: { code: 'ACCESS_DENIED' } }], data: { shopifyPaymentsAccount: null } }]) // prettier-ignore
    expect(await fault()).toMatchObject({ code: 'vendor_rejected', next: 'park', hint: expect.stringContaining('read_shopify_payments_payouts') }) // prettier-ignore
  })

  it.each([
    [401, { errors: '[API] Invalid API key' }, undefined, { code: 'vendor_auth' }],
    [429, 'slow down', { 'retry-after': '2.0' }, { code: 'vendor_throttled' }],
    [200, '<html>maintenance</html>', undefined, { code: 'vendor_response_invalid' }],
    [200, '{"data":{"shopifyPaymentsAccount":{"payouts":{"pageInfo":', undefined, { code: 'vendor_response_invalid' }],
    [
      200,
      { data: { shopifyPaymentsAccount: { payouts: { nodes: [] } } } },
      undefined,
      { code: 'vendor_response_invalid' },
    ],
  ])('%i with %j is named', async (status, body, headers, expected) => {
    answers([status, body, headers])
    expect(await fault()).toMatchObject(expected)
  })

  it('rows of another payout, come because a search word was not understood, are refused', async () => {
    const pageInfo = { hasNextPage: false, endCursor: null }
    const payout = { id: 'gid://shopify/ShopifyPaymentsPayout/1', legacyResourceId: '1', issuedAt: '2026-09-30T00:00:00Z', status: 'PAID' } // prettier-ignore
    answers(
      [200, { data: { shopifyPaymentsAccount: { payouts: { pageInfo, nodes: [payout] } } } }],
      [200, { data: { shopifyPaymentsAccount: { balanceTransactions: { pageInfo, nodes: [{ id: 'x', associatedPayout: { id: 'gid://shopify/ShopifyPaymentsPayout/2' } }] } } } }], // prettier-ignore
    )
    expect(await fault()).toMatchObject({ code: 'vendor_response_invalid', message: expect.stringContaining('another payout') }) // prettier-ignore
  })
})
