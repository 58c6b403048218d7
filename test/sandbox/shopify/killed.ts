/** A shop that is killed while its webhooks wait: run by simulator.test.ts as a process of its own. */
import { startShopifySimulator } from '../../../src/sandbox/shopify/index.ts'
import { BUYER, PRODUCTS, simulatorOptions } from '../../connectors/shopify/port.ts'

const shop = await startShopifySimulator({
  ...simulatorOptions({ journal_path: process.argv[2] ?? null }),
  connection_id: 'shop',
  products: PRODUCTS,
  currency: 'EUR',
})
const order = shop.sell({ lines: [{ sku: 'TEA', quantity: 3 }], buyer: BUYER, paid: true, payment_id: 'ch_1' })
shop.edit(order?.external_id ?? '', order?.lines[0]?.line_id ?? '', 2)
process.send?.(shop.ledger())
