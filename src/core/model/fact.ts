import Type from 'typebox'
import { closed, Id, Nullable, Words } from './schema.ts'
import { Cancellation, Order } from './order.ts'
import { Payment, Refund } from './payment.ts'
import { StockChange, StockCount } from './stock.ts'
import { Acknowledgement, Shipment, TrackingEvent } from './shipment.ts'
import { Return } from './return.ts'
import { Receipt } from './supply.ts'
import { Answer } from './answer.ts'
import { Settlement } from './settlement.ts'
import { Item } from './item.ts'
import { Listing } from './listing.ts'

/** A data-protection request: what is known about a person is exported or made unreadable. */
export const PrivacyRequest = Type.Object(
  {
    external_id: Id,
    action: Words(['data_request', 'redact_person', 'redact_connection']),
    buyer_external_id: Nullable(Id),
    buyer_email: Nullable(Type.String({ maxLength: 320 })),
    order_external_ids: Type.Array(Id, { maxItems: 10_000 }),
  },
  closed,
)
export type PrivacyRequest = Type.Static<typeof PrivacyRequest>

/** What a connection can be asked for page by page. */
export const STREAMS = [
  'orders', 'listings', 'payments', 'settlements', 'notifications', 'items', 'stock', 'shipments', 'tracking', 'returns',
  'reports',
] as const // prettier-ignore
export type Stream = (typeof STREAMS)[number]

/** "Something moved over there": wakes a pull instead of carrying the data. */
export const Signal = Type.Object({ stream: Words(STREAMS), reference: Nullable(Id) }, closed)
export type Signal = Type.Static<typeof Signal>

const fact = <K extends string, T extends Type.TSchema>(kind: K, document: T) =>
  Type.Object({ kind: Type.Literal(kind), document }, closed)

/** Everything the outside can tell us, once normalized. A mapping returns a list of these. */
export const FACT_SCHEMAS = {
  order: fact('order', Order),
  cancellation: fact('cancellation', Cancellation),
  payment: fact('payment', Payment),
  refund: fact('refund', Refund),
  stock_count: fact('stock_count', StockCount),
  stock_change: fact('stock_change', StockChange),
  shipment: fact('shipment', Shipment),
  tracking_event: fact('tracking_event', TrackingEvent),
  acknowledgement: fact('acknowledgement', Acknowledgement),
  receipt: fact('receipt', Receipt),
  return: fact('return', Return),
  answer: fact('answer', Answer),
  settlement: fact('settlement', Settlement),
  item: fact('item', Item),
  listing: fact('listing', Listing),
  privacy: fact('privacy', PrivacyRequest),
  signal: fact('signal', Signal),
} as const

export type FactKind = keyof typeof FACT_SCHEMAS
export type Fact = { [K in FactKind]: Type.Static<(typeof FACT_SCHEMAS)[K]> }[FactKind]
export type FactOf<K extends FactKind> = Extract<Fact, { kind: K }>
