import { audit } from './kit/audit.ts'
import { startClient } from './kit/client.ts'
import { inRounds, quantile, rowOf, type Bench } from './kit/figures.ts'
import { makeOrders, type BenchOrder } from './kit/orders.ts'
import { startWhole, waitUntilQuiet } from './kit/whole.ts'

const ALONE = 25
const PER_SECOND = 50
const STEADY = PER_SECOND * 3
const WARM_UP = 10
const QUIET_MS_MAX = 30_000
/** Goal G7. */
const TARGET = { p50_ms: 250, p99_ms: 1_000 }

/** Every order asks for another SKU, so that a number which arrives can only be about that order. */
function distinctOrders(count: number, from: number): BenchOrder[] {
  let next = from
  return makeOrders({ count, first: from, seed: 1 + from, rank: () => next++, lines_max: 1 })
}

export const saleToPush: Bench = {
  name: 'sale-to-push',
  what: 'webhook sent → another storefront is told',
  run: async (options) => {
    const client = await startClient()
    try {
      const { rounds, control } = await inRounds(options, async () => {
        const whole = await startWhole(options.ground, client, 0)
        try {
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          const orders = distinctOrders(WARM_UP + ALONE + STEADY, 0)
          await client.sell(whole.url, orders.slice(0, WARM_UP), {})
          const alone = await client.sell(whole.url, orders.slice(WARM_UP, WARM_UP + ALONE), {})
          const steady = await client.sell(whole.url, orders.slice(WARM_UP + ALONE), { per_second: PER_SECOND })
          if (alone.missing + steady.missing > 0)
            throw new Error(`${alone.missing + steady.missing} sales were never told to the other storefront`)
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          await audit(whole.hub.db, orders)
          return { alone: alone.latencies_ms, steady: steady.latencies_ms }
        } finally {
          await whole.close()
        }
      })
      const row = (figure: string, kind: 'alone' | 'steady', q: number, target: number, note: string) =>
        rowOf({
          figure,
          unit: 'ms',
          samples: rounds.map((round) => quantile(round[kind], q)),
          target,
          better: 'less',
          note,
        })
      const alone = `${ALONE} sales one after the other, each sent when the one before was told`
      const steady = `${STEADY} sales at ${PER_SECOND} a second`
      const rows = [
        row('sale_to_push_alone_p50', 'alone', 0.5, TARGET.p50_ms, alone),
        row('sale_to_push_alone_p99', 'alone', 0.99, TARGET.p99_ms, alone),
        row('sale_to_push_steady_p50', 'steady', 0.5, TARGET.p50_ms, steady),
        row('sale_to_push_steady_p99', 'steady', 0.99, TARGET.p99_ms, steady),
      ]
      return { rows, rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}

const RUSH = { per_second: 200, seconds: { quick: 2, usual: 10, full: 10 } } as const

export const saleToPush200: Bench = {
  name: 'sale-to-push-200',
  what: 'the same at 200 sales a second',
  run: async (options) => {
    const client = await startClient()
    const sales = RUSH.per_second * RUSH.seconds[options.size]
    try {
      const { rounds, control } = await inRounds(options, async () => {
        const whole = await startWhole(options.ground, client, 0)
        try {
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          const orders = distinctOrders(WARM_UP + sales, 0)
          await client.sell(whole.url, orders.slice(0, WARM_UP), {})
          const { latencies_ms, missing } = await client.sell(whole.url, orders.slice(WARM_UP), {
            per_second: RUSH.per_second,
          })
          if (missing > 0) throw new Error(`${missing} sales were never told to the other storefront`)
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          await audit(whole.hub.db, orders)
          return latencies_ms
        } finally {
          await whole.close()
        }
      })
      const note = `${sales} sales of as many items at ${RUSH.per_second} a second, whatever the answers do: webhook, drain, push, all in one process`
      const row = (figure: string, q: number, target: number) =>
        rowOf({
          figure,
          unit: 'ms',
          samples: rounds.map((latencies) => quantile(latencies, q)),
          target,
          better: 'less',
          note,
        })
      const rows = [row('sale_to_push_200_p50', 0.5, TARGET.p50_ms), row('sale_to_push_200_p99', 0.99, TARGET.p99_ms)]
      return { rows, rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
