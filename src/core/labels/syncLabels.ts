import type { Tx } from '../../db/pool.ts'
import type { LabelChoices } from '../model/label.ts'

/** What the configuration says about parcels. */
interface LabelCatalog {
  locations: readonly { id: string; labels?: LabelChoices }[]
  items: readonly { company: string; sku: string; weight_g?: number; size_mm?: readonly number[] }[]
}

/** Brings how places come by labels, and what items weigh and measure, in line with the configuration. After `syncCatalog`, in its transaction. */
export async function syncLabels(tx: Tx, { locations, items }: LabelCatalog): Promise<void> {
  await tx.query(
    `update locations l set labels = w.labels
     from jsonb_to_recordset($1::jsonb) as w(id text, labels jsonb)
     where l.id = w.id and l.labels is distinct from w.labels`,
    [JSON.stringify(locations.map(({ id, labels }) => ({ id, labels })))],
  )
  const measured = items.filter(({ weight_g, size_mm }) => weight_g !== undefined || size_mm !== undefined)
  // Only items that say something, or have said it, are looked at.
  await tx.query(
    `with wanted as (
       select company, sku, weight_g, case when size_mm is not null then array(select jsonb_array_elements_text(size_mm)::int) end as size_mm
       from jsonb_to_recordset($1::jsonb) as w(company text, sku text, weight_g int, size_mm jsonb)
     )
     update items i set weight_g = n.weight_g, size_mm = n.size_mm
     from (select company, sku, weight_g, size_mm from wanted
           union all
           select t.company_id, t.sku, null, null from items t where (t.weight_g is not null or t.size_mm is not null)
             and not exists (select 1 from wanted w where w.company = t.company_id and w.sku = t.sku)) n
     where i.company_id = n.company and i.sku = n.sku and (i.weight_g, i.size_mm) is distinct from (n.weight_g, n.size_mm)`,
    [JSON.stringify(measured.map(({ company, sku, weight_g, size_mm }) => ({ company, sku, weight_g, size_mm })))],
  )
}
