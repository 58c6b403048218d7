import { bareJobsPerSecond } from './bare.ts'
import { audit, waitUntilReserved } from './kit/audit.ts'
import { startClient, type Client } from './kit/client.ts'
import { inRounds, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { zipfOrders, type BenchOrder } from './kit/orders.ts'
import { startWhole, waitUntilQuiet } from './kit/whole.ts'

const ORDERS = 5_000
const WARM_UP = 1_500
const CONNECTIONS = 64
const RESERVED_MS_MAX = 60_000
const QUIET_MS_MAX = 30_000
/** Goal G2: twice what BullMQ does with jobs that do nothing; on Redis, whose queue is far faster, three tenths of it. */
const TARGET = { postgres: 2, redis: 0.3 } as const

/** Orders a second from the first webhook until the last one is reserved, with everything in one process: HTTP, drain, pushes, sweeper. */
async function ordersPerSecond(ground: Ground, client: Client, orders: readonly BenchOrder[]): Promise<number> {
  const whole = await startWhole(ground, client, 3_600)
  try {
    await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
    const started = performance.now()
    await client.post(whole.url, orders, { connections: CONNECTIONS })
    await waitUntilReserved(whole.hub.db, RESERVED_MS_MAX)
    const seconds = (performance.now() - started) / 1_000
    await audit(whole.hub.db, orders)
    return orders.length / seconds
  } finally {
    await whole.close()
  }
}

export const endToEnd: Bench = {
  name: 'end-to-end',
  what: 'signed webhook → reserved',
  run: async (options) => {
    const client = await startClient()
    try {
      await ordersPerSecond(options.ground, client, zipfOrders(WARM_UP, 0))
      const { rounds, control } = await inRounds(options, async (index) => {
        const orders = zipfOrders(ORDERS, index * ORDERS)
        const baseline = await bareJobsPerSecond(options.ground)
        return { baseline, value: await ordersPerSecond(options.ground, client, orders) }
      })
      const row = rowOf({
        figure: 'end_to_end_vs_bare_bullmq',
        unit: 'orders/s',
        samples: rounds.map(({ value }) => value),
        baseline: rounds.map(({ baseline }) => baseline),
        target: TARGET[options.ground.backend],
        note: `${ORDERS} signed webhooks at full speed until all are reserved, pushes to two storefronts included; against BullMQ doing nothing`,
      })
      return { rows: [row], rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
