import Type from 'typebox'
import { HubError } from '../../core/errors.ts'
import { ORDER_LIFECYCLES } from '../../core/model/order.ts'
import { Address, Party } from '../../core/model/party.ts'
import { HOLD_REASONS, placeOnHold, releaseFromHold, type HoldAnswer } from '../../core/orders/hold.ts'
import { listOrders, ORDER_KINDS, showOrder, type OrderRow, type OrderShown } from '../../core/orders/read.ts'
import { showOrderOrParked, type ParkedOrder as ParkedShown } from '../../core/orders/readParked.ts'
import { readPerson } from '../../core/people/people.ts'
import { closed, Nullable, Words } from '../../core/model/schema.ts'
import { writeAudit } from '../../db/audit.ts'
import { inTransaction } from '../../db/transaction.ts'
import type { Hub } from '../../hub.ts'
import { coreContext } from '../../queues/context.ts'
import { wakePushes } from '../../queues/wake.ts'
import { actorOf, type App } from '../app.ts'
import {
  anything,
  count,
  FAULTS,
  filters,
  flag,
  instant,
  listOf,
  listQuery,
  maybeCount,
  maybeInstant,
  maybeText,
  named,
  text,
  textId,
  uuid,
} from './schemas.ts'

const summary = {
  id: uuid,
  connection_id: text,
  external_id: text,
  number: maybeText,
  kind: text,
  lifecycle: text,
  payment_state: text,
  fulfillment_state: text,
  reservation_state: text,
  is_test: flag,
  placed_at: maybeInstant,
  cancelled_at: maybeInstant,
  currency: maybeText,
  total_minor: maybeCount,
  refunded_minor: maybeCount,
  ship_country: maybeText,
  service_level: maybeText,
  ship_by: maybeInstant,
  deliver_by: maybeInstant,
  delivered_at: maybeInstant,
  hold_reason: maybeText,
  held_at: maybeInstant,
  has_person: flag,
  received_at: instant,
  changed_at: instant,
}
export const OrderSummary = named<OrderRow>('OrderSummary', summary)

export const Order = named<Omit<OrderShown, 'person_id'>>('Order', {
  ...summary,
  shipping_method: maybeText,
  subtotal_minor: maybeCount,
  discount_minor: maybeCount,
  shipping_minor: maybeCount,
  tax_minor: maybeCount,
  version_updated_at: maybeInstant,
  lines: listOf({
    id: count,
    external_id: text,
    channel_sku: text,
    title: maybeText,
    quantity: count,
    cancelled_quantity: count,
    shipped_quantity: count,
    unit_price_minor: count,
    discount_minor: count,
    tax_minor: count,
    total_minor: count,
    requires_shipping: flag,
  }),
  reservations: listOf({
    id: count,
    order_line_id: count,
    sku: text,
    location_id: maybeText,
    quantity: count,
    consumed_quantity: count,
    state: text,
    fulfillment_order: maybeText,
    expires_at: maybeInstant,
    backordered: flag,
    expected: listOf({ units: count, expected_at: maybeInstant, reference: maybeText }),
  }),
  fulfillment_orders: listOf({
    id: uuid,
    number: text,
    location_id: text,
    connection_id: maybeText,
    state: text,
    cancel_requested_at: maybeInstant,
    created_at: instant,
    changed_at: instant,
  }),
  shipments: listOf({
    id: uuid,
    connection_id: text,
    external_id: text,
    carrier: maybeText,
    tracking_number: maybeText,
    tracking_url: maybeText,
    shipped_at: instant,
    tracking_status: maybeText,
    tracking_at: maybeInstant,
    delivered_at: maybeInstant,
    lines: listOf({ order_line_id: count, sku: text, quantity: count, lot: maybeText }),
  }),
  payments: listOf({
    id: count,
    connection_id: text,
    external_id: text,
    kind: text,
    status: text,
    at: instant,
    currency: text,
    amount_minor: count,
  }),
  timeline: listOf({ id: count, kind: text, at: instant, recorded_at: instant, source: text, data: anything }),
})

export const ParkedOrder = named<ParkedShown>('ParkedOrder', {
  state: Type.Literal('parked'),
  connection_id: text,
  external_id: text,
  number: maybeText,
  cause_code: maybeText,
  cause_path: maybeText,
  cause_detail: maybeText,
  wake_key: maybeText,
  received_at: instant,
  messages: listOf({
    inbox_id: count,
    source: text,
    topic: text,
    state: text,
    attempts: count,
    cause_code: maybeText,
    cause_path: maybeText,
    cause_detail: maybeText,
    wake_key: maybeText,
    received_at: instant,
  }),
})

const OrderOrParked = Type.Unsafe<Omit<OrderShown, 'person_id'> | ParkedShown>({ anyOf: [ParkedOrder.ref, Order.ref] })

const query = listQuery({
  connection: filters.text,
  number: filters.text,
  external_id: filters.text,
  kind: filters.words(ORDER_KINDS),
  lifecycle: filters.words(ORDER_LIFECYCLES),
  reservation_state: filters.words(['none', 'held', 'committed', 'partial', 'shortfall', 'released', 'consumed']),
  since: filters.since,
})

const Person = Type.Object({
  erased: Type.Boolean(),
  buyer: Nullable(Party),
  ship_to: Nullable(Address),
  bill_to: Nullable(Address),
})

const Held = Type.Unsafe<HoldAnswer>(
  Type.Object({ order_id: uuid, number: maybeText, hold_reason: maybeText, changed: flag }, closed),
)

export function orderRoutes(app: App, hub: Hub): void {
  app.get(
    '/orders',
    {
      schema: {
        tags: ['orders'],
        summary: 'List orders, newest received first',
        querystring: query,
        response: { 200: OrderSummary.page, ...FAULTS },
      },
    },
    async (request) => listOrders(hub.db, request.query),
  )

  app.get(
    '/orders/:id',
    {
      schema: {
        tags: ['orders'],
        summary: 'Show an order with all that hangs on it',
        description:
          "By the hub's id, the shop's number or the channel's id. A person is only said to be there. An order that is parked answers with its cause.",
        params: textId,
        response: { 200: OrderOrParked, ...FAULTS },
      },
    },
    async (request) => showOrderOrParked(hub.db, coreContext(hub), request.params.id),
  )

  app.get(
    '/orders/:id/person',
    {
      schema: {
        tags: ['orders'],
        summary: 'Who an order is for',
        description: 'Opened from the vault; every look is written into the audit log.',
        params: textId,
        response: { 200: Person, ...FAULTS },
      },
    },
    async (request, reply) => {
      const { id, person_id } = await showOrder(hub.db, coreContext(hub), request.params.id)
      if (person_id === null) throw new HubError('not_found', 'nobody is known for this order')
      // Written first: a look that could not be recorded does not take place.
      await writeAudit(hub.db, {
        at: hub.clock.now(),
        actor: actorOf(request).name,
        action: 'person.read',
        subject: `order:${id}`,
      })
      const person = await readPerson(hub.db, hub.vault, person_id)
      void reply.header('cache-control', 'no-store')
      return person === 'erased'
        ? { erased: true, buyer: null, ship_to: null, bill_to: null }
        : { erased: false, buyer: person.buyer, ship_to: person.ship_to, bill_to: person.bill_to }
    },
  )

  holdRoutes(app, hub)
}

/** The name of the write is the order itself: saying it again answers the same and changes nothing. */
function holdRoutes(app: App, hub: Hub): void {
  app.post(
    '/orders/:id/hold',
    {
      schema: {
        tags: ['orders'],
        summary: 'Stop an order',
        description:
          'What has not left stays here, and what is held for money does not expire, until the order is released. What has left is not called back.',
        params: textId,
        body: Type.Object({ reason: Words(HOLD_REASONS) }, closed),
        response: { 200: Held, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const by = actorOf(request).name
      return inTransaction(hub.db, (tx) => placeOnHold(tx, coreContext(hub), id, request.body.reason, by))
    },
  )

  app.post(
    '/orders/:id/release',
    {
      schema: {
        tags: ['orders'],
        summary: 'Let an order go on',
        description: "What had not left is planned anew from today's stock and leaves.",
        params: textId,
        response: { 200: Held, ...FAULTS },
      },
    },
    async (request) => {
      const { id } = request.params
      const by = actorOf(request).name
      const answer = await inTransaction(hub.db, (tx) => releaseFromHold(tx, coreContext(hub), id, by))
      if (answer.changed) await wakePushes(hub)
      return answer
    },
  )
}
