import { createHash } from 'node:crypto'
import Type from 'typebox'
import { checker } from '../../core/model/validate.ts'
import type { OdooItemPayload, OdooStockPayload } from '../../mappings/odoo/payloads.ts'
import type { Port, PulledItem, PulledPage, PullRequest } from '../_kit/define.ts'
import { decimalOf } from './amounts.ts'
import { openOdoo, type Odoo } from './client.ts'
import { readKits } from './kits.ts'
import { momentOf } from './orders.ts'
import { readByIds, rows, search } from './records.ts'
import type { OdooSettings } from './settings.ts'
import { warehouses, type Warehouse } from './transfers.ts'
import { idOf, Maybe, Ref, Text, textOf } from './values.ts'

/** One search names this many changed records at most; the rest come with the next. */
const CHANGED_MAX = 20_000
const PAGE = 200
const DOUBTFUL_MAX = 500
const SECOND_MS = 1_000

const CHANGED = rows('product.product', { write_date: Type.String() })
const KIT_CHANGED = rows('mrp.bom', { write_date: Type.String(), product_tmpl_id: Ref, product_id: Ref })
const KIT_LINE_CHANGED = rows('mrp.bom.line', { write_date: Type.String(), bom_id: Ref })
const PRODUCT = rows('product.product', {
  default_code: Text,
  name: Type.String(),
  barcode: Text,
  weight: Maybe,
  weight_uom_name: Maybe,
  active: Type.Boolean(),
  type: Type.String(),
  write_date: Type.String(),
  product_tmpl_id: Ref,
})
const SAME = rows('product.product', { default_code: Text })

/** `at` is the newest second that was told in full up to `id`; `more`: the last page was not the end. */
interface Cursor {
  at: string | null
  id: number
  more: boolean
  /** SKUs that stood twice: they are looked at again, because mending one product does not change the other. */
  doubtful: string[]
}
const readCursor = checker(
  Type.Object({
    at: Type.Union([Type.String(), Type.Null()]),
    id: Type.Integer(),
    more: Type.Boolean(),
    doubtful: Type.Array(Type.String()),
  }),
  'internal',
)
const START: Cursor = { at: null, id: 0, more: false, doubtful: [] }

// ── products and kits ─────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Products by their time of change, which Odoo shows in whole seconds: the window begins a little before the last one, what was told
 * before is told again under the same key, and within a second the id decides. A kit changes when its bill of materials does, which the
 * product does not show, so those are looked for apart.
 */
export async function* pullItems(port: Port<OdooSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const odoo = await openOdoo(port)
  let cursor: Cursor = request.cursor === null ? START : readCursor(JSON.parse(request.cursor))
  const known = cursor.at
  for (const ids of chunks([
    ...new Set([...(await doubtfulIds(odoo, cursor)), ...(await kitsChanged(odoo, cursor, request))]),
  ])) {
    const page = await itemsOf(odoo, ids)
    cursor = { ...cursor, doubtful: page.doubtful.slice(0, DOUBTFUL_MAX) }
    yield { items: page.items, cursor: JSON.stringify(cursor) }
  }
  for (;;) {
    const changed = await productsChanged(odoo, cursor, request)
    for (const [at, part] of chunks(changed).entries()) {
      const page = await itemsOf(odoo, part.map(({ id }) => id)) // prettier-ignore
      const last = part.at(-1)
      const isEnd = (at + 1) * PAGE >= changed.length && changed.length < CHANGED_MAX
      cursor = {
        at: last?.write_date ?? cursor.at,
        id: last?.id ?? 0,
        more: !isEnd,
        doubtful: [...new Set([...cursor.doubtful, ...page.doubtful])].slice(0, DOUBTFUL_MAX),
      }
      yield { items: page.items, cursor: JSON.stringify(cursor) }
    }
    if (changed.length < CHANGED_MAX) break
  }
  if (cursor.more || cursor.at === known) yield { items: [], cursor: JSON.stringify({ ...cursor, more: false }) }
}

async function productsChanged(odoo: Odoo, cursor: Cursor, request: PullRequest) {
  const changed = await search(odoo, CHANGED, sinceDomain(cursor, request), {
    order: 'write_date, id',
    limit: CHANGED_MAX,
    context: { active_test: false },
  })
  // Odoo sorts by microseconds that it does not show; by what is shown, the cursor can stand between any two.
  return changed.toSorted((a, b) => compare(a.write_date, b.write_date) || a.id - b.id)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Changes of the template are changes of all its variants; older servers show them there alone. */
function sinceDomain({ at, id, more }: Cursor, { overlap_ms }: PullRequest): unknown[] {
  const goods = [['type', '!=', 'service'], ['default_code', '!=', false]] // prettier-ignore
  if (at === null) return goods
  if (!more) {
    const from = earlier(at, overlap_ms)
    return ['|', ['write_date', '>=', from], ['product_tmpl_id.write_date', '>=', from], ...goods]
  }
  return ['|', ['write_date', '>=', earlier(at, -SECOND_MS)], '&', ['write_date', '>=', at], ['id', '>', id], ...goods]
}

const earlier = (at: string, by_ms: number): string =>
  momentOf(new Date(Date.parse(`${at.replace(' ', 'T')}Z`) - by_ms).toISOString())

/** Products whose bill of materials has changed since the cursor. */
async function kitsChanged(odoo: Odoo, cursor: Cursor, { overlap_ms }: PullRequest): Promise<number[]> {
  if (cursor.at === null || cursor.more) return []
  const from = earlier(cursor.at, overlap_ms)
  const context = { active_test: false }
  const isThere = await odoo.names('mrp.bom', ['product_tmpl_id']).then(({ product_tmpl_id }) => product_tmpl_id !== null, () => false) // prettier-ignore
  if (!isThere) return []
  const lines = await search(odoo, KIT_LINE_CHANGED, [['write_date', '>=', from]], { context })
  const ids = [...new Set(lines.flatMap(({ bom_id }) => idOf(bom_id) ?? []))]
  const boms = await search(odoo, KIT_CHANGED, ['|', ['write_date', '>=', from], ['id', 'in', ids]], { context })
  const templates = boms.flatMap(({ product_tmpl_id }) => idOf(product_tmpl_id) ?? [])
  if (templates.length === 0) return []
  const products = await search(odoo, CHANGED, [['product_tmpl_id', 'in', templates], ['default_code', '!=', false]], { context }) // prettier-ignore
  return products.map(({ id }) => id)
}

async function doubtfulIds(odoo: Odoo, { doubtful, more }: Cursor): Promise<number[]> {
  if (doubtful.length === 0 || more) return []
  return (await search(odoo, SAME, [['default_code', 'in', doubtful]])).map(({ id }) => id)
}

async function itemsOf(odoo: Odoo, ids: readonly number[]): Promise<{ items: PulledItem[]; doubtful: string[] }> {
  const products = await readByIds(odoo, PRODUCT, ids)
  const skus = [...new Set(products.flatMap(({ default_code }) => textOf(default_code) ?? []))]
  const same = new Map<string, number[]>()
  for (const { id, default_code } of await search(odoo, SAME, [['default_code', 'in', skus]])) {
    const sku = textOf(default_code) ?? ''
    same.set(sku, [...(same.get(sku) ?? []), id])
  }
  const kits = await readKits(odoo, products.map(({ id, product_tmpl_id }) => ({ id, template: idOf(product_tmpl_id) ?? 0 }))) // prettier-ignore
  const items = products.flatMap((product): PulledItem[] => {
    const sku = textOf(product.default_code)
    const others = (same.get(sku ?? '') ?? []).filter((id) => id !== product.id)
    // An archived product beside an active one of its SKU says nothing: the active one speaks for the SKU.
    if (sku === null || (!product.active && others.length > 0)) return []
    const payload: OdooItemPayload = {
      id: product.id,
      default_code: sku,
      name: product.name,
      barcode: textOf(product.barcode),
      weight: decimalOf(typeof product.weight === 'number' ? product.weight : 0),
      weight_unit: typeof product.weight_uom_name === 'string' ? product.weight_uom_name : 'kg',
      active: product.active,
      same_sku: others,
      kit: kits.get(product.id) ?? null,
    }
    const hash = createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 32)
    const changed = [product.write_date, payload.kit?.changed ?? ''].join('/')
    return [{ topic: 'item', dedupe_key: `item:${product.id}:${changed}:${hash}`, payload }]
  })
  const doubtful = [...same].flatMap(([sku, twins]) => (twins.length > 1 ? [sku] : []))
  return { items, doubtful }
}

function chunks<T>(all: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(all.length / PAGE) }, (_, at) => all.slice(at * PAGE, (at + 1) * PAGE))
}

// ── stock ─────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const QUANT_CHANGED = rows('stock.quant', { product_id: Ref, write_date: Type.String() })
const QUANT = rows('stock.quant', { product_id: Ref, quantity: Type.Number() })
const STOCKED = rows('product.product', { default_code: Text })
const STOCK_MAX = 50_000

interface StockCursor {
  at: string | null
  /** Places and when they changed, inside the overlap: what was told of them need not be told again. */
  told: Record<string, string>
}
const readStockCursor = checker(
  Type.Object({ at: Type.Union([Type.String(), Type.Null()]), told: Type.Record(Type.String(), Type.String()) }),
  'internal',
)
const TOLD_MAX = 2_000

/**
 * On-hand of every warehouse, absolute, for products whose stock has moved. Stock is not shown by the product's own time of change, so
 * the places where it lies are asked. One count a warehouse and page, true at the time of asking.
 */
export async function* pullStock(port: Port<OdooSettings>, request: PullRequest): AsyncGenerator<PulledPage> {
  const odoo = await openOdoo(port)
  const cursor: StockCursor =
    request.cursor === null ? { at: null, told: {} } : readStockCursor(JSON.parse(request.cursor))
  const seen: { id: number; write_date: string }[] = []
  for (const warehouse of await warehouses(odoo)) {
    const changed = await quantsChanged(odoo, warehouse, cursor.at, request.overlap_ms)
    seen.push(...changed)
    const fresh = changed.filter(({ id, write_date }) => cursor.told[id] !== write_date)
    const products = [...new Set(fresh.flatMap(({ product_id }) => idOf(product_id) ?? []))].toSorted((a, b) => a - b)
    for (const part of chunks(products)) {
      yield { items: [await countOf(odoo, warehouse, part, request.now)], cursor: JSON.stringify(cursor) }
    }
  }
  const at = seen.reduce((newest: string | null, { write_date }) => (newest === null || write_date > newest ? write_date : newest), cursor.at) // prettier-ignore
  const from = at === null ? '' : earlier(at, request.overlap_ms)
  const told = seen.filter(({ write_date }) => write_date >= from).slice(-TOLD_MAX)
  const next: StockCursor = { at, told: Object.fromEntries(told.map(({ id, write_date }) => [String(id), write_date])) }
  yield { items: [], cursor: JSON.stringify(next) }
}

const internal = ({ root }: Warehouse): unknown[] => [
  ['location_id', 'child_of', [root]],
  ['location_id.usage', '=', 'internal'],
]

function quantsChanged(odoo: Odoo, warehouse: Warehouse, at: string | null, overlap_ms: number) {
  const since = at === null ? [] : [['write_date', '>=', earlier(at, overlap_ms)]]
  return search(odoo, QUANT_CHANGED, [...internal(warehouse), ...since], { order: 'write_date, id', limit: STOCK_MAX })
}

async function countOf(odoo: Odoo, warehouse: Warehouse, ids: readonly number[], now: Date): Promise<PulledItem> {
  const quants = await search(odoo, QUANT, [...internal(warehouse), ['product_id', 'in', ids]], { order: 'id' })
  const sums = new Map<number, number>()
  for (const { product_id, quantity } of quants) {
    const id = idOf(product_id) ?? 0
    sums.set(id, (sums.get(id) ?? 0) + quantity)
  }
  const skus = new Map((await readByIds(odoo, STOCKED, ids)).map(({ id, default_code }) => [id, textOf(default_code)]))
  const lines = ids.flatMap((id) => {
    const sku = skus.get(id)
    return sku === null || sku === undefined ? [] : [{ product: id, sku, quantity: decimalOf(sums.get(id) ?? 0) }]
  })
  const payload: OdooStockPayload = { warehouse: warehouse.code, as_of: now.toISOString(), lines }
  const hash = createHash('sha256').update(JSON.stringify(payload)).digest('hex').slice(0, 32)
  return { topic: 'stock', dedupe_key: `stock:${warehouse.code}:${hash}`, payload }
}
