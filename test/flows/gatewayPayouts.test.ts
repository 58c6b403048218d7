import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAdyenSimulator, type AdyenSimulator } from '../../src/sandbox/adyen.ts'
import { startPaypalSimulator, type PaypalSimulator } from '../../src/sandbox/paypal.ts'
import { startShopifySimulator, type ShopifySimulator } from '../../src/sandbox/shopify/index.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { openGatewayFlow, type GatewayFlow } from '../kit/gatewayFlow.ts'

/** From a sale to a payout of which nothing is left over: each gateway over its own API, into one running hub. */

const TIMEOUT_MS = 200_000
const options = {
  journal_path: null,
  port: 0,
  random: Math.random,
  now: () => new Date(),
  faults: KIND,
  webhook_url: null,
}
const products = [{ sku: 'TEA', title: 'Green tea', price_minor: 790, quantity: 10_000 }]
const BUYER = { name: 'Ada Example', email: 'ada@sandbox.example', country: 'DE' }

/** A shop that takes its money itself, and one whose money goes through gateways. */
let own: ShopifySimulator
let shop: ShopifySimulator
let paypal: PaypalSimulator
let adyen: AdyenSimulator
let flow: GatewayFlow

beforeAll(async () => {
  const fee = { percent_bp: 190, fixed_minor: 30 }
  own = await startShopifySimulator({
    ...options,
    connection_id: 'shop-own',
    products,
    currency: 'EUR',
    payments: { fee },
  })
  shop = await startShopifySimulator({ ...options, connection_id: 'shop', products, currency: 'EUR' })
  paypal = await startPaypalSimulator({ ...options, connection_id: 'paypal', fee })
  adyen = await startAdyenSimulator({ ...options, connection_id: 'adyen', currency: 'EUR' })
  flow = await openGatewayFlow([
    { ...own, connector: 'shopify', id: 'shop-own' },
    { ...shop, connector: 'shopify', id: 'shop' },
    { ...paypal, connector: 'paypal', id: 'paypal' },
    { ...adyen, connector: 'adyen', id: 'adyen' },
  ])
}, TIMEOUT_MS)
afterAll(async () => {
  await flow?.close()
  for (const simulator of [own, shop, paypal, adyen]) await simulator?.stop()
})

const PRICE = 790 + 490
const sell = (from: ShopifySimulator, payment_id: string | null) => {
  const order = from.sell({ lines: [{ sku: 'TEA', quantity: 1 }], buyer: BUYER, paid: true, payment_id })
  if (order === undefined) throw new Error('nothing was sold')
  return order
}

describe('Shopify Payments', () => {
  test(
    'a payout is pulled, matched to its orders, and told again when the bank has it',
    { timeout: TIMEOUT_MS },
    async () => {
      const orders = Array.from({ length: 3 }, () => sell(own, null))
      own.refund(orders[0]!.external_id, orders[0]!.lines[0]!.line_id, 1, 'cancel')
      own.payments.book({ type: 'SHIPPING_LABEL', amount_minor: -499, fee_minor: 0, order_external_id: null })
      const payout = own.payments.payOut()!
      const sent = await flow.settled(payout.id, { status: 'in_transit', lines: 5, matched: 4 })
      expect(sent.payout_minor).toBe(payout.amount_minor)
      own.payments.movePayout(payout.id, 'PAID')
      await flow.settled(payout.id, { status: 'paid' })
      own.payments.movePayout(payout.id, 'FAILED')
      await flow.settled(payout.id, { status: 'failed' })
    },
  )
})

describe('PayPal', () => {
  test(
    'a withdrawal is pulled with what led to it, and a corrected one takes its place',
    { timeout: TIMEOUT_MS },
    async () => {
      const payments = Array.from({ length: 3 }, (_, index) => {
        const { id } = paypal.pay({ amount_minor: PRICE, currency: 'EUR', order_number: `P${index}` })
        return { id, order: sell(shop, id) }
      })
      const [first] = payments
      paypal.refund(first!.id, 790)
      shop.refund(first!.order.external_id, first!.order.lines[0]!.line_id, 1, 'cancel')
      const withdrawal = paypal.withdraw('EUR')!
      const told = await flow.settled(withdrawal.id, { status: 'paid', lines: 4, matched: 4 })
      expect(told.payout_minor).toBe(withdrawal.amount_minor)

      const { id } = paypal.renameWithdrawal(withdrawal.id)
      await flow.settled(id, { status: 'paid', payout_minor: withdrawal.amount_minor, lines: 4, matched: 4 })
      await flow.settled(withdrawal.id, { status: 'cancelled', payout_minor: 0, lines: 0 })
    },
  )
})

describe('Adyen', () => {
  test(
    'a report is announced, downloaded, kept and matched; a corrected one raises the version',
    { timeout: TIMEOUT_MS },
    async () => {
      const payments = Array.from({ length: 3 }, (_, index) => {
        const psp_reference = `PSP${index}X${Date.now()}`
        const order = sell(shop, psp_reference)
        adyen.settle({
          amount_minor: PRICE,
          order_number: order.number,
          fees: index === 0 ? [38] : [9, 5, 20],
          psp_reference,
        })
        return { psp_reference, order }
      })
      const [first] = payments
      adyen.refund(first!.psp_reference, 790)
      shop.refund(first!.order.external_id, first!.order.lines[0]!.line_id, 1, 'cancel')
      const { batch, amount_minor } = adyen.payOut(100)!
      const told = await flow.settled(`SandboxShopECOM:${batch}`, { status: 'paid', lines: 5, matched: 4 })
      expect(told.payout_minor).toBe(amount_minor)
      await flow.shows(
        `select name, state, body is not null as kept from inbound_files where connection_id = 'adyen'`,
        [{ name: `settlement_detail_report_batch_${batch}.csv`, state: 'applied', kept: true }],
      )
      // The schedule and the announcement may ask for it at once; it is kept once, as shown above.
      expect([1, 2]).toContain(adyen.downloads()[batch])

      adyen.restate(batch, -50)
      adyen.announce(batch)
      const corrected = await flow.settled(`SandboxShopECOM:${batch}`, { payout_minor: amount_minor - 50, lines: 6 })
      expect(corrected.version).toBeGreaterThan(told.version)
    },
  )
})
