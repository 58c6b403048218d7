import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import type { Odoo } from './client.ts'
import { externalId, findOurs, load, readOne, rows, search } from './records.ts'
import { converge } from './steps.ts'
import { idOf, Ref, Text, textOf } from './values.ts'

const PRODUCT = rows('product.product', { default_code: Text, uom_id: Ref, tracking: Text, type: Type.String() })

export interface Product {
  id: number
  unit: number | null
  /** Counted by lots or serial numbers. */
  tracked: boolean
  /** Not a service. */
  goods: boolean
}

const productOf = (
  row: Awaited<ReturnType<typeof search<{}>>>[number] & {
    uom_id: Parameters<typeof idOf>[0]
    tracking: Parameters<typeof textOf>[0]
    type: string
  },
): Product => ({
  id: row.id,
  unit: idOf(row.uom_id),
  tracked: !['none', null].includes(textOf(row.tracking)),
  goods: row.type !== 'service',
})

/** Products by SKU. Odoo allows the same SKU twice; then nobody can say which one is meant, and nothing is written. */
export const productsBySku = (odoo: Odoo, skus: readonly string[]): Promise<Map<string, Product>> =>
  odoo.keep(`products ${JSON.stringify([...new Set(skus)].toSorted())}`, () => readProducts(odoo, skus))

async function readProducts(odoo: Odoo, skus: readonly string[]): Promise<Map<string, Product>> {
  const { found, missing, doubled } = await lookUp(odoo, skus)
  const [unknown] = missing
  if (unknown !== undefined) throw new HubError('unknown_sku', `Odoo has no product ${unknown}`)
  const [twice] = doubled
  if (twice !== undefined)
    throw new HubError('vendor_conflict', `Odoo has several products ${twice}: a SKU must be unique`)
  return found
}

/** The same, for those who can do a part. */
export async function lookUp(
  odoo: Odoo,
  skus: readonly string[],
): Promise<{ found: Map<string, Product>; missing: string[]; doubled: string[] }> {
  const wanted = [...new Set(skus)]
  const found = new Map<string, Product>()
  const doubled = new Set<string>()
  const read = wanted.length === 0 ? [] : await search(odoo, PRODUCT, [['default_code', 'in', wanted]])
  for (const row of read) {
    const sku = textOf(row.default_code) ?? ''
    if (found.has(sku)) doubled.add(sku)
    found.set(sku, productOf(row))
  }
  for (const sku of doubled) found.delete(sku)
  return { found, missing: wanted.filter((sku) => !found.has(sku) && !doubled.has(sku)), doubled: [...doubled] }
}

const OWN = {
  shipping: { setting: 'shipping_sku', name: 'Shipping' },
  discount: { setting: 'discount_sku', name: 'Discount' },
} as const

/** The product that stands for shipping or discounts: the merchant's, or a service that the hub makes once. */
export const ownProduct = (odoo: Odoo, role: keyof typeof OWN): Promise<Product> =>
  odoo.keep(`product for ${role}`, () => findOwnProduct(odoo, role))

async function findOwnProduct(odoo: Odoo, role: keyof typeof OWN): Promise<Product> {
  const { setting, name } = OWN[role]
  const sku = odoo.settings[setting]
  if (sku !== undefined) {
    const product = (await productsBySku(odoo, [sku])).get(sku)
    if (product !== undefined) return product
  }
  const key = `product:${role}`
  let id: number | null = null
  await converge([
    {
      name: `product for ${role}`,
      done: async () => (id = await findOurs(odoo, 'product.product', key)) !== null,
      act: () =>
        load(odoo, 'product.product', {
          id: externalId(odoo, key),
          name,
          type: 'service',
          invoice_policy: 'order',
          list_price: '0',
          purchase_ok: '0',
          'taxes_id/.id': '',
        }),
    },
  ])
  return productOf(await readOne(odoo, PRODUCT, id ?? 0))
}
