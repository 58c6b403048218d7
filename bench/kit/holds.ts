import type { HoldRequest } from '../../src/core/holds/wishes.ts'
import { verify } from '../../src/core/verify.ts'
import type { Db } from '../../src/db/pool.ts'
import type { Hub } from '../../src/hub.ts'
import { createHoldBatcher, decideInHub, type Decide } from '../../src/http/api/holdBatcher.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import type { Ground } from './ground.ts'
import { SKUS, skuOf, STOCK_OF_EACH, STORE } from './shop.ts'

type Demand = (random: () => number) => number

const HOLDS = 20_000
const BATCH = 500
const LANES = 2
/** Untimed start of every contestant: connections are opened, statements prepared, code compiled. */
export const WARM_MS = 300

const wishOf = (number: number, demand: Demand, random: () => number): HoldRequest => ({
  connection_id: STORE,
  key: `cart-${number}`,
  api_key: { id: 'bench', units_max: 10_000_000 },
  shortfall: 'all_or_nothing',
  minutes: 10,
  order_external_id: null,
  lines: [{ channel_sku: skuOf(demand(random)), quantity: 1 + Math.floor(random() * 3) }],
})

const unitsOf = (requests: readonly HoldRequest[]): number =>
  requests.reduce((sum, { lines }) => sum + lines.reduce((units, { quantity }) => units + quantity, 0), 0)

/** Wishes in full batches; two transactions overlap, as in the API. The start is not timed, as it is not for the peers. */
export async function holdsPerSecond(ground: Ground, demand: Demand, seed: number): Promise<number> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  try {
    const random = seededRandom(seed)
    const asked: HoldRequest[] = []
    const more = (count: number): HoldRequest[] => {
      const wishes = Array.from({ length: count }, (_, number) => wishOf(asked.length + number, demand, random))
      asked.push(...wishes)
      return wishes
    }
    const decide = decideInHub(hub)
    const warmUntil = performance.now() + WARM_MS
    while (performance.now() < warmUntil) await decideAll(decide, more(LANES * BATCH))
    const timed = more(HOLDS)
    const started = performance.now()
    await decideAll(decide, timed)
    const seconds = (performance.now() - started) / 1_000
    await auditHolds(hub.db, asked.length, unitsOf(asked))
    return HOLDS / seconds
  } finally {
    await close()
  }
}

async function decideAll(decide: Decide, wishes: readonly HoldRequest[]): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let at = next; at < wishes.length; at = next) {
      next += BATCH
      for (const { kind } of await decide(wishes.slice(at, at + BATCH)))
        if (kind !== 'held') throw new Error('a hold was refused although there was enough')
    }
  }
  await Promise.all(Array.from({ length: LANES }, lane))
}

/** The API's own way without HTTP: callers who each wait for their verdict. */
export async function holdsWaiting(
  ground: Ground,
  demand: Demand,
  run: (ask: (random: () => number) => Promise<void>) => Promise<number[]>,
): Promise<number[]> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  try {
    return await waitFor(hub, demand, run)
  } finally {
    await close()
  }
}

async function waitFor(
  hub: Hub,
  demand: Demand,
  run: (ask: (random: () => number) => Promise<void>) => Promise<number[]>,
): Promise<number[]> {
  const batcher = createHoldBatcher(decideInHub(hub), () => undefined)
  const asked: HoldRequest[] = []
  const latencies = await run(async (random) => {
    const wish = wishOf(asked.length, demand, random)
    asked.push(wish)
    const { kind } = await batcher.ask(wish)
    if (kind !== 'held') throw new Error('a hold was refused although there was enough')
  })
  await batcher.close()
  await auditHolds(hub.db, asked.length, unitsOf(asked))
  return latencies
}

/** Every wish is there once with its units, the counters are the sum of ledger and holds, and no unit is promised that does not exist. */
async function auditHolds(db: Db, holds: number, units: number): Promise<void> {
  const { ok, checks } = await verify(db)
  if (!ok)
    throw new Error(
      `the audit found ${checks.flatMap(({ name, violations }) => (violations > 0 ? name : [])).join(', ')}`,
    )
  const [found] = await db.query<{ holds: number; held: number; reserved: number; available: number }>(
    `select (select count(*) from holds where state = 'held') as holds,
       (select coalesce(sum(units), 0)::bigint from hold_units where state = 'held') as held,
       (select sum(reserved)::bigint from stock) as reserved, (select sum(available)::bigint from stock) as available`,
  )
  const wanted = { holds, held: units, reserved: units, available: SKUS * STOCK_OF_EACH - units }
  if (JSON.stringify(found) !== JSON.stringify(wanted))
    throw new Error(`the audit found ${JSON.stringify(found)} where ${JSON.stringify(wanted)} was held`)
}
