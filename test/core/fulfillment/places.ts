import { expect } from 'vitest'
import { sayByHand, type HandDone, type Word } from '../../../src/core/fulfillment/byHand.ts'
import type { Fact } from '../../../src/core/model/fact.ts'
import { verify } from '../../../src/core/verify.ts'
import type { Queryable } from '../../../src/db/pool.ts'
import { inTransaction } from '../../../src/db/transaction.ts'
import { internalConnectionId, internalPolicy } from '../../../src/core/context.ts'
import { CATALOG, countFact, createWorld, orderFact, type OrderLineWish, type World } from '../world.ts'

export interface Places extends World {
  stocked: (units: Record<string, Record<string, number>>) => Promise<void>
  order: (id: string, lines: OrderLineWish[]) => Promise<void>
  /** The work of an order at a place that is not over. */
  workAt: (order: string, location: string) => Promise<string>
  works: (order: string) => Promise<string[]>
  /** `state location sku units` of everything that counts. */
  promises: (order: string) => Promise<string[]>
  say: (number: string, word: Word, actor?: string) => Promise<HandDone>
  /** Marks everything that has been written out as told to the 3PL. */
  sendAll: () => Promise<void>
  effects: (number: string) => Promise<string[]>
  verified: () => Promise<void>
}

/** Every invariant of the books holds. */
export async function verified(db: Queryable): Promise<void> {
  const { ok, checks } = await verify(db)
  expect(checks.filter(({ violations }) => violations > 0)).toEqual([])
  expect(ok).toBe(true)
}

/** `north` is worked by hand, `south` and `east` by the 3PL `wms`; the shop is served from all three, in this order. */
export async function createPlaces(): Promise<Places> {
  const world = await createWorld()
  const [north, south] = CATALOG.locations
  await world.sync({
    locations: [
      { ...north!, kind: 'warehouse', connection_id: null, external_code: null },
      south!,
      { ...south!, id: 'east', name: 'east', external_code: 'E1' },
    ],
    connections: CATALOG.connections.map((one) =>
      one.id === 'shop' ? { ...one, serves_from: ['north', 'south', 'east'] } : one,
    ),
  })
  world.policy('shop', { serves_from: ['north', 'south', 'east'] })
  const policies = world.ctx.policies as Map<string, ReturnType<typeof internalPolicy>>
  policies.set(internalConnectionId('acme'), internalPolicy('acme'))
  const rows = async (sql: string, order: string): Promise<string[]> =>
    (await world.db.query<{ text: string }>(sql, [order])).map(({ text }) => text)
  return Object.assign(world, {
    stocked: async (units: Record<string, Record<string, number>>) => {
      const codes: Record<string, string> = { north: 'north', south: 'S1', east: 'E1' }
      for (const [location, own] of Object.entries(units)) {
        const outcomes = await world.apply('wms', countFact(world, codes[location] ?? location, 0, own))
        expect(outcomes).toMatchObject([{ kind: 'applied' }])
      }
      world.moveTo(1)
    },
    order: async (id: string, lines: OrderLineWish[]) => {
      expect(await world.apply('shop', orderFact(world, id, lines))).toMatchObject([{ kind: 'applied' }])
    },
    workAt: async (order: string, location: string) => {
      const [row] = await world.db.query<{ number: string }>(
        `select f.number from fulfillment_orders f join orders o on o.id = f.order_id
         where o.external_id = $1 and f.location_id = $2 and f.state not in ('CLOSED', 'CANCELLED')`,
        [order, location],
      )
      if (row === undefined) throw new Error(`${order} has no work at ${location}`)
      return row.number
    },
    works: (order: string) =>
      rows(
        `select f.location_id || ' ' || f.state as text from fulfillment_orders f join orders o on o.id = f.order_id
         where o.external_id = $1 order by f.id`,
        order,
      ),
    promises: (order: string) =>
      rows(
        `select r.state || ' ' || coalesce(r.location_id, '-') || ' ' || i.sku || ' ' || sum(r.quantity) as text
         from reservations r join orders o on o.id = r.order_id join items i on i.id = r.item_id
         where o.external_id = $1 and r.state in ('held', 'committed', 'shortfall') and r.quantity > 0
         group by r.state, r.location_id, i.sku order by 1`,
        order,
      ),
    say: (number: string, word: Word, actor = 'user:anna') =>
      inTransaction(world.db, (tx) => sayByHand(tx, world.ctx, { number, actor, word })),
    sendAll: async () => {
      await world.db.query(
        `update outbox set state = 'done', attempts = 1, done_at = $1 where state = 'pending' and kind = 'fulfillment.new'`,
        [world.ctx.now],
      )
      await world.db.query(
        `update fulfillment_orders f set state = 'SCHEDULED' where state = 'OPEN'
           and exists (select 1 from outbox x where x.key = 'fulfillment.new:' || f.number and x.state = 'done')`,
      )
    },
    effects: (number: string) =>
      rows(`select kind || ' ' || state as text from outbox where key like '%:' || $1 order by id`, number),
    verified: () => verified(world.db),
  })
}

export const shortFact = (
  world: World,
  number: string,
  units: Record<string, number>,
  changes: { reference?: string; reason?: string } = {},
): Fact => ({
  kind: 'acknowledgement',
  document: {
    fulfillment_order: number,
    verdict: 'short',
    reason: changes.reason ?? 'bin is empty',
    at: world.ctx.now.toISOString(),
    lines: Object.entries(units).map(([sku, quantity]) => ({ sku, quantity })),
    ...(changes.reference === undefined ? {} : { reference: changes.reference }),
  },
})

export const answerFact = (world: World, number: string, verdict: 'accepted' | 'rejected' | 'cancelled'): Fact => ({
  kind: 'acknowledgement',
  document: { fulfillment_order: number, verdict, reason: 'no', at: world.ctx.now.toISOString() },
})

export const SHIP = {
  kind: 'ship',
  carrier: 'post',
  tracking_number: null,
  tracking_url: null,
  shipped_at: null,
  lines: null,
} as const
