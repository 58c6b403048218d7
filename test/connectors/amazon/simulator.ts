import { amazon } from '../../../src/connectors/amazon/index.ts'
import type { Order } from '../../../src/core/model/order.ts'
import { startAmazonSimulator, type AmazonOptions, type AmazonSimulator } from '../../../src/sandbox/amazon/index.ts'
import { KIND } from '../../../src/sandbox/simulator.ts'
import { vendorPort } from '../../kit/vendorPort.ts'

const BUYER = { name: 'Ada Example', email: 'ada@example.test', country: 'DE' }
const PRODUCTS = ['TEA', 'MUG', 'POT', 'JAR'].map((sku, index) => ({
  sku,
  title: `Nice ${sku.toLowerCase()}`,
  price_minor: 1_000 + index,
  quantity: 500,
}))

/** A marketplace that a test holds the clock of. */
export interface Stage {
  market: AmazonSimulator
  clock: { ms: number }
  now: () => Date
}

/** JAR lies in Amazon's own warehouses. Plans are wide, and a search shows what happened a second ago. */
export async function openStage(options: Partial<AmazonOptions> = {}): Promise<Stage> {
  const clock = { ms: Date.UTC(2026, 10, 20, 8) }
  const now = (): Date => new Date(clock.ms)
  const market = await startAmazonSimulator({
    connection_id: 'amazon-test',
    products: PRODUCTS,
    by_amazon: ['JAR'],
    currency: 'EUR',
    raised: { rate: 1_000, burst: 1_000 },
    search_lag_ms: 1_000,
    feed_ms: 0,
    journal_path: null,
    port: 0,
    random: () => 0.5,
    now,
    faults: KIND,
    webhook_url: null,
    ...options,
  })
  return { market, clock, now }
}

export const portTo = ({ market }: Stage, more: Readonly<Record<string, unknown>> = {}) =>
  vendorPort(amazon, { ...market.settings, ...more })

export const sell = ({ market }: Stage, lines = [{ sku: 'TEA', quantity: 1 }], paid = true) => {
  const order = market.sell({ lines, buyer: BUYER, paid, payment_id: null })
  if (order === undefined) throw new Error('nothing was sold')
  return order
}

/** The order as the connector's mapping makes it. */
export function mapped(payload: unknown, observed_at = '2026-11-20T09:00:00.000Z'): Order {
  const mapping = amazon.inbound['order']
  const [fact] = mapping?.map(payload, { observed_at, settings: {} }).facts ?? []
  if (fact?.kind !== 'order') throw new Error('no order came out')
  return fact.document
}
