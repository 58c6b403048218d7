import Type from 'typebox'
import { defineConnector, type Connector, type Effect, type Http } from '../../src/connectors/_kit/define.ts'
import type { Db } from '../../src/db/pool.ts'
import { defineMapping } from '../../src/mappings/define.ts'
import { seedConnections, type TestConnection } from './testHub.ts'
import { vendorPort } from './vendorPort.ts'

/** A made-up shop and a made-up 3PL, both told things over real HTTP by a vendor that keeps its own books. */
const ShopOrder = Type.Object({
  id: Type.String(),
  version: Type.Integer(),
  sku: Type.String(),
  quantity: Type.Integer(),
})

export const orderPayload = (id: string, sku = 'TENT', quantity = 1, version = 1): object => ({
  id,
  version,
  sku,
  quantity,
})

const orderMapping = defineMapping({
  from: ShopOrder,
  map: ({ id, version, sku, quantity }, { observed_at }) => [
    {
      kind: 'order',
      document: {
        external_id: id,
        number: `#${id}`,
        version: { updated_at: new Date(Date.UTC(2026, 0, 1, 0, 0, version)).toISOString(), observed_at },
        placed_at: '2026-01-01T00:00:00.000Z',
        currency: 'EUR',
        lifecycle: 'open',
        cancelled_at: null,
        payment_state: 'paid',
        taxes_included: true,
        test: false,
        buyer: null,
        ship_to: null,
        bill_to: null,
        shipping_method: null,
        lines: [
          {
            external_id: '1',
            channel_sku: sku,
            title: null,
            quantity,
            requires_shipping: true,
            unit_price_minor: 100,
            discount_minor: 0,
            tax_minor: 0,
            total_minor: 100 * quantity,
          },
        ],
        totals: {
          subtotal_minor: 100 * quantity,
          discount_minor: 0,
          shipping_minor: 0,
          tax_minor: 0,
          total_minor: 100 * quantity,
          refunded_minor: 0,
        },
        payment_ids: [],
        refunds: [],
      },
    },
  ],
})

const none = Type.Object({})

const inbound = {
  order: orderMapping,
  /** The process dies in the middle, as of too little memory. */
  killer: defineMapping({
    from: none,
    map: () => {
      process.kill(process.pid, 'SIGKILL')
      return []
    },
  }),
  broken: defineMapping({
    from: none,
    map: () => {
      throw new TypeError('Jane Doe has no lines')
    },
  }),
  signal: defineMapping({
    from: none,
    map: () => [{ kind: 'signal', document: { stream: 'orders', reference: null } }],
  }),
  nothing: defineMapping({ from: none, map: () => [] }),
}

interface VendorSettings {
  url: string
  /** Whether the vendor can be asked what became of a call. */
  readable: boolean
  batch_max: number
}

function tell<R extends { outbox_id: number }>(
  batchMax: number,
  readable: boolean,
  nameOf: (request: R) => string,
): Effect<VendorSettings, R> {
  return {
    batch_max: batchMax,
    send: async ({ http }, requests, key) => {
      await http.request({
        operation: 'tell',
        method: 'POST',
        path: '/things',
        headers: { 'idempotency-key': key },
        json: { entries: requests.map(nameOf) },
        repeat: 'once',
        timeout_ms: 10_000,
      })
      return requests.map(({ outbox_id }) => ({ outbox_id, outcome: 'done', external_id: key }))
    },
    ...(readable
      ? {
          confirm: async ({ http }: { http: Http }, _requests: readonly R[], key: string) => {
            const answer = await http.request({
              operation: 'look',
              method: 'GET',
              path: '/things',
              query: { key },
              repeat: 'safe',
            })
            return (answer.body as { done: boolean }).done ? 'done' : 'not_done'
          },
        }
      : {}),
  }
}

function depotConnector(options: { readable: boolean; batch_max: number }): Connector {
  return defineConnector({
    id: 'depot',
    label: 'Depot',
    kind: '3pl',
    grade: 'fixtures',
    settings: Type.Object({ url: Type.String(), readable: Type.Boolean(), batch_max: Type.Integer() }),
    http: {
      baseUrl: ({ url }) => url,
      headers: () => ({}),
      limit: () => ({ calls: 1_000, per_ms: 1_000 }),
      timeout_ms: 10_000,
    },
    inbound: {},
    fulfillment: tell(
      options.batch_max,
      options.readable,
      (request) => `${request.action} ${request.fulfillment_order}`,
    ),
  })
}

const shopConnector = defineConnector({
  id: 'shop',
  label: 'Shop',
  kind: 'storefront',
  grade: 'fixtures',
  settings: Type.Object({}),
  inbound,
})

export interface FixtureOptions {
  vendor_url: string
  readable: boolean
  batch_max: number
}

/** The same connections in the test and in its worker processes. */
export function fixtureConnections(options: FixtureOptions): TestConnection[] {
  const depot = depotConnector(options)
  const settings = { url: options.vendor_url, readable: options.readable, batch_max: options.batch_max }
  return [
    { id: 'shop-1', connector: shopConnector },
    { id: 'depot-1', connector: depot, settings, http: vendorPort(depot, settings).port.http },
  ]
}

/** One warehouse worked by the depot, with stock of some items. */
export async function seedFixture(
  db: Db,
  connections: readonly TestConnection[],
  stock: Readonly<Record<string, number>>,
): Promise<void> {
  await seedConnections(db, connections)
  await db.query(`update locations set connection_id = 'depot-1', external_code = 'B1' where id = 'berlin'`)
  for (const [sku, quantity] of Object.entries(stock)) {
    await db.query(
      `with item as (insert into items (company_id, sku) values ('acme', $1) returning id),
            ledger as (insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
                       select id, 'berlin', 'outside', 'available', $2, 'count', 'test', now(), now() from item)
       insert into stock (item_id, location_id, available) select id, 'berlin', $2 from item`,
      [sku, quantity],
    )
  }
}
