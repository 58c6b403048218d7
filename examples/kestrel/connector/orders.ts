import Type from 'typebox'
import { checker } from '../../../src/core/model/validate.ts'
import type { PulledItem, PulledPage, PullRequest, Port } from '../../../src/connectors/_kit/define.ts'
import { pagesByCursor } from '../../../src/connectors/_kit/pagination.ts'

/** How far back the very first pull goes. */
const FIRST_REACH_MS = 30 * 86_400_000
/** A vendor that says at page after page that there is more has to be given up some time. */
const PAGES_MAX = 1_000

const open = { additionalProperties: true } as const
const readPage = checker(
  Type.Object(
    {
      orders: Type.Array(
        Type.Object(
          {
            id: Type.String(),
            number: Type.String(),
            revision: Type.Integer(),
            changed_at: Type.String({ format: 'date-time' }),
          },
          open,
        ),
      ),
      next_cursor: Type.Union([Type.String(), Type.Null()]),
    },
    open,
  ),
  'vendor_response_invalid',
)
type Row = ReturnType<typeof readPage>['orders'][number]

/**
 * Changed orders, oldest change first. What is stored is the time of the last change and not Kestrel's own cursor, which lives for an
 * hour only: the hub may come back days later.
 */
export async function* pullOrders(port: Port, request: PullRequest): AsyncGenerator<PulledPage> {
  const { cursor, overlap_ms, now } = request
  const from_ms = cursor === null ? now.getTime() - FIRST_REACH_MS : Date.parse(cursor) - overlap_ms
  const changed_since = new Date(from_ms).toISOString()
  let seen = cursor ?? changed_since
  const pages = pagesByCursor({ what: 'the list of orders', pages_max: PAGES_MAX }, async (after) => {
    const { orders, next_cursor } = await listOrders(port, after === undefined ? { changed_since } : { cursor: after })
    return { items: orders, next: next_cursor }
  })
  for await (const orders of pages) {
    for (const { changed_at } of orders) if (Date.parse(changed_at) > Date.parse(seen)) seen = changed_at
    if (orders.length > 0) yield { items: orders.map(itemOf), cursor: seen }
  }
}

const itemOf = (order: Row): PulledItem => ({
  topic: 'order',
  dedupe_key: `order:${order.id}:${order.revision}`,
  payload: order,
})

async function listOrders(port: Port, query: Readonly<Record<string, string>>): Promise<ReturnType<typeof readPage>> {
  const answer = await port.http.request({
    operation: 'orders.list',
    method: 'GET',
    path: '/v1/orders',
    query,
    repeat: 'safe',
  })
  return readPage(answer.body)
}

export async function showFirstOrder(port: Port): Promise<string> {
  const { orders, next_cursor } = await listOrders(port, {})
  const [first] = orders
  if (first === undefined) return 'the account has no orders yet'
  return `${orders.length}${next_cursor === null ? '' : ' or more'} orders, the one longest unchanged is ${first.number}`
}
