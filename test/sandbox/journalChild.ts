/** Run as its own process, to be killed in the middle of its work: `journalChild.ts <stripe|woocommerce> <journal>`. */
import { KIND } from '../../src/sandbox/simulator.ts'
import { startStripeSimulator } from '../../src/sandbox/stripe.ts'
import { startWooSimulator } from '../../src/sandbox/woocommerce.ts'

const [vendor, journal_path = null] = process.argv.slice(2)
const common = {
  journal_path,
  port: 0,
  random: () => 0.5,
  now: () => new Date(),
  faults: KIND,
  webhook_url: null,
  currency: 'EUR',
}
// A deed that was answered is one the vendor remembers: each is printed only after it was done.
const say = (line: string): void => void process.stdout.write(`${line}\n`)

if (vendor === 'stripe') {
  const gateway = await startStripeSimulator({
    ...common,
    connection_id: 's',
    fee: { percent_bp: 150, fixed_minor: 25 },
  })
  for (let order = 1; ; order += 1) {
    say(
      gateway.charge({
        amount_minor: 1_000,
        currency: 'EUR',
        order_number: String(order),
        order_external_id: String(order),
      }).id,
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
} else {
  const products = [{ sku: 'TEA', title: 'Tea', price_minor: 500, quantity: 1_000_000 }]
  const shop = await startWooSimulator({ ...common, connection_id: 'w', products })
  for (;;) {
    const buyer = { name: 'A B', email: 'a@example.test', country: 'DE' }
    say(
      shop.sell({ lines: [{ sku: 'TEA', quantity: 2 }], buyer, paid: true, payment_id: null })?.external_id ??
        'sold out',
    )
    await new Promise((resolve) => setImmediate(resolve))
  }
}
