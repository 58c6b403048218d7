import { HubError } from '../../core/errors.ts'
import { defineMapping } from '../define.ts'
import { wholeOf } from './numbers.ts'
import { OdooStockPayload } from './payloads.ts'

/** On-hand of one warehouse. Odoo lets stock go below nought when more is shipped than it knew of; on a shelf there is nothing then. */
export const odooStock = defineMapping({
  from: OdooStockPayload,
  map: ({ warehouse, as_of, lines }, context) => {
    const counted = lines.map(({ sku, quantity }, at) => {
      const on_hand = wholeOf(quantity)
      if (on_hand === null)
        throw new HubError('payload_invalid', `${sku} has a part of a unit on hand`, {
          path: `$.lines[${at}].quantity`,
        })
      if (on_hand < 0) context.warn(`${sku} is ${on_hand} in ${warehouse}, taken as 0`)
      return { sku, on_hand: Math.max(0, on_hand), damaged: 0, quality_control: 0 }
    })
    if (counted.length === 0) return []
    const external_id = `${warehouse}:${as_of}:${lines[0]?.product ?? 0}`
    return [{ kind: 'stock_count', document: { external_id, location_code: warehouse, as_of, lines: counted } }]
  },
})
