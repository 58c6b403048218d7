import { statSync } from 'node:fs'
import { join } from 'node:path'
import { startAmazonSimulator, type AmazonSimulator } from './amazon/index.ts'
import { offersOf, physicalStock, SOMETIMES_NOT_PICKED, type Offer } from './assortment.ts'
import { startEasyPostSimulator, type EasyPostSimulator } from './easypost.ts'
import { startOdooSimulator, type OdooSimulator } from './odoo/index.ts'
import { payday, type Marketplace } from './payday.ts'
import type { Told } from './plants.ts'
import { seededRandom } from './prng.ts'
import { erpSeed } from './odoo/merchant.ts'
import type { StockRule, ShelfRules } from './shelf.ts'
import { startShopifySimulator } from './shopify/index.ts'
import type { Faults, Simulator, SimulatorOptions, Storefront } from './simulator.ts'
import { startStripeSimulator, type StripeSimulator } from './stripe.ts'
import { startThreePl, type ThreePl } from './threepl.ts'
import { createTrade, type Shop, type Trade } from './trade.ts'
import { startWooSimulator } from './woocommerce.ts'
import { startEdiHouse } from './x12/house.ts'

const CURRENCY = 'EUR'
/** A merchant who sells several orders a second is on Shopify's largest plan. */
const PLUS_PLAN = { max: 20_000, per_second: 1_000, query_max: 1_000 }
const SHOP_CALLS_PER_SECOND = 200
/** A seller of this size is given more than the usual plans; what takes minutes there takes a second here. */
const MARKETPLACE_PACE = {
  raised: { rate: 1_000, burst: 2_000 },
  search_lag_ms: 1_000,
  feed_ms: 500,
  visibility_ms: 3_000,
}
/** Far enough apart that two shops of one connector never give out the same order number. */
const NUMBERS_APART = 1_000_000
const CANNOT_PICK_SHARE = 0.05
/** Whoever tells an ERP a document looks several times before and after. */
const ERP_CALLS = 10
/** Days on the road, pressed into a second. */
const PARCEL_LEG_MS = 250
const RATE_ERROR_SHARE = 0.1

type CommonOptions = SimulatorOptions & { connection_id: string }

/** What the world needs to know of one configured connection. */
export interface SandboxConnection {
  id: string
  connector: string
  serves_from: readonly string[]
  orders: { priority: number; shortfall: string }
  availability: ShelfRules['availability']
  settings: Readonly<Record<string, unknown>>
}

export interface SandboxLocation {
  id: string
  connection?: string
  external_code?: string
  erp_code?: string
  /** Its parcels leave with labels of this connection's carriers. */
  labels?: { connection: string }
}

export interface WorldOptions {
  connections: readonly SandboxConnection[]
  locations: readonly SandboxLocation[]
  stock_rules: readonly StockRule[]
  /** Folder of the vendors' ledgers and of the warehouses' files; `keep: false` leaves the ledgers in memory. */
  data_dir: string
  keep: boolean
  seed: number
  /** The simulators listen on the ports after it; 0, or a taken port: any free one. */
  port_base: number
  stock_scale: number
  faults: Faults
  now: () => Date
  /** How fast the simulated warehouses look, pick and count. */
  warehouse: { poll_ms: number; pick_ms: number; snapshot_every_ms: number }
}

/** A place where goods lie, and whoever works there. */
export interface House {
  location_id: string
  connection_id: string
  simulator: ThreePl
  /** Physical units per item before the first sale. */
  stock: Readonly<Record<string, number>>
  /** The connection that its labels are bought with. */
  labels: string | null
}

/** The other side: storefronts, warehouses, a gateway, and the buyers between them. Each keeps its own ledger. */
export interface World {
  shops: readonly Shop[]
  houses: readonly House[]
  /** Accounts that labels are bought with. */
  carriers: readonly EasyPostSimulator[]
  gateway: StripeSimulator
  /** The ERP behind the merchant; null where no connection is one. */
  erp: OdooSimulator | null
  marketplaces: readonly Marketplace[]
  /** The account that payouts arrive on; null where no connection is one. */
  bank: { connection_id: string; iban: string; currency: string } | null
  /** Pays out, with faults on purpose; the same seed brings the same ones. */
  payday: () => Told
  /** Settings by connection id that point the hub's connections at the simulators. */
  settings: ReadonlyMap<string, Readonly<Record<string, unknown>>>
  trade: (orders_per_second: number) => Trade
  /** Where webhooks go from now on: `<hub>/webhooks/<connection>`. */
  connectTo: (hub_url: string) => void
  setFaults: (faults: Faults) => void
  busy: () => boolean
  /** True while a warehouse's report lies in its folder that the hub has not dealt with. */
  unread: () => boolean
  stop: () => Promise<void>
}

/** How much a vendor remembers: another number at each start, and zero at the first. */
const memoryOf = (path: string | null): number =>
  path === null ? 0 : (statSync(path, { throwIfNoEntry: false })?.size ?? 0)

/**
 * Every vendor has its own chance and its own port, so that what one does changes nothing for the others. Chance does not begin anew with
 * each start, or a vendor that is often started would always drop the same message.
 */
function vendorOpener(options: WorldOptions) {
  let opened = 0
  return async <T>(id: string, start: (common: CommonOptions) => Promise<T>): Promise<T> => {
    opened += 1
    const journal_path = options.keep ? join(options.data_dir, `${id}.jsonl`) : null
    const common = {
      connection_id: id,
      journal_path,
      random: seededRandom(options.seed + opened + memoryOf(journal_path)),
      now: options.now,
      faults: options.faults,
      webhook_url: null,
    }
    const port = options.port_base === 0 ? 0 : options.port_base + opened
    try {
      return await start({ ...common, port })
    } catch (thrown) {
      if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EADDRINUSE')) throw thrown
      return await start({ ...common, port: 0 })
    }
  }
}

type Opener = ReturnType<typeof vendorOpener>
/** One simulator, in the part it plays, with what the connection has to be told. */
interface Opened {
  id: string
  simulator: Simulator
  shop?: Shop
  house?: House
  gateway?: StripeSimulator
  marketplace?: Marketplace
  carrier?: EasyPostSimulator
  erp?: OdooSimulator
  settings: Readonly<Record<string, unknown>>
}
interface StartContext {
  options: WorldOptions
  open: Opener
  /** A parcel has left a house: whichever carrier printed its label has it now. */
  handOver: (tracking_number: string) => void
}
type Start = (connection: SandboxConnection, context: StartContext) => Promise<Opened>

/** How a connection of each connector gets the other side it speaks with. */
const VENDORS: Readonly<Record<string, Start>> = {
  shopify: async (connection, { options, open }) => {
    const offers = offersOf(connection.id)
    const shop = textOf(connection.settings['shop'], 'sandbox.myshopify.com')
    const storefront = await open(connection.id, (common) =>
      startShopifySimulator({ ...common, shop, points: PLUS_PLAN, products: shelfOf(offers), currency: CURRENCY }),
    )
    return shopOpened(connection, options, storefront, { points_per_second: PLUS_PLAN.per_second })
  },
  woocommerce: async (connection, { options, open }) => {
    const alike = options.connections.filter(({ connector }) => connector === 'woocommerce')
    const numbers = alike.indexOf(connection)
    const products = shelfOf(offersOf(connection.id))
    const first = numbers === 0 ? {} : { first_id: NUMBERS_APART * numbers }
    const storefront = await open(connection.id, (common) =>
      startWooSimulator({ ...common, ...first, ...secretsOf(connection), products, currency: CURRENCY }),
    )
    return shopOpened(connection, options, storefront, { calls_per_second: SHOP_CALLS_PER_SECOND })
  },
  amazon: async (connection, { options, open }) => {
    const products = shelfOf(offersOf(connection.id))
    const storefront = await open(connection.id, (common) =>
      startAmazonSimulator({ ...common, ...MARKETPLACE_PACE, products, currency: CURRENCY }),
    )
    return { ...shopOpened(connection, options, storefront, {}, 'channel'), marketplace: paysForAll(storefront) }
  },
  stripe: async ({ id }, { open }) => {
    const gateway = await open(id, (common) =>
      startStripeSimulator({ ...common, currency: CURRENCY, fee: { percent_bp: 150, fixed_minor: 25 } }),
    )
    return { id, simulator: gateway, gateway, settings: gateway.settings }
  },
  easypost: async ({ id }, { open }) => {
    const carrier = await open(id, (common) =>
      startEasyPostSimulator({
        ...common,
        currency: CURRENCY,
        leg_ms: PARCEL_LEG_MS,
        rate_error_share: RATE_ERROR_SHARE,
      }),
    )
    return { id, simulator: carrier, carrier, settings: carrier.settings }
  },
  odoo: async ({ id, settings }, { options, open }) => {
    const seed = erpSeed(options, { currency: CURRENCY, accounts: settings['accounts'] })
    const erp = await open(id, (common) => startOdooSimulator({ ...common, seed, calls_per_document: ERP_CALLS }))
    return { id, simulator: erp, erp, settings: erp.settings }
  },
  filedrop: async ({ id, settings }, { options, open, handOver }) => {
    const { place, stock, own } = operatedBy(id, options)
    const partner = textOf(settings['partner'], id)
    const simulator = await open(id, (common) => startThreePl({ ...common, ...own, partner, handOver, stock }))
    return houseOpened(id, place, { simulator, stock })
  },
  x12: async ({ id, settings }, { options, open, handOver }) => {
    const { place, stock, own } = operatedBy(id, options)
    // What the hub calls them is who the house is.
    const parties = { us: identityOf(settings['them']), them: identityOf(settings['us']) }
    const sftp = { username: 'hub', password: `sandbox-${id}` }
    const simulator = await open(id, (common) => startEdiHouse({ ...common, ...own, parties, sftp, handOver, stock }))
    return houseOpened(id, place, { simulator, stock })
  },
}

/** The place that a connection operates, what lies there, and how its people work. */
function operatedBy(id: string, options: WorldOptions) {
  const places = placesOf(options)
  const index = places.findIndex(({ connection }) => connection === id)
  const place = places[index]
  if (place === undefined) throw new Error(`the sandbox needs a location that connection ${id} operates`)
  const ids = places.map((each) => each.id)
  const own = {
    root: join(options.data_dir, id),
    location_code: place.external_code ?? place.id,
    tracking: `P${String.fromCodePoint(80 + index)}`,
    // Work that one place cannot pick goes to another, so there has to be another.
    ...(places.length > 1 ? { cannot_pick: { share: CANNOT_PICK_SHARE, skus: SOMETIMES_NOT_PICKED } } : {}),
    ...options.warehouse,
  }
  return { place, stock: physicalStock(options.stock_scale, ids)[place.id] ?? {}, own }
}

function houseOpened(
  id: string,
  place: SandboxLocation,
  { simulator, stock }: { simulator: ThreePl; stock: Readonly<Record<string, number>> },
): Opened {
  const house = { location_id: place.id, connection_id: id, simulator, stock, labels: place.labels?.connection ?? null }
  return { id, simulator, house, settings: simulator.settings }
}

function identityOf(value: unknown): { qualifier: string; id: string } {
  const { qualifier, id } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  return { qualifier: textOf(qualifier, 'ZZ'), id: textOf(id, 'SOMEBODY') }
}

/**
 * A marketplace pays for what was shipped. What still waits for supply when the demo ends would be paid much later, and the hub would
 * rightly miss it: there all that was sold is paid at once.
 */
const paysForAll = ({ payOut, payouts }: AmazonSimulator): Marketplace => ({ payOut: () => payOut('sold'), payouts })

function bankOf({ connections }: WorldOptions): World['bank'] {
  const account = connections.find(({ connector }) => connector === 'bank')
  if (account === undefined) return null
  const { id, settings } = account
  return { connection_id: id, iban: textOf(settings['account'], ''), currency: textOf(settings['currency'], CURRENCY) }
}

const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise)

/** Connectors of those who work in warehouses. */
const OPERATORS = new Set(['filedrop', 'x12'])

/** Locations that somebody operates through a connection: there are goods in them. */
function placesOf({ connections, locations }: WorldOptions): SandboxLocation[] {
  const operators = new Set(connections.filter(({ connector }) => OPERATORS.has(connector)).map(({ id }) => id))
  return locations.filter(({ connection }) => connection !== undefined && operators.has(connection))
}

function secretsOf({ settings }: SandboxConnection) {
  const { consumer_key, consumer_secret, webhook_secrets } = settings
  const [webhook] = Array.isArray(webhook_secrets) ? (webhook_secrets as unknown[]) : []
  if (typeof consumer_key !== 'string' || typeof consumer_secret !== 'string' || typeof webhook !== 'string') return {}
  return { secrets: { consumer_key, consumer_secret, webhook } }
}

function shopOpened(
  { id, serves_from, availability, orders }: SandboxConnection,
  { stock_rules }: WorldOptions,
  storefront: Storefront,
  pace: Readonly<Record<string, unknown>>,
  paid_to: Shop['paid_to'] = 'gateway',
): Opened {
  const shop: Shop = {
    storefront,
    offers: offersOf(id),
    currency: CURRENCY,
    paid_to,
    buyers: orders.shortfall === 'backorder' ? 'businesses' : 'people',
    priority: orders.priority,
    shelf: { connection_id: id, serves_from, availability, rules: stock_rules },
  }
  return { id, simulator: storefront, shop, settings: { ...storefront.settings, ...pace } }
}

/** Starts a simulator for each connection whose connector has one. They listen on 127.0.0.1 only. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const open = vendorOpener(options)
  const all: Opened[] = []
  const handOver = (tracking_number: string): void => {
    for (const { carrier } of all) carrier?.handOver(tracking_number)
  }
  const stop = async (): Promise<void> => {
    for (const { simulator } of all) await simulator.stop()
  }
  try {
    for (const connection of options.connections) {
      const start = VENDORS[connection.connector]
      if (start !== undefined) all.push(await start(connection, { options, open, handOver }))
    }
    // What left before everybody was there, in an earlier life perhaps.
    for (const { house } of all)
      for (const { tracking_number } of house?.simulator.ledger().shipped ?? []) handOver(tracking_number)
    return worldOf(all, options, stop)
  } catch (thrown) {
    await stop()
    throw thrown
  }
}

function worldOf(all: readonly Opened[], options: WorldOptions, stop: () => Promise<void>): World {
  const shops = all.flatMap(({ shop }) => shop ?? [])
  const houses = all.flatMap(({ house }) => house ?? [])
  const gateway = all.find((each) => each.gateway !== undefined)?.gateway
  const marketplaces = all.flatMap(({ marketplace }) => marketplace ?? [])
  if (gateway === undefined) throw new Error('the sandbox needs a connection of connector stripe')
  const stock: Record<string, number> = {}
  for (const house of houses)
    for (const [item, units] of Object.entries(house.stock)) stock[item] = (stock[item] ?? 0) + units
  const { seed, now } = options
  return {
    shops,
    houses,
    carriers: all.flatMap(({ carrier }) => carrier ?? []),
    gateway,
    bank: bankOf(options),
    erp: all.find((each) => each.erp !== undefined)?.erp ?? null,
    marketplaces,
    payday: () => payday(gateway, marketplaces, seededRandom(seed)),
    settings: new Map(all.map(({ id, settings }) => [id, settings])),
    trade: (orders_per_second) => {
      const sold = shops.reduce((count, { storefront }) => count + storefront.ledger().orders.length, 0)
      return createTrade({ shops, till: gateway, random: seededRandom(seed + sold), now, orders_per_second, stock })
    },
    connectTo: (hub_url) => {
      for (const { id, simulator } of all) simulator.setWebhookUrl(`${hub_url}/webhooks/${id}`)
    },
    setFaults: (faults) => {
      for (const { simulator } of all) simulator.setFaults(faults)
    },
    busy: () => all.some(({ simulator }) => simulator.busy()),
    unread: () => houses.some(({ simulator }) => simulator.unread()),
    stop,
  }
}

/** A storefront opens with empty shelves: what may be sold is the hub's word. */
const shelfOf = (offers: readonly Offer[]): { sku: string; title: string; price_minor: number; quantity: number }[] =>
  offers.map(({ sku, title, price_minor }) => ({ sku, title, price_minor, quantity: 0 }))
