import { createHash } from 'node:crypto'
import Type, { type Static } from 'typebox'
import { HubError, type ErrorCode } from '../../core/errors.ts'
import type { AvailabilityLine, AvailabilityResult } from '../../core/model/effects.ts'
import { legacyId, UNPAGED_MAX } from '../../mappings/shopify/graphql.ts'
import type { Port, Pull } from '../_kit/define.ts'
import { LEVELS, ORDER, ORDERS, SET_QUANTITIES, VARIANTS } from './_graphql.ts'
import { answer, ask, type Settings } from './client.ts'

type ShopPort = Port<Settings>

const PAGES_MAX = 100
const LINE_PAGES_MAX = 10
const ORDERS_PER_PAGE = 20
const VARIANTS_PER_PAGE = 100
/** Without the scope `read_all_orders` Shopify shows no older order. */
const FIRST_PULL_MS = 60 * 86_400_000
/** A query is priced by its sizes, so the list asks for little of each order; one that has more is read again by itself. */
const BRIEF = { lines: 20, after_line: null, parts: 1, part_lines: 1 }
const FULL = { lines: 100, after_line: null, parts: UNPAGED_MAX, part_lines: 20 }
const ROUNDS_MAX = 5

const MaybeText = Type.Union([Type.String(), Type.Null()])
const PageInfo = Type.Object({ hasNextPage: Type.Boolean(), endCursor: MaybeText })
const Lines = Type.Object({ pageInfo: PageInfo, nodes: Type.Array(Type.Unknown()) })
const OrderHead = Type.Object({
  id: Type.String(),
  updatedAt: Type.String(),
  lineItems: Lines,
  refunds: Type.Array(Type.Unknown()),
})
type OrderHead = Static<typeof OrderHead>
const Orders = answer(Type.Object({ orders: Type.Object({ pageInfo: PageInfo, nodes: Type.Array(OrderHead) }) }))
const OneOrder = answer(Type.Object({ order: Type.Union([OrderHead, Type.Null()]) }))
const Variants = answer(
  Type.Object({
    productVariants: Type.Object({ pageInfo: PageInfo, nodes: Type.Array(Type.Object({ id: Type.String() })) }),
  }),
)

const digest = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 32)

// ── orders in ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** `since`: where this sweep began; `seen`: newest update met; `after`: Shopify's cursor, empty once the sweep is through. */
function readCursor(
  cursor: string | null,
  now: Date,
  overlap_ms: number,
): { since: string; seen: string; after: string | null } {
  const [since = '', seen = '', after = ''] = (cursor ?? '').split('|')
  if (after !== '') return { since, seen, after }
  const from = seen === '' ? now.getTime() - FIRST_PULL_MS : Date.parse(seen) - overlap_ms
  return { since: new Date(from).toISOString(), seen: seen || new Date(from).toISOString(), after: null }
}

/**
 * Orders by update time, oldest first: one that changes while we page moves to the end and is met there. A stopped sweep goes on
 * at Shopify's cursor; the next one starts at the newest update seen, less the overlap.
 */
export const pullOrders: Pull<Settings> = async function* (port, { cursor, now, overlap_ms }) {
  const start = readCursor(cursor, now, overlap_ms)
  const { since } = start
  let { seen, after } = start
  let first = ORDERS_PER_PAGE
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const variables = { first, after, query: `updated_at:>='${since}'`, ...BRIEF }
    let orders: ReturnType<typeof Orders>['orders']
    try {
      ;({ orders } = await ask(port, Orders, { operation: 'orders', query: ORDERS, variables }))
    } catch (thrown) {
      if (!(thrown instanceof HubError) || thrown.code !== 'payload_too_large' || first === 1) throw thrown
      first = Math.ceil(first / 2)
      continue
    }
    const items = []
    for (const head of orders.nodes) {
      const payload = await wholeOrder(port, head)
      if (payload.updatedAt > seen) seen = payload.updatedAt
      items.push({
        topic: 'order_graphql',
        dedupe_key: `poll:${legacyId(head.id)}:${payload.updatedAt}:${digest(payload)}`,
        payload,
      })
    }
    after = orders.pageInfo.hasNextPage ? orders.pageInfo.endCursor : null
    yield { items, cursor: [since, seen, after ?? ''].join('|') }
    if (after === null) return
  }
}

async function wholeOrder(port: ShopPort, head: OrderHead): Promise<OrderHead & { fulfillments?: unknown }> {
  // Shipped units matter only to tell what a refund took off; without refunds the list's stub of them is dropped.
  if (head.refunds.length === 0 && !head.lineItems.pageInfo.hasNextPage) return { ...head, fulfillments: [] }
  const readPage = async (after_line: string | null): Promise<OrderHead> => {
    const variables = { id: head.id, ...FULL, after_line }
    const { order } = await ask(port, OneOrder, { operation: 'order', query: ORDER, variables })
    if (order === null) throw new HubError('vendor_response_invalid', 'an order vanished while it was read')
    return order
  }
  const order = await readPage(null)
  let { lineItems } = order
  for (let page = 1; page < LINE_PAGES_MAX && lineItems.pageInfo.hasNextPage; page += 1) {
    const next = (await readPage(lineItems.pageInfo.endCursor)).lineItems
    lineItems = { pageInfo: next.pageInfo, nodes: [...lineItems.nodes, ...next.nodes] }
  }
  return { ...order, lineItems }
}

/** Every variant, every time: Shopify has no "stock changed since". The variant's and the level's own times keep the keys apart. */
export const pullListings: Pull<Settings> = async function* (port, { cursor }) {
  let after = cursor || null
  for (let page = 0; page < PAGES_MAX; page += 1) {
    const variables = { first: VARIANTS_PER_PAGE, after, location: port.settings.location_id }
    const { productVariants } = await ask(port, Variants, { operation: 'productVariants', query: VARIANTS, variables })
    const items = productVariants.nodes.map((payload) => ({
      topic: 'listing',
      dedupe_key: `listing:${legacyId(payload.id)}:${digest(payload)}`,
      payload,
    }))
    after = productVariants.pageInfo.hasNextPage ? productVariants.pageInfo.endCursor : null
    yield { items, cursor: after ?? '' }
    if (after === null) return
  }
}

// ── availability out ──────────────────────────────────────────────────────────────────────────────────────────────────────

const SetAnswer = answer(
  Type.Object({
    inventorySetQuantities: Type.Union([
      Type.Null(),
      Type.Object({
        userErrors: Type.Array(
          Type.Object({ code: MaybeText, field: Type.Union([Type.Array(Type.String()), Type.Null()]) }),
        ),
      }),
    ]),
  }),
)
type Row = AvailabilityLine & { item: string }

/** Words about the whole call rather than a row of it. `again`: the same rows under a new key. */
const CALL_ERRORS: Readonly<Record<string, ErrorCode | 'again'>> = {
  IDEMPOTENCY_CONCURRENT_REQUEST: 'vendor_unavailable',
  IDEMPOTENCY_KEY_PARAMETER_MISMATCH: 'vendor_conflict',
  IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED: 'again',
}

/**
 * Compare-and-set of absolute numbers. Shopify takes all rows or none: one stale row fails the call, so the bad rows are taken out
 * and the rest is sent again. Every round's key is made from its rows, so that a repeated push replays instead of colliding.
 */
export async function pushAvailability(
  port: ShopPort,
  lines: readonly AvailabilityLine[],
  key: string,
): Promise<AvailabilityResult[]> {
  const results = new Map<number, AvailabilityResult>()
  const refuse = ({ listing_id }: AvailabilityLine, detail: string): void =>
    void results.set(listing_id, { listing_id, outcome: 'refused', code: 'vendor_rejected', detail })
  let rows: Row[] = lines.flatMap((line) => {
    const item = line.external['inventory_item_id']
    return item === undefined ? [] : [{ ...line, item }]
  })
  for (const line of lines)
    if (line.external['inventory_item_id'] === undefined) refuse(line, 'inventory item not known yet')
  const stale: Row[] = []
  for (let round = 0; rows.length > 0; round += 1) {
    if (round === ROUNDS_MAX)
      throw new HubError('vendor_unavailable', 'inventorySetQuantities: rows keep failing one after another')
    const bad = new Map((await setRows(port, rows, `${key}:${round}`)).map(({ row, code }) => [row, code]))
    if (bad.size === 0) for (const { listing_id } of rows) results.set(listing_id, { listing_id, outcome: 'set' })
    if (bad.size === 0) break
    for (const [index, code] of bad) {
      const row = rows[index]
      if (row !== undefined && code === 'CHANGE_FROM_QUANTITY_STALE') stale.push(row)
      else if (row !== undefined) refuse(row, code)
    }
    rows = rows.filter((_, index) => !bad.has(index))
  }
  const shown = new Map((await readAvailability(port, stale)).map((level) => [level.listing_id, level.quantity]))
  for (const { listing_id } of stale)
    results.set(listing_id, { listing_id, outcome: 'stale', actual: shown.get(listing_id) ?? null })
  return [...results.values()]
}

/** One mutation. Returns the rows that failed it; throws what concerns the call as a whole. `row: -1` asks for another round. */
async function setRows(port: ShopPort, rows: readonly Row[], key: string): Promise<{ row: number; code: string }[]> {
  const quantities = rows.map(({ item, quantity, expected }) => ({
    inventoryItemId: item,
    locationId: port.settings.location_id,
    quantity,
    // Null says out loud that nothing is proven; leaving the field out would be refused.
    changeFromQuantity: expected,
  }))
  const referenceDocumentUri = `gid://crossdock/AvailabilityPush/${encodeURIComponent(key)}`
  const input = { name: 'available', reason: 'correction', referenceDocumentUri, quantities }
  const variables = { input, key: digest({ key, quantities }) }
  const result = await ask(port, SetAnswer, {
    operation: 'inventorySetQuantities',
    query: SET_QUANTITIES,
    variables,
    lane: 'realtime',
  })
  if (result.inventorySetQuantities === null)
    throw new HubError('vendor_response_invalid', 'inventorySetQuantities: no answer')
  return result.inventorySetQuantities.userErrors.map(({ code, field }) => {
    const word = code ?? 'unknown error'
    const row = field?.[1] === 'quantities' && /^\d+$/.test(field[2] ?? '') ? Number(field[2]) : undefined
    if (row !== undefined && row < rows.length) return { row, code: word }
    const verdict = Object.hasOwn(CALL_ERRORS, word) ? CALL_ERRORS[word] : undefined
    if (verdict === 'again') return { row: -1, code: word }
    throw new HubError(verdict ?? 'vendor_rejected', `inventorySetQuantities: ${word}`)
  })
}

const Level = Type.Object({
  id: Type.String(),
  inventoryLevel: Type.Union([
    Type.Null(),
    Type.Object({ quantities: Type.Array(Type.Object({ quantity: Type.Integer() })) }),
  ]),
})
const Levels = answer(Type.Object({ nodes: Type.Array(Type.Union([Level, Type.Object({}), Type.Null()])) }))

/** What the location shows as available now; listings it does not stock are left out. */
export async function readAvailability(
  port: ShopPort,
  lines: readonly AvailabilityLine[],
): Promise<{ listing_id: number; quantity: number }[]> {
  const ids = [...new Set(lines.flatMap((line) => line.external['inventory_item_id'] ?? []))]
  if (ids.length === 0) return []
  const variables = { ids, location: port.settings.location_id }
  const { nodes } = await ask(port, Levels, {
    operation: 'inventoryLevels',
    query: LEVELS,
    variables,
    lane: 'realtime',
  })
  const levels = nodes.flatMap((node) => (node !== null && 'id' in node ? [node] : []))
  const shown = new Map(levels.map((level) => [level.id, level.inventoryLevel?.quantities[0]?.quantity]))
  return lines.flatMap(({ listing_id, external }) => {
    const quantity = shown.get(external['inventory_item_id'] ?? '')
    return quantity === undefined ? [] : [{ listing_id, quantity }]
  })
}
