import Type from 'typebox'
import type { OdooKit } from '../../mappings/odoo/payloads.ts'
import { decimalOf } from './amounts.ts'
import { asHubError } from '../../core/errors.ts'
import type { Odoo } from './client.ts'
import { readByIds, rows, search } from './records.ts'
import { idOf, Ids, Maybe, Ref, Text, textOf } from './values.ts'

const BOM = rows('mrp.bom', {
  product_tmpl_id: Ref,
  product_id: Ref,
  product_qty: Type.Number(),
  bom_line_ids: Ids,
  sequence: Maybe,
  write_date: Type.String(),
})
const LINE = rows('mrp.bom.line', {
  product_id: Ref,
  product_qty: Type.Number(),
  product_uom_id: Ref,
  bom_product_template_attribute_value_ids: Maybe,
  write_date: Type.String(),
})
const COMPONENT = rows('product.product', { default_code: Text, uom_id: Ref, product_tmpl_id: Ref })

interface Wanted {
  id: number
  template: number
}

/** Kits (bills of materials of type phantom) by product. The one of the variant goes before the one of the template, then Odoo's order. */
export async function readKits(odoo: Odoo, products: readonly Wanted[]): Promise<Map<number, OdooKit>> {
  const kits = new Map<number, OdooKit>()
  const templates = products.map(({ template }) => template)
  if (!(await hasKits(odoo))) return kits
  const boms = await phantoms(odoo, templates)
  const lines = new Map((await readByIds(odoo, LINE, boms.flatMap(({ bom_line_ids }) => bom_line_ids))).map((line) => [line.id, line])) // prettier-ignore
  const parts = [...new Set([...lines.values()].flatMap(({ product_id }) => idOf(product_id) ?? []))]
  const components = new Map((await readByIds(odoo, COMPONENT, parts)).map((component) => [component.id, component]))
  const nested = new Set(
    (
      await phantoms(
        odoo,
        [...components.values()].flatMap(({ product_tmpl_id }) => idOf(product_tmpl_id) ?? []),
      )
    ) // prettier-ignore
      .flatMap(({ product_tmpl_id }) => idOf(product_tmpl_id) ?? []),
  )
  for (const { id, template } of products) {
    const own = boms.find(({ product_id }) => idOf(product_id) === id)
    const bom = own ?? boms.find((other) => other.product_id === false && idOf(other.product_tmpl_id) === template)
    if (bom === undefined) continue
    const rowsOf = bom.bom_line_ids.flatMap((line) => lines.get(line) ?? [])
    kits.set(id, {
      quantity: decimalOf(bom.product_qty),
      changed: [bom.write_date, ...rowsOf.map(({ write_date }) => write_date)].toSorted().at(-1) ?? '',
      lines: rowsOf.map((line) => {
        const component = components.get(idOf(line.product_id) ?? 0)
        return {
          sku: component === undefined ? null : textOf(component.default_code),
          quantity: decimalOf(line.product_qty),
          own_unit: component !== undefined && idOf(component.uom_id) === idOf(line.product_uom_id),
          is_kit: component !== undefined && nested.has(idOf(component.product_tmpl_id) ?? 0),
          for_some: isOfSome(line.bom_product_template_attribute_value_ids),
        }
      }),
    })
  }
  return kits
}

const isOfSome = (values: unknown): boolean => Array.isArray(values) && values.length > 0

async function phantoms(odoo: Odoo, templates: readonly number[]) {
  const domain = [['type', '=', 'phantom'], ['product_tmpl_id', 'in', [...new Set(templates)]]] // prettier-ignore
  const place = ({ sequence }: { sequence?: unknown }): number => (typeof sequence === 'number' ? sequence : 0)
  return (await search(odoo, BOM, domain, { order: 'id' })).toSorted((a, b) => place(a) - place(b) || a.id - b.id)
}

/** Without the manufacturing app there are no kits, which is not a fault. */
async function hasKits(odoo: Odoo): Promise<boolean> {
  try {
    return (await odoo.names('mrp.bom', ['bom_line_ids']))['bom_line_ids'] !== null
  } catch (thrown) {
    const { code } = asHubError(thrown)
    if (code === 'vendor_rejected' || code === 'vendor_not_found') return false
    throw thrown
  }
}
