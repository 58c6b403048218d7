import type { JobReporter } from '../src/queues/define.ts'
import { drainConnection } from '../src/queues/drain.ts'
import { bareJobsPerSecond } from './bare.ts'
import { audit } from './kit/audit.ts'
import { inRounds, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { zipfOrders, type BenchOrder } from './kit/orders.ts'
import { preload } from './kit/preload.ts'
import { STORE } from './kit/shop.ts'

const ORDERS = 6_000
/** A server that has run for a while has its code compiled; one round of so many orders is not counted. */
const WARM_UP = 2_000
/** Goal G1. It is stated against the queue that the product has by default. */
const TARGET = { postgres: 6, redis: undefined } as const

const reporter: JobReporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }

/** Orders a second from the inbox to reserved stock, through the job's own code. */
export async function ordersDrainedPerSecond(ground: Ground, orders: readonly BenchOrder[]): Promise<number> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  try {
    await preload(hub, orders)
    const started = performance.now()
    const result = await drainConnection(hub, STORE, reporter)
    const seconds = (performance.now() - started) / 1_000
    if (result.ended !== 'empty' || result.drained !== orders.length)
      throw new Error(`the drain ended early: ${result.sentence}`)
    await audit(hub.db, orders)
    return orders.length / seconds
  } finally {
    await close()
  }
}

export const drain: Bench = {
  name: 'drain',
  what: 'inbox → reserved',
  run: async (options) => {
    const { ground } = options
    await ordersDrainedPerSecond(ground, zipfOrders(WARM_UP, 0))
    const { rounds, control } = await inRounds(options, async (index) => {
      const orders = zipfOrders(ORDERS, index * ORDERS)
      const baseline = await bareJobsPerSecond(ground)
      return { baseline, value: await ordersDrainedPerSecond(ground, orders) }
    })
    const row = rowOf({
      figure: 'drain_vs_bare_bullmq',
      unit: 'orders/s',
      samples: rounds.map(({ value }) => value),
      baseline: rounds.map(({ baseline }) => baseline),
      target: TARGET[ground.backend],
      note: `${ORDERS} preloaded orders of 1 to 3 lines, zipf over 10k SKUs; against BullMQ doing nothing`,
    })
    return { rows: [row], rounds: rounds.length, control }
  },
}
