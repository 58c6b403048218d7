import { readPromises } from '../core/orders/promises.ts'
import { verify } from '../core/verify.ts'
import type { RunningHub } from '../main.ts'
import { forceAll, wakePull, type Wake } from '../queues/wake.ts'
import { judge, type HubStatement, type Judgement } from '../sandbox/judge.ts'
import { KIND } from '../sandbox/simulator.ts'
import type { ShelfMove } from '../sandbox/trade.ts'
import type { World } from '../sandbox/world.ts'
import { settle } from './settle.ts'

export interface WorldTraded {
  /** Moves of the true numbers while the trade ran, for the lag figures; none where the trade's memory is gone. */
  moves: readonly ShelfMove[]
  trade_seconds: number
}

export type WorldJudged = Judgement & { verified: boolean; backend: string; settled_after_ms: number }

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
    warehouse: world.warehouse.ledger(),
    gateway: world.gateway.ledger(),
    hub: { orders: await readPromises(hub.db, [...hub.connections.keys()]), settlements: await settlementsOf(running) },
    stock: world.stock,
    moves: traded.moves,
    trade_seconds: traded.trade_seconds,
  })
  const verified = await verify(hub.db)
  return {
    ...judgement,
    ok: judgement.ok && verified.ok,
    verified: verified.ok,
    backend: running.queues.backend,
    settled_after_ms,
  }
}

const WAKE_MATCH: Wake = { queue: 'settlement', name: 'match', data: {}, key: 'settlement-match' }

/** The safe path after the fast one, now instead of at its time: what a lost message left out is asked for, money that came before its order is matched. */
async function pullEverything({ hub }: RunningHub): Promise<void> {
  const pulls = [...hub.connections.values()].flatMap(({ id, connector }) =>
    Object.keys(connector.pull ?? {}).map((stream) => wakePull(id, stream)),
  )
  await forceAll(hub, [...pulls, WAKE_MATCH])
  await new Promise((resolve) => setTimeout(resolve, 500))
}

async function settlementsOf({ hub }: RunningHub): Promise<HubStatement['settlements']> {
  return hub.db.query(
    `select s.external_id, s.payout_minor, s.difference_minor, count(l.id) as lines,
       count(l.id) filter (where l.match_state = 'unmatched') as unmatched
     from settlements s left join settlement_lines l on l.settlement_id = s.id group by s.id`,
  )
}
