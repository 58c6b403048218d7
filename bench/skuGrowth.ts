import { verify } from '../src/core/verify.ts'
import type { OpenHub } from '../src/main.ts'
import { applyBatches, orderBatches } from './kit/core.ts'
import { inRounds, rowOf, type Bench, type BenchOptions, type Size } from './kit/figures.ts'
import { growShop } from './kit/grow.ts'
import { makeOrders, unitsOf, zipf } from './kit/orders.ts'
import { STOCK_OF_EACH } from './kit/shop.ts'

const SIZES: Readonly<Record<Size, readonly number[]>> = {
  quick: [10_000, 30_000],
  usual: [10_000, 100_000, 1_000_000],
  full: [10_000, 100_000, 1_000_000],
}
const ORDERS = { quick: 500, usual: 2_500, full: 2_500 } as const
/** So that no size pays for code and statements that were never run. */
const WARM_UP = 500
const LANES = 2
/** Goal G9: what an order costs with a hundred times as many items, over what it cost before. */
const TARGET = 2

interface Shop {
  items: number
  open: OpenHub
  rank: (random: () => number) => number
  orders: number
  units: number
}

async function openShop({ ground, tell }: BenchOptions, items: number): Promise<Shop> {
  const open = await ground.open({ release_after_seconds: 3_600 })
  const started = performance.now()
  await growShop(open.hub.db, items)
  tell(`a shop of ${items} items in ${Math.round((performance.now() - started) / 1_000)} s`)
  return { items, open, rank: zipf(items), orders: 0, units: 0 }
}

/** Microseconds that an order costs: people, lines, reservation, ledger, work and outbox, in batches on two connections. */
async function microsecondsPerOrder(shop: Shop, count: number): Promise<number> {
  const { hub } = shop.open
  const orders = makeOrders({ count, first: shop.orders, seed: 1 + shop.orders, rank: shop.rank, lines_max: 3 })
  const batches = orderBatches(hub, orders)
  const started = performance.now()
  await applyBatches(hub, batches, LANES)
  const took = performance.now() - started
  shop.orders += count
  shop.units += unitsOf(orders)
  return (took * 1_000) / count
}

/** Every order is there once and has its units, in all the rounds together, and the counters of every item add up. */
async function auditShop({ open, items, orders, units }: Shop): Promise<void> {
  const [found] = await open.hub.db.query<object>(
    `select (select count(*) from orders where reservation_state = 'committed') as orders,
       (select sum(quantity)::bigint from reservations where state = 'committed') as promised,
       (select sum(available)::bigint from stock) as available`,
  )
  const wanted = { orders, promised: units, available: items * STOCK_OF_EACH - units }
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`the audit found ${JSON.stringify(found)} where ${JSON.stringify(wanted)} was sold`)
  const { ok, checks } = await verify(open.hub.db)
  if (!ok) throw new Error(`the audit found ${checks.flatMap((c) => (c.violations > 0 ? c.name : [])).join(', ')}`)
}

export const skuGrowth: Bench = {
  name: 'sku-growth',
  what: 'what an order costs with 10k, 100k and 1M items',
  run: async (options) => {
    const shops: Shop[] = []
    try {
      for (const items of SIZES[options.size]) shops.push(await openShop(options, items))
      for (const shop of shops) await microsecondsPerOrder(shop, WARM_UP)
      const { rounds, control } = await inRounds(options, async (round) => {
        const costs: number[] = []
        // Another size begins each round: whoever comes first finds the disk busy with what was before.
        for (const turn of shops.keys()) {
          const place = (round + turn) % shops.length
          const shop = shops[place]
          if (shop !== undefined) costs[place] = await microsecondsPerOrder(shop, ORDERS[options.size])
        }
        return costs
      })
      for (const shop of shops) await auditShop(shop)
      const note =
        `whole orders of 1 to 3 lines, zipf over all items of one storefront, batches of 250 on two connections; against the smallest shop, in the same round` +
        (options.size === 'quick' ? '; a million items are left out by --quick' : '')
      const rows = shops.slice(1).map(({ items }, index) =>
        rowOf({
          figure: `order_cost_${items}_items`,
          unit: 'µs/order',
          samples: rounds.map((costs) => costs[index + 1] ?? Number.NaN),
          baseline: rounds.map((costs) => costs[0] ?? Number.NaN),
          target: TARGET,
          better: 'less',
          note,
        }),
      )
      return { rows, rounds: rounds.length, control }
    } finally {
      for (const { open } of shops) await open.close()
    }
  },
}
