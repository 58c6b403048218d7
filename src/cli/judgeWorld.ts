import { HubError } from '../core/errors.ts'
import { explainSku } from '../core/inventory/read.ts'
import { readPromises } from '../core/orders/promises.ts'
import { verify } from '../core/verify.ts'
import type { RunningHub } from '../main.ts'
import { coreContext } from '../queues/context.ts'
import { forceAll, wakePull, type Wake } from '../queues/wake.ts'
import type { HubStatement } from '../sandbox/evidence.ts'
import { judge, type Judgement } from '../sandbox/judge.ts'
import { KIND } from '../sandbox/simulator.ts'
import type { ShelfMove } from '../sandbox/trade.ts'
import type { World } from '../sandbox/world.ts'
import { settle } from './settle.ts'

export interface WorldTraded {
  /** Moves of the true numbers while the trade ran, for the lag figures; none where the trade's memory is gone. */
  moves: readonly ShelfMove[]
  trade_seconds: number
}

export type WorldJudged = Judgement & {
  /** SKUs whose explanation does not add up to what a storefront shows. */
  explained_wrong: number
  wrong_explanations: string[]
  verified: boolean
  /** Checks of the hub's own books that failed, each with some examples. */
  failed_checks: string[]
  backend: string
  settled_after_ms: number
}

const SETTLE_MS_MAX = 90_000

/**
 * Once nobody buys any more: waits until hub and vendors have come to rest, asks the vendors for whatever a lost message left out, has
 * the gateway pay out, and holds the vendors' own ledgers against what the hub states. `ok` is false when anything at all is off.
 */
export async function judgeWorld(
  world: World,
  running: RunningHub,
  traded: WorldTraded,
  tell: (line: string) => void = () => undefined,
): Promise<WorldJudged> {
  const { hub } = running
  // The vendors stay unkind while the rest is worked off; only then does a last calm round show what was left behind.
  const quiet = () => settle(running, world, SETTLE_MS_MAX)
  const started = performance.now()
  await quiet()
  world.setFaults(KIND)
  await pullEverything(running)
  await quiet()
  const settled_after_ms = Math.round(performance.now() - started)
  tell('the gateway pays out')
  world.gateway.payOut()
  await quiet()
  await pullEverything(running)
  await quiet()
  const judgement = judge({
    shops: world.shops,
    places: world.houses.map(({ location_id, stock, simulator }) => ({
      location_id,
      stock,
      ledger: simulator.ledger(),
    })),
    gateway: world.gateway.ledger(),
    hub: {
      orders: await readPromises(hub.db, [...hub.connections.keys()]),
      open: await openPromises(running),
      settlements: await settlementsOf(running),
    },
    moves: traded.moves,
    trade_seconds: traded.trade_seconds,
  })
  const wrong_explanations = await wrongExplanations(world, running)
  const verified = await verify(hub.db)
  return {
    ...judgement,
    ok: judgement.ok && wrong_explanations.length === 0 && verified.ok,
    explained_wrong: new Set(wrong_explanations.map((line) => line.split(':')[0])).size,
    wrong_explanations,
    verified: verified.ok,
    failed_checks: verified.checks
      .filter(({ violations }) => violations > 0)
      .map(({ name, violations, examples = [] }) => `${name}: ${violations} (${examples.join('; ')})`),
    backend: running.queues.backend,
    settled_after_ms,
  }
}

/** Whoever was passed over because another transaction held him is asked again by the sweep; here now instead of in half a minute. */
const WAKE_WAITING: Wake = {
  queue: 'maintenance',
  name: 'allocate_waiting',
  data: {},
  key: 'maintenance-allocate-waiting',
}
const WAKE_MATCH: Wake = { queue: 'settlement', name: 'match', data: {}, key: 'settlement-match' }

/** The safe path after the fast one, now instead of at its time: what a lost message left out is asked for, money that came before its order is matched. */
async function pullEverything({ hub }: RunningHub): Promise<void> {
  const pulls = [...hub.connections.values()].flatMap(({ id, connector }) =>
    Object.keys(connector.pull ?? {}).map((stream) => wakePull(id, stream)),
  )
  await forceAll(hub, [...pulls, WAKE_MATCH, WAKE_WAITING])
  await new Promise((resolve) => setTimeout(resolve, 500))
}

/** Units promised from a place that have not left it. */
async function openPromises({ hub }: RunningHub): Promise<HubStatement['open']> {
  return hub.db.query(
    `select r.location_id, i.sku, sum(r.quantity)::int as units from reservations r join items i on i.id = r.item_id
     where r.state in ('held', 'committed') and r.location_id is not null group by r.location_id, i.sku`,
  )
}

/** Asks for every SKU why its numbers are what they are: each listing's sum has to come to what its storefront shows. */
async function wrongExplanations(world: World, { hub }: RunningHub): Promise<string[]> {
  const shown = new Map(
    world.shops.flatMap(({ storefront }) =>
      Object.entries(storefront.ledger().shown).map(
        ([sku, quantity]) => [`${storefront.connection_id} ${sku}`, quantity] as const,
      ),
    ),
  )
  const skus = new Set(
    world.shops.flatMap(({ offers }) => offers.flatMap(({ sku, takes }) => [sku, ...Object.keys(takes)])),
  )
  const wrong: string[] = []
  for (const sku of skus) {
    const explained = await explainSku(hub.db, coreContext(hub), sku).catch((thrown: unknown) => {
      // A pack that only one channel knows is a listing, not an item; its item's explanation covers it.
      if (thrown instanceof HubError && thrown.code === 'not_found') return undefined
      throw thrown
    })
    for (const { connection_id, channel_sku, due_quantity, terms } of explained?.listings ?? []) {
      const listing = terms.filter((term) => term.sku === null && term.location_id === null)
      const sum = listing.reduce((total, term) => total + term.value, 0)
      const shows = shown.get(`${connection_id} ${channel_sku}`)
      if (due_quantity === sum && due_quantity === shows) continue
      wrong.push(
        `${sku}: ${connection_id} ${channel_sku} shows ${shows}, due ${due_quantity}, the terms come to ${sum}`,
      )
    }
  }
  return wrong
}

async function settlementsOf({ hub }: RunningHub): Promise<HubStatement['settlements']> {
  return hub.db.query(
    `select s.external_id, s.payout_minor, s.difference_minor, count(l.id) as lines,
       count(l.id) filter (where l.match_state = 'unmatched') as unmatched
     from settlements s left join settlement_lines l on l.settlement_id = s.id group by s.id`,
  )
}
