import { audit } from './kit/audit.ts'
import { startClient, type Client } from './kit/client.ts'
import type { Tally } from './kit/clientWorker.ts'
import { inRounds, rowOf, type Bench, type BenchOptions } from './kit/figures.ts'
import { zipfOrders, type BenchOrder } from './kit/orders.ts'
import { inventoryItemOf, OUTLET, STOCK_OF_EACH, STORE } from './kit/shop.ts'
import { startWhole, waitUntilQuiet } from './kit/whole.ts'

const PER_SECOND = 200
const SECONDS = { quick: 3, usual: 10, full: 10 } as const
const CONNECTIONS = 64
const QUIET_MS_MAX = 60_000
const CHANNELS = [STORE, OUTLET] as const
/** Goal G8. */
const TARGET = 0.1

interface Told {
  /** Every line of an order changes the number of its item on each storefront. */
  changes: number
  requests: number
  numbers: number
}

async function tellOf(orders: readonly BenchOrder[], options: BenchOptions, client: Client): Promise<Told> {
  const whole = await startWhole(options.ground, client, 3_600)
  try {
    await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
    await client.tally()
    await client.post(whole.url, orders, { connections: CONNECTIONS, per_second: PER_SECOND })
    await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
    const tally = await client.tally()
    await audit(whole.hub.db, orders)
    assertLastIsTrue(tally, orders)
    const lines = orders.reduce((sum, order) => sum + order.lines.length, 0)
    return { changes: lines * CHANNELS.length, requests: tally.requests, numbers: tally.numbers }
  } finally {
    await whole.close()
  }
}

/** What each storefront was told last about each item that was sold is what is left of it, worked out from what was sent alone. */
function assertLastIsTrue({ last }: Tally, orders: readonly BenchOrder[]): void {
  const left = new Map<string, number>()
  for (const { sku, quantity } of orders.flatMap(({ lines }) => lines))
    left.set(sku, (left.get(sku) ?? STOCK_OF_EACH) - quantity)
  for (const channel of CHANNELS) {
    for (const [sku, truth] of left) {
      const told = last[channel]?.[inventoryItemOf(sku)]
      if (told !== truth) throw new Error(`${channel} was told ${told} of ${sku} where ${truth} are left`)
    }
  }
}

export const pushRatio: Bench = {
  name: 'push-ratio',
  what: 'pushes that a stock change costs at a steady rate',
  run: async (options) => {
    const client = await startClient()
    try {
      const count = PER_SECOND * SECONDS[options.size]
      const { rounds, control } = await inRounds(options, (index) =>
        tellOf(zipfOrders(count, index * count), options, client),
      )
      const changes = rounds.map((round) => round.changes)
      const about = `${PER_SECOND} orders/s of 1 to 3 lines for ${SECONDS[options.size]} s, zipf over 10k SKUs, two storefronts`
      const rows = [
        rowOf({
          figure: 'push_requests_per_change',
          unit: 'requests',
          samples: rounds.map(({ requests }) => requests),
          baseline: changes,
          target: TARGET,
          better: 'less',
          note: `${about}; against one push for every stock change and storefront`,
        }),
        rowOf({
          figure: 'push_numbers_per_change',
          unit: 'numbers',
          samples: rounds.map(({ numbers }) => numbers),
          baseline: changes,
          note: 'the numbers inside those requests: an item that sold twice in a tenth of a second is told once, one that sold once has to be told',
        }),
      ]
      return { rows, rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
