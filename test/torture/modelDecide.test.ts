import { array, assert, constantFrom, integer, property, record, shuffledSubarray } from 'fast-check'
import { test } from 'vitest'
import { decideReservations } from '../../src/core/inventory/rules.ts'
import type { OrderDemand } from '../../src/core/inventory/rulesDemand.ts'
import { decide, TAKES, type Demand } from '../kit/naiveHub.ts'

/** CROSSDOCK_DECISIONS=1000000 for a long run, SEED=… to have the same decisions again. */
const DECISIONS = Number(process.env['CROSSDOCK_DECISIONS'] ?? 30_000)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const ITEMS = ['A', 'B', 'C']
const PLACES = ['north', 'south', 'west']
const SHORTFALLS = ['partial', 'all_or_nothing', 'backorder'] as const

const need = record({ sku: constantFrom(...Object.keys(TAKES)), units: integer({ min: 1, max: 5 }) })
const demand = record({
  priority: constantFrom(10, 100, 200),
  shortfall: constantFrom(...SHORTFALLS),
  places: shuffledSubarray(PLACES, { minLength: 1 }),
  needs: array(need, { minLength: 1, maxLength: 4 }),
  own: array(integer({ min: 0, max: 2 }), { maxLength: 2 }),
})
const shelf = array(integer({ min: 0, max: 9 }), { minLength: 9, maxLength: 9 })
const situation = record({
  shelf,
  demands: array(demand, { minLength: 1, maxLength: 4 }),
  waiting: array(demand, { maxLength: 3 }),
})

type Said = Parameters<Parameters<typeof demand.map>[0]>[0]

const keysOf = (): string[] => ITEMS.flatMap((item) => PLACES.map((place) => `${item}@${place}`))

function naiveDemand(said: Said, order: string, since: number): Demand {
  const needs = said.needs.map(({ sku, units }, line) => ({ line: String(line), sku, units, takes: TAKES[sku] ?? [] }))
  const own = new Map(said.own.map((units, index): [string, number] => [keysOf()[index * 3] ?? '', units]))
  return { order, since, priority: said.priority, shortfall: said.shortfall, places: said.places, needs, own }
}

const toId = (key: string): string => key.replace(/^[ABC]/, (item) => String(ITEMS.indexOf(item)))

function ownDemand({ order, since, priority, shortfall, places, needs, own }: Demand): OrderDemand {
  return {
    order_id: order,
    priority,
    shortfall,
    placed_at_ms: since,
    ship_by_ms: null,
    serves_from: places,
    last_resort: [],
    plan: null,
    own: new Map([...own].map(([key, units]) => [toId(key), units])),
    lines: needs.map(({ line, units, takes }) => {
      const components = takes.map(([item, per_unit]) => ({ item_id: ITEMS.indexOf(item), per_unit }))
      return { line_id: Number(line), units, components }
    }),
  }
}

test(
  `${DECISIONS} decisions about who gets what from where are those of a naive model (SEED=${SEED})`,
  { timeout: 60_000 + DECISIONS * 5 },
  () => {
    const agree = property(situation, ({ shelf: units, demands, waiting }) => {
      const left = new Map(keysOf().map((key, index) => [key, units[index] ?? 0]))
      const naive = [
        demands.map((said, index) => naiveDemand(said, `o${index}`, index)),
        waiting.map((said, index) => naiveDemand({ ...said, own: [] }, `w${index}`, 100 + index)),
      ] as const
      const ought = decide(left, ...naive).map(
        ({ order, need: { line }, place, units: count }) => `${order} ${line} ${place} ${count}`,
      )
      const available = new Map([...left].map(([key, count]) => [toId(key), count]))
      const { allocations } = decideReservations(available, naive[0].map(ownDemand), naive[1].map(ownDemand))
      const is = allocations.map(
        ({ order_id, line, location_id, units: count }) => `${order_id} ${line.line_id} ${location_id} ${count}`,
      )
      if (is.join('\n') !== ought.join('\n')) throw new Error(`is\n${is.join('\n')}\nought to be\n${ought.join('\n')}`)
    })
    assert(agree, { seed: SEED, numRuns: DECISIONS, unbiased: true })
  },
)
