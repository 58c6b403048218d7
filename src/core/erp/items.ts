import type { Queryable, Tx } from '../../db/pool.ts'
import { closeCases, openCases } from '../cases/cases.ts'
import type { CoreContext, FactOutcome, InboundFact } from '../context.ts'
import { awaitedListings, itemWakeKey, syncKits, unlinkedListings } from '../inventory/catalog.ts'
import { markDirty } from '../inventory/ledger.ts'
import { linkListings } from '../inventory/listings.ts'
import { unknownSku } from '../inventory/places.ts'
import { wakeParked } from '../inventory/wake.ts'
import type { Item } from '../model/item.ts'
import { erpThatIs } from './policy.ts'

/** What is known of the SKUs that some items and their kits name. */
interface Known {
  /** By SKU. */
  items: ReadonlyMap<string, { id: number; source: 'config' | 'erp'; is_kit: boolean; is_part: boolean }>
}

type Verdict =
  | { kind: 'take' }
  | { kind: 'configured' }
  | { kind: 'nested' }
  | { kind: 'unknown'; sku: string; index: number }

/**
 * Products as an ERP keeps them, into the catalogue of its company. What the configuration says of a SKU wins. A kit of kits is refused
 * with a case and keeps what it was made of before; one with a part that nobody knows waits for the part.
 */
export async function applyItems(tx: Tx, ctx: CoreContext, facts: readonly InboundFact[]): Promise<FactOutcome[]> {
  const outcomes: FactOutcome[] = facts.map(() => ({ kind: 'ignored', reason: 'not_ours' }))
  const own = facts.flatMap(({ connection_id, fact }, index) => {
    const erp = erpThatIs(ctx, connection_id)
    return erp?.products_in === true && fact.kind === 'item' ? [{ index, erp, item: fact.document }] : []
  })
  for (const [erp, rows] of Map.groupBy(own, (row) => row.erp)) {
    const { company_id, connection_id } = erp
    // The last word about a SKU counts; plain items come first, because kits name them.
    const newest = new Map(rows.map((row) => [row.item.sku, row]))
    for (const { index, item } of rows) if (newest.get(item.sku)?.index !== index) outcomes[index] = { kind: 'ignored', reason: 'superseded' } // prettier-ignore
    const plainFirst = [...newest.values()].sort((a, b) => Number(a.item.kit !== null) - Number(b.item.kit !== null))
    await putItems(tx, ctx, { company_id, connection_id }, plainFirst, outcomes)
  }
  return outcomes
}

interface Owner {
  company_id: string
  connection_id: string
}

async function putItems(
  tx: Tx,
  ctx: CoreContext,
  owner: Owner,
  rows: readonly { index: number; item: Item }[],
  outcomes: FactOutcome[],
): Promise<void> {
  const plain = rows.filter(({ item }) => item.kit === null)
  const added = await upsert(tx, owner.company_id, plain.map(({ item }) => item)) // prettier-ignore
  const known = await lookUp(tx, owner.company_id, rows.flatMap(({ item }) => [item.sku, ...(item.kit ?? []).map(({ sku }) => sku)])) // prettier-ignore
  const kits = rows.filter(({ item }) => item.kit !== null)
  const newKits = new Set(kits.map(({ item }) => item.sku))
  const judged = [...plain, ...kits].map((row) => ({ ...row, verdict: judge(row.item, known, newKits) }))
  const taken = judged.filter(({ verdict }) => verdict.kind === 'take').map(({ item }) => item)
  const nested = judged.filter(({ verdict }) => verdict.kind === 'nested').map(({ item }) => item)
  const addedKits = await upsert(tx, owner.company_id, [...taken, ...nested].filter(({ kit }) => kit !== null)) // prettier-ignore
  await putKits(tx, ctx, owner, taken)
  await tellOfNested(tx, ctx, owner, { nested, mended: taken })
  await wake(tx, ctx, owner.company_id, [...added, ...addedKits])
  for (const { index, item, verdict } of judged) outcomes[index] = outcomeOf(owner.company_id, item, verdict)
}

/** Pure: what becomes of one item. A kit whose part is a kit itself would make one unit's availability hang on a tree. */
function judge({ sku, kit }: Item, { items }: Known, newKits: ReadonlySet<string>): Verdict {
  const self = items.get(sku)
  if (self?.source === 'config') return { kind: 'configured' }
  if (kit === null) return { kind: 'take' }
  const index = kit.findIndex((part) => !items.has(part.sku) && !newKits.has(part.sku))
  const unknown = kit[index]
  if (unknown !== undefined) return { kind: 'unknown', sku: unknown.sku, index }
  const isNested = kit.some((part) => part.sku === sku || newKits.has(part.sku) || items.get(part.sku)?.is_kit === true)
  return isNested || self?.is_part === true ? { kind: 'nested' } : { kind: 'take' }
}

function outcomeOf(company_id: string, { sku }: Item, verdict: Verdict): FactOutcome {
  switch (verdict.kind) {
    case 'take':
      return { kind: 'applied', summary: `item ${sku}` }
    case 'configured':
      return { kind: 'applied', summary: `item ${sku}: the configuration says what it is` }
    case 'nested':
      return { kind: 'applied', summary: `item ${sku}, its kit refused: a kit cannot be made of kits` }
    case 'unknown':
      return { kind: 'parked', error: unknownSku(company_id, verdict.sku, `$.kit[${verdict.index}].sku`) }
  }
}

async function lookUp(q: Queryable, company_id: string, skus: readonly string[]): Promise<Known> {
  const rows = await q.query<{ sku: string; id: number; source: 'config' | 'erp'; is_kit: boolean; is_part: boolean }>(
    `select i.sku, i.id, i.source, exists (select 1 from kit_components k where k.kit_item_id = i.id) as is_kit,
       exists (select 1 from kit_components k where k.component_item_id = i.id) as is_part
     from items i where i.company_id = $1 and i.sku = any($2::text[])`,
    [company_id, [...new Set(skus)]],
  )
  return { items: new Map(rows.map(({ sku, ...row }) => [sku, row])) }
}

/** Returns the items that are new. */
async function upsert(
  tx: Tx,
  company_id: string,
  items: readonly Item[],
): Promise<{ company_id: string; sku: string }[]> {
  if (items.length === 0) return []
  const put = await tx.query<{ company_id: string; sku: string; added: boolean }>(
    `insert into items as i (company_id, sku, name, barcode, weight_g, active, source)
     select $1, w.sku, w.name, w.barcode, w.weight_g, w.active, 'erp'
     from jsonb_to_recordset($2::jsonb) as w(sku text, name text, barcode text, weight_g int, active boolean) order by w.sku
     on conflict (company_id, sku) do update
     set name = excluded.name, barcode = excluded.barcode, weight_g = excluded.weight_g, active = excluded.active
     where i.source = 'erp'
       and (i.name, i.barcode, i.weight_g, i.active) is distinct from (excluded.name, excluded.barcode, excluded.weight_g, excluded.active)
     returning company_id, sku, xmax = 0 as added`,
    [company_id, JSON.stringify(items)],
  )
  return put.filter(({ added }) => added)
}

/** What the kits are made of now; an item that is no kit any more has its own stock. */
async function putKits(tx: Tx, ctx: CoreContext, { company_id }: Owner, items: readonly Item[]): Promise<void> {
  const kits = items.flatMap(({ sku, kit }) => (kit === null ? [] : [{ company_id, sku, components: kit }]))
  const gone = await tx.query<{ id: number }>(
    `delete from kit_components k using items i
     where i.id = k.kit_item_id and i.company_id = $1 and i.source = 'erp' and i.sku = any($2::text[]) returning i.id`,
    [company_id, items.filter(({ kit }) => kit === null).map(({ sku }) => sku)],
  )
  const changed = kits.length === 0 ? [] : await syncKits(tx, { kits })
  const dirty = [...new Set([...gone.map(({ id }) => id), ...changed])]
  if (dirty.length > 0) await markDirty(tx, dirty, ctx.now)
}

async function tellOfNested(
  tx: Tx,
  ctx: CoreContext,
  { company_id, connection_id }: Owner,
  { nested, mended }: { nested: readonly Item[]; mended: readonly Item[] },
): Promise<void> {
  const kind = 'kit_refused' as const
  const cases = nested.map(({ sku, kit }) => ({
    company_id,
    kind,
    subject: `item:${company_id}:${sku}`,
    connection_id,
    data: { sku, parts: (kit ?? []).map((part) => part.sku) },
  }))
  await openCases(tx, cases, ctx.now)
  await closeCases(tx, { kind, subjects: mended.map(({ sku }) => `item:${company_id}:${sku}`) }, 'hub', ctx.now)
}

/** What waited for these items: listings of the same SKU, orders, counts, kits. */
async function wake(
  tx: Tx,
  ctx: CoreContext,
  company_id: string,
  added: readonly { company_id: string; sku: string }[],
): Promise<void> {
  if (added.length === 0) return
  await linkListings(tx, ctx, await unlinkedListings(tx, added))
  const keys = [...added.map(({ sku }) => itemWakeKey(company_id, sku)), ...(await awaitedListings(tx, added))]
  await wakeParked(tx, keys, ctx.now)
}
