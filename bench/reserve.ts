import { applyFacts } from '../src/core/apply.ts'
import type { InboundFact } from '../src/core/context.ts'
import { verify } from '../src/core/verify.ts'
import { openDb, type Db, type Tx } from '../src/db/pool.ts'
import { inTransaction } from '../src/db/transaction.ts'
import type { Hub } from '../src/hub.ts'
import { coreContext } from '../src/queues/context.ts'
import { seededRandom } from '../src/sandbox/prng.ts'
import { audit } from './kit/audit.ts'
import { inRounds, rowOf, type Bench } from './kit/figures.ts'
import type { Ground } from './kit/ground.ts'
import { makeOrders, zipf, type BenchOrder } from './kit/orders.ts'
import { LOCATION, SKUS, skuOf, STOCK_OF_EACH, STORE, WAREHOUSE } from './kit/shop.ts'

const ORDERS = 2_500
/** What the drain takes at most at once. */
const BATCH = 250
const PEER_CONNECTIONS = 16
const PEER_MS = 500
const LAST_UNITS = 500
const RUSH = 1_000

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

type ReserveOne = (db: Db, order_id: number, item_id: number, quantity: number) => Promise<boolean>

const PEER_TABLES = `
  create table peer_stock (item_id int primary key, available int not null check (available >= 0), committed int not null) with (fillfactor = 70);
  create table peer_reservations (order_id bigint primary key, item_id int not null, quantity int not null);
  insert into peer_stock select item_id, ${STOCK_OF_EACH}, 0 from generate_series(0, ${SKUS - 1}) as item_id`

/** The strongest way to reserve one order at a time: one statement, one round trip, no lock held between two messages. */
const oneStatement: ReserveOne = async (db, order_id, item_id, quantity) => {
  const rows = await db.query(
    `with taken as (
       update peer_stock set available = available - $3, committed = committed + $3 where item_id = $2 and available >= $3 returning item_id
     ) insert into peer_reservations (order_id, item_id, quantity) select $1, item_id, $3 from taken returning 1`,
    [order_id, item_id, quantity],
  )
  return rows.length === 1
}

/** The usual way: look under a lock, decide, write. */
const forUpdate: ReserveOne = (db, order_id, item_id, quantity) =>
  inTransaction(db, async (tx: Tx) => {
    const [row] = await tx.query<{ available: number }>(
      'select available from peer_stock where item_id = $1 for update',
      [item_id],
    )
    if (row === undefined || row.available < quantity) return false
    await tx.query('update peer_stock set available = available - $2, committed = committed + $2 where item_id = $1', [
      item_id,
      quantity,
    ])
    await tx.query('insert into peer_reservations (order_id, item_id, quantity) values ($1, $2, $3)', [
      order_id,
      item_id,
      quantity,
    ])
    return true
  })

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
    const end = performance.now() + PEER_MS
    const started = performance.now()
    const client = async (): Promise<void> => {
      while (performance.now() < end) {
        const quantity = 1 + Math.floor(random() * 3)
        if (await reserveOne(db, next++, demand(random), quantity)) units += quantity
      }
    }
    await Promise.all(Array.from({ length: PEER_CONNECTIONS }, client))
    const seconds = (performance.now() - started) / 1_000
    await auditPeer(db, units)
    return next / seconds
  } finally {
    await db.close()
    await drop()
  }
}

async function auditPeer(db: Db, units: number): Promise<void> {
  const [row] = await db.query<{ committed: number; promised: number }>(
    `select (select sum(committed) from peer_stock)::bigint as committed, (select sum(quantity) from peer_reservations)::bigint as promised`,
  )
  if (row?.committed !== units || row.promised !== units) throw new Error('a peer lost count of its units')
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

export const reserve: Bench = {
  name: 'reserve',
  what: 'stock decisions: one hot SKU, and zipf over 10k',
  run: async (options) => {
    const { ground } = options
    await sellOut(ground)
    const { rounds, control } = await inRounds(options, async (index) => {
      const measure = async (demand: Demand) => {
        const orders = makeOrders({ count: ORDERS, first: 0, seed: 11 + index, rank: demand, lines_max: 1 })
        const statement = await peerPerSecond(ground, oneStatement, demand, index)
        const locking = await peerPerSecond(ground, forUpdate, demand, index)
        return { statement, locking, product: await productPerSecond(ground, orders) }
      }
      return { hot: await measure(DEMANDS.hot), zipf: await measure(DEMANDS.zipf) }
    })
    const rows = (['hot', 'zipf'] as const).flatMap((kind) => {
      const samples = rounds.map((round) => round[kind].product)
      const note =
        'whole orders (people, lines, ledger, work, outbox) against a peer that writes a stock and a reservation row and nothing else'
      return [
        rowOf({
          figure: `reserve_${kind}_vs_one_statement`,
          unit: 'orders/s',
          samples,
          baseline: rounds.map((round) => round[kind].statement),
          note,
        }),
        rowOf({
          figure: `reserve_${kind}_vs_for_update`,
          unit: 'orders/s',
          samples,
          baseline: rounds.map((round) => round[kind].locking),
          note,
        }),
      ]
    })
    return { rows, rounds: rounds.length, control }
  },
}
