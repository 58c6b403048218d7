import { afterEach, beforeEach, expect, test } from 'vitest'
import { internalConnectionId, internalPolicy } from '../../src/core/context.ts'
import { expireCartHolds } from '../../src/core/holds/end.ts'
import { reserveHolds } from '../../src/core/holds/reserve.ts'
import { allocateWaiting } from '../../src/core/inventory/allocate.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import { expireHolds } from '../../src/core/orders/expireHolds.ts'
import { putSupply } from '../../src/core/supply/put.ts'
import { receiveSupply } from '../../src/core/supply/receive.ts'
import { createTransfer } from '../../src/core/supply/transfers.ts'
import { verify } from '../../src/core/verify.ts'
import type { Tx } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { seededRandom } from '../../src/sandbox/prng.ts'
import { wish } from '../kit/holds.ts'
import { createWorld, instant, kinds, line, order, orderFact, policy, type World } from '../kit/orders.ts'

/** CROSSDOCK_RACE_ORDERS=50000 for a long run. */
const ORDERS = Number(process.env['CROSSDOCK_RACE_ORDERS'] ?? 1_000)
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const AT_ONCE = 64
const SKUS = 200
const CHANNELS = ['shop', 'mall', 'contract'] as const
const TIMEOUT_MS = 90_000 + ORDERS * 60

let world: World
let random: () => number
const below = (limit: number): number => Math.floor(random() * limit)
const skuAt = (index: number): string => `S${index}`
const anySku = (): string => skuAt(below(SKUS))
const anyChannel = (): string => CHANNELS[below(CHANNELS.length)] ?? 'shop'

beforeEach(async () => {
  random = seededRandom(SEED)
  world = await createWorld({ pool_max: AT_ONCE })
  await world.db.query(`
    insert into connections (id, connector, company_id) values ('mall', 'shop', 'acme'), ('contract', 'shop', 'acme'),
      ('${internalConnectionId('acme')}', 'internal', 'acme');
    insert into locations (id, company_id, name, kind, country) values ('west', 'acme', 'West', 'warehouse', 'DE');`)
  world.policies.set('mall', policy('mall'))
  world.policies.set('contract', policy('contract', { priority: 10 }))
  world.policies.set(internalConnectionId('acme'), internalPolicy('acme'))
})
afterEach(() => world.database.drop())

/** Every fourth SKU is all at one place: it is what transfers take, so that whoever wants it can be served from there. */
const isMoved = (index: number): boolean => index % 4 === 0

async function stockUp(): Promise<Map<string, number>> {
  const stock = new Map<string, number>()
  for (let index = 0; index < SKUS; index += 1) {
    const units = 1 + below(5)
    const north = isMoved(index) ? units : below(units + 1)
    await world.addItem(skuAt(index), { north, south: units - north })
    stock.set(skuAt(index), units)
  }
  return stock
}

type Deed = () => Promise<unknown>
const inTx = <T>(work: (tx: Tx) => Promise<T>): Promise<T> =>
  inTransaction(world.db, async (tx) => {
    const [level] = await tx.query<{ transaction_isolation: string }>('show transaction_isolation')
    expect(level?.transaction_isolation).toBe('read committed')
    return work(tx)
  })

interface Wanted {
  demand: Map<string, number>
  want: (sku: string, units: number) => void
}

function newWanted(): Wanted {
  const demand = new Map<string, number>()
  return { demand, want: (sku, units) => void demand.set(sku, (demand.get(sku) ?? 0) + units) }
}

function sales(name: string, count: number, { want }: Wanted, unpaid: 'none' | 'some' = 'none'): Deed[] {
  return Array.from({ length: count }, (_, index) => {
    const lines = Array.from({ length: 1 + below(4) }, (__, place) => {
      const [sku, units] = [anySku(), 1 + below(2)]
      want(sku, units)
      return line(String(place), sku, units)
    })
    const isUnpaid = unpaid === 'some' && below(3) === 0
    const fact: Fact = orderFact(order(`${name}${index}`, lines, 0, isUnpaid ? { payment_state: 'pending' } : {}))
    const channel = anyChannel()
    return async () => {
      const said = kinds(await world.apply([fact], channel))
      expect(said[0]).toMatch(/^order /)
    }
  })
}

/** Carts take what they can: one unit whole or not at all, or as much of two as there is. */
function carts(count: number, { want }: Wanted, minutes = 30): Deed[] {
  return Array.from({ length: count }, () => {
    const [sku, quantity, connection_id] = [anySku(), 1 + below(2), anyChannel()]
    want(sku, quantity)
    const shortfall = quantity === 1 ? ('all_or_nothing' as const) : ('partial' as const)
    const request = wish({ [sku]: quantity }, { connection_id, shortfall, minutes })
    return () => inTx((tx) => reserveHolds(tx, world.ctx, [request]))
  })
}

function transfers(count: number, { want }: Wanted): Deed[] {
  return Array.from({ length: count }, (_, index) => {
    const [sku, quantity] = [skuAt(below(SKUS / 4) * 4), 1 + below(2)]
    want(sku, quantity)
    const wanted = {
      reference: `T${index}`,
      from_location_id: 'north',
      to_location_id: 'west',
      expected_at: null,
      lines: [{ sku, quantity }],
    }
    return () => inTx((tx) => createTransfer(tx, world.ctx, wanted, 'user:ada'))
  })
}

/** All deeds in an order of chance, so many at any time. A fault of any of them fails the test. */
async function atOnce(deeds: readonly Deed[]): Promise<void> {
  const turns = deeds.map((deed) => ({ deed, at: random() })).toSorted((a, b) => a.at - b.at)
  const doer = async (): Promise<void> => {
    for (let next = turns.pop(); next !== undefined; next = turns.pop()) await next.deed()
  }
  await Promise.all(Array.from({ length: AT_ONCE }, doer))
}

interface Standing {
  sku: string
  on_hand: number
  free: number
  promised: number
  missing: number
}

async function standings(): Promise<Map<string, Standing>> {
  const rows = await world.db.query<Standing>(
    `select i.sku, sum(s.on_hand)::int as on_hand, sum(s.available)::int as free, sum(s.reserved + s.committed)::int as promised,
       (select coalesce(sum(r.quantity), 0)::int from reservations r where r.item_id = i.id and r.state = 'shortfall') as missing
     from items i join stock s on s.item_id = i.id and s.location_id <> 'west' group by i.id, i.sku`,
  )
  return new Map(rows.map((row) => [row.sku, row]))
}

async function expectSound(): Promise<void> {
  expect((await verify(world.db)).checks.filter((check) => check.violations > 0)).toEqual([])
  // Who was refused a cart left nothing behind, not even the name of the wish.
  expect(
    await world.db.query(
      `select id from holds where cardinality(taken_units) = 0 or (state = 'held' and 0 = all(taken_units))`,
    ),
  ).toEqual([])
  const orphans = await world.db.query(
    `select l.id from order_lines l join orders o on o.id = l.order_id and o.payment_state = 'paid'
     left join reservations r on r.order_line_id = l.id and r.state in ('held', 'committed', 'shortfall')
     group by l.id, l.quantity having coalesce(sum(r.quantity), 0) <> l.quantity limit 5`,
  )
  expect(orphans).toEqual([])
}

test(
  `${ORDERS} orders, carts and transfers for ${SKUS} scarce items: each is promised to the smaller of stock and demand (SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const stock = await stockUp()
    const wanted = newWanted()
    await atOnce([
      ...sales('r', ORDERS * 0.5, wanted),
      ...carts(ORDERS * 0.3, wanted),
      ...transfers(ORDERS * 0.2, wanted),
    ])
    await expectSound()
    const end = await standings()
    const wrong = [...stock].filter(([sku, units]) => {
      const row = end.get(sku)
      return row?.promised !== Math.min(units, wanted.demand.get(sku) ?? 0) || row.on_hand !== units
    })
    expect(wrong).toEqual([])
  },
)

test(
  `supply, counts and expiries in the midst of ${ORDERS} orders and carts: nobody waits for a unit that lies free (SEED=${SEED})`,
  { timeout: TIMEOUT_MS },
  async () => {
    const stock = await stockUp()
    const wanted = newWanted()
    const [bought, counted] = [deliveries(stock), await recounts(stock)]
    for (const { before } of bought) await inTx(before)
    const early = [...sales('e', ORDERS * 0.3, wanted, 'some'), ...carts(ORDERS * 0.2, wanted, 5)]
    await atOnce(early)
    // An hour later the money of the first buyers has not come and their carts are over; all this is found out among new orders.
    world.clock.now = new Date(instant(2 * 3_600))
    const sweeps: Deed[] = Array.from(
      { length: 20 },
      (_, index) => () =>
        inTx(
          async (tx) =>
            void (index % 2 === 0 ? await expireHolds(tx, world.ctx, 20) : await expireCartHolds(tx, world.ctx, 20)),
        ),
    )
    const late = [...sales('l', ORDERS * 0.3, wanted), ...carts(ORDERS * 0.2, wanted)]
    await atOnce([...late, ...sweeps, ...counted, ...bought.map(({ deed }) => deed)])
    for (;;) {
      const over = await inTx(
        async (tx) => (await expireHolds(tx, world.ctx, 500)) + (await expireCartHolds(tx, world.ctx, 500)),
      )
      const served = await inTx((tx) => allocateWaiting(tx, world.ctx, 500))
      if (over + served === 0) break
    }
    await expectSound()
    const end = [...(await standings()).values()]
    expect(end.filter(({ sku, on_hand }) => on_hand !== stock.get(sku))).toEqual([])
    // Accepted is the smaller of stock and demand, demand being what is promised and what is missing of it.
    expect(end.filter(({ on_hand, promised, missing }) => promised !== Math.min(on_hand, promised + missing))).toEqual(
      [],
    )
    expect(end.filter(({ on_hand, promised, free }) => promised + free !== on_hand)).toEqual([])
    expect(end.some(({ missing }) => missing > 0)).toBe(true)
  },
)

/** Purchases of every fifth SKU, received in the race. `stock` is raised by what comes. */
function deliveries(stock: Map<string, number>): { before: (tx: Tx) => Promise<unknown>; deed: Deed }[] {
  return Array.from({ length: SKUS / 5 }, (_, index) => {
    const [sku, quantity, reference] = [skuAt(index * 5), 1 + below(3), `P${index}`]
    stock.set(sku, (stock.get(sku) ?? 0) + quantity)
    const purchase = { company_id: 'acme', kind: 'purchase' as const, reference }
    const bought = {
      ...purchase,
      location_id: index % 2 === 0 ? 'north' : 'south',
      expected_at: null,
      lines: [{ sku, quantity }],
    }
    const receipt = { key: reference, location_id: null, at: null, rest: 'expected' as const }
    const came = { ...receipt, lines: [{ sku, quantity, to: 'available' as const }] }
    return {
      before: (tx) => putSupply(tx, world.ctx, bought, 'user:ada'),
      deed: () => inTx((tx) => receiveSupply(tx, world.ctx, purchase, came, 'user:ada')),
    }
  })
}

/** Counts of SKUs that nobody delivers, at both places: they find fewer or more than was believed. `stock` is what they find. */
async function recounts(stock: Map<string, number>): Promise<Deed[]> {
  const places = await world.db.query<{ sku: string; location_id: string; available: number }>(
    'select i.sku, s.location_id, s.available from stock s join items i on i.id = s.item_id order by i.sku, s.location_id',
  )
  const chosen = places.filter(({ sku }) => Number(sku.slice(1)) % 5 === 2)
  return chosen.map(({ sku, location_id, available }, index) => {
    const on_hand = Math.max(0, available + below(5) - 2)
    stock.set(sku, (stock.get(sku) ?? 0) + on_hand - available)
    const lines = [{ sku, on_hand, damaged: 0, quality_control: 0 }]
    const document = { external_id: `C${index}`, location_code: location_id, as_of: instant(7_000), lines }
    return async () => {
      const said = kinds(await world.apply([{ kind: 'stock_count', document }], 'depot'))
      expect(said).toEqual(['counted 1 of 1 items'])
    }
  })
}
