import type { Tx } from '../../db/pool.ts'
import { columns } from '../columns.ts'
import {
  fulfillmentStateOf,
  paymentStateOf,
  reservationStateOf,
  type FulfillmentState,
  type Lifecycle,
  type LinkedPayment,
  type PaymentState,
  type ReservationState,
} from './rules.ts'

interface AxesRow {
  id: string
  lifecycle: Lifecycle
  picture_payment_state: PaymentState | null
  total_minor: number | null
  payment_state: PaymentState
  fulfillment_state: FulfillmentState
  reservation_state: ReservationState
}

/** The payment axis of these orders, from their pictures and the payments linked to them. Returns what it is now, by order id. */
export async function refreshPaymentStates(
  tx: Tx,
  order_ids: readonly string[],
  now: Date,
): Promise<Map<string, PaymentState>> {
  if (order_ids.length === 0) return new Map()
  const orders = await tx.query<AxesRow>(
    `select id, picture_payment_state, total_minor, payment_state from orders where id = any($1::uuid[]) order by id`,
    [order_ids],
  )
  const payments = await tx.query<LinkedPayment & { order_id: string }>(
    `select p.order_id, p.connection_id, p.kind, sum(p.amount_minor)::bigint as amount_minor
     from payments p join orders o on o.id = p.order_id
     where p.order_id = any($1::uuid[]) and p.status = 'succeeded' and p.currency = coalesce(o.currency, p.currency)
     group by 1, 2, 3`,
    [order_ids],
  )
  const byOrder = Map.groupBy(payments, (payment) => payment.order_id)
  const states = orders.map((order) => ({
    id: order.id,
    before: order.payment_state,
    payment_state: paymentStateOf(
      order.picture_payment_state ?? 'pending',
      order.total_minor ?? 0,
      byOrder.get(order.id) ?? [],
    ),
  }))
  const changed = states.filter((state) => state.before !== state.payment_state)
  if (changed.length > 0) {
    await tx.query(
      `update orders o set payment_state = n.payment_state, changed_at = $3
       from unnest($1::uuid[], $2::text[]) as n(id, payment_state) where o.id = n.id`,
      [...columns(changed, ['id', 'payment_state']), now],
    )
  }
  return new Map(states.map((state) => [state.id, state.payment_state]))
}

/** The fulfillment and reservation axes of these orders, recomputed from their lines and reservations. */
export async function refreshAxes(tx: Tx, order_ids: readonly string[], now: Date): Promise<void> {
  if (order_ids.length === 0) return
  const orders = await tx.query<AxesRow>(
    `select id, lifecycle, fulfillment_state, reservation_state from orders where id = any($1::uuid[]) order by id`,
    [order_ids],
  )
  const lines = await tx.query<{
    order_id: string
    quantity: number
    cancelled_quantity: number
    shipped_quantity: number
    requires_shipping: boolean
  }>(
    `select order_id, quantity, cancelled_quantity, shipped_quantity, requires_shipping from order_lines
     where order_id = any($1::uuid[])`,
    [order_ids],
  )
  const units = await tx.query<{
    order_id: string
    held: number
    committed: number
    consumed: number
    shortfall: number
    expired: number
  }>(
    `select order_id, coalesce(sum(quantity) filter (where state = 'held'), 0)::int as held,
       coalesce(sum(quantity) filter (where state = 'committed'), 0)::int as committed,
       sum(consumed_quantity)::int as consumed,
       coalesce(sum(quantity) filter (where state = 'shortfall'), 0)::int as shortfall,
       coalesce(sum(quantity) filter (where state = 'expired'), 0)::int as expired
     from reservations where order_id = any($1::uuid[]) group by order_id`,
    [order_ids],
  )
  const none = { held: 0, committed: 0, consumed: 0, shortfall: 0, expired: 0 }
  const linesOf = Map.groupBy(lines, (line) => line.order_id)
  const unitsOf = new Map(units.map((row) => [row.order_id, row]))
  const changed = orders.flatMap((order) => {
    const fulfillment_state = fulfillmentStateOf(linesOf.get(order.id) ?? [])
    const reservation_state = reservationStateOf(unitsOf.get(order.id) ?? none, order.lifecycle)
    const same = fulfillment_state === order.fulfillment_state && reservation_state === order.reservation_state
    return same ? [] : [{ id: order.id, fulfillment_state, reservation_state }]
  })
  if (changed.length === 0) return
  await tx.query(
    `update orders o set fulfillment_state = n.fulfillment_state, reservation_state = n.reservation_state, changed_at = $4
     from unnest($1::uuid[], $2::text[], $3::text[]) as n(id, fulfillment_state, reservation_state) where o.id = n.id`,
    [...columns(changed, ['id', 'fulfillment_state', 'reservation_state']), now],
  )
}
