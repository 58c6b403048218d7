import { afterEach, beforeEach, expect, test } from 'vitest'
import { verify } from '../../src/core/verify.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { createWorld, kinds, line, order, orderFact, policy, type World } from '../kit/orders.ts'

/** CROSSDOCK_RACE_ORDERS=50000 for a long run. */
const ORDERS = Number(process.env['CROSSDOCK_RACE_ORDERS'] ?? 2_000)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const AT_ONCE = 64
const BATCH_MAX = 6
const CHANNELS = ['shop', 'mall', 'bazaar'] as const
const TIMEOUT_MS = 60_000 + ORDERS * 20

let world: World
let random: () => number

beforeEach(async () => {
  random = seededRandom(SEED)
  world = await createWorld({ pool_max: AT_ONCE })
  for (const id of CHANNELS.slice(1)) {
    await world.db.query(`insert into connections (id, connector, company_id) values ($1, 'shop', 'acme')`, [id])
    world.policies.set(id, policy(id))
  }
})
afterEach(() => world.database.drop())

const below = (limit: number): number => Math.floor(random() * limit)

/** Stock of so many items, one to five units each, in two places. Returns the units by SKU. */
async function stockUp(count: number): Promise<Map<string, number>> {
  const stock = new Map<string, number>()
  for (let index = 0; index < count; index += 1) {
    const sku = `S${index}`
    const units = 1 + below(5)
    const north = below(units + 1)
    await world.addItem(sku, { north, south: units - north })
    stock.set(sku, units)
  }
  return stock
}

interface Sale {
  channel: (typeof CHANNELS)[number]
  fact: Fact
}

/** Orders of one to four lines on all channels; the same SKU may stand on two lines. `demand` counts the units of each SKU. */
function makeSales(skus: readonly string[], demand: Map<string, number>): Sale[] {
  return Array.from({ length: ORDERS }, (_, index) => {
    const lines = Array.from({ length: 1 + below(4) }, (__, place) => {
      const sku = skus[below(skus.length)] ?? ''
      const quantity = 1 + below(2)
      demand.set(sku, (demand.get(sku) ?? 0) + quantity)
      return line(String(place), sku, quantity)
    })
    return { channel: CHANNELS[below(CHANNELS.length)] ?? 'shop', fact: orderFact(order(`r${index}`, lines)) }
  })
}

/** All sales in transactions of some orders of one channel each, so many of them at any time. A fault of any of them fails the test. */
async function sellAtOnce(sales: readonly Sale[]): Promise<string[]> {
  const batches = CHANNELS.flatMap((channel) => {
    const own = sales.filter((sale) => sale.channel === channel).map((sale) => sale.fact)
    const cut: { channel: string; facts: Fact[] }[] = []
    while (own.length > 0) cut.push({ channel, facts: own.splice(0, 1 + below(BATCH_MAX)) })
    return cut
  })
  const shuffled = batches.map((batch) => ({ batch, place: random() })).toSorted((a, b) => a.place - b.place)
  const outcomes: string[] = []
  const seller = async (): Promise<void> => {
    for (let next = shuffled.pop(); next !== undefined; next = shuffled.pop())
      outcomes.push(...kinds(await world.apply(next.batch.facts, next.batch.channel)))
  }
  await Promise.all(Array.from({ length: AT_ONCE }, seller))
  return outcomes
}

const promisedBySku = async (): Promise<Map<string, number>> => {
  const rows = await world.db.query<{ sku: string; units: number }>(
    `select i.sku, sum(r.quantity)::int as units from reservations r join items i on i.id = r.item_id where r.state in ('held', 'committed') group by 1`,
  )
  return new Map(rows.map((row) => [row.sku, row.units]))
}

async function expectSound(sales: readonly Sale[], outcomes: readonly string[]): Promise<void> {
  expect(outcomes.filter((text) => !text.startsWith('order '))).toEqual([])
  expect(outcomes).toHaveLength(sales.length)
  const { ok, checks } = await verify(world.db)
  expect(checks.filter((check) => check.violations > 0)).toEqual([])
  expect(ok).toBe(true)
  // Nobody's order is an orphan: each line holds or lacks every unit of every item that it wants.
  const orphans = await world.db.query(
    `select l.id, r.item_id from order_lines l left join reservations r on r.order_line_id = l.id and r.state in ('held', 'committed', 'shortfall')
     group by l.id, l.quantity, r.item_id having coalesce(sum(r.quantity), 0) <> l.quantity * coalesce(max(r.per_unit), 1) limit 5`,
  )
  expect(orphans).toEqual([])
}

test(
  `${ORDERS} orders for 200 scarce items at once: each item is promised to the smaller of stock and demand (SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const stock = await stockUp(200)
    const demand = new Map<string, number>()
    const sales = makeSales([...stock.keys()], demand)
    await expectSound(sales, await sellAtOnce(sales))
    const promised = await promisedBySku()
    const wrong = [...stock].filter(
      ([sku, units]) => (promised.get(sku) ?? 0) !== Math.min(units, demand.get(sku) ?? 0),
    )
    expect(wrong).toEqual([])
  },
)

test(
  `${ORDERS} orders for kits that share scarce components: no kit is short that could be made (SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const stock = await stockUp(120)
    const parts = [...stock.keys()]
    const kits = await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const sku = `KIT${index}`
        const chosen = new Set(Array.from({ length: 2 + below(2) }, () => parts[below(parts.length)] ?? ''))
        await world.addKit(sku, Object.fromEntries([...chosen].map((part) => [part, 1 + below(2)])))
        return sku
      }),
    )
    const demand = new Map<string, number>()
    const sales = makeSales([...kits, ...kits, ...parts], demand)
    await expectSound(sales, await sellAtOnce(sales))
    const promised = await promisedBySku()
    expect([...stock].filter(([sku, units]) => (promised.get(sku) ?? 0) > units)).toEqual([])
    // A line that is short of a kit: with what is free now not one more of it can be made.
    const makeable = await world.db.query(
      `with free as (select item_id, sum(available) as units from stock group by 1)
     select r.order_line_id from reservations r join free f on f.item_id = r.item_id
     where r.state = 'shortfall' and r.quantity > 0
     group by r.order_line_id having min(floor(f.units / r.per_unit)) >= 1 limit 5`,
    )
    expect(makeable).toEqual([])
  },
)
