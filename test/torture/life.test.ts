import { afterAll, beforeAll, expect, test } from 'vitest'
import { markFulfillmentSent, type EffectRef } from '../../src/core/fulfillment/requests.ts'
import { reserveHolds } from '../../src/core/holds/reserve.ts'
import { verify } from '../../src/core/verify.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { wish } from '../kit/holds.ts'
import { bank, depot, endsOf, permutations, playLives, sampleOf, shop, withDuplicate, type Word } from '../kit/lives.ts'
import {
  cancelRefund, capture, createWorld, expectBooksToBalance, instant, line, order, orderFact, type World,
} from '../kit/orders.ts' // prettier-ignore

/** CROSSDOCK_LIFE=all: each of the 40,320 orders in which eight words may come, of each life. SEED=… to have the same sample again. */
const ALL = process.env['CROSSDOCK_LIFE'] === 'all'
const SEED = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
const SAMPLE = 500
const MS_PER_WORD_MAX = 30
const BATCH_HOLDS = 200

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.addItem('A', { north: 5_000_000 })
  await world.addItem('B', { north: 5_000_000 })
  await world.addItem('S', { south: 5_000_000 })
  await world.addKit('KIT', { A: 1, B: 2 })
})
afterAll(() => world.database.drop())

const pending = { payment_state: 'pending' as const }
const gone = (id: string, at: number): Word => {
  const version = { updated_at: instant(at), observed_at: instant(at) }
  return shop({ kind: 'cancellation', document: { external_id: id, version, reason: null } })
}
const refund = (id: string, name: string, units: Record<string, number>, at: number): Word =>
  shop({ kind: 'refund', document: cancelRefund(`${name}-${id}`, id, units, at) })

/** Eight words about an order; `hold` is a cart that was kept for it before. */
type Life = (id: string, hold: string) => Word[]
const LIVES: Record<string, Life> = {
  'edits, payments, refunds that cancel units, and the newest picture seen once more': (id) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1, pending))),
    shop(orderFact(order(id, [line('1', 'A', 4), line('2', 'KIT', 2)], 2, pending))),
    shop(orderFact(order(id, [line('2', 'KIT', 2), line('3', 'A', 1)], 2, { ...pending, shipping_method: 'express' }))),
    shop(orderFact(order(id, [line('2', 'KIT', 3), line('3', 'A', 2)], 3, pending))),
    shop(orderFact(order(id, [line('2', 'KIT', 3), line('3', 'A', 2)], 7, pending))),
    bank(capture(`ch-${id}`, 5000, { order_external_id: id })),
    refund(id, 'r1', { '2': 1 }, 4),
    refund(id, 'r2', { '3': 1 }, 5),
  ],
  'a cart that was kept for it, a cancellation, and a newer picture that brings it back': (id, hold) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1, pending))),
    { bind: hold, order: id },
    gone(id, 5),
    shop(orderFact(order(id, [line('1', 'A', 3)], 4, pending))),
    shop(orderFact(order(id, [line('1', 'A', 3), line('2', 'KIT', 1)], 6, pending))),
    gone(id, 3),
    bank(capture(`ch-${id}`, 1000, { order_external_id: id })),
    refund(id, 'r1', { '1': 1 }, 4),
  ],
  'an end by cancellation after all': (id, hold) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1, pending))),
    shop(orderFact(order(id, [line('1', 'A', 5)], 2, pending))),
    shop(orderFact(order(id, [line('1', 'KIT', 2)], 4, pending))),
    gone(id, 9),
    gone(id, 3),
    { bind: hold, order: id },
    bank(capture(`ch-${id}`, 5000, { order_external_id: id })),
    refund(id, 'r1', { '1': 5 }, 4),
  ],
}

async function keepCarts(names: readonly string[]): Promise<string[]> {
  const ids: string[] = []
  for (let from = 0; from < names.length; from += BATCH_HOLDS) {
    const wishes = names
      .slice(from, from + BATCH_HOLDS)
      .map((name) => wish({ A: 2 }, { key: `cart-${name}`, minutes: 30 }))
    const verdicts = await inTransaction(world.db, (tx) => reserveHolds(tx, world.ctx, wishes))
    ids.push(...verdicts.flatMap((verdict) => (verdict.kind === 'held' ? verdict.id : [])))
  }
  return ids
}

async function expectOneEnd(prefix: string, orders: number): Promise<void> {
  const [end, other] = await endsOf(world, prefix)
  if (other !== undefined)
    expect(`${other.example} (${other.orders} orders) ${other.text}`).toBe(`${end?.example} ${end?.text}`)
  expect(end?.orders).toBe(orders)
  await expectBooksToBalance(world.db)
}

const promised = async (): Promise<Record<string, number>> => {
  const rows = await world.db.query<{ sku: string; units: number }>(
    'select i.sku, sum(s.reserved + s.committed)::int as units from stock s join items i on i.id = s.item_id group by 1',
  )
  return Object.fromEntries(rows.map((row) => [row.sku, row.units]))
}

test.each(Object.entries(LIVES))(
  `${ALL ? 'all 40320' : SAMPLE} orders of eight words, with duplicates, end in one state: %s (SEED=${SEED})`,
  { timeout: 120_000 + (ALL ? 40_320 : SAMPLE) * 9 * MS_PER_WORD_MAX },
  async (name, life) => {
    const before = await promised()
    const prefix = `${Object.keys(LIVES).indexOf(name)}q`
    const arrivals = ALL ? permutations(8) : sampleOf(permutations(8), SAMPLE, SEED)
    const ids = arrivals.map((_, index) => `${prefix}${index}`)
    const usesCart = life('', '').some((word) => 'bind' in word)
    world.policies.set('shop', {
      ...world.policies.get('shop')!,
      holds: { minutes_max: 60, units_max: 1e9, units_per_item_max: 1e9 },
    })
    const carts = usesCart ? await keepCarts(ids) : []
    await playLives(world, arrivals.map((arrival, index) => withDuplicate(life(ids[index] ?? '', carts[index] ?? ''), arrival, index))) // prettier-ignore
    await expectOneEnd(prefix, arrivals.length)
    // What the shelves promise is so many times what one order has: nothing of a cart or of an older picture is left behind.
    const [{ units } = { units: {} }] = await world.db.query<{ units: Record<string, number> }>(
      `select coalesce(jsonb_object_agg(sku, units), '{}') as units from (
         select i.sku, sum(r.quantity)::int as units from reservations r join orders o on o.id = r.order_id join items i on i.id = r.item_id
         where o.external_id = $1 and r.state in ('held', 'committed') group by 1) x`,
      [`${prefix}0`],
    )
    const after = await promised()
    for (const sku of ['A', 'B'])
      expect((after[sku] ?? 0) - (before[sku] ?? 0)).toBe(arrivals.length * (units[sku] ?? 0))
  },
)

/** Work that the 3PL has; what it says of it can come in any order with what the channel says. */
async function placeAndSend(ids: readonly string[]): Promise<Map<string, string>> {
  const own = { ...world.policies.get('shop')!, serves_from: ['south'] }
  world.policies.set('shop', own)
  await playLives(world, ids.map((id) => [shop(orderFact(order(id, [line('1', 'S', 3)], 1)))])) // prettier-ignore
  await inTransaction(world.db, async (tx) => {
    const effects = await tx.query<EffectRef>(
      `update outbox set state = 'done', attempts = 1, done_at = $1 where kind = 'fulfillment.new' and state = 'pending' returning id, kind, reference`,
      [world.ctx.now],
    )
    await markFulfillmentSent(tx, world.ctx, effects)
  })
  const rows = await world.db.query<{ id: string; number: string }>(
    'select o.external_id as id, f.number from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = any($1)',
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row.number]))
}

function parcel(id: string, number: string, name: string, quantity: number): Word {
  const shipped_at = instant(60)
  const tracking = { carrier: null, tracking_number: `${name}-${id}`, tracking_url: null }
  const lines = [{ sku: 'S', quantity, line_reference: '1', lot: null }]
  return depot({
    kind: 'shipment',
    document: { external_id: `${name}-${id}`, fulfillment_order: number, shipped_at, ...tracking, lines },
  })
}

const sentLife = (id: string, number: string): Word[] => [
  parcel(id, number, 'p1', 1),
  parcel(id, number, 'p2', 2),
  depot({
    kind: 'acknowledgement',
    document: { fulfillment_order: number, verdict: 'accepted', reason: null, at: instant(50) },
  }),
  shop(orderFact(order(id, [line('1', 'S', 3), line('2', 'S', 2)], 2))),
  shop(orderFact(order(id, [line('1', 'S', 3), line('2', 'S', 1)], 3))),
  bank(capture(`ch-${id}`, 4000, { order_external_id: id })),
  refund(id, 'r1', { '2': 1 }, 4),
]

const SENT_SAMPLE = 400
test(
  `${ALL ? 'all 5040' : SENT_SAMPLE} orders of seven words about work that the 3PL has end in one state (SEED=${SEED})`,
  { timeout: 120_000 + (ALL ? 5_040 : SENT_SAMPLE) * 9 * MS_PER_WORD_MAX },
  async () => {
    const arrivals = ALL ? permutations(7) : sampleOf(permutations(7), SENT_SAMPLE, SEED)
    const ids = arrivals.map((_, index) => `sent${index}`)
    const numbers = await placeAndSend(ids)
    world.clock.now = new Date(instant(120))
    await playLives(world, arrivals.map((arrival, index) => withDuplicate(sentLife(ids[index] ?? '', numbers.get(ids[index] ?? '') ?? ''), arrival, index))) // prettier-ignore
    await expectOneEnd('sent', arrivals.length)
    expect((await verify(world.db)).checks.filter((check) => check.violations > 0)).toEqual([])
    const [{ on_hand } = { on_hand: 0 }] = await world.db.query<{ on_hand: number }>(
      `select on_hand from stock where item_id = $1 and location_id = 'south'`,
      [world.items.get('S')],
    )
    expect(on_hand).toBe(5_000_000 - 3 * arrivals.length)
  },
)
