import type { PrivacyRequest } from '../../core/model/fact.ts'
import type { Stream } from '../../core/model/fact.ts'
import { HubError } from '../../core/errors.ts'
import Type from 'typebox'
import { defineMapping, fromTable, instantOf } from '../define.ts'
import { clip, minor, moneyStatus, paymentIds } from './order.ts'
import { Deleted, InventoryLevel, OrderEdited, PrivacyMessage, RestFulfillment, RestTransaction } from './payloads.ts'

const PAYMENT_KIND: Readonly<Record<string, 'authorization' | 'capture' | null>> = {
  authorization: 'authorization',
  sale: 'capture',
  capture: 'capture',
  // Told by refunds/create, or by the order's payment state.
  refund: null,
  void: null,
  change: null,
}

/** `orders/delete` carries the id alone, so the moment of the message is its only version. */
export const cancellation = defineMapping({
  from: Deleted,
  map: ({ id }, { observed_at }) => [
    {
      kind: 'cancellation',
      document: { external_id: String(id), version: { updated_at: observed_at, observed_at }, reason: 'deleted' },
    },
  ],
})

/** `order_transactions/create`: order webhooks do not name the gateway's ids, this one does. */
export const payment = defineMapping({
  from: RestTransaction,
  map: (transaction, context) => {
    const kind = fromTable(PAYMENT_KIND, transaction.kind, null, context, 'transaction kind')
    const currency =
      transaction.amount_set?.shop_money.currency_code ?? transaction.currency ?? context.settings['currency']
    if (kind === null) return []
    if (typeof currency !== 'string')
      throw new HubError('payload_invalid', 'the transaction names no currency', { path: '$.currency' })
    const references = {
      order_external_id: clip(transaction.order_id),
      order_number: null,
      payment_ids: paymentIds([transaction]),
    }
    const at = instantOf(transaction.processed_at ?? transaction.created_at ?? context.observed_at, '$.processed_at')
    const [status, amount_minor] = [moneyStatus(transaction.status, context), minor(transaction, 'amount', currency)]
    return [
      {
        kind: 'payment',
        document: { external_id: String(transaction.id), kind, status, at, currency, amount_minor, references },
      },
    ]
  },
})

/** What Shopify shows at a location. It names the inventory item, not the SKU, so that is what the count is keyed by. */
export const stock = defineMapping({
  from: InventoryLevel,
  map: (level, context) => {
    if ((level.available ?? 0) < 0) context.warn('oversold at the channel: a negative count is taken as 0')
    const sku = String(level.inventory_item_id)
    const line = { sku, on_hand: Math.max(0, level.available ?? 0), damaged: 0, quality_control: 0 }
    const as_of = instantOf(level.updated_at, '$.updated_at')
    const document = { external_id: `${sku}:${as_of}`, location_code: String(level.location_id), as_of, lines: [line] }
    return [{ kind: 'stock_count', document }]
  },
})

/** A fulfillment that somebody booked in Shopify; lines without a SKU are named by their line id. */
export const shipment = defineMapping({
  from: RestFulfillment,
  map: (fulfillment, context) => [
    {
      kind: 'shipment',
      document: {
        external_id: String(fulfillment.id),
        fulfillment_order: String(fulfillment.order_id ?? fulfillment.id),
        shipped_at: instantOf(fulfillment.created_at ?? context.observed_at, '$.created_at'),
        carrier: clip(fulfillment.tracking_company, 100),
        tracking_number: clip(fulfillment.tracking_number, 100),
        tracking_url: clip(fulfillment.tracking_url, 500),
        lines: (fulfillment.line_items ?? []).map(({ id, sku, quantity }) => ({
          sku: clip(sku) ?? `line-${id}`,
          quantity,
          line_reference: String(id),
          lot: null,
        })),
      },
    },
  ],
})

/** The three compliance topics; each is a document of its own, because a person may ask more than once. */
export const privacy = (action: PrivacyRequest['action']) =>
  defineMapping({
    from: PrivacyMessage,
    map: (message, { observed_at }) => {
      const subject = message.data_request?.id ?? message.customer?.id ?? message.shop_id
      const document = {
        external_id: `${action}:${subject}:${observed_at}`,
        action,
        buyer_external_id: clip(message.customer?.id),
        buyer_email: clip(message.customer?.email, 320),
        order_external_ids: (message.orders_requested ?? message.orders_to_redact ?? []).map(String),
      }
      return [{ kind: 'privacy', document }]
    },
  })

/** `orders/edited` carries the difference only, so the order is fetched. */
export const orderEdited = defineMapping({
  from: OrderEdited,
  map: ({ order_edit }) => [{ kind: 'signal', document: { stream: 'orders', reference: String(order_edit.order_id) } }],
})

/** Something changed whose details are better pulled than guessed. */
export const moved = (stream: Stream) =>
  defineMapping({ from: Type.Object({}), map: () => [{ kind: 'signal', document: { stream, reference: null } }] })
