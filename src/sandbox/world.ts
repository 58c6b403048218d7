import { join } from 'node:path'
import { OFFERS, physicalStock, type Offer } from './assortment.ts'
import { seededRandom } from './prng.ts'
import { startShopifySimulator } from './shopify/index.ts'
import type { Faults, Simulator, SimulatorOptions } from './simulator.ts'
import { startStripeSimulator, type StripeSimulator } from './stripe.ts'
import { startThreePl, type ThreePl } from './threepl.ts'
import { createTrade, type Shop, type Trade } from './trade.ts'
import { startWooSimulator } from './woocommerce.ts'

const CURRENCY = 'EUR'
/** A merchant who sells several orders a second is on Shopify's largest plan. */
const PLUS_PLAN = { max: 20_000, per_second: 1_000, query_max: 1_000 }

type CommonOptions = SimulatorOptions & { connection_id: string }

/** What the world needs to know of one configured connection. */
export interface SandboxConnection {
  id: string
  connector: string
}

export interface WorldOptions {
  connections: readonly SandboxConnection[]
  /** Folder of the vendors' ledgers and of the 3PL's files; `keep: false` leaves the ledgers in memory. */
  data_dir: string
  keep: boolean
  seed: number
  /** The simulators listen on the ports after it; 0, or a taken port: any free one. */
  port_base: number
  stock_scale: number
  faults: Faults
  now: () => Date
  /** How fast the simulated 3PL looks, picks and counts. */
  warehouse: { poll_ms: number; pick_ms: number; snapshot_every_ms: number }
}

/** The other side: storefronts, a 3PL, a gateway, and the buyers between them. Each keeps its own ledger. */
export interface World {
  shops: readonly Shop[]
  warehouse: ThreePl
  gateway: StripeSimulator
  /** Physical units per item before the first sale. */
  stock: Readonly<Record<string, number>>
  /** Settings by connection id that point the hub's connections at the simulators. */
  settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  trade: (orders_per_second: number) => Trade
  /** Where webhooks go from now on: `<hub>/webhooks/<connection>`. */
  connectTo: (hub_url: string) => void
  setFaults: (faults: Faults) => void
  busy: () => boolean
  stop: () => Promise<void>
}

/** Every vendor has its own chance and its own port, so that what one does changes nothing for the others. */
function vendorOpener(options: WorldOptions) {
  return async <T>(id: string, index: number, start: (common: CommonOptions) => Promise<T>): Promise<T> => {
    const common = {
      connection_id: id,
      journal_path: options.keep ? join(options.data_dir, `${id}.jsonl`) : null,
      random: seededRandom(options.seed + index),
      now: options.now,
      faults: options.faults,
      webhook_url: null,
    }
    const port = options.port_base === 0 ? 0 : options.port_base + index
    try {
      return await start({ ...common, port })
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EADDRINUSE')) throw thrown
      return await start({ ...common, port: 0 })
    }
  }
}

async function openVendors(
  options: WorldOptions,
  stock: Readonly<Record<string, number>>,
  idOf: (connector: string) => string,
) {
  const opened = vendorOpener(options)
  const shopify = await opened(idOf('shopify'), 1, (common) =>
    startShopifySimulator({
      ...common,
      shop: 'sandbox.myshopify.com',
      points: PLUS_PLAN,
      products: shelfOf(OFFERS.shopify),
      currency: CURRENCY,
    }),
  )
  const woocommerce = await opened(idOf('woocommerce'), 2, (common) =>
    startWooSimulator({ ...common, products: shelfOf(OFFERS.woocommerce), currency: CURRENCY }),
  )
  const gateway = await opened(idOf('stripe'), 3, (common) =>
    startStripeSimulator({ ...common, currency: CURRENCY, fee: { percent_bp: 150, fixed_minor: 25 } }),
  )
  const place = { root: join(options.data_dir, idOf('filedrop')), location_code: 'HAM1', partner: 'sandbox' }
  const warehouse = await opened(idOf('filedrop'), 4, (common) =>
    startThreePl({ ...common, ...place, stock, ...options.warehouse }),
  )
  return { shopify, woocommerce, gateway, warehouse }
}

/** Starts a simulator for each connection that has one. They listen on 127.0.0.1 only. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const stock = physicalStock(options.stock_scale)
  const idOf = (connector: string): string => {
    const found = options.connections.find((connection) => connection.connector === connector)
    if (found === undefined) throw new Error(`the sandbox needs a connection of connector ${connector}`)
    return found.id
  }
  const { shopify, woocommerce, gateway, warehouse } = await openVendors(options, stock, idOf)
  const shops: Shop[] = [
    { storefront: shopify, offers: OFFERS.shopify, currency: CURRENCY },
    { storefront: woocommerce, offers: OFFERS.woocommerce, currency: CURRENCY },
  ]
  const all: [string, Simulator][] = [
    [idOf('shopify'), shopify],
    [idOf('woocommerce'), woocommerce],
    [idOf('stripe'), gateway],
    [idOf('filedrop'), warehouse],
  ]
  return {
    shops,
    warehouse,
    gateway,
    stock,
    settings: new Map([
      ...all.map(([id, simulator]): [string, Readonly<Record<string, unknown>>] => [id, simulator.settings]),
      [idOf('shopify'), { ...shopify.settings, points_per_second: PLUS_PLAN.per_second }],
      [idOf('woocommerce'), { ...woocommerce.settings, calls_per_second: 200 }],
    ]),
    trade: (orders_per_second) =>
      createTrade({
        shops,
        till: gateway,
        random: seededRandom(options.seed),
        now: options.now,
        orders_per_second,
        stock,
      }),
    connectTo: (hub_url) => {
      for (const [id, simulator] of all) simulator.setWebhookUrl(`${hub_url}/webhooks/${id}`)
    },
    setFaults: (faults) => {
      for (const [, simulator] of all) simulator.setFaults(faults)
    },
    busy: () => all.some(([, simulator]) => simulator.busy()),
    stop: async () => {
      for (const [, simulator] of all) await simulator.stop()
    },
  }
}

/** A storefront opens with empty shelves: what may be sold is the hub's word. */
const shelfOf = (offers: readonly Offer[]): { sku: string; title: string; price_minor: number; quantity: number }[] =>
  offers.map(({ sku, title, price_minor }) => ({ sku, title, price_minor, quantity: 0 }))
