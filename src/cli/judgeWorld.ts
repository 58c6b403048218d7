import { setTimeout as sleep } from 'node:timers/promises'
import { HubError } from '../core/errors.ts'
import { UNSEEN_HOLD_MS, UNSEEN_LAG_MS } from '../core/availability/rulesBelief.ts'
import { STREAMS } from '../core/model/fact.ts'
import { explainSku } from '../core/inventory/read.ts'
import { readPromises } from '../core/orders/promises.ts'
import { verify } from '../core/verify.ts'
import type { RunningHub } from '../main.ts'
import { coreContext } from '../queues/context.ts'
import { canPull } from '../queues/pull.ts'
import { forceAll, wakePull, type Wake } from '../queues/wake.ts'
import type { HubStatement } from '../sandbox/evidence.ts'
import { judge, type Judgement } from '../sandbox/judge.ts'
import { judgeBreaks, type BreaksJudged } from '../sandbox/judgeBreaks.ts'
import { erpIsWhole, type ErpJudged } from '../sandbox/judgeErp.ts'
import { labelsAreWhole, type LabelsJudged } from '../sandbox/judgeLabels.ts'
import { KIND } from '../sandbox/simulator.ts'
import type { ShelfMove } from '../sandbox/trade.ts'
import type { World } from '../sandbox/world.ts'
import { reconcile } from './reconcileWorld.ts'
import { erpOfWorld, tellErpNow } from './erpWorld.ts'
import { labelsOfWorld } from './labelsWorld.ts'
import { settle } from './settle.ts'

export interface WorldTraded {
  /** Moves of the true numbers while the trade ran, for the lag figures; none where the trade's memory is gone. */
  moves: readonly ShelfMove[]
  trade_seconds: number
}

export type WorldJudged = Judgement &
  BreaksJudged &
  LabelsJudged &
  Partial<ErpJudged> & {
    /** SKUs whose explanation does not add up to what a storefront shows. */
    explained_wrong: number
    wrong_explanations: string[]
    verified: boolean
    /** Checks of the hub's own books that failed, each with some examples. */
    failed_checks: string[]
    backend: string
    settled_after_ms: number
  }

/** Longer than the longest of the vendors' rate windows. */
const STANDSTILL_MS_MAX = 60_000

/**
 * Once nobody buys any more: waits until hub and vendors have come to rest, asks the vendors for whatever a lost message left out, has
 * the gateway pay out, with faults planted in what it and the bank tell, and holds the vendors' own ledgers against what the hub states.
 * `ok` is false when anything at all is off: a planted fault that was not found, or a break that nobody has planted, among it.
 */
export async function judgeWorld(
  world: World,
  running: RunningHub,
  traded: WorldTraded,
  tell: (line: string) => void = () => undefined,
): Promise<WorldJudged> {
  const { hub } = running
  // The vendors stay unkind while the rest is worked off; only then does a last calm round show what was left behind.
  const quiet = () => settle(running, world, STANDSTILL_MS_MAX)
  const started = performance.now()
  await quiet()
  world.setFaults(KIND)
  await pullEverything(running)
  await quiet()
  const settled_after_ms = Math.round(performance.now() - started)
  tell('the gateway pays out, and some of what it and the bank say is wrong on purpose')
  const told = world.payday()
  await quiet()
  await pullEverything(running)
  await quiet()
  await showWhatIsHeldBack(running, quiet)
  tell('the bank sends its statement')
  const breaks = judgeBreaks(told.planted, await reconcile(world, running, told))
  const judgement = judge({
    shops: world.shops,
    places: world.houses.map(({ location_id, stock, simulator }) => ({
      location_id,
      stock,
      ledger: simulator.ledger(),
    })),
    gateway: { payouts: [...world.gateway.ledger().payouts, ...world.marketplaces.flatMap((each) => each.payouts())] },
    misstated: told.misstated,
    hub: {
      orders: await readPromises(hub.db, [...hub.connections.keys()]),
      open: await openPromises(running),
      settlements: await settlementsOf(running),
    },
    moves: traded.moves,
    trade_seconds: traded.trade_seconds,
  })
  const labels = await labelsOfWorld(world, running)
  await tellErpNow(world, running, quiet)
  const erp = await erpOfWorld(world, running)
  const wrong_explanations = await wrongExplanations(world, running)
  const verified = await verify(hub.db)
  return {
    ...judgement,
    ...breaks,
    ...labels,
    ...erp,
    ok:
      judgement.ok &&
      labelsAreWhole(labels) &&
      (erp === null || erpIsWhole(erp)) &&
      breaks.breaks_missed + breaks.breaks_unplanted === 0 &&
      wrong_explanations.length === 0 &&
      verified.ok,
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

/** The sweeper looks every second for what need not be held back any more. */
const GIVEN_UP_MS_MAX = 3_000
const PULL_MS_MAX = 240_000
const PULL_AGAIN_MS = 2_000

/**
 * The safe path after the fast one, now instead of at its time: what a lost message left out is asked for, money that came before its
 * order is matched. Waits until every stream has been read to its end, which may take several of a vendor's rate windows; one that the
 * vendor refuses is asked again.
 */
async function pullEverything({ hub }: RunningHub): Promise<void> {
  const since = hub.clock.now()
  let left = [...hub.connections.values()].flatMap(({ id, connector }) =>
    STREAMS.filter((stream) => canPull(connector, stream)).map((stream) => ({ id, stream })),
  )
  await forceAll(hub, [...left.map(({ id, stream }) => wakePull(id, stream)), WAKE_MATCH, WAKE_WAITING])
  const end = performance.now() + PULL_MS_MAX
  let again = performance.now() + PULL_AGAIN_MS
  for (;;) {
    await sleep(250)
    const ended = await hub.db.query<{ pull: string; done: boolean }>(
      `select connection_id || ' ' || operation as pull, bool_or(error_code is null) as done from attempts
       where operation like 'pull %' and at >= $1 group by 1`,
      [since],
    )
    const done = new Map(ended.map((row) => [row.pull, row.done]))
    const isDone = ({ id, stream }: (typeof left)[number]) => done.get(`${id} pull ${stream}`)
    left = left.filter((pull) => isDone(pull) !== true)
    if (left.length === 0 || performance.now() > end) return
    if (performance.now() < again) continue
    again = performance.now() + PULL_AGAIN_MS
    await forceAll(
      hub,
      left.filter((pull) => isDone(pull) === false).map(({ id, stream }) => wakePull(id, stream)),
    )
  }
}

const ROUNDS_MAX = 5

/**
 * Units that a channel may have sold without an order are held back until its orders were read late enough to know better. After a
 * push whose answer was lost, which a kill does to every push on its way, that is later than the orders were read here.
 */
async function showWhatIsHeldBack(running: RunningHub, quiet: () => Promise<boolean>): Promise<void> {
  const { hub } = running
  const held = async (): Promise<Date | null> => {
    const [row] = await hub.db.query<{ until: Date | null }>(
      'select max(unseen_until) as until from availability where unseen > 0',
    )
    return row?.until ?? null
  }
  let until = await held()
  for (let round = 0; until !== null && round < ROUNDS_MAX; round += 1) {
    const readable_ms = until.getTime() - UNSEEN_HOLD_MS + UNSEEN_LAG_MS
    await sleep(Math.max(0, readable_ms - hub.clock.now().getTime()))
    await pullEverything(running)
    const end = performance.now() + GIVEN_UP_MS_MAX
    do {
      await quiet()
      until = await held()
    } while (until !== null && performance.now() < end)
  }
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
