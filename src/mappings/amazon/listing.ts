import { defineMapping } from '../define.ts'
import { AmazonListing } from './payloads.ts'

/** The channel of goods that the merchant ships; any other (`AMAZON_EU`, `AMAZON_NA` …) is one of Amazon's own warehouses. */
export const MERCHANT_CHANNEL = 'DEFAULT'

/**
 * One of our offers. A listing that only Amazon ships from its own shelves is none of ours to count, and telling it a quantity would
 * turn it into one that we ship: it is left out, so that nothing is ever pushed for it.
 */
export const amazonListing = defineMapping({
  from: AmazonListing,
  map: ({ sku, summaries, fulfillmentAvailability }) => {
    const channels = fulfillmentAvailability ?? []
    const own = channels.find(({ fulfillmentChannelCode }) => fulfillmentChannelCode === MERCHANT_CHANNEL)
    if (own === undefined && channels.length > 0) return []
    const summary = summaries?.find(({ productType }) => typeof productType === 'string')
    const external = {
      ...(summary?.asin ? { asin: summary.asin.slice(0, 200) } : {}),
      ...(summary?.productType ? { product_type: summary.productType.slice(0, 200) } : {}),
    }
    const quantity = own?.quantity
    return [
      {
        kind: 'listing',
        document: {
          channel_sku: sku.slice(0, 200),
          title: summary?.itemName?.trim().slice(0, 500) || null,
          external,
          quantity: typeof quantity === 'number' ? Math.max(0, quantity) : null,
        },
      },
    ]
  },
})
