import { decimalFromMinor } from '../../core/model/money.ts'
import { orderTotal, shippedOf, type AccountLine, type AccountOrder } from './account.ts'

export interface Store {
  marketplace_id: string
  currency: string
}

const DAY_MS = 86_400_000
const iso = (ms: number): string => new Date(ms).toISOString()

/** An order as version 2026-01-01 of the Orders API shows it, with the data sets that were asked for. */
export function orderJson(order: AccountOrder, store: Store, included: ReadonlySet<string>): unknown {
  const pending = order.status === 'PENDING'
  // Of a pending order nobody is told who it is for, nor what it will bring.
  const wants = (name: string): boolean =>
    included.has(name) && !(pending && ['BUYER', 'RECIPIENT', 'PROCEEDS'].includes(name))
  const merchant = order.by === 'MERCHANT'
  return {
    orderId: order.id,
    createdTime: iso(order.created_ms),
    lastUpdatedTime: iso(order.updated_ms),
    programs: [],
    salesChannel: { channelName: 'AMAZON', marketplaceId: store.marketplace_id, marketplaceName: 'Amazon.de' },
    ...(wants('BUYER') && merchant ? { buyer: { buyerName: order.buyer.name, buyerEmail: aliasOf(order) } } : {}),
    ...(wants('RECIPIENT') && merchant ? { recipient: { deliveryAddress: addressOf(order) } } : {}),
    ...(wants('PROCEEDS') ? { proceeds: proceedsOf(orderTotal(order), store.currency) } : {}),
    ...(included.has('FULFILLMENT') ? { fulfillment: fulfillmentOf(order) } : {}),
    orderItems: order.lines.map((line) => itemJson(order, line, { store, included, pending })),
    ...(included.has('PACKAGES') && merchant ? { packages: order.packages.map(packageJson) } : {}),
  }
}

const money = (minor: number, currency: string) => ({
  amount: decimalFromMinor(minor, currency),
  currencyCode: currency,
})

const proceedsOf = (minor: number, currency: string) => ({
  grandTotal: money(minor, currency),
  breakdowns: [{ type: 'ITEM', subtotal: money(minor, currency) }],
})

/** The marketplace never hands out a buyer's own address. */
const aliasOf = ({ id }: AccountOrder): string => `${id.replaceAll('-', '')}@marketplace.sandbox.example`

const addressOf = ({ buyer, id }: AccountOrder) => ({
  name: buyer.name,
  addressLine1: `Street ${id.slice(-4)}`,
  city: 'Hamburg',
  postalCode: '20095',
  countryCode: buyer.country,
  addressType: 'RESIDENTIAL',
})

const fulfillmentOf = (order: AccountOrder) => ({
  fulfillmentStatus: order.status,
  fulfilledBy: order.by,
  fulfillmentServiceLevel: 'STANDARD',
  shipByWindow: { earliestDateTime: iso(order.created_ms), latestDateTime: iso(order.created_ms + 2 * DAY_MS) },
  deliverByWindow: {
    earliestDateTime: iso(order.created_ms + DAY_MS),
    latestDateTime: iso(order.created_ms + 5 * DAY_MS),
  },
})

function itemJson(
  order: AccountOrder,
  line: AccountLine,
  { store, included, pending }: { store: Store; included: ReadonlySet<string>; pending: boolean },
): unknown {
  const shipped = order.by === 'AMAZON' ? line.quantity : shippedOf(order, line.id)
  const cancelled = order.status === 'CANCELLED'
  const asked = line.cancel_asked
    ? { cancellationRequest: { requester: 'BUYER', cancelReason: 'Changed my mind' } }
    : {}
  const done = cancelled ? { cancellationExecution: { cancelledBy: 'BUYER', cancelReason: 'Changed my mind' } } : {}
  return {
    orderItemId: line.id,
    quantityOrdered: line.quantity,
    product: {
      asin: `B0${line.id.slice(-8)}`,
      title: line.title,
      sellerSku: line.sku,
      ...(pending ? {} : { price: { unitPrice: money(line.price_minor, store.currency) } }),
    },
    ...(included.has('PROCEEDS') && !pending
      ? {
          proceeds: {
            proceedsTotal: money(line.price_minor * line.quantity, store.currency),
            breakdowns: [{ type: 'ITEM', subtotal: money(line.price_minor * line.quantity, store.currency) }],
          },
        }
      : {}),
    ...(included.has('CANCELLATION') && (cancelled || line.cancel_asked)
      ? { cancellation: { ...asked, ...done } }
      : {}),
    ...(included.has('FULFILLMENT')
      ? { fulfillment: { quantityFulfilled: shipped, quantityUnfulfilled: cancelled ? 0 : line.quantity - shipped } }
      : {}),
  }
}

const packageJson = ({
  reference,
  carrier,
  tracking_number,
  ship_ms,
  created_ms,
  items,
}: AccountOrder['packages'][number]) => ({
  packageReferenceId: reference,
  createdTime: iso(created_ms),
  packageStatus: { status: 'SHIPPED' },
  carrier,
  shipTime: iso(ship_ms),
  trackingNumber: tracking_number,
  packageItems: items.map(({ line_id, quantity }) => ({ orderItemId: line_id, quantity })),
})
