/** Which documents of an order an ERP has to be told now. Pure: from what is so and what it was told to what is due. */

export type OrderDocument = 'order' | 'cancellation' | 'delivery' | 'return' | 'invoice' | 'credit'

export interface Told {
  kind: string
  subject: string
  version: number
  told_version: number | null
  digest: string | null
  /** Its newest version is on its way. */
  moving: boolean
  /** Its newest version was refused and waits for a person. */
  stuck: boolean
  /** A person has decided that it is not told. */
  dropped: boolean
}

export interface OrderState {
  order_id: string
  connection_id: string
  external_id: string
  lifecycle: 'open' | 'cancelled' | 'closed'
  payment_state: string
  fulfillment_state: string
  /** False while only a cancellation has been heard of. */
  is_known: boolean
  /** `YYYY-MM-DD`. */
  placed_on: string
  /** What the order says now, and who it is for; the second is null once the person was erased. */
  digest: string
  person: string | null
  /** With goods in them, oldest first. */
  shipments: readonly string[]
  returns: readonly string[]
  refunds: readonly RefundState[]
  told: readonly Told[]
}

export interface RefundState {
  id: string
  connection_id: string
  external_id: string
  amount_minor: number
  /** Of units that were never shipped: they were never invoiced either. */
  cancelled_minor: number
}

export interface DuePolicy {
  orders: 'none' | 'all' | 'authorized' | 'paid'
  since: string | null
  deliveries: boolean
  returns: boolean
  invoices: 'none' | 'per_delivery' | 'when_shipped'
  credits: boolean
}

export interface Due {
  kind: OrderDocument
  subject: string
  version: number
  key: string
  digest: string | null
}

const PAID = ['paid', 'partially_refunded', 'refunded']
const STATES: Readonly<Record<DuePolicy['orders'], readonly string[] | null>> = {
  none: [],
  all: null,
  authorized: ['authorized', 'partially_paid', ...PAID],
  paid: PAID,
}

export const orderKeyOf = (order: { connection_id: string; external_id: string }): string =>
  `order:${order.connection_id}:${order.external_id}`

/**
 * One at a time, because two transfers of one order that are made at once get into each other's way; the next becomes due when this one
 * has been told. In the order in which an ERP can take them: deliveries, returns and invoices hang on an order that is there, credits on an invoice.
 * What hangs on something that is not there yet becomes due when that has been told. A cancelled order of which goods have left all
 * the same stays an order there, of those goods.
 */
export function dueDocuments(order: OrderState, policy: DuePolicy): Due[] {
  if (order.told.some(({ moving }) => moving)) return []
  const book = bookOf(order)
  const isThere = book.toldOnce('order', order.order_id)
  if (!isThere && !isWanted(order, policy)) return []
  const due = [
    ...orderDue(order, book),
    ...(isThere
      ? [
          ...deliveriesDue(order, policy, book),
          ...returnsDue(order, policy, book),
          ...invoicesDue(order, policy, book),
          ...creditsDue(order, policy, book),
        ]
      : []),
  ]
  return due.slice(0, 1)
}

/** Goods that will have to be told when their turn comes: until then the ERP counts them where they were. */
export function plannedGoods(order: OrderState, policy: DuePolicy): Pick<Due, 'kind' | 'subject' | 'key'>[] {
  const book = bookOf(order)
  if (!book.toldOnce('order', order.order_id) && !isWanted(order, policy)) return []
  const goods = (kind: 'delivery' | 'return', ids: readonly string[]) =>
    ids.flatMap((id) => (book.find(kind, id) === undefined ? [{ kind, subject: id, key: `${kind}:${id}` }] : []))
  return [
    ...(policy.deliveries ? goods('delivery', order.shipments) : []),
    ...(policy.returns && order.shipments.length > 0 ? goods('return', order.returns) : []),
  ]
}

type Book = ReturnType<typeof bookOf>

function bookOf({ told }: OrderState) {
  const rows = new Map(told.map((row) => [`${row.kind} ${row.subject}`, row]))
  const find = (kind: OrderDocument, subject: string): Told | undefined => rows.get(`${kind} ${subject}`)
  const toldOnce = (kind: OrderDocument, subject: string): boolean =>
    (find(kind, subject)?.told_version ?? null) !== null
  /** Once: a document that does not change. One that was taken back before it left is due again. */
  const once = (kind: OrderDocument, subject: string, key: string): Due[] => {
    const row = find(kind, subject)
    if (row === undefined) return [{ kind, subject, version: 1, key, digest: null }]
    if (row.told_version !== null || row.stuck || row.dropped) return []
    return [{ kind, subject, version: row.version + 1, key, digest: null }]
  }
  return { find, toldOnce, once }
}

/** Whether the order stands there as a whole: goods of a cancelled one that left make it one. */
const stands = ({ lifecycle, shipments }: OrderState): boolean => lifecycle !== 'cancelled' || shipments.length > 0

function isWanted(order: OrderState, policy: DuePolicy): boolean {
  const states = STATES[policy.orders]
  if (!order.is_known || !stands(order)) return false
  if (policy.since !== null && order.placed_on < policy.since) return false
  return states === null || states.includes(order.payment_state)
}

/** The order in its newest version, or that it is gone. Never two at a time: the second would overtake the first. */
function orderDue(order: OrderState, book: Book): Due[] {
  const { order_id } = order
  const row = book.find('order', order_id)
  const gone = book.find('cancellation', order_id)
  const key = orderKeyOf(order)
  if (row?.stuck === true || gone?.stuck === true) return []
  // A cancellation is of one version: an order that came back, in a newer one, can be cancelled again.
  const isCancelledThere =
    gone !== undefined && gone.told_version === gone.version && gone.digest === String(row?.version)
  if (!stands(order)) {
    if (row === undefined || row.told_version === null || isCancelledThere) return []
    if (gone?.dropped === true && gone.digest === String(row.version)) return []
    const digest = String(row.version)
    const version = (gone?.version ?? 0) + 1
    return [{ kind: 'cancellation', subject: order_id, version, key: `cancel:${key}`, digest }]
  }
  const digest = order.person === null ? order.digest : `${order.digest} ${order.person}`
  const version = (row?.version ?? 0) + 1
  const isUntold = row === undefined || (row.told_version !== row.version && !row.dropped)
  return isUntold || isCancelledThere || differs(row.digest, order)
    ? [{ kind: 'order', subject: order_id, version, key, digest }]
    : []
}

/** That a person was erased here is no reason to write over what the ERP has to keep by law. */
function differs(told: string | null, { digest, person }: OrderState): boolean {
  const [content, who = null] = (told ?? '').split(' ')
  return content !== digest || (person !== null && who !== person)
}

function deliveriesDue({ shipments }: OrderState, policy: DuePolicy, book: Book): Due[] {
  return policy.deliveries ? shipments.flatMap((id) => book.once('delivery', id, `delivery:${id}`)) : []
}

const allDelivered = ({ shipments }: OrderState, policy: DuePolicy, book: Book): boolean =>
  !policy.deliveries || shipments.every((id) => book.toldOnce('delivery', id))

/** Goods come back to an ERP that has let them go: what was shipped is told first. */
function returnsDue(order: OrderState, policy: DuePolicy, book: Book): Due[] {
  if (!policy.returns || order.shipments.length === 0 || !allDelivered(order, policy, book)) return []
  return order.returns.flatMap((id) => book.once('return', id, `return:${id}`))
}

function invoicesDue(order: OrderState, policy: DuePolicy, book: Book): Due[] {
  if (policy.invoices === 'none') return []
  const isOver = ['fulfilled', 'not_needed'].includes(order.fulfillment_state) || order.lifecycle === 'cancelled'
  const whole = (): Due[] => book.once('invoice', order.order_id, `invoice:${order.order_id}`)
  if (order.fulfillment_state === 'not_needed' && order.shipments.length === 0) return stands(order) ? whole() : []
  if (policy.invoices === 'when_shipped')
    return isOver && order.shipments.length > 0 && allDelivered(order, policy, book) ? whole() : []
  return order.shipments
    .filter((id) => !policy.deliveries || book.toldOnce('delivery', id))
    .flatMap((id) => book.once('invoice', id, `invoice:${id}`))
}

/**
 * A refund that a channel and a gateway both report is one: whoever reports the larger sum is believed (the order's own channel in
 * doubt), and no more is credited than that sum.
 */
function creditsDue(order: OrderState, policy: DuePolicy, book: Book): Due[] {
  const isInvoiced = order.told.some((row) => row.kind === 'invoice' && row.told_version !== null)
  if (!policy.credits || !isInvoiced) return []
  const sources = [...Map.groupBy(order.refunds, (refund) => refund.connection_id).entries()]
    .map(([connection_id, refunds]) => ({ connection_id, refunds, sum: sumOf(refunds) }))
    .sort(
      (a, b) =>
        b.sum - a.sum ||
        Number(b.connection_id === order.connection_id) - Number(a.connection_id === order.connection_id),
    )
  const [believed] = sources
  if (believed === undefined) return []
  let room = believed.sum - sumOf(order.refunds.filter(({ id }) => book.find('credit', id) !== undefined))
  return believed.refunds.flatMap((refund) => {
    const due = book.once('credit', refund.id, `credit:${refund.connection_id}:${refund.external_id}`)
    const isKnown = book.find('credit', refund.id) !== undefined
    if (due.length === 0 || refund.amount_minor <= refund.cancelled_minor) return []
    if (!isKnown && refund.amount_minor > room) return []
    if (!isKnown) room -= refund.amount_minor
    return due
  })
}

const sumOf = (refunds: readonly RefundState[]): number =>
  refunds.reduce((sum, { amount_minor }) => sum + amount_minor, 0)
