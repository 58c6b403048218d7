/** The merchant of the bench: one storefront that sells, a second one that has to hear of it, one warehouse run by a 3PL. */
export const STORE = 'store'
export const OUTLET = 'outlet'
export const WAREHOUSE = 'warehouse'
export const COMPANY = 'bench'
export const LOCATION = 'main'
export const CURRENCY = 'EUR'
export const SHOP = 'bench.myshopify.com'
export const WEBHOOK_SECRET = 'bench-webhook-secret'
export const SKUS = 10_000
/** Enough that nothing sells out while rates are measured; what happens at the last unit is tried by `reserve`. */
export const STOCK_OF_EACH = 1_000_000
/** A small order of a real shop; longer ones are not cut. */
export const BODY_BYTES = 2_800

/** By rank: the best seller is 0. */
export const skuOf = (rank: number): string => `SKU-${String(rank).padStart(6, '0')}`
export const inventoryItemOf = (sku: string): string => `gid://shopify/InventoryItem/${Number(sku.slice(4)) + 1}`
