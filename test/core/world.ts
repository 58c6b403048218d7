import { OPEN_SHELF } from '../kit/orders.ts'
import { uuidv7 } from 'uuidv7'
import { applyFacts } from '../../src/core/apply.ts'
import type { ConnectionPolicy, CoreContext, FactOutcome } from '../../src/core/context.ts'
import { syncCatalog, type Catalog } from '../../src/core/inventory/catalog.ts'
import type { FactOf } from '../../src/core/model/fact.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import type { StockRow } from '../../src/core/inventory/ledger.ts'
import { openVault } from '../../src/core/people/vault.ts'
import type { Db } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { createTestDatabase } from '../kit/database.ts'

/** A merchant with two channels, two places, a 3PL and a gateway: enough for every rule of the core, without any connector. */
export interface World {
  db: Db
  ctx: CoreContext
  /** Facts of one connection in one transaction. */
  apply: (connection_id: string, ...facts: Fact[]) => Promise<FactOutcome[]>
  sync: (changes?: Partial<Catalog>) => Promise<void>
  policy: (connection_id: string, changes: Partial<ConnectionPolicy>) => void
  at: (minutes: number) => Date
  /** Sets the clock to so many minutes after the start. */
  moveTo: (minutes: number) => void
  stock: (sku: string, location_id: string) => Promise<Counters>
  drop: () => Promise<void>
}

export type Counters = Omit<StockRow, 'item_id' | 'location_id' | 'counted_as_of'> & { on_hand: number }

const START = Date.parse('2026-03-01T08:00:00Z')

const location = (id: string, external_code: string) => ({
  id,
  company_id: 'acme',
  name: id,
  kind: '3pl' as const,
  country: 'DE',
  postcode: null,
  timezone: null,
  latitude: null,
  longitude: null,
  priority: 100,
  connection_id: 'wms',
  external_code,
})

const item = (sku: string) => ({ company_id: 'acme', sku, name: sku, barcode: null })
const connection = (id: string, serves_from: string[] = []) => ({
  id,
  connector: 'sample',
  company_id: 'acme',
  serves_from,
})

export const CATALOG: Catalog = {
  companies: [{ id: 'acme', name: 'Acme' }],
  locations: [location('north', 'N1'), location('south', 'S1')],
  connections: [
    connection('shop', ['north', 'south']),
    connection('mall', ['north']),
    connection('wms'),
    connection('bank'),
  ],
  items: ['TEA', 'MUG', 'SPOON', 'GIFT'].map(item),
  kits: [{ company_id: 'acme', sku: 'GIFT', components: [{ sku: 'TEA', quantity: 2 }, { sku: 'MUG', quantity: 1 }] }], // prettier-ignore
  listings: [{ connection_id: 'shop', channel_sku: 'TEA-4PACK', items: [{ sku: 'TEA', quantity: 4 }] }],
}

const policyOf = (id: string, serves_from: string[], takes: Partial<ConnectionPolicy>): [string, ConnectionPolicy] => [
  id,
  {
    connection_id: id,
    company_id: 'acme',
    serves_from,
    last_resort: [],
    listings: 'by_sku',
    unpaid: 'commit',
    hold_minutes: 30,
    shortfall: 'partial',
    release_after_seconds: 60,
    takes_shipment_notices: false,
    takes_fulfillment_orders: false,
    takes_order_answers: false,
    takes_invoices: false,
    takes_announcements: false,
    priority: 100,
    ship_within_hours: null,
    service_levels: {},
    holds: { minutes_max: 30, units_max: 10_000, units_per_item_max: 1_000 },
    availability: OPEN_SHELF,
    ...takes,
  },
]

export async function createWorld(): Promise<World> {
  const database = await createTestDatabase()
  const { db } = database
  const policies = new Map([
    policyOf('shop', ['north', 'south'], { takes_shipment_notices: true }),
    policyOf('mall', ['north'], {}),
    policyOf('wms', [], { takes_fulfillment_orders: true }),
    policyOf('bank', [], {}),
  ])
  const ctx = { now: new Date(START), newId: uuidv7, vault: openVault(Buffer.alloc(32, 5)), policies }
  let count = 0
  const at = (minutes: number): Date => new Date(START + minutes * 60_000)
  const world: World = {
    db,
    drop: () => database.drop(),
    ctx,
    at,
    moveTo: (minutes) => {
      ctx.now = at(minutes)
    },
    policy: (id, changes) => {
      const policy = policies.get(id)
      if (policy !== undefined)
        policies.set(id, {
          ...policy,
          ...changes,
        })
    },
    apply: async (connection_id, ...facts) => {
      const inbound = facts.map((fact) => ({
        connection_id,
        source: `inbox:${(count += 1)}`,
        fact,
      }))
      return (await inTransaction(db, (tx) => applyFacts(tx, ctx, inbound))).outcomes
    },
    sync: async (changes = {}) => {
      await inTransaction(db, (tx) =>
        syncCatalog(tx, ctx, {
          ...CATALOG,
          ...changes,
        }),
      )
    },
    stock: async (sku, location_id) => {
      const [row] = await db.query<Counters>(
        `select available, reserved, committed, damaged, quality_control, safety_stock, incoming, on_hand
         from stock s join items i on i.id = s.item_id where i.sku = $1 and s.location_id = $2`,
        [sku, location_id],
      )
      if (row === undefined) throw new Error(`no stock of ${sku} at ${location_id}`)
      return row
    },
  }
  await world.sync()
  return world
}

export interface OrderLineWish {
  sku: string
  quantity: number
  id?: string
}

let serial = 0

/** A paid order of `lines`; `changes` replaces fields of the document. */
export function orderFact(
  world: World,
  external_id: string,
  lines: OrderLineWish[],
  changes: Partial<FactOf<'order'>['document']> = {},
): Fact {
  const now = new Date(world.ctx.now.getTime() + (serial += 1)).toISOString()
  return {
    kind: 'order',
    document: {
      external_id,
      number: `#${external_id}`,
      placed_at: now,
      currency: 'EUR',
      lifecycle: 'open',
      cancelled_at: null,
      payment_state: 'paid',
      taxes_included: true,
      test: false,
      buyer: null,
      bill_to: null,
      shipping_method: 'standard',
      version: {
        updated_at: now,
        observed_at: now,
      },
      ship_to: {
        name: 'Ada',
        company: null,
        line1: 'Ring 1',
        line2: null,
        city: 'Bonn',
        region: null,
        postcode: '53111',
        country: 'DE',
        phone: null,
      },
      lines: lines.map(({ sku, quantity, id }, index) => ({
        external_id: id ?? `L${index + 1}`,
        channel_sku: sku,
        title: sku,
        quantity,
        unit_price_minor: 1000,
        discount_minor: 0,
        tax_minor: 0,
        total_minor: 1000 * quantity,
        requires_shipping: true,
      })),
      totals: {
        subtotal_minor: 1000,
        discount_minor: 0,
        shipping_minor: 0,
        tax_minor: 0,
        total_minor: 1000,
        refunded_minor: 0,
      },
      payment_ids: [],
      refunds: [],
      ...changes,
    },
  }
}

/** A count of `units` (SKU → on hand, or all three numbers) at `minutes` after the start. */
export function countFact(
  world: World,
  location_code: string,
  minutes: number,
  units: Record<string, number | { on_hand: number; damaged: number; quality_control: number }>,
): Fact {
  const lines = Object.entries(units).map(([sku, counted]) => ({
    sku,
    ...(typeof counted === 'number' ? { on_hand: counted, damaged: 0, quality_control: 0 } : counted),
  }))
  return {
    kind: 'stock_count',
    document: { external_id: `C${(serial += 1)}`, location_code, as_of: world.at(minutes).toISOString(), lines },
  }
}

/** The work of an order, by location. */
export async function workOf(
  world: World,
  external_id: string,
): Promise<{ number: string; location_id: string; state: string; id: string }[]> {
  return world.db.query(
    `select f.id, f.number, f.location_id, f.state from fulfillment_orders f join orders o on o.id = f.order_id
     where o.external_id = $1 order by f.created_at, f.location_id, f.id`,
    [external_id],
  )
}

export function shipmentFact(
  world: World,
  external_id: string,
  fulfillment_order: string,
  units: Record<string, number>,
  changes: Partial<FactOf<'shipment'>['document']> = {},
): Fact {
  return {
    kind: 'shipment',
    document: {
      external_id,
      fulfillment_order,
      shipped_at: world.ctx.now.toISOString(),
      carrier: 'post',
      tracking_number: `T-${external_id}`,
      tracking_url: null,
      lines: Object.entries(units).map(([sku, quantity]) => ({
        sku,
        quantity,
        line_reference: null,
        lot: null,
      })),
      ...changes,
    },
  }
}

export async function orderOf(
  world: World,
  external_id: string,
): Promise<{ id: string; reservation_state: string; fulfillment_state: string }> {
  const [row] = await world.db.query<{ id: string; reservation_state: string; fulfillment_state: string }>(
    'select id, reservation_state, fulfillment_state from orders where external_id = $1',
    [external_id],
  )
  if (row === undefined) throw new Error(`no order ${external_id}`)
  return row
}

export async function timelineOf(world: World, external_id: string): Promise<string[]> {
  const rows = await world.db.query<{ kind: string }>(
    'select f.kind from order_facts f join orders o on o.id = f.order_id where o.external_id = $1 order by f.id',
    [external_id],
  )
  return rows.map((row) => row.kind)
}
