import { HubError } from '../../core/errors.ts'
import type { Fact } from '../../core/model/fact.ts'
import { minorFromDecimal } from '../../core/model/money.ts'
import type { Refund } from '../../core/model/payment.ts'
import { defineMapping, instantOf, type MappingContext } from '../define.ts'
import { WooRefund } from './payloads.ts'

interface RefundedOrder {
  /** JSON path of the refund, for faults. */
  path: string
  currency: string
  order_external_id: string | null
  order_number: string | null
  /** When the order was completed, as the shop writes it; null while goods are still to leave. */
  completed_at: string | null
  warn: MappingContext['warn']
}

/** A refund seen alone. Its currency is the order's, which it does not repeat: then the connection's `currency` setting decides. */
export const wooRefund = defineMapping({
  from: WooRefund,
  map: (refund, context): Fact[] => {
    const currency = refund.currency ?? context.settings['currency']
    if (typeof currency !== 'string') {
      throw new HubError('payload_invalid', 'a refund names no currency and the connection has none', {
        path: '$.currency',
      })
    }
    const linked = /\/orders\/(\d+)(?:\/|$)/.exec(refund._links?.up?.[0]?.href ?? '')?.[1]
    const order_external_id = refund.parent_id === undefined ? (linked ?? null) : String(refund.parent_id)
    return [
      {
        kind: 'refund',
        document: refundOf(refund, {
          path: '$',
          currency,
          order_external_id,
          order_number: null,
          completed_at: null,
          warn: context.warn,
        }),
      },
    ]
  },
})

/**
 * Units refunded before the order was completed will not be sent, so they are cancelled; afterwards the goods are with the buyer.
 * A refund of money alone has lines of quantity 0 or no lines. (Whether the shop put units back on its own shelf is not asked:
 * the shop keeps that per order line, not per refund, and the hub's number replaces the shelf's anyway.)
 */
export function refundOf(refund: WooRefund, order: RefundedOrder): Refund {
  const { path, currency } = order
  const at = instantOf(refund.date_created_gmt, `${path}.date_created_gmt`)
  const sent = order.completed_at !== null && instantOf(order.completed_at, '$.date_completed_gmt') <= at
  const reason = (refund.reason ?? '').trim().slice(0, 200)
  return {
    external_id: String(refund.id),
    status: 'succeeded',
    at,
    currency,
    amount_minor: Math.abs(minorFromDecimal(refund.amount, currency, `${path}.amount`)),
    reason: reason === '' ? null : reason,
    lines: refund.line_items.flatMap((line, index) => {
      const original = line.meta_data?.find(({ key }) => key === '_refunded_item_id')?.value
      if (typeof original !== 'string' && typeof original !== 'number') {
        if (line.quantity !== 0) order.warn(`refund ${refund.id}: line ${line.id} does not say which units it refunds`)
        return []
      }
      const linePath = `${path}.line_items[${index}]`
      const tax_minor = Math.abs(minorFromDecimal(line.total_tax, currency, `${linePath}.total_tax`))
      return [
        {
          line_external_id: String(original),
          quantity: Math.abs(line.quantity),
          restock: line.quantity === 0 || sent ? ('none' as const) : ('cancel' as const),
          amount_minor: Math.abs(minorFromDecimal(line.total, currency, `${linePath}.total`)) + tax_minor,
          tax_minor,
        },
      ]
    }),
    references: { order_external_id: order.order_external_id, order_number: order.order_number, payment_ids: [] },
  }
}
