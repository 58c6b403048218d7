import type { LocationServices, ShippingCost } from '../model/location.ts'
import type { RoutingCondition, RoutingRule, RoutingRules } from '../model/routing.ts'
import { nextDeparture, type Departure } from './rulesCalendar.ts'
import { distanceKm, pointOf, type Areas, type Point } from './rulesDistance.ts'
import type { LeftOut, PlannedPlace, RoutingPlan, RoutingStep } from './rulesPlan.ts'

/** An order as far as rules may ask about it. */
export interface RoutableOrder {
  id: string
  connection_id: string
  priority: number
  /** Locations that may serve it, best first. */
  serves_from: readonly string[]
  country: string | null
  /** The first characters of the postcode. */
  postcode_area: string | null
  service_level: string | null
  total_minor: number | null
  ship_by_ms: number | null
  lines: readonly RoutableLine[]
}

export interface RoutableLine {
  line_id: number
  /** What one unit of it was sold for. */
  unit_minor: number
  items: readonly RoutableItem[]
}

/** An item of a line. Of a kit: the kit itself with its components as `takes`. */
export interface RoutableItem {
  sku: string
  tags: readonly string[]
  takes: readonly { item_id: number; sku: string; tags: readonly string[] }[]
}

/** A location as the catalogue knows it. */
export interface RoutablePlace {
  id: string
  kind: string
  country: string
  postcode_area: string | null
  priority: number
  timezone: string | null
  point: Point | null
  services: LocationServices
}

/** Everything around the orders of one batch. */
export interface RoutingWorld {
  now_ms: number
  places: ReadonlyMap<string, RoutablePlace>
  /** Fulfillment orders by `dayKey`, for places with a bound. */
  given: ReadonlyMap<string, number>
  areas: Areas
}

export const dayKey = (location_id: string, day: string): string => `${location_id}@${day}`

/** What the rules say of an order: those whose condition holds, with the places that their filters leave. Null: none holds. */
export function planRouting(
  { version, rules }: { version: number; rules: RoutingRules },
  order: RoutableOrder,
  world: RoutingWorld,
): RoutingPlan | null {
  const holding = rules.filter((rule) => holds(rule.when ?? {}, order))
  if (holding.length === 0) return null
  const seen = order.serves_from.flatMap((location_id, rank) => {
    const place = world.places.get(location_id)
    return place === undefined ? [] : [viewPlace(place, rank, order, world)]
  })
  const line_minor = new Map(order.lines.map((line) => [line.line_id, line.unit_minor]))
  return { version, steps: holding.map((rule) => stepOf(rule, seen, order)), line_minor }
}

type Holds = {
  [K in keyof RoutingCondition]-?: (wanted: NonNullable<RoutingCondition[K]>, order: RoutableOrder) => boolean
}

/** What is asked of an order that does not say it holds not. */
const CONDITIONS: Holds = {
  connections: (wanted, { connection_id }) => wanted.includes(connection_id),
  countries: (wanted, { country }) => country !== null && wanted.includes(country),
  postcodes: (wanted, order) => servesPostcode(wanted, order),
  service_levels: (wanted, { service_level }) => service_level !== null && wanted.includes(service_level),
  tags: (wanted, { lines }) =>
    lines.some((line) => line.items.some((item) => tagsOf(item).some((tag) => wanted.includes(tag)))),
  total_minor_min: (wanted, { total_minor }) => total_minor !== null && total_minor >= wanted,
  total_minor_max: (wanted, { total_minor }) => total_minor !== null && total_minor <= wanted,
  priority_max: (wanted, { priority }) => priority <= wanted,
}

function holds(condition: RoutingCondition, order: RoutableOrder): boolean {
  return (Object.keys(CONDITIONS) as (keyof RoutingCondition)[]).every((key) => {
    const wanted = condition[key]
    return (
      wanted === undefined || (CONDITIONS[key] as (wanted: unknown, order: RoutableOrder) => boolean)(wanted, order)
    )
  })
}

const tagsOf = ({ tags, takes }: RoutableItem): string[] => [...tags, ...takes.flatMap((part) => part.tags)]

/** `DE:10` or `10` in any country: whether the order's area begins so. */
function servesPostcode(wanted: readonly string[], { country, postcode_area }: RoutableOrder): boolean {
  if (postcode_area === null) return false
  return wanted.some((text) => {
    const [prefix = '', of] = text.split(':').toReversed()
    return (of === undefined || of === country) && postcode_area.startsWith(prefix.replaceAll(' ', ''))
  })
}

/** A place as one order sees it. */
interface Seen {
  place: RoutablePlace
  departure: Departure | null
  planned: PlannedPlace
}

function viewPlace(place: RoutablePlace, rank: number, order: RoutableOrder, world: RoutingWorld): Seen {
  const { services } = place
  const departure = nextDeparture(world.now_ms, services.calendar, place.timezone)
  const given = departure === null ? 0 : (world.given.get(dayKey(place.id, departure.day)) ?? 0)
  const to = pointOf(world.areas, order.country, order.postcode_area)
  const from = place.point ?? pointOf(world.areas, place.country, place.postcode_area)
  const cost = costTo(services.costs ?? [], order)
  return {
    place,
    departure,
    planned: {
      location_id: place.id,
      rank,
      priority: place.priority,
      distance_km: to === null || from === null ? null : distanceKm(from, to),
      parcel_minor: cost?.parcel_minor ?? null,
      unit_minor: cost?.unit_minor ?? null,
      capacity_left: services.orders_per_day === undefined ? null : Math.max(0, services.orders_per_day - given),
      ships_at_ms: departure?.at_ms ?? null,
      refuses_items: refusedItems(services, order),
    },
  }
}

/** The row that speaks most closely of the order: its country before everywhere else, its service level before any. */
function costTo(costs: readonly ShippingCost[], { country, service_level }: RoutableOrder): ShippingCost | null {
  const closeness = (row: ShippingCost): number =>
    (row.countries.length > 0 ? 2 : 0) + (row.service_level === undefined ? 0 : 1)
  const fitting = costs.filter(
    (row) =>
      (row.countries.length === 0 || (country !== null && row.countries.includes(country))) &&
      (row.service_level === undefined || row.service_level === service_level),
  )
  return fitting.toSorted((a, b) => closeness(b) - closeness(a))[0] ?? null
}

/** A kit that may not leave from there takes its components along. */
function refusedItems({ refuses_tags, refuses_skus }: LocationServices, { lines }: RoutableOrder): ReadonlySet<number> {
  const refuses = ({ sku, tags }: { sku: string; tags: readonly string[] }): boolean =>
    refuses_skus?.includes(sku) === true || tags.some((tag) => refuses_tags?.includes(tag) === true)
  return new Set(
    lines.flatMap(({ items }) =>
      items.flatMap((item) => item.takes.filter((part) => refuses(item) || refuses(part)).map((part) => part.item_id)),
    ),
  )
}

/** Null: the place passes. */
type Filter = (rule: RoutingRule, seen: Seen, order: RoutableOrder) => string | null

const FILTERS: Record<string, Filter> = {
  calendar: (_rule, { departure }) => (departure === null ? 'is closed for good' : null),
  locations: ({ filters }, { place }) =>
    filters.locations === undefined || filters.locations.includes(place.id)
      ? null
      : 'is not among the places of the rule',
  except: ({ filters }, { place }) => (filters.except?.includes(place.id) === true ? 'is excepted by the rule' : null),
  kinds: ({ filters }, { place }) =>
    filters.kinds === undefined || (filters.kinds as readonly string[]).includes(place.kind)
      ? null
      : `is a ${place.kind}`,
  serves_address: ({ filters }, { place }, order) =>
    filters.serves_address ? addressFault(place.services, order) : null,
  serves_service_level: ({ filters }, { place }, { service_level }) =>
    !filters.serves_service_level ||
    service_level === null ||
    place.services.service_levels?.includes(service_level) !== false
      ? null
      : `does not offer ${service_level}`,
  accepts_items: ({ filters }, { planned }, order) =>
    filters.accepts_items && refusesAll(planned, order) ? 'refuses items' : null,
  has_capacity: ({ filters }, { planned, departure }) =>
    filters.has_capacity && planned.capacity_left === 0 ? `no capacity left on ${departure?.day ?? 'any day'}` : null,
  in_time: ({ filters }, { departure }, { ship_by_ms }) =>
    filters.in_time && ship_by_ms !== null ? latenessOf(departure, ship_by_ms) : null,
  distance_km_max: ({ filters }, { planned }) => distanceFault(filters.distance_km_max, planned.distance_km),
}

function addressFault({ countries, postcodes }: LocationServices, order: RoutableOrder): string | null {
  if (countries !== undefined && (order.country === null || !countries.includes(order.country)))
    return `does not serve ${order.country ?? 'an unknown country'}`
  if (postcodes !== undefined && !servesPostcode(postcodes, order))
    return `does not serve the postcode area ${order.postcode_area ?? '(unknown)'}`
  return null
}

const refusesAll = ({ refuses_items }: PlannedPlace, { lines }: RoutableOrder): boolean =>
  lines.length > 0 &&
  lines.every(({ items }) => items.some(({ takes }) => takes.some(({ item_id }) => refuses_items.has(item_id))))

function latenessOf(departure: Departure | null, ship_by_ms: number): string | null {
  if (departure === null || departure.at_ms <= ship_by_ms) return null
  return departure.closed_before ? `closed until ${departure.day}` : `too late (leaves on ${departure.day})`
}

function distanceFault(km_max: number | undefined, distance_km: number | null): string | null {
  if (km_max === undefined) return null
  if (distance_km === null) return 'at an unknown distance'
  return distance_km > km_max ? `too far (${distance_km} km)` : null
}

function stepOf(rule: RoutingRule, all: readonly Seen[], order: RoutableOrder): RoutingStep {
  const { name, filters, sort, strategy, split, otherwise } = rule
  const places: PlannedPlace[] = []
  const left_out: LeftOut[] = []
  for (const seen of all) {
    const failed = failedFilter(rule, seen, order)
    if (failed === null) places.push(asPlanned(filters, seen.planned))
    else left_out.push(failed)
  }
  return { rule: name, places, left_out, sort, strategy, split, otherwise }
}

function failedFilter(rule: RoutingRule, seen: Seen, order: RoutableOrder): LeftOut | null {
  for (const [filter, check] of Object.entries(FILTERS)) {
    const verdict = check(rule, seen, order)
    if (verdict !== null) return { location_id: seen.place.id, filter, verdict }
  }
  return null
}

/** A filter that the rule has switched off sets no bound later on, either. */
function asPlanned({ accepts_items, has_capacity }: RoutingRule['filters'], planned: PlannedPlace): PlannedPlace {
  return {
    ...planned,
    ...(accepts_items ? {} : { refuses_items: new Set<number>() }),
    ...(has_capacity ? {} : { capacity_left: null }),
  }
}
