import { plainRows } from '../../db/page.ts'
import type { Queryable } from '../../db/pool.ts'
import type { CoreContext } from '../context.ts'
import { computeAvailability, type ListingAvailability } from './load.ts'
import { lastPublications, type PublicationRow } from './publications.ts'
import { explainRules } from './rulesListing.ts'
import type { StockRule } from './rulesStock.ts'
import { RULE_COLUMNS } from './stockRules.ts'

interface ListingFacts {
  id: number
  connection_id: string
  channel_sku: string
  title: string | null
  proven_quantity: number | null
  proven_at: string | null
  state: string | null
}

/** Where one of a listing's rules comes from, and who set it when. */
export interface ExplainedRule {
  field: string
  value: number | string | null
  sku: string
  location_id: string | null
  /** `connection`: the connection's own choice in the configuration; else where the stock rule was made. */
  source: string
  /** What the stock rule names; null where it names nothing, and for the connection's own choices. */
  rule: { connection_id: string | null; sku: string | null; location_id: string | null } | null
  changed_by: string | null
  changed_at: string | null
}

/** What a listing shows on the channel, what it should show, the sum that says why, and what it was told before. */
export type ExplainedListing = ListingFacts & {
  due_quantity: number | null
  terms: ListingAvailability['terms']
  rules: ExplainedRule[]
  publications: PublicationRow[]
}

const LISTINGS_MAX = 200
const PUBLICATIONS_SHOWN = 5

/** Listings that take one of the items themselves, or a kit that it is part of. */
export async function explainListings(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  itemIds: readonly number[],
): Promise<ExplainedListing[]> {
  const rows = await q.query(
    `select l.id, l.connection_id, l.channel_sku, l.title, a.proven_quantity, a.proven_at, a.state
     from listings l left join availability a on a.listing_id = l.id
     where l.id in (
       select li.listing_id from listing_items li where li.item_id = any($1::bigint[])
       union select li.listing_id from listing_items li join kit_components k on k.kit_item_id = li.item_id
       where k.component_item_id = any($1::bigint[]))
     order by l.id limit ${LISTINGS_MAX}`,
    [itemIds],
  )
  const facts = plainRows<ListingFacts>(rows)
  const ids = facts.map((row) => row.id)
  // A connection that left the configuration has no rules to compute by; its listings are shown without a number.
  const known = facts.filter((row) => ctx.policies.has(row.connection_id)).map((row) => row.id)
  const computed = new Map(
    (await computeAvailability(q, ctx, { listing_ids: known })).map((entry) => [entry.listing_id, entry]),
  )
  const published = await lastPublications(q, ids, PUBLICATIONS_SHOWN)
  const rules = await rulesOfListings(q, ctx, known)
  return facts.map((row) => {
    const entry = computed.get(row.id)
    return {
      ...row,
      due_quantity: entry?.quantity ?? null,
      terms: entry?.terms ?? [],
      rules: rules.get(row.id) ?? [],
      publications: published.get(row.id) ?? [],
    }
  })
}

interface NamedRule extends StockRule {
  sku: string | null
  source: string
  changed_by: string
  changed_at: string
}

interface RuledItem {
  listing_id: number
  connection_id: string
  company_id: string
  item_id: number
  sku: string
}

/** By the items that a listing names, and the components that stock is taken of. */
async function rulesOfListings(
  q: Queryable,
  ctx: Pick<CoreContext, 'policies'>,
  listing_ids: readonly number[],
): Promise<Map<number, ExplainedRule[]>> {
  const items = await q.query<RuledItem>(
    `select t.listing_id, l.connection_id, i.company_id, t.item_id, i.sku
     from (
       select listing_id, item_id from listing_items where listing_id = any($1::bigint[])
       union
       select li.listing_id, k.component_item_id from listing_items li join kit_components k on k.kit_item_id = li.item_id
       where li.listing_id = any($1::bigint[])) t
     join listings l on l.id = t.listing_id join items i on i.id = t.item_id order by t.listing_id, i.sku`,
    [listing_ids],
  )
  const found = await q.query(
    `select ${RULE_COLUMNS}, i.sku, r.source, r.changed_by, r.changed_at
     from stock_rules r left join items i on i.id = r.item_id
     where r.company_id = any($1::text[]) and (r.item_id is null or r.item_id = any($2::bigint[])) order by r.id`,
    [[...new Set(items.map((item) => item.company_id))], [...new Set(items.map((item) => item.item_id))]],
  )
  const rules = plainRows<NamedRule>(found)
  const explained = items.flatMap((item) => {
    const policy = ctx.policies.get(item.connection_id)
    if (policy === undefined) return []
    return explainRules(rules, item, policy.serves_from, policy).map((origin) => ({
      listing_id: item.listing_id,
      rule: explainedRule(item.sku, origin),
    }))
  })
  const byListing = Map.groupBy(explained, (entry) => entry.listing_id)
  return new Map([...byListing].map(([id, entries]) => [id, entries.map((entry) => entry.rule)]))
}

function explainedRule(sku: string, origin: ReturnType<typeof explainRules<NamedRule>>[number]): ExplainedRule {
  const { field, value, location_id, rule } = origin
  const named =
    rule === null ? null : { connection_id: rule.connection_id, sku: rule.sku, location_id: rule.location_id }
  return {
    field,
    value,
    sku,
    location_id,
    source: rule?.source ?? 'connection',
    rule: named,
    changed_by: rule?.changed_by ?? null,
    changed_at: rule?.changed_at ?? null,
  }
}
