import type { Queryable } from '../../db/pool.ts'
import type { ConnectionPolicy, CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import { loadRisks, type Risks } from './loadRisks.ts'
import {
  explainAvailability,
  type AvailabilityExplained,
  type AvailabilityInput,
  type AvailabilityRules,
  type ListingComponent,
  type LocationStock,
  type UrgentDemand,
} from './rules.ts'
import { listingRules, safetyUnits } from './rulesListing.ts'
import { loadStockRules, type StockRule } from './stockRules.ts'

/** Which listings to compute: some, or all of one connection that have items behind them. */
export type ListingSelection = { listing_ids: readonly number[] } | { connection_id: string }

export interface ListingAvailability extends AvailabilityExplained {
  listing_id: number
  connection_id: string
}

/** Demands that wait for an item, by the channel and class they came with. */
interface Waiting {
  connection_id: string
  priority: number
  units: number
  backordered: number
}

interface LoadedComponent {
  item_id: number
  sku: string
  per_unit: number
  locations: (LocationStock & { incoming: number; distrusted: boolean })[]
  waiting: Waiting[]
}

interface LoadedRow {
  listing_id: number
  connection_id: string
  company_id: string
  /** What the listing names itself: the kit, not its components. */
  item_ids: number[]
  unseen: number
  has_rules: boolean
  components: LoadedComponent[]
}

/**
 * What a unit of each listing takes, down to the items that have stock (kits by their components), that stock at the places which
 * serve the connection, and who waits for it. One statement for any number of listings; JSON keeps the rows at one per listing.
 */
const LOAD = `
  with chosen as (
    select l.id, l.connection_id from listings l
    where l.active and (l.id = any($1::bigint[]) or l.connection_id = $2)
  ), parts as (
    select c.id as listing_id, c.connection_id, coalesce(k.component_item_id, li.item_id) as item_id,
           sum(li.quantity * coalesce(k.quantity, 1))::int as per_unit
    from chosen c
    join listing_items li on li.listing_id = c.id
    left join kit_components k on k.kit_item_id = li.item_id
    group by 1, 2, 3
  ), stocked as (
    select p.listing_id, p.connection_id, p.item_id, p.per_unit,
           coalesce(jsonb_agg(jsonb_build_object(
             'location_id', s.location_id, 'on_hand', s.on_hand, 'committed', s.committed, 'reserved', s.reserved,
             'damaged', s.damaged, 'quality_control', s.quality_control, 'safety_stock', s.safety_stock,
             'incoming', s.incoming, 'distrusted', loc.distrusted_since is not null
           ) order by cl.rank, s.location_id) filter (where s.item_id is not null and loc.id is not null), '[]') as locations
    from parts p
    left join connection_locations cl on cl.connection_id = p.connection_id
    left join locations loc on loc.id = cl.location_id and loc.active
    left join stock s on s.item_id = p.item_id and s.location_id = cl.location_id
    group by 1, 2, 3, 4
  ), waiting as (
    select w.item_id, jsonb_agg(jsonb_build_object('connection_id', w.connection_id, 'priority', w.priority,
             'units', w.units, 'backordered', w.backordered)) as demands
    from (
      select r.item_id, o.connection_id, r.priority, sum(r.quantity)::int as units,
             coalesce(sum(r.quantity) filter (where r.backordered), 0)::int as backordered
      from reservations r join orders o on o.id = r.order_id
      where r.state = 'shortfall' and r.item_id in (select item_id from parts)
      group by 1, 2, 3) w
    group by 1
  )
  select t.listing_id, t.connection_id, c.company_id, coalesce(a.unseen, 0) as unseen,
         array(select li.item_id from listing_items li where li.listing_id = t.listing_id order by li.item_id) as item_ids,
         exists (select 1 from stock_rules r where r.company_id = c.company_id) as has_rules,
         jsonb_agg(jsonb_build_object('item_id', t.item_id, 'sku', i.sku, 'per_unit', t.per_unit, 'locations', t.locations,
                                      'waiting', coalesce(w.demands, '[]')) order by i.sku) as components
  from stocked t
  join items i on i.id = t.item_id
  join connections c on c.id = t.connection_id
  left join waiting w on w.item_id = t.item_id
  left join availability a on a.listing_id = t.listing_id
  group by t.listing_id, t.connection_id, c.company_id, a.unseen
  order by t.listing_id`

/** What is due on the channel for each listing now, with the terms that explain it. Listings without items are left out. */
export async function computeAvailability(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  selection: ListingSelection,
): Promise<ListingAvailability[]> {
  const ids = 'listing_ids' in selection ? selection.listing_ids : null
  const connectionId = 'connection_id' in selection ? selection.connection_id : null
  const rows = await q.query<LoadedRow>(LOAD, [ids, connectionId])
  const chosen = await chooseRules(q, ctx, rows)
  return rows.map((row, index) => {
    const choice = chosen[index]
    if (choice === undefined) throw new HubError('invariant_broken', 'a listing was loaded without its rules')
    return {
      listing_id: row.listing_id,
      connection_id: row.connection_id,
      ...explainAvailability(inputOf(row, choice, ctx)),
    }
  })
}

interface Choice {
  policy: ConnectionPolicy
  rules: AvailabilityRules
  /** Stock rules that may speak of the listing's items. */
  stockRules: readonly StockRule[]
  /** Units at other places of the company that a transfer could bring, by item. */
  elsewhere: ReadonlyMap<number, number>
}

/** Everything besides stock that decides: stock rules where the company has any, measured risk where a channel wants it. */
async function chooseRules(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  rows: readonly LoadedRow[],
): Promise<Choice[]> {
  const ruled = rows.filter((row) => row.has_rules)
  const stockRules =
    ruled.length === 0
      ? []
      : await loadStockRules(q, {
          company_ids: [...new Set(ruled.map((row) => row.company_id))],
          item_ids: [...new Set(ruled.flatMap(itemsOf))],
        })
  const byItem = Map.groupBy(stockRules, (rule) => rule.item_id)
  const policies = rows.map((row) => policyOf(ctx, row.connection_id))
  const risks = await loadRisks(
    q,
    rows.filter((_, index) => policies[index]?.availability.adaptive !== null),
  )
  const choices = rows.map((row, index): Choice => {
    const policy = policies[index] ?? policyOf(ctx, row.connection_id)
    const heard = [null, ...new Set(itemsOf(row))].flatMap((item_id) => byItem.get(item_id) ?? [])
    return { policy, rules: rulesOf(row, policy, heard, risks), stockRules: heard, elsewhere: NOWHERE }
  })
  return withTransfers(q, rows, choices)
}

const NOWHERE: ReadonlyMap<number, number> = new Map()
const itemsOf = (row: LoadedRow): number[] => [...row.item_ids, ...row.components.map(({ item_id }) => item_id)]

function rulesOf(
  row: LoadedRow,
  policy: ConnectionPolicy,
  stockRules: readonly StockRule[],
  risks: Risks,
): AvailabilityRules {
  const { company_id, connection_id, item_ids, components } = row
  const scope = { company_id, connection_id }
  const component_ids = components.map(({ item_id }) => item_id)
  return {
    ...listingRules(stockRules, scope, { item_ids, component_ids }, policy),
    ...risks.of(connection_id, components, policy.availability.adaptive),
  }
}

/** Items that may be brought from places which do not serve the channel: asked for only where a rule says so and sets no bound. */
async function withTransfers(q: Queryable, rows: readonly LoadedRow[], choices: Choice[]): Promise<Choice[]> {
  const wanted = rows.filter((_, index) => {
    const rules = choices[index]?.rules
    return rules?.backorder === 'transfer' && rules.backorder_units_max === null
  })
  if (wanted.length === 0) return choices
  const found = await q.query<{ connection_id: string; item_id: number; units: number }>(
    `select c.id as connection_id, s.item_id, sum(s.available)::int as units
     from connections c
     join locations l on l.company_id = c.company_id and l.active and l.kind <> 'drop_ship' and l.distrusted_since is null
     join stock s on s.location_id = l.id and s.item_id = any($2::bigint[])
     where c.id = any($1::text[])
       and not exists (select 1 from connection_locations cl where cl.connection_id = c.id and cl.location_id = l.id)
     group by 1, 2`,
    [
      [...new Set(wanted.map((row) => row.connection_id))],
      [...new Set(wanted.flatMap((row) => row.components.map(({ item_id }) => item_id)))],
    ],
  )
  const byConnection = Map.groupBy(found, (row) => row.connection_id)
  return choices.map((choice, index) => {
    const units = byConnection.get(rows[index]?.connection_id ?? '') ?? []
    return { ...choice, elsewhere: new Map(units.map((row) => [row.item_id, row.units])) }
  })
}

function inputOf(row: LoadedRow, choice: Choice, ctx: Pick<CoreContext, 'policies'>): AvailabilityInput {
  const { policy, rules } = choice
  const passed = new Set(rules.backorder === 'drop_ship' ? [] : policy.last_resort)
  const components = row.components.map((component) => {
    const locations = component.locations.filter(({ location_id }) => !passed.has(location_id))
    return componentOf(row, { ...component, locations }, choice, ctx)
  })
  const distrusted = row.components.flatMap(({ locations }) =>
    locations.filter((place) => place.distrusted).map(({ location_id }) => location_id),
  )
  return { components, distrusted: [...new Set(distrusted)], unseen: row.unseen, rules }
}

function componentOf(
  { company_id, connection_id }: LoadedRow,
  { item_id, sku, per_unit, locations, waiting }: LoadedComponent,
  { policy, stockRules, elsewhere }: Choice,
  ctx: Pick<CoreContext, 'policies'>,
): ListingComponent {
  const sum = (field: 'units' | 'backordered'): number => waiting.reduce((total, demand) => total + demand[field], 0)
  const urgent = waiting
    .filter((demand) => demand.priority < policy.priority)
    .toSorted((one, other) => one.priority - other.priority || (one.connection_id < other.connection_id ? -1 : 1))
    .map(({ connection_id: channel, units }): UrgentDemand => ({
      units,
      places: ctx.policies.get(channel)?.serves_from ?? [],
    }))
  return {
    item_id,
    sku,
    per_unit,
    locations: locations.map((place) => ({
      ...place,
      safety_units: safetyUnits(stockRules, { company_id, connection_id, item_id, location_id: place.location_id }),
    })),
    urgent,
    incoming: locations.reduce((total, place) => total + place.incoming, elsewhere.get(item_id) ?? 0),
    waiting: sum('units'),
    backordered: sum('backordered'),
  }
}

/** The policy of a connection, or `not_found`: rows of a connection that left the configuration are not computed by guesswork. */
export function policyOf(ctx: Pick<CoreContext, 'policies'>, connection_id: string): ConnectionPolicy {
  const policy = ctx.policies.get(connection_id)
  if (policy === undefined) throw new HubError('not_found', `connection ${connection_id} is not in the configuration`)
  return policy
}
