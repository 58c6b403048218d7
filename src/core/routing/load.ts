import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { LocationServices } from '../model/location.ts'
import { postcodeAreaOf } from '../orders/rulesPromise.ts'
import { activeRules, type ActiveRules } from './active.ts'
import { capacityDay, loadGiven } from './capacity.ts'
import { areaKey, prefixesOf, type Areas } from './rulesDistance.ts'
import {
  planRouting,
  type RoutableItem,
  type RoutableLine,
  type RoutableOrder,
  type RoutablePlace,
  type RoutingWorld,
} from './rulesMatch.ts'
import type { RoutingPlan } from './rulesPlan.ts'

/** An order as far as routing rules may ask about it. */
export interface OrderToRoute {
  id: string
  connection_id: string
  serves_from: readonly string[]
  line_ids: readonly number[]
}

/**
 * What the active rules say of these orders, by order id. An order that no rule fits is not in it, nor is a transfer, which says itself
 * where it is served from. A constant number of statements for any number of orders, and none for companies without rules.
 */
export async function loadPlans(
  tx: Queryable,
  ctx: CoreContext,
  orders: readonly OrderToRoute[],
): Promise<ReadonlyMap<string, RoutingPlan>> {
  if (orders.length === 0) return new Map()
  return planOrders(tx, ctx, orders, await activeRules(tx, ctx))
}

/** The same under rules that need not be active. */
export async function planOrders(
  q: Queryable,
  ctx: CoreContext,
  orders: readonly OrderToRoute[],
  rules: ReadonlyMap<string, ActiveRules>,
): Promise<ReadonlyMap<string, RoutingPlan>> {
  const ruled = orders.filter(({ connection_id }) => rules.has(ctx.policies.get(connection_id)?.company_id ?? ''))
  if (ruled.length === 0) return new Map()
  const found = await loadRoutable(q, ctx, ruled)
  const world = await loadWorld(q, ctx, found)
  return new Map(
    found.flatMap((order): [string, RoutingPlan][] => {
      const own = rules.get(ctx.policies.get(order.connection_id)?.company_id ?? '')
      const plan = own === undefined ? null : planRouting(own, order, world)
      return plan === null ? [] : [[order.id, plan]]
    }),
  )
}

interface OrderRow {
  id: string
  connection_id: string
  ship_country: string | null
  ship_postcode_area: string | null
  service_level: string | null
  total_minor: number | null
  ship_by: Date | null
}

/** Orders as rules see them. Everything about them is read anew: what the caller knows may be of before this transaction. */
export async function loadRoutable(
  q: Queryable,
  ctx: CoreContext,
  orders: readonly OrderToRoute[],
): Promise<RoutableOrder[]> {
  const rows = await q.query<OrderRow>(
    `select id, connection_id, ship_country, ship_postcode_area, service_level, total_minor, ship_by
     from orders where id = any($1::uuid[]) and kind = 'order'`,
    [orders.map((order) => order.id)],
  )
  const lines = await loadRoutableLines(
    q,
    orders.flatMap((order) => order.line_ids),
  )
  const byId = new Map(rows.map((row) => [row.id, row]))
  return orders.flatMap(({ id, serves_from }) => {
    const row = byId.get(id)
    if (row === undefined) return []
    const { connection_id, ship_country, ship_postcode_area, service_level, total_minor, ship_by } = row
    return [
      {
        id,
        connection_id,
        priority: ctx.policies.get(connection_id)?.priority ?? Number.MAX_SAFE_INTEGER,
        serves_from,
        country: ship_country,
        postcode_area: ship_postcode_area,
        service_level,
        total_minor,
        ship_by_ms: ship_by?.getTime() ?? null,
        lines: lines.get(id) ?? [],
      },
    ]
  })
}

type LineRow = { order_id: string; line_id: number; unit_minor: number; items: RoutableItem[] | null }

async function loadRoutableLines(q: Queryable, line_ids: readonly number[]): Promise<Map<string, RoutableLine[]>> {
  const rows = await q.query<LineRow>(
    `select l.order_id, l.id as line_id, case when l.quantity > 0 then l.total_minor / l.quantity else 0 end as unit_minor,
       (select jsonb_agg(jsonb_build_object('sku', i.sku, 'tags', to_jsonb(i.routing_tags), 'takes', coalesce(
          (select jsonb_agg(jsonb_build_object('item_id', c.id, 'sku', c.sku, 'tags', to_jsonb(c.routing_tags)) order by c.id)
           from kit_components k join items c on c.id = k.component_item_id where k.kit_item_id = i.id),
          jsonb_build_array(jsonb_build_object('item_id', i.id, 'sku', i.sku, 'tags', to_jsonb(i.routing_tags))))) order by i.id)
        from listing_items li join items i on i.id = li.item_id where li.listing_id = l.listing_id) as items
     from order_lines l where l.id = any($1::bigint[]) order by l.id`,
    [[...new Set(line_ids)]],
  )
  const byOrder = Map.groupBy(rows, (row) => row.order_id)
  return new Map(
    [...byOrder].map(([order_id, own]) => [
      order_id,
      own.map(({ line_id, unit_minor, items }) => ({ line_id, unit_minor, items: items ?? [] })),
    ]),
  )
}

/** Places, their days and the areas that these orders are measured by. */
async function loadWorld(q: Queryable, ctx: CoreContext, orders: readonly RoutableOrder[]): Promise<RoutingWorld> {
  const places = await loadPlaces(q, [...new Set(orders.flatMap((order) => order.serves_from))])
  const days = [...places.values()].flatMap((place) => {
    const day = capacityDay(place, ctx.now)
    return day === null ? [] : [{ location_id: place.id, day }]
  })
  const areas = await loadAreas(q, [...orders, ...[...places.values()].filter((place) => place.point === null)])
  return { now_ms: ctx.now.getTime(), places, given: await loadGiven(q, days), areas }
}

interface PlaceRow {
  id: string
  kind: string
  country: string
  postcode: string | null
  priority: number
  timezone: string | null
  latitude: number | null
  longitude: number | null
  services: LocationServices
}

/** Locations as rules see them; one that has left the catalogue serves nobody. */
export async function loadPlaces(
  q: Queryable,
  location_ids: readonly string[],
): Promise<ReadonlyMap<string, RoutablePlace>> {
  const rows = await q.query<PlaceRow>(
    `select id, kind, country, postcode, priority, timezone, latitude, longitude, services
     from locations where id = any($1::text[]) and active`,
    [location_ids],
  )
  return new Map(
    rows.map(({ postcode, latitude, longitude, ...place }) => [
      place.id,
      {
        ...place,
        postcode_area: postcodeAreaOf(postcode),
        point: latitude === null || longitude === null ? null : { latitude, longitude },
      },
    ]),
  )
}

/** The areas that any of these may be found by. */
export async function loadAreas(
  q: Queryable,
  places: readonly { country: string | null; postcode_area: string | null }[],
): Promise<Areas> {
  const wanted = new Map<string, { country: string; prefix: string }>()
  for (const { country, postcode_area } of places) {
    if (country === null || postcode_area === null) continue
    for (const prefix of prefixesOf(postcode_area)) wanted.set(areaKey(country, prefix), { country, prefix })
  }
  if (wanted.size === 0) return new Map()
  const keys = [...wanted.values()]
  const rows = await q.query<{ country: string; prefix: string; latitude: number; longitude: number }>(
    `select a.* from unnest($1::text[], $2::text[]) as n(country, prefix)
     join postcode_areas a on a.country = n.country and a.prefix = n.prefix`,
    [keys.map((key) => key.country), keys.map((key) => key.prefix)],
  )
  return new Map(
    rows.map(({ country, prefix, latitude, longitude }) => [areaKey(country, prefix), { latitude, longitude }]),
  )
}
