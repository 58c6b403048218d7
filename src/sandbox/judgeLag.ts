import type { StorefrontLedger } from './simulator.ts'
import type { Shop, ShelfMove } from './trade.ts'

/**
 * From the sale on one storefront to the first write on another that no longer shows more than is left. Units that came free in
 * between raise what may be shown. Sales that the end of the trade cut off from their write are not among the samples, and neither are
 * those after which a storefront still showed no more than was left: one whose numbers are capped need not be told.
 */
export function pushLag(
  moves: readonly ShelfMove[],
  ledgers: readonly { shop: Shop; ledger: StorefrontLedger }[],
): { p50: number; p99: number; samples: number } {
  const writesOf = new Map<string, StorefrontLedger['stock_writes']>(
    ledgers.flatMap(({ shop, ledger }) =>
      [...Map.groupBy(ledger.stock_writes, (write) => write.sku)].map(
        ([sku, writes]) => [`${shop.storefront.connection_id} ${sku}`, writes] as const,
      ),
    ),
  )
  const samples = [...Map.groupBy(moves, (move) => `${move.connection_id} ${move.sku}`)].flatMap(
    ([shelf, shelfMoves]) =>
      shelfMoves.flatMap((move, index) =>
        move.cause === 'sale' ? lagOf(shelfMoves.slice(index), writesOf.get(shelf) ?? []) : [],
      ),
  )
  samples.sort((a, b) => a - b)
  const at = (share: number): number => samples[Math.min(samples.length - 1, Math.floor(samples.length * share))] ?? 0
  return { p50: at(0.5), p99: at(0.99), samples: samples.length }
}

function lagOf(
  [sale, ...later]: readonly ShelfMove[],
  writes: readonly { quantity: number; at_ms: number }[],
): number[] {
  if (sale === undefined) return []
  const shown = writes.findLast(({ at_ms }) => at_ms < sale.since_ms)
  if (shown !== undefined && shown.quantity <= sale.at_most) return []
  let may_show = sale.at_most
  let next = 0
  for (const write of writes) {
    if (write.at_ms < sale.since_ms) continue
    for (let move = later[next]; move !== undefined && move.since_ms <= write.at_ms; move = later[next]) {
      may_show = Math.max(may_show, move.at_most)
      next += 1
    }
    if (write.quantity <= may_show) return [write.at_ms - sale.since_ms]
  }
  return []
}
