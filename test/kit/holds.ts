import type { HoldRequest } from '../../src/core/holds/wishes.ts'

let keys = 0

/** A wish of the channel `shop` for some minutes, under a key of its own. */
export const wish = (
  lines: Record<string, number> | [string, number][],
  change: Partial<HoldRequest> = {},
): HoldRequest => ({
  connection_id: 'shop',
  key: `cart-${(keys += 1)}`,
  api_key: null,
  shortfall: 'all_or_nothing',
  minutes: 10,
  order_external_id: null,
  lines: (Array.isArray(lines) ? lines : Object.entries(lines)).map(([channel_sku, quantity]) => ({
    channel_sku,
    quantity,
  })),
  ...change,
})
