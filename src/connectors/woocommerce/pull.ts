import { createHash } from 'node:crypto'
import Type from 'typebox'
import { checker } from '../../core/model/validate.ts'
import type { HttpAnswer, Port, PulledItem, PulledPage, PullRequest } from '../_kit/define.ts'
import { everyItem, pagesByNumber } from '../_kit/pagination.ts'
import type { WooSettings } from './index.ts'

const PER_PAGE = 100
/** Of orders, per run. What is left stays for the next run, which goes on at the cursor. */
const PAGES_MAX = 500
/** A list that is only of use whole is not cut short. */
const LIST_PAGES_MAX = 5_000
const OUR_HOOKS = /^crossdock\b/i
const FIRST_REACH_MS = 60 * 86_400_000

const open = { additionalProperties: true } as const
const readOrders = checker(
  Type.Array(
    Type.Object(
      {
        id: Type.Integer(),
        date_modified_gmt: Type.Union([Type.String(), Type.Null()]),
        refunds: Type.Array(Type.Object({ id: Type.Integer() }, open)),
      },
      open,
    ),
  ),
  'vendor_response_invalid',
)
const readList = checker(Type.Array(Type.Object({ id: Type.Integer() }, open)), 'vendor_response_invalid')
const readProducts = checker(
  Type.Array(
    Type.Object(
      {
        id: Type.Integer(),
        type: Type.Optional(Type.String()),
        date_modified_gmt: Type.Optional(Type.Union([Type.String(), Type.Null()])),
      },
      open,
    ),
  ),
  'vendor_response_invalid',
)
const readHooks = checker(
  Type.Array(Type.Object({ id: Type.Integer(), status: Type.String(), name: Type.String() }, open)),
  'vendor_response_invalid',
)

type WooOrderRow = ReturnType<typeof readOrders>[number]
/** How far each list has been read. Orders in the trash are not among `any`, and a missed order.deleted is never sent again. */
type OrdersCursor = Record<'any' | 'trash', string>

/**
 * Changed orders, oldest change first, each with the details of its refunds (the order itself shows only their sums). Afterwards the
 * webhooks are looked after: the shop tries a delivery once, and switches a hook off for good after some failures in a row.
 */
export async function* pullOrders(port: Port<WooSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const cursor = openCursor(request)
  for (const status of ['any', 'trash'] as const) {
    const from_ms = Date.parse(cursor[status]) - request.overlap_ms
    for await (const orders of changedOrders(port, status, from_ms)) {
      const items: PulledItem[] = []
      for (const order of orders) items.push(await orderItem(port, order))
      for (const order of orders) if (modifiedAt(order) > cursor[status]) cursor[status] = modifiedAt(order)
      yield { items, cursor: JSON.stringify(cursor) }
    }
  }
  await reviveWebhooks(port)
}

function openCursor({ cursor, now }: PullRequest): OrdersCursor {
  const first = wooTime(now.getTime() - FIRST_REACH_MS)
  const kept: Partial<OrdersCursor> = cursor === null ? {} : (JSON.parse(cursor) as Partial<OrdersCursor>)
  return { any: kept.any ?? `${first}Z`, trash: kept.trash ?? `${first}Z` }
}

/** The shop writes and reads times to the second, without a zone; `dates_are_gmt` makes them UTC. */
const wooTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

/**
 * An order that changes while the list is read moves to its end, and whatever stood behind it moves one place forward: counting
 * pages would skip one. So each further request starts at the last change seen, and pages are only counted within one second.
 */
async function* changedOrders(
  port: Port<WooSettings>,
  status: 'any' | 'trash',
  from_ms: number,
): AsyncGenerator<WooOrderRow[]> {
  let after_ms = from_ms
  let page = 1
  for (let read = 0; read < PAGES_MAX; read += 1) {
    const query = {
      status,
      modified_after: wooTime(after_ms),
      dates_are_gmt: true,
      orderby: 'modified',
      order: 'asc',
      per_page: PER_PAGE,
      page,
    }
    const answer = await port.http.request({
      operation: 'orders.list',
      method: 'GET',
      path: '/orders',
      query,
      repeat: 'safe',
    })
    const orders = readOrders(answer.body)
    const last = orders.at(-1)
    if (last === undefined) return
    yield orders
    if (page >= pagesOf(answer)) return
    // `modified_after` excludes the second it names, so one second less brings the whole last second again.
    const next_ms = Date.parse(modifiedAt(last)) - 1_000
    if (next_ms > after_ms) [after_ms, page] = [next_ms, 1]
    else page += 1
  }
}

/** Empty for an order without a time, which then only fails to move the cursor. */
const modifiedAt = (order: WooOrderRow): string =>
  order.date_modified_gmt === null ? '' : `${order.date_modified_gmt}Z`

const pagesOf = (answer: HttpAnswer): number => Number(answer.headers['x-wp-totalpages'] ?? 1)

async function orderItem(port: Port<WooSettings>, order: WooOrderRow): Promise<PulledItem> {
  const payload = order.refunds.length === 0 ? order : { ...order, refund_details: await refundsOf(port, order.id) }
  return { topic: 'order', dedupe_key: `poll:order:${order.id}:${modifiedAt(order)}:${hashOf(payload)}`, payload }
}

async function refundsOf(port: Port<WooSettings>, order_id: number): Promise<unknown[]> {
  const call = {
    operation: 'refunds.list',
    method: 'GET',
    path: `/orders/${order_id}/refunds`,
    repeat: 'safe',
  } as const
  return await everyPage(port, call, readList)
}

const hashOf = (payload: unknown): string =>
  createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 32)

async function everyPage<T>(
  port: Port<WooSettings>,
  call: { operation: string; method: 'GET'; path: string; repeat: 'safe' },
  read: (body: unknown) => T[],
): Promise<T[]> {
  const list = { what: call.path, pages_max: LIST_PAGES_MAX }
  return await everyItem(
    pagesByNumber(list, async (page) => {
      const answer = await port.http.request({ ...call, query: { per_page: PER_PAGE, page } })
      return { items: read(answer.body), last: page >= pagesOf(answer) }
    }),
  )
}

/** Everything for sale, variations included. Always the whole catalogue: what left it is only seen by its absence. */
export async function* pullListings(port: Port<WooSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const cursor = request.now.toISOString()
  const products = pagesByNumber({ what: '/products', pages_max: LIST_PAGES_MAX }, async (page) => {
    const query = { orderby: 'id', order: 'asc', per_page: PER_PAGE, page }
    const call = { operation: 'products.list', method: 'GET', path: '/products', query, repeat: 'safe' } as const
    const answer = await port.http.request(call)
    return { items: readProducts(answer.body), last: page >= pagesOf(answer) }
  })
  for await (const page of products) {
    const items: PulledItem[] = []
    for (const product of page) {
      if (product.type !== 'variable') items.push(listingItem(product))
      else items.push(...(await variationsOf(port, product.id)).map((variation) => listingItem(variation)))
    }
    yield { items, cursor }
  }
}

async function variationsOf(port: Port<WooSettings>, product_id: number): Promise<ReturnType<typeof readProducts>> {
  const call = {
    operation: 'variations.list',
    method: 'GET',
    path: `/products/${product_id}/variations`,
    repeat: 'safe',
  } as const
  const variations = await everyPage(port, call, readProducts)
  // Older shops do not say whose variation it is.
  return variations.map((variation) => ({ ...variation, type: 'variation', parent_id: product_id }))
}

function listingItem(product: ReturnType<typeof readProducts>[number]): PulledItem {
  const dedupe_key = `poll:listing:${product.id}:${product.date_modified_gmt ?? ''}:${hashOf(product)}`
  return { topic: 'listing', dedupe_key, payload: product }
}

/** Only hooks named after us, as the set-up asks for: others belong to somebody else's integration. */
async function reviveWebhooks(port: Port<WooSettings>): Promise<void> {
  const query = { status: 'disabled', per_page: PER_PAGE }
  const answer = await port.http.request({
    operation: 'webhooks.list',
    method: 'GET',
    path: '/webhooks',
    query,
    repeat: 'safe',
  })
  for (const hook of readHooks(answer.body)) {
    if (hook.status !== 'disabled' || !OUR_HOOKS.test(hook.name)) continue
    const json = { status: 'active' }
    await port.http.request({
      operation: 'webhooks.update',
      method: 'PUT',
      path: `/webhooks/${hook.id}`,
      json,
      repeat: 'safe',
    })
  }
}

export async function showNewestOrder(port: Port<WooSettings>): Promise<string> {
  const query = { per_page: 1, orderby: 'date', order: 'desc' }
  const answer = await port.http.request({
    operation: 'orders.list',
    method: 'GET',
    path: '/orders',
    query,
    repeat: 'safe',
  })
  const newest = readOrders(answer.body)[0]
  const total = answer.headers['x-wp-total'] ?? '?'
  return newest === undefined
    ? 'the shop has no orders yet'
    : `newest order ${newest.id} of ${modifiedAt(newest)}, ${total} in all`
}
