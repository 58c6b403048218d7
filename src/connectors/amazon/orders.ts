import { createHash } from 'node:crypto'
import Type from 'typebox'
import { asHubError, type HubError } from '../../core/errors.ts'
import { checker } from '../../core/model/validate.ts'
import { orderIdOf, textIn, valueIn } from '../../mappings/amazon/notification.ts'
import type { Port, PulledItem, PulledPage, PullRequest, QueueMessage } from '../_kit/define.ts'
import { apiOf, type Settings } from './settings.ts'

const PAGES_MAX = 500
const FIRST_REACH_MS = 30 * 86_400_000
/** A search never shows the last two minutes. */
const SEARCH_LAG_MS = 2 * 60_000
const WAIT_MS = 1_000
const MESSAGES_MAX = 10

const open = { additionalProperties: true } as const
const Head = Type.Object({ orderId: Type.String({ minLength: 1 }), lastUpdatedTime: Type.String() }, open)
const readOrder = checker(Type.Object({ order: Head }, open), 'vendor_response_invalid')
const readOrders = checker(
  Type.Object(
    {
      orders: Type.Array(Head),
      lastUpdatedBefore: Type.Optional(Type.String()),
      pagination: Type.Optional(Type.Object({ nextToken: Type.Optional(Type.String()) }, open)),
    },
    open,
  ),
  'vendor_response_invalid',
)
type Order = ReturnType<typeof readOrder>['order']

const DATA = ['PROCEEDS', 'PROMOTION', 'CANCELLATION', 'FULFILLMENT', 'TAX']
const PERSONAL_DATA = ['BUYER', 'RECIPIENT']

/** Version 2026-01-01 needs no restricted data token: what the application's roles do not allow is asked for by nobody. */
const includedData = (settings: Settings): string =>
  [...DATA, ...(apiOf(settings).personal_data === 'left_out' ? [] : PERSONAL_DATA)].join(',')

// ── the slow search ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** `since`: where the next sweep begins. `sweep`: one that was stopped between two pages, with the vendor's token for the next. */
interface OrdersCursor {
  since: string
  sweep?: { from: string; until: string; token: string }
}

/**
 * Changed orders, in the vendor's own order: the safety net under the notifications, at most a page every three minutes. A sweep that was
 * stopped goes on at the vendor's token; one whose token has lapsed begins anew. The next one starts where this one's answer says it ended.
 */
export async function* pullOrders(port: Port<Settings>, request: PullRequest): AsyncGenerator<PulledPage> {
  if (port.settings.api === undefined) return
  const cursor = openCursor(request)
  const { now } = request
  let sweep = cursor.sweep
  const from = sweep?.from ?? new Date(Date.parse(cursor.since) - request.overlap_ms).toISOString()
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const answer = await searchPage(port, from, sweep?.token)
    if (answer === 'lapsed') {
      sweep = undefined
      continue
    }
    const fallback = new Date(now.getTime() - SEARCH_LAG_MS).toISOString()
    const until = sweep?.until ?? answer.lastUpdatedBefore ?? fallback
    const token = answer.pagination?.nextToken ?? ''
    sweep = token === '' ? undefined : { from, until, token }
    const next: OrdersCursor = sweep === undefined ? { since: until } : { since: cursor.since, sweep }
    yield { items: answer.orders.map(orderItem), cursor: JSON.stringify(next) }
    if (sweep === undefined) return
  }
}

function openCursor({ cursor, now }: PullRequest): OrdersCursor {
  if (cursor === null) return { since: new Date(now.getTime() - FIRST_REACH_MS).toISOString() }
  return JSON.parse(cursor) as OrdersCursor
}

async function searchPage(
  port: Port<Settings>,
  lastUpdatedAfter: string,
  paginationToken: string | undefined,
): Promise<ReturnType<typeof readOrders> | 'lapsed'> {
  const query = {
    lastUpdatedAfter,
    marketplaceIds: apiOf(port.settings).marketplace_ids.join(','),
    includedData: includedData(port.settings),
    paginationToken,
  }
  try {
    const call = {
      operation: 'searchOrders',
      method: 'GET',
      path: '/orders/2026-01-01/orders',
      query,
      repeat: 'safe',
    } as const
    return readOrders((await port.http.request(call)).body)
  } catch (thrown) {
    const fault = asHubError(thrown)
    if (paginationToken !== undefined && fault.code === 'vendor_rejected') return 'lapsed'
    throw fault
  }
}

/** The same order in the same state has the same key, whether a message or the search brought it. */
function orderItem(order: Order): PulledItem {
  const hash = createHash('sha256').update(JSON.stringify(order)).digest('hex').slice(0, 32)
  return { topic: 'order', dedupe_key: `order:${order.orderId}:${order.lastUpdatedTime}:${hash}`, payload: order }
}

export async function fetchOrder(port: Port<Settings>, order_id: string, included: string): Promise<Order> {
  const answer = await port.http.request({
    operation: 'getOrder',
    method: 'GET',
    path: `/orders/2026-01-01/orders/${encodeURIComponent(order_id)}`,
    query: { includedData: included },
    repeat: 'safe',
    lane: 'realtime',
  })
  return readOrder(answer.body).order
}

// ── the queue ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Told {
  message: QueueMessage
  notification: unknown
  order_id: string | null
}

/**
 * Empties the queue. A message about an order names it and no more, so the order is fetched as it is now: several messages about one
 * order cost one call, and a late message brings no old picture. Messages are removed once their orders are stored; what could not be
 * fetched stays in the queue and comes again. An order that the API does not give us is left to the search, and the message is kept.
 */
export async function* pullNotifications(port: Port<Settings>, { now }: PullRequest): AsyncGenerator<PulledPage> {
  const { api, queue } = port.settings
  if (api === undefined || queue === undefined) return
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const messages = await port.messages.receive({ messages_max: MESSAGES_MAX, wait_ms: WAIT_MS })
    if (messages.length === 0) return
    const { items, handles, fault } = await read(port, messages.map(told))
    if (handles.length > 0) yield { items, cursor: now.toISOString(), acknowledge: () => port.messages.remove(handles) }
    if (fault !== undefined) throw fault
  }
}

function told(message: QueueMessage): Told {
  const notification = notificationIn(message.body)
  const is_order = textIn(notification, 'notificationtype') === 'ORDER_CHANGE'
  return { message, notification, order_id: is_order ? orderIdOf(valueIn(notification, 'payload')) : null }
}

/** A body that is no JSON is handed on as it is: the mapping then says what is wrong with it, and a person can look. */
function notificationIn(body: string): unknown {
  try {
    return JSON.parse(body) as unknown
  } catch {
    return body
  }
}

interface Read {
  items: PulledItem[]
  handles: string[]
  fault: HubError | undefined
}

/** The orders of one receive are fetched side by side: the plan of the operation, not the way there and back, sets the pace. */
async function read(port: Port<Settings>, all: readonly Told[]): Promise<Read> {
  const groups = [...Map.groupBy(all, ({ order_id }) => order_id)]
  const found = await Promise.all(groups.map(([order_id, some]) => readOne(port, order_id, some)))
  return {
    items: found.flatMap(({ items }) => items),
    handles: found.flatMap(({ handles }) => handles),
    fault: found.map(({ fault }) => fault).find((fault) => fault !== undefined),
  }
}

async function readOne(port: Port<Settings>, order_id: string | null, some: readonly Told[]): Promise<Read> {
  const handles = some.map(({ message }) => message.handle)
  const kept = (): Read => ({ items: some.map((one) => notificationItem(one)), handles, fault: undefined })
  if (order_id === null) return kept()
  try {
    const order = await fetchOrder(port, order_id, includedData(port.settings))
    return { items: [orderItem(order)], handles, fault: undefined }
  } catch (thrown) {
    const fault = asHubError(thrown)
    const is_not_given = fault.code === 'vendor_not_found' || fault.code === 'vendor_rejected'
    return is_not_given ? kept() : { items: [], handles: [], fault }
  }
}

/** The queue may deliver a message twice; its own id is another one for each publication, the notification's is not. */
function notificationItem({ message, notification }: Told): PulledItem {
  const id = textIn(valueIn(notification, 'notificationmetadata'), 'notificationid')
  const known = id ?? createHash('sha256').update(message.body).digest('hex').slice(0, 32)
  return { topic: 'notification', dedupe_key: `notification:${known}`, payload: notification }
}
