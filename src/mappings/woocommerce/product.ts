import type { Fact } from '../../core/model/fact.ts'
import { defineMapping, type MappingContext } from '../define.ts'
import { WooProduct } from './payloads.ts'

const PARENT_TYPES = new Set(['variable', 'variable-subscription'])
const UNSTOCKED_TYPES = new Set(['grouped', 'external', 'bundle', 'composite'])

/**
 * The name by which a thing for sale is known here: its SKU, or where the merchant left that empty a name made of the shop's own
 * id, so that orders and listings of it still meet.
 */
export function channelSku(sku: string | null | undefined, product_id: number, variation_id: number): string {
  const named = (sku ?? '').trim().slice(0, 200)
  if (named !== '') return named
  return variation_id > 0 ? `variation:${variation_id}` : `product:${product_id}`
}

/**
 * One product or variation as a listing. A product with variations sells nothing itself: seen alone (by webhook) it asks for the
 * listings pull, which reads its variations.
 */
export const wooProduct = defineMapping({
  from: WooProduct,
  map: (product, context): Fact[] => {
    // Older shops give a variation no type; only those have a parent without being called something else.
    const type = product.type ?? ((product.parent_id ?? 0) > 0 ? 'variation' : 'simple')
    if (PARENT_TYPES.has(type))
      return [{ kind: 'signal', document: { stream: 'listings', reference: String(product.id) } }]
    if (UNSTOCKED_TYPES.has(type)) return []
    const parent = type === 'variation' ? (product.parent_id ?? 0) : 0
    const ids: Record<string, string> =
      parent === 0
        ? { product_id: String(product.id) }
        : { product_id: String(parent), variation_id: String(product.id) }
    return [
      {
        kind: 'listing',
        document: {
          channel_sku:
            parent === 0 ? channelSku(product.sku, product.id, 0) : channelSku(product.sku, parent, product.id),
          title: (product.name ?? '').trim().slice(0, 500) || null,
          external: ids,
          quantity: shownQuantity(product, context),
        },
      },
    ]
  },
})

/** Null where the shop does not count this product. A negative count is an open backorder: it shows nothing to sell. */
function shownQuantity(product: WooProduct, context: MappingContext): number | null {
  const quantity = product.stock_quantity ?? null
  if (product.manage_stock !== true || quantity === null) return null
  if (Number.isInteger(quantity)) return Math.max(0, quantity)
  context.warn('stock_quantity is not a whole number, so it is not taken')
  return null
}
