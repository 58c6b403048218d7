import type { Queryable } from '../../db/pool.ts'
import type { ConnectionPolicy, CoreContext } from '../context.ts'
import { HubError } from '../errors.ts'
import {
  explainAvailability,
  type AvailabilityExplained,
  type AvailabilityInput,
  type AvailabilityRules,
  type ListingComponent,
} from './rules.ts'

/** Which listings to compute: some, or all of one connection that have items behind them. */
export type ListingSelection = { listing_ids: readonly number[] } | { connection_id: string }

export interface ListingAvailability extends AvailabilityExplained {
  listing_id: number
  connection_id: string
}

interface LoadedAvailability {
  listing_id: number
  connection_id: string
  input: AvailabilityInput
}

interface LoadedRow {
  listing_id: number
  connection_id: string
  unseen: number
  components: ListingComponent[]
}

/**
 * What a unit of each listing takes, down to the items that have stock (kits by their components), and that stock at the places
 * which serve the connection. One statement for any number of listings; JSON keeps the rows at one per listing.
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
             'damaged', s.damaged, 'quality_control', s.quality_control, 'safety_stock', s.safety_stock
           ) order by cl.rank, s.location_id) filter (where s.item_id is not null and loc.id is not null), '[]') as locations
    from parts p
    left join connection_locations cl on cl.connection_id = p.connection_id
    left join locations loc on loc.id = cl.location_id and loc.active
    left join stock s on s.item_id = p.item_id and s.location_id = cl.location_id
    group by 1, 2, 3, 4
  )
  select t.listing_id, t.connection_id, coalesce(a.unseen, 0) as unseen,
         jsonb_agg(jsonb_build_object('item_id', t.item_id, 'sku', i.sku, 'per_unit', t.per_unit, 'locations', t.locations)
                   order by i.sku) as components
  from stocked t
  join items i on i.id = t.item_id
  left join availability a on a.listing_id = t.listing_id
  group by t.listing_id, t.connection_id, a.unseen
  order by t.listing_id`

/** The inputs of the sum. Listings without items are left out. */
async function loadAvailability(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  selection: ListingSelection,
): Promise<LoadedAvailability[]> {
  const ids = 'listing_ids' in selection ? selection.listing_ids : null
  const connectionId = 'connection_id' in selection ? selection.connection_id : null
  const rows = await q.query<LoadedRow>(LOAD, [ids, connectionId])
  return rows.map(({ listing_id, connection_id, components, unseen }) => {
    const rules = rulesOf(policyOf(ctx, connection_id))
    return { listing_id, connection_id, input: { components, unseen, rules } }
  })
}

/** What is due on the channel for each listing now, with the terms that explain it. */
export async function computeAvailability(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  selection: ListingSelection,
): Promise<ListingAvailability[]> {
  const loaded = await loadAvailability(q, ctx, selection)
  return loaded.map(({ listing_id, connection_id, input }) => ({
    listing_id,
    connection_id,
    ...explainAvailability(input),
  }))
}

/** The policy of a connection, or `not_found`: rows of a connection that left the configuration are not computed by guesswork. */
export function policyOf(ctx: Pick<CoreContext, 'policies'>, connection_id: string): ConnectionPolicy {
  const policy = ctx.policies.get(connection_id)
  if (policy === undefined) throw new HubError('not_found', `connection ${connection_id} is not in the configuration`)
  return policy
}

function rulesOf(policy: ConnectionPolicy): AvailabilityRules {
  const { share_percent, buffer, cap } = policy.availability
  return { share_percent, buffer, cap }
}
