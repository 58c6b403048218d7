import Type from 'typebox'
import { defineConnector } from '../../src/connectors/_kit/define.ts'
import { easypost } from '../../src/connectors/easypost/index.ts'
import { applyFacts } from '../../src/core/apply.ts'
import type { FactOutcome } from '../../src/core/context.ts'
import { syncLabels } from '../../src/core/labels/syncLabels.ts'
import type { FulfillmentRequest, LabelFile } from '../../src/core/model/effects.ts'
import type { Fact } from '../../src/core/model/fact.ts'
import type { LabelChoices } from '../../src/core/model/label.ts'
import type { Order } from '../../src/core/model/order.ts'
import { verify } from '../../src/core/verify.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import type { Hub } from '../../src/hub.ts'
import { coreContext } from '../../src/queues/context.ts'
import { runEffects, type GroupRef } from '../../src/queues/effects.ts'
import { relayDue } from '../../src/queues/relay.ts'
import { startEasyPostSimulator, type EasyPostSimulator } from '../../src/sandbox/easypost.ts'
import { KIND } from '../../src/sandbox/simulator.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'
import { rememberingQueues, seedConnections, testClock, testHub, type RememberingQueues, type TestClock, type TestConnection } from './testHub.ts' // prettier-ignore
import { vendorPort } from './vendorPort.ts'

/** A channel, a warehouse that is sent work, and a carrier account with books of its own. */
export interface LabelWorld {
  database: TestDatabase
  hub: Hub
  clock: TestClock
  queues: RememberingQueues
  carrier: EasyPostSimulator
  /** What the warehouse was told, with the label's files as they were then. */
  told: (FulfillmentRequest & { label_files: LabelFile[] })[]
  apply: (connection_id: string, ...facts: Fact[]) => Promise<FactOutcome[]>
  /** Relays and runs whatever is due, round after round, until nothing is; the clock goes on between the rounds. */
  drive: (rounds_max?: number) => Promise<string[]>
  run: (group: GroupRef) => Promise<string>
  parcels: () => Promise<ParcelSeen[]>
  /** Fails when the hub's books break any of their invariants. */
  verified: () => Promise<void>
  stop: () => Promise<void>
}

export interface ParcelSeen {
  reference: string
  state: string
  number: string
  carrier: string | null
  service: string | null
  amount_minor: number | null
  tracking_number: string | null
  rate_external_id: string | null
  weight_g: number
  fault: string | null
  unwanted: boolean
}

export const LABELS: LabelChoices = {
  connection: 'post',
  when: 'before_work',
  currency: 'EUR',
  ship_from: { company: 'Acme', line1: 'Depot Street 1', city: 'Berlin' },
  parcel: { unit_weight_g: 400, packaging_g: 100 },
  rules: [],
}

const reporter = { log: () => undefined, progress: () => undefined, signal: new AbortController().signal }

/** `random` decides which calls the carrier spoils; left out: only shares of a half and more do. */
export async function openLabelWorld(
  labels: LabelChoices = LABELS,
  random: () => number = () => 0.5,
): Promise<LabelWorld> {
  const database = await createTestDatabase()
  const carrier = await startEasyPostSimulator({
    connection_id: 'post',
    currency: 'EUR',
    leg_ms: 100,
    journal_path: null,
    port: 0,
    random,
    now: () => new Date(),
    faults: KIND,
    webhook_url: null,
  })
  const told: LabelWorld['told'] = []
  const connections = connectionsOf(carrier, told)
  const { db } = database
  await seedConnections(db, connections)
  await db.query(
    `update locations set connection_id = 'depot', external_code = 'B1', postcode = '10115', timezone = 'Europe/Berlin'`,
  )
  await inTransaction(db, async (tx) => {
    for (const sku of ['TEA', 'MUG']) {
      await tx.query(
        `with item as (insert into items (company_id, sku) values ('acme', $1) returning id),
              ledger as (insert into stock_ledger (item_id, location_id, from_state, to_state, quantity, reason, source, occurred_at, recorded_at)
                         select id, 'berlin', 'outside', 'available', 1000, 'count', 'test', now(), now() from item)
         insert into stock (item_id, location_id, available) select id, 'berlin', 1000 from item`,
        [sku],
      )
    }
    await syncLabels(tx, {
      locations: [{ id: 'berlin', labels }],
      items: [{ company: 'acme', sku: 'TEA', weight_g: 120, size_mm: [100, 60, 60] }],
    })
  })
  const queues = rememberingQueues()
  const clock = testClock()
  const hub = testHub({ db, queues, connections, clock })
  let sources = 0
  const run = (group: GroupRef): Promise<string> => runEffects(hub, group, reporter)
  return {
    database,
    hub,
    clock,
    queues,
    carrier,
    told,
    run,
    apply: async (connection_id, ...facts) => {
      const inbound = facts.map((fact) => ({ connection_id, source: `inbox:${(sources += 1)}`, fact }))
      return (await inTransaction(db, (tx) => applyFacts(tx, coreContext(hub), inbound))).outcomes
    },
    drive: (rounds_max = 12) => drive({ hub, queues, clock, run }, rounds_max),
    parcels: () =>
      db.query<ParcelSeen>(
        `select p.reference, p.state, f.number, p.carrier, p.service, p.amount_minor, p.tracking_number, p.rate_external_id, p.weight_g,
           p.fault, p.unwanted_at is not null as unwanted
         from parcels p join fulfillment_orders f on f.id = p.fulfillment_order_id order by p.created_at, p.id`,
      ),
    verified: async () => {
      const broken = (await verify(db)).checks.filter(({ violations }) => violations > 0)
      if (broken.length > 0) throw new Error(JSON.stringify(broken))
    },
    stop: async () => {
      await carrier.stop()
      await database.drop()
    },
  }
}

async function drive(
  { hub, queues, clock, run }: Pick<LabelWorld, 'hub' | 'queues' | 'clock' | 'run'>,
  rounds_max: number,
): Promise<string[]> {
  const said: string[] = []
  for (let round = 0; round < rounds_max; round += 1) {
    await relayDue(hub)
    const groups = queues.added.splice(0).filter(({ data }) => 'batch_key' in data)
    if (groups.length === 0 && round > 0) break
    for (const { data } of groups) said.push(await run(data as GroupRef))
    clock.forward(60_000)
  }
  return said
}

function connectionsOf(carrier: EasyPostSimulator, told: LabelWorld['told']): TestConnection[] {
  const none = Type.Object({})
  const shop = defineConnector({
    id: 'shop',
    label: 'Shop',
    kind: 'storefront',
    grade: 'fixtures',
    settings: none,
    inbound: {},
  })
  const depot = defineConnector({
    id: 'depot',
    label: 'Depot',
    kind: '3pl',
    grade: 'fixtures',
    settings: none,
    inbound: {},
    fulfillment: {
      batch_max: 10,
      send: async (_port, requests) => {
        for (const request of requests) told.push({ ...request, label_files: (await request.label?.files()) ?? [] })
        return requests.map(({ outbox_id }) => ({ outbox_id, outcome: 'done', external_id: null }))
      },
      confirm: () => Promise.resolve('not_done'),
    },
  })
  const { port } = vendorPort(easypost, carrier.settings)
  return [
    { id: 'shop', connector: shop },
    { id: 'depot', connector: depot },
    { id: 'post', connector: easypost, settings: { ...carrier.settings }, http: port.http },
  ]
}

let serial = 0

/** A paid order with an address that carriers serve. */
export function labelOrder(lines: Readonly<Record<string, number>>, changes: Partial<Order> = {}): Fact {
  const name = changes.external_id ?? `O-${(serial += 1)}`
  const at = new Date(Date.UTC(2026, 10, 20, 9, 0, (serial += 1))).toISOString()
  const money = { discount_minor: 0, tax_minor: 0 }
  return {
    kind: 'order',
    document: {
      external_id: name,
      number: `#${name}`,
      version: { updated_at: at, observed_at: at },
      placed_at: '2026-11-20T09:00:00.000Z',
      currency: 'EUR',
      lifecycle: 'open',
      cancelled_at: null,
      payment_state: 'paid',
      taxes_included: true,
      test: false,
      buyer: { external_id: `c-${name}`, name: 'Ada Example', email: `${name}@example.test`, phone: null },
      ship_to: {
        name: 'Ada Example',
        company: null,
        line1: 'Hidden Lane 7',
        line2: null,
        city: 'Leipzig',
        region: null,
        postcode: '04109',
        country: 'DE',
        phone: null,
      },
      bill_to: null,
      shipping_method: 'standard',
      lines: Object.entries(lines).map(([sku, quantity], index) => ({
        external_id: `${index + 1}`,
        channel_sku: sku,
        title: sku,
        quantity,
        requires_shipping: true,
        unit_price_minor: 1_000,
        total_minor: 1_000 * quantity,
        ...money,
      })),
      totals: { subtotal_minor: 1_000, shipping_minor: 0, total_minor: 1_000, refunded_minor: 0, ...money },
      payment_ids: [],
      refunds: [],
      ...changes,
    },
  }
}
