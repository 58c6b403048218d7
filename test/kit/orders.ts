import { expect } from 'vitest'
import { applyFacts } from '../../src/core/apply.ts'
import type { ApplyResult, ConnectionPolicy, CoreContext, FactOutcome, InboundFact } from '../../src/core/context.ts'
import { lockStock, moveStock } from '../../src/core/inventory/ledger.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import type { Order, OrderLine } from '../../src/core/model/order.ts'
import type { Refund } from '../../src/core/model/payment.ts'
import { openVault } from '../../src/core/people/vault.ts'
import type { Db, Queryable } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

/** One company with two locations (`south` is served by the connection `depot`), a channel `shop` and a gateway `bank`. */
export interface World {
  database: TestDatabase
  db: Db
  ctx: CoreContext
  policies: Map<string, ConnectionPolicy>
  clock: { now: Date }
  apply: (facts: readonly Fact[], connection_id?: string) => Promise<ApplyResult>
  /** Items by SKU. */
  items: Map<string, number>
  addItem: (sku: string, units: Record<string, number>) => Promise<number>
  addKit: (sku: string, components: Record<string, number>) => Promise<number>
}

const EPOCH = Date.parse('2026-03-01T09:00:00Z')
export const instant = (seconds: number): string => new Date(EPOCH + seconds * 1000).toISOString()

/** Nothing kept back, everything shown. */
export const OPEN_SHELF = {
  push: true,
  buffer: 0,
  buffer_percent: 0,
  cap: null,
  share_percent: 100,
  zero_below: 0,
  adaptive: null,
} as const

export function policy(connection_id: string, change: Partial<ConnectionPolicy> = {}): ConnectionPolicy {
  return {
    connection_id,
    company_id: 'acme',
    serves_from: ['north', 'south'],
    last_resort: [],
    listings: 'by_sku',
    unpaid: 'hold',
    hold_minutes: 60,
    shortfall: 'partial',
    release_after_seconds: 60,
    priority: 100,
    ship_within_hours: null,
    service_levels: {},
    holds: { minutes_max: 30, units_max: 10_000, units_per_item_max: 1_000 },
    availability: OPEN_SHELF,
    takes_shipment_notices: true,
    takes_fulfillment_orders: connection_id === 'depot',
    takes_order_answers: false,
    takes_invoices: false,
    takes_announcements: false,
    ...change,
  }
}

let ids = 0
/** Ids that grow, with a tail that differs: what a UUIDv7 looks like to the code under test. */
function testId(): string {
  ids += 1
  const tail = (BigInt(ids) * 0x9e3779b97f4a7c15n) & 0xfffffffffffffffn
  return `019c0000-${(ids % 65536).toString(16).padStart(4, '0')}-7${Math.floor(ids / 65536)
    .toString(16)
    .padStart(3, '0')}-8${tail
    .toString(16)
    .padStart(15, '0')
    .replace(/^(.{3})/, '$1-')}`
}

export async function createWorld(options: { pool_max?: number } = {}): Promise<World> {
  const database = await createTestDatabase(options)
  const { db } = database
  await db.query(`
    insert into companies values ('acme', 'Acme');
    insert into connections (id, connector, company_id) values ('shop', 'shop', 'acme'), ('bank', 'bank', 'acme'), ('depot', 'depot', 'acme');
    insert into locations (id, company_id, name, kind, country, connection_id, external_code)
      values ('north', 'acme', 'North', 'warehouse', 'DE', null, null), ('south', 'acme', 'South', '3pl', 'DE', 'depot', 'S1');`)
  const clock = { now: new Date(EPOCH) }
  const policies = new Map(['shop', 'bank', 'depot'].map((id) => [id, policy(id)]))
  const items = new Map<string, number>()
  const ctx: CoreContext = {
    get now() {
      return clock.now
    },
    newId: testId,
    vault: openVault(Buffer.alloc(32, 7)),
    policies,
  }
  const insertItem = async (sku: string): Promise<number> => {
    const [row] = await db.query<{ id: number }>(
      `insert into items (company_id, sku) values ('acme', $1) returning id`,
      [sku],
    )
    items.set(sku, row!.id)
    return row!.id
  }
  return {
    database,
    db,
    ctx,
    policies,
    clock,
    items,
    apply: (facts, connection_id = 'shop') =>
      inTransaction(db, (tx) => applyFacts(tx, ctx, inbound(facts, connection_id))),
    addItem: async (sku, units) => {
      const item_id = await insertItem(sku)
      await receive(db, ctx, item_id, units)
      return item_id
    },
    addKit: async (sku, components) => {
      const kit = await insertItem(sku)
      for (const [component, quantity] of Object.entries(components)) {
        await db.query('insert into kit_components values ($1, $2, $3)', [kit, items.get(component), quantity])
      }
      return kit
    },
  }
}

export async function receive(db: Db, ctx: CoreContext, item_id: number, units: Record<string, number>): Promise<void> {
  await inTransaction(db, async (tx) => {
    const moves = Object.entries(units).map(([location_id, quantity]) => {
      return {
        item_id,
        location_id,
        from: 'outside',
        to: 'available',
        quantity,
        reason: 'received',
        source: 'test:1',
        occurred_at: ctx.now,
      } as const
    })
    await lockStock(tx, moves, ctx.now)
    await moveStock(
      tx,
      moves.filter((move) => move.quantity > 0),
      ctx.now,
    )
  })
}

let sources = 0
export function inbound(facts: readonly Fact[], connection_id = 'shop'): InboundFact[] {
  return facts.map((fact) => ({ connection_id, source: `inbox:${(sources += 1)}`, fact }))
}

export function line(
  external_id: string,
  channel_sku: string,
  quantity: number,
  change: Partial<OrderLine> = {},
): OrderLine {
  const total_minor = quantity * 1000
  return {
    external_id, channel_sku, title: null, quantity, unit_price_minor: 1000, discount_minor: 0, tax_minor: 0, total_minor,
    requires_shipping: true, ...change,
  } // prettier-ignore
}

/** A paid order of these lines, as of `at` seconds. */
export function order(external_id: string, lines: OrderLine[], at = 0, change: Partial<Order> = {}): Order {
  const subtotal_minor = lines.reduce((sum, one) => sum + one.total_minor, 0)
  return {
    external_id,
    number: `#${external_id}`,
    version: { updated_at: instant(at), observed_at: instant(at) },
    placed_at: instant(0),
    currency: 'EUR',
    lifecycle: 'open',
    cancelled_at: null,
    payment_state: 'paid',
    taxes_included: true,
    test: false,
    buyer: { external_id: null, name: `Buyer ${external_id}`, email: `${external_id}@example.test`, phone: null },
    ship_to: {
      name: `Buyer ${external_id}`, company: null, line1: 'Hauptstr. 1', line2: null, city: 'Bonn', region: null, postcode: '53111',
      country: 'DE', phone: null,
    },
    bill_to: null,
    shipping_method: 'standard',
    lines,
    totals: { subtotal_minor, discount_minor: 0, shipping_minor: 0, tax_minor: 0, total_minor: subtotal_minor, refunded_minor: 0 },
    payment_ids: [],
    refunds: [],
    ...change,
  } // prettier-ignore
}

export const orderFact = (document: Order): Fact => ({ kind: 'order', document })

export function cancelRefund(
  external_id: string,
  order_external_id: string,
  units: Record<string, number>,
  at = 0,
): Refund {
  return {
    external_id,
    status: 'succeeded',
    at: instant(at),
    currency: 'EUR',
    amount_minor: 1000 * Object.values(units).reduce((sum, count) => sum + count, 0),
    reason: null,
    lines: Object.entries(units).map(([line_external_id, quantity]) => {
      return { line_external_id, quantity, restock: 'cancel' as const, amount_minor: 1000 * quantity, tax_minor: 0 }
    }),
    references: { order_external_id, order_number: null, payment_ids: [] },
  }
}

export function capture(
  external_id: string,
  amount_minor: number,
  references: { order_external_id?: string; payment_ids?: string[] },
): Fact {
  return {
    kind: 'payment',
    document: {
      external_id,
      kind: 'capture',
      status: 'succeeded',
      at: instant(5),
      currency: 'EUR',
      amount_minor,
      references: {
        order_external_id: references.order_external_id ?? null,
        order_number: null,
        payment_ids: references.payment_ids ?? [],
      },
    },
  }
}

export interface StockView {
  available: number
  reserved: number
  committed: number
}

/** Counters of an item by location, and proof that they are the sum of the ledger and of what is promised. */
export async function stockOf(db: Db, item_id: number): Promise<Record<string, StockView>> {
  await expectBooksToBalance(db)
  const rows = await db.query<StockView & { location_id: string }>(
    'select location_id, available, reserved, committed from stock where item_id = $1 order by location_id',
    [item_id],
  )
  return Object.fromEntries(rows.map(({ location_id, ...view }) => [location_id, view]))
}

/** The ledger's sums are the counters, and the counters are what reservations promise. */
export async function expectBooksToBalance(db: Queryable): Promise<void> {
  const drift = await db.query(
    `with moved as (
       select item_id, location_id, to_state as state, quantity from stock_ledger
       union all select item_id, location_id, from_state, -quantity from stock_ledger
     ), summed as (
       select item_id, location_id, sum(quantity) filter (where state = 'available') as available,
         sum(quantity) filter (where state = 'reserved') as reserved, sum(quantity) filter (where state = 'committed') as committed
       from moved group by 1, 2
     )
     select * from stock s left join summed m using (item_id, location_id)
     where (s.available, s.reserved, s.committed) is distinct from
       (coalesce(m.available, 0)::int, coalesce(m.reserved, 0)::int, coalesce(m.committed, 0)::int)`,
  )
  expect(drift).toEqual([])
  const promised = await db.query(
    `with r as (
       select item_id, location_id, state, quantity from reservations
       union all select item_id, location_id, state, units from hold_units where state = 'held'
     )
     select s.item_id, s.location_id from stock s left join r on r.item_id = s.item_id and r.location_id = s.location_id
     group by s.item_id, s.location_id, s.reserved, s.committed
     having s.reserved <> coalesce(sum(r.quantity) filter (where r.state = 'held'), 0)
       or s.committed <> coalesce(sum(r.quantity) filter (where r.state = 'committed'), 0)`,
  )
  expect(promised).toEqual([])
}

export async function axesOf(db: Db, external_id: string): Promise<Record<string, string>> {
  const [row] = await db.query<Record<string, string>>(
    `select lifecycle, payment_state as payment, fulfillment_state as fulfillment, reservation_state as reservation
     from orders where external_id = $1`,
    [external_id],
  )
  return row ?? {}
}

/** Reservations that count, as `state location sku quantity`. */
export async function reservationsOf(db: Db, external_id: string): Promise<string[]> {
  const rows = await db.query<{ text: string }>(
    `select r.state || ' ' || coalesce(r.location_id, '-') || ' ' || i.sku || ' ' || sum(r.quantity) as text
     from reservations r join orders o on o.id = r.order_id join items i on i.id = r.item_id
     where o.external_id = $1 and r.state in ('held', 'committed', 'shortfall') group by r.state, r.location_id, i.sku order by 1`,
    [external_id],
  )
  return rows.map((row) => row.text)
}

/** Fulfillment orders with their effects, as `state units effects`. */
export async function workOf(db: Db, external_id: string): Promise<string[]> {
  const rows = await db.query<{ text: string }>(
    `select f.location_id || ' ' || f.state || ' ' || coalesce((select sum(quantity) from reservations r
         where r.fulfillment_order_id = f.id and r.state = 'committed'), 0)
       || coalesce((select string_agg(' ' || split_part(b.kind, '.', 2) || ':' || b.state, '' order by b.id) from outbox b
         where b.key like '%:' || f.number), '') as text
     from fulfillment_orders f join orders o on o.id = f.order_id where o.external_id = $1 order by f.created_at, f.id`,
    [external_id],
  )
  return rows.map((row) => row.text)
}

export const kinds = (result: ApplyResult): string[] => result.outcomes.map(outcomeText)
function outcomeText(outcome: FactOutcome): string {
  if (outcome.kind === 'applied') return outcome.summary
  return outcome.kind === 'ignored'
    ? `ignored ${outcome.reason}`
    : `parked ${outcome.error.code} ${outcome.error.wake_key ?? ''}`
}
