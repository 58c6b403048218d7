import { expect, it } from 'vitest'
import { pushLag } from '../../src/sandbox/judgeLag.ts'
import type { StorefrontLedger } from '../../src/sandbox/simulator.ts'
import type { Shop, ShelfMove } from '../../src/sandbox/trade.ts'

const shop = { storefront: { connection_id: 'web' } } as Shop
const sale = (since_ms: number, at_most: number): ShelfMove => ({ connection_id: 'web', sku: 'A', at_most, since_ms, cause: 'sale' }) // prettier-ignore
const lag = (moves: ShelfMove[], writes: [at_ms: number, quantity: number][]) =>
  pushLag(moves, [
    {
      shop,
      ledger: { stock_writes: writes.map(([at_ms, quantity]) => ({ sku: 'A', at_ms, quantity })) } as unknown as StorefrontLedger,
    },
  ]) // prettier-ignore

it('runs from the sale to the first write that shows no more than is left', () => {
  expect(lag([sale(100, 9)], [[0, 10], [150, 10], [400, 9]])).toEqual({ p50: 300, p99: 300, samples: 1 }) // prettier-ignore
})

it('lets units that came free raise what may be shown', () => {
  const moves = [sale(100, 9), { ...sale(200, 12), cause: 'freed' as const }]
  expect(lag(moves, [[0, 10], [300, 12]])).toEqual({ p50: 200, p99: 200, samples: 1 }) // prettier-ignore
})

it('has no sample where nothing had to be told, and none where the trade ended before', () => {
  expect(lag([sale(100, 950)], [[0, 900], [5_000, 890]]).samples).toBe(0) // prettier-ignore
  expect(lag([sale(100, 9)], [[0, 10]]).samples).toBe(0)
})
