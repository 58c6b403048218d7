import { afterAll, beforeAll, expect, test } from 'vitest'
import { bank, endsOf, permutations, playLives, shop, withDuplicate, type Word } from '../../kit/lives.ts'
import {
  cancelRefund, capture, createWorld, expectBooksToBalance, instant, line, order, orderFact, stockOf, type World,
} from '../../kit/orders.ts' // prettier-ignore

/** Six words about one order. Whatever order they come in, and however often, the order ends the same. */
type Life = (id: string) => Word[]
const pending = { payment_state: 'pending' as const }
const gone = (id: string, at: number): Word => {
  const version = { updated_at: instant(at), observed_at: instant(at) }
  return shop({ kind: 'cancellation', document: { external_id: id, version, reason: null } })
}

const LIVES: Record<string, Life> = {
  'edits, a payment and a refund': (id) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1, pending))),
    shop(orderFact(order(id, [line('1', 'A', 4), line('2', 'KIT', 2)], 2, pending))),
    // As old as the one before: which of the two is newer must not depend on which came first.
    shop(orderFact(order(id, [line('2', 'KIT', 2), line('3', 'A', 1)], 2, { ...pending, shipping_method: 'express' }))),
    shop(orderFact(order(id, [line('2', 'KIT', 3), line('3', 'A', 2)], 3, pending))),
    bank(capture(`ch-${id}`, 5000, { order_external_id: id })),
    shop({ kind: 'refund', document: cancelRefund(`r-${id}`, id, { '2': 1 }, 4) }),
  ],
  'a cancellation in the middle and a newer picture after it': (id) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1))),
    gone(id, 5),
    shop(orderFact(order(id, [line('1', 'A', 3)], 4))),
    shop(orderFact(order(id, [line('1', 'A', 3)], 6))),
    bank(capture(`ch-${id}`, 1000, { order_external_id: id })),
    shop({ kind: 'refund', document: cancelRefund(`r-${id}`, id, { '1': 1 }, 4) }),
  ],
  'an end by cancellation': (id) => [
    shop(orderFact(order(id, [line('1', 'A', 2)], 1, pending))),
    shop(orderFact(order(id, [line('1', 'A', 5)], 2, pending))),
    gone(id, 9),
    gone(id, 3),
    bank(capture(`ch-${id}`, 5000, { order_external_id: id })),
    shop({ kind: 'refund', document: cancelRefund(`r-${id}`, id, { '1': 5 }, 4) }),
  ],
}

let world: World
beforeAll(async () => {
  world = await createWorld()
  await world.addItem('A', { north: 100_000 })
  await world.addItem('B', { north: 100_000 })
  await world.addKit('KIT', { A: 1, B: 2 })
})
afterAll(() => world.database.drop())

const soldBy = async (): Promise<Record<string, number>> => {
  const rows = await world.db.query<{ sku: string; units: number }>(
    'select l.channel_sku as sku, a.sold_since_proof as units from availability a join listings l on l.id = a.listing_id',
  )
  return Object.fromEntries(rows.map((row) => [row.sku, row.units]))
}

/** What the channel has sold, and what is promised to it, by one order of each life that has ended. */
const EACH: Record<string, { sold: Record<string, number>; committed: Record<string, number> }> = {
  'edits, a payment and a refund': { sold: { A: 2, KIT: 2 }, committed: { A: 4, B: 4 } },
  'a cancellation in the middle and a newer picture after it': { sold: { A: 2 }, committed: { A: 2 } },
  'an end by cancellation': { sold: {}, committed: {} },
}

test.each(Object.entries(LIVES))(
  'all 720 orders of arrival, with duplicates, end in one state: %s',
  { timeout: 300_000 },
  async (name, life) => {
    const [soldBefore, before] = [await soldBy(), await committed()]
    const prefix = `${Object.keys(LIVES).indexOf(name)}p`
    const arrivals = permutations(6)
    await playLives(world, arrivals.map((arrival, index) => withDuplicate(life(`${prefix}${index}`), arrival, index))) // prettier-ignore
    const [end, other] = await endsOf(world, prefix)
    if (other !== undefined) expect(`${other.example} ${other.text}`).toBe(`${end?.example} ${end?.text}`)
    expect(end?.orders).toBe(720)
    await expectBooksToBalance(world.db)
    const [sold, after] = [await soldBy(), await committed()]
    const each = EACH[name]
    for (const sku of ['A', 'KIT']) expect((sold[sku] ?? 0) - (soldBefore[sku] ?? 0)).toBe(720 * (each?.sold[sku] ?? 0))
    for (const sku of ['A', 'B']) expect((after[sku] ?? 0) - (before[sku] ?? 0)).toBe(720 * (each?.committed[sku] ?? 0))
  },
)

const committed = async (): Promise<Record<string, number>> => {
  const units = await Promise.all(
    ['A', 'B'].map(async (sku) => [sku, (await stockOf(world.db, world.items.get(sku)!))['north']?.committed ?? 0]),
  )
  return Object.fromEntries(units)
}
