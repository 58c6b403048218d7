import { afterAll, beforeAll, expect, test } from 'vitest'
import type { RunningHub } from '../../src/main.ts'
import { wakePull, forceAll } from '../../src/queues/wake.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import type { Shop } from '../../src/sandbox/trade.ts'
import { openFlow, type Flow } from '../kit/flowHub.ts'

const ID = 'amazon-eu'
const SKU = 'TEA-GREEN-100'
const WAIT = { timeout: 45_000, interval: 200 }
const BUYER = { name: 'Flow Buyer', email: 'flow@sandbox.example', country: 'DE' }
let flow: Flow
let running: RunningHub
let market: Shop['storefront']

beforeAll(async () => {
  flow = await openFlow()
  running = await flow.start()
  const shop = flow.sandbox.world.shops.find(({ storefront }) => storefront.connection_id === ID)
  if (shop === undefined) throw new Error(`the sandbox has no ${ID}`)
  market = shop.storefront
})
afterAll(() => flow.close())

const orderOf = async (external_id: string) =>
  (
    await running.hub.db.query<Record<string, unknown>>(
      'select lifecycle, payment_state, fulfillment_state, reservation_state from orders where connection_id = $1 and external_id = $2',
      [ID, external_id],
    )
  )[0]
const booked = (external_id: string) => market.ledger().orders.find((order) => order.external_id === external_id)

function buy(quantity: number, paid: boolean) {
  const order = market.sell({ lines: [{ sku: SKU, quantity }], buyer: BUYER, paid, payment_id: null })
  if (order === undefined) throw new Error('the marketplace shows too little')
  return order
}

test('the marketplace is told what may be sold there', async () => {
  const shown = () => market.products().find(({ sku }) => sku === SKU)?.quantity ?? 0
  await expect.poll(shown, WAIT).toBeGreaterThan(100)
})

test('an order is held while it is pending, shipped once it is paid, confirmed, paid out and matched', async () => {
  const { external_id } = buy(2, false)
  await expect
    .poll(() => orderOf(external_id), WAIT)
    .toMatchObject({ lifecycle: 'open', payment_state: 'pending', reservation_state: 'held' })
  market.pay(external_id, null)
  await expect
    .poll(() => orderOf(external_id), WAIT)
    .toMatchObject({ lifecycle: 'closed', payment_state: 'paid', fulfillment_state: 'fulfilled' })
  expect(booked(external_id)).toMatchObject({ lines: [{ shipped: 2 }] })
  expect(new Set(booked(external_id)!.notices.map(({ tracking_number }) => tracking_number)).size).toBe(
    booked(external_id)!.notices.length,
  )

  for (const marketplace of flow.sandbox.world.marketplaces) marketplace.payOut()
  const [payout] = flow.sandbox.world.marketplaces.flatMap((each) => each.payouts())
  await forceAll(running.hub, [wakePull(ID, 'reports')])
  const settlement = async () =>
    (
      await running.hub.db.query<Record<string, unknown>>(
        `select s.payout_minor::int, s.difference_minor::int, count(l.id)::int as lines,
           count(l.id) filter (where l.match_state = 'unmatched')::int as unmatched
         from settlements s join settlement_lines l on l.settlement_id = s.id where s.connection_id = $1 group by s.id`,
        [ID],
      )
    )[0]
  await expect
    .poll(settlement, WAIT)
    .toEqual({ payout_minor: payout!.amount_minor, difference_minor: 0, lines: payout!.rows.length, unmatched: 0 })
})

test('an order whose notification is lost is found by the search; a cancelled one gives its units back', async () => {
  flow.sandbox.world.setFaults({ ...KIND, webhook_drop_share: 1 })
  const { external_id } = buy(3, false)
  await expect.poll(() => orderOf(external_id), WAIT).toMatchObject({ reservation_state: 'held' })
  market.cancel(external_id)
  await expect
    .poll(() => orderOf(external_id), WAIT)
    .toMatchObject({ lifecycle: 'cancelled', payment_state: 'voided', reservation_state: 'released' })
  flow.sandbox.world.setFaults(KIND)
})

test('a sale elsewhere lowers what the marketplace shows', async () => {
  const before = market.products().find(({ sku }) => sku === SKU)!.quantity
  const shop = flow.sandbox.world.shops.find(({ storefront }) => storefront.connection_id === 'shopify-eu')!
  shop.storefront.sell({ lines: [{ sku: SKU, quantity: 5 }], buyer: BUYER, paid: true, payment_id: null })
  await expect
    .poll(() => market.products().find(({ sku }) => sku === SKU)!.quantity, WAIT)
    .toBeLessThanOrEqual(before - 5)
})

test('nothing that is logged of its calls names a buyer or a secret', async () => {
  const rows = await running.hub.db.query<{ text: string }>(
    'select a::text as text from attempts a where connection_id = $1',
    [ID],
  )
  expect(rows.length).toBeGreaterThan(0)
  const told = /Flow Buyer|marketplace\.sandbox\.example|oa2-cs|Atzr|Atza|sandbox-queue-secret/
  expect(rows.filter(({ text }) => told.test(text))).toEqual([])
})
