import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { RoutingRules } from '../src/core/model/routing.ts'
import { simulateRouting } from '../src/core/routing/simulate.ts'
import { inTransaction } from '../src/db/transaction.ts'
import type { OpenHub } from '../src/main.ts'
import { coreContext } from '../src/queues/context.ts'
import { inRounds, rowOf, type Bench, type BenchOptions } from './kit/figures.ts'
import { DAYS, makePast, PLACES } from './kit/past.ts'
import { COMPANY, STORE } from './kit/shop.ts'

/** A short past to compare with, and a long one. */
const SIZES = { quick: [1_000, 5_000], usual: [10_000, 100_000], full: [10_000, 100_000] } as const
const SAMPLE_EVERY_MS = 20
const MEGABYTE = 1024 * 1024

const DRAFT: RoutingRules = [
  {
    name: 'nearest',
    when: { countries: ['DE'] },
    filters: { serves_address: true, serves_service_level: true, accepts_items: true, has_capacity: true, in_time: false },
    sort: ['distance', 'stock_balance', 'rank'],
    strategy: 'minimize_splits',
    split: { locations_max: 50 },
    otherwise: 'wait',
  },
] // prettier-ignore

interface Past {
  open: OpenHub
  orders: number
  units: number
  units_lacking: number
}

interface Run {
  per_second: number
  heap_mb: number
}

async function openPast({ ground, tell }: BenchOptions, orders: number): Promise<Past> {
  const open = await ground.open({ release_after_seconds: 3_600 })
  const started = performance.now()
  const past = await makePast(open.hub.db, orders)
  tell(`${orders} orders of ${DAYS} days in ${Math.round((performance.now() - started) / 1_000)} s`)
  return { open, orders, ...past }
}

/** Both sides of a simulation, today's ranking and the draft, over the whole past; and how far the heap rose above what was there before. */
async function run({ open, orders, units_lacking }: Past): Promise<Run> {
  const now = coreContext(open.hub)
  const policies = new Map(now.policies)
  const policy = policies.get(STORE)
  if (policy === undefined) throw new Error('the storefront has no policy')
  policies.set(STORE, { ...policy, serves_from: PLACES })
  collectGarbage()
  const before = process.memoryUsage().heapUsed
  let peak = before
  const sample = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage().heapUsed)
  }, SAMPLE_EVERY_MS)
  try {
    const started = performance.now()
    const simulation = await inTransaction(open.hub.db, (tx) =>
      simulateRouting(tx, { ...now, policies }, { company_id: COMPANY, rules: DRAFT, days: DAYS }),
    )
    const seconds = (performance.now() - started) / 1_000
    for (const side of [simulation.today, simulation.draft]) {
      const parcels = side.places.flatMap(({ days }) => days).reduce((sum, day) => sum + day.parcels, 0)
      // Every unit that was there went to somebody, none to two: what still waits is exactly what never was there.
      if (side.orders !== orders || side.units_waiting !== units_lacking || parcels !== side.parcels)
        throw new Error(
          `of ${orders} orders that lack ${units_lacking} units, ${side.orders} lack ${side.units_waiting}`,
        )
    }
    return { per_second: orders / seconds, heap_mb: (peak - before) / MEGABYTE }
  } finally {
    clearInterval(sample)
  }
}

/** Without it the garbage of whatever ran before would be counted. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
}

export const simulate: Bench = {
  name: 'simulate',
  what: 'routing rules tried on the orders of four weeks',
  run: async (options) => {
    const pasts: Past[] = []
    try {
      for (const orders of SIZES[options.size]) pasts.push(await openPast(options, orders))
      const { rounds, control } = await inRounds(options, async () => {
        const runs: Run[] = []
        for (const past of pasts) runs.push(await run(past))
        return runs
      })
      return { rows: rowsOf(pasts, rounds), rounds: rounds.length, control }
    } finally {
      for (const { open } of pasts) await open.close()
    }
  },
}

function rowsOf(pasts: readonly Past[], rounds: readonly Run[][]) {
  const [short, long] = pasts
  const samplesOf = (place: number, pick: (one: Run) => number): number[] =>
    rounds.map((runs) => (runs[place] === undefined ? Number.NaN : pick(runs[place])))
  const note = `${long?.orders} orders (${long?.units} units, ${long?.units_lacking} too many) through today's ranking and a draft side by side, five places, 10k items; against a past of ${short?.orders}, in the same round`
  return [
    rowOf({
      figure: 'simulate_rate',
      unit: 'orders/s',
      samples: samplesOf(1, ({ per_second }) => per_second),
      baseline: samplesOf(0, ({ per_second }) => per_second),
      note,
    }),
    rowOf({
      figure: 'simulate_heap_peak',
      unit: 'MB',
      samples: samplesOf(1, ({ heap_mb }) => heap_mb),
      baseline: samplesOf(0, ({ heap_mb }) => heap_mb),
      note: 'highest heap above what was there before, garbage that was not collected yet included; ten times the orders are also ten times the backlog, which is kept in memory while it waits',
    }),
  ]
}
