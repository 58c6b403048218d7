import type { Tx } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import type { LocationServices } from '../model/location.ts'
import type { RoutingRules } from '../model/routing.ts'
import { syncRules } from './versions.ts'

/** What the configuration says about routing. */
interface RoutingCatalog {
  routing: readonly { company: string; rules: RoutingRules }[]
  locations: readonly { id: string; services?: LocationServices }[]
  items: readonly { company: string; sku: string; routing_tags?: readonly string[] }[]
  postcode_areas: readonly { country: string; prefix: string; latitude: number; longitude: number }[]
}

/** Brings rules, what places can do, the items' routing tags and postcode areas in line with the configuration. After `syncCatalog`, in its transaction. */
export async function syncRouting(tx: Tx, ctx: CoreContext, catalog: RoutingCatalog): Promise<void> {
  await syncServices(tx, catalog)
  await syncTags(tx, catalog)
  await syncAreas(tx, catalog)
  await syncRules(tx, ctx, catalog.routing)
}

/** What a place can do stands beside it in the configuration. */
async function syncServices(tx: Tx, { locations }: RoutingCatalog): Promise<void> {
  await tx.query(
    `update locations l set services = coalesce(w.services, '{}')
     from jsonb_to_recordset($1::jsonb) as w(id text, services jsonb)
     where l.id = w.id and l.services <> coalesce(w.services, '{}')`,
    [JSON.stringify(locations.map(({ id, services }) => ({ id, services })))],
  )
}

/** Few items have tags, so only those that have or had some are looked at. */
async function syncTags(tx: Tx, { items }: RoutingCatalog): Promise<void> {
  const tagged = items.flatMap(({ company, sku, routing_tags = [] }) =>
    routing_tags.length === 0 ? [] : [{ company, sku, tags: routing_tags }],
  )
  await tx.query(
    `with wanted as (select * from jsonb_to_recordset($1::jsonb) as w(company text, sku text, tags jsonb)), listed as (
       select company, sku, array(select jsonb_array_elements_text(tags)) as tags from wanted)
     update items i set routing_tags = n.tags
     from (select company, sku, tags from listed
           union all
           select t.company_id, t.sku, '{}' from items t where t.routing_tags <> '{}'
             and not exists (select 1 from listed l where l.company = t.company_id and l.sku = t.sku)) n
     where i.company_id = n.company and i.sku = n.sku and i.routing_tags <> n.tags`,
    [JSON.stringify(tagged)],
  )
}

async function syncAreas(tx: Tx, { postcode_areas }: RoutingCatalog): Promise<void> {
  await tx.query(
    `with wanted as (
       select * from jsonb_to_recordset($1::jsonb) as w(country text, prefix text, latitude double precision, longitude double precision)
     ), gone as (
       delete from postcode_areas a where not exists (select 1 from wanted w where w.country = a.country and w.prefix = a.prefix)
     )
     insert into postcode_areas as a (country, prefix, latitude, longitude) select * from wanted
     on conflict (country, prefix) do update set latitude = excluded.latitude, longitude = excluded.longitude
     where (a.latitude, a.longitude) <> (excluded.latitude, excluded.longitude)`,
    [JSON.stringify(postcode_areas)],
  )
}
