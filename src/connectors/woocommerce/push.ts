import Type from 'typebox'
import type { ErrorCode } from '../../core/errors.ts'
import type {
  AvailabilityLine,
  AvailabilityResult,
  EffectNote,
  EffectResult,
  ShipmentNotice,
} from '../../core/model/effects.ts'
import { checker } from '../../core/model/validate.ts'
import type { Port } from '../_kit/define.ts'
import type { WooSettings } from './index.ts'

/** The shop's own cap on the objects of one batch call (`woocommerce_rest_batch_items_limit`). */
export const BATCH_MAX = 100

const open = { additionalProperties: true } as const
const maybe = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]))
const Stocked = { id: Type.Integer(), stock_quantity: maybe(Type.Number()) }
const readBatch = checker(
  Type.Object(
    {
      update: Type.Array(
        Type.Object({ ...Stocked, error: Type.Optional(Type.Object({ code: Type.String() }, open)) }, open),
      ),
    },
    open,
  ),
  'vendor_response_invalid',
)
const readStocked = checker(
  Type.Array(
    Type.Object(
      { ...Stocked, sku: maybe(Type.String()), parent_id: maybe(Type.Integer()), type: maybe(Type.String()) },
      open,
    ),
  ),
  'vendor_response_invalid',
)
const readOrder = checker(
  Type.Object(
    {
      id: Type.Integer(),
      status: Type.String(),
      meta_data: Type.Array(Type.Object({ key: Type.String(), value: Type.Unknown() }, open)),
    },
    open,
  ),
  'vendor_response_invalid',
)

interface Target {
  line: AvailabilityLine
  /** Folder of the product list it is in: `/products`, or `/products/12/variations`. */
  folder: string
  id: string
}

const ITEM_ERRORS: Readonly<Record<string, ErrorCode>> = {
  woocommerce_rest_product_invalid_id: 'vendor_not_found',
  woocommerce_rest_product_variation_invalid_id: 'vendor_not_found',
}

/**
 * Absolute stock counts, one batch call for plain products and one per parent of variations. There is no compare-and-set and no key;
 * a repeated write of the same number does no harm. One object's fault inside a 200 refuses that line only.
 */
export async function pushAvailability(
  port: Port<WooSettings>,
  lines: readonly AvailabilityLine[],
): Promise<AvailabilityResult[]> {
  const { targets, unknown } = await targetsOf(port, lines)
  const results: AvailabilityResult[] = unknown.map(({ listing_id, channel_sku }) => ({
    listing_id,
    outcome: 'refused',
    code: 'vendor_not_found',
    detail: `the shop has no product with the SKU ${channel_sku}`,
  }))
  for (const [folder, group] of Map.groupBy(targets, (target) => target.folder)) {
    const update = group.map(({ id, line }) => ({ id: Number(id), manage_stock: true, stock_quantity: line.quantity }))
    const call = {
      operation: 'products.batch',
      method: 'POST',
      path: `${folder}/batch`,
      json: { update },
      repeat: 'safe',
      lane: 'realtime',
    } as const
    const answers = new Map(readBatch((await port.http.request(call)).body).update.map((row) => [String(row.id), row]))
    results.push(...group.map(({ id, line }) => resultOf(line, answers.get(id))))
  }
  return results
}

type BatchRow = ReturnType<typeof readBatch>['update'][number]

function resultOf(line: AvailabilityLine, row: BatchRow | undefined): AvailabilityResult {
  const refused = (code: ErrorCode, detail: string): AvailabilityResult => ({
    listing_id: line.listing_id,
    outcome: 'refused',
    code,
    detail,
  })
  if (row === undefined) return refused('vendor_response_invalid', 'the batch answer does not name this product')
  if (row.error !== undefined)
    return refused(ITEM_ERRORS[row.error.code] ?? 'vendor_rejected', row.error.code.slice(0, 100))
  // A stock plug-in may have put another number in its place; then nothing is proven.
  if (row.stock_quantity !== line.quantity)
    return refused('vendor_rejected', 'the shop answered with another quantity than was written')
  return { listing_id: line.listing_id, outcome: 'set' }
}

export async function readAvailability(
  port: Port<WooSettings>,
  lines: readonly AvailabilityLine[],
): Promise<{ listing_id: number; quantity: number }[]> {
  const { targets } = await targetsOf(port, lines)
  const found: { listing_id: number; quantity: number }[] = []
  for (const [folder, group] of Map.groupBy(targets, (target) => target.folder)) {
    const query = { include: group.map(({ id }) => id).join(','), per_page: BATCH_MAX }
    const answer = await port.http.request({
      operation: 'products.list',
      method: 'GET',
      path: folder,
      query,
      repeat: 'safe',
      lane: 'realtime',
    })
    const shown = new Map(readStocked(answer.body).map((row) => [String(row.id), row.stock_quantity ?? null]))
    for (const { id, line } of group) {
      const quantity = shown.get(id) ?? null
      if (quantity !== null && Number.isInteger(quantity))
        found.push({ listing_id: line.listing_id, quantity: Math.max(0, quantity) })
    }
  }
  return found
}

/** A listing that was never pulled has no ids of the shop yet: its SKU finds them. */
async function targetsOf(
  port: Port<WooSettings>,
  lines: readonly AvailabilityLine[],
): Promise<{ targets: Target[]; unknown: AvailabilityLine[] }> {
  const nameless = lines.filter((line) => line.external['product_id'] === undefined)
  const bySku = nameless.length === 0 ? new Map<string, Record<string, string>>() : await idsBySku(port, nameless)
  const targets: Target[] = []
  const unknown: AvailabilityLine[] = []
  for (const line of lines) {
    const { product_id, variation_id } = { ...line.external, ...bySku.get(line.channel_sku) } as Record<
      string,
      string | undefined
    >
    if (product_id === undefined || !/^\d+$/.test(variation_id ?? product_id)) unknown.push(line)
    else if (variation_id === undefined) targets.push({ line, folder: '/products', id: product_id })
    else targets.push({ line, folder: `/products/${product_id}/variations`, id: variation_id })
  }
  return { targets, unknown }
}

async function idsBySku(
  port: Port<WooSettings>,
  lines: readonly AvailabilityLine[],
): Promise<Map<string, Record<string, string>>> {
  const query = { sku: lines.map((line) => line.channel_sku).join(','), per_page: BATCH_MAX }
  const answer = await port.http.request({
    operation: 'products.list',
    method: 'GET',
    path: '/products',
    query,
    repeat: 'safe',
  })
  const rows = readStocked(answer.body).filter(({ type }) => type !== 'variable')
  return new Map(
    rows.map(({ id, sku, parent_id, type }) => [
      sku ?? '',
      type === 'variation'
        ? { product_id: String(parent_id ?? 0), variation_id: String(id) }
        : { product_id: String(id) },
    ]),
  )
}

// ── shipments ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Statuses that a shipped parcel does not turn into `completed`; the tracking number is noted there all the same. */
const KEPT_STATUSES = new Set(['completed', 'cancelled', 'refunded', 'failed', 'trash'])

/** The shop wants nothing of an order in one of these any more: a parcel for it is news to somebody. */
const UNWANTED_STATUSES = new Set(['cancelled', 'refunded', 'failed', 'trash'])

const overShipped = ({ lines }: ShipmentNotice): EffectNote => ({
  kind: 'over_shipped',
  lines: lines.map(({ line_external_id, quantity }) => ({ line_external_id, quantity })),
})

/** Writing meta data under a key that is already there replaces it, so one key per shipment makes the write repeatable. */
const metaKey = (notice: ShipmentNotice): string => `_crossdock_shipment_${notice.shipment_id}`

/**
 * The shop knows no shipments: the parcel becomes one entry of the order's meta data, and the last one completes the order. The order
 * is read first, so that a repeat changes nothing and a cancelled order is not completed.
 */
export async function sendShipment(
  port: Port<WooSettings>,
  notices: readonly ShipmentNotice[],
): Promise<EffectResult[]> {
  const results: EffectResult[] = []
  for (const notice of notices) {
    const order = await fetchOrder(port, notice)
    const completes = notice.units_remaining === 0 && !KEPT_STATUSES.has(order.status)
    if (!isNoted(order, notice) || completes) {
      const json = {
        meta_data: [{ key: metaKey(notice), value: noteOf(notice) }],
        ...(completes ? { status: 'completed' } : {}),
      }
      await port.http.request({
        operation: 'orders.update',
        method: 'PUT',
        path: orderPath(notice),
        json,
        repeat: 'safe',
      })
    }
    const done = { outbox_id: notice.outbox_id, outcome: 'done', external_id: metaKey(notice) } as const
    results.push(UNWANTED_STATUSES.has(order.status) ? { ...done, note: overShipped(notice) } : done)
  }
  return results
}

export async function confirmShipment(
  port: Port<WooSettings>,
  notices: readonly ShipmentNotice[],
): Promise<'done' | 'not_done' | 'unknown'> {
  const told: boolean[] = []
  for (const notice of notices) {
    const order = await fetchOrder(port, notice)
    told.push(isNoted(order, notice) && (notice.units_remaining > 0 || KEPT_STATUSES.has(order.status)))
  }
  return told.every(Boolean) ? 'done' : told.some(Boolean) ? 'unknown' : 'not_done'
}

const orderPath = (notice: ShipmentNotice): string => `/orders/${encodeURIComponent(notice.order_external_id)}`

async function fetchOrder(port: Port<WooSettings>, notice: ShipmentNotice): Promise<ReturnType<typeof readOrder>> {
  return readOrder(
    (await port.http.request({ operation: 'orders.get', method: 'GET', path: orderPath(notice), repeat: 'safe' })).body,
  )
}

const isNoted = (order: ReturnType<typeof readOrder>, notice: ShipmentNotice): boolean =>
  order.meta_data.some(({ key }) => key === metaKey(notice))

function noteOf(notice: ShipmentNotice): object {
  const { carrier, tracking_number, more_tracking_numbers, tracking_url, shipped_at } = notice
  const lines = notice.lines.map((line) => ({
    line_id: line.line_external_id,
    sku: line.channel_sku,
    quantity: line.quantity,
  }))
  return { carrier, tracking_number, more_tracking_numbers, tracking_url, shipped_at, lines }
}
