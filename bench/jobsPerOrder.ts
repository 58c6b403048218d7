import { audit } from './kit/audit.ts'
import { startClient } from './kit/client.ts'
import { inRounds, rowOf, type Bench } from './kit/figures.ts'
import { zipfOrders } from './kit/orders.ts'
import { startWhole, waitUntilQuiet } from './kit/whole.ts'

const ORDERS = 4_000
const CONNECTIONS = 64
const QUIET_MS_MAX = 60_000
/** Goal G11. */
const TARGET = 0.05

export const jobsPerOrder: Bench = {
  name: 'jobs-per-order',
  what: 'queue jobs that an order costs under load',
  run: async (options) => {
    const client = await startClient()
    try {
      const { rounds, control } = await inRounds(options, async (index) => {
        const whole = await startWhole(options.ground, client, 0)
        try {
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          const orders = zipfOrders(ORDERS, index * ORDERS)
          const before = whole.jobsRun()
          await client.post(whole.url, orders, { connections: CONNECTIONS })
          await waitUntilQuiet(whole.hub, QUIET_MS_MAX)
          const after = whole.jobsRun()
          await audit(whole.hub.db, orders)
          return new Map([...after].map(([name, count]) => [name, (count - (before.get(name) ?? 0)) / ORDERS]))
        } finally {
          await whole.close()
        }
      })
      const last = [...(rounds.at(-1) ?? [])]
        .filter(([, share]) => share > 0)
        .map(([name, share]) => `${name} ${Math.round(share * ORDERS)}`)
      const row = rowOf({
        figure: 'jobs_per_order',
        unit: 'jobs/order',
        samples: rounds.map((round) => [...round.values()].reduce((sum, share) => sum + share, 0)),
        target: TARGET,
        better: 'less',
        note: `${ORDERS} webhooks at full speed, until all is reserved, told to two storefronts and handed to the 3PL; jobs of the last round: ${last.join(', ')}`,
      })
      return { rows: [row], rounds: rounds.length, control }
    } finally {
      await client.close()
    }
  },
}
