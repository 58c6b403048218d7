import { computeAvailability } from '../../src/core/availability/load.ts'
import { CHECKS } from '../../src/core/checks.ts'
import { internalPolicy, type CoreContext } from '../../src/core/context.ts'
import { mapListing } from '../../src/core/inventory/listings.ts'
import type { Tx } from '../../src/db/pool.ts'
import { inTransaction } from '../../src/db/transaction.ts'
import { INTERNAL, newHub, PLACES, TAKES, type Channel, type NaiveHub } from '../kit/naiveHub.ts'
import { isLive } from '../kit/naiveChange.ts'
import { counters, shownBy } from '../kit/naiveShown.ts'
import { createWorld, policy, type World } from '../kit/orders.ts'

export const CHANNELS: readonly Channel[] = [
  { id: 'shop', priority: 100, shortfall: 'partial', places: ['north', 'south'] },
  { id: 'contract', priority: 10, shortfall: 'all_or_nothing', places: ['south', 'north'] },
  { id: 'outlet', priority: 200, shortfall: 'backorder', places: ['north'] },
]
export const ITEMS = ['A', 'B', 'C'] as const
export const SKUS = Object.keys(TAKES)
/** Connections without listings have a policy, too. */
const OWN: readonly Channel[] = [
  { id: INTERNAL, priority: 1000, shortfall: 'partial', places: [] },
  { id: 'bank', priority: 100, shortfall: 'partial', places: [] },
]

/** The model and the product side by side, in one transaction that is undone at the end. */
export interface Rig {
  world: World
  hub: NaiveHub
  tx: Tx
  ctx: CoreContext
  listings: readonly { id: number; connection_id: string; channel_sku: string }[]
  /** The product's ids by the model's. */
  holds: Map<number, string>
  /** What was done, in words. */
  log: string[]
}

/** Three channels, a warehouse of our own, a 3PL, a store room that serves no channel, three items, two kits and a multipack. */
export async function createModelWorld(): Promise<World> {
  const world = await createWorld({ pool_max: 2 })
  await world.db.query(`
    insert into connections (id, connector, company_id)
      values ('contract', 'shop', 'acme'), ('outlet', 'shop', 'acme'), ('${INTERNAL}', 'internal', 'acme');
    insert into locations (id, company_id, name, kind, country) values ('west', 'acme', 'West', 'warehouse', 'DE');`)
  for (const { id, places } of CHANNELS) {
    for (const [rank, place] of places.entries())
      await world.db.query('insert into connection_locations values ($1, $2, $3)', [id, place, rank])
  }
  for (const item of ITEMS) await world.addItem(item, {})
  for (const kit of ['KIT', 'DUO']) await world.addKit(kit, Object.fromEntries(TAKES[kit] ?? []))
  resetPolicies(world)
  for (const { id: connection_id } of CHANNELS) {
    for (const channel_sku of SKUS) {
      const items = channel_sku === 'A3' ? [{ sku: 'A', quantity: 3 }] : [{ sku: channel_sku, quantity: 1 }]
      await inTransaction(world.db, (tx) => mapListing(tx, world.ctx, { connection_id, channel_sku, items }))
    }
  }
  return world
}

function resetPolicies(world: World): void {
  world.policies.set(INTERNAL, internalPolicy('acme'))
  for (const { id, priority, shortfall, places } of CHANNELS)
    world.policies.set(id, policy(id, { priority, shortfall, serves_from: places }))
}

class Undo extends Error {}

/** Runs `play` in a transaction and takes everything back. */
export async function withRig(world: World, play: (rig: Rig) => Promise<void>): Promise<void> {
  resetPolicies(world)
  let ids = 0
  const ctx: CoreContext = {
    get now() {
      return world.clock.now
    },
    newId: () => {
      const hex = (ids += 1).toString(16).padStart(12, '0')
      return `${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${hex}`
    },
    vault: world.ctx.vault,
    policies: world.policies,
  }
  const hub = newHub([...CHANNELS, ...OWN].map((channel) => ({ ...channel })))
  const undone = inTransaction(world.db, async (tx) => {
    const listings = await tx.query<Rig['listings'][number]>('select id, connection_id, channel_sku from listings')
    await play({ world, hub, tx, ctx, listings, holds: new Map(), log: [] })
    throw new Undo()
  })
  await undone.catch((thrown: unknown) => {
    if (!(thrown instanceof Undo)) throw thrown
  })
}

const COUNTERS = `
  select i.sku || '@' || s.location_id as key, s.on_hand, s.available, s.reserved, s.committed, s.damaged, s.quality_control, s.safety_stock,
    s.incoming
  from stock s join items i on i.id = s.item_id`
const LINES = `
  select o.external_id || ' ' || l.external_id || ' ' || i.sku as key,
    coalesce(sum(r.quantity) filter (where r.state = 'held'), 0)::int as held,
    coalesce(sum(r.quantity) filter (where r.state = 'committed'), 0)::int as committed,
    coalesce(sum(r.quantity) filter (where r.state = 'shortfall'), 0)::int as missing,
    sum(r.consumed_quantity)::int as shipped
  from reservations r join orders o on o.id = r.order_id join order_lines l on l.id = r.order_line_id join items i on i.id = r.item_id
  group by 1`
const WORK = `
  select o.external_id || ' ' || f.location_id as key, count(*)::int as live, count(f.cancel_requested_at)::int as called_back
  from fulfillment_orders f join orders o on o.id = f.order_id where f.state not in ('CLOSED', 'CANCELLED') group by 1`
/** All checks of \`verify\` in one statement; the parameter lets PostgreSQL keep its plan. */
const BROKEN = CHECKS.map(
  ({ name, broken }) => `select '${name}: ' || example as example from (${broken}) as b(example) where $1::boolean`,
).join(' union all ')

type Figures = Record<string, number>
const figures = (row: Figures): string =>
  Object.entries(row)
    .filter(([, units]) => units !== 0)
    .map(([name, units]) => `${name} ${units}`)
    .sort()
    .join(', ')

/** Differences between what is and what ought to be, as text; rows of zeros do not count. */
function differences(what: string, is: ReadonlyMap<string, Figures>, ought: ReadonlyMap<string, Figures>): string[] {
  return [...new Set([...is.keys(), ...ought.keys()])].sort().flatMap((key) => {
    const [left, right] = [figures(is.get(key) ?? {}), figures(ought.get(key) ?? {})]
    return left === right ? [] : [`${what} ${key}: is [${left}], ought to be [${right}]`]
  })
}

async function load(rig: Rig, sql: string): Promise<Map<string, Figures>> {
  const rows = await rig.tx.query<{ key: string } & Figures>(sql)
  return new Map(rows.map(({ key, ...row }) => [String(key), row]))
}

function addTo(map: Map<string, Figures>, key: string, name: string, units: number): void {
  const row = map.get(key) ?? {}
  row[name] = (row[name] ?? 0) + units
  map.set(key, row)
}

/** Everything that has to be true after every step. Returns what is not. */
export async function compare(rig: Rig): Promise<string[]> {
  const { hub, tx } = rig
  const shelves = new Map(
    ITEMS.flatMap((item) => PLACES.map((place) => [`${item}@${place}`, counters(hub, item, place)])),
  )
  const lines = new Map<string, Figures>()
  for (const row of hub.rows) {
    const key = `${row.order} ${row.line} ${row.item}`
    addTo(lines, key, row.state, row.units)
    addTo(lines, key, 'shipped', row.shipped)
  }
  const works = new Map<string, Figures>()
  for (const work of hub.works.filter(isLive)) {
    addTo(works, `${work.order} ${work.place}`, 'live', 1)
    addTo(works, `${work.order} ${work.place}`, 'called_back', work.calledBack ? 1 : 0)
  }
  const is = await load(rig, COUNTERS)
  const walls = new Map<string, Figures>()
  for (const crossing of hub.crossings) addTo(walls, crossing.key, 'on_hand', crossing.on_hand)
  const onHand = new Map([...is].map(([key, row]) => [key, { on_hand: row['on_hand'] ?? 0 }]))
  const shown = await computeAvailability(tx, rig.ctx, { listing_ids: rig.listings.map((listing) => listing.id) })
  const quantities = new Map(shown.map((one) => [one.listing_id, one.quantity]))
  const broken = await tx.query<{ example: string }>(BROKEN, [true])
  return [
    ...differences('stock', is, shelves),
    ...differences('walls', onHand, walls),
    ...differences('line', await load(rig, LINES), lines),
    ...differences('work', await load(rig, WORK), works),
    ...rig.listings.flatMap(({ id, connection_id, channel_sku }) => {
      const [number, ought] = [quantities.get(id), shownBy(hub, connection_id, channel_sku)]
      return number === ought ? [] : [`${connection_id} shows ${number} of ${channel_sku}, ought to show ${ought}`]
    }),
    ...broken.map((row) => `verify: ${row.example}`),
  ]
}
