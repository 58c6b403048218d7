import { afterEach, beforeEach, expect, it } from 'vitest'
import { expireCartHolds, releaseHolds } from '../../../src/core/holds/end.ts'
import { reserveHolds } from '../../../src/core/holds/reserve.ts'
import type { HoldRequest, HoldVerdict } from '../../../src/core/holds/wishes.ts'
import { verify } from '../../../src/core/verify.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { createHoldBatcher } from '../../../src/http/api/holdBatcher.ts'
import { seededRandom } from '../../../src/sandbox/prng.ts'
import { createWorld, line, order, orderFact, type World } from '../../kit/orders.ts'

const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const CALLERS = 64
const SKUS = 200

let world: World
let random: () => number
const below = (limit: number): number => Math.floor(random() * limit)

beforeEach(async () => {
  random = seededRandom(SEED)
  world = await createWorld({ pool_max: CALLERS })
})
afterEach(() => world.database.drop())

let keys = 0
const wish = (channel_sku: string, change: Partial<HoldRequest> = {}): HoldRequest => ({
  connection_id: 'shop',
  key: `race-${(keys += 1)}`,
  api_key: null,
  shortfall: 'all_or_nothing',
  minutes: 10,
  order_external_id: null,
  lines: [{ channel_sku, quantity: 1 }],
  ...change,
})

/** One to five units of each SKU, in two places. */
async function stockUp(): Promise<Map<string, number>> {
  const stock = new Map<string, number>()
  for (let index = 0; index < SKUS; index += 1) {
    const units = 1 + below(5)
    const north = below(units + 1)
    await world.addItem(`S${index}`, { north, south: units - north })
    stock.set(`S${index}`, units)
  }
  return stock
}

const ask = (requests: readonly HoldRequest[]): Promise<HoldVerdict[]> =>
  inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, requests))

async function broken(): Promise<unknown[]> {
  return (await verify(world.db)).checks.filter(({ violations }) => violations > 0)
}

it(`keeps exactly what there is for 64 callers and 200 SKUs (seed ${SEED})`, { timeout: 120_000 }, async () => {
  const stock = await stockUp()
  const demand = new Map<string, number>()
  const granted = new Map<string, number>()
  const carts = Array.from({ length: CALLERS * 12 }, () => `S${below(SKUS)}`)
  for (const sku of carts) demand.set(sku, (demand.get(sku) ?? 0) + 1)
  let next = 0
  const caller = async (): Promise<void> => {
    for (let at = next; at < carts.length; at = next) {
      const some = carts.slice(at, (next = at + 1 + (at % 3)))
      const verdicts = await ask(some.map((sku) => wish(sku)))
      for (const [index, { kind }] of verdicts.entries()) {
        const sku = some[index] ?? ''
        if (kind === 'held') granted.set(sku, (granted.get(sku) ?? 0) + 1)
      }
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  for (const [sku, units] of stock)
    expect([sku, granted.get(sku) ?? 0]).toEqual([sku, Math.min(units, demand.get(sku) ?? 0)])
  expect(await broken()).toEqual([])
})

it(`loses no unit while holds, orders, releases and expiry race (seed ${SEED})`, { timeout: 120_000 }, async () => {
  for (let index = 0; index < 8; index += 1) await world.addItem(`H${index}`, { north: 3, south: 3 })
  await world.addKit('K', { H0: 1, H1: 2 })
  const ids: string[] = []
  const steps: (() => Promise<unknown>)[] = Array.from({ length: 120 }, (_, step) => {
    const sku = below(6) === 0 ? 'K' : `H${below(8)}`
    const choice = below(10)
    if (choice < 5)
      return async () => {
        const bound = choice < 2 ? { order_external_id: `o${step}` } : {}
        for (const verdict of await ask([wish(sku, bound), wish(`H${step % 8}`, { shortfall: 'partial' })]))
          if (verdict.kind === 'held') ids.push(verdict.id)
      }
    if (choice < 8) return () => world.apply([orderFact(order(`o${step - 1}`, [line('1', sku, 1 + (step % 2))]))])
    if (choice < 9) return () => inTransaction(world.db, (tx) => releaseHolds(tx, world.ctx, ids.slice(-3)))
    return () => inTransaction(world.db, (tx) => expireCartHolds(tx, { ...world.ctx, now: new Date(Date.parse('2026-03-01T10:00:00Z')) }, 5)) // prettier-ignore
  })
  let next = 0
  const caller = async (): Promise<void> => {
    for (let step = steps[next++]; step !== undefined; step = steps[next++]) await step()
  }
  await Promise.all(Array.from({ length: 12 }, caller))
  expect(ids.length).toBeGreaterThan(10)
  expect(await broken()).toEqual([])
})

it('decides what arrives together in few batches, and a fault of one is not that of the others', async () => {
  await world.addItem('A', { north: 40 })
  const sizes: number[] = []
  const batcher = createHoldBatcher(
    (requests) => {
      sizes.push(requests.length)
      return ask(requests)
    },
    () => undefined,
  )
  const faulty = { ...wish('A'), connection_id: 'nowhere' }
  const answers = await Promise.allSettled([
    ...Array.from({ length: 50 }, () => batcher.ask(wish('A'))),
    batcher.ask(faulty),
  ])
  expect(sizes[0]).toBe(51)
  expect(answers.at(-1)).toMatchObject({ status: 'rejected', reason: { code: 'config_invalid' } })
  const kinds = answers.map((answer) => (answer.status === 'fulfilled' ? answer.value.kind : 'rejected'))
  expect([kinds.filter((kind) => kind === 'held').length, kinds.filter((kind) => kind === 'refused').length]).toEqual([
    40, 10,
  ])
  sizes.length = 0
  await Promise.all(Array.from({ length: 300 }, () => batcher.ask(wish('A'))))
  expect(sizes.length).toBeLessThanOrEqual(3)
  await batcher.close()
})
