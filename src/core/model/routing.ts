import Type from 'typebox'
import { closed, Country, Words } from './schema.ts'
import { MinorUnits } from './money.ts'

const Name = Type.String({ minLength: 1, maxLength: 100 })
const Names = Type.Array(Name, { minItems: 1, maxItems: 1000 })

export const SORT_KEYS = ['rank', 'priority', 'distance', 'cost', 'stock_balance', 'capacity', 'ships_first'] as const
export type SortKey = (typeof SORT_KEYS)[number]
export const STRATEGIES = ['single_location_first', 'minimize_splits', 'cheapest'] as const
export type Strategy = (typeof STRATEGIES)[number]
const LOCATION_KINDS = ['warehouse', '3pl', 'store', 'drop_ship'] as const

/** Which orders a rule speaks of. Everything named has to hold; what is left out holds always. */
export const RoutingCondition = Type.Object(
  {
    connections: Type.Optional(Names),
    countries: Type.Optional(Type.Array(Country, { minItems: 1, maxItems: 250 })),
    postcodes: Type.Optional(Names),
    service_levels: Type.Optional(Names),
    tags: Type.Optional(Names),
    total_minor_min: Type.Optional(MinorUnits),
    total_minor_max: Type.Optional(MinorUnits),
    priority_max: Type.Optional(Type.Integer({ minimum: 0, maximum: 1_000_000 })),
  },
  closed,
)
export type RoutingCondition = Type.Static<typeof RoutingCondition>

/** Which places are asked at all. A place that fails a filter is named in the reasons with the filter. */
export const RoutingFilters = Type.Object(
  {
    locations: Type.Optional(Names),
    except: Type.Optional(Names),
    kinds: Type.Optional(Type.Array(Words(LOCATION_KINDS), { minItems: 1, maxItems: 4 })),
    serves_address: Type.Boolean({ default: true }),
    serves_service_level: Type.Boolean({ default: true }),
    accepts_items: Type.Boolean({ default: true }),
    has_capacity: Type.Boolean({ default: true }),
    /** The place can let the goods leave by the order's ship_by. */
    in_time: Type.Boolean({ default: false }),
    distance_km_max: Type.Optional(Type.Integer({ minimum: 1, maximum: 25_000 })),
  },
  { ...closed, default: {} },
)
export type RoutingFilters = Type.Static<typeof RoutingFilters>

/** A split is worth its parcels only so far: both what is taken and what is left over have to be worth it. */
export const SplitGuard = Type.Object(
  {
    locations_max: Type.Integer({ minimum: 1, maximum: 50, default: 10 }),
    part_minor_min: Type.Optional(MinorUnits),
  },
  { ...closed, default: {} },
)
export type SplitGuard = Type.Static<typeof SplitGuard>

export const RoutingRule = Type.Object(
  {
    name: Name,
    when: Type.Optional(RoutingCondition),
    filters: RoutingFilters,
    sort: Type.Array(Words(SORT_KEYS), { minItems: 1, maxItems: 7, default: ['rank'] }),
    strategy: Type.Unsafe<Strategy>({ type: 'string', enum: STRATEGIES, default: 'single_location_first' }),
    split: SplitGuard,
    /** When no place is left, or the guard forbids the split: try the next rule, or let the order wait. */
    otherwise: Type.Unsafe<'next_rule' | 'wait'>({ type: 'string', enum: ['next_rule', 'wait'], default: 'wait' }),
  },
  closed,
)
export type RoutingRule = Type.Static<typeof RoutingRule>

/** The first rule whose condition holds decides; an order that none fits is served by its connection's own ranking. */
export const RoutingRules = Type.Array(RoutingRule, { minItems: 1, maxItems: 200 })
export type RoutingRules = Type.Static<typeof RoutingRules>
