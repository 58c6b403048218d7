import { applyFacts } from '../src/core/apply.ts'
import type { InboundFact } from '../src/core/context.ts'
import { verify } from '../src/core/verify.ts'
import { openDb } from '../src/db/pool.ts'
import { inTransaction } from '../src/db/transaction.ts'
import type { Hub } from '../src/hub.ts'
import { coreContext } from '../src/queues/context.ts'
import { seededRandom } from '../src/sandbox/prng.ts'
import { audit } from './kit/audit.ts'
import { inRounds, quantile, rowOf, type Bench, type Row } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { holdsPerSecond, holdsWaiting, WARM_MS } from './kit/holds.ts'
import { makeOrders, zipf, type BenchOrder } from './kit/orders.ts'
import { auditPeer, forUpdate, oneStatement, PEER_TABLES, type ReserveOne } from './kit/peers.ts'
import { LOCATION, SKUS, skuOf, STORE, WAREHOUSE } from './kit/shop.ts'

const ORDERS = 2_500
/** What the drain takes at most at once. */
const BATCH = 250
const PEER_CONNECTIONS = 16
const PEER_MS = 500
const LAST_UNITS = 500
const RUSH = 1_000
const CALLERS = 256
const WAITING_MS = 500
/** Against the single statement, and against SELECT FOR UPDATE. */
const TARGETS = { hot: [30, 100], zipf: [5, 15] } as const

type Demand = (random: () => number) => number
const DEMANDS: Readonly<Record<'hot' | 'zipf', Demand>> = { hot: () => 0, zipf: zipf(SKUS) }

/** Mapped as the drain maps them, before the clock starts. */
function factsOf(hub: Hub, orders: readonly BenchOrder[]): InboundFact[] {
  const mapping = hub.connections.get(STORE)?.connector.inbound['order']
  if (mapping === undefined) throw new Error('the storefront maps no orders')
  const context = { observed_at: new Date().toISOString(), settings: {} }
  return orders.flatMap((order) =>
    mapping
      .map(JSON.parse(order.body.toString('utf8')), context)
      .facts.map((fact) => ({ connection_id: STORE, source: `inbox:${order.id}`, fact })),
  )
}

const batchesOf = (facts: readonly InboundFact[]): InboundFact[][] =>
  Array.from({ length: Math.ceil(facts.length / BATCH) }, (_, index) => facts.slice(index * BATCH, (index + 1) * BATCH))

/** Whole orders through the core in batches: two transactions overlap, as in the drain. */
async function productPerSecond(ground: Ground, orders: readonly BenchOrder[]): Promise<number> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  try {
    const batches = batchesOf(factsOf(hub, orders))
    const started = performance.now()
    await applyAll(hub, batches, 2)
    const seconds = (performance.now() - started) / 1_000
    await audit(hub.db, orders)
    return orders.length / seconds
  } finally {
    await close()
  }
}

async function applyAll(hub: Hub, batches: readonly InboundFact[][], lanes: number): Promise<void> {
  let next = 0
  const lane = async (): Promise<void> => {
    for (let batch = batches[next++]; batch !== undefined; batch = batches[next++]) {
      const facts = batch
      await inTransaction(hub.db, (tx) => applyFacts(tx, coreContext(hub), facts))
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
}

// ── the peers ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reserves for a fixed time, because a slow peer would not get through as many orders. Only a stock and a reservation row each. */
async function peerPerSecond(ground: Ground, reserveOne: ReserveOne, demand: Demand, seed: number): Promise<number> {
  const { url, drop } = await ground.database()
  const db = openDb({ url, pool_max: PEER_CONNECTIONS, application_name: 'bench-peer' })
  try {
    await db.query(PEER_TABLES)
    await db.query('analyze peer_stock')
    const random = seededRandom(seed)
    let next = 0
    let units = 0
    const reserveFor = async (ms: number): Promise<void> => {
      const end = performance.now() + ms
      const client = async (): Promise<void> => {
        while (performance.now() < end) {
          const quantity = 1 + Math.floor(random() * 3)
          if (await reserveOne(db, next++, demand(random), quantity)) units += quantity
        }
      }
      await Promise.all(Array.from({ length: PEER_CONNECTIONS }, client))
    }
    await reserveFor(WARM_MS)
    const [started, before] = [performance.now(), next]
    await reserveFor(PEER_MS)
    const seconds = (performance.now() - started) / 1_000
    await auditPeer(db, units)
    return (next - before) / seconds
  } finally {
    await db.close()
    await drop()
  }
}

/** How long callers wait for one reservation when 256 of them share the connections. */
async function peerWaiting(ground: Ground, demand: Demand, seed: number): Promise<number[]> {
  const { url, drop } = await ground.database()
  const db = openDb({ url, pool_max: PEER_CONNECTIONS, application_name: 'bench-peer' })
  try {
    await db.query(PEER_TABLES)
    await db.query('analyze peer_stock')
    let next = 0
    return await waitingCallers(seed, async (random) => {
      await oneStatement(db, next++, demand(random), 1 + Math.floor(random() * 3))
    })
  } finally {
    await db.close()
    await drop()
  }
}

/** Callers who ask again as soon as they are answered. Returns how long each answer took, in ms. */
async function waitingCallers(seed: number, ask: (random: () => number) => Promise<void>): Promise<number[]> {
  const random = seededRandom(seed)
  const latencies: number[] = []
  const end = performance.now() + WAITING_MS
  const caller = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now()
      await ask(random)
      latencies.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, caller))
  return latencies
}

// ── the last units ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** More orders than units, from four sides at once: every unit is promised, and none twice. */
async function sellOut(ground: Ground): Promise<void> {
  const { hub, close } = await ground.open({ release_after_seconds: 3_600 })
  try {
    const lines = [{ sku: skuOf(0), on_hand: LAST_UNITS, damaged: 0, quality_control: 0 }]
    const ctx = coreContext(hub)
    const document = { external_id: 'count-2', location_code: LOCATION, as_of: ctx.now.toISOString(), lines }
    const count: InboundFact = { connection_id: WAREHOUSE, source: 'bench', fact: { kind: 'stock_count', document } }
    await inTransaction(hub.db, (tx) => applyFacts(tx, ctx, [count]))
    const orders = makeOrders({ count: RUSH, first: 0, seed: 7, rank: DEMANDS.hot, lines_max: 1 })
    await applyAll(hub, batchesOf(factsOf(hub, orders)), 4)
    const [row] = await hub.db.query<{ promised: number; left: number }>(
      `select (select sum(quantity) from reservations where state = 'committed')::bigint as promised,
         (select s.available from stock s join items i on i.id = s.item_id where i.sku = $1)::bigint as left`,
      [skuOf(0)],
    )
    const { ok } = await verify(hub.db)
    if (!ok || row?.promised !== LAST_UNITS || row.left !== 0)
      throw new Error(`of ${LAST_UNITS} units ${row?.promised} were promised`)
  } finally {
    await close()
  }
}

// ── the figure ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const HOLDS_NOTE =
  'holds for a checkout in batches of 500, one row each with ledger, limits and the due numbers of two channels, against a peer that writes a stock and a reservation row and nothing else'
const ORDERS_NOTE =
  'whole orders (people, lines, ledger, work, outbox) against a peer that writes a stock and a reservation row and nothing else'
const WAITING_NOTE = `${CALLERS} callers who wait, a mix by zipf; the peer's share ${PEER_CONNECTIONS} connections`

interface Measured {
  statement: number
  locking: number
  holds: number
  orders: number
}

async function measure(ground: Ground, kind: keyof typeof DEMANDS, index: number): Promise<Measured> {
  const demand = DEMANDS[kind]
  const statement = await peerPerSecond(ground, oneStatement, demand, index)
  const holds = await holdsPerSecond(ground, demand, index)
  const locking = await peerPerSecond(ground, forUpdate, demand, index)
  const orders = makeOrders({ count: ORDERS, first: 0, seed: 11 + index, rank: demand, lines_max: 1 })
  return { statement, locking, holds, orders: await productPerSecond(ground, orders) }
}

function rowsOf(kind: keyof typeof DEMANDS, rounds: readonly Measured[]): Row[] {
  const row = (figure: string, of: 'holds' | 'orders', baseline: 'statement' | 'locking', target?: number): Row =>
    rowOf({
      figure,
      unit: of === 'holds' ? 'holds/s' : 'orders/s',
      samples: rounds.map((round) => round[of]),
      baseline: rounds.map((round) => round[baseline]),
      target,
      note: of === 'holds' ? HOLDS_NOTE : ORDERS_NOTE,
    })
  const [statement, locking] = TARGETS[kind]
  return [
    row(`reserve_${kind}_vs_single_statement`, 'holds', 'statement', statement),
    row(`reserve_${kind}_vs_for_update`, 'holds', 'locking', locking),
    row(`orders_${kind}_vs_single_statement`, 'orders', 'statement'),
  ]
}

export const reserve: Bench = {
  name: 'reserve',
  what: 'stock decisions: one hot SKU, and zipf over 10k',
  run: async (options) => {
    const { ground } = options
    await sellOut(ground)
    const { rounds, control } = await inRounds(options, async (index) => {
      const hot = await measure(ground, 'hot', index)
      const zipfian = await measure(ground, 'zipf', index)
      const peer = quantile(await peerWaiting(ground, DEMANDS.zipf, index), 0.99)
      const waiting = (ask: (random: () => number) => Promise<void>) => waitingCallers(index, ask)
      return { hot, zipf: zipfian, peer, product: quantile(await holdsWaiting(ground, DEMANDS.zipf, waiting), 0.99) }
    })
    const rows = [
      ...rowsOf('hot', rounds.map(({ hot }) => hot)), // prettier-ignore
      ...rowsOf('zipf', rounds.map((round) => round.zipf)), // prettier-ignore
      rowOf({
        figure: 'reserve_p99_ms_256_waiting',
        unit: 'ms',
        samples: rounds.map(({ product }) => product),
        baseline: rounds.map(({ peer }) => peer),
        target: 1,
        better: 'less',
        note: WAITING_NOTE,
      }),
    ]
    return { rows, rounds: rounds.length, control }
  },
}
