import { createApiKey } from '../http/auth.ts'
import type { RunningHub } from '../main.ts'
import type { Line, Trade } from '../sandbox/trade.ts'
import type { House, World } from '../sandbox/world.ts'

const REFERENCE = 'PO-DEMO-1'
/** When in the trade the merchant orders more, and when the goods come. */
const ANNOUNCED_AT = 0.4
const ARRIVES_AT = 0.65
/** Units that arrive beyond what waits, so that the storefronts have something to sell again. */
const SPARE_UNITS = 40

const sleep = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

/**
 * The merchant buys more of what businesses wait for: announces it to the hub over its API, and some time later the goods come in at the
 * last place, whose people report them in a file of their own. Of the first item plenty arrives; of the next ones half of what waits,
 * so that who is served first can be seen.
 */
export async function restock(world: World, trade: Trade, running: RunningHub, trade_ms: number): Promise<void> {
  const house = world.houses.at(-1)
  if (house === undefined) return
  const started = performance.now()
  await sleep(trade_ms * ANNOUNCED_AT)
  const lines = purchaseOf(trade)
  if (lines.length === 0) return
  await announce(running, house, lines, new Date(Date.now() + trade_ms * (ARRIVES_AT - ANNOUNCED_AT)))
  await sleep(Math.max(0, trade_ms * ARRIVES_AT - (performance.now() - started)))
  house.simulator.receive(lines, REFERENCE)
  trade.arrived(lines)
}

function purchaseOf(trade: Trade): Line[] {
  const short = [...trade.short()].toSorted(([, a], [, b]) => b - a)
  return short.map(([sku, units], index) => ({
    sku,
    quantity: index === 0 ? Math.max(0, units) + SPARE_UNITS : Math.max(1, Math.floor(units / 2)),
  }))
}

async function announce(running: RunningHub, house: House, lines: readonly Line[], expected_at: Date): Promise<void> {
  const { hub, url } = running
  const by = { name: 'demo merchant', role: 'operator', created_by: 'demo', now: hub.clock.now() } as const
  const { secret } = await createApiKey(hub.db, by)
  const purchase = { reference: REFERENCE, location: house.location_id, expected_at: expected_at.toISOString(), lines }
  const answer = await fetch(`${url}/api/v1/supplies`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/json' },
    body: JSON.stringify(purchase),
  })
  if (!answer.ok) throw new Error(`the purchase was not taken: ${answer.status} ${await answer.text()}`)
}
